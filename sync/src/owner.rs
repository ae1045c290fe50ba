//! Who took a lock: a note beside the word that says whether it is taken.
//!
//! Written by whoever has taken the lock, and read beside a word that says that somebody has. It is not
//! part of any protocol: between the word and the note the last owner may still stand here.

use core::num::NonZeroU64;

use crate::shim::diagnostic::{AtomicU64, Ordering};

/// The number of the task that took the lock last; zero if it was no task of tenter.
#[derive(Debug)]
pub(crate) struct Owner(AtomicU64);

impl Owner {
    pub(crate) const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// The caller, which is the task of this number or, with zero, none, has taken the lock.
    #[inline(always)]
    pub(crate) fn set(&self, task: u64) {
        // ORDERING: Relaxed. A note for diagnoses.
        self.0.store(task, Ordering::Relaxed);
    }

    /// Who took it last.
    pub(crate) fn get(&self) -> Option<NonZeroU64> {
        // ORDERING: Relaxed. A note for diagnoses.
        NonZeroU64::new(self.0.load(Ordering::Relaxed))
    }
}
