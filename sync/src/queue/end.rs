//! One end of `blocks.rs`: a word, and the block of its position. Invariant I5 is that one's.

use core::ptr;

use super::block::{Block, CELLS, LAP};
use super::store::{HELD, claim_order, until};
use crate::planted;
use crate::shim::MODELLED;
use crate::shim::atomic::{AtomicPtr, AtomicU64, Ordering};

/// One position, in a word.
pub(super) const STEP: u64 = 2;

/// One end of the queue.
pub(super) struct End<T> {
    pub(super) word: AtomicU64,
    pub(super) block: AtomicPtr<Block<T>>,
    /// Up to here the other end need not be looked at. At the head: a tail that was seen. At the tail:
    /// a head that was seen, and the peak further.
    pub(super) limit: AtomicU64,
}

/// The slot of a word's position; [`CELLS`] in transit.
#[inline(always)]
pub(super) const fn offset(word: u64) -> u64 {
    (word / STEP) % LAP
}

/// How many items there are before this position.
#[inline(always)]
pub(super) const fn count(word: u64) -> u64 {
    word / STEP / LAP * CELLS + offset(word)
}

impl<T> End<T> {
    crate::const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                word: AtomicU64::new(0),
                block: AtomicPtr::new(ptr::null_mut()),
                limit: AtomicU64::new(0),
            }
        }
    }

    #[inline(always)]
    pub(super) fn word(&self) -> u64 {
        if MODELLED {
            let order = if planted!("queue_store.blocks_relaxed_word") {
                Ordering::Relaxed
            } else {
                Ordering::Acquire
            };
            // As `Guess`, but Acquire.
            // ORDERING: Acquire, as below.
            let newest = self.word.compare_exchange(u64::MAX, u64::MAX, order, order);
            return newest.unwrap_or_else(|word| word);
        }
        // ORDERING: Acquire pairs with the Release in `install`: the block of this word is visible.
        self.word.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(super) fn block(&self) -> *mut Block<T> {
        // ORDERING: Acquire pairs with the Release in `install` and `first_block`: the block's slots are
        // visible, and if it is later than the word, so is the newer word, and the claim fails.
        self.block.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(super) fn claim(&self, seen: u64, count: u64) -> Result<u64, u64> {
        let order = claim_order(planted!("queue_store.blocks_relaxed_claim"));
        // ORDERING: Release pairs with the Acquire in `len`, for the other word. What the claim gives is
        // visible by `word` and `block` before it, and by FULL and READ after it. Failure is Acquire, as
        // in `word`, because the result is looked at again.
        self.word
            .compare_exchange_weak(seen, seen + count * STEP, order, Ordering::Acquire)
    }

    /// Ends the transit, by the one who claimed the last slot.
    #[inline]
    pub(super) fn install(&self, next: *mut Block<T>) {
        // ORDERING: Release pairs with the Acquire in `block`.
        self.block.store(next, Ordering::Release);
        if planted!("queue_store.blocks_transit_by_store") {
            let word = self.word.load(Ordering::Relaxed) & !HELD;
            self.word.store(word + STEP, Ordering::Release);
            return;
        }
        // ORDERING: Release pairs with the Acquire in `word`.
        self.word.fetch_add(STEP, Ordering::Release);
    }

    /// The word when it is not in transit.
    #[cold]
    pub(super) fn after_transit(&self) -> u64 {
        until(|| offset(self.word()) != CELLS);
        self.word()
    }

    pub(super) fn is_held(&self) -> bool {
        // ORDERING: Relaxed. The flag changes under the line's lock (I1), which the caller has.
        self.word.load(Ordering::Relaxed) & HELD != 0
    }

    pub(super) fn count(&self) -> u64 {
        // ORDERING: Relaxed. Exact for the holder, whose exchange in `hold` was the last claim; a
        // snapshot for others.
        count(self.word.load(Ordering::Relaxed))
    }
}
