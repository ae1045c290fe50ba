//! Cancel storms: ten thousand wait, and are dropped in any order while what they wait for comes.
//!
//! Nothing is lost, and the work is linear: it is counted in wakes and polls, not timed.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use support::generator::Random;
use support::poll_with;
use tenter_sync::{Barrier, Condition, Event, Lock, Notify, OnceCell, RwLock, Semaphore, oneshot};

const WAITERS: usize = 10_000;

type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Futures that wait, each with a waker that knows its number.
struct Storm<'a> {
    waits: Vec<Option<Boxed<'a>>>,
    wakers: Vec<(Waker, Arc<Woken>)>,
    random: Random,
    /// Whom to drop next; the last one first.
    order: Vec<usize>,
    polls: usize,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a> Storm<'a> {
    /// Lines up ten thousand.
    fn new(seed: u64, mut wait: impl FnMut(usize) -> Boxed<'a>) -> Self {
        let mut storm = Self {
            waits: Vec::new(),
            wakers: Vec::new(),
            random: Random::new(seed),
            order: (0..WAITERS).collect(),
            polls: 0,
        };
        storm.random.shuffle(&mut storm.order);
        for number in 0..WAITERS {
            let woken = Arc::new(Woken::default());
            storm.wakers.push((Waker::from(Arc::clone(&woken)), woken));
            storm.waits.push(Some(wait(number)));
            assert!(!storm.poll(number), "all of them wait");
        }
        storm
    }

    fn poll(&mut self, number: usize) -> bool {
        let Some(wait) = &mut self.waits[number] else {
            return false;
        };
        self.polls += 1;
        let is_ready = poll_with(wait.as_mut(), &self.wakers[number].0) == Poll::Ready(());
        if is_ready {
            self.waits[number] = None;
        }
        is_ready
    }

    /// Drops them all in a random order; before each `every`-th drop there is a grant. Some of those
    /// that were woken are polled first, as they would be. Returns how many went on.
    fn rage(&mut self, every: usize, mut grant: impl FnMut()) -> usize {
        let mut done = 0;
        for step in 0..WAITERS {
            if step % every == 0 {
                grant();
            }
            let victim = self.order.pop().expect("as many as wait");
            let (_, woken) = &self.wakers[victim];
            if woken.0.load(Ordering::Relaxed) > 0 && step % 3 == 0 && self.poll(victim) {
                done += 1;
            }
            self.waits[victim] = None;
        }
        done
    }

    /// As many wakes as `limit` for each waiter, and two polls.
    fn assert_linear(&self, limit: usize) {
        let wakes = self
            .wakers
            .iter()
            .map(|(_, woken)| woken.0.load(Ordering::Relaxed));
        let wakes: usize = wakes.sum();
        assert!(wakes <= limit * WAITERS, "{wakes} wakes");
        assert!(self.polls <= 2 * WAITERS, "{} polls", self.polls);
    }
}

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
