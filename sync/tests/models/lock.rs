//! Bodies for `lock`.

use std::future::Future;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tenter_sync::Lock;
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::shim::thread;

use super::{Signal, block_on, block_on_pinned, poll_once};

fn add_one(lock: &Lock<usize>) {
    *block_on(lock.lock()) += 1;
}

fn assert_whole(lock: &Lock<usize>, value: usize) {
    let stats = lock.stats();
    assert_eq!((stats.is_locked, stats.waiting), (false, 0));
    assert_eq!(lock.try_lock().map(|guard| *guard), Ok(value));
}

fn users(lock: Lock<usize>, others: usize) {
    let lock = Arc::new(lock);
    let threads: Vec<_> = (0..others)
        .map(|_| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || add_one(&lock))
        })
        .collect();
    add_one(&lock);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_whole(&lock, others + 1);
}

/// The lock excludes, and what was done under it is visible to the next.
pub fn two_users() {
    users(Lock::new(0), 1);
}

/// The same for three, so that there is a line.
pub fn three_users() {
    users(Lock::new(0), 2);
}

/// The same for a lock that barges.
pub fn two_bargers() {
    users(Lock::unfair(0), 1);
}

/// And for three: one that was woken and lost, and those that were faster.
pub fn three_bargers() {
    users(Lock::unfair(0), 2);
}

/// A waiter that was woken, is polled while another is faster, and loses, is woken again.
pub fn a_loser_gets_the_next_turn() {
    let lock = Arc::new(Lock::unfair(0));
    let guard = lock.try_lock().expect("nobody else is here");
    let mut waiting = Box::pin(lock.lock());
    assert!(poll_once(waiting.as_mut()).is_pending());
    drop(guard); // it is woken
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || add_one(&other));
    *block_on_pinned(waiting.as_mut()) += 1;
    user.join().unwrap();
    drop(waiting);
    assert_whole(&lock, 2);
}

fn a_cancelled_waiter(lock: Lock<usize>) {
    let lock = Arc::new(lock);
    let guard = Arc::clone(&lock)
        .try_lock_owned()
        .expect("nobody else is here");
    let mut cancelled = Box::pin(lock.lock());
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || add_one(&other));
    let holder = thread::spawn(move || drop(guard));
    drop(cancelled);
    user.join().unwrap();
    holder.join().unwrap();
    assert_whole(&lock, 1);
}

/// A waiter that is dropped as it is its turn passes the turn on.
pub fn a_cancelled_waiter_passes_it_on() {
    a_cancelled_waiter(Lock::new(0));
}

/// The same where whoever is faster may have it.
pub fn a_cancelled_waiter_of_bargers() {
    a_cancelled_waiter(Lock::unfair(0));
}

fn forsaken(lock: Lock<usize>) {
    let lock = Arc::new(lock);
    let guard = Arc::clone(&lock)
        .try_lock_owned()
        .expect("nobody else is here");
    let task = TaskSlot::new(NonZeroU64::MIN);
    let mut forsaken = Box::pin(lock.lock());
    current::with_task(&task, 128, || {
        assert!(poll_once(forsaken.as_mut()).is_pending());
    });
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || add_one(&other));
    let holder = thread::spawn(move || drop(guard));
    current::with_task(&task, 128, || add_one(&lock));
    drop(forsaken);
    user.join().unwrap();
    holder.join().unwrap();
    assert_whole(&lock, 2);
}

/// A task that polls only the second of its two waits, with a waker of its own, gets the lock.
pub fn a_forsaken_wait_is_overtaken() {
    forsaken(Lock::new(0));
}

/// The same where a stranger may be faster.
pub fn a_forsaken_wait_among_bargers() {
    forsaken(Lock::unfair(0));
}

fn a_spent_budget(lock: Lock<usize>) {
    let lock = Arc::new(lock);
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || add_one(&other));
    let signal = Signal::new();
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    let task = TaskSlot::new(NonZeroU64::MIN);
    let mut future = Box::pin(lock.lock());
    for budget in [0, 0, 1, 1, 1] {
        let polled = current::with_task(&task, budget, || future.as_mut().poll(&mut cx));
        if let Poll::Ready(mut guard) = polled {
            assert!(budget > 0);
            *guard += 1;
            break;
        }
        signal.wait();
    }
    drop(future);
    user.join().unwrap();
    assert_whole(&lock, 2);
}

/// A task that has done enough when it is its turn leaves the lock and comes back for it.
pub fn a_spent_budget_keeps_the_place() {
    a_spent_budget(Lock::new(0));
}

/// The same where others may be faster.
pub fn a_spent_budget_among_bargers() {
    a_spent_budget(Lock::unfair(0));
}
