//! Sleeping: when it ends, what it costs, what a reset, a drop and another waker do to it.

mod common;

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Bench, Count, HOUR, MILLI, SECOND, poll, poll_with};
use tenter_timer::{Instant, Sleep, on_virtual_time, sleep, sleep_until};

#[test]
fn a_sleep_ends_at_its_nanosecond_and_not_before() {
    let bench = Bench::new();
    for duration in [
        Duration::from_nanos(1),
        MILLI,
        SECOND + Duration::from_nanos(1),
        HOUR,
    ] {
        let (waker, woken) = Count::waker();
        let mut sleep = pin!(sleep(duration));
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        assert_eq!(bench.pass(duration - Duration::from_nanos(1)), 0);
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        assert!(!sleep.is_elapsed());
        assert_eq!(bench.pass(Duration::from_nanos(1)), 1);
        assert_eq!(woken.get(), 1);
        assert!(sleep.is_elapsed());
        assert!(poll_with(sleep, &waker).is_ready());
    }
}

#[test]
fn the_time_counts_from_creation_not_from_the_first_poll() {
    let bench = Bench::new();
    let mut late = pin!(sleep(SECOND));
    bench.pass(SECOND - MILLI);
    assert!(poll(late.as_mut()).is_pending());
    assert_eq!(bench.pass(MILLI), 1);
    assert!(poll(late).is_ready());
}

#[test]
fn a_sleep_that_is_never_polled_is_never_armed() {
    let bench = Bench::new();
    let sleeps = [sleep(SECOND), sleep_until(bench.now() + HOUR)];
    assert_eq!(bench.timers.armed(), 0);
    drop(sleeps);
    assert_eq!(bench.timers.next_deadline(), None);
}

#[test]
fn equal_deadlines_end_in_the_order_of_their_first_polls() {
    let bench = Bench::new();
    let (order, mut sleeps) = (
        std::sync::Arc::new(std::sync::Mutex::new(Vec::new())),
        Vec::new(),
    );
    struct Log(usize, std::sync::Arc<std::sync::Mutex<Vec<usize>>>);
    impl std::task::Wake for Log {
        fn wake(self: std::sync::Arc<Self>) {
            self.1.lock().unwrap().push(self.0);
        }
    }
    // Created in one order, polled in another; others before and after; more than one batch.
    for id in 0..100 {
        sleeps.push((id, Box::pin(sleep_until(bench.now() + SECOND))));
    }
    sleeps.reverse();
    for (id, sleep) in &mut sleeps {
        let waker = Waker::from(std::sync::Arc::new(Log(*id, order.clone())));
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    }
    assert_eq!(bench.pass(SECOND), 100);
    let expected: Vec<usize> = (0..100).rev().collect();
    assert_eq!(*order.lock().unwrap(), expected);
}

#[test]
fn a_sleep_stays_ready_once_it_is() {
    let bench = Bench::new();
    let mut sleep = pin!(sleep(SECOND));
    assert!(poll(sleep.as_mut()).is_pending());
    bench.pass(SECOND);
    for _ in 0..3 {
        assert!(poll(sleep.as_mut()).is_ready());
    }
}

/// Goal: fault 13, a different waker at each poll: the last one is woken, each is dropped.
#[test]
fn the_waker_of_the_last_poll_is_the_one_that_is_woken() {
    let bench = Bench::new();
    let wakers: Vec<_> = (0..5).map(|_| Count::waker()).collect();
    let mut sleep = pin!(sleep(SECOND));
    for (waker, _) in &wakers {
        assert!(poll_with(sleep.as_mut(), waker).is_pending());
    }
    assert_eq!(bench.timers.armed(), 1);
    bench.pass(SECOND);
    let woken: Vec<usize> = wakers.iter().map(|(_, count)| count.get()).collect();
    assert_eq!(woken, [0, 0, 0, 0, 1]);
    for (waker, count) in wakers {
        drop(waker);
        assert_eq!(std::sync::Arc::strong_count(&count), 1, "no waker is kept");
    }
}

/// Goal: drop at every poll: never polled, armed, woken but not polled, ready. Nothing stays
/// behind, and the others are not disturbed.
#[test]
fn a_sleep_may_be_dropped_at_every_point_of_its_life() {
    for polls in 0..4 {
        let bench = Bench::new();
        let (waker, _) = Count::waker();
        let (other, others) = Count::waker();
        let mut neighbour = pin!(sleep(SECOND));
        assert!(poll_with(neighbour.as_mut(), &other).is_pending());
        let mut dropped = Box::pin(sleep(SECOND));
        if polls >= 1 {
            assert!(poll_with(dropped.as_mut(), &waker).is_pending());
        }
        if polls >= 2 {
            bench.pass(SECOND);
        }
        if polls >= 3 {
            assert!(poll_with(dropped.as_mut(), &waker).is_ready());
        }
        drop(dropped);
        bench.pass(SECOND);
        assert!(poll_with(neighbour, &other).is_ready());
        assert_eq!(
            (others.get(), bench.timers.armed()),
            (1, 0),
            "after {polls} polls"
        );
    }
}

#[test]
fn a_reset_moves_the_deadline_in_both_directions_without_another_poll() {
    let bench = Bench::new();
    for (to, passes) in [(2 * SECOND, 2), (HOUR, 3_600), (SECOND / 2, 0)] {
        let (waker, woken) = Count::waker();
        let mut sleep = pin!(sleep(SECOND));
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        let deadline = bench.now() + to;
        sleep.as_mut().reset(deadline);
        assert_eq!(sleep.deadline(), deadline);
        assert_eq!(bench.timers.next_deadline(), Some(deadline));
        bench.pass(to - Duration::from_nanos(1));
        assert_eq!(woken.get(), 0, "after {passes} s");
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        bench.pass(Duration::from_nanos(1));
        assert_eq!(woken.get(), 1);
        assert!(poll_with(sleep, &waker).is_ready());
    }
}

#[test]
fn a_reset_to_a_past_deadline_wakes_the_task_at_once() {
    let bench = Bench::new();
    bench.pass(HOUR);
    for ago in [Duration::ZERO, Duration::from_nanos(1), SECOND] {
        let (waker, woken) = Count::waker();
        let mut sleep = pin!(sleep(SECOND));
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        sleep.as_mut().reset(bench.now() - ago);
        assert_eq!((woken.get(), bench.timers.armed()), (1, 0), "{ago:?} ago");
        assert!(poll(sleep).is_ready());
    }
}

#[test]
fn a_reset_begins_a_new_wait_after_the_old_one_ended() {
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut sleep = pin!(sleep(SECOND));
    for round in 1..=3 {
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        bench.pass(SECOND);
        assert_eq!(woken.get(), round);
        assert!(poll_with(sleep.as_mut(), &waker).is_ready());
        sleep.as_mut().reset(bench.now() + SECOND);
    }
    // Before the first poll of all.
    let mut sleep = pin!(tenter_timer::sleep(HOUR));
    sleep.as_mut().reset(bench.now() + MILLI);
    assert!(poll(sleep.as_mut()).is_pending());
    assert_eq!(bench.timers.next_deadline(), Some(bench.now() + MILLI));
}

#[test]
fn a_reset_to_never_ends_the_wait_and_a_later_one_begins_it_again() {
    let bench = Bench::new();
    let mut sleep = pin!(sleep(SECOND));
    assert!(poll(sleep.as_mut()).is_pending());
    sleep.as_mut().reset(Instant::MAX);
    assert_eq!(bench.timers.armed(), 0);
    assert!(poll(sleep.as_mut()).is_pending());
    assert_eq!(bench.pass(HOUR), 0);
    sleep.as_mut().reset(bench.now() + SECOND);
    assert!(poll(sleep.as_mut()).is_pending());
    assert_eq!(bench.pass(SECOND), 1);
    assert!(poll(sleep).is_ready());
}

#[test]
fn a_sleep_moves_between_threads_while_it_is_armed() {
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut sleep = Box::pin(sleep(SECOND));
    assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    let moved = std::thread::spawn(move || {
        // This thread has entered no timers; the sleep keeps its own.
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        sleep
    });
    let mut sleep = moved.join().expect("polled elsewhere");
    assert_eq!(bench.pass(SECOND), 1);
    assert_eq!(woken.get(), 1);
    assert!(poll(sleep.as_mut()).is_ready());
    std::thread::spawn(move || drop(sleep))
        .join()
        .expect("dropped elsewhere");
}

#[test]
fn a_forgotten_sleep_leaks_and_harms_nobody() {
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut forgotten = Box::pin(sleep(SECOND));
    assert!(poll_with(forgotten.as_mut(), &waker).is_pending());
    let forgotten = ManuallyDrop::new(forgotten);
    let mut other = pin!(sleep(SECOND));
    assert!(poll(other.as_mut()).is_pending());
    assert_eq!(bench.pass(SECOND), 2);
    assert_eq!(woken.get(), 1);
    assert!(poll(other).is_ready());
    // Given back, so that the leak checker sees what is not meant to leak.
    drop(ManuallyDrop::into_inner(forgotten));
}

#[test]
fn debug_names_deadline_state_and_place_of_creation() {
    let bench = Bench::new();
    let mut sleep = pin!(sleep(SECOND));
    let text = format!("{sleep:?}");
    assert!(
        text.contains("Instant(1s)") && text.contains("Ahead"),
        "{text}"
    );
    assert!(text.contains("tests/sleep.rs:"), "{text}");
    assert!(poll(sleep.as_mut()).is_pending());
    assert!(format!("{sleep:?}").contains("Armed"));
    assert!(format!("{:?}", bench.timers).contains("armed: 1"));
}

/// Goal: a leaf future spends the budget of its task, after the result is secure.
#[test]
fn a_ready_sleep_spends_the_budget_and_stays_ready_without_it() {
    use std::num::NonZeroU64;
    use tenter_sync::current::{self, TaskSlot, WaitKind};

    let bench = Bench::new();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (waker, woken) = Count::waker();
    let mut sleep = pin!(sleep(Duration::ZERO));
    current::with_task(&slot, 0, || {
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    });
    assert_eq!(woken.get(), 1, "the task comes back for what is ready");
    current::with_task(&slot, 1, || {
        assert!(poll_with(sleep.as_mut(), &waker).is_ready());
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    });
    // Waiting spends nothing, and notes what is waited for.
    let mut waiting = pin!(tenter_timer::sleep(SECOND));
    current::with_task(&slot, 0, || {
        assert!(poll_with(waiting.as_mut(), &waker).is_pending());
    });
    assert_eq!(woken.get(), 2);
    let note = slot.waiting_on().expect("a sleep is waited for");
    assert_eq!(note.kind, WaitKind::Sleep);
    assert_eq!(note.address, std::ptr::from_ref::<Sleep>(&waiting) as usize);
    drop(bench);
}

/// Trio's K01: sleeps of 0, 10, …, 90 take 450 virtual seconds.
#[test]
fn virtual_time_passes_exactly() {
    on_virtual_time(async {
        let start = tenter_timer::now();
        for tens in 0..10 {
            sleep(tens * 10 * SECOND).await;
        }
        assert_eq!(start.elapsed(), 450 * SECOND);
    });
}

#[test]
fn a_poll_of_an_armed_sleep_by_hand_keeps_its_contract() {
    let bench = Bench::new();
    let mut sleep = pin!(sleep(SECOND));
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
    assert_eq!(sleep.as_mut().poll(&mut cx), Poll::Pending);
    assert_eq!(bench.timers.armed(), 1);
}
