//! When a wait for several tasks ends.

use core::time::Duration;

/// When [`wait`](crate::wait()) ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "an Until does nothing unless it is given to `wait`"]
pub struct Until {
    pub(super) goal: Kind,
    pub(super) timeout: Option<Duration>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    All,
    FirstCompleted,
    FirstFailed,
}

impl Until {
    const fn of(goal: Kind) -> Self {
        Self {
            goal,
            timeout: None,
        }
    }

    /// All tasks have ended.
    #[doc(alias = "ALL_COMPLETED")]
    pub const fn all() -> Self {
        Self::of(Kind::All)
    }

    /// At least one task has ended, however.
    #[doc(alias = "FIRST_COMPLETED")]
    pub const fn first_completed() -> Self {
        Self::of(Kind::FirstCompleted)
    }

    /// A task has failed, or all have ended. A task fails if it panics, and if its output is one that
    /// [`failed_if`](crate::Wait::failed_if) names. One that is cancelled has not failed.
    #[doc(alias = "FIRST_EXCEPTION")]
    pub const fn first_failed() -> Self {
        Self::of(Kind::FirstFailed)
    }

    /// Or so much time has passed since the first poll.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }
}
