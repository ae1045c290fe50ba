//! The task that its worker runs next: one place, in front of the deque.
//!
//! The owner alone puts a task in. It takes tasks out, and so does a thief, but only from a worker that
//! is stuck in a poll: a task that was woken by the one that now runs finds its data in the cache of this
//! core, and nowhere else.
//!
//! Tests: `loom-tests/tests/deque.rs`.

use core::ptr::{self, NonNull};

use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicPtr, Ordering};

use crate::task::Runnable;
use crate::task::cell::Header;

/// The place.
#[derive(Debug)]
pub struct LifoSlot(AtomicPtr<Header>);

impl Default for LifoSlot {
    fn default() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }
}

impl LifoSlot {
    /// Puts a task in, and returns the one that was there. For the owner.
    #[inline]
    pub fn put(&self, task: Runnable) -> Option<Runnable> {
        let new = task.into_raw().as_ptr();
        let publish = if planted!("deque.lifo_relaxed_put") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Relaxed. Only the owner makes it non-null, so null stays null.
        if self.0.load(Ordering::Relaxed).is_null() {
            // ORDERING: Release publishes the task to the Acquire of a thief in `take`.
            self.0.store(new, publish);
            return None;
        }
        // ORDERING: Release as above; what comes out was put in by this very thread.
        runnable(self.0.swap(new, publish))
    }

    /// Takes the task out. For the owner, and for a thief.
    #[inline]
    pub fn take(&self) -> Option<Runnable> {
        // ORDERING: Relaxed. The owner sees its own writes; a thief may come too early, and comes again.
        if self.0.load(Ordering::Relaxed).is_null() {
            return None;
        }
        // ORDERING: Acquire pairs with the Release in `put`.
        runnable(self.0.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Whether there is none. For the owner exact, for others a hint.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // ORDERING: Relaxed. As in `take`.
        self.0.load(Ordering::Relaxed).is_null()
    }
}

fn runnable(task: *mut Header) -> Option<Runnable> {
    // SAFETY: `put` stored it with its place, which leaves with the pointer: the swap took it out.
    NonNull::new(task).map(|task| unsafe { Runnable::from_raw(task) })
}
