//! `Condition`: the semantic cases C01 to C17, cancellation, two locks, hostile wakers, and an oracle.

mod models;
mod support;

use std::collections::VecDeque;
use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};

use support::generator::Random;
use support::{Count, Hooks, Log, Tasks, hostile, leak, poll, poll_with};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Condition, Lock, LockGuard, Wait};

/// The bodies of the models, again and again on system threads.
mod stress {
    macro_rules! stress {
        ($($name:ident),* $(,)?) => {
            $(#[test]
            fn $name() {
                tenter_sync::shim::explore(super::models::condition::$name);
            })*
        };
    }

    stress! { wait_and_notify, two_waiters, a_cancelled_wait_passes_it_on, moved_while_it_looks }
}

/// Begins a wait, and frees the lock.
fn begin<'a, T>(
    lock: &'a Lock<T>,
    condition: &'a Condition,
    waker: &Waker,
) -> Pin<Box<Wait<'a, T>>> {
    let guard = lock.try_lock().expect("free");
    let mut wait = Box::pin(condition.wait(guard));
    assert!(poll_with(wait.as_mut(), waker).is_pending());
    wait
}

fn notify<T>(lock: &Lock<T>, condition: &Condition, count: usize) {
    condition.notify(&lock.try_lock().expect("free"), count);
}

#[test]
fn c01_notified_waiters_go_on_in_order_and_never_while_the_lock_is_held() {
    let (lock, condition, log) = (Lock::new(()), Condition::new(), Log::default());
    let mut tasks = Tasks::new();
    for name in ["a", "b", "c"] {
        let (lock, condition, log) = (&lock, &condition, log.clone());
        tasks.spawn(async move {
            let _guard = condition.wait(lock.lock().await).await;
            log.add(name);
        });
    }
    tasks.run();
    for (count, expected) in [(1, "a"), (2, "b c")] {
        let guard = lock.try_lock().unwrap();
        condition.notify(&guard, count);
        tasks.run();
        assert_eq!(log.take(), "", "the notifier holds the lock");
        drop(guard);
        tasks.run();
        assert_eq!(log.take(), expected);
    }
    assert!(!lock.is_locked());
}

#[test]
fn c02_a_cancelled_wait_leaves_no_entry_and_no_lock() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let wait = begin(&lock, &condition, Waker::noop());
    assert_eq!(condition.stats().waiting, 1);
    drop(wait);
    assert_eq!((condition.stats().waiting, lock.is_locked()), (0, false));
    drop(condition.wait(lock.try_lock().unwrap()));
    assert!(
        !lock.is_locked(),
        "a wait that was never polled had the guard"
    );
}

#[test]
fn c04_a_notified_wait_that_is_cancelled_before_its_turn_leaves_the_lock_usable() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut wait = begin(&lock, &condition, Waker::noop());
    let guard = lock.try_lock().unwrap();
    condition.notify(&guard, 1);
    assert!(poll(wait.as_mut()).is_pending());
    drop(wait);
    drop(guard);
    assert_eq!(lock.stats().waiting, 0);
    assert!(lock.try_lock().is_ok());
}

#[test]
fn c06_wait_for_goes_on_when_there_is_something_to_go_on_with() {
    let (lock, condition) = (Lock::new(None), Condition::new());
    let mut wait = pin!(
        condition.wait_for(lock.try_lock().unwrap(), |value: &mut Option<u8>| {
            value.take()
        })
    );
    assert!(poll(wait.as_mut()).is_pending());
    notify(&lock, &condition, 1);
    assert!(poll(wait.as_mut()).is_pending(), "nothing there");
    assert!(!lock.is_locked() && condition.stats().waiting == 1);
    *lock.try_lock().unwrap() = Some(7);
    notify(&lock, &condition, 1);
    let Poll::Ready((guard, found)) = poll(wait.as_mut()) else {
        panic!("there is one")
    };
    assert_eq!((found, *guard), (7, None));
}

#[test]
fn c07_wait_for_something_that_is_there_does_not_free_the_lock() {
    let (lock, condition) = (Lock::new(1), Condition::new());
    let mut other = Box::pin(lock.lock());
    let guard = lock.try_lock().unwrap();
    let (waker, count) = Count::new();
    assert!(poll_with(other.as_mut(), &waker).is_pending());
    let Poll::Ready((guard, found)) = poll(pin!(condition.wait_for(guard, |number| Some(*number))))
    else {
        panic!("at once")
    };
    assert_eq!((*guard, found, count.get()), (1, 1, 0));
}

#[test]
fn c08_a_count_beyond_those_who_wait_is_not_kept() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waits: Vec<_> = (0..3)
        .map(|_| begin(&lock, &condition, Waker::noop()))
        .collect();
    notify(&lock, &condition, 1);
    assert!(poll(waits[0].as_mut()).is_ready());
    assert!(poll(waits[1].as_mut()).is_pending());
    let guard = lock.try_lock().unwrap();
    condition.notify(&guard, 1);
    condition.notify(&guard, 2048);
    condition.notify(&guard, 0);
    drop(guard);
    assert!(poll(waits[1].as_mut()).is_ready() && poll(waits[2].as_mut()).is_ready());
    let mut late = begin(&lock, &condition, Waker::noop());
    assert!(poll(late.as_mut()).is_pending());
}

#[test]
fn c09_all_are_let_on_in_order() {
    let (lock, condition, log) = (Lock::new(()), Condition::new(), Log::default());
    let mut tasks = Tasks::new();
    for name in ["a", "b"] {
        let (lock, condition, log) = (&lock, &condition, log.clone());
        tasks.spawn(async move {
            drop(condition.wait(lock.lock().await).await);
            log.add(name);
        });
    }
    tasks.run();
    condition.notify_all(&lock.try_lock().unwrap());
    tasks.run();
    assert_eq!(log.take(), "a b");
}

#[test]
fn c10_two_conditions_of_one_lock_exclude_one_another() {
    let (lock, one, another) = (Lock::new(()), Condition::new(), Condition::new());
    let mut first = begin(&lock, &one, Waker::noop());
    let (waker, count) = Count::new();
    let mut second = begin(&lock, &another, &waker);
    {
        let guard = lock.try_lock().unwrap();
        one.notify(&guard, 1);
        another.notify(&guard, 1);
    }
    let Poll::Ready(guard) = poll(first.as_mut()) else {
        panic!("first in line")
    };
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    drop(guard);
    assert_eq!(count.get(), 1);
    assert!(poll_with(second.as_mut(), &waker).is_ready());
}

#[test]
fn c16_a_cancelled_wait_hands_its_notification_to_the_next() {
    for looked in [false, true] {
        let (lock, condition) = (Lock::new(()), Condition::new());
        let mut first = begin(&lock, &condition, Waker::noop());
        let (waker, count) = Count::new();
        let mut second = begin(&lock, &condition, &waker);
        let guard = lock.try_lock().unwrap();
        condition.notify(&guard, 1);
        if looked {
            assert!(poll(first.as_mut()).is_pending());
        }
        drop(first);
        drop(guard);
        assert_eq!(count.get(), 1);
        assert!(poll_with(second.as_mut(), &waker).is_ready());
    }
}

#[test]
fn c17_the_notified_wait_for_the_lock() {
    let (lock, condition) = (Lock::new(()), Condition::new().named("changed"));
    let waits: Vec<_> = (0..3)
        .map(|_| begin(&lock, &condition, Waker::noop()))
        .collect();
    let guard = lock.try_lock().unwrap();
    condition.notify(&guard, 2);
    let stats = condition.stats();
    assert_eq!(
        (stats.waiting, stats.waiting_max, lock.stats().waiting),
        (1, 3, 2)
    );
    assert_eq!(stats.name.as_deref(), Some("changed"));
    assert!(format!("{condition:?}").contains("waiting: 1"));
    drop((guard, waits));
    assert_eq!((condition.stats().waiting, lock.stats().waiting), (0, 0));
}

/// What `notify_all` gave is not handed to one who came later.
#[test]
fn a_cancelled_wait_does_not_hand_a_broadcast_to_late_comers() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let first = begin(&lock, &condition, Waker::noop());
    let guard = lock.try_lock().unwrap();
    condition.notify_all(&guard);
    drop(guard);
    // The lock is kept for the first, so the late one gets in line by the hand of a leaver.
    let (waker, count) = Count::new();
    let mut late = Box::pin(async {
        let guard = lock.lock().await;
        condition.wait(guard).await
    });
    assert!(poll_with(late.as_mut(), &waker).is_pending());
    drop(first);
    assert_eq!(count.get(), 1, "its turn of the lock");
    assert!(poll_with(late.as_mut(), &waker).is_pending());
    assert_eq!((condition.stats().waiting, count.get()), (1, 1));
    notify(&lock, &condition, 1);
    assert!(poll_with(late.as_mut(), &waker).is_ready());
}

/// Goal: whatever a dropped wait was, the notification reaches the one behind it, and the lock is free.
/// Method: drop at each stage: polled again or not, notified, its turn woken, secured by a spent budget.
#[test]
fn a_wait_may_be_dropped_at_every_poll() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    for unfair in [false, true] {
        for stage in 0..6 {
            let lock = if unfair {
                Lock::unfair(())
            } else {
                Lock::new(())
            };
            let condition = Condition::new();
            let ((mine, _), (other, count)) = (Count::new(), Count::new());
            let mut dropped = begin(&lock, &condition, &mine);
            let mut behind = begin(&lock, &condition, &other);
            if stage >= 1 {
                assert!(poll(dropped.as_mut()).is_pending()); // another waker
            }
            if stage >= 2 {
                let guard = lock.try_lock().unwrap();
                condition.notify(&guard, 1);
                if stage >= 3 {
                    assert!(poll_with(dropped.as_mut(), &mine).is_pending());
                }
            }
            if stage == 4 {
                current::with_task(&slot, 0, || {
                    assert!(poll_with(dropped.as_mut(), &mine).is_pending());
                });
                assert!(lock.is_locked(), "secured");
            }
            if stage == 5 {
                let Poll::Ready(guard) = poll(dropped.as_mut()) else {
                    panic!("its turn")
                };
                drop(guard);
            }
            drop(dropped);
            let passed_on = (2..5).contains(&stage);
            assert_eq!(count.get() == 1, passed_on, "{stage}");
            if !passed_on {
                notify(&lock, &condition, 1);
            }
            assert_eq!(count.get(), 1, "{stage}");
            assert!(poll_with(behind.as_mut(), &other).is_ready(), "{stage}");
            drop(behind);
            assert_eq!(condition.stats().waiting + lock.stats().waiting, 0);
            assert!(!lock.is_locked(), "{stage}");
        }
    }
}

#[test]
fn leaked_waits_are_sound() {
    let (lock, condition) = (Lock::new(1), Condition::new());
    leak(begin(&lock, &condition, Waker::noop()));
    leak(condition.wait(lock.try_lock().unwrap()));
    assert!(lock.is_locked());
    let (lock, condition) = (Box::new(lock), Box::new(condition));
    assert_eq!(condition.stats().waiting, 1);
    drop((lock, condition));

    let (lock, condition) = (Lock::new(1), Condition::new());
    leak(begin(&lock, &condition, Waker::noop()));
    notify(&lock, &condition, 1);
    assert_eq!((lock.is_locked(), condition.stats().waiting), (true, 0));
    assert_eq!(lock.into_inner(), 1);
}

fn message_of(step: impl FnOnce()) -> String {
    let panic = catch_unwind(AssertUnwindSafe(step)).expect_err("refused");
    *panic.downcast::<String>().expect("a message")
}

#[test]
fn a_condition_with_two_locks_is_refused_by_name_and_place_and_stays_whole() {
    let (one, another) = (Lock::new(()), Lock::new(()));
    let condition = Condition::new().named("changed");
    let mut wait = begin(&one, &condition, Waker::noop());
    let text = message_of(|| {
        let _ = poll(pin!(condition.wait(another.try_lock().unwrap())));
    });
    for part in [
        "changed",
        "two locks",
        "a wait at",
        "condition.rs",
        "make a Condition",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = message_of(|| notify(&another, &condition, 1));
    assert!(text.contains("a notification at"), "{text}");
    let text = message_of(|| condition.notify_all(&another.try_lock().unwrap()));
    assert!(text.contains("a notification at"), "{text}");
    assert!(!another.is_locked() && !one.is_locked());
    notify(&one, &condition, 1);
    assert!(poll(wait.as_mut()).is_ready());
    drop(wait);
    let mut other = begin(&another, &condition, Waker::noop());
    notify(&another, &condition, 1);
    assert!(
        poll(other.as_mut()).is_ready(),
        "nobody waits with the first any more"
    );
}

#[test]
fn a_panic_of_the_look_frees_the_lock() {
    let (lock, condition) = (Lock::new(0), Condition::new());
    let mut wait = Box::pin(
        condition.wait_for(lock.try_lock().unwrap(), |number: &mut i32| {
            assert_eq!(*number, 0, "hostile look");
            None::<()>
        }),
    );
    assert!(poll(wait.as_mut()).is_pending());
    *lock.try_lock().unwrap() = 1;
    notify(&lock, &condition, 1);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(wait.as_mut()).is_ready())).is_err());
    drop(wait);
    assert!(!lock.is_locked() && condition.stats().waiting == 0);
}

#[test]
#[should_panic(expected = "polled again after it had completed")]
fn polling_a_finished_wait_panics() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut wait = begin(&lock, &condition, Waker::noop());
    notify(&lock, &condition, 1);
    drop(poll(wait.as_mut()));
    let _ = poll(wait.as_mut());
}

#[test]
fn a_waiting_task_says_what_it_waits_for() {
    let (lock, condition) = (Lock::new(()), Condition::new());
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut wait = Box::pin(condition.wait(lock.try_lock().unwrap()));
    let kind = |wait: &mut Pin<Box<Wait<'_, ()>>>| {
        slot.clear_waiting_on();
        current::with_task(&slot, 9, || assert!(poll(wait.as_mut()).is_pending()));
        slot.waiting_on().map(|note| note.kind)
    };
    assert_eq!(kind(&mut wait), Some(WaitKind::Condition));
    assert_eq!(kind(&mut wait), Some(WaitKind::Condition));
    let guard = lock.try_lock().unwrap();
    condition.notify(&guard, 1);
    assert_eq!(kind(&mut wait), Some(WaitKind::Lock));
}

#[test]
fn hostile_wakers_leave_condition_and_lock_whole() {
    for occasion in 0..3 {
        let shared = Arc::new((Lock::new(()), Condition::new()));
        let (other, armed) = (Arc::clone(&shared), AtomicBool::new(true));
        let hook = Box::new(move || {
            let (lock, condition) = &*other;
            if let Ok(guard) = lock.try_lock() {
                condition.notify(&guard, 1);
            }
            assert!(!format!("{:?}{:?}", condition.stats(), lock.stats()).is_empty());
            assert!(!armed.swap(false, Ordering::Relaxed), "hostile waker");
        });
        let mut hooks = Hooks::default();
        match occasion {
            0 => hooks.on_clone = Some(hook),
            1 => hooks.on_wake = Some(hook),
            _ => hooks.on_drop = Some(hook),
        }
        let waker = hostile(&Arc::new(hooks));
        let survive = |step: &mut dyn FnMut()| drop(catch_unwind(AssertUnwindSafe(step)));
        let (lock, condition) = &*shared;
        let mut wait = Box::pin(condition.wait(lock.try_lock().unwrap()));
        survive(&mut || drop(poll_with(wait.as_mut(), &waker)));
        survive(&mut || drop(poll(wait.as_mut())));
        survive(&mut || drop(poll_with(wait.as_mut(), &waker)));
        survive(&mut || {
            if let Ok(guard) = lock.try_lock() {
                condition.notify_all(&guard);
            }
        });
        let mut wait = Some(wait);
        survive(&mut || drop(wait.take()));
        let mut waker = Some(waker);
        survive(&mut || drop(waker.take()));
        assert_eq!(
            (condition.stats().waiting, lock.stats().waiting),
            (0, 0),
            "{occasion}"
        );
        assert!(lock.try_lock().is_ok(), "{occasion}");
    }
}

/// Goal: any sequence of waits, notifications and cancels does what two queues would do.
/// Method: 300 random sequences, compared after every operation; only one lock turn is out at a time.
#[test]
fn any_sequence_agrees_with_two_queues() {
    for seed in 1..=300_u64 {
        trial(seed);
    }
}

/// A wait that was polled, with its waker.
type Begun<'a> = (Pin<Box<Wait<'a, ()>>>, Waker);

fn trial(seed: u64) {
    let mut random = Random::new(seed);
    let mut pick = |below| random.below(below);
    let (lock, condition) = (Lock::new(()), Condition::new());
    let mut waits: Vec<Option<Begun<'_>>> = Vec::new();
    let mut guard: Option<LockGuard<'_, ()>> = None;
    // Those not notified, and those in the line of the lock with whether they pass it on.
    let (mut asleep, mut queued) = (VecDeque::new(), VecDeque::<(usize, bool)>::new());
    for _ in 0..80 {
        match pick(6) {
            0 => {
                if let Some(guard) = guard.take() {
                    let (waker, _) = Count::new();
                    let mut wait = Box::pin(condition.wait(guard));
                    assert!(poll_with(wait.as_mut(), &waker).is_pending());
                    asleep.push_back(waits.len());
                    waits.push(Some((wait, waker)));
                }
            }
            1 => {
                let free = guard.is_none() && queued.is_empty();
                match lock.try_lock() {
                    Ok(taken) => guard = Some(taken),
                    Err(_) => assert!(!free),
                }
            }
            2 => guard = None,
            3 if guard.is_some() => {
                let count = pick(3);
                condition.notify(guard.as_ref().unwrap(), count);
                let count = count.min(asleep.len());
                queued.extend(asleep.drain(..count).map(|wait| (wait, true)));
            }
            4 if guard.is_some() && pick(3) == 0 => {
                condition.notify_all(guard.as_ref().unwrap());
                if !asleep.is_empty() {
                    queued.iter_mut().for_each(|wait| wait.1 = false);
                }
                queued.extend(asleep.drain(..).map(|wait| (wait, false)));
            }
            _ if waits.is_empty() => {}
            _ => {
                let number = pick(waits.len());
                let cancel = pick(3) == 0;
                let Some((wait, waker)) = &mut waits[number] else {
                    continue;
                };
                let place = queued.iter().position(|wait| wait.0 == number);
                if cancel {
                    waits[number] = None;
                    asleep.retain(|wait| *wait != number);
                    if let Some((_, passes_on)) = place.and_then(|index| queued.remove(index)) {
                        if let Some(next) = asleep.front().copied().filter(|_| passes_on) {
                            asleep.pop_front();
                            queued.push_back((next, true));
                        }
                    }
                } else {
                    let turn = guard.is_none() && place == Some(0);
                    match poll_with(wait.as_mut(), waker) {
                        Poll::Ready(taken) => {
                            assert!(turn);
                            queued.pop_front();
                            guard = Some(taken);
                            waits[number] = None;
                        }
                        Poll::Pending => assert!(!turn),
                    }
                }
            }
        }
        assert_eq!(condition.stats().waiting, asleep.len());
        assert_eq!(lock.stats().waiting, queued.len());
    }
}

/// Waits and futures stay what they are when they are named by a trait object.
#[test]
fn a_condition_in_a_static_serves_any_executor() {
    static LOCK: Lock<Vec<u8>> = Lock::new(Vec::new());
    static ADDED: Condition = Condition::new();
    let mut next: Pin<Box<dyn Future<Output = u8> + Send>> =
        Box::pin(async { ADDED.wait_for(LOCK.lock().await, |jobs| jobs.pop()).await.1 });
    assert!(poll(next.as_mut()).is_pending());
    let mut guard = LOCK.blocking_lock();
    guard.push(3);
    ADDED.notify(&guard, 1);
    drop(guard);
    assert_eq!(poll(next.as_mut()), Poll::Ready(3));
}
