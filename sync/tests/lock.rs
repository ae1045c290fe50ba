//! `Lock`: the semantic cases L01 to L14, guards, cancellation, futurelock and barging.

mod models;
mod support;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::{Count, Log, Tasks, leak, poll, poll_with, slot, yield_now};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Lock, LockGuard, MappedLockGuard, Notify, TryLockError};

/// The bodies of the models, again and again on system threads.
mod stress {
    macro_rules! stress {
        ($($name:ident),* $(,)?) => {
            $(#[test]
            fn $name() {
                tenter_sync::shim::explore(super::models::lock::$name);
            })*
        };
    }

    stress! {
        two_users, three_users, two_bargers, three_bargers, a_loser_gets_the_next_turn,
        a_cancelled_waiter_passes_it_on, a_cancelled_waiter_of_bargers,
        a_forsaken_wait_is_overtaken, a_forsaken_wait_among_bargers,
        a_spent_budget_keeps_the_place, a_spent_budget_among_bargers,
    }
}

/// Polls as the task `slot` does.
fn poll_in<F: Future + ?Sized>(
    slot: &TaskSlot,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    current::with_task(slot, 128, || poll_with(future, waker))
}

#[test]
fn l01_tasks_take_it_in_the_order_of_arrival() {
    let (lock, gate, log) = (Lock::new(()), Notify::new(), Log::default());
    let mut tasks = Tasks::new();
    let user = |name: &'static str| {
        let (lock, gate, log) = (&lock, &gate, log.clone());
        async move {
            let _guard = lock.lock().await;
            log.add(name);
            gate.notified().await;
        }
    };
    let held = lock.try_lock().unwrap();
    tasks.spawn(user("a"));
    tasks.spawn(user("b"));
    tasks.run();
    assert_eq!(log.take(), "");
    drop(held);
    tasks.spawn(user("late"));
    tasks.run();
    assert_eq!(log.take(), "a", "one at a time");
    gate.notify_one();
    tasks.run();
    assert_eq!(log.take(), "b");
    gate.notify_one();
    tasks.run();
    assert_eq!(log.take(), "late");
    assert_eq!(lock.stats().waiting_max, 2);
}

#[test]
fn l02_a_cancelled_waiter_leaves_the_line_empty() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let mut waiter = Box::pin(lock.lock());
    assert!(poll(waiter.as_mut()).is_pending());
    assert_eq!(lock.stats().waiting, 1);
    drop(waiter);
    assert_eq!(lock.stats().waiting, 0);
    drop(guard);
    assert!(!lock.is_locked());
}

#[test]
fn l06_a_freed_lock_is_free() {
    let lock = Lock::new(1);
    let guard = lock.try_lock().unwrap();
    assert!(lock.is_locked() && lock.try_lock().is_err());
    drop(guard);
    assert!(!lock.is_locked());
}

#[test]
fn l07_a_panic_under_the_lock_frees_it_and_does_not_poison_it() {
    let lock = Lock::new(1);
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = lock.try_lock().unwrap();
        *guard = 2;
        panic!("inside");
    }));
    assert!(panicked.is_err());
    assert_eq!(lock.try_lock().map(|guard| *guard), Ok(2));
}

#[test]
fn l08_a_waiter_that_is_cancelled_before_the_lock_is_freed_is_gone_at_once() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let mut tasks = Tasks::new();
    let task = tasks.spawn(async { drop(lock.lock().await) });
    tasks.run();
    tasks.cancel(task);
    assert_eq!(lock.stats().waiting, 0);
    drop(guard);
    assert!(poll(pin!(lock.lock())).is_ready());
}

#[test]
fn l09_a_waiter_that_is_cancelled_after_the_lock_was_freed_does_not_lose_it() {
    for lock in [Lock::new(()), Lock::unfair(())] {
        let guard = lock.try_lock().unwrap();
        let ((first, _), (second, count)) = (Count::new(), Count::new());
        let mut woken = Box::pin(lock.lock());
        let mut behind = Box::pin(lock.lock());
        assert!(poll_with(woken.as_mut(), &first).is_pending());
        assert!(poll_with(behind.as_mut(), &second).is_pending());
        drop(guard);
        assert_eq!(count.get(), 0);
        drop(woken);
        assert_eq!(count.get(), 1, "it passed its turn on");
        drop(behind);
        assert!(lock.try_lock().is_ok());
    }
}

#[test]
fn l10_a_task_that_frees_it_never_takes_it_again_before_the_others() {
    let (lock, log) = (Lock::new(()), Log::default());
    let mut tasks = Tasks::new();
    for name in ["a", "b", "c"] {
        let (lock, log) = (&lock, log.clone());
        tasks.spawn(async move {
            for _ in 0..5 {
                let _guard = lock.lock().await;
                log.add(name);
                yield_now().await;
            }
        });
    }
    tasks.run();
    assert_eq!(log.take(), ["a b c"; 5].join(" "));
}

#[test]
fn l11_never_two_inside() {
    for lock in [Lock::new((0, 0)), Lock::unfair((0, 0))] {
        let mut tasks = Tasks::new();
        for _ in 0..5 {
            tasks.spawn(async {
                for _ in 0..10 {
                    let mut guard = lock.lock().await;
                    guard.0 += 1;
                    yield_now().await;
                    assert_eq!(guard.0, 1);
                    yield_now().await;
                    guard.0 -= 1;
                    guard.1 += 1;
                }
            });
        }
        tasks.run();
        drop(tasks);
        assert_eq!(lock.into_inner(), (0, 50));
    }
}

#[test]
fn l13_a_freed_lock_is_kept_for_the_waiter_that_was_woken() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let (waker, count) = Count::new();
    let mut waiter = pin!(lock.lock());
    assert!(poll_with(waiter.as_mut(), &waker).is_pending());
    drop(guard);
    assert_eq!(count.get(), 1);
    assert_eq!(lock.try_lock().err(), Some(TryLockError));
    assert!(lock.is_locked());
    let (other, _) = Count::new();
    let mut late = Box::pin(lock.lock());
    assert!(poll_with(late.as_mut(), &other).is_pending());
    assert!(poll_with(waiter, &waker).is_ready());
}

#[test]
fn l14_a_static_lock_works_in_two_rounds_of_contention() {
    static LOCK: Lock<usize> = Lock::new(0).named("counter");
    for round in 1..=2 {
        let mut tasks = Tasks::new();
        for _ in 0..3 {
            tasks.spawn(async {
                let mut guard = LOCK.lock().await;
                yield_now().await;
                *guard += 1;
            });
        }
        tasks.run();
        assert_eq!(*LOCK.try_lock().unwrap(), 3 * round);
    }
    assert_eq!(LOCK.stats().name.as_deref(), Some("counter"));
}

/// The program of Oxide's RFD 609: one task queues two futures, and polls only the second.
#[test]
fn futurelock_completes() {
    let me = slot(1);
    for lock in [Lock::new(()), Lock::unfair(())] {
        for second_queued_before in [false, true] {
            let (waker, count) = Count::new();
            let guard = lock.try_lock().unwrap();
            let mut forsaken = Box::pin(lock.lock());
            assert!(poll_in(&me, forsaken.as_mut(), &waker).is_pending());
            let mut polled = Box::pin(lock.lock());
            if second_queued_before {
                assert!(poll_in(&me, polled.as_mut(), &waker).is_pending());
            }
            drop(guard);
            assert!(count.get() >= 1);
            for round in 0..2 {
                // Again and again: the forsaken one stays in front.
                let Poll::Ready(guard) = poll_in(&me, polled.as_mut(), &waker) else {
                    panic!("overtakes, round {round}")
                };
                assert!(lock.is_locked());
                polled = Box::pin(lock.lock());
                if round == 0 {
                    assert!(poll_in(&me, polled.as_mut(), &waker).is_pending());
                }
                drop(guard);
            }
            assert!(count.get() >= 2, "the third wait was woken too");
            drop((forsaken, polled));
            assert!(!lock.is_locked() && lock.stats().waiting == 0);
        }
    }
}

/// The same in two branches of a combinator that polls only what was woken: each branch has a waker of
/// its own, and the branch with the front does not poll it any more.
#[test]
fn futurelock_completes_in_branches_that_are_polled_only_when_woken() {
    let (me, other) = (slot(1), slot(2));
    for lock in [Lock::new(()), Lock::unfair(())] {
        let ((front, _), (branch, count), (stranger, strangers)) =
            (Count::new(), Count::new(), Count::new());
        let guard = lock.try_lock().unwrap();
        let mut forsaken = Box::pin(lock.lock());
        let mut between = Box::pin(lock.lock());
        let mut polled = Box::pin(lock.lock());
        assert!(poll_in(&me, forsaken.as_mut(), &front).is_pending());
        assert!(poll_in(&other, between.as_mut(), &stranger).is_pending());
        assert!(poll_in(&me, polled.as_mut(), &branch).is_pending());
        drop(guard);
        assert_eq!((count.get(), strangers.get()), (1, 0));
        let Poll::Ready(guard) = poll_in(&me, polled.as_mut(), &branch) else {
            panic!("overtakes")
        };
        drop(guard);
        drop(forsaken);
        assert_eq!(strangers.get(), 1);
        assert!(poll_in(&other, between.as_mut(), &stranger).is_ready());
    }
}

/// A stranger is no rescue: only the task of the front may overtake it.
#[test]
fn another_task_does_not_overtake() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let mut front = Box::pin(lock.lock());
    assert!(poll_in(&slot(1), front.as_mut(), Waker::noop()).is_pending());
    drop(guard);
    let mut stranger = Box::pin(lock.lock());
    for _ in 0..2 {
        assert!(poll_in(&slot(2), stranger.as_mut(), Waker::noop()).is_pending());
    }
    assert!(poll_in(&slot(1), front.as_mut(), Waker::noop()).is_ready());
}

#[test]
fn unfair_a_running_task_barges_and_a_waiter_loses_once() {
    let lock = Lock::unfair(());
    let (waker, count) = Count::new();
    let guard = lock.try_lock().unwrap();
    let mut waiter = Box::pin(lock.lock());
    assert!(poll_with(waiter.as_mut(), &waker).is_pending());
    drop(guard);
    assert_eq!(count.get(), 1);
    let guard = lock.try_lock().expect("faster than the woken one");
    assert!(
        poll_with(waiter.as_mut(), &waker).is_pending(),
        "it has lost once"
    );
    drop(guard);
    assert_eq!(count.get(), 2);
    assert!(lock.try_lock().is_err(), "now it is kept for the waiter");
    assert!(poll_with(waiter.as_mut(), &waker).is_ready());
    drop(waiter);
    assert!(lock.try_lock().is_ok() && lock.stats().is_unfair);
}

#[test]
fn unfair_a_woken_waiter_is_woken_once_however_often_others_are_faster() {
    let lock = Lock::unfair(());
    let (waker, count) = Count::new();
    let guard = lock.try_lock().unwrap();
    let mut waiter = Box::pin(lock.lock());
    assert!(poll_with(waiter.as_mut(), &waker).is_pending());
    drop(guard);
    for _ in 0..10 {
        drop(lock.try_lock().unwrap());
    }
    assert_eq!(count.get(), 1);
    assert!(poll_with(waiter.as_mut(), &waker).is_ready());
}

/// A loser that leaves takes its claim to the next turn with it.
#[test]
fn unfair_a_loser_that_is_dropped_frees_the_lock_for_all() {
    let lock = Lock::unfair(());
    let ((loser, _), (next, count)) = (Count::new(), Count::new());
    let guard = lock.try_lock().unwrap();
    let mut first = Box::pin(lock.lock());
    let mut second = Box::pin(lock.lock());
    assert!(poll_with(first.as_mut(), &loser).is_pending());
    assert!(poll_with(second.as_mut(), &next).is_pending());
    drop(guard);
    let guard = lock.try_lock().unwrap();
    assert!(poll_with(first.as_mut(), &loser).is_pending());
    drop(guard);
    drop(first);
    assert_eq!(count.get(), 1);
    drop(lock.try_lock().expect("nobody has lost any more"));
    assert!(poll_with(second.as_mut(), &next).is_ready());
}

/// Goal: whatever a dropped waiter was, the one behind it gets the lock and nothing is left over.
/// Method: drop after each number of polls, before and after its turn, and with the lock secured in it
/// by a spent budget; both kinds of lock; borrowed and owned.
#[test]
fn a_wait_may_be_dropped_at_every_poll() {
    let me = slot(1);
    for unfair in [false, true] {
        for owned in [false, true] {
            for polls in 0..3 {
                for (freed, held_back) in [(false, false), (true, false), (true, true)] {
                    let lock = Arc::new(if unfair {
                        Lock::unfair(())
                    } else {
                        Lock::new(())
                    });
                    let ((mine, _), (other, count)) = (Count::new(), Count::new());
                    let guard = lock.try_lock().unwrap();
                    let mut dropped: Pin<Box<dyn Future<Output = ()>>> = if owned {
                        let lock = Arc::clone(&lock);
                        Box::pin(async { drop(lock.lock_owned().await) })
                    } else {
                        let lock = &*lock;
                        Box::pin(async { drop(lock.lock().await) })
                    };
                    for _ in 0..polls {
                        assert!(poll_with(dropped.as_mut(), &mine).is_pending());
                    }
                    let mut behind = Box::pin(lock.lock());
                    assert!(poll_with(behind.as_mut(), &other).is_pending());
                    let mut guard = Some(guard);
                    if freed {
                        guard = None;
                    }
                    if held_back && polls > 0 {
                        current::with_task(&me, 0, || {
                            assert!(poll_with(dropped.as_mut(), &mine).is_pending());
                        });
                        assert!(lock.try_lock().is_err(), "secured");
                    }
                    drop(dropped);
                    assert_eq!(count.get() == 1, freed);
                    drop(guard);
                    assert_eq!(count.get(), 1);
                    assert!(poll_with(behind.as_mut(), &other).is_ready());
                    drop(behind);
                    let stats = lock.stats();
                    assert_eq!((stats.is_locked, stats.waiting), (false, 0));
                    assert_eq!(Arc::strong_count(&lock), 1);
                }
            }
        }
    }
}

#[test]
fn leaked_guards_and_waits_are_sound() {
    let lock = Lock::new(Box::new(7));
    let guard = lock.try_lock().unwrap();
    let mut waiter = Box::pin(lock.lock());
    let (waker, count) = Count::new();
    assert!(poll_with(waiter.as_mut(), &waker).is_pending());
    leak(waiter);
    drop(guard);
    assert_eq!(count.get(), 1);
    let mut moved = Box::new(lock);
    assert!(moved.is_locked(), "kept for the leaked one, for ever");
    assert_eq!(**moved.get_mut(), 7);
    assert_eq!(*moved.into_inner(), 7);

    let lock = Lock::unfair(1);
    leak(lock.try_lock().unwrap());
    assert!(lock.is_locked());
    assert_eq!(lock.into_inner(), 1);
}

#[test]
fn a_mapped_guard_keeps_the_lock_and_a_panic_in_between_frees_it() {
    let lock = Lock::new((1, [2, 3]));
    let part = LockGuard::map(lock.try_lock().unwrap(), |data| &mut data.1);
    let mut last = MappedLockGuard::map(part, |array| &mut array[1..]);
    last[0] = 4;
    assert_eq!(format!("{last:?}"), "[4]");
    assert!(lock.is_locked());
    drop(last);
    assert!(!lock.is_locked());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let guard = lock.try_lock().unwrap();
        drop(LockGuard::map(guard, |_| -> &mut u8 { panic!("no part") }));
    }));
    assert!(panicked.is_err() && !lock.is_locked());
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let part = LockGuard::map(lock.try_lock().unwrap(), |data| &mut data.0);
        drop(MappedLockGuard::map(part, |_| -> &mut u8 {
            panic!("no part")
        }));
    }));
    assert!(panicked.is_err());
    assert_eq!(lock.into_inner(), (1, [2, 4]));
}

#[test]
fn data_without_a_size_can_be_locked() {
    let lock: Arc<Lock<[u8]>> = Arc::new(Lock::new([1, 2, 3]));
    lock.try_lock().unwrap().reverse();
    let owned = Arc::clone(&lock).try_lock_owned().unwrap();
    assert_eq!(*owned, [3, 2, 1]);
    let shown: Arc<Lock<dyn std::fmt::Debug>> = Arc::new(Lock::new(5));
    assert!(format!("{shown:?}").contains("data: 5"));
}

#[test]
fn owned_guards_keep_the_lock_alive() {
    let lock = Arc::new(Lock::new(String::new()));
    let Poll::Ready(mut guard) = poll(pin!(Arc::clone(&lock).lock_owned())) else {
        panic!("free")
    };
    assert!(Arc::clone(&lock).try_lock_owned().is_err());
    let other = Arc::downgrade(&lock);
    drop(lock);
    guard.push('x');
    assert_eq!((&**guard, other.strong_count()), ("x", 1));
    drop(guard);
    assert_eq!(other.strong_count(), 0);
}

#[test]
fn debug_shows_the_name_and_the_data_and_never_blocks() {
    let lock = Lock::new(3).named_dyn(format!("shard {}", 7));
    let text = format!("{lock:?}");
    assert!(
        text.contains("\"shard 7\"") && text.contains("data: 3"),
        "{text}"
    );
    let guard = lock.try_lock().unwrap();
    assert!(format!("{lock:?}").contains("<locked>"));
    assert_eq!(
        (format!("{guard:?}"), guard.to_string()),
        ("3".into(), "3".into())
    );
}

#[test]
fn a_spent_budget_keeps_the_lock_for_the_next_poll() {
    let lock = Lock::new(());
    let (waker, count) = Count::new();
    let mut future = Box::pin(lock.lock());
    current::with_task(&slot(1), 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    });
    assert_eq!((count.get(), lock.is_locked()), (1, true));
    assert!(poll(future.as_mut()).is_ready());
}

#[test]
fn a_waiting_task_says_what_it_waits_for() {
    let lock = Lock::new(());
    let _guard = lock.try_lock().unwrap();
    let me = slot(1);
    let mut future = pin!(lock.lock());
    for _ in 0..2 {
        me.clear_waiting_on();
        assert!(poll_in(&me, future.as_mut(), Waker::noop()).is_pending());
        assert_eq!(me.waiting_on().unwrap().kind, WaitKind::Lock);
    }
}

#[test]
fn a_thread_can_wait_in_the_same_line() {
    let lock = Arc::new(Lock::new(1));
    let guard = lock.try_lock().unwrap();
    let other = Arc::clone(&lock);
    let thread = std::thread::spawn(move || *other.blocking_lock() + 1);
    while lock.stats().waiting == 0 {
        std::thread::yield_now();
    }
    drop(guard);
    assert_eq!(thread.join().unwrap_or(0), 2);
    assert_eq!(*lock.blocking_lock_owned(), 1);
}

#[test]
#[should_panic(expected = "a blocking call inside task 1 would stop every task")]
fn a_blocking_call_inside_a_task_is_refused() {
    current::with_task(&slot(1), 1, || drop(Lock::new(()).blocking_lock()));
}

#[test]
#[should_panic(expected = "polled again after it had completed")]
fn polling_a_finished_future_panics() {
    let lock = Lock::new(());
    let mut future = pin!(lock.lock());
    drop(poll(future.as_mut()));
    let _ = poll(future);
}

#[test]
fn a_changed_waker_replaces_the_old_one() {
    let lock = Lock::new(());
    let guard = lock.try_lock().unwrap();
    let ((old, old_count), (new, new_count)) = (Count::new(), Count::new());
    let mut waiter = pin!(lock.lock());
    for waker in [&old, &old, &new] {
        assert!(poll_with(waiter.as_mut(), waker).is_pending());
    }
    drop((old, new));
    assert_eq!(Arc::strong_count(&old_count), 1);
    drop(guard);
    assert_eq!((old_count.get(), new_count.get()), (0, 1));
}
