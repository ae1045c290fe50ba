//! The smallest is the first out; among equals, the first in.
//!
//! Everything goes through the line's lock, and the fast operations refuse. A binary heap of items with
//! their numbers, where an item is before another if it is smaller, or equal with a smaller number.
//! So there are no equals, and the order is total if `Ord` is.
//!
//! Invariants:
//! - I1: comparing is user code, and the only one here. A push or a pop does all its comparing before
//!   anything moves: it finds the way of the hole first, then moves along it. An `Ord` that panics
//!   finds the heap as it was, and so does everybody after.
//! - I2: an item that comes back is not compared, because it comes from a destructor. It waits in
//!   `returned`, and the next operation sorts it in, with the same care.
//! - I3: an `Ord` that contradicts itself makes the order wrong, and nothing else.
//!
//! Rejected: `std`'s binary heap. Where it stands after a panic is not promised, it is not stable, and
//! its greatest is the first.
//!
//! Tests: below, `sync/tests/queue_store.rs`.

use core::fmt;
use std::collections::VecDeque;

use super::store::{Full, Store};
use super::tally::Tally;

/// A store in order of priority.
pub struct Heap {
    capacity: Option<usize>,
    tally: Tally,
}

/// The items of a [`Heap`].
pub struct Sorted<T> {
    /// Each is before its two children, which are at `2 i + 1` and `2 i + 2`.
    heap: Vec<(u64, T)>,
    /// Those that came back and are not sorted in yet.
    returned: Vec<(u64, T)>,
}

impl Heap {
    crate::const_fn! {
        /// A heap of at most so many, or of any number. A capacity of zero is the caller's mistake.
        pub const fn new(capacity: Option<usize>) -> Self {
            Self { capacity, tally: Tally::new() }
        }
    }
}

impl<T> Sorted<T> {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            heap: Vec::new(),
            returned: Vec::new(),
        }
    }

    fn len(&self) -> usize {
        self.heap.len() + self.returned.len()
    }
}

/// Whether the first of the two goes out before the second.
fn is_before<T: Ord>(one: (u64, &T), other: (u64, &T)) -> bool {
    one.1.cmp(other.1).then(one.0.cmp(&other.0)).is_lt()
}

impl<T: Ord> Sorted<T> {
    /// Where this item belongs if it goes up from the end. Compares, and moves nothing.
    fn place_of(&self, number: u64, value: &T) -> usize {
        let mut at = self.heap.len();
        while at > 0 {
            let parent = (at - 1) / 2;
            let (other, item) = &self.heap[parent];
            if !is_before((number, value), (*other, item)) {
                break;
            }
            at = parent;
        }
        at
    }

    /// Puts an item at the end and moves it up to `place`, one of its ancestors. Compares nothing.
    fn insert(&mut self, place: usize, item: (u64, T)) {
        let mut at = self.heap.len();
        self.heap.push(item);
        while at > place {
            let parent = (at - 1) / 2;
            self.heap.swap(at, parent);
            at = parent;
        }
    }

    /// Sorts in what came back. Each is compared where it waits.
    fn settle(&mut self) {
        while let Some((number, value)) = self.returned.last() {
            let place = self.place_of(*number, value);
            if let Some(item) = self.returned.pop() {
                self.insert(place, item);
            }
        }
    }

    /// Where the last item ends up if it goes down from the top. Compares, and moves nothing.
    fn place_of_last(&self) -> usize {
        let last = self.heap.len() - 1;
        let (number, value) = &self.heap[last];
        let mut at = 0;
        while let Some(child) = self.first_child(at, last) {
            let (other, item) = &self.heap[child];
            if !is_before((*other, item), (*number, value)) {
                break;
            }
            at = child;
        }
        at
    }

    /// Which child of `at` goes out first, of those below `end`.
    fn first_child(&self, at: usize, end: usize) -> Option<usize> {
        let (left, right) = (2 * at + 1, 2 * at + 2);
        if right >= end {
            return (left < end).then_some(left);
        }
        let (one, other) = (&self.heap[left], &self.heap[right]);
        let is_right = is_before((other.0, &other.1), (one.0, &one.1));
        Some(if is_right { right } else { left })
    }

    fn pop(&mut self) -> Option<(u64, T)> {
        if self.heap.is_empty() {
            return None;
        }
        let place = self.place_of_last();
        let top = self.heap.swap_remove(0);
        self.lower(place);
        Some(top)
    }

    /// Moves the item at the top down to `place`, along the parents of `place`. Compares nothing.
    fn lower(&mut self, place: usize) {
        let depth = (place + 1).ilog2();
        let mut at = 0;
        for level in (0..depth).rev() {
            let child = ((place + 1) >> level) - 1;
            self.heap.swap(at, child);
            at = child;
        }
    }
}

impl<T: Ord> Store<T> for Heap {
    type Inner = Sorted<T>;

    const COMPARES: bool = true;

    #[inline(always)]
    fn push(&self, value: T) -> Result<(), T> {
        Err(value)
    }

    #[inline(always)]
    fn pop(&self) -> Option<T> {
        None
    }

    #[inline(always)]
    fn push_many(&self, _from: &mut VecDeque<T>) -> usize {
        0
    }

    #[inline(always)]
    fn pop_many(&self, _into: &mut Vec<T>, _max: usize) -> usize {
        0
    }

    #[inline(always)]
    fn hold(&self) {}

    #[inline(always)]
    fn release(&self) {}

    fn push_held(&self, sorted: &mut Sorted<T>, value: &mut Option<T>) -> Result<(), Full> {
        if self
            .capacity
            .is_some_and(|capacity| sorted.len() >= capacity)
        {
            return Err(Full);
        }
        sorted.settle();
        let number = self.tally.pushed();
        if let Some(item) = value {
            let place = sorted.place_of(number, item);
            sorted.heap.reserve(1);
            if let Some(item) = value.take() {
                sorted.insert(place, (number, item));
            }
            self.tally.note_push(sorted.len());
        }
        Ok(())
    }

    fn pop_held(&self, sorted: &mut Sorted<T>) -> Option<(u64, T)> {
        sorted.settle();
        let top = sorted.pop()?;
        self.tally.note_len(sorted.len());
        Some(top)
    }

    fn pass(&self, _: &mut Sorted<T>) -> u64 {
        self.tally.note_pass()
    }

    fn put_back(&self, sorted: &mut Sorted<T>, number: u64, value: T) {
        sorted.returned.push((number, value));
        self.tally.note_len(sorted.len());
    }

    fn must_stay_held(&self, _sorted: &Sorted<T>) -> bool {
        false
    }

    fn len_held(&self, sorted: &Sorted<T>) -> usize {
        sorted.len()
    }

    fn len(&self) -> usize {
        self.tally.len()
    }

    fn seems_empty(&self) -> bool {
        self.tally.len() == 0
    }

    fn capacity(&self) -> Option<usize> {
        self.capacity
    }

    fn pushed(&self) -> u64 {
        self.tally.pushed()
    }

    fn peak(&self) -> usize {
        self.tally.peak()
    }
}

impl<T> Default for Sorted<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heap")
            .field("capacity", &self.capacity)
            .field("tally", &self.tally)
            .finish()
    }
}

impl<T> fmt::Debug for Sorted<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sorted").field("len", &self.len()).finish()
    }
}
