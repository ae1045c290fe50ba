//! What a store whose items are under the lock shows to those who have no lock.
//!
//! Written under the line's lock, read by anybody. Invariant I1: whoever has popped an item, or was
//! told of it, finds it in `pushed`, because the lock that it came through ordered the store before.

use crate::shim::atomic::{AtomicU64, Ordering};
use crate::shim::diagnostic;

/// How many there are, were pushed, and were there at most.
#[derive(Debug)]
pub(super) struct Tally {
    pushed: AtomicU64,
    len: diagnostic::AtomicUsize,
    peak: diagnostic::AtomicUsize,
}

impl Tally {
    crate::const_fn! {
        /// Nothing yet.
        pub(super) const fn new() -> Self {
            Self {
                pushed: AtomicU64::new(0),
                len: diagnostic::AtomicUsize::new(0),
                peak: diagnostic::AtomicUsize::new(0),
            }
        }
    }

    /// One more was pushed, under the lock.
    pub(super) fn note_push(&self, len: usize) {
        let _number = self.note_pass();
        self.note_len(len);
    }

    /// One more went from hand to hand, under the lock. Returns its number.
    pub(super) fn note_pass(&self) -> u64 {
        // ORDERING: Relaxed, both. The lock that the writer has orders it for its next holder; others
        // get a snapshot.
        let pushed = self.pushed.load(Ordering::Relaxed);
        self.pushed.store(pushed + 1, Ordering::Relaxed);
        pushed
    }

    /// There are now so many, under the lock.
    pub(super) fn note_len(&self, len: usize) {
        // ORDERING: Relaxed, all. Numbers for people; the lock keeps writers apart.
        self.len.store(len, diagnostic::Ordering::Relaxed);
        if len > self.peak.load(diagnostic::Ordering::Relaxed) {
            // ORDERING: Relaxed, as above.
            self.peak.store(len, diagnostic::Ordering::Relaxed);
        }
    }

    pub(super) fn pushed(&self) -> u64 {
        // ORDERING: Relaxed. Whoever got an item got it from the lock, which orders (I1).
        self.pushed.load(Ordering::Relaxed)
    }

    pub(super) fn len(&self) -> usize {
        // ORDERING: Relaxed. A snapshot.
        self.len.load(diagnostic::Ordering::Relaxed)
    }

    pub(super) fn peak(&self) -> usize {
        // ORDERING: Relaxed. A snapshot.
        self.peak.load(diagnostic::Ordering::Relaxed)
    }
}
