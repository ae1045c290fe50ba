//! A worker and the list of its tasks: when one comes on it, and what is done when one goes.
//!
//! ```text
//!   has a name ───── taken in ─────┐
//!   first poll, and it goes on ────┼──► on the list of the worker ──► ended: off it, and forgotten
//!   ran on a thread that is none ──┘
//! ```
//!
//! A task without a name that ends in its first poll is never on a list.
//!
//! Tests: `tests/tests/workers.rs`, `tests/tests/tasks_surface.rs`.

use tenter_sync::book;

use super::worker::Worker;
use crate::task::Runnable;
use crate::task::alive::Alive;
use crate::task::raw::Ending;

impl Worker<'_> {
    /// A task with a name is to be found by it before it has run, too. Its place is the caller's.
    #[inline]
    pub(super) fn enlist_if_named(&self, task: &Runnable) {
        if task.header().is_named() {
            self.enlist(task.header());
            task.header().state.enlist(self.index);
        }
    }

    /// Puts a task on the list after its first poll, and says which one.
    #[inline]
    pub(super) fn enlist_first(&self, task: Alive<'_>) -> Option<usize> {
        // One with a name is on a list already.
        let unlisted = task.state.load().list().is_none();
        unlisted.then(|| {
            self.enlist(task);
            self.index
        })
    }

    /// A task that has run on a thread that is no worker is on no list yet. Its place is the caller's.
    pub(super) fn enlist_late(&self, task: &Runnable) {
        self.enlist(task.header());
        task.header().state.enlist(self.index);
    }

    fn enlist(&self, task: Alive<'_>) {
        self.remote.owned.lock().insert(task.pointer());
    }

    #[inline]
    pub fn unlist(&self, task: &Ending) {
        if self.scheduler.config.instruments.is_some() {
            self.unlist_as::<true>(task);
        } else {
            self.unlist_as::<false>(task);
        }
    }

    #[inline]
    pub(super) fn unlist_as<const TOLD: bool>(&self, task: &Ending) {
        self.scheduler.crew.unlist(task);
        self.remote.counters.completed.add(1);
        book::forget(task.slot.id());
        if TOLD {
            self.shared.tell_exited(task);
        }
    }
}
