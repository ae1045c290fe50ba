//! What a runtime counts: always on, always stable.

use core::fmt;
use core::time::Duration;

use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};

use crate::histogram::Histogram;

/// A count that the driving thread writes and any thread may read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds, on the driving thread: no read-modify-write is needed.
    #[inline]
    pub fn add(&self, count: u64) {
        // ORDERING: Relaxed. Statistics; the core's hand-over orders one writer after the other.
        self.0
            .store(self.0.load(Ordering::Relaxed) + count, Ordering::Relaxed);
    }

    /// Adds, on any thread.
    pub fn add_shared(&self, count: u64) {
        // ORDERING: Relaxed. Statistics.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        // ORDERING: Relaxed. Statistics.
        self.0.load(Ordering::Relaxed)
    }
}

/// The counts of a scheduler.
#[derive(Debug, Default)]
pub struct Counters {
    pub spawned: Counter,
    pub completed: Counter,
    pub polls: Counter,
    pub parks: Counter,
    pub remote_spawns: Counter,
    pub leaked: Counter,
    pub unobserved: Counter,
    pub poller_failures: Counter,
    pub refused_threads: Counter,
}

/// What a runtime has done so far, and what it has before it. A snapshot: the figures are read one
/// after the other while the runtime goes on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeMetrics {
    /// Threads that run tasks.
    pub workers: usize,
    /// Tasks that were spawned and have not ended.
    pub alive_tasks: u64,
    /// Tasks that were ever spawned; the main future of each `block_on` is one.
    pub spawned_tasks: u64,
    /// Tasks that have ended.
    pub completed_tasks: u64,
    /// Tasks that were spawned from another thread.
    pub remote_spawns: u64,
    /// Polls of tasks.
    pub polls: u64,
    /// How often the thread went to sleep for lack of work.
    pub parks: u64,
    /// Timers that are armed.
    pub armed_timers: usize,
    /// Waits for the readiness of a socket that are in progress.
    pub waiting_io: usize,
    /// Failures that nobody could observe (see `Builder::on_unobserved`).
    pub unobserved_failures: u64,
    /// `!Send` tasks that were leaked because the runtime ended on another thread.
    pub leaked_tasks: u64,
    /// How often the system's poller failed.
    pub poller_failures: u64,
    /// Threads that the system refused.
    pub refused_threads: u64,
    /// Threads for blocking jobs.
    pub blocking_threads: usize,
    /// Those of them that have no job.
    pub idle_blocking_threads: usize,
    /// Blocking jobs that no thread has taken yet.
    pub queued_blocking_jobs: usize,
    /// How long polls take. Polls that are shorter than about 100 microseconds are recorded by the mean of
    /// about that much time. Multi-threaded runtimes only, like what follows.
    pub poll_time: Histogram,
    /// How long a task that is ready waits for its poll, sampled about every 100 microseconds while a worker
    /// is busy, and rounded up to the next such moment.
    pub schedule_delay: Histogram,
    /// One entry for each worker that was ever started.
    pub per_worker: Vec<WorkerMetrics>,
}

/// What a worker has done so far, and what it has before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerMetrics {
    /// Polls of tasks.
    pub polls: u64,
    /// Tasks that were spawned here, or taken in from other threads.
    pub spawned_tasks: u64,
    /// Tasks that ended here.
    pub completed_tasks: u64,
    /// How often it took tasks from another worker.
    pub steals: u64,
    /// How many tasks it took.
    pub stolen_tasks: u64,
    /// How often it went to sleep for lack of work.
    pub parks: u64,
    /// How often it took the next task of a worker that was stuck in a poll.
    pub rescues: u64,
    /// How often a task blocked in place here.
    pub blocks: u64,
    /// How long it was awake, up to its last sleep.
    pub busy: Duration,
    /// Tasks that are ready in its queues, but for those that other threads have just left.
    pub queued_tasks: usize,
    /// Whether it is in a poll now.
    pub is_polling: bool,
}

impl fmt::Display for RuntimeMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} tasks alive of {} spawned, {} polls, {} parks, {} timers, {} waits for sockets",
            self.alive_tasks,
            self.spawned_tasks,
            self.polls,
            self.parks,
            self.armed_timers,
            self.waiting_io
        )
    }
}
