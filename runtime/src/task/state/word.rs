//! The pure steps of a task's word: what the table above says, without threads.

use core::fmt;

// | 63 … 48 | 47 … 9 | 8      | 7     | 6        | 5      | 4          | 3    | 2        | 1       | 0         |
// | list    | refs   | LEAKED | FRESH | CLEANING | CANCEL | JOIN_WAKER | JOIN | COMPLETE | RUNNING | SCHEDULED |
pub(super) const SCHEDULED: usize = 1 << 0;
pub(super) const RUNNING: usize = 1 << 1;
pub(super) const COMPLETE: usize = 1 << 2;
pub(super) const JOIN: usize = 1 << 3;
pub(super) const JOIN_WAKER: usize = 1 << 4;
pub(super) const CANCEL: usize = 1 << 5;
pub(super) const CLEANING: usize = 1 << 6;
/// The future has not been polled yet.
pub(super) const FRESH: usize = 1 << 7;
/// The future stays where it is for ever, and there is no output.
pub(super) const LEAKED: usize = 1 << 8;
pub(super) const ONE_REF: usize = 1 << 9;
pub(super) const FLAGS: usize = ONE_REF - 1;
pub(super) const REFS: usize = LIST_ONE - ONE_REF;
/// The number of the list that the task is on, counted from one; 0 is none. Written once, by the
/// holder of RUNNING.
pub(super) const LIST_SHIFT: u32 = usize::BITS - LIST_BITS;
/// As many bits as numbers of workers have; half a word of 32 bits keeps enough for the references.
pub(super) const LIST_BITS: u32 = if usize::BITS == 64 { 16 } else { 8 };
pub(super) const LIST_ONE: usize = 1 << LIST_SHIFT;
/// One reference is the scheduler's until the task is complete, the other the join handle's.
pub(super) const SPAWNED: usize = SCHEDULED | JOIN | FRESH | (2 * ONE_REF);
/// More references than this can only come from leaking wakers without end.
pub(super) const REFS_MAX: usize = REFS / 2;

/// How many lists the word can tell apart.
pub const LISTS_MAX: usize = (1 << LIST_BITS) - 1;

/// A value of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(pub(super) usize);

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
    pub(super) fn has(self, flags: usize) -> bool {
        self.0 & flags == flags
    }

    pub(super) fn has_any(self, flags: usize) -> bool {
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

    /// Somebody polls it, or does what it left.
    pub fn is_running(self) -> bool {
        self.has(RUNNING)
    }

    /// It has a place in a queue, or gets one when its poll ends.
    pub fn is_scheduled(self) -> bool {
        self.has(SCHEDULED)
    }

    /// The future is gone; what it left is being done.
    pub fn is_cleaning(self) -> bool {
        self.has(CLEANING)
    }

    /// Somebody who has the join handle waits.
    pub fn is_joined(self) -> bool {
        self.has(JOIN | JOIN_WAKER)
    }

    /// A join handle exists.
    pub fn has_join(self) -> bool {
        self.has(JOIN)
    }

    /// The list that the task is on.
    pub fn list(self) -> Option<usize> {
        (self.0 >> LIST_SHIFT).checked_sub(1)
    }

    pub(super) fn refs(self) -> usize {
        (self.0 & REFS) / ONE_REF
    }

    pub(super) fn check(self) {
        debug_assert!(!self.has(RUNNING | COMPLETE), "S3: {self:?}");
        debug_assert!(self.has(JOIN) || !self.has(JOIN_WAKER), "S4: {self:?}");
    }

    pub(super) fn wake(self) -> (Word, AfterWake) {
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

    pub(super) fn cancel(self) -> (Word, AfterCancel) {
        if self.has_any(COMPLETE | CLEANING | CANCEL) {
            return (self, AfterCancel::TooLate);
        }
        if self.has_any(SCHEDULED | RUNNING) {
            return (Word(self.0 | CANCEL), AfterCancel::Noted);
        }
        (Word(self.0 | CANCEL | SCHEDULED), AfterCancel::Submit)
    }

    pub(super) fn begin_poll(self) -> (Word, BeginPoll) {
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

    pub(super) fn end_poll(self, shielded: bool, yielded: bool) -> (Word, EndPoll) {
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

    pub(super) fn end_clean_up(self, yielded: bool) -> (Word, EndCleanUp) {
        debug_assert!(self.has(RUNNING | CLEANING), "S8: {self:?}");
        let idle = self.0 & !(RUNNING | FRESH);
        if yielded || self.has(SCHEDULED) {
            (Word(idle | SCHEDULED), EndCleanUp::Requeue)
        } else {
            (Word(idle), EndCleanUp::Release)
        }
    }

    /// RUNNING for who ends the runtime, unless one of `but` is set.
    pub(super) fn claim(self, but: usize, flags: usize) -> (Word, Claim) {
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

    pub(super) fn register(self) -> (Word, Register) {
        debug_assert!(self.has(JOIN) && !self.has(JOIN_WAKER), "S4: {self:?}");
        if self.has(COMPLETE) {
            return (self, Register::Complete);
        }
        (Word(self.0 | JOIN_WAKER), Register::Registered)
    }

    pub(super) fn unregister(self) -> (Word, Unregister) {
        if self.has(COMPLETE) {
            return (self, Unregister::Complete);
        }
        (Word(self.0 & !JOIN_WAKER), Unregister::Owned)
    }

    pub(super) fn detach(self) -> (Word, Detach) {
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

const _: () = assert!(
    FLAGS
        == SCHEDULED | RUNNING | COMPLETE | JOIN | JOIN_WAKER | CANCEL | CLEANING | FRESH | LEAKED,
    "the flags fill the bits below the count"
);
