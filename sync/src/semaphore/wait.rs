//! One wait for permits: its place in line, and what a poll and a drop do.
//!
//! ```text
//!            poll: take                     poll: claim
//!   Idle ──────────────────────────────────────────────────────────► Done
//!    │ │                                         │
//!    │ └─ budget spent ──────────────► Waiting (in `called`) ─ drop: give back ─► Done
//!    │ line_up                          ▲      │
//!    │                       serve_some │      │ overtake: another future of the task has taken them
//!    └──────────────────────────────► Waiting (in `waiters`) ─ drop: leave ─► Done
//!                                       └─ close ─► Dismissed ─ poll: Closed ─► Done
//! ```
//!
//! Granted is where the permits are between the lock and the return of the poll, while wakers run that
//! may panic; if one does, the drop gives them back.
//!
//! Obligations of the wait list's contract: (a) `abandon` runs in the drop of both futures, before
//! the waiter inside them is dropped; (b) the waiter is given to the two lists of `semaphore.line` and
//! nothing else;
//! (c) the future borrows or owns the semaphore, so the semaphore cannot move or go while the future
//! can still be polled or dropped.

use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::line::{KIN_DEPTH, Line};
use super::state::{LineUp, Take};
use super::{Semaphore, state};
use crate::budget;
use crate::current::{self, WaitKind};
use crate::error::Closed;
use crate::notes::{self, Wants};
use crate::planted;
use crate::shim::atomic::Ordering;
use crate::shim::{Guess, MutexGuard};
use crate::wait_list::{Identity, WaitState, Waiter};
use crate::wake_batch::{Progress, wake_in_batches};

#[cold]
pub(super) fn completed() -> ! {
    panic!("a future of a Semaphore was polled again after it had completed: await it once");
}

/// What a look at the line came to.
#[must_use]
enum Look {
    /// The permits are the waiter's, which is Granted.
    Taken,
    /// It waits, and is going to be woken.
    Wait,
    /// The same, but the caller has to come back by itself.
    ComeBack,
    /// The wait has ended some other way: look at the state.
    Again,
    /// The semaphore is closed.
    Closed,
}

impl Semaphore {
    /// Polls for `count` permits. After `Ready(Ok)` the caller owns them.
    #[inline]
    pub(super) fn poll_take(
        &self,
        waiter: Pin<&mut Waiter>,
        count: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        if waiter.state() == WaitState::Idle && self.take(count).is_ok() {
            if !current::spend() {
                return self.postpone(waiter, count, cx);
            }
            waiter.finish();
            return Poll::Ready(Ok(()));
        }
        self.poll_slow(waiter, count, cx)
    }

    /// Keeps permits that were taken for the next poll, as those of a called waiter: another future of
    /// this task may need them, if the task polls only that one from now on.
    #[cold]
    fn postpone(
        &self,
        waiter: Pin<&mut Waiter>,
        count: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        let identity = Identity::of(cx.waker());
        let mut line = self.line.lock();
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { line.called.enlist(waiter, count, identity, None) };
        drop(line);
        self.pend(count, cx, true)
    }

    fn pend(
        &self,
        count: usize,
        cx: &mut Context<'_>,
        come_back: bool,
    ) -> Poll<Result<(), Closed>> {
        notes::waiting_on(WaitKind::Semaphore, self, &self.name, Wants::Permits(count));
        if come_back {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    #[cold]
    fn poll_slow(
        &self,
        mut waiter: Pin<&mut Waiter>,
        count: usize,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Closed>> {
        loop {
            let look = match waiter.state() {
                WaitState::Idle => self.line_up(waiter.as_mut(), count, cx.waker()),
                WaitState::Waiting => self.look(waiter.as_mut(), count, cx.waker()),
                // A waker has panicked as the permits came.
                WaitState::Granted => Look::Taken,
                WaitState::Dismissed => Look::Closed,
                WaitState::Done => completed(),
            };
            match look {
                Look::Taken => {
                    waiter.finish();
                    return Poll::Ready(Ok(()));
                }
                Look::Closed => {
                    if budget::poll_spend(cx).is_pending() {
                        return Poll::Pending;
                    }
                    waiter.finish();
                    return Poll::Ready(Err(Closed));
                }
                Look::Wait => return self.pend(count, cx, false),
                Look::ComeBack => return self.pend(count, cx, true),
                Look::Again => {}
            }
        }
    }

    /// Takes the permits after all, or puts the waiter at the end of the line.
    fn line_up(&self, mut waiter: Pin<&mut Waiter>, count: usize, waker: &Waker) -> Look {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        let mut come_back;
        let mut seen = self.word.guess();
        loop {
            let (next, taken) = match state::line_up(seen, count) {
                LineUp::Settled(Take::Taken(next)) => (next, true),
                LineUp::Settled(_) => return Look::Closed,
                LineUp::Enlist(next) => (next, false),
            };
            let overtakes = !taken && Self::may_overtake(&line, &identity, count);
            if overtakes && current::spend() {
                return self.overtake(line, waiter, count, identity, waker);
            }
            come_back = overtakes;
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
                Ok(_) if taken && current::spend() => {
                    waiter.as_mut().secure(); // before the waker goes: its drop may panic
                    drop(line);
                    return Look::Taken;
                }
                Ok(_) if taken => {
                    // The budget is spent: as in `postpone`.
                    // SAFETY: (a), (b) and (c) as the head of this file says.
                    unsafe { line.called.enlist(waiter, count, identity, None) };
                    return Look::ComeBack;
                }
                Ok(_) => break,
                Err(actual) => seen = actual,
            }
        }
        line.heed(&waker);
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { line.waiters.enlist(waiter, count, identity, Some(waker)) };
        line.peak = line.peak.max(line.waiters.len());
        if come_back {
            Look::ComeBack
        } else {
            Look::Wait
        }
    }

    /// A poll of a waiter in line: it takes its permits if it has been called, or another of its task has.
    fn look(&self, mut waiter: Pin<&mut Waiter>, count: usize, waker: &Waker) -> Look {
        let identity = Identity::of(waker);
        let mut spare = None;
        loop {
            let mut line = self.line.lock();
            if line.called.holds(waiter.as_mut()) {
                if !current::spend() {
                    return Look::ComeBack; // being called keeps the permits
                }
                let none = line.called.claim(waiter);
                drop(line);
                drop((none, spare));
                return Look::Taken;
            }
            if waiter.state() != WaitState::Waiting {
                return Look::Again;
            }
            let overtakes = Self::may_overtake(&line, &identity, count);
            if !overtakes && line.waiters.has_waker(waiter.as_mut(), waker, &identity) {
                return Look::Wait;
            }
            let Some(new) = spare.take() else {
                drop(line);
                spare = Some(waker.clone()); // outside the lock
                continue;
            };
            if overtakes {
                if !current::spend() {
                    drop(line); // before the waker is dropped
                    return Look::ComeBack;
                }
                return self.overtake(line, waiter, count, identity, new);
            }
            line.heed(&new);
            let old = line.waiters.set_waker(waiter, identity, new);
            drop(line);
            drop(old);
            return Look::Wait;
        }
    }

    /// Whether a future of this task has been called for at least as many permits.
    #[inline]
    fn may_overtake(line: &Line, identity: &Identity, count: usize) -> bool {
        !line.called.is_empty()
            && line.called.has_kin(identity, count, KIN_DEPTH)
            && !planted!("semaphore.called_keeps_its_turn")
    }

    /// Takes the permits of a waiter of this task that has been called and was not polled. It goes to
    /// where this one waited, or to the end of the line.
    #[cold]
    fn overtake(
        &self,
        mut line: MutexGuard<'_, Line>,
        mut waiter: Pin<&mut Waiter>,
        count: usize,
        identity: Identity,
        waker: Waker,
    ) -> Look {
        let is_in_line = waiter.state() == WaitState::Waiting;
        line.heed(&waker); // the one that steps back waits on with it
        let (mut line, mut waker, mut old) = (Some(line), Some(waker), None);
        wake_in_batches(|batch| {
            let Some(mut line) = line.take() else {
                return self.serve_some(&mut self.line.lock(), 0, batch);
            };
            let Line {
                waiters, called, ..
            } = &mut *line;
            let place = is_in_line.then_some(waiter.as_mut());
            let reserved = called.step_back(identity, count, KIN_DEPTH, waiters, place, &mut waker);
            if is_in_line {
                old = waiters.claim(waiter.as_mut());
            } else {
                waiter.as_mut().secure();
            }
            // ORDERING: AcqRel keeps the chain from `put` to `take` whole.
            self.word.fetch_or(state::WAITERS, Ordering::AcqRel); // I1
            line.peak = line.peak.max(line.waiters.len());
            let rest = match reserved {
                Some(reserved) if !planted!("semaphore.overtaker_keeps_the_rest") => {
                    reserved - count
                }
                _ => 0,
            };
            self.serve_some(&mut line, rest, batch)
        });
        drop(old);
        Look::Taken
    }

    /// Ends a wait that nobody wants any more.
    #[inline]
    pub(super) fn abandon(&self, waiter: Pin<&mut Waiter>, count: usize) {
        match waiter.state() {
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => {}
            WaitState::Waiting => self.leave(waiter, count),
            WaitState::Granted => self.put(count),
        }
    }

    /// Leaves the line, or gives back what it was called for.
    #[cold]
    fn leave(&self, mut waiter: Pin<&mut Waiter>, count: usize) {
        let mut left = None;
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            if left.is_some() {
                return self.serve_some(&mut line, 0, batch);
            }
            if line.called.holds(waiter.as_mut()) {
                left = Some(line.called.leave(waiter.as_mut()));
                if planted!("semaphore.cancel_swallows_grant") {
                    return Progress::Finished;
                }
                return self.serve_some(&mut line, count, batch);
            }
            left = Some(line.waiters.leave(waiter.as_mut()));
            if planted!("semaphore.leave_without_serving") {
                return Progress::Finished;
            }
            // Those behind may ask for less than was asked for here (I4).
            self.serve_some(&mut line, 0, batch)
        });
    }
}
