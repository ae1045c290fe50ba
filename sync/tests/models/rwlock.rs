//! Bodies for `rwlock`.

use std::future::Future;
use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tenter_sync::current::{self, TaskSlot};
use tenter_sync::shim::thread;
use tenter_sync::{RwLock, RwLockWriteGuard};

use super::{Guarded, Signal, block_on, poll_once};

fn lock() -> Arc<RwLock<Guarded>> {
    Arc::new(RwLock::new(Guarded::new()))
}

fn write(lock: &RwLock<Guarded>) {
    block_on(lock.write()).add_one();
}

fn read(lock: &RwLock<Guarded>) -> usize {
    block_on(lock.read()).get()
}

fn assert_whole(lock: &RwLock<Guarded>) {
    let stats = lock.stats();
    assert_eq!(
        (stats.readers, stats.is_write_locked, stats.waiting),
        (0, false, 0)
    );
    assert!(!lock.is_locked(), "nobody is left in line");
}

/// Writers exclude one another, and what one wrote is there for the next.
pub fn two_writers() {
    let lock = lock();
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || write(&other));
    write(&lock);
    user.join().unwrap();
    assert_eq!(read(&lock), 2);
    assert_whole(&lock);
}

/// The same for three, so that there is a line.
pub fn three_writers() {
    let lock = lock();
    let users = [(), ()].map(|()| {
        let lock = Arc::clone(&lock);
        thread::spawn(move || write(&lock))
    });
    write(&lock);
    for user in users {
        user.join().unwrap();
    }
    assert_eq!(read(&lock), 3);
    assert_whole(&lock);
}

/// A reader sees all of a write or nothing, and a writer waits for all readers.
pub fn readers_and_a_writer() {
    let lock = lock();
    let other = Arc::clone(&lock);
    let writer = thread::spawn(move || write(&other));
    let other = Arc::clone(&lock);
    let reader = thread::spawn(move || read(&other));
    assert!(read(&lock) <= 1);
    assert!(reader.join().unwrap() <= 1);
    writer.join().unwrap();
    assert_eq!(read(&lock), 1);
    assert_whole(&lock);
}

/// A waiting writer that is dropped lets the readers behind it in, beside those that read already.
pub fn a_dropped_writer_lets_the_readers_in() {
    let lock = lock();
    let guard = lock.try_read().expect("nobody else is here");
    let mut writer = Box::pin(lock.write());
    assert!(poll_once(writer.as_mut()).is_pending());
    let other = Arc::clone(&lock);
    let reader = thread::spawn(move || read(&other));
    drop(writer);
    assert_eq!(reader.join().unwrap(), 0);
    drop(guard);
    assert_whole(&lock);
}

/// A writer that is dropped as it is called passes the call on.
pub fn a_called_writer_that_is_dropped_passes_it_on() {
    let lock = lock();
    let guard = Arc::clone(&lock).try_write_owned().expect("nobody is here");
    let mut writer = Box::pin(lock.write());
    assert!(poll_once(writer.as_mut()).is_pending());
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || write(&other));
    let holder = thread::spawn(move || drop(guard));
    drop(writer);
    user.join().unwrap();
    holder.join().unwrap();
    assert_whole(&lock);
}

/// The only waiter leaves while the lock comes back: nothing is left of either.
pub fn the_only_waiter_leaves() {
    let lock = lock();
    let guard = Arc::clone(&lock).try_read_owned().expect("nobody is here");
    let mut writer = Box::pin(lock.write());
    assert!(poll_once(writer.as_mut()).is_pending());
    let holder = thread::spawn(move || drop(guard));
    drop(writer);
    holder.join().unwrap();
    assert_whole(&lock);
}

/// A writer that turns into a reader lets other readers in, who see what it wrote.
pub fn a_downgrade_lets_readers_in() {
    let lock = lock();
    let guard = lock.try_write().expect("nobody else is here");
    let other = Arc::clone(&lock);
    let reader = thread::spawn(move || read(&other));
    guard.add_one();
    let guard = RwLockWriteGuard::downgrade(guard);
    assert_eq!(reader.join().unwrap(), 1);
    assert_eq!(guard.get(), 1);
    drop(guard);
    assert_whole(&lock);
}

/// A task that polls only the second of its two futures gets the lock, whoever is called.
pub fn only_one_of_two_is_polled() {
    let lock = lock();
    let guard = Arc::clone(&lock).try_write_owned().expect("nobody is here");
    let signal = Signal::new();
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    let mut forgotten = Box::pin(lock.write());
    assert!(forgotten.as_mut().poll(&mut cx).is_pending());
    let holder = thread::spawn(move || drop(guard));
    let mut polled = pin!(lock.write());
    let guard = loop {
        match polled.as_mut().poll(&mut cx) {
            Poll::Ready(guard) => break guard,
            Poll::Pending => signal.wait(),
        }
    };
    guard.add_one();
    drop(guard);
    holder.join().unwrap();
    drop(forgotten);
    assert_whole(&lock);
}

/// A task is woken for the turn of a future that it does not poll, though that one was woken before, as
/// the kin of a third: two branches with wakers of their own, and two futures in the second.
pub fn kin_that_was_woken_is_woken_again() {
    let lock = lock();
    let holder = lock.try_write().expect("nobody is here");
    let branch = Signal::new();
    let waker = Waker::from(Arc::clone(&branch));
    let mut cx = Context::from_waker(&waker);
    let task = TaskSlot::new(NonZeroU64::MIN);
    let mut front = Box::pin(Arc::clone(&lock).write_owned());
    let mut forsaken = Box::pin(lock.write());
    let mut polled = Box::pin(lock.write());
    current::with_task(&task, 128, || {
        assert!(poll_once(front.as_mut()).is_pending());
        assert!(forsaken.as_mut().poll(&mut cx).is_pending());
        assert!(polled.as_mut().poll(&mut cx).is_pending());
    });
    drop(holder);
    branch.wait(); // the kin of the front are woken with it
    let Poll::Ready(guard) = current::with_task(&task, 128, || poll_once(front.as_mut())) else {
        panic!("the front was called");
    };
    let holder = thread::spawn(move || drop(guard));
    let guard = loop {
        match current::with_task(&task, 128, || polled.as_mut().poll(&mut cx)) {
            Poll::Ready(guard) => break guard,
            Poll::Pending => branch.wait(),
        }
    };
    guard.add_one();
    drop(guard);
    holder.join().unwrap();
    drop(forsaken);
    assert_whole(&lock);
}

/// What is taken in a poll that has done enough goes back, and comes to the same future in its turn.
pub fn a_spent_budget_keeps_the_place() {
    let lock = lock();
    let other = Arc::clone(&lock);
    let user = thread::spawn(move || write(&other));
    let signal = Signal::new();
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(lock.write());
    let slot = TaskSlot::new(NonZeroU64::MIN);
    current::with_task(&slot, 0, || {
        assert!(future.as_mut().poll(&mut cx).is_pending());
    });
    let guard = loop {
        signal.wait();
        if let Poll::Ready(guard) = future.as_mut().poll(&mut cx) {
            break guard;
        }
    };
    guard.add_one();
    drop(guard);
    user.join().unwrap();
    assert_whole(&lock);
}
