//! The report of a poll that lasts too long.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::collections::HashMap;
use std::sync::Arc;

use tenter_timer::Instant;

use crate::task::TaskInfo;

/// A poll that has lasted longer than it may: while it did, no other task of its worker ran.
///
/// `Display` says so in a line, with what to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SlowPoll {
    /// The task, as it was when this was seen.
    pub task: TaskInfo,
    /// The number of the worker, 0 on the thread of a single-threaded runtime.
    pub worker: usize,
    /// The name of its thread, if it has one: that by which a debugger finds it.
    pub thread: Option<Arc<str>>,
    /// How long the poll had lasted.
    pub lasted: Duration,
    /// Whether it was over.
    pub ended: bool,
}

impl fmt::Display for SlowPoll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { task, worker, .. } = self;
        write!(f, "slow poll: Task-{}", task.id)?;
        if let Some(name) = &task.name {
            write!(f, " \"{name}\"")?;
        }
        write!(f, ", spawned at {}, ", task.spawned_at)?;
        let thread = self.thread.as_deref().unwrap_or("without a name");
        let lasted = in_milliseconds(self.lasted);
        if self.ended {
            write!(f, "was in one poll for {lasted:?}")?;
        } else {
            write!(f, "has been in one poll for {lasted:?}, and still is,")?;
        }
        write!(
            f,
            " on worker {worker} (thread {thread}), which ran nothing else meanwhile. Move what blocks to \
             spawn_blocking or into block_in_place, and let what computes yield"
        )?;
        if !self.ended {
            let process = std::process::id();
            write!(
                f,
                ". Where it is now: gdb -p {process} -batch -ex 'thread apply all backtrace', thread {thread}"
            )?;
        }
        Ok(())
    }
}

/// Rounded, from the first millisecond on.
fn in_milliseconds(lasted: Duration) -> Duration {
    let millis = u64::try_from((lasted.as_micros() + 500) / 1_000);
    match millis {
        Ok(0) | Err(_) => lasted,
        Ok(millis) => Duration::from_millis(millis),
    }
}

/// How long nothing more is printed of tasks that were spawned at one place.
const SILENCE: Duration = Duration::from_secs(1);

/// What was printed.
#[derive(Debug, Default)]
pub struct Printed(HashMap<Location<'static>, Place>);

#[derive(Debug)]
struct Place {
    at: Instant,
    since: u64,
}

impl Printed {
    /// Whether a report of a task that was spawned there is to be printed now; and then how many were not since
    /// the last one.
    pub fn may(&mut self, place: &Location<'static>, now: Instant) -> Option<u64> {
        let Some(printed) = self.0.get_mut(place) else {
            let first = Place { at: now, since: 0 };
            self.0.insert(*place, first);
            return Some(0);
        };
        if now.duration_since(printed.at) < SILENCE {
            printed.since += 1;
            return None;
        }
        printed.at = now;
        Some(core::mem::take(&mut printed.since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_is_printed_once_a_second_and_says_how_often_it_was_not() {
        let mut printed = Printed::default();
        let (one, other) = (Location::caller(), here());
        let at = |millis: u64| Instant::from_nanos(millis * 1_000_000);
        assert_eq!(printed.may(one, at(0)), Some(0));
        assert_eq!(printed.may(other, at(10)), Some(0));
        assert_eq!(printed.may(one, at(10)), None);
        assert_eq!(printed.may(one, at(999)), None);
        assert_eq!(printed.may(one, at(1_000)), Some(2));
        assert_eq!(printed.may(one, at(1_999)), None);
        assert_eq!(printed.may(one, at(9_000)), Some(1));
        assert_eq!(printed.may(other, at(9_000)), Some(0));
    }

    #[test]
    fn a_time_is_in_whole_milliseconds() {
        let shown = |nanos| format!("{:?}", in_milliseconds(Duration::from_nanos(nanos)));
        assert_eq!(shown(100_419_749), "100ms");
        assert_eq!(shown(4_199_600_000), "4.2s");
        assert_eq!(shown(420_749), "420.749µs");
    }

    #[track_caller]
    fn here() -> &'static Location<'static> {
        Location::caller()
    }
}
