//! No room at all: an item is there only on its way from a putter to a getter.
//!
//! The waiting machine pushes when it has a getter for the item and pops at once, under one lock. So
//! what is in the store after an unlock has come back from a getter that left.
//!
//! Tests: `sync/tests/queue_rendezvous.rs`.

use std::collections::VecDeque;

use super::store::{Full, Returned, Store};
use super::tally::Tally;

/// A store of capacity zero.
#[derive(Debug)]
pub struct Rendezvous(Tally);

impl Rendezvous {
    crate::const_fn! {
        /// Nothing on its way.
        pub const fn new() -> Self {
            Self(Tally::new())
        }
    }
}

impl Default for Rendezvous {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Store<T> for Rendezvous {
    type Inner = Returned<T>;

    fn push(&self, value: T) -> Result<(), T> {
        Err(value)
    }

    fn pop(&self) -> Option<T> {
        None
    }

    fn push_many(&self, _from: &mut VecDeque<T>) -> usize {
        0
    }

    fn pop_many(&self, _into: &mut Vec<T>, _max: usize) -> usize {
        0
    }

    fn hold(&self) {}

    fn release(&self) {}

    fn push_held(&self, inner: &mut Returned<T>, value: &mut Option<T>) -> Result<(), Full> {
        if let Some(value) = value.take() {
            let number = self.0.pushed();
            inner.insert(number, value);
            self.0.note_push(inner.len());
        }
        Ok(())
    }

    fn pop_held(&self, inner: &mut Returned<T>) -> Option<(u64, T)> {
        let popped = inner.pop()?;
        self.0.note_len(inner.len());
        Some(popped)
    }

    fn put_back(&self, inner: &mut Returned<T>, number: u64, value: T) {
        inner.insert(number, value);
        self.0.note_len(inner.len());
    }

    fn must_stay_held(&self, _inner: &Returned<T>) -> bool {
        false
    }

    fn len_held(&self, inner: &Returned<T>) -> usize {
        inner.len()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn capacity(&self) -> Option<usize> {
        Some(0)
    }

    fn pushed(&self) -> u64 {
        self.0.pushed()
    }

    fn peak(&self) -> usize {
        0
    }
}
