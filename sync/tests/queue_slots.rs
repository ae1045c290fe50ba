//! Queues: places that are kept for items to come.

mod support;

use std::pin::pin;
use std::task::Poll;

use support::{Count, poll, poll_with};
use tenter_sync::{LifoQueue, PriorityQueue, Queue, ShutDown, TryPutError, TryReserveError};

trait ReadyAnd<T> {
    fn ready_and(self, test: impl FnOnce(T) -> bool) -> bool;
}

impl<T> ReadyAnd<T> for Poll<T> {
    fn ready_and(self, test: impl FnOnce(T) -> bool) -> bool {
        match self {
            Poll::Ready(value) => test(value),
            Poll::Pending => false,
        }
    }
}

#[test]
fn a_slot_is_a_place_for_one_item() {
    let queue = Queue::bounded(2);
    let slot = queue.try_reserve().unwrap();
    queue.try_put(1).unwrap();
    assert_eq!((queue.is_full(), queue.len()), (true, 1));
    assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
    assert_eq!(queue.try_reserve().err(), Some(TryReserveError::Full));
    slot.put(3).unwrap();
    assert_eq!(queue.stats().reserved, 0);
    assert_eq!((queue.try_get(), queue.try_get()), (Ok(1), Ok(3)));
    assert_eq!(queue.stats().unfinished, 2);
}

#[test]
fn a_slot_that_is_dropped_lets_the_next_in() {
    let queue = Queue::bounded(1);
    let slot = queue.try_reserve().unwrap();
    let mut put = pin!(queue.put(1));
    let mut reserve = Box::pin(queue.reserve());
    assert!(poll(put.as_mut()).is_pending() && poll(reserve.as_mut()).is_pending());
    drop(slot);
    assert_eq!(poll(put), Poll::Ready(Ok(())));
    assert_eq!(queue.try_get(), Ok(1));
    // The place was kept for the next in line, who is dropped before it looks.
    assert_eq!(queue.try_put(2), Err(TryPutError::Full(2)));
    drop(reserve);
    assert_eq!(queue.try_put(2), Ok(()));
    assert_eq!(queue.stats().reserved, 0);
}

#[test]
fn a_shutdown_turns_slots_away() {
    let queue = Queue::bounded(2);
    let slot = queue.try_reserve().unwrap();
    let other = queue.try_reserve().unwrap();
    let mut waiting = pin!(queue.reserve());
    assert!(poll(waiting.as_mut()).is_pending());
    queue.shutdown();
    assert!(poll(waiting).ready_and(|slot| slot.is_err()));
    assert_eq!(slot.put("late"), Err(ShutDown("late")));
    drop(other);
    assert_eq!((queue.len(), queue.stats().reserved), (0, 0));
}

/// Goal: an item that comes back after its place was given to a slot finds room, and so does the slot's.
#[test]
fn a_slot_keeps_its_word_though_an_item_came_back() {
    macro_rules! overfull {
        ($queue:expr, $want:expr) => {{
            let queue = $queue;
            let mut get = Box::pin(queue.get());
            assert!(poll(get.as_mut()).is_pending());
            queue.try_put(1).unwrap();
            let slot = queue.try_reserve().unwrap();
            drop(get);
            assert_eq!((queue.len(), queue.stats().reserved), (1, 1));
            slot.put(2).unwrap();
            assert_eq!([(); 2].map(|()| queue.try_get().unwrap()), $want);
            assert_eq!(queue.try_put(3), Ok(()));
        }};
    }
    overfull!(Queue::bounded(1), [1, 2]);
    overfull!(LifoQueue::bounded(1), [2, 1]);
    overfull!(PriorityQueue::bounded(1), [1, 2]);
}

/// Goal: a putter for whom there only seemed to be room waits with its waker, and is told once there is.
/// Method: the queue has no item, so that room is guessed, but all its places are kept for slots.
#[test]
fn a_putter_for_whom_there_only_seemed_to_be_room_is_woken() {
    macro_rules! check {
        ($queue:expr) => {{
            let queue = $queue;
            let slots = [(); 2].map(|()| queue.try_reserve().unwrap());
            let ((one, woken_one), (other, woken_other)) = (Count::new(), Count::new());
            let (mut first, mut second) = (pin!(queue.put(1)), pin!(queue.put(2)));
            assert!(queue.is_empty() && queue.is_full());
            assert!(poll_with(first.as_mut(), &one).is_pending());
            assert!(poll_with(second.as_mut(), &other).is_pending());
            assert_eq!((queue.stats().putters, queue.len()), (2, 0));
            let [slot, kept] = slots;
            drop(slot);
            assert_eq!((woken_one.get(), woken_other.get()), (1, 0));
            kept.put(3).unwrap();
            assert_eq!(queue.stats().putters, 1);
            queue.try_get().unwrap();
            assert_eq!((woken_one.get(), woken_other.get()), (1, 1));
            assert_eq!(
                (poll(first), poll(second)),
                (Poll::Ready(Ok(())), Poll::Ready(Ok(())))
            );
            assert_eq!(queue.len(), 2);
        }};
    }
    check!(Queue::bounded(2));
    check!(LifoQueue::bounded(2));
    check!(PriorityQueue::bounded(2));
}
