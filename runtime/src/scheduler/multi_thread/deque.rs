//! The deque of a worker: the port to crossbeam-deque, or to its twin in the model.
//!
//! First in, first out. The owner pushes at the back and pops at the front, thieves take batches from
//! the front. It holds at most [`CAPACITY`] tasks, which is what crossbeam's smallest buffer holds: so it
//! never grows, and no push allocates. What does not fit goes to the backlog.
//!
//! Tests: `loom-tests/tests/deque.rs`, `tests/tests/stress.rs`.

use tenter_sync::planted;
use tenter_sync::shim::size;

use crate::task::Runnable;

#[cfg(not(tenter_loom))]
use crossbeam_deque as port;
#[cfg(tenter_loom)]
#[expect(unsafe_code, reason = "a task pointer in an atomic")]
#[path = "deque_model.rs"]
pub mod port;

/// The most tasks in a deque: crossbeam's smallest buffer. In the model a few, so that it overflows.
pub const CAPACITY: usize = size(64, 2);

/// The most tasks that a thief takes at once: half of a full deque.
const BATCH: usize = size(32, 1);

/// The owner's end.
pub struct Deque(port::Worker<Runnable>);

/// The thieves' end.
pub struct Stealer(port::Stealer<Runnable>);

impl Deque {
    /// An empty deque.
    pub fn new() -> (Self, Stealer) {
        let worker = port::Worker::new_fifo();
        let stealer = worker.stealer();
        (Self(worker), Stealer(stealer))
    }

    /// Puts a task at the back. `Err` gives it back: there is no room.
    #[inline]
    pub fn push(&self, task: Runnable) -> Result<(), Runnable> {
        if self.0.len() >= CAPACITY && !planted!("deque.no_look_for_room") {
            return Err(task);
        }
        self.0.push(task);
        Ok(())
    }

    /// Takes the task at the front.
    #[inline]
    pub fn pop(&self) -> Option<Runnable> {
        self.0.pop()
    }

    /// How many tasks there are, if no thief is at work.
    #[inline]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no task.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Stealer {
    /// Moves a batch of tasks to `to`, which is empty. False: there was nothing, or others were faster.
    pub fn steal(&self, to: &Deque) -> bool {
        debug_assert!(to.is_empty(), "a batch might not fit");
        // One more try after a lost race: whoever won has made progress.
        (0..2).any(|_| self.0.steal_batch_with_limit(&to.0, BATCH).is_success())
    }

    /// How many tasks there are, more or less.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing to steal. After a `SeqCst` fence: nothing that was pushed before the
    /// other side's fence.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl core::fmt::Debug for Deque {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Deque").field("len", &self.len()).finish()
    }
}

impl core::fmt::Debug for Stealer {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Stealer").field("len", &self.len()).finish()
    }
}
