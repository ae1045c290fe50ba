//! The faults that concern timers, by their numbers in the fault model.

mod common;

use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::time::Duration;

use common::{Bench, Count, HOUR, MILLI, SECOND, poll, poll_with};
use tenter_sync::current::{self, TaskSlot};
use tenter_timer::{Clock, Instant, Sleep, Timers, now, sleep, sleep_until};

/// Fault 39: a zero or past deadline is ready at the first poll, without being armed, after one
/// operation of the budget.
#[test]
fn fault_39_a_deadline_that_has_passed_is_ready_at_the_first_poll() {
    let bench = Bench::new();
    bench.pass(HOUR);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let passed: [fn() -> Sleep; 4] = [
        || sleep(Duration::ZERO),
        || sleep_until(now()),
        || sleep_until(now() - SECOND),
        || sleep_until(Instant::from_nanos(0)),
    ];
    for make in passed {
        current::with_task(&slot, 1, || {
            assert!(poll(pin!(make())).is_ready());
            assert!(poll(pin!(make())).is_pending(), "the budget is spent");
        });
        assert_eq!(bench.timers.armed(), 0);
    }
    // Set in the future, and passed by the time of the first poll.
    let mut late = pin!(sleep(SECOND));
    bench.timers.clock().advance_to(bench.now() + SECOND);
    assert!(poll(late.as_mut()).is_ready());
    assert_eq!(bench.timers.armed(), 0);
}

/// Fault 39 on the real clock, without waiting.
#[test]
fn fault_39_on_the_real_clock() {
    let timers = Timers::new(Clock::real(), std::task::Waker::noop().clone());
    let _guard = timers.enter();
    assert!(poll(pin!(sleep(Duration::ZERO))).is_ready());
    assert!(poll(pin!(sleep_until(now()))).is_ready());
    let mut reset = pin!(sleep(HOUR));
    assert!(poll(reset.as_mut()).is_pending());
    reset.as_mut().reset(now());
    assert!(poll(reset).is_ready());
    // Counted from its creation, so the clock was read then; the driver has been past it since.
    let mut short = pin!(sleep(Duration::from_nanos(1)));
    timers.fire_due(now() + SECOND);
    assert!(poll(short.as_mut()).is_ready());
    assert_eq!(timers.armed(), 0);
}

/// Fault 40: durations and instants near the edges saturate; see also `others.rs`.
#[test]
fn fault_40_deadlines_at_both_ends_of_time() {
    for start in [0, 1, 1 << 63, u64::MAX - 2, u64::MAX - 1, u64::MAX] {
        let bench = Bench::new();
        bench.timers.clock().advance_to(Instant::from_nanos(start));
        let now = bench.now();
        for edge in [0, 1, 1 << 16, 1 << 63, u64::MAX - 1] {
            let deadline = Instant::from_nanos(edge);
            let mut sleep = pin!(sleep_until(deadline));
            assert_eq!(
                poll(sleep.as_mut()).is_ready(),
                deadline <= now,
                "{deadline:?} at {now:?}"
            );
        }
        assert!(poll(pin!(sleep_until(Instant::MAX))).is_pending());
        assert_eq!(bench.timers.armed(), 0);
    }
}

/// Fault 41: very many timers, armed, reset and cancelled in storms; nothing is left behind.
#[test]
fn fault_41_storms_of_timers() {
    let count = 100_000;
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut sleeps: Vec<Pin<Box<Sleep>>> = Vec::with_capacity(count);
    for id in 0..count as u64 {
        let spread = Duration::from_nanos(id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 34);
        let mut sleep = Box::pin(sleep(SECOND + spread));
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        sleeps.push(sleep);
    }
    // Each time the oldest is put off, as a server does with its connections; the minimum stays
    // true.
    let far = bench.now() + HOUR;
    for (id, sleep) in sleeps.iter_mut().enumerate().take(count / 2) {
        sleep.as_mut().reset(far + Duration::from_nanos(id as u64));
        assert!(bench.timers.begin_park() <= Some(far));
        bench.timers.end_park();
    }
    assert_eq!(bench.timers.armed(), count);
    assert_eq!(bench.pass(3 * SECOND), count / 2);
    sleeps.truncate(count / 4);
    assert_eq!(bench.pass(2 * HOUR), count / 4);
    assert_eq!((woken.get(), bench.timers.armed()), (count * 3 / 4, 0));
    drop(sleeps);
    drop(waker);
    assert_eq!(std::sync::Arc::strong_count(&woken), 1, "no waker is left");
}

/// Fault 42: three centuries of uptime, in one process that keeps a timer for each scale of time.
#[test]
fn fault_42_a_long_uptime() {
    let year = 365 * 24 * HOUR;
    let bench = Bench::new();
    let mut hourly = pin!(sleep(HOUR));
    let mut yearly = pin!(sleep(year));
    for _ in 0..300 {
        hourly.as_mut().reset(bench.now() + HOUR);
        yearly.as_mut().reset(bench.now() + year);
        assert!(poll(hourly.as_mut()).is_pending());
        assert!(poll(yearly.as_mut()).is_pending());
        assert_eq!(bench.pass(HOUR), 1);
        assert_eq!(bench.pass(year - HOUR - Duration::from_nanos(1)), 0);
        assert_eq!(bench.pass(Duration::from_nanos(1)), 1);
        assert!(poll(hourly.as_mut()).is_ready() && poll(yearly.as_mut()).is_ready());
    }
    assert_eq!(bench.now(), Instant::from_nanos(0) + 300 * year);
}

/// Fault 43: time that goes backwards is in `others.rs` (tokio_4044) and `src/clock.rs`. Here: a
/// clock that jumps far ahead, as after a suspend of the machine, fires each timer once, in order.
#[test]
fn fault_43_a_clock_that_jumps() {
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut sleeps: Vec<_> = [MILLI, SECOND, HOUR, 24 * HOUR]
        .map(|d| Box::pin(sleep(d)))
        .into();
    for sleep in &mut sleeps {
        assert!(poll_with(sleep.as_mut(), &waker).is_pending());
    }
    assert_eq!(bench.pass(12 * HOUR), 3);
    assert_eq!(woken.get(), 3);
    assert_eq!(
        bench.timers.next_deadline(),
        Some(Instant::from_nanos(0) + 24 * HOUR)
    );
}

/// Fault 44: a timer armed while the driver sleeps is in `tests/timers.rs`,
/// `a_timer_armed_by_another_thread_wakes_the_parked_driver`, and in the models `register_vs_park`
/// and `earlier_vs_park`. Here: the driver's deadline is gone, because its timer was cancelled
/// meanwhile.
#[test]
fn fault_44_a_driver_that_wakes_for_a_cancelled_timer_sleeps_on() {
    let bench = Bench::new();
    let mut cancelled = Box::pin(sleep(SECOND));
    assert!(poll(cancelled.as_mut()).is_pending());
    assert_eq!(bench.timers.begin_park(), Some(bench.now() + SECOND));
    drop(cancelled);
    bench.timers.end_park();
    assert_eq!(bench.pass(SECOND), 0);
    assert_eq!(bench.timers.begin_park(), None);
    // And if a new one is armed after the cancellation, it is not compared with what is gone.
    let mut later = pin!(sleep(HOUR));
    assert!(poll(later.as_mut()).is_pending());
    assert_eq!(bench.driver.get(), 1);
}
