//! A task that somebody else keeps alive.

use core::marker::PhantomData;
use core::ops::Deref;
use core::ptr::NonNull;

use super::cell::Header;

/// A reference to a task that may be made a counted one. A plain `&Header` may not: it is a right to the
/// header alone, and whoever drops the last counted reference frees the whole cell through it.
#[derive(Clone, Copy, Debug)]
pub struct Alive<'a> {
    task: NonNull<Header>,
    kept: PhantomData<&'a Header>,
}

impl<'a> Alive<'a> {
    /// # Safety
    ///
    /// (a) The pointer is to the whole cell, not made from a `&Header`, and (b) the task is kept alive for
    /// `'a`.
    #[inline(always)]
    pub unsafe fn new(task: NonNull<Header>) -> Self {
        Self {
            task,
            kept: PhantomData,
        }
    }

    /// The pointer to the whole.
    #[inline(always)]
    pub fn pointer(self) -> NonNull<Header> {
        self.task
    }

    /// The header, for as long as the task is kept alive.
    #[inline(always)]
    pub fn header(self) -> &'a Header {
        // SAFETY: (b) of `new`. Were the task freed meanwhile, this would read freed memory.
        unsafe { self.task.as_ref() }
    }
}

impl Deref for Alive<'_> {
    type Target = Header;

    #[inline(always)]
    fn deref(&self) -> &Header {
        self.header()
    }
}
