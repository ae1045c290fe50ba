//! The stores of a first-in-first-out queue as one: what differs is the room that they have.

use std::collections::VecDeque;

use super::blocks::Blocks;
use super::rendezvous::Rendezvous;
use super::ring::Ring;
use super::store::{Full, Returned, Store};

/// First in, first out.
#[derive(Debug)]
pub enum Fifo<T> {
    /// So much room.
    Bounded(Ring<T>),
    /// Room for any number.
    Unbounded(Blocks<T>),
    /// No room: from hand to hand.
    Rendezvous(Rendezvous),
}

/// Hands a call to whichever it is.
macro_rules! each {
    ($fifo:expr, $store:ident => $call:expr) => {
        match $fifo {
            Fifo::Bounded($store) => $call,
            Fifo::Unbounded($store) => $call,
            Fifo::Rendezvous($store) => $call,
        }
    };
}

impl<T> Store<T> for Fifo<T> {
    type Inner = Returned<T>;

    #[inline]
    fn push(&self, value: T) -> Result<(), T> {
        each!(self, store => store.push(value))
    }

    #[inline]
    fn pop(&self) -> Option<T> {
        each!(self, store => store.pop())
    }

    #[inline]
    fn push_many(&self, from: &mut VecDeque<T>) -> usize {
        each!(self, store => store.push_many(from))
    }

    #[inline]
    fn pop_many(&self, into: &mut Vec<T>, max: usize) -> usize {
        each!(self, store => store.pop_many(into, max))
    }

    #[inline]
    fn hold(&self) {
        each!(self, store => Store::<T>::hold(store));
    }

    #[inline]
    fn release(&self) {
        each!(self, store => Store::<T>::release(store));
    }

    #[inline]
    fn push_held(&self, inner: &mut Returned<T>, value: &mut Option<T>) -> Result<(), Full> {
        each!(self, store => store.push_held(inner, value))
    }

    #[inline]
    fn pop_held(&self, inner: &mut Returned<T>) -> Option<(u64, T)> {
        each!(self, store => store.pop_held(inner))
    }

    #[inline]
    fn pass(&self, inner: &mut Returned<T>) -> u64 {
        each!(self, store => store.pass(inner))
    }

    fn put_back(&self, inner: &mut Returned<T>, number: u64, value: T) {
        each!(self, store => store.put_back(inner, number, value));
    }

    #[inline]
    fn must_stay_held(&self, inner: &Returned<T>) -> bool {
        each!(self, store => store.must_stay_held(inner))
    }

    #[inline]
    fn len_held(&self, inner: &Returned<T>) -> usize {
        each!(self, store => store.len_held(inner))
    }

    #[inline]
    fn len(&self) -> usize {
        each!(self, store => Store::<T>::len(store))
    }

    #[inline]
    fn seems_empty(&self) -> bool {
        each!(self, store => Store::<T>::seems_empty(store))
    }

    #[inline]
    fn seems_to_have_items(&self) -> bool {
        each!(self, store => Store::<T>::seems_to_have_items(store))
    }

    #[inline]
    fn seems_to_have_room(&self) -> bool {
        each!(self, store => Store::<T>::seems_to_have_room(store))
    }

    #[inline]
    fn has_items_held(&self, inner: &Returned<T>) -> bool {
        each!(self, store => store.has_items_held(inner))
    }

    #[inline]
    fn has_room_held(&self, inner: &Returned<T>, reserved: usize, getters: usize) -> bool {
        each!(self, store => store.has_room_held(inner, reserved, getters))
    }

    #[inline]
    fn capacity(&self) -> Option<usize> {
        each!(self, store => Store::<T>::capacity(store))
    }

    #[inline]
    fn pushed(&self) -> u64 {
        each!(self, store => Store::<T>::pushed(store))
    }

    fn peak(&self) -> usize {
        each!(self, store => Store::<T>::peak(store))
    }
}
