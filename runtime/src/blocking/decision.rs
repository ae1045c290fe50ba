//! What the lock gives out: instructions, to be followed after it is released.

use std::sync::Arc as StdArc;

use tenter_sync::parker::Parker;

use crate::scheduler::run_queue::RunQueue;
use crate::task::Runnable;

/// What became of a job that was handed in.
#[must_use]
#[derive(Debug)]
pub enum Submitted {
    /// It is queued. Carry the rest out after the lock is released.
    Queued(Help),
    /// The pool is closed: end it.
    Closed(Runnable),
}

/// Whom a queue needs that has just grown, or lost a thread. For after the lock is released.
#[must_use]
#[derive(Debug)]
pub enum Help {
    /// Nobody.
    Nobody,
    /// Unpark this thread; it is Coming.
    Wake(StdArc<Parker>),
    /// Start the thread of this number; it is Coming.
    Start(usize),
    /// Tell that no thread is left to run what is queued.
    Exhausted {
        /// Jobs that wait in a `block_on`.
        waiting: usize,
        /// Jobs in the queue.
        queued: usize,
    },
}

/// What a thread of the pool does next.
#[must_use]
#[derive(Debug)]
pub enum Next {
    /// Carry out, then run.
    Run(Runnable, Help),
    /// Sleep, at most until the keep-alive is over.
    Sleep,
    /// Sleep for a nap.
    Nap,
    /// Leave.
    Leave,
}

/// What is to be done when the system refused a thread.
#[must_use]
#[derive(Debug)]
pub struct Refused {
    /// No thread will ever run these: end them.
    pub jobs: RunQueue,
    /// The others stay queued; carry out.
    pub help: Help,
    /// Whether to say so: once is enough.
    pub tell: bool,
    /// To be unparked.
    pub waiters: Vec<StdArc<Parker>>,
}

/// What a pool that was closed leaves to do.
#[must_use]
#[derive(Debug)]
pub struct Closed {
    /// To be unparked.
    pub sleepers: Vec<StdArc<Parker>>,
    /// To be ended.
    pub jobs: RunQueue,
}
