//! Notices a comparison that comes back to the queue that compares.
//!
//! A store that keeps its items in order compares them under the line's lock: the one place where user
//! code runs under a lock of ours. If that code used the same queue it would wait for itself for ever.
//! So the thread that has the lock leaves its mark beside it, and whoever finds its own mark there is
//! inside a comparison. No other thread can leave or clear that mark, so a relaxed look is exact.
//!
//! Tests: `sync/tests/queue_priority.rs`.

use crate::shim::diagnostic::{AtomicUsize, Ordering};
use crate::shim::local;

local! {
    static HERE: u8 = const { 0 };
}

/// A number that no other living thread has. 0 where the thread's locals are gone.
fn this_thread() -> usize {
    HERE.try_with(|here| core::ptr::from_ref(here).addr())
        .unwrap_or(0)
}

/// Whether this thread has the lock.
pub(super) fn is_inside(owner: &AtomicUsize) -> bool {
    // ORDERING: Relaxed. Only this thread's own mark matters.
    let mark = owner.load(Ordering::Relaxed);
    mark != 0 && mark == this_thread()
}

/// Panics if this thread has the lock.
pub(super) fn assert_outside(owner: &AtomicUsize) {
    assert!(
        !is_inside(owner),
        "an item's `Ord` used the PriorityQueue that compares it, which would wait for itself: \
         compare the items by what is in them, and use the queue outside `cmp`"
    );
}

pub(super) fn enter(owner: &AtomicUsize) {
    // ORDERING: Relaxed, as above; the lock orders the marks of different threads.
    owner.store(this_thread(), Ordering::Relaxed);
}

pub(super) fn leave(owner: &AtomicUsize) {
    // ORDERING: Relaxed, as above.
    owner.store(0, Ordering::Relaxed);
}
