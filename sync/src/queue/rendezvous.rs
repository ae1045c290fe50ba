//! No room at all: an item is there only on its way from a putter to a getter.
//!
//! The waiting machine pushes when it has a getter for the item and pops at once, under one lock. So
//! what is in the store after an unlock has come back from a getter that left.
//!
//! Tests: below.

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

    fn pass(&self, _: &mut Returned<T>) -> u64 {
        self.0.note_pass()
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

    fn seems_empty(&self) -> bool {
        false // there is nothing to tell by
    }

    fn seems_to_have_items(&self) -> bool {
        false // as above
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

#[cfg(test)]
mod tests {
    use core::future::Future;
    use core::pin::{Pin, pin};
    use core::task::{Context, Poll, Waker};

    use super::*;
    use crate::queue::core::Core;
    use crate::queue::fifo::Fifo;
    use crate::queue::{
        AnyQueue, Get, GetMany, Put, PutMany, Reserve, ShutDown, TryGetError, TryPutError, sealed,
    };

    struct Hands<T>(Core<T, Fifo<T>>);

    impl<T> sealed::Sealed for Hands<T> {}

    impl<T> AnyQueue<T> for Hands<T> {
        type Store = Fifo<T>;

        fn core(&self) -> &Core<T, Fifo<T>> {
            &self.0
        }
    }

    fn hands() -> Hands<u8> {
        let store = Fifo::Rendezvous(Rendezvous::new());
        Hands(Core::new(store, Returned::new()))
    }

    fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn nothing_goes_in_or_out_alone() {
        let hands = hands();
        assert_eq!(hands.0.try_put(1), Err(TryPutError::Full(1)));
        assert_eq!(hands.0.try_get(), Err(TryGetError::Empty));
        assert!(hands.0.try_reserve().is_err());
        assert!(poll(pin!(Put::new(&hands, 1))).is_pending());
        assert_eq!(hands.0.try_get(), Err(TryGetError::Empty), "it has gone");
        let stats = hands.0.stats();
        assert_eq!((stats.len, stats.putters, stats.capacity), (0, 0, Some(0)));
    }

    #[test]
    fn who_waits_meets_who_tries() {
        let hands = hands();
        let mut put = pin!(Put::new(&hands, 1));
        assert!(poll(put.as_mut()).is_pending());
        assert_eq!(hands.0.try_put(2), Err(TryPutError::Full(2)));
        assert_eq!(hands.0.try_get(), Ok(1));
        assert_eq!(poll(put), Poll::Ready(Ok(())));
        let mut get = pin!(Get::new(&hands));
        assert!(poll(get.as_mut()).is_pending());
        assert_eq!(hands.0.try_put(3), Ok(()));
        assert_eq!(hands.0.try_put(4), Err(TryPutError::Full(4)));
        assert_eq!(poll(get), Poll::Ready(Ok(3)));
        assert_eq!(hands.0.unfinished(), 2);
    }

    #[test]
    fn many_meet_in_their_order() {
        let hands = hands();
        let mut put = pin!(PutMany::new(&hands, (0..4).collect()));
        let mut behind = pin!(Put::new(&hands, 9));
        assert!(poll(put.as_mut()).is_pending() && poll(behind.as_mut()).is_pending());
        let mut items = Vec::new();
        for _ in 0..5 {
            let _ = poll(pin!(GetMany::new(&hands, &mut items, 2)));
            let _ = poll(put.as_mut()).map(|end| assert!(end.is_ok()));
            if items.len() == 5 {
                break;
            }
        }
        assert_eq!(items, [0, 9, 1, 2, 3], "in line again behind the other");
    }

    #[test]
    fn an_item_that_came_back_goes_to_the_next() {
        let hands = hands();
        let mut first = Box::pin(Get::new(&hands));
        assert!(poll(first.as_mut()).is_pending());
        assert_eq!(hands.0.try_put(1), Ok(()));
        drop(first);
        assert_eq!(hands.0.stats().len, 1);
        let mut put = pin!(Put::new(&hands, 2));
        assert!(poll(put.as_mut()).is_pending());
        assert_eq!((hands.0.try_get(), hands.0.try_get()), (Ok(1), Ok(2)));
        assert_eq!(poll(put), Poll::Ready(Ok(())));
    }

    #[test]
    fn a_slot_is_a_getter_that_waits() {
        let hands = hands();
        let mut reserve = Box::pin(Reserve::new(&hands));
        assert!(poll(reserve.as_mut()).is_pending());
        let mut get = pin!(Get::new(&hands));
        assert!(poll(get.as_mut()).is_pending());
        let Poll::Ready(Ok(slot)) = poll(reserve.as_mut()) else {
            panic!("somebody waits for an item");
        };
        assert_eq!(
            hands.0.try_put(2),
            Err(TryPutError::Full(2)),
            "it is promised"
        );
        assert!(slot.put(1).is_ok());
        assert_eq!(poll(get), Poll::Ready(Ok(1)));
    }

    #[test]
    fn who_only_tries_is_nobody_to_have_a_slot_for() {
        let hands = hands();
        let mut reserve = pin!(Reserve::new(&hands));
        assert!(poll(reserve.as_mut()).is_pending());
        assert_eq!(hands.0.try_get(), Err(TryGetError::Empty));
        assert!(poll(reserve.as_mut()).is_pending(), "nobody waits for it");
        let mut get = pin!(Get::new(&hands));
        assert!(poll(get.as_mut()).is_pending());
        let Poll::Ready(Ok(slot)) = poll(reserve) else {
            panic!("somebody waits for an item");
        };
        assert!(slot.put(1).is_ok() && poll(get) == Poll::Ready(Ok(1)));
    }

    #[test]
    fn a_shutdown_parts_all() {
        let hands = hands();
        let mut put = pin!(Put::new(&hands, 1));
        assert!(poll(put.as_mut()).is_pending());
        assert_eq!(hands.0.shut_down_now(), [0; 0]);
        assert_eq!(poll(put), Poll::Ready(Err(ShutDown(1))));
        assert_eq!(poll(pin!(Get::new(&hands))), Poll::Ready(Err(ShutDown(()))));
    }
}
