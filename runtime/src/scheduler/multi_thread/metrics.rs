//! What a worker counts. Each count has one writer, so none costs a read-modify-write.

use tenter_sync::shim::CachePadded;

use crate::histogram::Recorder;
use crate::metrics::Counter;

/// The counts of a worker.
#[derive(Debug, Default)]
pub struct WorkerCounters(CachePadded<Counts>);

/// See [`WorkerCounters`].
#[derive(Debug, Default)]
pub struct Counts {
    pub spawned: Counter,
    pub remote_spawned: Counter,
    pub completed: Counter,
    pub steals: Counter,
    pub stolen: Counter,
    pub parks: Counter,
    pub rescues: Counter,
    pub blocks: Counter,
    pub poller_failures: Counter,
    /// In nanoseconds.
    pub busy: Counter,
    pub poll_time: Recorder,
    pub schedule_delay: Recorder,
}

impl core::ops::Deref for WorkerCounters {
    type Target = Counts;

    #[inline]
    fn deref(&self) -> &Counts {
        &self.0
    }
}
