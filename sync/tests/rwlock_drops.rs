//! `RwLock`: drops and leaks in every state, the budget, one task with two futures, hostile wakers.

mod support;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Waker;

use support::{
    Count, Hooks, Log, hostile, leak, poll, poll_alone, poll_with, ready, slot, yield_now,
};
use tenter_sync::RwLock;
use tenter_sync::current::{self};

fn assert_free<T: ?Sized>(lock: &RwLock<T>) {
    let stats = lock.stats();
    assert_eq!(
        (stats.readers, stats.is_write_locked, stats.waiting),
        (0, false, 0)
    );
    assert!(!lock.is_locked());
}

#[test]
fn l09_a_called_waiter_that_is_cancelled_loses_nothing() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let mut called = Box::pin(lock.write());
    assert!(poll_alone(called.as_mut()).is_pending());
    drop(held);
    drop(called);
    assert_free(&lock);
    assert!(lock.try_write().is_ok());
}

/// Goal: whatever a dropped waiter was, those behind it get what it would have got.
/// Method: drop a waiter after each number of polls, before and after its call, with the call
/// unpolled and with it held back by the budget; for each kind in front and behind.
#[test]
fn a_waiter_may_be_dropped_at_every_poll() {
    type Boxed = Pin<Box<dyn Future<Output = ()>>>;
    type Make = fn(&Arc<RwLock<()>>) -> Boxed;
    let lock = Arc::new(RwLock::new(()));
    let kinds: [Make; 4] = [
        |lock| {
            let lock = Arc::clone(lock);
            Box::pin(async move { drop(lock.read().await) })
        },
        |lock| {
            let lock = Arc::clone(lock);
            Box::pin(async move { drop(lock.write().await) })
        },
        |lock| {
            let future = Arc::clone(lock).read_owned();
            Box::pin(async move { drop(future.await) })
        },
        |lock| {
            let future = Arc::clone(lock).write_owned();
            Box::pin(async move { drop(future.await) })
        },
    ];
    let task = slot(1);
    for case in 0..kinds.len() * kinds.len() * 3 * 3 {
        let (front, back) = (kinds[case % 4], kinds[case / 4 % 4]);
        let (polls, when) = (case / 16 % 3, case / 48);
        let held = lock.try_write().unwrap();
        let (waker, count) = Count::new();
        let mut dropped = front(&lock);
        for _ in 0..polls {
            assert!(poll_alone(dropped.as_mut()).is_pending());
        }
        let mut behind = back(&lock);
        assert!(poll_with(behind.as_mut(), &waker).is_pending());
        let mut held = Some(held);
        if when > 0 {
            held = None;
        }
        if when == 2 && polls > 0 {
            current::with_task(&task, 0, || {
                assert!(poll_alone(dropped.as_mut()).is_pending());
            });
        }
        drop(dropped);
        drop(held);
        assert_eq!(count.get(), 1, "case {case}");
        assert!(poll(behind.as_mut()).is_ready());
        assert_free(&lock);
    }
    assert_eq!(Arc::strong_count(&lock), 1);
}

#[test]
fn a_spent_budget_keeps_the_place_and_not_the_lock() {
    let lock = RwLock::new(());
    let task = slot(1);
    let (waker, count) = Count::new();
    let mut future = Box::pin(lock.write());
    current::with_task(&task, 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 1, "it comes back by itself");
    assert!(lock.try_read().is_err(), "the place is kept");
    current::with_task(&task, 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 2);
    drop(ready(poll_with(future.as_mut(), &waker)));
    let mut dropped = Box::pin(lock.read());
    current::with_task(&task, 0, || assert!(poll(dropped.as_mut()).is_pending()));
    drop(dropped);
    assert_free(&lock);
}

/// Goal: a task that polls only one of two futures for one lock goes on.
/// Method: both kinds in both places, under a tenter task with other wakers and with one waker
/// elsewhere; polls follow wakes, and the first future is never polled again.
#[test]
fn futurelock_a_task_that_polls_only_one_of_its_two_futures_goes_on() {
    for case in 0..16 {
        let (first_writes, second_writes) = (case & 1 == 1, case & 2 == 2);
        let (tenter, held_by_reader) = (case & 4 == 4, case & 8 == 8);
        if held_by_reader && !first_writes {
            continue; // the first would not wait
        }
        let lock = RwLock::new(());
        let task = slot(1);
        let run = |poll: &mut dyn FnMut()| {
            if tenter {
                current::with_task(&task, 128, poll);
            } else {
                poll();
            }
        };
        let held = if held_by_reader {
            (lock.try_read().ok(), None)
        } else {
            (None, lock.try_write().ok())
        };
        let future = |writes: bool| -> Pin<Box<dyn Future<Output = ()> + '_>> {
            let lock = &lock;
            if writes {
                Box::pin(async move { drop(lock.write().await) })
            } else {
                Box::pin(async move { drop(lock.read().await) })
            }
        };
        let ((one, _), (another, woken)) = (Count::new(), Count::new());
        let one = if tenter { &one } else { &another };
        let (mut first, mut second) = (future(first_writes), future(second_writes));
        run(&mut || assert!(poll_with(first.as_mut(), one).is_pending()));
        run(&mut || assert!(poll_with(second.as_mut(), &another).is_pending()));
        let mut stranger = Box::pin(lock.write());
        assert!(poll_alone(stranger.as_mut()).is_pending());
        drop(held);
        let mut done = false;
        let mut polls = 0;
        while !done && polls < woken.get() {
            polls += 1;
            run(&mut || done = poll_with(second.as_mut(), &another).is_ready());
        }
        assert!(done, "case {case:04b}: {polls} polls");
        // The first one is whole: it has its turn, or lines up again.
        let mut finished = [false, false];
        for _ in 0..2 {
            run(&mut || finished[0] = finished[0] || poll_with(first.as_mut(), one).is_ready());
            finished[1] = finished[1] || poll_alone(stranger.as_mut()).is_ready();
        }
        assert_eq!(finished, [true, true], "case {case:04b}");
        drop((first, second, stranger));
        assert_free(&lock);
    }
}

/// Goal: two loops in one task take turns: neither overtakes the other while both are polled.
#[test]
fn two_loops_in_one_task_alternate() {
    let lock = RwLock::new(());
    let log = Log::default();
    let task = slot(1);
    let user = |name: &'static str| {
        let (log, lock) = (log.clone(), &lock);
        async move {
            for _ in 0..4 {
                let guard = lock.write().await;
                log.add(name);
                yield_now().await;
                drop(guard);
            }
        }
    };
    let (mut one, mut another) = (Box::pin(user("a")), Box::pin(user("b")));
    let (waker, count) = Count::new();
    let (mut polled, mut done) = (0, [false, false]);
    while done != [true, true] && polled <= count.get() {
        polled += 1;
        current::with_task(&task, 128, || {
            done[0] = done[0] || poll_with(one.as_mut(), &waker).is_ready();
            done[1] = done[1] || poll_with(another.as_mut(), &waker).is_ready();
        });
    }
    assert_eq!(log.take(), ["a b"; 4].join(" "));
    assert_free(&lock);
}

/// A waker that panics, or comes back to the lock, at each of its occasions.
#[test]
fn hostile_wakers_leave_the_lock_whole() {
    for occasion in 0..3 {
        for comes_back in [false, true] {
            let lock = Arc::new(RwLock::new(()));
            let other = Arc::downgrade(&lock);
            let armed = Mutex::new(true);
            let hook = Box::new(move || {
                if !std::mem::replace(&mut *armed.lock().unwrap(), false) {
                    return;
                }
                if !comes_back {
                    panic!("hostile waker");
                }
                let lock = other.upgrade().unwrap();
                drop(lock.try_read());
                let mut future = Box::pin(lock.write());
                drop(poll(future.as_mut()));
                assert!(!format!("{lock:?}").contains("waiting: <locked>"));
            });
            let mut hooks = Hooks::default();
            match occasion {
                0 => hooks.on_clone = Some(hook),
                1 => hooks.on_wake = Some(hook),
                _ => hooks.on_drop = Some(hook),
            }
            let bad = hostile(&Arc::new(hooks));
            let survive = |step: &mut dyn FnMut()| {
                let _ = catch_unwind(AssertUnwindSafe(step));
            };
            let mut held = lock.try_write().ok();
            let mut first = Some(Box::pin(lock.read()));
            survive(&mut || drop(poll_with(first.as_mut().unwrap().as_mut(), &bad)));
            let wakers: Vec<_> = (0..40).map(|_| Count::new()).collect();
            let mut others: Vec<_> = wakers
                .iter()
                .map(|(waker, _)| {
                    let mut other = Box::pin(lock.read());
                    assert!(poll_with(other.as_mut(), waker).is_pending());
                    other
                })
                .collect();
            survive(&mut || drop(held.take()));
            let missed = wakers.iter().filter(|(_, count)| count.get() == 0).count();
            assert_eq!(missed, 0, "{occasion} {comes_back}");
            survive(&mut || drop(first.take()));
            for other in &mut others {
                drop(ready(poll(other.as_mut())));
            }
            drop(others);
            let mut bad = Some(bad);
            survive(&mut || drop(bad.take()));
            assert_free(&lock);
        }
    }
}

/// Goal: a waker that panics in the very poll that takes the lock does not keep it.
#[test]
fn a_panic_on_the_way_to_the_guard_puts_the_lock_back() {
    fn armed() -> Box<dyn Fn() + Send + Sync> {
        let armed = Mutex::new(true);
        Box::new(move || {
            let armed = std::mem::replace(&mut *armed.lock().unwrap(), false);
            assert!(!armed, "hostile waker");
        })
    }
    // A reader that joins the called ones drops the clone that it did not need.
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let mut called = Box::pin(lock.read());
    assert!(poll_alone(called.as_mut()).is_pending());
    drop(held);
    let hooks = Hooks {
        on_drop: Some(armed()),
        ..Hooks::default()
    };
    let bad = hostile(&Arc::new(hooks));
    let mut joins = Box::pin(lock.read());
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(poll_with(joins.as_mut(), &bad))));
    assert!(outcome.is_err());
    assert_eq!(lock.readers(), 0);
    drop((called, joins));
    assert_free(&lock);

    // One that overtakes calls a stranger behind it.
    let held = lock.try_write().unwrap();
    let ((own, _), hooks) = (
        Count::new(),
        Hooks {
            on_wake: Some(armed()),
            ..Hooks::default()
        },
    );
    let bad = hostile(&Arc::new(hooks));
    let (mut first, mut second) = (Box::pin(lock.write()), Box::pin(lock.read()));
    let mut stranger = Box::pin(lock.read());
    assert!(poll_with(first.as_mut(), &own).is_pending());
    assert!(poll_with(second.as_mut(), &own).is_pending());
    assert!(poll_with(stranger.as_mut(), &bad).is_pending());
    drop(held);
    assert!(poll_with(second.as_mut(), &own).is_pending());
    let outcome = catch_unwind(AssertUnwindSafe(|| drop(poll_with(second.as_mut(), &own))));
    assert!(outcome.is_err());
    assert_eq!(lock.readers(), 0);
    drop(ready(poll_alone(stranger.as_mut())));
    drop((first, second, stranger));
    assert_free(&lock);

    // One that has no budget left clones a waker before it gives the lock back.
    let hooks = Hooks {
        on_clone: Some(armed()),
        ..Hooks::default()
    };
    let bad = hostile(&Arc::new(hooks));
    let mut spent = Box::pin(lock.write());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        current::with_task(&slot(1), 0, || drop(poll_with(spent.as_mut(), &bad)));
    }));
    assert!(outcome.is_err());
    assert_free(&lock);
}

#[test]
fn a_wake_may_drop_the_last_reference() {
    let lock = Arc::new(RwLock::new(Arc::new(())));
    let value = Arc::clone(&*lock.try_read().unwrap());
    let held = Arc::clone(&lock).try_write_owned().unwrap();
    let place = Arc::new(Mutex::new(None));
    let owned = Arc::clone(&place);
    let hooks = Hooks {
        on_wake: Some(Box::new(move || drop(owned.lock().unwrap().take()))),
        ..Hooks::default()
    };
    let waker = hostile(&Arc::new(hooks));
    let mut future = Box::pin(lock.read_owned());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    *place.lock().unwrap() = Some(future);
    drop(held); // calls the reader, whose wake drops it and with it all but this guard's reference
    assert!(place.lock().unwrap().is_none());
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn leaked_guards_and_waiters_are_sound() {
    let lock = RwLock::new(());
    leak(lock.try_read().unwrap());
    let mut leaked = Box::pin(lock.write());
    assert!(poll_alone(leaked.as_mut()).is_pending());
    leak(leaked);
    let moved = Box::new(lock);
    assert_eq!((moved.readers(), moved.stats().waiting), (1, 1));
    let mut behind = Box::pin(moved.read());
    assert!(poll_alone(behind.as_mut()).is_pending());
    drop(behind);
    assert!(moved.try_read().is_err());
}

#[test]
fn a_changed_waker_replaces_the_old_one() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let ((old, old_count), (new, new_count)) = (Count::new(), Count::new());
    let mut waiter = pin!(lock.read());
    assert!(poll_with(waiter.as_mut(), &old).is_pending());
    assert!(poll_with(waiter.as_mut(), &new).is_pending());
    drop((old, new));
    assert_eq!(Arc::strong_count(&old_count), 1);
    drop(held);
    assert_eq!((old_count.get(), new_count.get()), (0, 1));
}

#[test]
fn the_wakers_of_a_thread_are_dropped_with_its_wait() {
    let lock = RwLock::new(());
    let held = lock.try_write().unwrap();
    let (waker, count) = Count::new();
    let mut future = Box::pin(lock.read());
    assert!(poll_with(future.as_mut(), &waker).is_pending());
    drop(future);
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
    drop(held);
    assert!(poll_with(pin!(lock.read()), Waker::noop()).is_ready());
}
