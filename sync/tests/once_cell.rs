//! `OnceCell`: who makes the value, who waits, and who tries next.

#[path = "models/once_cell.rs"]
mod body;
mod models;
mod support;

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, poll_fn, ready};
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use support::{
    Count, Log, Tasks, leak, panics_once, poll, poll_with, survive, waker_on, yield_now,
};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{Notify, OnceCell, SetError, shim};

type Boxed<'a, R> = Pin<Box<dyn Future<Output = R> + 'a>>;

#[test]
fn the_value_is_made_once_while_the_others_wait() {
    let cell = OnceCell::new();
    let log = Log::default();
    let mut tasks = Tasks::new();
    for name in ["a", "b", "c"] {
        let (log, cell) = (log.clone(), &cell);
        tasks.spawn(async move {
            let making = log.clone();
            let value = cell
                .get_or_init(|| async move {
                    making.add(format!("{name} makes"));
                    yield_now().await;
                    name
                })
                .await;
            log.add(format!("{name}:{value}"));
        });
    }
    tasks.run();
    assert_eq!(log.take(), "a makes a:a b:a c:a");
    let stats = cell.stats();
    assert_eq!(
        (stats.waiting, stats.waiting_max, stats.is_set),
        (0, 2, true)
    );
}

#[test]
fn an_initialiser_that_is_not_needed_is_not_called() {
    let cell = OnceCell::from(1);
    let value = poll(pin!(cell.get_or_init(|| -> std::future::Ready<i32> {
        unreachable!("the value is there")
    })));
    assert_eq!(value, Poll::Ready(&1));
}

#[test]
fn a_failed_initialiser_keeps_its_error_and_lets_the_next_one_try() {
    let cell = OnceCell::new();
    let gate = Notify::new();
    let mut fails = Box::pin(cell.get_or_try_init(|| async {
        gate.notified().await;
        Err("broken")
    }));
    assert!(poll(fails.as_mut()).is_pending());
    let (waker, count) = Count::new();
    let mut next = Box::pin(cell.get_or_try_init(|| ready(Ok::<_, &str>(2))));
    assert!(poll_with(next.as_mut(), &waker).is_pending());
    let mut after = Box::pin(cell.get_or_init(|| ready(3)));
    assert!(poll(after.as_mut()).is_pending());
    gate.notify_one();
    assert_eq!(poll(fails.as_mut()), Poll::Ready(Err("broken")));
    assert_eq!((count.get(), cell.get()), (1, None));
    assert_eq!(poll(next.as_mut()), Poll::Ready(Ok(&2)));
    assert_eq!(poll(after.as_mut()), Poll::Ready(&2));
    assert!(catch_unwind(AssertUnwindSafe(|| poll(fails.as_mut()))).is_err());
}

#[test]
fn a_panicking_initialiser_lets_the_next_one_try() {
    for in_call in [true, false] {
        let cell = OnceCell::new();
        let gate = Notify::new();
        let panics = || {
            assert!(!in_call, "the call panics");
            async {
                gate.notified().await;
                panic!("the initialiser panics")
            }
        };
        let mut panicking: Boxed<'_, &u8> = Box::pin(cell.get_or_init(panics));
        let mut next = Box::pin(cell.get_or_init(|| ready(2)));
        if !in_call {
            assert!(poll(panicking.as_mut()).is_pending());
            assert!(poll(next.as_mut()).is_pending());
        }
        gate.notify_one();
        assert!(catch_unwind(AssertUnwindSafe(|| poll(panicking.as_mut()))).is_err());
        assert!(
            !cell.stats().is_initializing,
            "at once, and not when it is dropped"
        );
        assert!(catch_unwind(AssertUnwindSafe(|| poll(panicking.as_mut()))).is_err());
        assert_eq!(poll(next.as_mut()), Poll::Ready(&2));
    }
}

#[test]
fn a_dropped_initialiser_is_gone_before_the_next_one_begins() {
    struct Guard<'a>(&'a Cell<bool>);
    impl Drop for Guard<'_> {
        fn drop(&mut self) {
            self.0.set(false);
        }
    }
    let cell = OnceCell::new();
    let running = Cell::new(false);
    let make = |value: Option<u8>| {
        let running = &running;
        async move {
            assert!(!running.replace(true), "one at a time");
            let _guard = Guard(running);
            match value {
                Some(value) => value,
                None => pending().await,
            }
        }
    };
    let (waker, count) = Count::new();
    let mut dropped = Box::pin(cell.get_or_init(|| make(None)));
    assert!(poll(dropped.as_mut()).is_pending());
    let mut next = Box::pin(cell.get_or_init(|| make(Some(2))));
    assert!(poll_with(next.as_mut(), &waker).is_pending());
    drop(dropped);
    assert_eq!((running.get(), count.get()), (false, 1));
    assert_eq!(poll(next.as_mut()), Poll::Ready(&2));
}

/// Every moment at which a future can be dropped; the one behind it gets a value all the same.
#[test]
fn a_wait_may_be_dropped_at_every_poll() {
    for polls in 0..3 {
        for ended in [false, true] {
            let cell = OnceCell::new();
            let (waker, count) = Count::new();
            let mut runs = Box::pin(cell.get_or_init(pending));
            assert!(poll(runs.as_mut()).is_pending());
            let mut dropped = Box::pin(cell.get_or_init(|| ready(1)));
            for _ in 0..polls {
                assert!(poll(dropped.as_mut()).is_pending());
            }
            let mut behind = Box::pin(cell.get_or_init(|| ready(2)));
            assert!(poll_with(behind.as_mut(), &waker).is_pending());
            if ended {
                drop(runs);
                drop(dropped); // it had been told, if it was in line
            } else {
                drop(dropped);
                drop(runs);
            }
            assert_eq!(count.get(), 1, "{polls} polls, ended {ended}");
            assert_eq!(poll(behind.as_mut()), Poll::Ready(&2));
            assert_eq!(cell.stats().waiting, 0);
        }
    }
}

/// The futurelock program: a task holds two futures, of which the told one is not polled any more.
#[test]
fn a_told_waiter_that_is_not_polled_does_not_keep_another_from_trying() {
    let cell = OnceCell::new();
    let mut runs = Box::pin(cell.get_or_init(pending));
    assert!(poll(runs.as_mut()).is_pending());
    let mut told = Box::pin(cell.get_or_init(|| ready(1)));
    let mut polled = Box::pin(cell.get_or_init(|| ready(2)));
    assert!(poll(told.as_mut()).is_pending() && poll(polled.as_mut()).is_pending());
    drop(runs);
    assert_eq!(poll(polled.as_mut()), Poll::Ready(&2));
    assert_eq!(poll(told.as_mut()), Poll::Ready(&2));
}

#[test]
fn one_who_was_told_too_late_lines_up_again() {
    let cell = OnceCell::new();
    let mut first = Box::pin(cell.get_or_init(pending));
    assert!(poll(first.as_mut()).is_pending());
    let mut told = Box::pin(cell.get_or_init(|| ready(1)));
    assert!(poll(told.as_mut()).is_pending());
    drop(first);
    let mut faster = Box::pin(cell.get_or_init(pending));
    assert!(poll(faster.as_mut()).is_pending());
    let (waker, count) = Count::new();
    assert!(poll_with(told.as_mut(), &waker).is_pending());
    assert_eq!(cell.stats().waiting, 1);
    drop(faster);
    assert_eq!(count.get(), 1);
    assert_eq!(poll(told.as_mut()), Poll::Ready(&1));
}

#[test]
fn an_initialiser_that_waits_for_its_own_cell_is_told_so() {
    let cell = OnceCell::new();
    for task in [None, NonZeroU64::new(7)] {
        let nested = || async {
            let inner = cell.get_or_init(|| ready(1));
            *inner.await + 1
        };
        let mut outer: Boxed<'_, &i32> = Box::pin(cell.get_or_init(nested));
        let waker = Count::new().0;
        let mut run = || match task {
            None => poll_with(outer.as_mut(), &waker).is_ready(),
            Some(id) => current::with_task(&TaskSlot::new(id), 9, || {
                poll_with(outer.as_mut(), &waker).is_ready()
            }),
        };
        let panic = catch_unwind(AssertUnwindSafe(&mut run)).unwrap_err();
        let message = panic.downcast_ref::<String>().unwrap();
        assert!(
            message.contains("its own cell") && message.contains("once_cell.rs"),
            "{message}"
        );
        drop(outer);
        assert!(!cell.stats().is_initializing && cell.stats().waiting == 0);
    }
    assert_eq!(poll(pin!(cell.get_or_init(|| ready(5)))), Poll::Ready(&5));
}

#[test]
fn a_task_number_sees_through_a_combinator_that_polls_with_its_own_waker() {
    let cell = OnceCell::new();
    let nested = || async {
        let mut inner = Box::pin(cell.get_or_init(|| ready(1)));
        let own = Count::new().0;
        poll_fn(|_| poll_with(inner.as_mut(), &own).map(|value: &i32| *value)).await
    };
    let mut outer: Boxed<'_, &i32> = Box::pin(cell.get_or_init(nested));
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let polled = catch_unwind(AssertUnwindSafe(|| {
        current::with_task(&slot, 9, || poll(outer.as_mut()).is_ready())
    }));
    assert!(polled.is_err());
}

#[test]
fn two_branches_of_one_task_and_another_task_inside_an_initialiser_just_wait() {
    let cell = OnceCell::new();
    let (outer_slot, inner_slot) = (
        TaskSlot::new(NonZeroU64::MIN),
        TaskSlot::new(NonZeroU64::new(2).unwrap()),
    );
    let gate = Notify::new();
    let other_task = RefCell::new(Box::pin(cell.get_or_init(|| ready(9))));
    let init = || async {
        current::with_task(&inner_slot, 9, || {
            let mut other_task = other_task.borrow_mut();
            assert!(
                poll(other_task.as_mut()).is_pending(),
                "it waits, that is all"
            );
        });
        gate.notified().await;
        1
    };
    let mut one = Box::pin(cell.get_or_init(init));
    let mut beside = Box::pin(cell.get_or_init(|| ready(3)));
    current::with_task(&outer_slot, 9, || {
        assert!(poll(one.as_mut()).is_pending());
        assert!(poll(beside.as_mut()).is_pending());
        gate.notify_one();
        assert_eq!(poll(one.as_mut()), Poll::Ready(&1));
        assert_eq!(poll(beside.as_mut()), Poll::Ready(&1));
    });
    drop(one);
    assert_eq!(poll(other_task.borrow_mut().as_mut()), Poll::Ready(&1));
}

#[test]
fn a_cell_may_use_other_cells_while_it_is_initialised() {
    let (outer, inner) = (OnceCell::new(), OnceCell::new());
    let init = || async { *inner.get_or_init(|| ready(20)).await + 1 };
    assert_eq!(poll(pin!(outer.get_or_init(init))), Poll::Ready(&21));
}

#[test]
fn set_gives_a_refused_value_back() {
    let mut cell = OnceCell::new();
    let mut runs = Box::pin(cell.get_or_init(pending));
    assert!(poll(runs.as_mut()).is_pending());
    assert_eq!(cell.set(1), Err(SetError::Initializing(1)));
    let (waker, count) = Count::new();
    let mut waits = Box::pin(cell.get_or_init(pending));
    assert!(poll_with(waits.as_mut(), &waker).is_pending());
    drop(runs);
    assert_eq!(cell.set(2), Ok(()));
    assert_eq!(count.get(), 1);
    assert_eq!(poll(waits.as_mut()), Poll::Ready(&2));
    drop(waits);
    let refused = cell.set(3).unwrap_err();
    assert_eq!(refused.to_string(), "the cell is set already");
    assert_eq!((refused.into_inner(), cell.get()), (3, Some(&2)));
    *cell.get_mut().unwrap() += 5;
    assert_eq!(cell.into_inner(), Some(7));
    assert_eq!(OnceCell::<u8>::new().get_mut(), None);
    assert_eq!(OnceCell::<u8>::new().into_inner(), None);
}

#[test]
fn the_value_is_dropped_once_and_a_failed_one_too() {
    let value = Arc::new(());
    for how in 0..3 {
        let mut cell = OnceCell::new();
        assert!(cell.set(Arc::clone(&value)).is_ok());
        drop(cell.set(Arc::clone(&value)));
        assert_eq!(Arc::strong_count(&value), 2);
        match how {
            0 => drop(cell),
            1 => drop(cell.into_inner()),
            _ => *cell.get_mut().unwrap() = Arc::new(()),
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }
}

#[test]
fn a_spent_budget_keeps_the_value() {
    let cell = OnceCell::new();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let calls = Cell::new(0);
    let mut makes = Box::pin(cell.get_or_init(|| {
        calls.set(calls.get() + 1);
        ready(1)
    }));
    let (waker, count) = Count::new();
    current::with_task(&slot, 0, || {
        assert!(poll_with(makes.as_mut(), &waker).is_pending());
    });
    assert_eq!((count.get(), cell.get()), (1, Some(&1)));
    assert_eq!(poll(makes.as_mut()), Poll::Ready(&1));
    assert_eq!(calls.get(), 1);

    let cell = OnceCell::<u8>::new();
    let mut runs = Box::pin(cell.get_or_init(pending));
    assert!(poll(runs.as_mut()).is_pending());
    let mut waits = Box::pin(cell.get_or_init(pending));
    current::with_task(&slot, 1, || assert!(poll(waits.as_mut()).is_pending()));
    assert_eq!(slot.waiting_on().unwrap().kind, WaitKind::OnceCell);
}

#[test]
fn leaked_futures_are_sound_also_when_the_cell_moves() {
    let cell = OnceCell::new();
    leak(Box::pin(cell.get_or_init(|| ready(1))));
    let mut runs = Box::pin(cell.get_or_init(pending));
    assert!(poll(runs.as_mut()).is_pending());
    let mut leaked = Box::pin(cell.get_or_init(|| ready(1)));
    assert!(poll(leaked.as_mut()).is_pending());
    leak(leaked);
    drop(runs); // tells the leaked one
    assert_eq!(poll(pin!(cell.get_or_init(|| ready(2)))), Poll::Ready(&2));
    let moved = Box::new(cell);
    assert_eq!(moved.into_inner(), Some(2));

    let busy = OnceCell::<u8>::new();
    let mut leaked = Box::pin(busy.get_or_init(pending));
    assert!(poll(leaked.as_mut()).is_pending());
    leak(leaked);
    assert_eq!(busy.set(1), Err(SetError::Initializing(1)), "for ever");
    assert_eq!(busy.into_inner(), None);
}

#[test]
fn a_panicking_waker_leaves_the_cell_whole() {
    for occasion in 0..3 {
        for fails in [false, true] {
            let cell = OnceCell::new();
            let (good, count) = Count::new();
            let mut runs = Box::pin(cell.get_or_init(pending));
            assert!(poll(runs.as_mut()).is_pending());
            let mut hostile = Box::pin(cell.get_or_init(pending));
            let bad = panics_once(occasion);
            survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
            survive(|| assert!(poll_with(hostile.as_mut(), &good).is_pending()));
            let bad = panics_once(occasion);
            survive(|| assert!(poll_with(hostile.as_mut(), &bad).is_pending()));
            let mut others: Vec<_> = (0..40)
                .map(|_| Box::pin(cell.get_or_init(pending)))
                .collect();
            for other in &mut others {
                assert!(poll_with(other.as_mut(), &good).is_pending());
            }
            survive(|| drop(runs));
            assert!(!cell.stats().is_initializing);
            if fails {
                // Its waker is dropped as it takes its turn; then the turn is over.
                survive(|| {
                    let _ = poll(hostile.as_mut());
                });
                survive(|| drop((hostile, bad)));
            } else {
                survive(|| drop((hostile, bad)));
            }
            assert!(!cell.stats().is_initializing, "{occasion}");
            assert_eq!(cell.set(1), Ok(()));
            assert!(count.get() >= 40, "{occasion}: all others, in both batches");
            for other in &mut others {
                assert_eq!(poll(other.as_mut()), Poll::Ready(&1));
            }
            assert_eq!(cell.stats().waiting, 0);
        }
    }
}

/// The turn of a waiter whose old waker panics as it is dropped is given up and not lost.
#[test]
fn a_waker_that_panics_as_its_waiter_takes_the_turn_does_not_block_the_cell() {
    let cell = OnceCell::new();
    let mut runs = Box::pin(cell.get_or_init(pending));
    assert!(poll(runs.as_mut()).is_pending());
    let _first = {
        let mut first = Box::pin(cell.get_or_init(pending::<u8>));
        assert!(poll(first.as_mut()).is_pending());
        first
    };
    let mut hostile = Box::pin(cell.get_or_init(pending));
    let bad = panics_once(2);
    assert!(poll_with(hostile.as_mut(), &bad).is_pending());
    drop(runs); // tells the first one
    survive(|| assert!(poll(hostile.as_mut()).is_ready())); // it is faster; its old waker panics
    assert!(!cell.stats().is_initializing);
    assert_eq!(poll(pin!(cell.get_or_init(|| ready(1)))), Poll::Ready(&1));
}

#[test]
fn a_waker_may_use_the_cell_that_wakes_it_and_drop_the_last_reference() {
    for occasion in 0..3 {
        let cell = Arc::new(OnceCell::new());
        let other = Mutex::new(Some(Arc::clone(&cell)));
        let waker = waker_on(occasion, move || {
            let Some(cell) = other.lock().unwrap().take() else {
                return;
            };
            let _ = poll(pin!(cell.get_or_init(pending)));
            let _ = cell.set(1);
            assert!(cell.stats().waiting <= 1 && !format!("{cell:?}").is_empty());
        });
        let mut runs = Box::pin(cell.get_or_init(pending));
        assert!(poll(runs.as_mut()).is_pending());
        let mut waits = Box::pin(cell.get_or_init(|| ready(2)));
        let _ = poll_with(waits.as_mut(), &waker);
        let _ = poll(waits.as_mut());
        let _ = poll_with(waits.as_mut(), &waker);
        drop(runs);
        assert!(poll(waits.as_mut()).is_ready());
        drop((waits, waker));
        assert_eq!((cell.stats().waiting, Arc::strong_count(&cell)), (0, 1));
    }
}

#[test]
fn debug_shows_the_name_and_a_static_cell_serves() {
    static NAMED: OnceCell<u8> = OnceCell::new().named("config");
    assert!(format!("{NAMED:?}").contains("<unset>"));
    assert_eq!(poll(pin!(NAMED.get_or_init(|| ready(7)))), Poll::Ready(&7));
    let text = format!("{NAMED:?}");
    assert!(
        text.contains("\"config\"") && text.contains("value: 7"),
        "{text}"
    );
    let named = OnceCell::<u8>::default().named_dyn(String::from("made"));
    assert_eq!(named.stats().name.as_deref(), Some("made"));
    assert!(format!("{:?}", named.get_or_init(|| ready(1))).contains("Waits"));
}

#[test]
fn the_models_hold_on_system_threads() {
    shim::explore(body::one_makes_it_for_both);
    shim::explore(body::a_failure_lets_the_next_one_try);
    shim::explore(body::a_dropped_initialiser_lets_the_next_one_try);
    shim::explore(body::one_who_was_told_and_leaves_tells_the_next);
    shim::explore(body::a_set_meets_an_initialiser);
}
