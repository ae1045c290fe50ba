//! The futures that wait for permits.
//!
//! Both hold a waiter and share one way to poll and one way to end. The states are the waiter's:
//! Idle tries the fast path and lines up, Waiting has nothing to do, Granted holds permits that the
//! drop gives back, Dismissed means closed.
//!
//! Obligations of the wait list's contract: (a) `abandon` runs in the drop of both futures, before
//! the waiter inside them is dropped; (b) the waiter is given to `semaphore.line` and nothing else;
//! (c) the future borrows or owns the semaphore, so the semaphore cannot move or go while the future
//! can still be polled or dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use super::permit::{OwnedPermit, Permit};
use super::state::{LineUp, Take};
use super::{Semaphore, state};
use crate::budget;
use crate::current::{self, WaitKind};
use crate::error::Closed;
use crate::planted;
use crate::shim::Guess;
use crate::shim::atomic::Ordering;
use crate::wait_list::{Identity, Left, WaitState, Waiter};
use crate::wake_batch::{Progress, wake_in_batches};

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

#[cold]
fn completed() -> ! {
    panic!("a semaphore future was polled again after it had completed: await it once");
}

impl Semaphore {
    /// Polls for `count` permits. After `Ready(Ok)` the caller owns them.
    #[inline]
    fn poll_take(
        &self,
        mut waiter: Pin<&mut Waiter>,
        count: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if waiter.state() == WaitState::Idle && self.take(count).is_ok() {
            waiter.as_mut().secure();
            return Self::complete(waiter, Ok(()), cx);
        }
        self.poll_slow(waiter, count, cx)
    }

    /// Ends a wait whose outcome is in the waiter, unless this poll has done enough already.
    #[inline]
    fn complete(
        waiter: Pin<&mut Waiter>,
        outcome: Result<(), Closed>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        waiter.finish();
        Poll::Ready(outcome)
    }

    #[cold]
    fn poll_slow(
        &self,
        mut waiter: Pin<&mut Waiter>,
        count: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        loop {
            match waiter.state() {
                WaitState::Idle => match self.line_up(waiter.as_mut(), count, cx.waker()) {
                    Take::Taken(_) => {} // Granted by now
                    Take::Closed => return Self::complete(waiter, Err(Closed), cx),
                    Take::Short => break,
                },
                WaitState::Waiting => {
                    if waiter.as_mut().is_registered(cx.waker())
                        || self.change_waker(waiter.as_mut(), cx.waker())
                    {
                        break;
                    }
                }
                WaitState::Granted => return Self::complete(waiter, Ok(()), cx),
                WaitState::Dismissed => return Self::complete(waiter, Err(Closed), cx),
                WaitState::Done => completed(),
            }
        }
        current::waiting_on(WaitKind::Semaphore, self);
        Poll::Pending
    }

    /// Takes the permits for the waiter after all, or puts it at the end of the line (`Short`).
    fn line_up(&self, waiter: Pin<&mut Waiter>, count: usize, waker: &Waker) -> Take {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        loop {
            let (next, taken) = match state::line_up(seen, count) {
                LineUp::Settled(Take::Taken(next)) => (next, true),
                LineUp::Settled(refused) => return refused,
                LineUp::Enlist(next) => (next, false),
            };
            if next == seen {
                break; // WAITERS is set, and nobody else can clear it now (I1)
            }
            if planted!("semaphore.line_up_without_recheck") {
                self.word.fetch_or(state::WAITERS, Ordering::AcqRel);
                break;
            }
            // ORDERING: AcqRel. Acquire as in `take`; Release keeps the chain from `put` to the
            // next `take` whole. Failure is Relaxed because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) if taken => {
                    drop(line);
                    waiter.secure(); // before the waker goes, whose drop may panic
                    return Take::Taken(next);
                }
                Ok(_) => break,
                Err(actual) => seen = actual,
            }
        }
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { line.waiters.enlist(waiter, count, identity, Some(waker)) };
        line.peak = line.peak.max(line.waiters.len());
        Take::Short
    }

    /// Waits on with another waker; false if the wait is over.
    fn change_waker(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let old = self
            .line
            .lock()
            .waiters
            .set_waker(waiter.as_mut(), identity, waker);
        drop(old); // outside the lock
        waiter.state() == WaitState::Waiting
    }

    /// Ends a wait that nobody wants any more.
    #[inline]
    fn abandon(&self, waiter: Pin<&mut Waiter>, count: usize) {
        match waiter.state() {
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => {}
            WaitState::Waiting | WaitState::Granted => self.abandon_slow(waiter, count),
        }
    }

    #[cold]
    fn abandon_slow(&self, mut waiter: Pin<&mut Waiter>, count: usize) {
        let mut left = None;
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            match left.get_or_insert_with(|| line.waiters.leave(waiter.as_mut())) {
                // Those behind may ask for less than was asked for here (I4).
                Left::Waiting(_) if !planted!("semaphore.leave_without_serving") => {
                    self.serve_some(&mut line, 0, batch)
                }
                _ => Progress::Finished,
            }
        });
        if waiter.state() == WaitState::Granted && !planted!("semaphore.cancel_swallows_grant") {
            self.put(count);
        }
    }
}
