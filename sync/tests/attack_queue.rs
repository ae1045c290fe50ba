//! Attacks on the queues: what must hold although a waker, a comparison or a writer misbehaves.

mod support;

use std::cmp::Ordering as Cmp;
use std::fmt::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use support::{Hooks, hostile, poll, poll_with};
use tenter_sync::{PriorityQueue, Queue, ShutDown, TryGetError};

fn bomb() -> std::task::Waker {
    hostile(&Arc::new(Hooks {
        on_wake: Some(Box::new(|| panic!("hostile wake"))),
        ..Hooks::default()
    }))
}

fn survive<R>(step: impl FnOnce() -> R) -> bool {
    catch_unwind(AssertUnwindSafe(step)).is_err()
}

/// The items that a shutdown takes out count as done also if a putter's waker panics.
#[test]
fn a_waker_that_panics_in_a_shutdown_keeps_no_joiner() {
    let queue = Queue::bounded(1);
    queue.try_put(1).unwrap();
    let mut put = Box::pin(queue.put(2));
    assert!(poll_with(put.as_mut(), &bomb()).is_pending());
    let mut join = Box::pin(queue.join());
    assert!(poll(join.as_mut()).is_pending());
    assert!(survive(|| queue.shutdown_now()));
    assert_eq!(
        queue.stats().unfinished,
        1,
        "the item is not lost with the panic"
    );
    assert_eq!(queue.shutdown_now(), [1]);
    assert!(poll(join.as_mut()).is_ready(), "nothing is unfinished");
    assert_eq!(poll(put.as_mut()), Poll::Ready(Err(ShutDown(2))));
}

/// An item that was next when a waker panicked is put by the next poll.
#[test]
fn a_waker_that_panics_costs_put_many_no_item() {
    let queue = Queue::bounded(1);
    let mut get = Box::pin(queue.get());
    assert!(poll_with(get.as_mut(), &bomb()).is_pending());
    let mut many = Box::pin(queue.put_many(0..4));
    assert!(survive(|| poll(many.as_mut())));
    assert_eq!(poll(get.as_mut()), Poll::Ready(Ok(0)));
    let mut got = Vec::new();
    while poll(many.as_mut()).is_pending() {
        got.extend(queue.try_get());
    }
    got.extend(queue.try_get());
    assert_eq!(got, [1, 2, 3]);
}

/// A writer is user code, and may use the queue that it is told of.
#[test]
fn a_writer_may_use_the_queue_that_is_written_down() {
    struct Logger<'a>(&'a Queue<u8>);

    impl Write for Logger<'_> {
        fn write_str(&mut self, _: &str) -> fmt::Result {
            let _ = (self.0.try_put(1), self.0.try_get(), self.0.stats());
            Ok(())
        }
    }

    let queue = Queue::bounded(1);
    write!(Logger(&queue), "{queue:?}").unwrap();
    assert_eq!(queue.len(), 0);
}

/// A block of great items is not built on the stack.
#[test]
fn great_items_fit_through_a_small_stack() {
    type Great = [u8; 16 * 1024];
    let body = || {
        let queue = Queue::<Box<Great>>::unbounded();
        queue.try_put(Box::new([1; 16 * 1024])).unwrap();
        let queue = Queue::<Great>::unbounded();
        for _ in 0..40 {
            assert!(queue.try_put([7; 16 * 1024]).is_ok());
        }
        assert!(queue.try_get().is_ok_and(|item| item[9] == 7));
    };
    let small = std::thread::Builder::new().stack_size(1 << 20);
    small.spawn(body).unwrap().join().unwrap();
}

/// While more getters are told than fit into a batch, nobody is told that a queue with items is
/// shut down for good.
#[test]
fn a_shut_queue_is_not_called_empty_before_it_is() {
    let queue = Arc::new(Queue::bounded(100));
    let early = Arc::new(AtomicUsize::new(0));
    let waker = {
        let (queue, early) = (Arc::clone(&queue), Arc::clone(&early));
        let wakes = AtomicUsize::new(0);
        hostile(&Arc::new(Hooks {
            on_wake: Some(Box::new(move || {
                match wakes.fetch_add(1, Ordering::Relaxed) {
                    0 => queue.shutdown(), // tells the second batch
                    1 if queue.try_get() == Err(TryGetError::ShutDown) => {
                        early.store(queue.len(), Ordering::Relaxed);
                    }
                    _ => {}
                }
            })),
            ..Hooks::default()
        }))
    };
    let mut getters: Vec<_> = (0..80).map(|_| Box::pin(queue.get())).collect();
    for get in &mut getters {
        assert!(poll_with(get.as_mut(), &waker).is_pending());
    }
    let mut many = Box::pin(queue.put_many(0..100));
    let _ = poll(many.as_mut());
    drop((getters, many));
    assert_eq!(early.load(Ordering::Relaxed), 0);
    assert!(queue.shutdown_now().len() <= 100);
}

/// The number of items that `len` tells is one that there was.
#[test]
fn the_length_is_one_that_there_was() {
    for queue in [Queue::bounded(2), Queue::unbounded()] {
        let over = AtomicBool::new(false);
        let rounds = if cfg!(miri) { 50 } else { 300_000 };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 0..rounds {
                    queue.try_put(round).unwrap();
                    assert_eq!(queue.try_get(), Ok(round));
                }
                over.store(true, Ordering::Relaxed);
            });
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let len = queue.len();
                    assert!(len <= 1, "there were never {len}");
                    assert!(!queue.is_full());
                }
            });
        });
    }
}

/// Its comparison panics if either side is `bad`.
#[derive(Debug)]
struct Key(u32, bool);

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Cmp {
        assert!(!self.1 && !other.1, "hostile comparison");
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Cmp> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Key {}

/// A value that was lost to a panic was not put.
#[test]
fn a_put_that_panicked_does_not_say_that_it_has_put() {
    let queue = PriorityQueue::bounded(4);
    queue.try_put(Key(1, false)).unwrap();
    let mut put = Box::pin(queue.put(Key(2, true)));
    assert!(survive(|| poll(put.as_mut())));
    assert!(survive(|| poll(put.as_mut())), "it has nothing to put");
    assert_eq!(queue.len(), 1);
}

/// Many waiting putters whose items cannot be compared: each meets its own panic, nobody behind them is
/// forgotten, and a future that is dropped by the unwinding does not end the process.
#[test]
fn comparisons_that_panic_one_after_the_other_keep_nobody_waiting() {
    let queue = PriorityQueue::bounded(10);
    for key in 0..10 {
        queue.try_put(Key(key, false)).unwrap();
    }
    let mut bad: Vec<_> = (0..5).map(|_| Box::pin(queue.put(Key(9, true)))).collect();
    for put in &mut bad {
        assert!(poll(put.as_mut()).is_pending());
    }
    let mut good = Box::pin(queue.put(Key(20, false)));
    assert!(poll(good.as_mut()).is_pending());
    let mut got = Vec::new();
    assert!(survive(
        || poll(pin!(queue.get_many(&mut got, 8))).is_ready()
    ));
    assert!(got.is_empty(), "the item came back");
    assert_eq!(queue.stats().putters, 0, "all have been told");
    assert!(poll(pin!(queue.get_many(&mut got, 8))).is_ready());
    assert_eq!(got.len(), 8);
    let stats = queue.stats();
    assert_eq!((stats.putters, stats.len), (0, 3), "there was room for all");
    assert!(matches!(poll(good.as_mut()), Poll::Ready(Ok(()))));
    for mut put in bad {
        assert!(survive(move || poll(put.as_mut()).is_ready()));
    }
    assert_eq!(queue.len(), 3);
}

/// A future that is dropped by unwinding acts for others, whose comparison may panic: a second panic
/// would end the process.
#[test]
fn a_drop_by_unwinding_survives_the_comparisons_of_others() {
    let queue = PriorityQueue::bounded(2);
    queue.try_put(Key(1, false)).unwrap();
    let slot = queue.try_reserve().unwrap();
    let mut bad = Box::pin(queue.put(Key(2, true)));
    assert!(poll(bad.as_mut()).is_pending());
    assert!(survive(move || {
        let _slot = slot;
        panic!("first");
    }));
    assert_eq!((queue.stats().putters, queue.stats().reserved), (0, 0));
    assert!(survive(|| poll(bad.as_mut()).is_ready()), "its own affair");
}
