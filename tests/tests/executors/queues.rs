//! Programs that hand things over: queues, broadcasts, watches, shared work, a limiter.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenter_sync::broadcast::RecvError;
use tenter_sync::{
    CapacityLimiter, Event, LifoQueue, PriorityQueue, Queue, Shared, broadcast, watch,
};

use crate::support::{Executor, give_up_after, yield_now};

const ITEMS: usize = 1_000;

/// Four put and four get; waits are dropped on the way, and every item comes out once.
fn four_to_four(executor: &impl Executor, queue: Queue<usize>) {
    let queue = Arc::new(queue);
    let sums = executor.run_all(8, |number| {
        let queue = Arc::clone(&queue);
        async move {
            let mut sum = 0;
            for round in 0..ITEMS {
                if number < 4 {
                    queue.put(number * ITEMS + round).await.unwrap();
                } else {
                    let polls = Some(round % 3).filter(|_| round % 5 == 0);
                    let item = match give_up_after(polls, queue.get()).await {
                        Some(item) => item,
                        None => queue.get().await,
                    };
                    sum += item.unwrap();
                    queue.task_done().unwrap();
                }
                if round % 7 == 0 {
                    yield_now().await;
                }
            }
            sum
        }
    });
    let items = 4 * ITEMS;
    assert_eq!(sums.iter().sum::<usize>(), items * (items - 1) / 2);
    let stats = queue.stats();
    assert_eq!((stats.getters, stats.putters), (0, 0));
    assert_eq!((stats.len, stats.unfinished), (0, 0));
}

pub fn queue(executor: &impl Executor) {
    four_to_four(executor, Queue::unbounded());
    four_to_four(executor, Queue::bounded(16));
}

/// Each put waits for a get.
pub fn queue_of_one(executor: &impl Executor) {
    four_to_four(executor, Queue::bounded(1));
}

/// Jobs that make jobs: whoever joins finds all of them done.
pub fn jobs(executor: &impl Executor) {
    let shared = Arc::new((Queue::unbounded(), AtomicUsize::new(0)));
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let shared = Arc::clone(&shared);
            executor.spawn(async move {
                let (queue, worked) = &*shared;
                while let Some(job) = queue.next_job().await {
                    if *job > 0 {
                        queue.put(*job - 1).await.unwrap();
                        queue.put(*job - 1).await.unwrap();
                    }
                    yield_now().await;
                    worked.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    executor.block_on(async {
        let (queue, worked) = &*shared;
        for round in 1..=10 {
            queue.put(5).await.unwrap();
            give_up_after(Some(round % 3), queue.join()).await;
            queue.join().await;
            assert_eq!(worked.load(Ordering::Relaxed), round * 63);
        }
        queue.shutdown();
        for worker in workers {
            worker.await;
        }
        assert_eq!(queue.stats().joiners, 0);
    });
}

/// A shutdown while all are at it: what was put is got, and the others have their items back.
pub fn queue_that_is_shut(executor: &impl Executor) {
    for at in [1, 100, 500] {
        let shared = Arc::new((Queue::bounded(4), AtomicUsize::new(0)));
        let counts = executor.run_all(8, |number| {
            let shared = Arc::clone(&shared);
            async move {
                let (queue, got) = &*shared;
                let mut count = 0;
                loop {
                    if number < 4 {
                        if let Err(refused) = queue.put(number).await {
                            assert_eq!(refused.into_inner(), number);
                            return count;
                        }
                    } else {
                        if queue.get().await.is_err() {
                            return count;
                        }
                        if got.fetch_add(1, Ordering::Relaxed) + 1 == at {
                            queue.shutdown();
                        }
                    }
                    count += 1;
                }
            }
        });
        let (put, got) = counts.split_at(4);
        let got: usize = got.iter().sum();
        assert!(put.iter().sum::<usize>() == got && got >= at);
        assert!(shared.0.is_shut_down() && shared.0.is_empty());
    }
}

/// What is there comes out in its order, whoever takes it.
pub fn orders(executor: &impl Executor) {
    fn turned(number: usize) -> usize {
        number * 7 % ITEMS // each once, as 7 does not divide the number of items
    }
    let queues = Arc::new((PriorityQueue::bounded(ITEMS), LifoQueue::bounded(ITEMS)));
    executor.block_on(async {
        for number in 0..ITEMS {
            queues.0.put(turned(number)).await.unwrap();
            queues.1.put(number).await.unwrap();
        }
    });
    queues.0.shutdown();
    queues.1.shutdown();
    let got = executor.run_all(4, |_| {
        let queues = Arc::clone(&queues);
        async move {
            let (mut smallest, mut latest) = (Vec::new(), Vec::new());
            while let Ok(item) = queues.0.get().await {
                smallest.push(item);
                latest.push(queues.1.get().await.unwrap());
                yield_now().await;
            }
            assert!(smallest.is_sorted() && latest.is_sorted_by(|one, next| one > next));
            (smallest, latest)
        }
    });
    let (mut smallest, mut latest): (Vec<_>, Vec<_>) = got.into_iter().unzip();
    for got in [&mut smallest, &mut latest] {
        let mut all = got.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..ITEMS));
    }
}

/// Every receiver has all messages in their order; one that is too slow is told how many it missed.
pub fn broadcasts(executor: &impl Executor) {
    let (sender, slow) = broadcast(8);
    let read = Arc::new(AtomicUsize::new(0));
    let readers: Vec<_> = (0..4)
        .map(|number| {
            let (mut receiver, read) = (sender.subscribe(), Arc::clone(&read));
            executor.spawn(async move {
                for expected in 0..ITEMS {
                    let polls = Some(expected % 2).filter(|_| (expected + number) % 5 == 0);
                    let message = match give_up_after(polls, receiver.recv()).await {
                        Some(message) => message,
                        None => receiver.recv().await,
                    };
                    assert_eq!(message, Ok(expected));
                    read.fetch_add(1, Ordering::Relaxed);
                }
                assert_eq!(receiver.recv().await, Err(RecvError::Closed));
            })
        })
        .collect();
    executor.block_on(async {
        for message in 0..ITEMS {
            // No more than eight ahead of the one that is furthest behind.
            while message * 4 >= read.load(Ordering::Relaxed) + 8 {
                yield_now().await;
            }
            sender.send(message).unwrap();
        }
        drop(sender);
        let mut slow = slow;
        let mut missed = 0;
        let mut got = Vec::new();
        loop {
            match slow.recv().await {
                Ok(message) => got.push(message),
                Err(RecvError::Lagged(count)) => missed += usize::try_from(count).unwrap(),
                Err(RecvError::Closed) => break,
            }
        }
        assert_eq!(missed + got.len(), ITEMS);
        assert!(got.into_iter().eq(missed..ITEMS) && missed > 0);
        for reader in readers {
            reader.await;
        }
    });
}

/// Whatever is skipped on the way, nobody misses the last value.
pub fn watches(executor: &impl Executor) {
    let (sender, receiver) = watch(0);
    let watchers: Vec<_> = (0..6)
        .map(|number| {
            let mut receiver = receiver.clone();
            executor.spawn(async move {
                let mut last = 0;
                if number == 0 {
                    let value = receiver.wait_for(|value| *value >= ITEMS / 2).await;
                    last = *value.unwrap(); // counts as seen
                    assert!(last >= ITEMS / 2);
                }
                loop {
                    let polls = Some(number).filter(|_| last % 3 == 0);
                    let changed = match give_up_after(polls, receiver.changed()).await {
                        Some(changed) => changed,
                        None => receiver.changed().await,
                    };
                    if changed.is_err() {
                        return last;
                    }
                    let seen = *receiver.borrow_and_update();
                    assert!(seen >= last);
                    last = seen;
                }
            })
        })
        .collect();
    drop(receiver);
    executor.block_on(async {
        for value in 1..=ITEMS {
            sender.send(value).unwrap();
            if value % 10 == 0 {
                yield_now().await;
            }
        }
        let gone = sender.clone();
        drop(sender);
        assert_eq!(*gone.borrow(), ITEMS);
        drop(gone);
        for watcher in watchers {
            assert_eq!(watcher.await, ITEMS);
        }
    });
}

/// Many wait for one computation; some leave, also the one that drives it.
pub fn shared_work(executor: &impl Executor) {
    type Work = Pin<Box<dyn Future<Output = usize> + Send + Sync>>;
    for round in 0..100 {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let work: Work = Box::pin(async move {
            for _ in 0..round % 7 {
                yield_now().await;
            }
            counted.fetch_add(1, Ordering::Relaxed);
            round
        });
        let shared = Shared::new(work);
        let outputs = executor.run_all(8, |number| {
            let shared = shared.clone();
            async move {
                if number % 2 == 0 {
                    give_up_after(Some(number / 2), shared.wait()).await;
                }
                shared.await
            }
        });
        assert_eq!(outputs, [round; 8]);
        assert_eq!(runs.load(Ordering::Relaxed), 1);
        assert_eq!((shared.stats().waiting, shared.strong_count()), (0, 1));
    }
}

/// Each task borrows for itself and may not twice; the total changes under way.
pub fn limiter(executor: &impl Executor) {
    let shared = Arc::new((CapacityLimiter::new(3), AtomicUsize::new(0), Event::new()));
    executor.run_all(8, |number| {
        let shared = Arc::clone(&shared);
        async move {
            let (limiter, inside, grown) = &*shared;
            for round in 0..200 {
                let key = number as u64;
                let polls = Some(round % 4).filter(|_| round % 3 == 0);
                let token = match give_up_after(polls, limiter.acquire_for(key)).await {
                    Some(token) => token,
                    None => limiter.acquire_for(key).await,
                }
                .unwrap();
                let limit = if grown.is_set() { 5 } else { 3 };
                let before = inside.fetch_add(1, Ordering::Relaxed);
                assert!(before < 5 && (before < limit || grown.is_set()));
                assert!(
                    limiter.acquire_for(key).await.is_err(),
                    "it has one already"
                );
                if (number, round) == (0, 100) {
                    grown.set();
                    limiter.set_total(5);
                }
                yield_now().await;
                inside.fetch_sub(1, Ordering::Relaxed);
                drop(token);
            }
        }
    });
    assert_eq!((shared.0.borrowed(), shared.0.available()), (0, 5));
    assert!(shared.0.stats().waiting.is_empty());
}
