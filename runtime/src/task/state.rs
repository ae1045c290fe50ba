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
//! The pure steps are in `state/word.rs`. Tests: `state/tests.rs`; `loom-tests/tests/task.rs`.

use core::fmt;

use tenter_sync::planted;
use tenter_sync::shim::Guess;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};

mod word;

pub use self::word::*;

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

#[cfg(test)]
mod tests;
