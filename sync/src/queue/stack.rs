//! The last in is the first out.
//!
//! Everything goes through the line's lock, and the fast operations refuse. A lock-free stack would
//! make every push and pop meet in one word, and would need to know when a node is free of readers.
//!
//! Invariant I1: the items are in order of their numbers, the greatest on top. A push has the greatest;
//! an item that comes back is sorted in, so it stands above those that were pushed before it.
//!
//! Tests: `sync/tests/queue_store.rs`.

use core::fmt;
use std::collections::VecDeque;

use super::store::{Full, Store};
use super::tally::Tally;

/// A LIFO store.
pub struct Stack {
    capacity: Option<usize>,
    tally: Tally,
}

/// The items, with their numbers.
pub type Items<T> = Vec<(u64, T)>;

impl Stack {
    crate::const_fn! {
        /// A stack of at most so many, or of any number. A capacity of zero is the caller's mistake.
        pub const fn new(capacity: Option<usize>) -> Self {
            Self { capacity, tally: Tally::new() }
        }
    }
}

impl<T> Store<T> for Stack {
    type Inner = Items<T>;

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

    fn push_held(&self, items: &mut Items<T>, value: &mut Option<T>) -> Result<(), Full> {
        if self
            .capacity
            .is_some_and(|capacity| items.len() >= capacity)
        {
            return Err(Full);
        }
        items.reserve(1);
        if let Some(value) = value.take() {
            items.push((self.tally.pushed(), value));
            self.tally.note_push(items.len());
        }
        Ok(())
    }

    fn pop_held(&self, items: &mut Items<T>) -> Option<(u64, T)> {
        let top = items.pop()?;
        self.tally.note_len(items.len());
        Some(top)
    }

    fn pass(&self, _: &mut Items<T>) -> u64 {
        self.tally.note_pass()
    }

    fn put_back(&self, items: &mut Items<T>, number: u64, value: T) {
        let at = items.partition_point(|(other, _)| *other < number);
        items.insert(at, (number, value));
        self.tally.note_len(items.len());
    }

    fn must_stay_held(&self, _items: &Items<T>) -> bool {
        false
    }

    fn len_held(&self, items: &Items<T>) -> usize {
        items.len()
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

impl fmt::Debug for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stack")
            .field("capacity", &self.capacity)
            .field("tally", &self.tally)
            .finish()
    }
}
