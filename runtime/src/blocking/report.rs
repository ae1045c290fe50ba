//! What the pool counts, and what it tells.

use core::fmt;
use core::panic::Location;
use std::sync::Arc as StdArc;

use crate::hooks::say;
use crate::task::{Runnable, TaskId};

/// What a pool does now, and has done so far: one consistent look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Metrics {
    /// Threads that exist, those that are about to begin among them.
    pub threads: usize,
    /// The most threads that ever existed at a time.
    pub peak_threads: usize,
    /// Threads without a job.
    pub idle_threads: usize,
    /// Jobs that run, on as many threads; those that wait are not among them.
    pub running: usize,
    /// Jobs that wait in a `block_on`, and for which other threads may stand in.
    pub waiting: usize,
    /// Jobs that no thread has taken yet.
    pub queued: usize,
    /// Jobs that a thread took and that have ended, cancelled ones among them.
    pub completed: u64,
    /// Jobs that were ended unrun because the pool was closed or had no thread.
    pub ended_unrun: u64,
    /// Threads that were ever started.
    pub started_threads: u64,
    /// Threads that the system refused.
    pub refused_threads: u64,
}

/// A job that goes on after its pool was shut down.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StuckJob {
    /// The number of the job's task.
    pub id: TaskId,
    /// Its name, if it was given one.
    pub name: Option<StdArc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// The name of the thread that runs it.
    pub thread: String,
}

impl fmt::Display for StuckJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "blocking task {}", self.id)?;
        if let Some(name) = &self.name {
            write!(f, " \"{name}\"")?;
        }
        write!(
            f,
            " spawned at {} still runs on thread \"{}\"",
            self.spawned_at, self.thread
        )
    }
}

/// What the pool keeps of a job while it runs: the task itself may be freed before the pool hears of it.
#[derive(Debug)]
pub struct RunningJob {
    id: TaskId,
    name: Option<StdArc<str>>,
    spawned_at: &'static Location<'static>,
}

impl RunningJob {
    /// Notes a job that is about to run.
    #[inline]
    pub fn of(task: &Runnable) -> Self {
        let header = task.header();
        Self {
            id: TaskId(header.slot.id()),
            name: header.name(),
            spawned_at: header.spawned_at,
        }
    }

    /// For the report.
    pub fn stuck_on(&self, thread: String) -> StuckJob {
        StuckJob {
            id: self.id,
            name: self.name.clone(),
            spawned_at: self.spawned_at,
            thread,
        }
    }
}

/// The name of a thread of the pool.
pub fn thread_name(base: &str, number: usize) -> String {
    format!("{base}-blocking-{number}")
}

/// Writes one line for the operator.
pub fn print(line: &str) {
    say(&format!("tenter: {line}"));
}
