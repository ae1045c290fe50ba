//! The word that says what may be done with a task, and by whom.
//!
//! ```text
//!                          wake                        begin_poll
//!            ┌──► Idle ───────────► Scheduled ───────────────────► Running ──finish──► Complete
//!  spawn ────┼──────────────────────────▲                          │ │ │                  ▲
//!            │                          └──── end_poll (woken) ────┘ │ │ end_poll,        │
//!            └──────────────────────────── end_poll (quiet) ─────────┘ │ cancel requested │
//!                                                                      ▼                  │
//!                                                                   Cleaning ───finish────┘
//!                                                                      │ ▲
//!                                                     clean-ups left   ▼ │ begin_poll
//!                                                                   Idle or Scheduled + CLEANING
//! ```
//!
//! | from | event | to | the caller then |
//! |---|---|---|---|
//! | Idle | [`State::wake`] | Scheduled | submits the task to its scheduler |
//! | Scheduled | [`State::wake`] | Scheduled | nothing |
//! | Running | [`State::wake`] | Running + SCHEDULED | nothing; `end_poll` requeues |
//! | Idle | [`State::cancel`] | Scheduled + CANCEL | submits the task |
//! | Scheduled, Running | [`State::cancel`] | the same + CANCEL | nothing |
//! | Scheduled | [`State::begin_poll`] | Running | polls |
//! | Scheduled + CANCEL + FRESH | [`State::begin_poll`] | Cleaning | drops the future unpolled |
//! | Running | [`State::end_poll`] | Idle | lets go |
//! | Running + SCHEDULED | [`State::end_poll`] | Scheduled | queues the task again |
//! | Running + CANCEL, nothing shielded | [`State::end_poll`] | Cleaning | drops the future |
//! | Running | [`State::begin_clean_up`] | Cleaning | polls the clean-ups that the future left |
//! | Cleaning | [`State::end_clean_up`] | Idle + CLEANING | lets go |
//! | Cleaning + SCHEDULED | [`State::end_clean_up`] | Scheduled + CLEANING | queues the task again |
//! | Idle + CLEANING | [`State::wake`] | Scheduled + CLEANING | submits the task to its scheduler |
//! | Scheduled + CLEANING | [`State::begin_poll`] | Cleaning | polls the clean-ups |
//! | Running, Cleaning | [`State::finish`] | Complete | wakes the joiner, or owns the output |
//! | Complete | wake, cancel | unchanged | nothing |
//! | CLEANING, whatever else | [`State::cancel`] | unchanged | nothing |
//!
//! Readiness beats cancellation: a poll that was begun is ended by `finish` if it is ready, whatever
//! CANCEL says, and a task that has run before is polled once more before it is dropped.
//!
//! Invariants:
//! - S1: SCHEDULED is set by one thread at a time, which then owns the task's place in a queue.
//! - S2: RUNNING is the exclusive right to the future, and with CLEANING to what it left.
//! - S3: COMPLETE is final; RUNNING and COMPLETE are never set together.
//! - S4: JOIN is never set again once it is clear, and JOIN_WAKER only while JOIN is set.
//! - S5: CANCEL is never cleared: cancellation is level-triggered.
//! - S6: the task is freed by whoever takes the count of references to zero.
//! - S8: CLEANING is never cleared. With it and without RUNNING the output is in its place already, and
//!   only clean-ups are left to be polled.
//! - S7: the number of the list is written once, and only by the holder of RUNNING.
//!
//! # Ordering
//!
//! Each transition is one read-modify-write, `AcqRel` (a failed or pure look is `Acquire`): what the
//! last owner of the future wrote is visible to the next one, what a waker wrote before `wake` is
//! visible to the poll that follows, and the output is visible to the join handle that sees COMPLETE.
//! `wake` on a scheduled task still writes the word: were it only a load, the poll that
//! follows would not have to see what the waker wrote.
//!
//! Tests: the table below; `loom-tests/tests/task.rs`.

use core::fmt;

use tenter_sync::planted;
use tenter_sync::shim::Guess;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};

// | 63 … 48 | 47 … 9 | 8      | 7     | 6        | 5      | 4          | 3    | 2        | 1       | 0         |
// | list    | refs   | LEAKED | FRESH | CLEANING | CANCEL | JOIN_WAKER | JOIN | COMPLETE | RUNNING | SCHEDULED |
const SCHEDULED: usize = 1 << 0;
const RUNNING: usize = 1 << 1;
const COMPLETE: usize = 1 << 2;
const JOIN: usize = 1 << 3;
const JOIN_WAKER: usize = 1 << 4;
const CANCEL: usize = 1 << 5;
const CLEANING: usize = 1 << 6;
/// The future has not been polled yet.
const FRESH: usize = 1 << 7;
/// The future stays where it is for ever, and there is no output.
const LEAKED: usize = 1 << 8;
const ONE_REF: usize = 1 << 9;
const FLAGS: usize = ONE_REF - 1;
const REFS: usize = LIST_ONE - ONE_REF;
/// The number of the list that the task is on, counted from one; 0 is none. Written once, by the
/// holder of RUNNING.
const LIST_SHIFT: u32 = usize::BITS - LIST_BITS;
/// As many bits as numbers of workers have; half a word of 32 bits keeps enough for the references.
const LIST_BITS: u32 = if usize::BITS == 64 { 16 } else { 8 };
const LIST_ONE: usize = 1 << LIST_SHIFT;
/// One reference is the scheduler's until the task is complete, the other the join handle's.
const SPAWNED: usize = SCHEDULED | JOIN | FRESH | (2 * ONE_REF);
/// More references than this can only come from leaking wakers without end.
const REFS_MAX: usize = REFS / 2;

/// How many lists the word can tell apart.
pub const LISTS_MAX: usize = (1 << LIST_BITS) - 1;

/// A value of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(usize);

/// What a waker must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterWake {
    /// Submit the task: its place in a queue is the caller's to fill (S1).
    Submit,
    /// Somebody else sees to it, or there is nothing left to do.
    Nothing,
}

/// What a canceller must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterCancel {
    /// This was the first request and the task sleeps: submit it.
    Submit,
    /// This was the first request; whoever has the task will see it.
    Noted,
    /// The task had ended, or was cancelled before.
    TooLate,
}

/// What the thread that takes a task from a queue must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BeginPoll {
    /// Poll the future.
    Poll,
    /// Poll it for the first time.
    PollFirst,
    /// Drop the future: it was cancelled before it ever ran.
    Discard,
    /// The future is gone; poll the clean-ups that it left.
    CleanUp,
}

/// What the thread that ended a poll must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndPoll {
    /// It was woken meanwhile, or has yielded: queue it again.
    Requeue,
    /// It will be woken later: let go of it.
    Release,
    /// It was cancelled and is not ready: drop the future now.
    Discard,
}

/// What the thread that polled the clean-ups must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndCleanUp {
    /// It was woken meanwhile, or has yielded: queue it again.
    Requeue,
    /// It will be woken later: let go of it.
    Release,
}

/// What somebody who ends the runtime gets of a task.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: it has ended, or somebody else sees to it.
    Nothing,
    /// RUNNING and CLEANING, with the future still there.
    Future,
    /// The same; the output is in its place, and clean-ups are left.
    CleanUps,
}

/// What the thread that finished a task must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The join handle sleeps: take its waker and wake it.
    WakeJoiner,
    /// The join handle will look by itself.
    LeaveOutput,
    /// There is no join handle: the output is the caller's.
    DropOutput,
}

/// What a join handle finds when it registers its waker.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Register {
    /// It will be woken.
    Registered,
    /// The task is complete: the waker stays the handle's, and so is the output.
    Complete,
}

/// What a join handle finds when it takes its waker back.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unregister {
    /// The waker's place is the handle's again.
    Owned,
    /// The task is complete: the waker is the finisher's, the output the handle's.
    Complete,
}

/// What a join handle that goes away must do.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detach {
    /// The output is the task's now; a waker that was registered is the handle's to drop.
    Detached,
    /// The task is complete: the output is the handle's to drop.
    Complete,
}

impl Word {
    fn has(self, flags: usize) -> bool {
        self.0 & flags == flags
    }

    fn has_any(self, flags: usize) -> bool {
        self.0 & flags != 0
    }

    /// The task has ended.
    pub fn is_complete(self) -> bool {
        self.has(COMPLETE)
    }

    /// Somebody wants the task to end.
    pub fn is_cancelled(self) -> bool {
        self.has(CANCEL)
    }

    /// The task was leaked: it has no output.
    pub fn is_leaked(self) -> bool {
        self.has(LEAKED)
    }

    /// The future has never been polled.
    pub fn is_fresh(self) -> bool {
        self.has(FRESH)
    }

    /// A join handle exists.
    pub fn has_join(self) -> bool {
        self.has(JOIN)
    }

    /// The list that the task is on.
    pub fn list(self) -> Option<usize> {
        (self.0 >> LIST_SHIFT).checked_sub(1)
    }

    fn refs(self) -> usize {
        (self.0 & REFS) / ONE_REF
    }

    fn check(self) {
        debug_assert!(!self.has(RUNNING | COMPLETE), "S3: {self:?}");
        debug_assert!(self.has(JOIN) || !self.has(JOIN_WAKER), "S4: {self:?}");
    }

    fn wake(self) -> (Word, AfterWake) {
        if self.has_any(COMPLETE | SCHEDULED) {
            return (self, AfterWake::Nothing);
        }
        let after = if self.has(RUNNING) {
            AfterWake::Nothing
        } else {
            AfterWake::Submit
        };
        (Word(self.0 | SCHEDULED), after)
    }

    fn cancel(self) -> (Word, AfterCancel) {
        if self.has_any(COMPLETE | CLEANING | CANCEL) {
            return (self, AfterCancel::TooLate);
        }
        if self.has_any(SCHEDULED | RUNNING) {
            return (Word(self.0 | CANCEL), AfterCancel::Noted);
        }
        (Word(self.0 | CANCEL | SCHEDULED), AfterCancel::Submit)
    }

    fn begin_poll(self) -> (Word, BeginPoll) {
        debug_assert!(
            self.has(SCHEDULED) && !self.has_any(RUNNING | COMPLETE),
            "S1: {self:?}"
        );
        let running = (self.0 | RUNNING) & !SCHEDULED;
        if self.has(CLEANING) {
            (Word(running), BeginPoll::CleanUp)
        } else if self.has(CANCEL | FRESH) {
            (Word(running | CLEANING), BeginPoll::Discard)
        } else if self.has(FRESH) {
            (Word(running), BeginPoll::PollFirst)
        } else {
            (Word(running), BeginPoll::Poll)
        }
    }

    fn end_poll(self, shielded: bool, yielded: bool) -> (Word, EndPoll) {
        debug_assert!(self.has(RUNNING), "S2: {self:?}");
        if self.has(CANCEL) && !shielded {
            return (Word(self.0 | CLEANING), EndPoll::Discard);
        }
        let idle = self.0 & !(RUNNING | FRESH);
        if yielded || self.has(SCHEDULED) {
            (Word(idle | SCHEDULED), EndPoll::Requeue)
        } else {
            (Word(idle), EndPoll::Release)
        }
    }

    fn end_clean_up(self, yielded: bool) -> (Word, EndCleanUp) {
        debug_assert!(self.has(RUNNING | CLEANING), "S8: {self:?}");
        let idle = self.0 & !(RUNNING | FRESH);
        if yielded || self.has(SCHEDULED) {
            (Word(idle | SCHEDULED), EndCleanUp::Requeue)
        } else {
            (Word(idle), EndCleanUp::Release)
        }
    }

    /// RUNNING for who ends the runtime, unless one of `but` is set.
    fn claim(self, but: usize, flags: usize) -> (Word, Claim) {
        if self.has_any(COMPLETE | RUNNING | but) {
            return (self, Claim::Nothing);
        }
        let claim = if self.has(CLEANING) {
            Claim::CleanUps
        } else {
            Claim::Future
        };
        (Word(self.0 | RUNNING | CANCEL | CLEANING | flags), claim)
    }

    fn register(self) -> (Word, Register) {
        debug_assert!(self.has(JOIN) && !self.has(JOIN_WAKER), "S4: {self:?}");
        if self.has(COMPLETE) {
            return (self, Register::Complete);
        }
        (Word(self.0 | JOIN_WAKER), Register::Registered)
    }

    fn unregister(self) -> (Word, Unregister) {
        if self.has(COMPLETE) {
            return (self, Unregister::Complete);
        }
        (Word(self.0 & !JOIN_WAKER), Unregister::Owned)
    }

    fn detach(self) -> (Word, Detach) {
        if self.has(COMPLETE) {
            return (self, Detach::Complete);
        }
        (Word(self.0 & !(JOIN | JOIN_WAKER)), Detach::Detached)
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const NAMES: [(usize, &str); 9] = [
            (SCHEDULED, "SCHEDULED"),
            (RUNNING, "RUNNING"),
            (COMPLETE, "COMPLETE"),
            (JOIN, "JOIN"),
            (JOIN_WAKER, "JOIN_WAKER"),
            (CANCEL, "CANCEL"),
            (CLEANING, "CLEANING"),
            (FRESH, "FRESH"),
            (LEAKED, "LEAKED"),
        ];
        for (flag, name) in NAMES {
            if self.has(flag) {
                write!(f, "{name} ")?;
            }
        }
        write!(f, "refs={}", self.refs())
    }
}

/// The word itself.
pub struct State(AtomicUsize);

impl State {
    /// A task that is about to be queued for the first time.
    pub fn spawned() -> Self {
        Self(AtomicUsize::new(SPAWNED))
    }

    /// The one compare-exchange loop. `step` is pure.
    #[inline]
    fn update<A>(&self, step: impl Fn(Word) -> (Word, A)) -> A {
        let mut seen = self.0.guess();
        loop {
            let (next, action) = step(Word(seen));
            next.check();
            // ORDERING: AcqRel, also where the word does not change: Release publishes what this
            // thread wrote to the next owner of the task, Acquire takes over from the last one.
            // Partner: every other transition. Failure is Relaxed because the step runs again.
            let exchanged =
                self.0
                    .compare_exchange_weak(seen, next.0, Ordering::AcqRel, Ordering::Relaxed);
            match exchanged {
                Ok(_) => return action,
                Err(actual) => seen = actual,
            }
        }
    }

    /// What the word says now, with the output visible if it says COMPLETE.
    #[inline]
    pub fn load(&self) -> Word {
        // ORDERING: Acquire pairs with the release in `finish`: the output is visible.
        Word(self.0.load(Ordering::Acquire))
    }

    /// Somebody wants the task polled.
    #[inline]
    pub fn wake(&self) -> AfterWake {
        if planted!("task.wake_of_running_is_dropped") && self.load().has(RUNNING) {
            return AfterWake::Nothing;
        }
        if planted!("task.scheduled_wake_is_a_load") && self.load().has(SCHEDULED) {
            return AfterWake::Nothing;
        }
        self.update(Word::wake)
    }

    /// Somebody wants the task to end.
    pub fn cancel(&self) -> AfterCancel {
        self.update(Word::cancel)
    }

    /// Whether the task has ended, in a step of the word: if not, then whoever ends it sees what this thread
    /// has written before.
    pub fn has_ended(&self) -> bool {
        if planted!("task.callback_check_is_a_load") {
            return self.load().is_complete();
        }
        self.update(|word| (word, word.is_complete()))
    }

    /// The holder of the queue place takes the right to the future (S2).
    #[inline]
    pub fn begin_poll(&self) -> BeginPoll {
        self.update(Word::begin_poll)
    }

    /// The holder of RUNNING has put the task on a list.
    #[inline]
    pub fn enlist(&self, list: usize) {
        debug_assert!(list < LISTS_MAX, "S7: {list}");
        // ORDERING: Relaxed. Read by holders of RUNNING, to whom `end_poll` and `begin_poll` hand the
        // word on.
        let before = self
            .0
            .fetch_add((list + 1) << LIST_SHIFT, Ordering::Relaxed);
        debug_assert!(Word(before).list().is_none(), "S7: on two lists");
    }

    /// The poll returned `Pending`. `shielded`: a shield is in progress; `yielded`: the task asked to
    /// go to the end of the line.
    #[inline]
    pub fn end_poll(&self, shielded: bool, yielded: bool) -> EndPoll {
        if planted!("task.end_poll_forgets_wake") {
            return self.update(|word| Word(word.0 & !SCHEDULED).end_poll(shielded, yielded));
        }
        if planted!("task.end_poll_ignores_cancel") {
            return self.update(|word| {
                let (next, after) = Word(word.0 & !CANCEL).end_poll(shielded, yielded);
                (Word(next.0 | (word.0 & CANCEL)), after)
            });
        }
        self.update(|word| word.end_poll(shielded, yielded))
    }

    /// The future is gone and the output is in its place.
    #[inline]
    pub fn finish(&self) -> Finish {
        // ORDERING: AcqRel. Release publishes the output to the join handle, whose `load`,
        // `register` or `unregister` acquires it; Acquire makes the waker that `register` or
        // `unregister` published visible.
        let ordering = if planted!("task.finish_relaxed") {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        let before = Word(self.0.fetch_xor(RUNNING | COMPLETE, ordering));
        debug_assert!(
            before.has(RUNNING) && !before.has(COMPLETE),
            "S3: {before:?}"
        );
        if !before.has(JOIN) {
            Finish::DropOutput
        } else if before.has(JOIN_WAKER) {
            Finish::WakeJoiner
        } else {
            Finish::LeaveOutput
        }
    }

    /// [`finish`](Self::finish) of a task without a join handle, whose output is dropped already, and
    /// the scheduler's reference in the same step. True: that was the last one.
    #[inline]
    pub fn finish_detached(&self) -> bool {
        // ORDERING: AcqRel. Release orders this thread's uses before the free by a later `release`;
        // Acquire orders the uses of earlier releasers before the free by the caller.
        let change = ONE_REF + RUNNING - COMPLETE;
        let before = Word(self.0.fetch_sub(change, Ordering::AcqRel));
        debug_assert!(
            before.has(RUNNING) && !before.has_any(COMPLETE | JOIN),
            "S4: {before:?}"
        );
        before.refs() == 1
    }

    /// The future has left clean-ups: the output is in its place, but the task is not complete.
    pub fn begin_clean_up(&self) {
        // ORDERING: Relaxed. Only the holder of RUNNING looks at CLEANING before `end_clean_up`, which
        // publishes it.
        let before = Word(self.0.fetch_or(CLEANING, Ordering::Relaxed));
        debug_assert!(before.has(RUNNING), "S2: {before:?}");
    }

    /// The clean-ups are not ready. `yielded`: they asked to go to the end of the line.
    pub fn end_clean_up(&self, yielded: bool) -> EndCleanUp {
        if planted!("task.end_clean_up_forgets_wake") {
            return self.update(|word| Word(word.0 & !SCHEDULED).end_clean_up(yielded));
        }
        self.update(|word| word.end_clean_up(yielded))
    }

    /// The runtime ends: takes the right to the future of a task that no thread runs, wherever it is
    /// queued.
    pub fn claim_for_shutdown(&self) -> Claim {
        self.update(|word| word.claim(0, 0))
    }

    /// [`claim_for_shutdown`](Self::claim_for_shutdown) of a task whose future can never be dropped.
    pub fn claim_for_leak(&self) -> Claim {
        self.update(|word| word.claim(0, LEAKED))
    }

    /// The runtime ends: takes the right to the future of a task that sleeps. Nothing: somebody has it,
    /// in a queue or in a poll, and sees to it when they retire; or it had ended.
    pub fn claim_idle_for_shutdown(&self) -> Claim {
        self.update(|word| word.claim(SCHEDULED, 0))
    }

    /// The join handle has written its waker.
    pub fn register(&self) -> Register {
        if planted!("task.register_without_recheck") {
            // ORDERING: part of the planted bug.
            self.0.fetch_or(JOIN_WAKER, Ordering::AcqRel);
            return Register::Registered;
        }
        self.update(Word::register)
    }

    /// The join handle wants to write its waker again.
    pub fn unregister(&self) -> Unregister {
        self.update(Word::unregister)
    }

    /// The join handle goes away.
    #[inline]
    pub fn detach(&self) -> Detach {
        if planted!("task.detach_blindly") {
            // ORDERING: part of the planted bug.
            let before = Word(self.0.fetch_and(!(JOIN | JOIN_WAKER), Ordering::AcqRel));
            let _ = before;
            return Detach::Detached;
        }
        self.update(Word::detach)
    }

    /// Fast path of a handle that is dropped right after the spawn: detaches and gives up the
    /// handle's reference in one step, if nothing has happened to the task yet.
    #[inline]
    pub fn detach_untouched(&self) -> bool {
        // ORDERING: Release: the handle's uses come before the free, see `release`. Failure is
        // Relaxed because the slow path looks again.
        self.0
            .compare_exchange(
                SPAWNED,
                (SPAWNED & !JOIN) - ONE_REF,
                Ordering::Release,
                Ordering::Relaxed,
            )
            .is_ok()
    }

    /// A waker or canceller is cloned.
    #[inline]
    pub fn retain(&self) {
        // ORDERING: Relaxed. The clone comes from a reference that keeps the task alive.
        let before = self.0.fetch_add(ONE_REF, Ordering::Relaxed);
        if before & REFS > REFS_MAX {
            // More than 2^36 clones: the count would run over into a use after free.
            std::process::abort();
        }
    }

    /// A reference goes away. True: it was the last one, and the caller frees the task (S6).
    #[inline]
    pub fn release(&self) -> bool {
        // ORDERING: Release orders this thread's uses before the free; pairs with the load below.
        let before = self.0.fetch_sub(ONE_REF, Ordering::Release);
        debug_assert!(before & REFS != 0, "S6: released more often than retained");
        if Word(before).refs() != 1 {
            return false;
        }
        // ORDERING: Acquire pairs with the Release decrements of all others, whose uses therefore
        // come before the free: they head release sequences that our own decrement continues. A load
        // and not a fence, because ThreadSanitizer does not see fences.
        if !planted!("task.free_without_acquire") {
            self.0.load(Ordering::Acquire);
        }
        true
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.load().fmt(f)
    }
}

const _: () = assert!(
    FLAGS
        == SCHEDULED | RUNNING | COMPLETE | JOIN | JOIN_WAKER | CANCEL | CLEANING | FRESH | LEAKED,
    "the flags fill the bits below the count"
);

#[cfg(test)]
mod tests;
