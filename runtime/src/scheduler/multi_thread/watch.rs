//! How a bounded sleeper, or a busy worker, sees whether the others get on.
//!
//! Two looks at one step of a worker's progress, a period apart, call its poll stuck. A busy worker looks
//! more often than a sleeper: it is awake anyway, and the other one may have lost its processor to another
//! process, with timers that are due.

use core::time::Duration;

use tenter_timer::Instant;

use super::remote::Remote;

/// How long a bounded sleeper sleeps. Two of them call a poll stuck, and have to fit into 10 ms.
pub const PERIOD: Duration = Duration::from_millis(4);

/// How often a busy worker looks.
pub const PERIOD_BUSY: Duration = Duration::from_millis(1);

/// What the last look saw.
#[derive(Debug)]
pub struct Watch {
    steps: Vec<u64>,
    looked: Option<Instant>,
}

/// What has changed since the last look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub struct Change {
    /// Some worker has begun or ended a poll.
    pub moved: bool,
}

impl Watch {
    /// Nothing seen yet.
    pub fn new() -> Self {
        Self {
            steps: Vec::new(),
            looked: None,
        }
    }

    /// Whether a period has passed since the last look. Looks that come closer would call any poll stuck.
    pub fn is_due(&self, now: Instant, period: Duration) -> bool {
        self.looked
            .is_none_or(|looked| now.duration_since(looked) >= period)
    }

    /// Looks, and shows the workers that are stuck.
    pub fn look<'a>(
        &mut self,
        now: Instant,
        remotes: impl Iterator<Item = &'a Remote>,
        mut stuck: impl FnMut(&'a Remote),
    ) -> Change {
        self.looked = Some(now);
        let mut moved = false;
        for (index, remote) in remotes.enumerate() {
            if index == self.steps.len() {
                self.steps.push(0);
            }
            let seen = &mut self.steps[index];
            let steps = remote.progress.steps();
            if steps != *seen {
                moved = true;
                *seen = steps;
            } else if steps % 2 == 1 {
                stuck(remote);
            }
        }
        Change { moved }
    }
}
