//! Attacks on `Lock` and `RwLock`: hostile wakers at the moments when a share changes hands, and tasks
//! that poll only one of their futures.

mod support;

use std::cell::Cell;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, RawWaker, RawWakerVTable, Waker};

use support::{Count, Hooks, hostile, poll, poll_with};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::{Condition, Lock, OwnedRwLockWriteGuard, RwLock, RwLockWriteGuard};

fn slot(id: u64) -> TaskSlot {
    TaskSlot::new(NonZeroU64::new(id).expect("not zero"))
}

/// Polls as the task `slot` does, with this budget.
fn poll_in<F: Future + ?Sized>(
    slot: &TaskSlot,
    budget: u8,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    current::with_task(slot, budget, || poll_with(future, waker))
}

/// A waker that panics when it wakes.
fn panics() -> Waker {
    hostile(&Arc::new(Hooks {
        on_wake: Some(Box::new(|| panic!("hostile wake"))),
        ..Hooks::default()
    }))
}

/// Goal: a waker that panics while a writer is downgraded costs the writer its guard, and nobody else
/// the lock. Method: a reader waits with such a waker; borrowed and owned guards.
#[test]
fn a_panic_of_a_waker_in_a_downgrade_leaves_the_lock_whole() {
    for owned in [false, true] {
        let lock = Arc::new(RwLock::new(1));
        let waker = panics();
        let mut reader = Box::pin(lock.read());
        let outcome = if owned {
            let writer = Arc::clone(&lock).try_write_owned().unwrap();
            assert!(poll_with(reader.as_mut(), &waker).is_pending());
            catch_unwind(AssertUnwindSafe(|| {
                drop(OwnedRwLockWriteGuard::downgrade(writer));
            }))
        } else {
            let writer = lock.try_write().unwrap();
            assert!(poll_with(reader.as_mut(), &waker).is_pending());
            catch_unwind(AssertUnwindSafe(|| {
                drop(RwLockWriteGuard::downgrade(writer));
            }))
        };
        assert!(outcome.is_err());
        let Poll::Ready(guard) = poll(reader.as_mut()) else {
            panic!("the reader was called")
        };
        assert_eq!(*guard, 1);
        drop(guard);
        assert!(!lock.is_locked(), "nobody has it any more");
        assert!(lock.try_write().is_ok());
    }
}

/// Goal: a task whose turn has come for a future that it does not poll is woken for the one that it
/// polls, though the forsaken one was woken before, for the turn of a third. Method: two branches with
/// wakers of their own; the second holds two futures, and polls only the later.
#[test]
fn a_called_future_that_was_woken_for_another_still_gets_its_task_woken() {
    let me = slot(1);
    let ((first, _), (second, count)) = (Count::new(), Count::new());
    let lock = RwLock::new(());
    let holder = lock.try_write().unwrap();
    let mut front = Box::pin(lock.write());
    let mut forsaken = Box::pin(lock.write());
    let mut polled = Box::pin(lock.write());
    assert!(poll_in(&me, 128, front.as_mut(), &first).is_pending());
    assert!(poll_in(&me, 128, forsaken.as_mut(), &second).is_pending());
    assert!(poll_in(&me, 128, polled.as_mut(), &second).is_pending());
    drop(holder); // calls the front, and wakes its kin
    let Poll::Ready(guard) = poll_in(&me, 128, front.as_mut(), &first) else {
        panic!("the front was called")
    };
    assert!(count.get() > 0);
    // The branch does what it was woken for, and polls one of its two.
    assert!(poll_in(&me, 128, polled.as_mut(), &second).is_pending());
    let before = count.get();
    drop(guard); // calls the forsaken one
    let mut seen = before;
    let mut done = false;
    while count.get() > seen && !done {
        seen = count.get();
        done = poll_in(&me, 128, polled.as_mut(), &second).is_ready();
    }
    assert!(done, "the task was not woken, or not often enough");
}

/// Goal: a lock is never held by a future that its task has stopped polling, whatever kept the future
/// from returning it. Method: the budget is spent when the lock is free, or when its turn has come; then
/// the task polls only another future.
#[test]
fn a_spent_budget_does_not_keep_the_lock_from_another_future_of_the_task() {
    let (me, other) = (slot(1), slot(2));
    for unfair in [false, true] {
        for waited in [false, true] {
            let lock = if unfair {
                Lock::unfair(())
            } else {
                Lock::new(())
            };
            let (waker, count) = Count::new();
            let (stranger, _) = Count::new();
            let mut forsaken = Box::pin(lock.lock());
            if waited {
                let guard = lock.try_lock().unwrap();
                assert!(poll_in(&me, 128, forsaken.as_mut(), &waker).is_pending());
                drop(guard);
                assert_eq!(count.get(), 1);
            }
            let before = count.get();
            assert!(poll_in(&me, 0, forsaken.as_mut(), &waker).is_pending());
            assert_eq!(count.get(), before + 1, "it comes back by itself");
            if !unfair {
                assert!(lock.try_lock().is_err(), "the turn is kept");
                let mut late = pin!(lock.lock());
                assert!(poll_in(&other, 128, late.as_mut(), &stranger).is_pending());
            }
            let mut polled = Box::pin(lock.lock());
            let Poll::Ready(guard) = poll_in(&me, 128, polled.as_mut(), &waker) else {
                panic!("futurelock: unfair {unfair}, waited {waited}")
            };
            drop(guard);
            assert!(poll_in(&me, 128, forsaken.as_mut(), &waker).is_ready());
        }
    }
}

/// Goal: whose wait it is follows the task that polled it last, also when the waker stays the same, as
/// that of a branch of a combinator does that is moved from one task to another.
#[test]
fn a_wait_that_moves_to_another_task_with_its_waker_is_that_tasks() {
    let (one, another) = (slot(1), slot(2));
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let ((branch, _), (waker, _)) = (Count::new(), Count::new());
    let mut moved = Box::pin(lock.lock());
    assert!(poll_in(&one, 128, moved.as_mut(), &branch).is_pending());
    assert!(poll_in(&another, 128, moved.as_mut(), &branch).is_pending());
    drop(guard);
    let mut stranger = Box::pin(lock.lock());
    assert!(poll_in(&one, 128, stranger.as_mut(), &waker).is_pending());
    let mut polled = Box::pin(lock.lock());
    assert!(poll_in(&another, 128, polled.as_mut(), &waker).is_ready());
}

/// Goal: the waker of a branch is not taken for the task's own because it happens to lie near the task.
/// Method: two branches whose wakers are just in front of the task's slot; the first does not poll its
/// wait any more.
#[test]
fn a_waker_beside_the_task_is_not_the_tasks() {
    #[repr(C)]
    struct Neighbours {
        first: Cell<usize>,
        second: Cell<usize>,
        task: TaskSlot,
    }
    static COUNTS: RawWakerVTable =
        RawWakerVTable::new(|data| RawWaker::new(data, &COUNTS), count, count, |_| {});
    fn count(data: *const ()) {
        // SAFETY: every waker of this table points to a count that outlives it, on one thread.
        let count = unsafe { &*data.cast::<Cell<usize>>() };
        count.set(count.get() + 1);
    }
    let all = Neighbours {
        first: Cell::new(0),
        second: Cell::new(0),
        task: slot(1),
    };
    let [first, second] = [&all.first, &all.second].map(|count| {
        // SAFETY: as `count` says.
        unsafe { Waker::new(core::ptr::from_ref(count).cast(), &COUNTS) }
    });
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let mut forsaken = Box::pin(lock.lock());
    let mut polled = Box::pin(lock.lock());
    assert!(poll_in(&all.task, 128, forsaken.as_mut(), &first).is_pending());
    assert!(poll_in(&all.task, 128, polled.as_mut(), &second).is_pending());
    drop(guard);
    assert_eq!(all.second.get(), 1, "the branch that goes on is woken");
    assert!(poll_in(&all.task, 128, polled.as_mut(), &second).is_ready());
}

/// A writer that formats what it is part of, as a logger may whose own state is behind the lock.
struct Reenters<F: Fn() -> String> {
    again: F,
    seen: String,
}

impl<F: Fn() -> String> std::fmt::Write for Reenters<F> {
    fn write_str(&mut self, _: &str) -> std::fmt::Result {
        self.seen += &(self.again)();
        Ok(())
    }
}

/// Goal: what a `Debug` writes to is user code and runs under no lock of ours.
#[test]
fn debug_writes_under_no_lock() {
    use std::fmt::Write;

    fn check(what: &dyn std::fmt::Debug) {
        let mut out = Reenters {
            again: || format!("{what:?}"),
            seen: String::new(),
        };
        write!(out, "{what:?}").unwrap();
        assert!(!out.seen.contains("waiting: <locked>"), "{}", out.seen);
    }

    check(&Lock::new(()));
    check(&RwLock::new(()));
    check(&Condition::new());
    check(&tenter_sync::Event::new());
    check(&tenter_sync::Barrier::new(1));
    check(&tenter_sync::Notify::new());
    check(&tenter_sync::Semaphore::new(1));
}
