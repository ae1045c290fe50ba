//! The future that waits for an event to be set.
//!
//! Its states are the waiter's: Idle looks at the word and lines up, Waiting has nothing to do, Granted
//! found the event set and waits for budget, Dismissed was let go, Done has returned and stays ready.
//! Neither Granted nor Dismissed reserves anything.
//!
//! Obligations of the wait list's contract: (a) the drop of the future takes the waiter out before
//! the waiter inside it is dropped; (b) the waiter is given to `event.line` and nothing else; (c) the
//! future borrows the `Event`, so that cannot move or go while the future can still be polled or
//! dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::state::LineUp;
use super::{Event, state};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::shim::Guess;
use crate::shim::atomic::Ordering;
use crate::wait_list::{Identity, WaitState, Waiter};

/// Waits for an event to be set. See [`Event::wait`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct EventWait<'a> {
    event: &'a Event,
    waiter: Waiter,
}

impl<'a> EventWait<'a> {
    #[inline]
    pub(super) fn new(event: &'a Event) -> Self {
        Self {
            event,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `EventWait` is
        // not `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl Future for EventWait<'_> {
    type Output = ();

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let event = self.event;
        let mut waiter = self.waiter();
        match waiter.state() {
            WaitState::Idle => {
                // ORDERING: Acquire pairs with the Release of `set`.
                let seen = event.word.load(Ordering::Acquire);
                if seen & state::SET == 0
                    && !event.line_up(waiter.as_mut(), state::generation(seen), cx.waker())
                {
                    return event.waiting();
                }
                waiter.as_mut().secure(); // a `clear` takes nothing away any more
            }
            WaitState::Waiting => {
                if waiter.as_mut().is_registered(cx.waker())
                    || event.change_waker(waiter.as_mut(), cx.waker())
                {
                    return event.waiting();
                }
            }
            WaitState::Granted | WaitState::Dismissed => {}
            WaitState::Done => return Poll::Ready(()),
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        waiter.finish();
        Poll::Ready(())
    }
}

impl Drop for EventWait<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.state() == WaitState::Waiting {
            let event = self.event;
            // SAFETY: a future that is dropped is not moved any more.
            event.abandon(unsafe { Pin::new_unchecked(self) }.waiter());
        }
    }
}

impl fmt::Debug for EventWait<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventWait")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl Event {
    /// Puts the waiter at the end of the line; true if the wait, begun in generation `born`, is over
    /// after all.
    #[cold]
    fn line_up(&self, waiter: Pin<&mut Waiter>, born: usize, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        loop {
            let LineUp::Enlist(next) = state::line_up(seen, born) else {
                // ORDERING: Acquire pairs with the Release of the `set` that moved the generation
                // on: the word is at least as new as the one that told. A load and not a fence,
                // because ThreadSanitizer does not see fences.
                let _ = self.word.load(Ordering::Acquire);
                drop(line); // before the waker is dropped
                return true;
            };
            if planted!("event.line_up_without_recheck") {
                self.word.fetch_or(state::WAITERS, Ordering::AcqRel);
                break;
            }
            // ORDERING: AcqRel keeps the chain of publications in the word whole. Failure is Relaxed
            // because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(actual) => seen = actual,
            }
        }
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { line.waiters.enlist(waiter, born, identity, Some(waker)) };
        line.peak = line.peak.max(line.waiters.len());
        false
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

    fn waiting(&self) -> Poll<()> {
        notes::waiting_on(WaitKind::Event, self, &self.name, Wants::Set);
        Poll::Pending
    }

    /// Ends a wait that nobody wants any more.
    #[cold]
    fn abandon(&self, waiter: Pin<&mut Waiter>) {
        let left = {
            let mut line = self.line.lock();
            let left = line.waiters.leave(waiter);
            self.close_empty_line(&line);
            left
        };
        drop(left); // a waker, outside the lock
    }
}
