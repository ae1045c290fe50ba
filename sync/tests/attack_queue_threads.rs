//! Attacks on the queues by threads: everything at once, and nothing lost, doubled or forgotten.

mod support;

use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use support::generator::Random;
use support::poll;
use tenter_sync::{LifoQueue, PriorityQueue, Queue, TryPutError};

const THREADS: usize = 4;

/// An item that knows if it was dropped, ordered by its number.
#[derive(Debug)]
struct Item(usize, Arc<AtomicUsize>);

impl Drop for Item {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::Relaxed);
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Item {}

impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Item {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.cmp(&other.0)
    }
}

macro_rules! storm {
    ($name:ident, $kind:ident, $new:expr) => {
        /// Every operation from every thread, with futures that are dropped at any moment. What went in
        /// comes out once, every item is dropped once, and nobody is left in line.
        #[test]
        fn $name() {
            let rounds = if cfg!(miri) { 2 } else { 60 };
            let steps = if cfg!(miri) { 12 } else { 400 };
            for seed in 0..rounds {
                let queue: &$kind<Item> = &$new;
                let drops = &Arc::new(AtomicUsize::new(0));
                let (made, put_in) = (&AtomicUsize::new(0), &AtomicUsize::new(0));
                let taken = &Mutex::new(Vec::new());
                std::thread::scope(|scope| {
                    for thread in 0..THREADS {
                        scope.spawn(move || {
                            let mut random = Random::new((seed * THREADS + thread + 1) as u64);
                            let mut mine = Vec::new();
                            let item =
                                || Item(made.fetch_add(1, Ordering::Relaxed), Arc::clone(drops));
                            for _ in 0..steps {
                                match random.below(9) {
                                    0 | 1 => match queue.try_put(item()) {
                                        Ok(()) => _ = put_in.fetch_add(1, Ordering::Relaxed),
                                        Err(TryPutError::Full(_)) => {}
                                        Err(_) => panic!("not shut"),
                                    },
                                    2 => {
                                        let mut put = Box::pin(queue.put(item()));
                                        let mut end = poll(put.as_mut());
                                        for _ in 0..random.below(3) {
                                            std::thread::yield_now();
                                            if end.is_pending() {
                                                end = poll(put.as_mut());
                                            }
                                        }
                                        drop((put, end));
                                    }
                                    3 => {
                                        let mut put =
                                            Box::pin(queue.put_many([item(), item(), item()]));
                                        let _ = poll(put.as_mut());
                                    }
                                    4 | 5 => mine.extend(queue.try_get()),
                                    6 => {
                                        let mut get = Box::pin(queue.get());
                                        let mut end = poll(get.as_mut());
                                        for _ in 0..random.below(3) {
                                            std::thread::yield_now();
                                            if end.is_pending() {
                                                end = poll(get.as_mut());
                                            }
                                        }
                                        if let Poll::Ready(got) = end {
                                            mine.push(got.expect("not shut"));
                                        }
                                    }
                                    7 => {
                                        let max = random.below(5);
                                        let mut get = Box::pin(queue.get_many(&mut mine, max));
                                        if poll(get.as_mut()).is_pending() {
                                            std::thread::yield_now();
                                        }
                                    }
                                    _ => {
                                        let mut reserve = Box::pin(queue.reserve());
                                        if let Poll::Ready(slot) = poll(reserve.as_mut()) {
                                            let slot = slot.expect("not shut");
                                            if random.below(2) == 0 {
                                                assert!(slot.put(item()).is_ok());
                                            }
                                        }
                                    }
                                }
                            }
                            taken.lock().unwrap().append(&mut mine);
                        });
                    }
                });
                let stats = queue.stats();
                let left = (stats.getters, stats.putters, stats.reserved);
                assert_eq!(left, (0, 0, 0), "{stats:?}");
                let mut taken = std::mem::take(&mut *taken.lock().unwrap());
                let (out, len) = (taken.len(), stats.len);
                taken.extend(queue.shutdown_now());
                assert_eq!(taken.len(), out + len, "{stats:?}");
                assert_eq!(queue.stats().unfinished, out);
                let made = made.load(Ordering::Relaxed);
                assert_eq!(drops.load(Ordering::Relaxed) + taken.len(), made);
                let mut numbers: Vec<_> = taken.iter().map(|item| item.0).collect();
                numbers.sort_unstable();
                numbers.dedup();
                assert_eq!(numbers.len(), taken.len(), "an item came out twice");
                assert!(taken.len() >= put_in.load(Ordering::Relaxed));
                for _ in 0..out {
                    assert!(queue.task_done().is_ok());
                }
                assert!(poll(std::pin::pin!(queue.join())).is_ready());
                drop(taken);
                assert_eq!(
                    drops.load(Ordering::Relaxed),
                    made,
                    "dropped twice or never"
                );
            }
        }
    };
}

storm!(a_storm_on_a_ring_of_one, Queue, Queue::bounded(1));
storm!(a_storm_on_a_ring_of_three, Queue, Queue::bounded(3));
storm!(a_storm_on_blocks, Queue, Queue::unbounded());
storm!(a_storm_on_a_stack, LifoQueue, LifoQueue::bounded(2));
storm!(a_storm_on_a_heap, PriorityQueue, PriorityQueue::bounded(2));

/// Joiners line up and leave while workers put two items for one that they are done with.
#[test]
fn joiners_that_come_and_go_are_let_go() {
    let rounds = if cfg!(miri) { 3 } else { 300 };
    for seed in 0..rounds {
        let queue = &Queue::unbounded();
        queue.try_put(6_usize).unwrap();
        let busy = &AtomicUsize::new(3);
        std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for _ in 0..3 {
                threads.push(scope.spawn(move || {
                    while queue.stats().unfinished > 0 {
                        if let Ok(depth) = queue.try_get() {
                            if depth > 0 {
                                queue.try_put(depth - 1).unwrap();
                                queue.try_put(depth - 1).unwrap();
                            }
                            queue.task_done().unwrap();
                        }
                    }
                    busy.fetch_sub(1, Ordering::Relaxed);
                }));
            }
            threads.push(scope.spawn(move || {
                let mut random = Random::new(seed + 1);
                let mut joins: Vec<Pin<Box<_>>> = Vec::new();
                let mut early = 0;
                while busy.load(Ordering::Relaxed) > 0 {
                    let mut join = Box::pin(queue.join());
                    early += usize::from(poll(join.as_mut()).is_ready());
                    match random.below(3) {
                        0 if early == 0 => joins.push(join),
                        1 => joins.clear(),
                        _ => {}
                    }
                }
                for join in &mut joins {
                    // Those that were let go are ready; nobody is left behind.
                    assert!(poll(join.as_mut()).is_ready());
                }
            }));
            // The end of a scope is in the standard library, where a sanitizer does not see it.
            for thread in threads {
                thread.join().unwrap();
            }
        });
        assert_eq!(queue.stats().joiners, 0);
    }
}

/// What `get_many` takes at once was there at once, though others put as fast as it takes: its poll has an
/// end.
#[test]
fn get_many_takes_no_more_than_there_ever_was() {
    let queue = &Queue::unbounded();
    let over = &AtomicUsize::new(0);
    let (rounds, some) = if cfg!(miri) { (2, 5) } else { (40, 1000) };
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(move || {
                while over.load(Ordering::Relaxed) == 0 {
                    if queue.len() < some {
                        queue.try_put(1_u8).unwrap();
                    }
                }
            });
        }
        let mut most = 0;
        for _ in 0..rounds {
            while queue.len() < some / 2 {
                std::thread::yield_now();
            }
            let mut items = Vec::new();
            let _ = poll(std::pin::pin!(queue.get_many(&mut items, usize::MAX)));
            most = most.max(items.len());
        }
        over.store(1, Ordering::Relaxed);
        assert!(
            most <= some + 3,
            "{most} at once, and never more than {some} there"
        );
    });
}
