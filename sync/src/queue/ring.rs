//! A bounded FIFO without a lock: slots in a ring, with a stamp each.
//!
//! A position is a lap and an index in one word, `lap * one_lap + index * 2`, so that bit 0 is free for
//! HELD in `head` and `tail`, and for FULL in a stamp. The stamps of one slot, for position `p`:
//!
//! ```text
//!          push claims p, writes, stamps          pop claims p, reads, stamps
//!   p ────────────────────────────────► p | FULL ────────────────────────────► p + one_lap
//!   ready for the push of p             ready for the pop of p                 ready for the next lap
//! ```
//!
//! Invariants, besides those of `store.rs`:
//! - I5: a stamp only grows. It is `p` only while `tail` is at most `p`, or the push of `p` is under way;
//!   it is `p | FULL` only while `head` is at most `p`, or the pop of `p` is under way.
//! - I6: a slot belongs to whoever claimed the position that its stamp is ready for, until that
//!   operation stamps it.
//!
//! # Why one compare-exchange is enough
//!
//! A push looks at the stamp first, then claims. When the exchange of `tail` from `p` succeeds, nobody
//! has claimed `p` before, so a stamp that was seen to be `p` still is (I5), and the slot is its own
//! (I6). The value passes from push to pop, and the place from pop to push, by the stamp: Release when
//! it is stored, Acquire when it is seen. The words publish nothing but each other, for the length
//! (`store.rs`). A batch looks at the stamps of all its slots, then claims them by one exchange; the same
//! holds for each.
//!
//! A pop of a ring without slots finds no slots and refuses; the first push makes them, so that the
//! constructor is `const`.
//!
//! # The peak
//!
//! `limit` is a head that was seen, advanced by the peak. A push that does not pass it cannot have made
//! a new peak, so it does not read `head`, whose line the poppers write.
//!
//! Rejected: positions that count on without laps. They need a division, or a power of two.
//! Rejected: claiming by `fetch_add`. It cannot refuse: not when full, and not when held.
//!
//! Tests: see `store.rs`.

mod memory;

use core::fmt;
use core::ptr::{self, NonNull};
use std::collections::VecDeque;

use super::slot::{FULL, Slot};
use super::store::{Full, HELD, Returned, Store, after_way, claim_order, give_way, until};
use crate::planted;
use crate::shim::atomic::{AtomicPtr, AtomicU64, Ordering};
use crate::shim::diagnostic::{self, AtomicUsize};
use crate::shim::{CachePadded, Guess};

/// One step of the index.
const STEP: u64 = 2;

/// A bounded FIFO store.
pub struct Ring<T> {
    tail: CachePadded<Tail>,
    head: CachePadded<AtomicU64>,
    slots: AtomicPtr<Slot<T>>,
    capacity: u64,
    one_lap: u64,
    /// How many went past the store, from hand to hand: they have numbers too.
    passed: AtomicU64,
    /// How many came back; for [`Store::len`].
    returned: AtomicUsize,
}

struct Tail {
    word: AtomicU64,
    /// A push up to here makes no new peak.
    limit: diagnostic::AtomicU64,
    peak: AtomicUsize,
}

/// A run of slots that are ready, from the position where it was looked for.
struct Run {
    count: usize,
    end: u64,
    /// The stamp that ended it.
    stop: u64,
}

// SAFETY: items enter in one thread and leave in another, which needs `T: Send`; a slot is used by one
// thread at a time (I6), so that no `&T` is shared. Without I6 two threads would be in one slot.
unsafe impl<T: Send> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Ring<T> {}

impl<T> Ring<T> {
    /// The greatest capacity.
    pub const CAPACITY_MAX: usize = (isize::MAX as usize) >> 16;

    crate::const_fn! {
        /// A ring of so many slots, which are made at the first push.
        ///
        /// # Panics
        ///
        /// If the capacity is zero or above [`CAPACITY_MAX`](Self::CAPACITY_MAX).
        #[track_caller]
        pub const fn new(capacity: usize) -> Self {
            assert!(capacity > 0, "a queue of capacity 0 can hold nothing: use 1 or more");
            assert!(capacity <= Self::CAPACITY_MAX, "the capacity of a queue is above 2^47: use an unbounded one");
            Self {
                tail: CachePadded::new(Tail {
                    word: AtomicU64::new(0),
                    limit: diagnostic::AtomicU64::new(0),
                    peak: AtomicUsize::new(0),
                }),
                head: CachePadded::new(AtomicU64::new(0)),
                slots: AtomicPtr::new(ptr::null_mut()),
                capacity: capacity as u64,
                one_lap: (capacity as u64).next_power_of_two() * STEP,
                passed: AtomicU64::new(0),
                returned: AtomicUsize::new(0),
            }
        }
    }

    /// `position` and `count` further, which is at most the capacity.
    #[inline(always)]
    fn advance(&self, position: u64, count: u64) -> u64 {
        let index = (position & (self.one_lap - 1)) + count * STEP;
        let end = self.capacity * STEP;
        if index < end {
            position + count * STEP
        } else {
            (position & !(self.one_lap - 1)) + self.one_lap + (index - end)
        }
    }

    /// How many positions there are before this one.
    #[inline]
    fn count(&self, position: u64) -> u64 {
        let laps = position >> self.one_lap.trailing_zeros();
        laps * self.capacity + (position & (self.one_lap - 1)) / STEP
    }

    /// How many positions there are from `head` to `tail`, which is at most one lap further.
    #[inline(always)]
    fn between(&self, head: u64, tail: u64) -> u64 {
        let index = |position: u64| (position & (self.one_lap - 1)) / STEP;
        let lap = if (head ^ tail) < self.one_lap {
            0
        } else {
            self.capacity
        };
        (index(tail) + lap).wrapping_sub(index(head))
    }

    /// The number of the item that is, or will be, pushed at this position.
    fn number(&self, position: u64) -> u64 {
        // ORDERING: Relaxed. It changes under the lock, while the store is empty; whoever has an item
        // that was counted here got it after.
        self.count(position) + self.passed.load(Ordering::Relaxed)
    }

    /// The slot of a position.
    #[inline(always)]
    fn slot(&self, slots: *mut Slot<T>, position: u64) -> &Slot<T> {
        let index = (position & (self.one_lap - 1)) / STEP;
        debug_assert!(!slots.is_null() && index < self.capacity);
        // SAFETY: `slots` came from `slots` or `make_slots` and is not null, so it is an array of
        // `capacity` slots that lives as long as `self`; an index is below the capacity.
        unsafe { &*slots.add(index as usize) }
    }

    /// The run of at most `want` slots from `position` that have a stamp with this flag.
    #[inline]
    fn run(&self, slots: *mut Slot<T>, position: u64, flag: u64, want: usize) -> Run {
        let mut run = Run {
            count: 0,
            end: position,
            stop: position,
        };
        let want = want.min(self.capacity as usize);
        while run.count < want {
            run.stop = self.slot(slots, run.end).stamp();
            if run.stop != run.end | flag
                && !(run.count > 0 && planted!("queue_store.ring_batch_of_one_look"))
            {
                break;
            }
            run.count += 1;
            run.end = self.advance(run.end, 1);
        }
        run
    }

    /// After a push up to `end`: is it the most there ever were?
    #[inline(always)]
    fn note_peak(&self, end: u64) {
        // ORDERING: Relaxed. A bound that was true when it was stored stays true.
        if end > self.tail.limit.load(Ordering::Relaxed) {
            self.note_new_peak(end);
        }
    }

    #[cold]
    fn note_new_peak(&self, end: u64) {
        let head = self.position(&self.head);
        let len = self.count(end).saturating_sub(self.count(head)).max(1);
        let len = len.min(self.capacity) as usize;
        // ORDERING: Relaxed, both. A number for people; mostly it stays as it is.
        let mut peak = self.tail.peak.load(Ordering::Relaxed);
        if len > peak {
            // ORDERING: Relaxed, as above.
            peak = len.max(self.tail.peak.fetch_max(len, Ordering::Relaxed));
        }
        let limit = if peak as u64 == self.capacity {
            u64::MAX
        } else {
            self.advance(head, peak as u64)
        };
        // ORDERING: Relaxed. Any limit ever computed is true for ever: the head only grows.
        self.tail.limit.store(limit, Ordering::Relaxed);
    }

    /// The position in a word, as it was lately; for the holder, as it is.
    #[inline(always)]
    fn position(&self, word: &AtomicU64) -> u64 {
        // ORDERING: Relaxed. The holder's exchange in `hold` was the last change by others; nobody
        // else needs more than a snapshot.
        word.load(Ordering::Relaxed) & !HELD
    }

    fn is_held(&self) -> bool {
        // ORDERING: Relaxed. The flag changes under the line's lock (I1), which the caller has.
        self.tail.word.load(Ordering::Relaxed) & HELD != 0
    }

    /// A push whose first look did not settle it.
    #[inline(never)]
    fn push_again(&self, value: T) -> Result<(), T> {
        let mut tail = self.tail.word.guess();
        let slots = self.slots_made();
        loop {
            if tail & HELD != 0 {
                return Err(value);
            }
            let slot = self.slot(slots, tail);
            let stamp = slot.stamp();
            if stamp == tail {
                let end = self.advance(tail, 1);
                match claim(&self.tail.word, tail, end) {
                    Err(now) => tail = after_way(now, || self.tail.word.guess()),
                    Ok(_) => {
                        // SAFETY: claimed, and ready.
                        unsafe { slot.fill(tail, value) };
                        self.note_peak(end);
                        return Ok(());
                    }
                }
            } else if stamp < tail {
                return Err(value); // full, or a pop is under way
            } else {
                tail = self.tail.word.guess();
            }
        }
    }

    /// A pop whose first look did not settle it.
    #[inline(never)]
    fn pop_again(&self) -> Option<T> {
        let slots = self.slots();
        if slots.is_null() {
            return None;
        }
        let mut head = self.head.guess();
        loop {
            if head & HELD != 0 {
                return None;
            }
            let slot = self.slot(slots, head);
            let stamp = slot.stamp();
            if stamp == head | FULL {
                match claim(&self.head, head, self.advance(head, 1)) {
                    Err(now) => head = after_way(now, || self.head.guess()),
                    // SAFETY: claimed, and FULL.
                    Ok(_) => return Some(unsafe { slot.empty(head + self.one_lap) }),
                }
            } else if stamp <= head {
                return None; // empty, or a push is under way
            } else {
                head = self.head.guess();
            }
        }
    }

    fn drop_items(&mut self) {
        let mut none = Returned::new();
        self.hold();
        while let Some((_, item)) = self.pop_held(&mut none) {
            drop(item);
        }
    }
}

/// Claims the positions from `seen` to `end`; `Err` with the word as it is.
#[inline(always)]
fn claim(word: &AtomicU64, seen: u64, end: u64) -> Result<u64, u64> {
    if planted!("queue_store.ring_claim_without_look") {
        word.store(end, Ordering::Relaxed);
        return Ok(seen);
    }
    let order = claim_order(planted!("queue_store.ring_relaxed_claim"));
    // ORDERING: Release pairs with the Acquire in `len`, for the other word; the stamps publish the items.
    word.compare_exchange_weak(seen, end, order, Ordering::Relaxed)
}

impl<T> Store<T> for Ring<T> {
    type Inner = Returned<T>;

    #[inline(always)]
    fn push(&self, value: T) -> Result<(), T> {
        let tail = self.tail.word.guess();
        if tail & HELD != 0 {
            return Err(value);
        }
        let slots = self.slots();
        if !slots.is_null() {
            let slot = self.slot(slots, tail);
            let end = self.advance(tail, 1);
            if slot.stamp() == tail {
                if claim(&self.tail.word, tail, end).is_ok() {
                    // SAFETY: claimed, and ready.
                    unsafe { slot.fill(tail, value) };
                    self.note_peak(end);
                    return Ok(());
                }
                give_way();
            }
        }
        self.push_again(value)
    }

    #[inline(always)]
    fn pop(&self) -> Option<T> {
        let head = self.head.guess();
        if head & HELD != 0 {
            return None;
        }
        let slots = self.slots();
        if !slots.is_null() {
            let slot = self.slot(slots, head);
            let next = self.advance(head, 1);
            if slot.stamp() == head | FULL {
                if claim(&self.head, head, next).is_ok() {
                    // SAFETY: claimed, and FULL.
                    return Some(unsafe { slot.empty(head + self.one_lap) });
                }
                give_way();
            }
        }
        self.pop_again()
    }

    fn push_many(&self, from: &mut VecDeque<T>) -> usize {
        let mut tail = self.tail.word.guess();
        let slots = self.slots_made();
        while tail & HELD == 0 && !from.is_empty() {
            let run = self.run(slots, tail, 0, from.len());
            if run.count == 0 && run.stop < tail {
                break;
            }
            if run.count == 0 {
                tail = self.tail.word.guess();
                continue;
            }
            if let Err(now) = claim(&self.tail.word, tail, run.end) {
                tail = now;
                continue;
            }
            for value in from.drain(..run.count) {
                // SAFETY: claimed, and each was seen to be ready.
                unsafe { self.slot(slots, tail).fill(tail, value) };
                tail = self.advance(tail, 1);
            }
            self.note_peak(run.end);
            return run.count;
        }
        0
    }

    fn pop_many(&self, into: &mut Vec<T>, max: usize) -> usize {
        let slots = self.slots();
        if slots.is_null() || max == 0 {
            return 0;
        }
        let mut head = self.head.guess();
        while head & HELD == 0 {
            let run = self.run(slots, head, FULL, max);
            if run.count == 0 && run.stop <= head {
                break;
            }
            if run.count == 0 {
                head = self.head.guess();
                continue;
            }
            // Before the claim: it can panic.
            into.reserve(run.count);
            if let Err(now) = claim(&self.head, head, run.end) {
                head = now;
                continue;
            }
            for _ in 0..run.count {
                // SAFETY: claimed, and each was seen to be FULL.
                into.push(unsafe { self.slot(slots, head).empty(head + self.one_lap) });
                head = self.advance(head, 1);
            }
            return run.count;
        }
        0
    }

    fn hold(&self) {
        if self.is_held() {
            return;
        }
        // ORDERING: Relaxed. What a word holds is in the word; the proof is in `store.rs`.
        self.tail.word.fetch_or(HELD, Ordering::Relaxed);
        if !planted!("queue_store.ring_hold_tail_only") {
            // ORDERING: Relaxed, as above.
            self.head.fetch_or(HELD, Ordering::Relaxed);
        }
    }

    fn release(&self) {
        if !self.is_held() {
            return;
        }
        let (head, tail) = (self.position(&self.head), self.position(&self.tail.word));
        // ORDERING: Release, both: as in `claim`. Nobody else changes a word that is held, so a store is
        // enough.
        self.head.store(head, Ordering::Release);
        self.tail.word.store(tail, Ordering::Release);
    }

    fn push_held(&self, returned: &mut Returned<T>, value: &mut Option<T>) -> Result<(), Full> {
        debug_assert!(self.is_held(), "I2: the store is not held");
        if self.len_held(returned) as u64 >= self.capacity {
            return Err(Full);
        }
        let tail = self.position(&self.tail.word);
        let slots = self.slots_made();
        let slot = self.slot(slots, tail);
        if slot.stamp() != tail && !planted!("queue_store.ring_no_wait_for_pop") {
            until(|| slot.stamp() == tail);
        }
        if let Some(value) = value.take() {
            let end = self.advance(tail, 1);
            let order = claim_order(planted!("queue_store.ring_relaxed_held_claim"));
            // ORDERING: Release, as in `claim`; before the stamp, so that whoever has the item finds it counted.
            self.tail.word.store(end | HELD, order);
            // SAFETY: claimed by the store, since the word is held; and ready.
            unsafe { slot.fill(tail, value) };
            self.note_peak(end);
        }
        Ok(())
    }

    fn pop_held(&self, returned: &mut Returned<T>) -> Option<(u64, T)> {
        debug_assert!(self.is_held(), "I2: the store is not held");
        if let Some(first) = returned.pop() {
            // ORDERING: Relaxed. A number for people.
            self.returned.store(returned.len(), Ordering::Relaxed);
            return Some(first);
        }
        let head = self.position(&self.head);
        if head == self.position(&self.tail.word) {
            return None;
        }
        // A push may have claimed before this thread has seen the slots that it used.
        let slots = self.slots_made();
        let slot = self.slot(slots, head);
        if slot.stamp() != head | FULL {
            if planted!("queue_store.ring_no_wait_for_push") {
                return None;
            }
            until(|| slot.stamp() == head | FULL);
        }
        let order = claim_order(planted!("queue_store.ring_relaxed_held_claim"));
        // ORDERING: Release, as in `claim`.
        self.head.store(self.advance(head, 1) | HELD, order);
        // SAFETY: claimed by the store, since the word is held; and FULL.
        let item = unsafe { slot.empty(head + self.one_lap) };
        Some((self.number(head), item))
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
        debug_assert!(self.is_held(), "I2: the store is not held");
        returned.insert(number, value);
        // ORDERING: Relaxed. A number for people.
        self.returned.store(returned.len(), Ordering::Relaxed);
    }

    fn must_stay_held(&self, returned: &Returned<T>) -> bool {
        returned.len() > 0 && !planted!("queue_store.ring_passes_by_what_came_back")
    }

    #[inline]
    fn len_held(&self, returned: &Returned<T>) -> usize {
        let (head, tail) = (self.position(&self.head), self.position(&self.tail.word));
        self.between(head, tail) as usize + returned.len()
    }

    #[inline]
    fn has_items_held(&self, returned: &Returned<T>) -> bool {
        self.position(&self.head) != self.position(&self.tail.word) || returned.len() > 0
    }

    fn len(&self) -> usize {
        // The head stood still while the tail was looked at, so there were so many then.
        // ORDERING: Acquire keeps the three looks in their order, and pairs with the Release of each
        // claim: a word is not older than the other one was for whoever moved that.
        let look = |word: &AtomicU64| word.load(Ordering::Acquire) & !HELD;
        let mut head = look(&self.head);
        let tail = loop {
            let tail = look(&self.tail.word);
            match look(&self.head) {
                same if same == head => break tail,
                later => head = later,
            }
        };
        let stored = self
            .count(tail)
            .saturating_sub(self.count(head))
            .min(self.capacity);
        // ORDERING: Relaxed. A snapshot.
        stored as usize + self.returned.load(Ordering::Relaxed)
    }

    #[inline]
    fn seems_to_have_room(&self) -> bool {
        // Two guesses need not fit together; those that do not say anything.
        let (head, tail) = (self.head.guess(), self.tail.word.guess());
        self.between(head & !HELD, tail & !HELD) < self.capacity
    }

    #[inline]
    fn seems_empty(&self) -> bool {
        self.head.guess() == self.tail.word.guess()
    }

    fn capacity(&self) -> Option<usize> {
        Some(self.capacity as usize)
    }

    fn pushed(&self) -> u64 {
        self.number(self.position(&self.tail.word))
    }

    fn peak(&self) -> usize {
        // ORDERING: Relaxed. A number for people.
        self.tail.peak.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        /// Goes on with the rest when the drop of an item panics, and frees the slots at the end.
        struct Rest<'a, T>(&'a mut Ring<T>);

        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.0.drop_items();
                if let Some(slots) = NonNull::new(self.0.slots()) {
                    // SAFETY: the ring is being dropped, and its items were.
                    unsafe { self.0.free_slots(slots) };
                }
            }
        }

        Rest(self).0.drop_items();
    }
}

impl<T> fmt::Debug for Ring<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ring")
            .field("len", &Store::len(self))
            .field("capacity", &self.capacity)
            .finish()
    }
}
