//! `Semaphore`: the semantic cases S01 to S13, permits, bounds, budget.

mod support;

use std::num::NonZeroU64;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use support::{Count, Log, Tasks, poll, poll_with, yield_now};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Closed, OverRelease, Permit, Semaphore, TryAcquireError};

#[test]
fn s01_a_semaphore_of_zero_is_locked() {
    let semaphore = Semaphore::new(0);
    assert!(semaphore.is_locked());
    assert_eq!(
        semaphore.try_acquire().err(),
        Some(TryAcquireError::NoPermits)
    );
}

/// Goal: two permits that come home in one step let exactly two of the line in.
#[test]
fn s02_two_releases_let_two_of_the_line_in() {
    let semaphore = Semaphore::new(3);
    let (log, gate) = (Log::default(), Semaphore::new(0));
    let taken = (
        semaphore.try_acquire().unwrap(),
        semaphore.try_acquire().unwrap(),
    );
    let mut tasks = Tasks::new();
    let user = |name: &'static str| {
        let (log, semaphore, gate) = (log.clone(), &semaphore, &gate);
        async move {
            let _permit = semaphore.acquire().await.unwrap();
            log.add(name);
            gate.acquire().await.unwrap().forget();
        }
    };
    for name in ["holder", "a", "b", "c"] {
        tasks.spawn(user(name));
    }
    tasks.run();
    tasks.spawn(user("late"));
    tasks.run();
    assert_eq!(log.take(), "holder");
    assert_eq!((semaphore.available(), semaphore.stats().waiting), (0, 4));
    drop(taken);
    assert_eq!(semaphore.available(), 0, "both are reserved");
    tasks.run();
    assert_eq!(log.take(), "a b");
    assert_eq!((semaphore.available(), semaphore.stats().waiting), (0, 2));
    gate.add_permits(5).unwrap();
    tasks.run();
    assert_eq!(log.take(), "c late");
    drop(tasks);
    assert_eq!(
        (semaphore.available(), semaphore.stats().waiting_max),
        (3, 4)
    );
}

#[test]
fn s03_cancelled_waiters_are_skipped_by_a_release_in_the_same_step() {
    let semaphore = Semaphore::new(0);
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["a", "b", "c", "d"] {
        let (log, semaphore) = (log.clone(), &semaphore);
        tasks.spawn(async move {
            semaphore.acquire().await.unwrap().forget();
            log.add(name);
        });
    }
    tasks.run();
    tasks.cancel(0);
    tasks.cancel(1);
    semaphore.add_permits(1).unwrap();
    tasks.run();
    assert_eq!(log.take(), "c");
    assert!(!tasks.is_done(3));
    assert_eq!(semaphore.stats().waiting, 1);
}

#[test]
fn s06_a_bounded_semaphore_refuses_more_than_its_bound() {
    let semaphore = Semaphore::bounded(2);
    assert_eq!(semaphore.add_permits(1), Err(OverRelease));
    assert_eq!(semaphore.available(), 2);
    // Permits that are out count too: they come home some time.
    let permit = semaphore.try_acquire().unwrap();
    assert_eq!(semaphore.add_permits(1), Err(OverRelease));
    permit.forget();
    assert_eq!(semaphore.add_permits(2), Err(OverRelease));
    assert_eq!(semaphore.add_permits(1), Ok(()));
    assert_eq!(
        (semaphore.available(), semaphore.stats().bound),
        (2, Some(2))
    );
}

#[test]
fn s07_three_tasks_with_two_turns_each_alternate() {
    let semaphore = Semaphore::new(1);
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["c1", "c2", "c3"] {
        let (log, semaphore) = (log.clone(), &semaphore);
        tasks.spawn(async move {
            for _ in 0..2 {
                let _permit = semaphore.acquire().await.unwrap();
                log.add(name);
                yield_now().await;
            }
        });
    }
    tasks.run();
    assert_eq!(log.take(), "c1 c2 c3 c1 c2 c3");
}

#[test]
fn s08_a_task_that_takes_it_again_goes_behind_those_who_wait() {
    let semaphore = Semaphore::new(1);
    let log = Log::default();
    let mut tasks = Tasks::new();
    for (name, turns) in [("c1", 1), ("c2", 2), ("c3", 1)] {
        let (log, semaphore) = (log.clone(), &semaphore);
        tasks.spawn(async move {
            for turn in 0..turns {
                let permit = semaphore.acquire().await.unwrap();
                log.add(format!("{name}.{turn}"));
                if turn == 0 {
                    yield_now().await; // the others get in line
                }
                drop(permit);
            }
        });
    }
    tasks.run();
    assert_eq!(log.take(), "c1.0 c2.0 c3.0 c2.1");
}

#[test]
fn s09_those_behind_a_cancelled_waiter_keep_their_order() {
    let semaphore = Semaphore::new(0);
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["1", "2", "3"] {
        let (log, semaphore) = (log.clone(), &semaphore);
        tasks.spawn(async move {
            semaphore.acquire().await.unwrap().forget();
            log.add(name);
        });
    }
    tasks.tick();
    tasks.cancel(0);
    tasks.tick();
    semaphore.add_permits(2).unwrap();
    tasks.run();
    assert_eq!(log.take(), "2 3");
}

#[test]
fn s11_a_permit_on_its_way_to_a_waiter_is_reserved() {
    let semaphore = Semaphore::new(0);
    let (waker, count) = Count::new();
    let mut waiter = pin!(semaphore.acquire());
    assert!(poll_with(waiter.as_mut(), &waker).is_pending());
    semaphore.add_permits(1).unwrap();
    assert_eq!((count.get(), semaphore.available()), (1, 0));
    assert_eq!(
        semaphore.try_acquire().err(),
        Some(TryAcquireError::NoPermits)
    );
    let Poll::Ready(Ok(permit)) = poll(waiter) else {
        panic!("granted")
    };
    drop(permit);
    assert_eq!(semaphore.available(), 1);
}

#[test]
fn s13_a_granted_waiter_that_is_cancelled_neither_loses_nor_doubles_the_permit() {
    let semaphore = Semaphore::bounded(1);
    let permit = semaphore.try_acquire().unwrap();
    let mut first = Box::pin(semaphore.acquire());
    let (waker, count) = Count::new();
    let mut second = pin!(semaphore.acquire());
    assert!(poll(first.as_mut()).is_pending());
    assert!(poll_with(second.as_mut(), &waker).is_pending());
    drop(permit);
    assert_eq!(count.get(), 0);
    drop(first);
    assert_eq!(count.get(), 1, "it passed the permit on");
    drop(poll(second));
    let stats = semaphore.stats();
    assert_eq!((stats.available, stats.waiting), (1, 0));
    assert_eq!(semaphore.add_permits(1), Err(OverRelease));
}

#[test]
fn a_large_request_is_served_before_the_small_ones_behind_it() {
    let semaphore = Semaphore::new(1);
    let mut large = Box::pin(semaphore.acquire_many(3));
    let mut small = pin!(semaphore.acquire());
    assert!(poll(large.as_mut()).is_pending());
    assert!(
        poll(small.as_mut()).is_pending(),
        "one is free, but not for those behind"
    );
    assert_eq!(semaphore.available(), 1);
    semaphore.add_permits(1).unwrap();
    assert!(poll(large.as_mut()).is_pending() && poll(small.as_mut()).is_pending());
    semaphore.add_permits(1).unwrap();
    let Poll::Ready(Ok(permit)) = poll(large.as_mut()) else {
        panic!("served")
    };
    assert_eq!((permit.count(), semaphore.available()), (3, 0));
    assert!(poll(small.as_mut()).is_pending());
    drop(permit);
    assert!(poll(small.as_mut()).is_ready());
}

#[test]
fn permits_split_merge_and_are_forgotten() {
    let semaphore = Arc::new(Semaphore::new(5));
    let mut permit = semaphore.try_acquire_many(4).unwrap();
    let half = permit.split(1).unwrap();
    assert_eq!((permit.count(), half.count()), (3, 1));
    assert!(permit.split(4).is_none());
    assert_eq!(permit.count(), 3, "a refused split takes nothing");
    permit.merge(half);
    permit.split(2).unwrap().forget();
    drop(permit);
    assert_eq!(semaphore.available(), 3);

    let mut owned = Arc::clone(&semaphore).try_acquire_many_owned(3).unwrap();
    let other = owned.split(1).unwrap();
    owned.merge(other);
    owned.split(1).unwrap().forget();
    assert_eq!(
        Arc::strong_count(&semaphore),
        2,
        "a forgotten permit lets go of the semaphore"
    );
    drop(owned);
    assert_eq!(semaphore.available(), 2);
}

#[test]
#[should_panic(expected = "permits of two different semaphores cannot be merged")]
fn permits_of_two_semaphores_do_not_merge() {
    let (one, another) = (Semaphore::new(1), Semaphore::new(1));
    one.try_acquire()
        .unwrap()
        .merge(another.try_acquire().unwrap());
}

#[test]
#[should_panic(expected = "a request for 3 permits would wait for ever")]
fn a_request_beyond_the_bound_is_refused_at_once() {
    drop(Semaphore::bounded(2).acquire_many(3));
}

#[test]
fn close_answers_everyone_and_keeps_what_is_out() {
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = semaphore.try_acquire().unwrap();
    let mut granted = pin!(semaphore.acquire());
    let mut owned = Box::pin(Arc::clone(&semaphore).acquire_owned());
    assert!(poll(granted.as_mut()).is_pending() && poll(owned.as_mut()).is_pending());
    drop(permit);
    semaphore.close();
    semaphore.close();
    assert!(semaphore.is_closed() && semaphore.is_locked());
    assert!(
        matches!(poll(granted), Poll::Ready(Ok(_))),
        "granted before the end"
    );
    assert!(matches!(poll(owned.as_mut()), Poll::Ready(Err(Closed))));
    assert!(matches!(
        poll(pin!(semaphore.acquire())),
        Poll::Ready(Err(Closed))
    ));
    assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
    assert_eq!(semaphore.available(), 1);
    assert_eq!(semaphore.add_permits(1), Ok(()), "closed is not full");
}

#[test]
fn hundreds_of_waiters_are_closed_and_served_in_batches() {
    let semaphore = Semaphore::new(0);
    for close in [false, true] {
        let (waker, count) = Count::new();
        let mut waiters: Vec<_> = (0..100).map(|_| Box::pin(semaphore.acquire())).collect();
        for waiter in &mut waiters {
            assert!(poll_with(waiter.as_mut(), &waker).is_pending());
        }
        if close {
            semaphore.close();
        } else {
            semaphore.add_permits(100).unwrap();
        }
        assert_eq!((count.get(), semaphore.stats().waiting), (100, 0));
        for waiter in &mut waiters {
            let Poll::Ready(outcome) = poll(waiter.as_mut()) else {
                panic!("answered")
            };
            assert_eq!(outcome.map(Permit::forget).is_err(), close);
        }
    }
}

#[test]
fn a_changed_waker_replaces_the_old_one() {
    let semaphore = Semaphore::new(0);
    let ((old, old_count), (new, new_count)) = (Count::new(), Count::new());
    let mut waiter = pin!(semaphore.acquire());
    assert!(poll_with(waiter.as_mut(), &old).is_pending());
    assert!(poll_with(waiter.as_mut(), &old).is_pending());
    assert!(poll_with(waiter.as_mut(), &new).is_pending());
    drop((old, new));
    assert_eq!(Arc::strong_count(&old_count), 1);
    semaphore.add_permits(1).unwrap();
    assert_eq!((old_count.get(), new_count.get()), (0, 1));
}

#[test]
#[should_panic(expected = "polled again after it had completed")]
fn polling_a_finished_future_panics() {
    let semaphore = Semaphore::new(2);
    let mut future = pin!(semaphore.acquire());
    let _permit = poll(future.as_mut());
    let _ = poll(future);
}

#[test]
fn a_spent_budget_keeps_the_permit_for_the_next_poll() {
    let semaphore = Semaphore::new(1);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (waker, count) = Count::new();
    let mut future = Box::pin(semaphore.acquire());
    current::with_task(&slot, 0, || {
        assert!(poll_with(future.as_mut(), &waker).is_pending());
    });
    assert_eq!(
        (count.get(), semaphore.available()),
        (1, 0),
        "woken, and the permit is secured"
    );
    assert!(poll(future.as_mut()).is_ready());
    drop(future);
    assert_eq!(semaphore.available(), 1);

    let mut dropped = Box::pin(semaphore.acquire());
    current::with_task(&slot, 0, || assert!(poll(dropped.as_mut()).is_pending()));
    drop(dropped);
    assert_eq!(semaphore.available(), 1, "a secured permit comes home");
}

#[test]
fn a_waiting_task_says_what_it_waits_for() {
    let semaphore = Semaphore::new(0);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let mut future = pin!(semaphore.acquire());
    current::with_task(&slot, 1, || assert!(poll(future.as_mut()).is_pending()));
    let note = slot.waiting_on().unwrap();
    assert_eq!(note.kind, WaitKind::Semaphore);
    assert_eq!(note.address, std::ptr::from_ref(&semaphore).addr());
}

#[test]
fn a_thread_can_wait_in_the_same_line() {
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = semaphore.try_acquire().unwrap();
    let other = Arc::clone(&semaphore);
    let thread = std::thread::spawn(move || other.blocking_acquire().map(|permit| permit.count()));
    while semaphore.stats().waiting == 0 {
        std::thread::yield_now();
    }
    drop(permit);
    assert_eq!(thread.join().unwrap(), Ok(1));
    assert_eq!(semaphore.blocking_acquire_many(1).unwrap().count(), 1);
    semaphore.close();
    assert_eq!(semaphore.blocking_acquire().err(), Some(Closed));
}

#[test]
#[should_panic(expected = "a blocking call inside task 1 would stop every task")]
fn a_blocking_call_inside_a_task_is_refused() {
    let semaphore = Semaphore::new(1);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    current::with_task(&slot, 1, || drop(semaphore.blocking_acquire()));
}

#[test]
fn debug_shows_the_name_and_never_blocks() {
    static NAMED: Semaphore = Semaphore::new(2).named("db");
    let text = format!("{NAMED:?}");
    assert!(
        text.contains("\"db\"") && text.contains("available: 2"),
        "{text}"
    );
    let named = Semaphore::new(0).named_dyn(format!("shard {}", 7));
    assert_eq!(named.stats().name.as_deref(), Some("shard 7"));
}

#[test]
fn free_permits_can_be_taken_out_of_circulation() {
    let semaphore = Semaphore::bounded(4);
    let permit = semaphore.try_acquire().unwrap();
    assert_eq!((semaphore.forget_permits(1), semaphore.available()), (1, 2));
    let mut large = pin!(semaphore.acquire_many(3));
    assert!(poll(large.as_mut()).is_pending());
    assert_eq!(
        (semaphore.forget_permits(9), semaphore.available()),
        (2, 0),
        "those that wait for the front too"
    );
    drop(permit);
    assert!(poll(large.as_mut()).is_pending());
    assert_eq!(semaphore.add_permits(4), Err(OverRelease));
    assert_eq!(semaphore.add_permits(3), Ok(()));
    assert!(poll(large).is_ready());
}

#[test]
fn a_thread_can_take_a_permit_that_keeps_the_semaphore_alive() {
    let semaphore = Arc::new(Semaphore::new(1));
    let permit = Arc::clone(&semaphore).blocking_acquire_owned().unwrap();
    assert_eq!((permit.count(), Arc::strong_count(&semaphore)), (1, 2));
    semaphore.close();
    assert_eq!(semaphore.blocking_acquire_owned().err(), Some(Closed));
}
