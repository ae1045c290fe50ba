//! How a future looks for the value, gets in line, and leaves it.
//!
//! The invariants, and the proof that nobody waits for nothing, are in the module above; the obligations
//! towards the wait list are in `init.rs`.

use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Waker};

use super::state::Claim;
use super::{OnceCell, reentry, state};
use crate::current::{self, WaitKind};
use crate::planted;
use crate::shim::Guess;
use crate::shim::atomic::Ordering;
use crate::wait_list::{Identity, Left, WaitState, Waiter};

/// Who makes the value.
#[must_use]
pub(super) enum Found {
    /// Nobody: it is there.
    Value,
    /// The caller.
    Turn,
    /// Somebody else: wait.
    Busy,
}

impl<T> OnceCell<T> {
    pub(super) fn address(&self) -> usize {
        core::ptr::from_ref(self).addr()
    }

    /// Looks for the value, or for the right to make it, or lines up.
    #[inline]
    pub(super) fn find(
        &self,
        mut waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
        caller: &'static Location<'static>,
    ) -> Found {
        if self.get().is_some() {
            self.settle(waiter);
            return Found::Value;
        }
        loop {
            match self.claim() {
                Claim::Set => {
                    self.settle(waiter);
                    return Found::Value;
                }
                Claim::Yours(_) => return Found::Turn,
                Claim::Busy => {}
            }
            if self.wait_on(waiter.as_mut(), cx.waker(), caller) {
                current::waiting_on(WaitKind::OnceCell, self);
                return Found::Busy;
            }
        }
    }

    /// Waits for the end of somebody else's turn; false if there is something to be seen first.
    #[cold]
    fn wait_on(
        &self,
        mut waiter: Pin<&mut Waiter>,
        waker: &Waker,
        caller: &'static Location<'static>,
    ) -> bool {
        if reentry::is_inside(self.address(), waker) {
            panic!(
                "the initialiser of a OnceCell waits for its own cell, at {caller}, and would never \
                 end: take what it needs from somewhere else"
            );
        }
        match waiter.state() {
            WaitState::Idle => self.line_up(waiter, waker),
            WaitState::Waiting => {
                waiter.as_mut().is_registered(waker) || self.change_waker(waiter, waker)
            }
            // Told to try, and somebody else was faster: to the end of the line.
            WaitState::Granted => {
                waiter.set(Waiter::new());
                self.line_up(waiter, waker)
            }
            // The value is there by now.
            WaitState::Dismissed | WaitState::Done => false,
        }
    }

    /// Puts the waiter at the end of the line; false if nobody is at work any more.
    fn line_up(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        // The lock is let go before a waker that was not needed is dropped.
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        loop {
            if planted!("once_cell.line_up_without_recheck") {
                self.word.fetch_or(state::WAITERS, Ordering::AcqRel);
                break;
            }
            let Some(next) = state::line_up(seen) else {
                return false;
            };
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
        // SAFETY: (a), (b) and (c) as the head of `init.rs` says.
        unsafe { line.waiters.enlist(waiter, 0, identity, Some(waker)) };
        line.peak = line.peak.max(line.waiters.len());
        true
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

    /// The wait is over, told or not.
    #[inline]
    pub(super) fn settle(&self, mut waiter: Pin<&mut Waiter>) {
        if waiter.state() == WaitState::Waiting {
            drop(self.leave(waiter.as_mut())); // a waker, outside the lock
        }
        waiter.finish();
    }

    #[cold]
    fn leave(&self, waiter: Pin<&mut Waiter>) -> Left {
        let mut line = self.line.lock();
        let left = line.waiters.leave(waiter);
        self.close_empty_line(&line);
        left
    }

    /// Ends a wait that nobody wants any more (I5 of the cell).
    #[cold]
    pub(super) fn abandon(&self, mut waiter: Pin<&mut Waiter>) {
        let left = self.leave(waiter.as_mut());
        if waiter.state() == WaitState::Granted && !planted!("once_cell.cancel_swallows_turn") {
            self.tell_next();
        }
        drop(left); // a waker
    }
}
