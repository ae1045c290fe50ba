//! `Semaphore`: futures of one task that stand for one another (*futurelock*), and permits that are on
//! their way while a waker panics.

mod support;

use std::future::Future;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};

use support::{Count, Hooks, Tasks, hostile, leak, poll_with};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::{Acquire, Closed, Permit, Semaphore};

fn slot(id: u64) -> TaskSlot {
    TaskSlot::new(NonZeroU64::new(id).expect("not zero"))
}

/// Polls as the task `slot` does.
fn poll_in<F: Future + ?Sized>(
    slot: &TaskSlot,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    current::with_task(slot, 128, || poll_with(future, waker))
}

fn waiting<'a>(
    semaphore: &'a Semaphore,
    count: usize,
    task: &TaskSlot,
    waker: &Waker,
) -> Pin<Box<Acquire<'a>>> {
    let mut future = Box::pin(semaphore.acquire_many(count));
    assert!(poll_in(task, future.as_mut(), waker).is_pending());
    future
}

fn granted<'a>(outcome: Poll<Result<Permit<'a>, Closed>>) -> Permit<'a> {
    match outcome {
        Poll::Ready(Ok(permit)) => permit,
        other => panic!("not granted: {other:?}"),
    }
}

/// Goal: one task holds two futures that queue for one permit, polls only the second, and goes on.
/// Method: the second queues before or after the permit has been handed to the first; three rounds, as
/// the first stays in line.
#[test]
fn futurelock_completes() {
    let me = slot(1);
    for second_queued_before in [false, true] {
        let semaphore = Semaphore::new(1);
        let (waker, count) = Count::new();
        let permit = semaphore.try_acquire().unwrap();
        let forsaken = waiting(&semaphore, 1, &me, &waker);
        let mut polled = Box::pin(semaphore.acquire());
        if second_queued_before {
            assert!(poll_in(&me, polled.as_mut(), &waker).is_pending());
        }
        drop(permit);
        assert!(count.get() >= 1);
        for round in 1..=3 {
            let permit = granted(poll_in(&me, polled.as_mut(), &waker));
            assert_eq!((permit.count(), semaphore.stats().waiting), (1, 1));
            polled = waiting(&semaphore, 1, &me, &waker);
            drop(permit);
            assert!(count.get() > round, "the task is woken each time");
        }
        drop((forsaken, polled));
        let stats = semaphore.stats();
        assert_eq!((stats.available, stats.waiting), (1, 0));
    }
}

/// The program itself, on an executor that polls what was woken.
#[test]
fn the_futurelock_program_completes_on_an_executor() {
    let semaphore = Arc::new(Semaphore::new(1));
    let mut tasks = Tasks::new();
    let (holder, user) = (Arc::clone(&semaphore), Arc::clone(&semaphore));
    tasks.spawn(async move {
        let _permit = holder.acquire().await.unwrap();
        support::yield_now().await;
        support::yield_now().await;
    });
    let (mut program, me) = (Box::pin(program(user)), slot(1));
    let user = tasks.spawn(std::future::poll_fn(move |cx| {
        current::with_task(&me, 128, || program.as_mut().poll(cx))
    }));
    tasks.run();
    assert!(tasks.is_done(user));
    drop(tasks);
    assert_eq!(semaphore.available(), 1);
}

async fn program(semaphore: Arc<Semaphore>) {
    let mut first = pin!(semaphore.acquire());
    let mut polled = false;
    std::future::poll_fn(|cx| {
        // One branch is polled once; the other one wins.
        if !std::mem::replace(&mut polled, true) {
            assert!(first.as_mut().poll(cx).is_pending());
        }
        Poll::Ready(())
    })
    .await;
    drop(semaphore.acquire().await.unwrap()); // `first` is alive, and not polled
    assert_eq!(semaphore.stats().waiting, 0, "its turn has come");
}

/// The same in branches of a combinator that polls only what was woken: each with its own waker.
#[test]
fn futurelock_completes_in_branches_that_are_polled_only_when_woken() {
    let (me, other) = (slot(1), slot(2));
    let semaphore = Semaphore::new(1);
    let ((front, _), (branch, count), (stranger, strangers)) =
        (Count::new(), Count::new(), Count::new());
    let permit = semaphore.try_acquire().unwrap();
    let forsaken = waiting(&semaphore, 1, &me, &front);
    let mut between = waiting(&semaphore, 1, &other, &stranger);
    let mut polled = waiting(&semaphore, 1, &me, &branch);
    drop(permit);
    assert_eq!((count.get(), strangers.get()), (1, 0));
    let permit = granted(poll_in(&me, polled.as_mut(), &branch));
    drop(permit);
    assert_eq!(strangers.get(), 1, "the other task keeps its place");
    drop(granted(poll_in(&other, between.as_mut(), &stranger)));
    // The forsaken one has been called a second time; who comes now stands in for it.
    polled = Box::pin(semaphore.acquire());
    drop(granted(poll_in(&me, polled.as_mut(), &branch)));
    drop((forsaken, polled));
    assert_eq!(semaphore.available(), 1);
}

/// A wait that was called, overtaken, and never polled again still brings its task's turn.
#[test]
fn a_forsaken_wait_that_is_called_again_wakes_the_rest_of_its_task() {
    let me = slot(1);
    let semaphore = Semaphore::new(1);
    let ((a, _), (b, _), (c, count)) = (Count::new(), Count::new(), Count::new());
    let permit = semaphore.try_acquire().unwrap();
    let _forsaken = waiting(&semaphore, 1, &me, &a);
    let mut second = waiting(&semaphore, 1, &me, &b);
    drop(permit);
    let permit = granted(poll_in(&me, second.as_mut(), &b));
    let mut third = waiting(&semaphore, 1, &me, &c);
    drop(permit); // calls the forsaken one
    assert_eq!(count.get(), 1);
    drop(granted(poll_in(&me, third.as_mut(), &c)));
}

/// A stranger is no rescue: only the task that was called may stand in for its future.
#[test]
fn another_task_does_not_overtake() {
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    let mut front = waiting(&semaphore, 1, &slot(1), Waker::noop());
    drop(permit);
    let mut stranger = waiting(&semaphore, 1, &slot(2), Waker::noop());
    assert!(poll_in(&slot(2), stranger.as_mut(), Waker::noop()).is_pending());
    drop(granted(poll_in(&slot(1), front.as_mut(), Waker::noop())));
    assert!(poll_in(&slot(2), stranger.as_mut(), Waker::noop()).is_ready());
}

/// The limit of the rescue: a request does not take the turn of a smaller one of its task, because
/// what it lacks is due to those in between.
#[test]
fn a_larger_request_does_not_overtake_a_smaller_one() {
    let me = slot(1);
    let semaphore = Semaphore::new(2);
    let permits = semaphore.try_acquire_many(2).unwrap();
    let mut small = waiting(&semaphore, 1, &me, Waker::noop());
    let mut large = waiting(&semaphore, 2, &me, Waker::noop());
    drop(permits);
    assert!(poll_in(&me, large.as_mut(), Waker::noop()).is_pending());
    drop(granted(poll_in(&me, small.as_mut(), Waker::noop())));
    assert_eq!(
        granted(poll_in(&me, large.as_mut(), Waker::noop())).count(),
        2
    );
}

/// What a smaller request leaves of a larger one's permits goes to the line, in its order.
#[test]
fn a_smaller_request_that_overtakes_leaves_the_rest_to_the_line() {
    let (me, other) = (slot(1), slot(2));
    let semaphore = Semaphore::new(3);
    let (waker, count) = Count::new();
    let permits = semaphore.try_acquire_many(3).unwrap();
    let mut large = waiting(&semaphore, 3, &me, Waker::noop());
    let mut stranger = waiting(&semaphore, 2, &other, &waker);
    drop(permits);
    // It arrives late, so the large one goes behind the stranger.
    let mut small = Box::pin(semaphore.acquire());
    let one = granted(poll_in(&me, small.as_mut(), Waker::noop()));
    assert_eq!((count.get(), semaphore.available()), (1, 0));
    drop(granted(poll_in(&other, stranger.as_mut(), &waker)));
    assert!(poll_in(&me, large.as_mut(), Waker::noop()).is_pending());
    drop(one);
    assert_eq!(
        granted(poll_in(&me, large.as_mut(), Waker::noop())).count(),
        3
    );
}

/// The place of an overtaken future is the one that the overtaker had.
#[test]
fn those_in_between_keep_their_places() {
    let (me, other) = (slot(1), slot(2));
    let semaphore = Semaphore::new(1);
    let permit = semaphore.try_acquire().unwrap();
    let mut first = waiting(&semaphore, 1, &me, Waker::noop());
    let mut between = waiting(&semaphore, 1, &other, Waker::noop());
    let mut second = waiting(&semaphore, 1, &me, Waker::noop());
    let mut last = waiting(&semaphore, 1, &other, Waker::noop());
    drop(permit);
    drop(granted(poll_in(&me, second.as_mut(), Waker::noop())));
    drop(granted(poll_in(&other, between.as_mut(), Waker::noop())));
    assert!(poll_in(&other, last.as_mut(), Waker::noop()).is_pending());
    drop(granted(poll_in(&me, first.as_mut(), Waker::noop())));
    drop(granted(poll_in(&other, last.as_mut(), Waker::noop())));
}

/// A permit that was taken as the budget ran out does not stop another future of the task.
#[test]
fn a_permit_kept_by_a_spent_budget_can_be_overtaken() {
    let me = slot(1);
    let (waker, count) = Count::new();
    let semaphore = Semaphore::new(1);
    let mut kept = Box::pin(semaphore.acquire());
    current::with_task(&me, 0, || {
        assert!(poll_with(kept.as_mut(), &waker).is_pending());
    });
    assert_eq!((count.get(), semaphore.available()), (1, 0));
    let mut other = Box::pin(semaphore.acquire());
    current::with_task(&me, 0, || {
        assert!(poll_with(other.as_mut(), &waker).is_pending());
        assert!(poll_with(other.as_mut(), &waker).is_pending());
        assert!(poll_with(kept.as_mut(), &waker).is_pending());
    });
    assert_eq!(count.get(), 4, "whoever lacks the budget comes back");
    drop(granted(poll_in(&me, other.as_mut(), &waker)));
    drop(granted(poll_in(&me, kept.as_mut(), &waker)));
    assert_eq!(semaphore.available(), 1);
}

/// Dropped or leaked, called or overtaken: what a future had goes on, or is lost with it and nothing
/// else.
#[test]
fn overtaken_and_called_futures_may_be_dropped_or_leaked() {
    let me = slot(1);
    for (drop_called, leaked) in [(true, false), (false, false), (false, true)] {
        let semaphore = Semaphore::new(1);
        let permit = semaphore.try_acquire().unwrap();
        let first = waiting(&semaphore, 1, &me, Waker::noop());
        drop(permit);
        if drop_called {
            drop(first);
            assert_eq!(semaphore.available(), 1);
            continue;
        }
        let mut second = Box::pin(semaphore.acquire());
        let permit = granted(poll_in(&me, second.as_mut(), Waker::noop()));
        if leaked {
            leak(first);
            drop(permit);
            drop(second);
            let stats = semaphore.stats();
            assert_eq!(
                (stats.available, stats.waiting),
                (0, 0),
                "leaked with its future"
            );
            // And its task may still have it.
            let mut third = Box::pin(semaphore.acquire());
            assert!(poll_in(&me, third.as_mut(), Waker::noop()).is_ready());
        } else {
            drop(first);
            assert_eq!(semaphore.stats().waiting, 0);
            drop(permit);
            assert_eq!(semaphore.available(), 1);
        }
    }
}

#[test]
fn a_called_future_keeps_its_permits_over_close_and_an_overtaken_one_does_not() {
    let me = slot(1);
    let semaphore = Semaphore::new(2);
    let permits = semaphore.try_acquire_many(2).unwrap();
    let mut called = waiting(&semaphore, 1, &me, Waker::noop());
    let mut forsaken = waiting(&semaphore, 1, &me, Waker::noop());
    let mut polled = waiting(&semaphore, 1, &me, Waker::noop());
    drop(permits);
    let permit = granted(poll_in(&me, polled.as_mut(), Waker::noop()));
    semaphore.close();
    let outcomes = [called.as_mut(), forsaken.as_mut()]
        .map(|future| poll_in(&me, future, Waker::noop()))
        .map(|outcome| matches!(outcome, Poll::Ready(Ok(_))));
    assert_eq!(outcomes.iter().filter(|granted| **granted).count(), 1);
    drop(permit);
    assert_eq!(semaphore.available(), 2);
}

/// The permit comes between the first look and the lock, and the waker that is not needed any more
/// panics as it is dropped.
#[test]
fn a_waker_whose_drop_panics_does_not_lose_the_permit() {
    let semaphore = Arc::new(Semaphore::new(0));
    let adder = Arc::clone(&semaphore);
    let (armed, added) = (Arc::new(AtomicBool::new(false)), AtomicBool::new(false));
    let bomb = Arc::clone(&armed);
    let hooks = Arc::new(Hooks {
        on_clone: Some(Box::new(move || {
            if !added.swap(true, Ordering::Relaxed) {
                adder.add_permits(1).unwrap();
            }
        })),
        on_drop: Some(Box::new(move || {
            assert!(!bomb.swap(false, Ordering::Relaxed), "hostile waker");
        })),
        ..Hooks::default()
    });
    let waker = hostile(&hooks);
    let mut future = Box::pin(semaphore.acquire());
    armed.store(true, Ordering::Relaxed);
    let outcome = catch_unwind(AssertUnwindSafe(|| poll_with(future.as_mut(), &waker)));
    assert!(outcome.is_err(), "the waker was dropped, and panicked");
    assert_eq!(semaphore.available(), 0, "the future has it");
    drop(future);
    assert_eq!(semaphore.available(), 1);
}

/// The same for a waker that panics as its task overtakes itself: the overtaker has the permit.
#[test]
fn a_waker_that_panics_while_a_future_overtakes_does_not_lose_the_permit() {
    let (me, other) = (slot(1), slot(2));
    let semaphore = Semaphore::new(2);
    let armed = Mutex::new(true);
    let hooks = Arc::new(Hooks {
        on_wake: Some(Box::new(move || {
            let armed = std::mem::replace(&mut *armed.lock().unwrap(), false);
            assert!(!armed, "hostile waker");
        })),
        ..Hooks::default()
    });
    let permits = semaphore.try_acquire_many(2).unwrap();
    let mut large = waiting(&semaphore, 2, &me, Waker::noop());
    let mut stranger = waiting(&semaphore, 1, &other, &hostile(&hooks));
    drop(permits);
    let mut small = Box::pin(semaphore.acquire());
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        poll_in(&me, small.as_mut(), Waker::noop())
    }));
    assert!(outcome.is_err(), "the stranger's wake panicked");
    drop(granted(poll_in(&me, small.as_mut(), Waker::noop())));
    drop(granted(poll_in(&other, stranger.as_mut(), Waker::noop())));
    drop(granted(poll_in(&me, large.as_mut(), Waker::noop())));
    assert_eq!(semaphore.available(), 2);
}
