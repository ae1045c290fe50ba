//! Bodies for `queue`: the waiting machine over the ring, and over the others where it matters.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tenter_sync::shim::thread;
use tenter_sync::{Queue, ShutDown, TryGetError};

use super::{Guarded, block_on, poll_once};

fn shared<T>(queue: Queue<T>) -> (Arc<Queue<T>>, Arc<Queue<T>>) {
    let queue = Arc::new(queue);
    (Arc::clone(&queue), queue)
}

/// A future that owns the queue that it waits in.
fn owned<T, R>(
    queue: &Arc<Queue<T>>,
    body: impl AsyncFnOnce(&Queue<T>) -> R,
) -> Pin<Box<impl Future<Output = R>>> {
    let queue = Arc::clone(queue);
    Box::pin(async move { body(&queue).await })
}

fn assert_nobody_waits<T>(queue: &Queue<T>, len: usize) {
    let stats = queue.stats();
    let seen = (stats.len, stats.getters, stats.putters, stats.reserved);
    assert_eq!(seen, (len, 0, 0, 0), "nothing lost, nobody left");
}

/// A put and a getter that lines up: it sees the item, or is handed it.
pub fn put_and_a_getter_that_lines_up() {
    let (other, queue) = shared(Queue::bounded(2));
    let putter = thread::spawn(move || other.try_put(7).expect("there is room"));
    assert_eq!(block_on(queue.get()), Ok(7));
    putter.join().unwrap();
    assert_nobody_waits(&queue, 0);
}

/// One place, two items: the putter that waits is let in by the get.
pub fn one_place_for_two() {
    let (other, queue) = shared(Queue::bounded(1));
    let putter = thread::spawn(move || {
        for number in 0..2 {
            block_on(other.put(number)).expect("nobody shuts down");
        }
    });
    assert_eq!(
        (block_on(queue.get()), block_on(queue.get())),
        (Ok(0), Ok(1))
    );
    putter.join().unwrap();
    assert_nobody_waits(&queue, 0);
}

/// Two put and one gets, one place: everybody is served, and the other item is still there.
pub fn mpmc_1() {
    let (other, queue) = shared(Queue::bounded(1));
    let putter = thread::spawn(move || block_on(other.put(1)).expect("nobody shuts down"));
    let other = Arc::clone(&queue);
    let getter = thread::spawn(move || block_on(other.get()).expect("nobody shuts down"));
    block_on(queue.put(2)).expect("nobody shuts down");
    let theirs = getter.join().unwrap();
    putter.join().unwrap();
    assert_eq!(theirs + queue.try_get().expect("one is left"), 3);
    assert_nobody_waits(&queue, 0);
}

/// Without a bound: the item is seen, or handed over.
pub fn unbounded_put_and_get() {
    let (other, queue) = shared(Queue::unbounded());
    let putter = thread::spawn(move || other.try_put(7).expect("there is room"));
    assert_eq!(block_on(queue.get()), Ok(7));
    putter.join().unwrap();
    assert_nobody_waits(&queue, 0);
}

/// What was done before a put is visible after the get, from hand to hand too.
pub fn a_put_publishes() {
    let (other, queue) = shared(Queue::bounded(1));
    let data = Arc::new(Guarded::new());
    let theirs = Arc::clone(&data);
    let putter = thread::spawn(move || {
        theirs.add_one();
        other.try_put(()).expect("there is room");
    });
    block_on(queue.get()).expect("nobody shuts down");
    data.add_one();
    putter.join().unwrap();
    assert_eq!(data.get(), 2);
}

/// A shutdown reaches all who wait, and those who come.
pub fn shutdown_tells_all() {
    let (other, queue) = shared(Queue::<u8>::bounded(1));
    let waiter = thread::spawn(move || block_on(other.get()));
    let mut polled = owned(&queue, async |queue| queue.get().await);
    let _ = poll_once(polled.as_mut());
    queue.shutdown();
    assert_eq!(waiter.join().unwrap(), Err(ShutDown(())));
    assert_eq!(block_on(polled), Err(ShutDown(())));
}

/// A put and a shutdown: the item is in the queue, or comes back.
pub fn put_and_shutdown() {
    let (other, queue) = shared(Queue::bounded(1));
    let putter = thread::spawn(move || block_on(other.put(7)).is_ok());
    queue.shutdown();
    let got = queue.try_get();
    let put = putter.join().unwrap();
    let left = queue.try_get();
    assert_eq!(got.is_ok() || left.is_ok(), put, "{got:?} {left:?}");
    assert_eq!(queue.try_get(), Err(TryGetError::ShutDown));
}

/// A getter that is dropped as an item is handed to it loses nothing.
pub fn a_cancelled_getter_loses_nothing() {
    let (other, queue) = shared(Queue::bounded(2));
    let mut cancelled = owned(&queue, async |queue| queue.get().await);
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let putter = thread::spawn(move || other.try_put(7).expect("there is room"));
    let other = Arc::clone(&queue);
    let getter = thread::spawn(move || block_on(other.get()));
    drop(cancelled);
    assert_eq!(getter.join().unwrap(), Ok(7));
    putter.join().unwrap();
    assert_nobody_waits(&queue, 0);
}

/// A putter that is dropped as a place comes has put its item, or taken it along.
pub fn a_cancelled_putter_loses_no_place() {
    let (other, queue) = shared(Queue::bounded(1));
    queue.try_put(0).expect("there is room");
    let mut cancelled = owned(&queue, async |queue| queue.put(1).await);
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let mut behind = owned(&queue, async |queue| queue.put(2).await);
    assert!(poll_once(behind.as_mut()).is_pending());
    let getter = thread::spawn(move || {
        assert_eq!(other.try_get(), Ok(0));
    });
    drop(cancelled);
    getter.join().unwrap();
    let next = queue.try_get();
    assert!(next == Ok(1) || next == Ok(2), "{next:?}");
    if next == Ok(1) {
        assert_eq!(queue.try_get(), Ok(2));
    }
    block_on(behind).expect("nobody shuts down");
    assert_nobody_waits(&queue, 0);
}

/// A slot that is dropped, or a wait for one, keeps no place.
pub fn reserve_and_cancel() {
    let (other, queue) = shared(Queue::bounded(1));
    let slot = queue.try_reserve().expect("there is room");
    let mut cancelled = owned(&queue, async |queue| queue.reserve().await.is_ok());
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let putter = thread::spawn(move || block_on(other.put(7)).expect("nobody shuts down"));
    drop(slot);
    drop(cancelled);
    assert_eq!(block_on(queue.get()), Ok(7));
    putter.join().unwrap();
    assert_nobody_waits(&queue, 0);
}

/// While a slot is out nobody takes its place.
pub fn a_slot_keeps_its_place() {
    let (other, queue) = shared(Queue::bounded(1));
    let slot = queue.try_reserve().expect("there is room");
    let putter = thread::spawn(move || other.try_put(8).is_ok());
    slot.put(7).expect("nobody shuts down");
    let first = queue.try_get();
    let put = putter.join().unwrap();
    assert_eq!(first, Ok(7), "the slot was there first");
    assert_eq!(queue.try_get().is_ok(), put);
    assert_nobody_waits(&queue, 0);
}

/// A joiner and the last `task_done`: it sees the zero, or is told.
pub fn join_and_task_done() {
    let (other, queue) = shared(Queue::bounded(2));
    queue.try_put(1).expect("there is room");
    let data = Arc::new(Guarded::new());
    let theirs = Arc::clone(&data);
    let worker = thread::spawn(move || {
        other.try_get().expect("there is one");
        theirs.add_one();
        other.task_done().expect("one is out");
    });
    block_on(queue.join());
    assert_eq!(data.get(), 1);
    worker.join().unwrap();
}

/// Two are done at the same time: the joiner is told by the last.
pub fn join_and_two_who_are_done() {
    let (other, queue) = shared(Queue::bounded(2));
    for _ in 0..2 {
        queue.try_put(()).expect("there is room");
        queue.try_get().expect("there is one");
    }
    let data = Arc::new([Guarded::new(), Guarded::new()]);
    let theirs = Arc::clone(&data);
    let worker = thread::spawn(move || {
        theirs[0].add_one();
        other.task_done().expect("two are out");
    });
    let (other, theirs) = (Arc::clone(&queue), Arc::clone(&data));
    let second = thread::spawn(move || {
        theirs[1].add_one();
        other.task_done().expect("one is out");
    });
    block_on(queue.join());
    assert_eq!(data[0].get() + data[1].get(), 2);
    worker.join().unwrap();
    second.join().unwrap();
}

/// One is done while a shutdown takes out the other item: whichever counts last tells the joiner.
pub fn join_and_shutdown_now() {
    let (other, queue) = shared(Queue::bounded(2));
    for _ in 0..2 {
        queue.try_put(()).expect("there is room");
    }
    queue.try_get().expect("there is one");
    let worker = thread::spawn(move || other.task_done().expect("one is out"));
    let other = Arc::clone(&queue);
    let second = thread::spawn(move || assert_eq!(other.shutdown_now().len(), 1));
    block_on(queue.join());
    worker.join().unwrap();
    second.join().unwrap();
    assert_eq!(queue.stats().unfinished, 0);
}

/// A joiner that came after a put is not let go by a zero from before it.
pub fn join_and_task_done_and_put() {
    let (other, queue) = shared(Queue::unbounded());
    queue.try_put(1).expect("there is room");
    queue.try_get().expect("there is one");
    let mut early = owned(&queue, async |queue| queue.join().await);
    assert!(poll_once(early.as_mut()).is_pending());
    let worker = thread::spawn(move || other.task_done().expect("one is out"));
    queue.try_put(2).expect("there is room");
    let mut late = owned(&queue, async |queue| queue.join().await);
    assert!(poll_once(late.as_mut()).is_pending(), "2 is not done with");
    worker.join().unwrap();
    assert!(poll_once(late.as_mut()).is_pending(), "2 is not done with");
    queue.try_get().expect("there is one");
    queue.task_done().expect("one is out");
    block_on(early);
    block_on(late);
}
