//! Ready tasks of a worker that wait behind its deque: those that yielded, and those for which the deque
//! had no room.
//!
//! A first-in-first-out list through the tasks, under a lock that is held for a few instructions. Any
//! worker may take from it, so a stuck owner strands nothing; and a task that yields waits here, behind
//! all that were woken, without waking anybody.
//!
//! Tests: `loom-tests/tests/deque.rs`.

use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};

use crate::scheduler::run_queue::RunQueue;
use crate::task::Runnable;

/// The list.
#[derive(Debug, Default)]
pub struct Backlog {
    tasks: Mutex<RunQueue>,
    len: AtomicUsize,
}

impl Backlog {
    /// How many tasks there are; exact for the holder of the lock only.
    #[inline]
    pub fn len(&self) -> usize {
        // ORDERING: Relaxed. A hint: the owner sees its own pushes, a thief comes again.
        self.len.load(Ordering::Relaxed)
    }

    /// Whether there is nothing, as far as one can see without the lock.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts a task at the end.
    #[inline]
    pub fn push(&self, task: Runnable) {
        self.change(|tasks| tasks.push(task));
    }

    /// Puts tasks at the end, in their order.
    pub fn append(&self, more: &RunQueue) {
        if !more.is_empty() {
            self.change(|tasks| tasks.append(more));
        }
    }

    /// Moves up to `limit` tasks from the front to `to`. For the owner.
    pub fn take(&self, limit: usize, to: &RunQueue) {
        if self.is_empty() {
            return;
        }
        self.change(|tasks| {
            for _ in 0..limit {
                let Some(task) = tasks.pop() else { break };
                to.push(task);
            }
        });
    }

    /// Moves half of the tasks, but no more than `limit`, from the front to `to`. For a thief: the owner
    /// waits for it no longer than it takes to lift the list off and to put the rest back, because the
    /// links that the thief follows are in the cache of another core.
    pub fn steal(&self, limit: usize, to: &RunQueue) {
        if self.is_empty() {
            return;
        }
        let lifted = RunQueue::default();
        {
            let Some(tasks) = self.tasks.try_lock() else {
                return;
            };
            lifted.append(&tasks);
            // ORDERING: Relaxed. A hint; under the lock, so that it does not go back.
            self.len.store(0, Ordering::Relaxed);
        }
        for _ in 0..limit.min(lifted.len().div_ceil(2)) {
            let Some(task) = lifted.pop() else { break };
            to.push(task);
        }
        if !lifted.is_empty() {
            self.change(|tasks| tasks.prepend(&lifted));
        }
    }

    #[inline]
    fn change(&self, body: impl FnOnce(&RunQueue)) {
        let tasks = self.tasks.lock();
        body(&tasks);
        let left = if planted!("deque.backlog_forgets_the_rest") {
            0
        } else {
            tasks.len()
        };
        // ORDERING: Relaxed. A hint; under the lock, so that it does not go back.
        self.len.store(left, Ordering::Relaxed);
    }
}
