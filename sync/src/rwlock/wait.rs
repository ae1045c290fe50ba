//! One wait for the lock: its place in line, and what a poll and a drop do.
//!
//! ```text
//!            poll: taken                         poll: room, budget
//!   Idle ───────────────────────────────────────────────────────► Done
//!    │ ▲                                   called │
//!    │ │ renew                 ┌──────────────────┘
//!    │ └────── Dismissed ◄── Waiting (in `called`)
//!    │          overtaken      ▲ call_some
//!    └─────► Waiting (in `waiting`) ── drop: leave ──► Done
//!   line_up
//! ```
//!
//! A waiter is never given the lock behind its back: it is called, and takes the lock when it is
//! polled. So a called one that is dropped, or is never polled, has nothing to give back.
//!
//! Obligations of the wait list's contract: (a) `abandon` runs in the drop of every future that
//! holds a `Wait`, before the waiter in it is dropped; (b) the waiter is given to the two lists of
//! one `Raw` and no other; (c) the future borrows or owns the lock, so the lock cannot move or go
//! while the future can still be polled or dropped.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::line::{self, Line, Raw};
use super::state::{self, Kind, Take, WAITERS};
use crate::current::{self, WaitKind};
use crate::notes::{self, Wants};
use crate::planted;
use crate::shim::atomic::Ordering;
use crate::shim::{Guess, MutexGuard};
use crate::wait_list::{Identity, Left, WaitState, Waiter};
use crate::wake_batch::{Progress, WakeBatch, wake_in_batches};

/// What a future for the lock is made of, besides the lock.
pub(super) struct Wait {
    kind: Kind,
    /// The call of another future of this task that this one has let pass once.
    patience: usize,
    waiter: Waiter,
}

/// What a look at the line from its inside came to.
#[must_use]
enum Look {
    /// The lock is the caller's.
    Taken,
    /// It has to wait, and is going to be woken.
    Wait,
    /// The same, but the caller has to come back by itself.
    ComeBack,
    /// The wait has ended some other way: look at the state.
    Again,
}

/// A share on its way to the future. It goes back if a waker panics meanwhile.
struct Claim<'a> {
    raw: &'a Raw,
    kind: Kind,
    is_taken: bool,
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        if self.is_taken {
            self.raw.put(self.kind);
        }
    }
}

impl Wait {
    #[inline]
    pub(super) fn new(kind: Kind) -> Self {
        Self {
            kind,
            patience: 0,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn project(self: Pin<&mut Self>) -> (Kind, &mut usize, Pin<&mut Waiter>) {
        // SAFETY: the waiter is pinned with what holds it: it is never moved out, and `Wait` is not
        // `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        // Nothing depends on where the other fields are.
        unsafe {
            let this = self.get_unchecked_mut();
            (
                this.kind,
                &mut this.patience,
                Pin::new_unchecked(&mut this.waiter),
            )
        }
    }

    /// Polls for the lock. After `Ready` the caller holds it.
    #[inline]
    pub(super) fn poll_take(self: Pin<&mut Self>, raw: &Raw, cx: &mut Context<'_>) -> Poll<()> {
        let (kind, patience, waiter) = self.project();
        if waiter.state() == WaitState::Idle && raw.take(kind) {
            return raw.complete(waiter, kind, cx);
        }
        raw.poll_slow(waiter, kind, patience, cx)
    }

    /// Ends a wait that nobody wants any more.
    #[inline]
    pub(super) fn abandon(self: Pin<&mut Self>, raw: &Raw) {
        let (_, _, waiter) = self.project();
        match waiter.state() {
            WaitState::Waiting => raw.leave(waiter),
            WaitState::Idle | WaitState::Granted | WaitState::Dismissed | WaitState::Done => {}
        }
    }
}

impl fmt::Debug for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.waiter.state(), f)
    }
}

impl Raw {
    /// Returns the lock that was taken without waiting, unless this poll has done enough already.
    #[inline]
    fn complete(&self, waiter: Pin<&mut Waiter>, kind: Kind, cx: &mut Context<'_>) -> Poll<()> {
        let is_paid = match kind {
            Kind::Read => current::spend(),
            Kind::Write => current::spend_as()
                .inspect(|task| self.own(*task))
                .is_some(),
        };
        if !is_paid {
            return self.postpone(waiter, kind, cx);
        }
        waiter.finish();
        Poll::Ready(())
    }

    /// Puts the lock back and takes the next place in line for it. Kept, it would stop another
    /// future of this task for ever, if the task polls only that one from now on.
    #[cold]
    fn postpone(&self, waiter: Pin<&mut Waiter>, kind: Kind, cx: &mut Context<'_>) -> Poll<()> {
        let mut claim = Claim {
            raw: self,
            kind,
            is_taken: true,
        };
        let (waker, identity) = (cx.waker().clone(), Identity::of(cx.waker()));
        let mut place = Some((waiter, waker));
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            if let Some((waiter, waker)) = place.take() {
                // ORDERING: AcqRel keeps the chain from `put` to the next taker whole. It comes before
                // the share goes back, so that nobody takes the lock past the line (I2).
                self.word.fetch_or(WAITERS, Ordering::AcqRel);
                // SAFETY: (a), (b) and (c) as the head of this file says.
                unsafe {
                    line.waiting
                        .enlist(waiter, line::payload(kind), identity, Some(waker));
                }
                line.peak = line.peak.max(line.len());
                // ORDERING: Release as in `put`; the line is called below.
                self.word.fetch_sub(kind.share(), Ordering::Release);
                claim.is_taken = false;
            }
            if planted!("rwlock.postpone_without_calling") {
                return Progress::Finished;
            }
            self.call_some(&mut line, batch)
        });
        self.pend(cx, false) // it has been called, or is going to be
    }

    #[inline]
    fn pend(&self, cx: &Context<'_>, come_back: bool) -> Poll<()> {
        notes::waiting_on(WaitKind::RwLock, self, &self.name, Wants::It);
        if come_back {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    #[cold]
    fn poll_slow(
        &self,
        mut waiter: Pin<&mut Waiter>,
        kind: Kind,
        patience: &mut usize,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut claim = Claim {
            raw: self,
            kind,
            is_taken: false,
        };
        loop {
            let look = match waiter.state() {
                WaitState::Idle => {
                    match self.line_up(waiter.as_mut(), &mut claim, patience, cx.waker()) {
                        Look::Taken => {
                            claim.is_taken = false;
                            return self.complete(waiter, kind, cx);
                        }
                        look => look,
                    }
                }
                WaitState::Waiting => self.look(waiter.as_mut(), &mut claim, patience, cx.waker()),
                WaitState::Dismissed => {
                    waiter.as_mut().renew();
                    Look::Again
                }
                WaitState::Granted | WaitState::Done => completed(),
            };
            match look {
                Look::Again => {}
                Look::Taken => {
                    claim.is_taken = false;
                    return Poll::Ready(());
                }
                Look::Wait => return self.pend(cx, false),
                Look::ComeBack => return self.pend(cx, true),
            }
        }
    }

    /// Takes the lock after all, or puts the waiter at the end of the line.
    fn line_up(
        &self,
        waiter: Pin<&mut Waiter>,
        claim: &mut Claim<'_>,
        patience: &mut usize,
        waker: &Waker,
    ) -> Look {
        let kind = claim.kind;
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        while seen & WAITERS == 0 {
            let (next, taken) = match state::take(seen, kind) {
                Take::Taken(next) => (next, true),
                Take::Busy => (seen | WAITERS, false),
                Take::Full => line::too_many_readers(),
            };
            if !taken && planted!("rwlock.line_up_without_recheck") {
                self.word.fetch_or(WAITERS, Ordering::AcqRel);
                break;
            }
            // ORDERING: AcqRel. Acquire as in `take`; Release keeps the chain from `put` to the next
            // `take` whole. Failure is Relaxed because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) if taken => {
                    claim.is_taken = true;
                    return Look::Taken;
                }
                Ok(_) => break,
                Err(actual) => seen = actual,
            }
        }
        // A reader joins the readers whose turn it is, if nobody waits behind them.
        if seen & WAITERS != 0
            && line.waiting.is_empty()
            && state::may_call(self.word_in_line(), line.called_kind(), kind)
        {
            line::assert_countable(self.word_in_line(), kind);
            self.take_in_line(&line, kind);
            claim.is_taken = true;
            return Look::Taken;
        }
        let look = self.consider(&line, &identity, patience);
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe {
            line.waiting
                .enlist(waiter, line::payload(kind), identity, Some(waker));
        }
        line.peak = line.peak.max(line.len());
        self.say_who_writes(&line);
        look
    }

    /// Whether another future of this task has been called. Then this one comes back once more, so
    /// that the other one is polled first if the task polls it at all.
    fn consider(&self, line: &Line, identity: &Identity, patience: &mut usize) -> Look {
        match line.called.payload_of(identity) {
            Some(call) if !planted!("rwlock.called_keeps_its_turn") => {
                *patience = call;
                Look::ComeBack
            }
            _ => Look::Wait,
        }
    }

    /// A poll of a waiter in line.
    fn look(
        &self,
        mut waiter: Pin<&mut Waiter>,
        claim: &mut Claim<'_>,
        patience: &mut usize,
        waker: &Waker,
    ) -> Look {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let line = self.line.lock();
        if waiter.state() != WaitState::Waiting {
            return Look::Again;
        }
        if line.called.holds(waiter.as_mut()) {
            return self.come(line, waiter, claim);
        }
        match line.called.payload_of(&identity) {
            Some(call) if call == *patience => self.overtake(line, waiter, claim, identity, waker),
            _ => {
                let mut line = line;
                let look = self.consider(&line, &identity, patience);
                let old = line.waiting.set_waker(waiter, identity, waker);
                drop(line);
                drop(old);
                look
            }
        }
    }

    /// A called waiter comes for the lock. There is room for it (I5).
    fn come(
        &self,
        mut line: MutexGuard<'_, Line>,
        waiter: Pin<&mut Waiter>,
        claim: &mut Claim<'_>,
    ) -> Look {
        let kind = claim.kind;
        line::assert_countable(self.word_in_line(), kind);
        if !current::spend() {
            return Look::ComeBack; // being called keeps the place
        }
        let left = line.called.leave(waiter);
        self.take_in_line(&line, kind);
        claim.is_taken = true;
        drop(line);
        drop(left);
        Look::Taken
    }

    /// The called future of this task was not polled when its turn had come: it loses the turn, and
    /// this one has it if it may.
    fn overtake(
        &self,
        line: MutexGuard<'_, Line>,
        mut waiter: Pin<&mut Waiter>,
        claim: &mut Claim<'_>,
        identity: Identity,
        waker: Waker,
    ) -> Look {
        let kind = claim.kind;
        let mut first = Some((line, waker));
        let mut look = Look::Wait;
        let mut unused = (None, None);
        wake_in_batches(|batch| {
            let Some((mut line, waker)) = first.take() else {
                return self.call_some(&mut self.line.lock(), batch);
            };
            unused.0 = line.called.dismiss_of(&identity);
            let word = self.word_in_line();
            line::assert_countable(word, kind);
            if state::may_call(word, line.called_kind(), kind) && current::spend() {
                unused.1 = match line.waiting.leave(waiter.as_mut()) {
                    Left::Waiting(old) => old,
                    Left::Gone => None,
                };
                self.take_in_line(&line, kind);
                claim.is_taken = true;
                look = Look::Taken;
            } else {
                unused.1 = line.waiting.set_waker(waiter.as_mut(), identity, waker);
            }
            self.call_some(&mut line, batch)
        });
        drop(unused);
        look
    }

    /// A waiter leaves the line, and those behind it come forward.
    #[cold]
    fn leave(&self, mut waiter: Pin<&mut Waiter>) {
        let mut left = None;
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            if left.is_none() {
                left = Some(if line.called.holds(waiter.as_mut()) {
                    line.called.leave(waiter.as_mut())
                } else {
                    line.waiting.leave(waiter.as_mut())
                });
            }
            self.after_leaving(&mut line, batch)
        });
    }

    fn after_leaving(&self, line: &mut Line, batch: &mut WakeBatch) -> Progress {
        if planted!("rwlock.leave_without_calling") && !line.is_empty() {
            return Progress::Finished;
        }
        self.call_some(line, batch)
    }
}

#[cold]
pub(super) fn completed() -> ! {
    panic!("a future of an RwLock was polled again after it had completed: await it once");
}
