//! Cancel storms: ten thousand wait, and are dropped in any order while what they wait for comes.
//!
//! Nothing is lost, and the work is linear: it is counted in wakes and polls, not timed. Those of queues
//! and channels are in `sync/tests/storms_queues.rs`.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Waker;

use support::generator::Random;
use support::poll_with;
use support::storm::{Boxed, Storm, WAITERS};
use tenter_sync::{
    Barrier, CapacityLimiter, Condition, Event, Lock, Notify, OnceCell, RwLock, Semaphore, Shared,
    broadcast, oneshot, watch,
};

#[test]
fn semaphore() {
    let semaphore = Semaphore::new(0);
    let mut storm = Storm::new(1, |number| {
        let acquire = semaphore.acquire_many(1 + number % 3);
        Box::pin(async { drop(acquire.await.unwrap()) })
    });
    let mut added = 0;
    storm.rage(2, || {
        semaphore.add_permits(1).unwrap();
        added += 1;
    });
    storm.assert_linear(1);
    let stats = semaphore.stats();
    assert_eq!((stats.available, stats.waiting), (added, 0));
    assert_eq!(stats.waiting_max, WAITERS);
}

#[test]
fn lock() {
    for lock in [Lock::new(0), Lock::unfair(0)] {
        let mut held = lock.try_lock().ok();
        let mut storm = Storm::new(2, |_| {
            let wait = lock.lock();
            Box::pin(async { *wait.await += 1 })
        });
        let done = storm.rage(4, || {
            held = None;
            held = lock.try_lock().ok();
        });
        drop(held);
        storm.assert_linear(2);
        assert_eq!(*lock.try_lock().unwrap(), done);
        assert_eq!(lock.stats().waiting, 0);
    }
}

#[test]
fn rwlock() {
    let lock = RwLock::new(0);
    let mut held = lock.try_write().ok();
    let mut storm = Storm::new(3, |number| {
        if number % 4 == 0 {
            let wait = lock.write();
            Box::pin(async { *wait.await += 1 }) as Boxed<'_>
        } else {
            let wait = lock.read();
            Box::pin(async { drop(wait.await) })
        }
    });
    let done = storm.rage(5, || {
        held = None;
        held = lock.try_write().ok();
    });
    drop(held);
    storm.assert_linear(2);
    assert!(*lock.try_read().unwrap() <= done);
    let stats = lock.stats();
    assert_eq!(
        (stats.waiting, stats.readers, stats.is_write_locked),
        (0, 0, false)
    );
    assert!(lock.try_write().is_ok());
}

#[test]
fn notify() {
    let notify = Notify::new();
    let mut storm = Storm::new(4, |_| Box::pin(notify.notified()));
    let mut told = 0;
    let done = storm.rage(3, || {
        notify.notify_one();
        told += 1;
    });
    storm.assert_linear(1);
    assert!(done > 0 && done < told);
    let stats = notify.stats();
    assert_eq!(
        (stats.waiting, stats.is_stored),
        (0, true),
        "the rest became one"
    );
}

#[test]
fn event() {
    let event = Event::new();
    let mut storm = Storm::new(5, |_| Box::pin(event.wait()));
    let mut grants = 0;
    storm.rage(WAITERS / 4, || {
        if grants == 2 {
            event.set();
            event.clear();
        }
        grants += 1;
    });
    storm.assert_linear(1);
    assert_eq!(event.stats().waiting, 0);
}

#[test]
fn condition() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut storm = Storm::new(6, |_| {
        let wait = condition.wait(lock.try_lock().unwrap());
        Box::pin(async { drop(wait.await) })
    });
    let mut notified = 0;
    let done = storm.rage(3, || {
        // While the lock is kept for one who was told there is nobody to tell more.
        if let Ok(guard) = lock.try_lock() {
            condition.notify(&guard, 1);
            notified += 1;
        }
    });
    storm.assert_linear(2);
    assert!(notified > 0 && done <= notified);
    assert_eq!((condition.stats().waiting, lock.stats().waiting), (0, 0));
    assert!(lock.try_lock().is_ok());
}

#[test]
fn barrier() {
    let barrier = Barrier::new(WAITERS + 1);
    let mut storm = Storm::new(7, |_| {
        let wait = barrier.wait();
        Box::pin(async { assert!(wait.await.is_ok()) })
    });
    // Those who leave are replaced by nobody, so it never opens; then it opens for all that are left.
    for left in (WAITERS / 2..WAITERS).rev() {
        let victim = storm.order.pop().unwrap();
        storm.waits[victim] = None;
        assert_eq!(barrier.waiting(), left);
    }
    let late: Vec<_> = (0..=WAITERS / 2)
        .map(|_| {
            let mut wait = Box::pin(barrier.wait());
            (poll_with(wait.as_mut(), Waker::noop()).is_ready(), wait)
        })
        .collect();
    assert_eq!(late.iter().filter(|(is_ready, _)| *is_ready).count(), 1);
    assert_eq!(barrier.stats().going, WAITERS);
    while let Some(victim) = storm.order.pop() {
        assert!(victim % 2 == 0 || storm.poll(victim), "the round has begun");
        storm.waits[victim] = None;
    }
    drop(late);
    storm.assert_linear(1);
    assert_eq!((barrier.stats().going, barrier.waiting()), (0, 0));
}

#[test]
fn once_cell() {
    let (cell, begun) = (OnceCell::<usize>::new(), AtomicUsize::new(0));
    let mut storm = Storm::new(8, |_| {
        let make = || {
            begun.fetch_add(1, Ordering::Relaxed);
            std::future::pending()
        };
        let get = cell.get_or_init(make);
        Box::pin(async { assert_eq!(get.await, &1) })
    });
    assert_eq!(storm.rage(WAITERS, || ()), 0, "nobody makes it");
    storm.assert_linear(1);
    let stats = cell.stats();
    assert_eq!(
        (stats.waiting, stats.is_initializing, stats.is_set),
        (0, false, false)
    );
    assert!(begun.load(Ordering::Relaxed) >= 1);
    cell.set(1).unwrap();
}

#[test]
fn oneshots() {
    let value = Arc::new(());
    let mut senders = Vec::new();
    let mut storm = Storm::new(9, |_| {
        let (sender, receiver) = oneshot();
        senders.push(sender);
        Box::pin(async { drop(receiver.await) })
    });
    let mut random = Random::new(10);
    random.shuffle(&mut senders);
    let mut refused = 0;
    storm.rage(1, || {
        let sender = senders.pop().unwrap();
        refused += usize::from(sender.send(Arc::clone(&value)).is_err());
    });
    storm.assert_linear(1);
    assert!(refused > 0 && refused < WAITERS);
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Each receiver of its own; a message wakes those who wait and no others.
#[test]
fn broadcast_receivers() {
    let (sender, receiver) = broadcast(4);
    drop(receiver);
    let heard = AtomicUsize::new(0);
    let mut storm = Storm::new(15, |_| {
        let mut receiver = sender.subscribe();
        let heard = &heard;
        Box::pin(async move {
            assert_eq!(receiver.recv().await, Ok(7));
            heard.fetch_add(1, Ordering::Relaxed);
        })
    });
    let mut told = 0;
    let done = storm.rage(WAITERS / 4, || told += sender.send(7).unwrap_or(0));
    storm.assert_linear(1);
    assert!(done > 0 && done == heard.load(Ordering::Relaxed));
    let listened = WAITERS + WAITERS * 3 / 4 + WAITERS / 2 + WAITERS / 4;
    assert!(told >= listened - WAITERS && told <= listened, "{told}");
    drop(storm);
    let stats = sender.stats();
    assert_eq!((stats.receivers, sender.receiver_count()), (0, 0));
    assert!(sender.is_empty(), "nobody is left to read it");
}

/// Some wait for a value, and some for any change.
#[test]
fn watchers() {
    let (sender, receiver) = watch(0);
    let mut storm = Storm::new(16, |number| {
        let mut receiver = receiver.clone();
        if number % 2 == 0 {
            Box::pin(async move { receiver.changed().await.unwrap() }) as Boxed<'_>
        } else {
            Box::pin(async move { assert_eq!(*receiver.wait_for(|v| *v == 3).await.unwrap(), 3) })
        }
    });
    let mut value = 0;
    let done = storm.rage(WAITERS / 4, || {
        value += 1;
        sender.send(value).unwrap();
    });
    // Whoever waits for a value is woken by each, but not again before it was polled.
    storm.assert_linear(2);
    assert!(done > 0);
    drop(storm);
    assert_eq!(sender.receiver_count(), 1);
    assert_eq!(sender.stats().waiting, 0);
}

/// The one who polls goes away again and again; somebody who is left takes over.
#[test]
fn shared() {
    let (sender, receiver) = oneshot();
    let work = Box::pin(async { receiver.await.unwrap() });
    let shared: Shared<Pin<Box<dyn Future<Output = usize> + Send>>> = Shared::new(work);
    let mut storm = Storm::new(17, |_| {
        let wait = shared.wait();
        Box::pin(async { assert_eq!(wait.await, 7) })
    });
    let (mut sender, mut grants) = (Some(sender), 0);
    let done = storm.rage(WAITERS / 4, || {
        if grants == 2 {
            let sender = sender.take().unwrap();
            sender.send(7).unwrap();
        }
        grants += 1;
    });
    storm.assert_linear(2);
    assert_eq!(shared.stats().waiting, 0);
    assert!(done > 0 && shared.peek() == Some(&7), "{done}");
}

/// Borrowers who wait each under a name of their own; none of them is a borrower in the end.
#[test]
fn limiter() {
    let limiter = Arc::new(CapacityLimiter::new(2));
    let mut lent = [0, 1].map(|key: u64| limiter.try_acquire_for(u64::MAX - key).ok());
    let going = AtomicUsize::new(0);
    let mut storm = Storm::new(18, |number| {
        let wait = limiter.acquire_for(number as u64);
        Box::pin(async {
            let token = wait.await.unwrap();
            going.fetch_add(1, Ordering::Relaxed);
            drop(token);
        })
    });
    let mut turn = 0;
    let done = storm.rage(4, || {
        lent[turn % 2] = None;
        lent[turn % 2] = limiter.try_acquire_for(u64::MAX - (turn % 2) as u64).ok();
        turn += 1;
    });
    storm.assert_linear(1);
    lent = [None, None];
    assert!(lent.iter().all(Option::is_none) && done == going.load(Ordering::Relaxed));
    drop(storm);
    assert_eq!((limiter.borrowed(), limiter.available()), (0, 2));
    assert!(limiter.stats().waiting.is_empty());
}
