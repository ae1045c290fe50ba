//! The futures that wait for permits.
//!
//! Both hold a waiter and share one way to poll and one way to end, which are in `wait.rs` with the
//! states of the waiter and the obligations of the wait list's contract. The part of these futures:
//! (a) `abandon` runs in the drop of both, before the waiter inside them is dropped; (c) they borrow or
//! own the semaphore.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::Semaphore;
use super::permit::{OwnedPermit, Permit};
use super::wait::completed;
use crate::error::Closed;
use crate::wait_list::Waiter;

/// Waits for permits of a borrowed semaphore. See [`Semaphore::acquire`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Acquire<'a> {
    semaphore: &'a Semaphore,
    count: usize,
    waiter: Waiter,
}

/// Waits for permits of a shared semaphore. See [`Semaphore::acquire_owned`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct AcquireOwned {
    /// `None` when it has moved into the permit.
    semaphore: Option<Arc<Semaphore>>,
    count: usize,
    waiter: Waiter,
}

impl<'a> Acquire<'a> {
    #[inline]
    pub(super) fn new(semaphore: &'a Semaphore, count: usize) -> Self {
        Self {
            semaphore,
            count,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Acquire` is
        // not `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<'a> Future for Acquire<'a> {
    type Output = Result<Permit<'a>, Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (semaphore, count) = (self.semaphore, self.count);
        match semaphore.poll_take(self.waiter(), count, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) => Poll::Ready(Ok(Permit::new(semaphore, count))),
            Poll::Ready(Err(closed)) => Poll::Ready(Err(closed)),
        }
    }
}

impl Drop for Acquire<'_> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        let this = unsafe { Pin::new_unchecked(self) };
        let (semaphore, count) = (this.semaphore, this.count);
        semaphore.abandon(this.waiter(), count);
    }
}

impl fmt::Debug for Acquire<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("Acquire", self.count, &self.waiter, f)
    }
}

impl AcquireOwned {
    #[inline]
    pub(super) fn new(semaphore: Arc<Semaphore>, count: usize) -> Self {
        Self {
            semaphore: Some(semaphore),
            count,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn project(self: Pin<&mut Self>) -> (&mut Option<Arc<Semaphore>>, Pin<&mut Waiter>) {
        // SAFETY: as in `Acquire::waiter` for the waiter; the `Arc` beside it is not pinned, and
        // nothing depends on where it is.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.semaphore, Pin::new_unchecked(&mut this.waiter))
        }
    }
}

impl Future for AcquireOwned {
    type Output = Result<OwnedPermit, Closed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let count = self.count;
        let (place, waiter) = self.project();
        let Some(semaphore) = place else { completed() };
        match semaphore.poll_take(waiter, count, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(closed)) => Poll::Ready(Err(closed)),
            Poll::Ready(Ok(())) => match place.take() {
                Some(semaphore) => Poll::Ready(Ok(OwnedPermit::new(semaphore, count))),
                None => completed(),
            },
        }
    }
}

impl Drop for AcquireOwned {
    #[inline]
    fn drop(&mut self) {
        let count = self.count;
        // SAFETY: a future that is dropped is not moved any more.
        let (semaphore, waiter) = unsafe { Pin::new_unchecked(self) }.project();
        if let Some(semaphore) = semaphore {
            semaphore.abandon(waiter, count);
        }
    }
}

impl fmt::Debug for AcquireOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("AcquireOwned", self.count, &self.waiter, f)
    }
}

fn describe(what: &str, count: usize, waiter: &Waiter, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.debug_struct(what)
        .field("count", &count)
        .field("state", &waiter.state())
        .finish_non_exhaustive()
}
