//! Attacks on who is woken: a waker whose clone is another waker.
//!
//! An executor may poll with a waker that lives on its stack and is made into a shared one when it is
//! cloned. Two such wakers may stand at the same address one after the other, for different tasks.

mod support;

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{RawWaker, RawWakerVTable, Waker};

use support::{Count, poll, poll_with};
use tenter_sync::{Barrier, Condition, Event, Lock, Notify, OnceCell, RwLock, Semaphore};

/// What a waker on the stack points to: the task that is polled.
struct Stack(RefCell<Waker>);

static ON_STACK: RawWakerVTable = RawWakerVTable::new(clone, wake, wake, |_| {});

fn clone(data: *const ()) -> RawWaker {
    // SAFETY: `data` is the `Stack` that the waker was made from, which outlives it.
    let stack = unsafe { &*data.cast::<Stack>() };
    let shared = std::mem::ManuallyDrop::new(stack.0.borrow().clone());
    RawWaker::new(shared.data(), shared.vtable())
}

fn wake(data: *const ()) {
    // SAFETY: as above.
    unsafe { &*data.cast::<Stack>() }.0.borrow().wake_by_ref();
}

/// Polls `future` in one task and then in another, with wakers at one address, and expects the second
/// one to be woken by `release`.
#[track_caller]
fn check<T>(mut future: Pin<Box<dyn Future<Output = T> + '_>>, release: impl FnOnce()) {
    let ((first, _), (second, count)) = (Count::new(), Count::new());
    let stack = Stack(RefCell::new(first));
    for task in [None, Some(second)] {
        if let Some(task) = task {
            stack.0.replace(task);
        }
        // SAFETY: the functions of the table keep the contract as long as `stack` is there.
        let waker = unsafe { Waker::new((&raw const stack).cast(), &ON_STACK) };
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    }
    release();
    assert_eq!(count.get(), 1, "the task that polled last is woken");
    drop(future);
}

#[test]
fn the_task_that_polled_last_is_woken_by_an_event() {
    let event = Event::new();
    check(Box::pin(event.wait()), || event.set());
}

#[test]
fn the_task_that_polled_last_is_woken_by_a_barrier() {
    let barrier = Barrier::new(2);
    check(Box::pin(barrier.wait()), || {
        assert!(poll(Box::pin(barrier.wait()).as_mut()).is_ready());
    });
}

#[test]
fn the_task_that_polled_last_is_woken_by_a_cell() {
    let cell = OnceCell::new();
    let mut first = Box::pin(cell.get_or_init(std::future::pending::<u8>));
    assert!(poll(first.as_mut()).is_pending());
    let next = cell.get_or_init(|| std::future::ready(1));
    check(Box::pin(next), || drop(first));
}

#[test]
fn the_task_that_polled_last_is_woken_by_a_lock() {
    for lock in [Lock::new(()), Lock::unfair(())] {
        let guard = lock.try_lock().unwrap();
        check(Box::pin(lock.lock()), || drop(guard));
    }
}

#[test]
fn the_task_that_polled_last_is_woken_by_a_condition() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let guard = lock.try_lock().unwrap();
    check(Box::pin(condition.wait(guard)), || {
        condition.notify_all(&lock.try_lock().unwrap());
    });
}

#[test]
fn the_task_that_polled_last_is_woken_by_a_read_write_lock() {
    let lock = RwLock::new(());
    let guard = lock.try_write().unwrap();
    check(Box::pin(lock.read()), || drop(guard));
}

#[test]
fn the_task_that_polled_last_is_woken_by_a_semaphore_and_a_notify() {
    let semaphore = Semaphore::new(0);
    check(Box::pin(semaphore.acquire()), || {
        semaphore.add_permits(1).unwrap();
    });
    let notify = Notify::new();
    check(Box::pin(notify.notified()), || notify.notify_one());
}
