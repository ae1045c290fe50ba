//! An unbounded FIFO without a lock: slots in linked blocks, and a spare block.
//!
//! A position counts `LAP` per block; the last of each lap has no slot and is the *transit* to the next
//! block:
//!
//! ```text
//!   offset   0    1   …   CELLS-1 │ CELLS = transit │ 0 of the next block
//!            └──── one slot each ─┘   │
//!            claim: + 1               └─ the claimer of slot CELLS-1 installs the next block, and + 1
//! ```
//!
//! ```text
//!   slot:   EMPTY ── push writes ──► FULL ── pop reads ──► READ ── all of the block READ ──► EMPTY
//! ```
//!
//! Invariants, besides those of `store.rs`:
//! - I5: `head.block` and `tail.block` are the blocks of their positions, except in transit, when they
//!   belong to the thread that claimed the last slot.
//! - I6: nobody looks into a block before the claim of a slot in it, and nobody after storing FULL or
//!   READ there.
//! - I7: a block whose slots are all READ, and that `head` has left, belongs to the thread that it was
//!   retired by or that took it from `limbo`.
//!
//! # Ordering
//!
//! A claim is an exchange of the word, after a look at the block of that word. The blocks are stored
//! (Release) before the word leaves transit (Release), so whoever sees the word (Acquire) sees its
//! block, or a later one. If it sees a later one (Acquire), then the claims that led there happened
//! before, and its own exchange fails. So a claim that succeeds has the block of its position (I5).
//!
//! The value passes by FULL (Release, Acquire). A pop claims what `tail` says is claimed, and waits for
//! FULL if the push is under way, like a holder. `head.limit` is a tail that was seen: up to there a pop
//! need not look at `tail`, whose line the pushers write.
//!
//! # The end of a block
//!
//! It may be used again, or freed, when nobody can look into it any more (I6): when `head` has left it,
//! and all its slots are READ. The pop of the last slot *retires* it: mostly all are READ, and it becomes
//! the spare, or is freed if there is one. If another pop is under way the block goes to the limbo, from
//! which the next to retire a block, or to need one, takes it. READ is stored with Release and seen
//! with Acquire, so the reuse comes after every read. `tail` has left it before: the push of the last slot
//! moves on before it stores FULL.
//!
//! Transit ends by an addition, not by a store: `hold` may have set HELD meanwhile, and must not be undone.
//! The one who claimed the last slot goes on although the store is held: it does not claim, and does
//! not change the count, since the transit and the first slot of the next block count the same.
//!
//! Rejected: a read-modify-write by each pop to find out who is the last in a block. The scan by one
//! thread costs a load per slot.
//! Rejected: a look at the slot before the claim, so that no pop would ever wait for a push. The
//! block could be freed at that moment; to prevent that costs every pop a fence.
//!
//! Tests: see `store.rs`.

use core::fmt;
use core::ptr;
use std::collections::VecDeque;

pub use super::block::CELLS;
use super::block::{Block, Fresh, LAP, Limbo, Slot};
use super::end::{End, STEP, count, offset};
use super::store::{Full, HELD, Returned, Store, after_way, give_way, until};
use crate::planted;
use crate::shim::atomic::{AtomicU64, Ordering};
use crate::shim::diagnostic::AtomicUsize;
use crate::shim::{CachePadded, Guess};

/// An unbounded FIFO store.
pub struct Blocks<T> {
    tail: CachePadded<End<T>>,
    head: CachePadded<End<T>>,
    /// Blocks that are not in use.
    limbo: Limbo<T>,
    peak: AtomicUsize,
    /// How many went past the store, from hand to hand: they have numbers too.
    passed: AtomicU64,
    /// How many came back; for [`Store::len`].
    returned: AtomicUsize,
}

// SAFETY: items enter in one thread and leave in another, which needs `T: Send`; a slot is used by one
// thread at a time, so that no `&T` is shared. Otherwise two threads would be in one slot.
unsafe impl<T: Send> Send for Blocks<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Blocks<T> {}

/// Positions claimed in one block.
struct Claim<T> {
    block: *mut Block<T>,
    offset: u64,
    count: u64,
}

/// Whether a claim needs HELD clear, or set.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Fast,
    Held,
}

/// How far the tail may go on before it looks at the head for a new peak: a queue that grows and grows
/// would otherwise look after each push, at a word that the poppers write.
const fn slack(peak: usize) -> usize {
    if peak < 1024 { 0 } else { peak / 64 }
}

impl<T> Blocks<T> {
    crate::const_fn! {
        /// An empty store. The first push makes the first block.
        pub const fn new() -> Self {
            Self {
                tail: CachePadded::new(End::new()),
                head: CachePadded::new(End::new()),
                limbo: Limbo::new(),
                peak: AtomicUsize::new(0),
                passed: AtomicU64::new(0),
                returned: AtomicUsize::new(0),
            }
        }
    }

    /// The number of the item that has so many before it.
    fn number(&self, count: u64) -> u64 {
        // ORDERING: Relaxed. It changes under the lock, while the store is empty; whoever has an item
        // that was counted here got it after.
        count + self.passed.load(Ordering::Relaxed)
    }

    /// The first block, for both ends: `head.block` first, so that there is nothing to wait for.
    #[cold]
    fn first_block(&self) {
        let fresh = Block::alloc();
        let null = ptr::null_mut();
        // ORDERING: Release publishes the block to the Acquire here and in `block`.
        let made =
            self.head
                .block
                .compare_exchange(null, fresh, Ordering::AcqRel, Ordering::Acquire);
        let first = match made {
            Ok(_) => fresh,
            Err(first) => {
                // SAFETY: made above, and published to nobody.
                unsafe { Block::free(fresh) };
                first
            }
        };
        // If this is no more the first one, then somebody has pushed, and the tail has its block.
        // ORDERING: Release pairs with the Acquire in `block`.
        let _ = self
            .tail
            .block
            .compare_exchange(null, first, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Claims the next `want` positions of the tail, or fewer: those of one block. `None`: held.
    #[inline(always)]
    fn claim_tail(&self, want: u64, mode: Mode) -> Option<Claim<T>> {
        let mut word = self.tail.word();
        let mut fresh = Fresh::new(&self.limbo);
        loop {
            if word & HELD != 0 && mode == Mode::Fast {
                return None;
            }
            let at = offset(word);
            if at == CELLS {
                word = self.tail.after_transit();
                continue;
            }
            let block = self.tail.block();
            if block.is_null() {
                self.first_block();
                word = self.tail.word();
                continue;
            }
            let count = want.min(CELLS - at);
            let is_last = at + count == CELLS;
            if is_last {
                fresh.make();
            }
            match self.tail.claim(word, count) {
                Err(now) => word = after_way(now, || self.tail.word()),
                Ok(_) => {
                    if is_last {
                        let next = fresh.take();
                        // SAFETY: the claimed slots are not FULL, so the block lives (I6, I7).
                        unsafe { (*block).set_next(next) };
                        self.tail.install(next);
                    }
                    self.note_peak(word + (count + u64::from(is_last)) * STEP);
                    return Some(Claim {
                        block,
                        offset: at,
                        count,
                    });
                }
            }
        }
    }

    /// Claims the next `want` positions of the head, or fewer: those of one block. `None`: empty or
    /// held.
    #[inline(always)]
    fn claim_head(&self, want: u64, mode: Mode) -> Option<Claim<T>> {
        let mut word = self.head.word();
        loop {
            if word & HELD != 0 && mode == Mode::Fast {
                return None;
            }
            let at = offset(word);
            if at == CELLS {
                word = self.head.after_transit();
                continue;
            }
            let there = self.pushed_beyond(word);
            if there == 0 {
                return None;
            }
            let block = self.head.block();
            if block.is_null() {
                // The first push is claimed, so the first block was made before.
                until(|| !self.head.block().is_null());
                continue;
            }
            let count = want.min(there).min(CELLS - at);
            match self.head.claim(word, count) {
                Err(now) => word = after_way(now, || self.head.word()),
                Ok(_) => {
                    if at + count == CELLS {
                        // SAFETY: the claimed slots are not READ, so the block lives (I6, I7).
                        self.head.install(unsafe { (*block).next() });
                    }
                    return Some(Claim {
                        block,
                        offset: at,
                        count,
                    });
                }
            }
        }
    }

    /// How many positions from this one of the head on are known to be claimed by pushes.
    #[inline(always)]
    fn pushed_beyond(&self, word: u64) -> u64 {
        let word = word & !HELD;
        // A tail that is in transit, or was seen before the head, counts no item too many.
        count(self.tail_seen(word)).saturating_sub(count(word))
    }

    /// A tail that was seen once: if that was not beyond this position of the head, then just now.
    #[inline(always)]
    fn tail_seen(&self, word: u64) -> u64 {
        // ORDERING: Relaxed. A tail that was seen once; FULL says when the item is there.
        let mut limit = self.head.limit.load(Ordering::Relaxed);
        if limit <= word {
            // ORDERING: Relaxed, as above.
            limit = self.tail.word.load(Ordering::Relaxed) & !HELD;
            // ORDERING: Relaxed, as above.
            self.head.limit.store(limit, Ordering::Relaxed);
        }
        limit
    }

    /// Writes the items of a claim.
    #[inline(always)]
    fn fill(claim: &Claim<T>, items: impl Iterator<Item = T>) {
        for (index, item) in (claim.offset..claim.offset + claim.count).zip(items) {
            // SAFETY: the slot was claimed and is not FULL, so the block lives, and it is the caller's.
            unsafe { Slot::fill(Block::slot(claim.block, index), item) };
        }
    }

    /// Reads the items of a claim, and retires the block after its last.
    #[inline(always)]
    fn empty(&self, claim: &Claim<T>, mut give: impl FnMut(T)) {
        for index in claim.offset..claim.offset + claim.count {
            // SAFETY: the slot was claimed and is not READ, so the block lives, and it is the caller's.
            give(unsafe { Slot::empty(Block::slot(claim.block, index)) });
        }
        if claim.offset + claim.count == CELLS {
            // SAFETY: the caller popped the last slot, so `head` has left the block and nobody else
            // retires it (I7).
            unsafe { self.limbo.retire(claim.block) };
        }
    }

    /// After a push up to `end`: is it the most there ever were?
    #[inline(always)]
    fn note_peak(&self, end: u64) {
        // ORDERING: Relaxed. A bound that was true when it was stored stays true.
        if end & !HELD > self.tail.limit.load(Ordering::Relaxed) {
            self.note_new_peak(end);
        }
    }

    #[cold]
    fn note_new_peak(&self, end: u64) {
        let head = self.head.count();
        let len = count(end).saturating_sub(head).max(1) as usize;
        // ORDERING: Relaxed, both. A number for people; mostly it stays as it is.
        let mut peak = self.peak.load(Ordering::Relaxed);
        if len > peak {
            // ORDERING: Relaxed, as above.
            peak = len.max(self.peak.fetch_max(len, Ordering::Relaxed));
        }
        let limit = head + peak as u64 + slack(peak) as u64;
        let limit = (limit / CELLS * LAP + limit % CELLS) * STEP;
        // ORDERING: Relaxed. Any limit ever computed is true for ever, but for the slack: the head only
        // grows.
        self.tail.limit.store(limit, Ordering::Relaxed);
    }

    /// A push whose first look did not settle it.
    #[inline(never)]
    fn push_again(&self, value: T) -> Result<(), T> {
        match self.claim_tail(1, Mode::Fast) {
            None => Err(value),
            Some(claim) => {
                Self::fill(&claim, core::iter::once(value));
                Ok(())
            }
        }
    }

    /// A pop whose first look did not settle it.
    #[inline(never)]
    fn pop_again(&self) -> Option<T> {
        let claim = self.claim_head(1, Mode::Fast)?;
        let mut item = None;
        self.empty(&claim, |value| item = Some(value));
        item
    }

    fn drop_items(&mut self) {
        let mut none = Returned::new();
        self.hold();
        while let Some((_, item)) = self.pop_held(&mut none) {
            drop(item);
        }
    }
}

impl<T> Store<T> for Blocks<T> {
    type Inner = Returned<T>;

    #[inline(always)]
    fn push(&self, value: T) -> Result<(), T> {
        let word = self.tail.word();
        if word & HELD != 0 {
            return Err(value);
        }
        let at = offset(word);
        let block = self.tail.block();
        // The common case: neither at the end of a block, nor the very first.
        if at + 1 < CELLS && !block.is_null() {
            if self.tail.claim(word, 1).is_ok() {
                // SAFETY: the slot was claimed and is not FULL, so the block lives, and it is the caller's.
                unsafe { Slot::fill(Block::slot(block, at), value) };
                self.note_peak(word + STEP);
                return Ok(());
            }
            give_way();
        }
        self.push_again(value)
    }

    #[inline(always)]
    fn pop(&self) -> Option<T> {
        let word = self.head.word();
        if word & HELD != 0 {
            return None;
        }
        let at = offset(word);
        let block = self.head.block();
        if at + 1 < CELLS && !block.is_null() && self.tail_seen(word) > word {
            if self.head.claim(word, 1).is_ok() {
                // SAFETY: the slot was claimed and is not READ, so the block lives, and it is the caller's.
                return Some(unsafe { Slot::empty(Block::slot(block, at)) });
            }
            give_way();
        }
        self.pop_again()
    }

    fn push_many(&self, from: &mut VecDeque<T>) -> usize {
        if from.is_empty() {
            return 0;
        }
        let Some(claim) = self.claim_tail(from.len() as u64, Mode::Fast) else {
            return 0;
        };
        Self::fill(&claim, from.drain(..claim.count as usize));
        claim.count as usize
    }

    fn pop_many(&self, into: &mut Vec<T>, max: usize) -> usize {
        // Before the claim: it can panic.
        let max = max.min(CELLS as usize).min(Store::<T>::len(self));
        into.reserve(max);
        if max == 0 {
            return 0;
        }
        let Some(claim) = self.claim_head(max as u64, Mode::Fast) else {
            return 0;
        };
        self.empty(&claim, |value| into.push(value));
        claim.count as usize
    }

    fn hold(&self) {
        if self.tail.is_held() {
            return;
        }
        // ORDERING: Relaxed. What a word holds is in the word; the proof is in `store.rs`.
        self.tail.word.fetch_or(HELD, Ordering::Relaxed);
        if !planted!("queue_store.blocks_hold_tail_only") {
            // ORDERING: Relaxed, as above.
            self.head.word.fetch_or(HELD, Ordering::Relaxed);
        }
    }

    fn release(&self) {
        if !self.tail.is_held() {
            return;
        }
        // An exchange and not a store: a transit may end at this moment.
        // ORDERING: Release, both, goes on with the release sequence of `install`, for `word`.
        self.head.word.fetch_and(!HELD, Ordering::Release);
        // ORDERING: Release, as above.
        self.tail.word.fetch_and(!HELD, Ordering::Release);
    }

    fn push_held(&self, _returned: &mut Returned<T>, value: &mut Option<T>) -> Result<(), Full> {
        debug_assert!(self.tail.is_held(), "I2: the store is not held");
        if value.is_some() {
            let claim = self.claim_tail(1, Mode::Held);
            let claim = claim.expect("the holder alone moves the tail");
            Self::fill(&claim, value.take().into_iter());
        }
        Ok(())
    }

    fn pop_held(&self, returned: &mut Returned<T>) -> Option<(u64, T)> {
        debug_assert!(self.tail.is_held(), "I2: the store is not held");
        if let Some(first) = returned.pop() {
            // ORDERING: Relaxed. A number for people.
            self.returned.store(returned.len(), Ordering::Relaxed);
            return Some(first);
        }
        let number = self.number(self.head.count());
        let claim = self.claim_head(1, Mode::Held)?;
        let mut item = None;
        self.empty(&claim, |value| item = Some((number, value)));
        item
    }

    #[inline]
    fn pass(&self, returned: &mut Returned<T>) -> u64 {
        debug_assert!(
            Store::<T>::len_held(self, returned) == 0,
            "an item is passed by"
        );
        let number = Store::<T>::pushed(self);
        // ORDERING: Relaxed, both. Written under the line's lock, and whoever has the item got it from there.
        let passed = self.passed.load(Ordering::Relaxed);
        self.passed.store(passed + 1, Ordering::Relaxed);
        number
    }

    fn put_back(&self, returned: &mut Returned<T>, number: u64, value: T) {
        debug_assert!(self.tail.is_held(), "I2: the store is not held");
        returned.insert(number, value);
        // ORDERING: Relaxed. A number for people.
        self.returned.store(returned.len(), Ordering::Relaxed);
    }

    fn must_stay_held(&self, returned: &Returned<T>) -> bool {
        returned.len() > 0
    }

    fn len_held(&self, returned: &Returned<T>) -> usize {
        (self.tail.count() - self.head.count()) as usize + returned.len()
    }

    fn len(&self) -> usize {
        // The head stood still while the tail was looked at, so there were so many then.
        // ORDERING: Acquire keeps the three looks in their order, and pairs with the Release of each
        // claim: a word is not older than the other one was for whoever moved that.
        let look = |end: &End<T>| count(end.word.load(Ordering::Acquire));
        let mut head = look(&self.head);
        let tail = loop {
            let tail = look(&self.tail);
            match look(&self.head) {
                same if same == head => break tail,
                later => head = later,
            }
        };
        let stored = tail.saturating_sub(head) as usize;
        // ORDERING: Relaxed. A snapshot.
        stored + self.returned.load(Ordering::Relaxed)
    }

    #[inline]
    fn has_items_held(&self, returned: &Returned<T>) -> bool {
        self.tail.count() > self.head.count() || returned.len() > 0
    }

    #[inline]
    fn seems_to_have_room(&self) -> bool {
        true
    }

    #[inline]
    fn seems_empty(&self) -> bool {
        self.head.word.guess() == self.tail.word.guess()
    }

    fn capacity(&self) -> Option<usize> {
        None
    }

    fn pushed(&self) -> u64 {
        self.number(self.tail.count())
    }

    fn peak(&self) -> usize {
        // ORDERING: Relaxed. A number for people.
        let noted = self.peak.load(Ordering::Relaxed);
        noted.max(Store::<T>::len(self)) // the last few may not have been noted
    }
}

impl<T> Default for Blocks<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Drop for Blocks<T> {
    fn drop(&mut self) {
        /// Goes on with the rest when the drop of an item panics, and frees the blocks at the end.
        struct Rest<'a, T>(&'a mut Blocks<T>);

        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.0.drop_items();
                let last = self.0.head.block();
                if !last.is_null() && !planted!("queue_store.blocks_forget_the_last_block") {
                    // SAFETY: nobody else is here, and no item is left; so this is the only block in
                    // use.
                    unsafe { Block::free(last) };
                }
            }
        }

        Rest(self).0.drop_items();
    }
}

impl<T> fmt::Debug for Blocks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocks")
            .field("len", &Store::<T>::len(self))
            .finish()
    }
}
