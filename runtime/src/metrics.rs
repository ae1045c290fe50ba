//! What a runtime counts: always on, always stable.

use core::fmt;

use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};

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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
