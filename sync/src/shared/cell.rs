//! The place of the shared future, and of what it leaves.

use core::any::Any;
use core::future::Future;
use core::pin::Pin;
use core::ptr;
use core::task::{Context, Poll, Waker};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::bell::Bell;
use super::state::{DONE, PANICKED};
use crate::once_cell::reentry;
use crate::shim::UnsafeCell;

/// What all handles share. Made in an `Arc`, and never taken out of it: the future is pinned here.
pub(super) struct Cell<F: Future> {
    /// I1 of `state.rs`.
    slot: UnsafeCell<Slot<F>>,
    pub(super) bell: Arc<Bell>,
    /// The bell, as a waker: made once.
    waker: Waker,
}

enum Slot<F: Future> {
    /// Never moved out: dropped in place.
    Future(F),
    Output(F::Output),
    /// What it said.
    Panicked(String),
}

// SAFETY: the future goes from one polling thread to the next (`Send`), and so does the output, which is
// lent to several at once (`Sync`). Accesses exclude one another by I1.
unsafe impl<F: Future + Send> Send for Cell<F> where F::Output: Send + Sync {}
// SAFETY: as above.
unsafe impl<F: Future + Send> Sync for Cell<F> where F::Output: Send + Sync {}

/// A panic that is on its way.
type Panic = Box<dyn Any + Send>;

impl<F: Future> Cell<F> {
    pub(super) fn new(future: F) -> Arc<Self> {
        let bell = Arc::new(Bell::new());
        Arc::new(Self {
            slot: UnsafeCell::new(Slot::Future(future)),
            waker: Waker::from(Arc::clone(&bell)),
            bell,
        })
    }

    /// The output, if it is there.
    #[inline]
    pub(super) fn peek(&self) -> Option<&F::Output> {
        if self.bell.word() & DONE == 0 {
            return None;
        }
        // SAFETY: DONE was seen.
        Some(unsafe { self.output() })
    }

    /// The cell's identity.
    pub(super) fn address(&self) -> *const () {
        ptr::from_ref(self).cast()
    }

    /// Whether a poll with `waker` comes from inside the future.
    pub(super) fn is_inside(&self, waker: &Waker) -> bool {
        reentry::is_inside(self.address().addr(), waker)
    }

    /// Polls the future. If it is ready, all who wait are told; if not, `Bell::release` is owed still.
    ///
    /// # Panics
    ///
    /// If the future does, in its poll or its drop. All who wait have been told by then.
    ///
    /// # Safety
    ///
    /// The caller has claimed.
    pub(super) unsafe fn run(&self) -> Poll<()> {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            let _inside = reentry::enter(self.address().addr(), &self.waker);
            // SAFETY: the caller's.
            unsafe { self.poll_future(&mut Context::from_waker(&self.waker)) }
        }));
        let (slot, end, panic) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => (Slot::Output(output), DONE, None),
            Err(panic) => (Slot::Panicked(text_of(&panic)), PANICKED, Some(panic)),
        };
        // SAFETY: the caller's.
        let dropped = unsafe { self.conclude(slot) };
        let told = catch_unwind(AssertUnwindSafe(|| self.bell.finish(end)));
        // The first panic goes on. Later ones are leaked: their drop is user code that may panic too.
        for outcome in [panic.map_or(Ok(()), Err), dropped, told] {
            if let Err(panic) = outcome {
                resume_unwind(panic);
            }
        }
        Poll::Ready(())
    }

    /// # Safety
    ///
    /// As `run`.
    unsafe fn poll_future(&self, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.slot.with_mut(|slot| {
            // SAFETY: the caller's: nobody else reaches the slot (I1).
            let Slot::Future(future) = (unsafe { &mut *slot }) else {
                unreachable!("a claim finds the future");
            };
            // SAFETY: the cell stays in its `Arc`, and the future is never moved out of the slot.
            unsafe { Pin::new_unchecked(future) }.poll(cx)
        })
    }

    /// Drops the future, and puts in its place what it left. Returns the panic of its drop.
    ///
    /// # Safety
    ///
    /// As `run`.
    unsafe fn conclude(&self, left: Slot<F>) -> Result<(), Panic> {
        self.slot.with_mut(|slot| {
            // SAFETY: the caller's: nobody else reaches the slot (I1). The future is dropped in place, as its
            // pin demands, once: whether its drop panics or not, the slot is written over.
            let dropped = catch_unwind(AssertUnwindSafe(|| unsafe { ptr::drop_in_place(slot) }));
            // SAFETY: as above.
            unsafe { slot.write(left) };
            dropped
        })
    }

    /// The output.
    ///
    /// # Safety
    ///
    /// The word was seen to have DONE.
    pub(super) unsafe fn output(&self) -> &F::Output {
        self.slot.with(|slot| {
            // SAFETY: the caller's; it is only read from then on (I1).
            match unsafe { &*slot } {
                Slot::Output(output) => output,
                _ => unreachable!("DONE means an output"),
            }
        })
    }

    /// What the future said when it panicked.
    ///
    /// # Safety
    ///
    /// The word was seen to have PANICKED.
    pub(super) unsafe fn last_words(&self) -> &str {
        self.slot.with(|slot| {
            // SAFETY: the caller's; it is only read from then on (I1).
            match unsafe { &*slot } {
                Slot::Panicked(text) => text,
                _ => unreachable!("PANICKED means words"),
            }
        })
    }
}

fn text_of(panic: &Panic) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        String::from(*text)
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        String::from("something that is not text")
    }
}
