//! One slot of `ring.rs`. Invariant I6 is that one's: the slot is its claimer's until it is stamped.

use core::mem::MaybeUninit;

use crate::planted;
use crate::shim::UnsafeCell;
use crate::shim::atomic::{AtomicU64, Ordering};

/// In a stamp: there is an item.
pub(super) const FULL: u64 = 1;

pub(super) struct Slot<T> {
    stamp: AtomicU64,
    value: UnsafeCell<MaybeUninit<T>>,
}

impl<T> Slot<T> {
    /// An empty slot, ready for the push of `position`.
    pub(super) fn new(position: u64) -> Self {
        Self {
            stamp: AtomicU64::new(position),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Writes the item and stamps the slot.
    ///
    /// # Safety
    ///
    /// The caller has claimed the push of `position`, and the stamp was seen to be ready for it (I6).
    #[inline(always)]
    pub(super) unsafe fn fill(&self, position: u64, value: T) {
        self.value.with_mut(|cell| {
            // SAFETY: the slot is the caller's; what was in it was moved out.
            unsafe { &mut *cell }.write(value);
        });
        let order = if planted!("queue_store.ring_relaxed_full") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire of `stamp` in a pop: the item is visible.
        self.stamp.store(position | FULL, order);
    }

    /// Moves the item out and stamps the slot `next`.
    ///
    /// # Safety
    ///
    /// The caller has claimed the pop of the position whose FULL stamp it has seen (I6).
    #[inline(always)]
    pub(super) unsafe fn empty(&self, next: u64) -> T {
        let value = self.value.with_mut(|cell| {
            // SAFETY: the slot is the caller's, and FULL.
            unsafe { (*cell).assume_init_read() }
        });
        let order = if planted!("queue_store.ring_relaxed_empty") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire of `stamp` in a push: the item was moved out.
        self.stamp.store(next, order);
        value
    }

    #[inline(always)]
    pub(super) fn stamp(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `fill` and `empty`.
        self.stamp.load(Ordering::Acquire)
    }
}
