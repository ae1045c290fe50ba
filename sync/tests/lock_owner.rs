//! Row X11 of the guide, locks owned: whoever holds a lock is named, in its figures, in its `Debug`, and
//! to those who explain why a task does not go on.

mod support;

use std::cell::Cell;
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::{Count, leak, poll, poll_with, ready, slot};
use tenter_sync::book::{Book, lend};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::{Condition, Lock, LockGuard, RwLock};

fn poll_in<F: Future + ?Sized>(
    slot: &TaskSlot,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    current::with_task(slot, 128, || poll_with(future, waker))
}

/// A poll of one of the tasks below, each of which has a waker of its own.
fn poll_of<F: Future + ?Sized>(task: &(TaskSlot, Waker), future: Pin<&mut F>) -> Poll<F::Output> {
    poll_in(&task.0, future, &task.1)
}

fn tasks<const N: usize>() -> [(TaskSlot, Waker); N] {
    std::array::from_fn(|n| (slot(n as u64 + 1), Count::new().0))
}

fn owner<T: ?Sized>(lock: &Lock<T>) -> Option<u64> {
    let stats = lock.stats();
    assert!(stats.owner.is_none() || stats.is_locked);
    stats.owner.map(NonZeroU64::get)
}

fn writer<T: ?Sized>(lock: &RwLock<T>) -> Option<u64> {
    let stats = lock.stats();
    assert!(stats.writer.is_none() || stats.is_write_locked);
    stats.writer.map(NonZeroU64::get)
}

#[test]
fn x11_the_owner_is_named_while_it_holds_the_lock_across_an_await() {
    for lock in [Lock::new(()), Lock::unfair(())] {
        let [task, _] = tasks::<2>();
        let mut body = Box::pin(async {
            let _guard = lock.lock().await;
            support::yield_now().await;
        });
        assert_eq!(owner(&lock), None);
        assert!(poll_of(&task, body.as_mut()).is_pending());
        assert_eq!(owner(&lock), Some(1));
        assert!(poll_of(&task, body.as_mut()).is_ready());
        assert_eq!(owner(&lock), None);
    }
}

#[test]
fn x11_the_owner_changes_with_the_hand_over() {
    for lock in [Lock::new(()), Lock::unfair(())] {
        let [one, two, three] = tasks();
        let first = ready(poll_of(&one, pin!(lock.lock())));
        let (mut second, mut third) = (Box::pin(lock.lock()), Box::pin(lock.lock()));
        assert!(poll_of(&two, second.as_mut()).is_pending());
        assert!(poll_of(&three, third.as_mut()).is_pending());
        assert_eq!(owner(&lock), Some(1), "those who wait own nothing");
        drop(first);
        assert_eq!(owner(&lock), None, "it is free until the next one comes");
        let second = ready(poll_of(&two, second.as_mut()));
        assert_eq!(owner(&lock), Some(2));
        drop(second);
        let third = ready(poll_of(&three, third.as_mut()));
        assert_eq!(owner(&lock), Some(3));
        drop(third);
        assert_eq!((owner(&lock), lock.is_locked()), (None, false));
    }
}

#[test]
fn x11_one_who_takes_it_without_waiting_is_named() {
    let lock = Arc::new(Lock::new(()));
    let [task, _] = tasks::<2>();
    let guard = current::with_task(&task.0, 128, || lock.try_lock().unwrap());
    assert_eq!(owner(&lock), Some(1));
    drop(guard);
    let guard = current::with_task(&task.0, 128, || Arc::clone(&lock).try_lock_owned().unwrap());
    assert_eq!(owner(&lock), Some(1));
    drop(guard);
    let guard = ready(poll_of(&task, pin!(Arc::clone(&lock).lock_owned())));
    assert_eq!(owner(&lock), Some(1));
    drop(guard);
    let guard = current::with_task(&task.0, 128, || {
        current::without_budget(|| ready(poll(pin!(lock.lock()))))
    });
    assert_eq!(
        owner(&lock),
        Some(1),
        "without a budget it is still the task"
    );
    drop(guard);
}

/// Goal: who is no task of tenter leaves no name, and not that of the owner before.
#[test]
fn x11_threads_and_tasks_of_other_executors_have_no_number() {
    let lock = Lock::new(());
    let [task, _] = tasks::<2>();
    type Take = fn(&Lock<()>) -> LockGuard<'_, ()>;
    let ways: [Take; 3] = [
        |lock| lock.try_lock().unwrap(),
        |lock| lock.blocking_lock(),
        |lock| ready(poll(pin!(lock.lock()))),
    ];
    for take in ways {
        drop(ready(poll_of(&task, pin!(lock.lock()))));
        let guard = take(&lock);
        assert_eq!((owner(&lock), lock.is_locked()), (None, true));
        drop(guard);
    }
    // After a hand-over too.
    let guard = ready(poll_of(&task, pin!(lock.lock())));
    let mut next = Box::pin(lock.lock());
    assert!(poll(next.as_mut()).is_pending());
    drop(guard);
    let guard = ready(poll(next.as_mut()));
    assert_eq!((owner(&lock), lock.is_locked()), (None, true));
    drop(guard);
    // And inside a task, where no task is polled.
    let guard = current::with_task(&task.0, 128, || {
        current::without_task(|| lock.try_lock().unwrap())
    });
    assert_eq!(owner(&lock), None);
    drop(guard);
}

#[test]
fn x11_a_guard_that_is_given_away_keeps_the_name_of_who_took_it() {
    let lock = Lock::new((1, 2));
    let [one, two] = tasks();
    let guard = ready(poll_of(&one, pin!(lock.lock())));
    let part = LockGuard::map(guard, |pair| &mut pair.1);
    let given = Cell::new(Some(part));
    let mut body = pin!(async {
        let _part = given.take();
        support::yield_now().await;
    });
    assert!(poll_of(&two, body.as_mut()).is_pending());
    assert_eq!(owner(&lock), Some(1));
    assert!(poll_of(&two, body.as_mut()).is_ready());
    assert_eq!(owner(&lock), None);
}

#[test]
fn x11_the_owner_of_a_leaked_guard_is_named_for_ever() {
    let lock = Lock::new(0).named("till");
    let [one, two] = tasks();
    let guard = ready(poll_of(&one, pin!(lock.lock())));
    leak(guard);
    let mut waits = pin!(lock.lock());
    assert!(poll_of(&two, waits.as_mut()).is_pending());
    let stats = lock.stats();
    let text = format!("{stats:?}");
    assert!(
        text.contains("till") && text.contains("owner: Some(1)"),
        "{text}"
    );
    assert_eq!(
        format!("{lock:?}"),
        "Lock { name: \"till\", data: <locked>, owner: 1, waiting: 1 }"
    );
}

#[test]
fn x11_debug_names_the_owner_and_never_itself() {
    let lock = Lock::new(5);
    let [one, two] = tasks();
    drop(ready(poll_of(&one, pin!(lock.lock()))));
    let show = || current::with_task(&two.0, 128, || format!("{lock:?}"));
    assert_eq!(show(), "Lock { data: 5, waiting: 0 }");
    let guard = ready(poll_of(&one, pin!(lock.lock())));
    assert_eq!(show(), "Lock { data: <locked>, owner: 1, waiting: 0 }");
    drop(guard);
    let lock = RwLock::new(5);
    let guard = ready(poll_of(&one, pin!(lock.write())));
    assert_eq!(
        format!("{lock:?}"),
        "RwLock { readers: 0, writer: 1, waiting: 0, data: <locked> }"
    );
    drop(guard);
    assert_eq!(
        format!("{lock:?}"),
        "RwLock { readers: 0, waiting: 0, data: 5 }"
    );
}

#[test]
fn x11_one_who_comes_back_from_a_condition_owns_the_lock_again() {
    let (lock, changed) = (Lock::new(()), Condition::new());
    let [one, two] = tasks();
    let guard = ready(poll_of(&one, pin!(lock.lock())));
    let mut wait = Box::pin(changed.wait(guard));
    assert!(poll_of(&one, wait.as_mut()).is_pending());
    assert_eq!(owner(&lock), None);
    let guard = ready(poll_of(&two, pin!(lock.lock())));
    changed.notify(&guard, 1);
    assert!(poll_of(&one, wait.as_mut()).is_pending());
    assert_eq!(owner(&lock), Some(2));
    drop(guard);
    let guard = ready(poll_of(&one, wait.as_mut()));
    assert_eq!(owner(&lock), Some(1));
    drop(guard);
}

/// Goal: a turn that is put off, because the budget is spent, has no owner until it is taken.
#[test]
fn x11_a_spent_budget_owns_nothing() {
    let lock = Lock::new(());
    let rwlock = RwLock::new(());
    let me = slot(1);
    let (waker, _count) = Count::new();
    let (mut future, mut write) = (Box::pin(lock.lock()), Box::pin(rwlock.write()));
    current::with_task(&me, 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
        assert!(poll_with(write.as_mut(), &waker).is_pending());
    });
    assert_eq!((owner(&lock), writer(&rwlock)), (None, None));
    let guard = ready(poll_in(&me, future.as_mut(), &waker));
    let write = ready(poll_in(&me, write.as_mut(), &waker));
    assert_eq!((owner(&lock), writer(&rwlock)), (Some(1), Some(1)));
    drop((guard, write));
}

#[test]
fn x11_the_writer_of_an_rwlock_is_named_and_readers_are_not() {
    let lock = Arc::new(RwLock::new(()));
    let [one, two, three] = tasks();
    let reader = ready(poll_of(&one, pin!(lock.read())));
    assert_eq!(writer(&lock), None);
    let (mut write, mut read) = (Box::pin(lock.write()), Box::pin(lock.read()));
    assert!(poll_of(&two, write.as_mut()).is_pending());
    assert!(poll_of(&three, read.as_mut()).is_pending());
    drop(reader);
    let written = ready(poll_of(&two, write.as_mut()));
    assert_eq!(writer(&lock), Some(2));
    drop(written);
    drop(ready(poll_of(&three, read.as_mut())));
    assert_eq!(writer(&lock), None);

    let guard = current::with_task(&one.0, 128, || lock.try_write().unwrap());
    assert_eq!(writer(&lock), Some(1));
    let reader = tenter_sync::RwLockWriteGuard::downgrade(guard);
    assert_eq!((writer(&lock), lock.readers()), (None, 1));
    drop(reader);
    let guard = ready(poll_of(&two, pin!(Arc::clone(&lock).write_owned())));
    assert_eq!(writer(&lock), Some(2));
    drop(guard);
    let guard = lock.blocking_write();
    assert_eq!((writer(&lock), lock.is_write_locked()), (None, true));
    leak(guard);
    assert!(lock.stats().is_write_locked);
}

/// Who holds the lock that this task waits for.
fn holder(book: &Book, task: &(TaskSlot, Waker)) -> Option<u64> {
    let wait = task.0.waiting_on()?;
    book.holder_of(wait.address).map(NonZeroU64::get)
}

/// Goal: who waits can be told whom it waits for, as of now and not as of when it began to wait.
#[test]
fn x11_a_task_in_line_tells_whom_it_waits_for() {
    let book = Book::of_words();
    for lock in [Lock::new(()), Lock::unfair(())] {
        let [one, two, three] = tasks();
        let first = ready(poll_of(&one, pin!(lock.lock())));
        let (mut second, mut third) = (Box::pin(lock.lock()), Box::pin(lock.lock()));
        lend(Some(&book), || {
            assert!(poll_of(&two, second.as_mut()).is_pending());
            assert!(poll_of(&three, third.as_mut()).is_pending());
            let waits_for = |task: &(TaskSlot, Waker)| holder(&book, task);
            assert_eq!((waits_for(&two), waits_for(&three)), (Some(1), Some(1)));
            drop(first);
            assert_eq!(waits_for(&three), None, "it is free, and kept for the next");
            let second = ready(poll_of(&two, second.as_mut()));
            assert_eq!(
                waits_for(&three),
                Some(2),
                "though the third has not looked"
            );
            drop(second);
            drop(ready(poll_of(&three, third.as_mut())));
            three.0.clear_waiting_on();
            assert_eq!(waits_for(&three), None);
        });
    }
}

#[test]
fn x11_a_task_that_waits_for_itself_is_found_out() {
    let (book, lock) = (Book::of_words(), Lock::new(()));
    let [one, _] = tasks::<2>();
    lend(Some(&book), || {
        let _guard = ready(poll_of(&one, pin!(lock.lock())));
        let mut again = Box::pin(lock.lock());
        assert!(poll_of(&one, again.as_mut()).is_pending());
        assert_eq!(holder(&book, &one), Some(1));
        drop(again);
        assert_eq!(holder(&book, &one), None, "nobody is in line any more");
    });
    assert_eq!(holder(&book, &one), None, "and later");
}

#[test]
fn x11_one_who_waits_for_a_writer_tells_whom() {
    let (book, lock) = (Book::of_words(), RwLock::new(()));
    let [one, two, three] = tasks();
    lend(Some(&book), || {
        let written = ready(poll_of(&one, pin!(lock.write())));
        let (mut write, mut read) = (Box::pin(lock.write()), Box::pin(lock.read()));
        assert!(poll_of(&two, write.as_mut()).is_pending());
        assert!(poll_of(&three, read.as_mut()).is_pending());
        let waits_for = |task: &(TaskSlot, Waker)| holder(&book, task);
        assert_eq!((waits_for(&two), waits_for(&three)), (Some(1), Some(1)));
        drop(written);
        assert_eq!(waits_for(&three), None, "the next one is called");
        let written = ready(poll_of(&two, write.as_mut()));
        assert_eq!(waits_for(&three), Some(2));
        drop(written);
        drop(ready(poll_of(&three, read.as_mut())));
        assert_eq!(waits_for(&three), None);
    });
}
