//! The bugs of others that these timers could have had, each named after its report. What is a race
//! is explored by `loom-tests/tests/timer.rs`; here is what one thread can show.

mod common;

use std::future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::{Bench, Count, HOUR, MILLI, SECOND, poll, poll_with};
use tenter_timer::{Instant, interval, interval_at, now, sleep, sleep_until, timeout, timeout_at};

const DAY: Duration = Duration::from_secs(86_400);

/// tokio #6682: the driver published when it would wake in a later critical section than it had
/// computed it in, so a timer armed in between was taken to be late enough, and never fired.
/// Also: model `register_vs_park`.
#[test]
fn tokio_6682_a_deadline_is_published_where_it_is_computed() {
    let bench = Bench::new();
    // The stale value: an earlier park, until an earlier deadline.
    let mut past = pin!(sleep(SECOND));
    assert!(poll(past.as_mut()).is_pending());
    assert_eq!(bench.timers.begin_park(), Some(bench.now() + SECOND));
    bench.timers.end_park();
    bench.pass(SECOND);

    assert_eq!(bench.timers.begin_park(), None);
    let mut new = pin!(sleep(HOUR));
    assert!(poll(new.as_mut()).is_pending());
    assert_eq!(
        bench.driver.get(),
        1,
        "later than the stale deadline, earlier than never"
    );
}

/// tokio #3190: a new timer did not interrupt a driver that waited for input and output.
/// Also: models `earlier_vs_park`, `reset_vs_park`.
#[test]
fn tokio_3190_a_new_timer_interrupts_a_waiting_driver() {
    let bench = Bench::new();
    let mut far = pin!(sleep(HOUR));
    assert!(poll(far.as_mut()).is_pending());
    assert_eq!(bench.timers.begin_park(), Some(bench.now() + HOUR));
    let mut near = pin!(sleep(MILLI));
    assert!(poll(near.as_mut()).is_pending());
    assert_eq!(bench.driver.get(), 1);
}

/// tokio #3229: dropping a timer during the very millisecond in which it fires panicked.
/// Method: among many in one slot, drop some between the firing of the others, at every distance.
#[test]
fn tokio_3229_a_timer_may_be_dropped_in_its_own_moment() {
    for offset in [0, 1, 65_535, 65_536, 999_999, 1_000_000] {
        let bench = Bench::new();
        bench.pass(Duration::from_nanos(offset));
        let deadline = bench.now() + MILLI;
        let (waker, woken) = Count::waker();
        let mut sleeps: Vec<_> = (0..100)
            .map(|id| Box::pin(sleep_until(deadline + Duration::from_nanos(id % 3))))
            .collect();
        for sleep in &mut sleeps {
            assert!(poll_with(sleep.as_mut(), &waker).is_pending());
        }
        assert_eq!(bench.pass(MILLI), 34);
        // Fired and armed ones alike, in the middle of their nanosecond.
        sleeps.retain(|sleep| (sleep.deadline() - deadline).as_nanos() == 1);
        assert_eq!(bench.pass(Duration::from_nanos(2)), 33);
        assert_eq!((woken.get(), bench.timers.armed()), (67, 0));
    }
}

/// tokio #8252: the cancellation of a timer could overtake its insertion, because the two went
/// through different queues. Here both are one critical section. Also: model `cancel_vs_fire`.
#[test]
fn tokio_8252_a_cancellation_never_overtakes_the_insertion() {
    let bench = Bench::new();
    for _ in 0..1_000 {
        let mut sleep = Box::pin(sleep(SECOND));
        assert!(poll(sleep.as_mut()).is_pending());
        assert_eq!(bench.timers.armed(), 1);
        drop(sleep);
        assert_eq!(bench.timers.armed(), 0);
    }
}

/// tokio #8334: after about twelve days the slots of the top level wrapped, and the wheel panicked.
/// Also: `three_hundred_years_pass_exactly` in `src/wheel/tests.rs`.
#[test]
fn tokio_8334_uptime_of_years_wraps_nothing() {
    let bench = Bench::new();
    for days in 1..=3_000_u32 {
        let mut soon = pin!(sleep(Duration::from_secs(u64::from(days) * 997)));
        let mut day = pin!(sleep(DAY));
        let mut year = pin!(sleep(365 * DAY));
        assert!(poll(soon.as_mut()).is_pending());
        assert!(poll(day.as_mut()).is_pending());
        assert!(poll(year.as_mut()).is_pending());
        let due = if u64::from(days) * 997 <= 86_400 {
            2
        } else {
            1
        };
        assert_eq!(bench.pass(DAY), due, "day {days}");
        assert!(poll(day).is_ready());
        assert!(poll(year).is_pending());
    }
}

/// tokio #5183, #5710, #6634, #6487, #6612, #4494, #2667: panics and early firing for huge
/// durations, and sentinels within the range of time.
#[test]
fn tokio_5183_no_duration_panics_or_fires_early() {
    let bench = Bench::new();
    bench.pass(Duration::from_nanos(12_345));
    for huge in [
        Duration::MAX,
        Duration::MAX - Duration::from_nanos(1),
        Duration::from_secs(u64::MAX),
        Duration::from_secs(u64::MAX / 1_000_000_000 + 1),
        Duration::from_nanos(u64::MAX),
        Duration::from_nanos(u64::MAX - 1),
        Duration::from_nanos(u64::MAX - 12_345),
        Duration::from_nanos(u64::MAX - 12_346),
        Duration::from_millis(1 << 36),
        Duration::from_secs(500 * 365 * 86_400),
    ] {
        let mut sleep = pin!(sleep(huge));
        let mut until = pin!(sleep_until(now() + huge));
        let mut bounded = pin!(timeout(huge, future::pending::<()>()));
        let mut bounded_at = pin!(timeout_at(now() + huge, future::pending::<()>()));
        let mut ticks = interval_at(now() + huge, huge);
        assert!(poll(sleep.as_mut()).is_pending(), "{huge:?}");
        assert!(poll(until.as_mut()).is_pending(), "{huge:?}");
        assert!(poll(bounded.as_mut()).is_pending(), "{huge:?}");
        assert!(poll(bounded_at.as_mut()).is_pending(), "{huge:?}");
        assert!(poll(pin!(ticks.tick())).is_pending(), "{huge:?}");
        assert_eq!(bench.pass(Duration::from_nanos(1)), 0, "{huge:?}");
    }
    // The last nanosecond of time is an ordinary deadline; the one after it is never.
    let last = Instant::MAX - Duration::from_nanos(1);
    let mut at_last = pin!(sleep_until(last));
    let mut never = pin!(sleep_until(Instant::MAX));
    assert!(poll(at_last.as_mut()).is_pending());
    assert!(poll(never.as_mut()).is_pending());
    assert_eq!(bench.timers.next_deadline(), Some(last));
    assert_eq!(bench.pass(Duration::MAX), 1);
    assert!(poll(at_last).is_ready());
    assert!(poll(never).is_pending());
}

/// async-io #87 (and #92): a timer with the longest duration panicked; it is a timer that never
/// fires.
#[test]
fn async_io_87_the_longest_duration_is_never() {
    let bench = Bench::new();
    let mut never = pin!(sleep(Duration::MAX));
    assert_eq!(never.deadline(), Instant::MAX);
    assert!(poll(never.as_mut()).is_pending());
    assert_eq!((bench.timers.armed(), bench.timers.begin_park()), (0, None));
    never.as_mut().reset(bench.now() + SECOND);
    assert!(poll(never.as_mut()).is_pending());
    assert_eq!(bench.driver.get(), 1);
    bench.timers.end_park();
    bench.pass(SECOND);
    assert!(poll(never).is_ready());
}

/// tokio #4044: a clock that went backwards made the driver panic.
/// Also: `a_clock_that_goes_backwards_stands_still` in `src/clock.rs`.
#[test]
fn tokio_4044_a_driver_with_an_older_time_neither_panics_nor_fires_early() {
    let bench = Bench::new();
    bench.pass(HOUR);
    let mut sleep = pin!(sleep(SECOND));
    assert!(poll(sleep.as_mut()).is_pending());
    assert_eq!(bench.timers.fire_due(bench.now() - 30 * SECOND), 0);
    assert_eq!(bench.timers.fire_due(Instant::from_nanos(0)), 0);
    bench.timers.clock().advance_to(Instant::from_nanos(5));
    assert_eq!(bench.now(), Instant::from_nanos(0) + HOUR);
    assert_eq!((bench.now() - HOUR) - bench.now(), Duration::ZERO);
    assert_eq!(bench.pass(SECOND), 1);
    assert!(poll(sleep).is_ready());
}

/// tokio #6866, #5021: deadlines were rounded up to milliseconds, so `sleep_until(now)` added one.
#[test]
fn tokio_6866_nothing_is_rounded_up() {
    let bench = Bench::new();
    let before = bench.now();
    assert!(poll(pin!(sleep_until(now()))).is_ready());
    let mut short = pin!(sleep(Duration::from_nanos(1)));
    assert!(poll(short.as_mut()).is_pending());
    assert_eq!(
        bench.timers.next_deadline(),
        Some(before + Duration::from_nanos(1))
    );
    assert_eq!(bench.pass(Duration::from_nanos(1)), 1);
}

/// tokio #8365: a future that exhausts the budget starved the timeout around it. The whole story is
/// in `a_future_that_spends_the_whole_budget_cannot_starve_its_timeout`, `tests/timeout.rs`.
#[test]
fn tokio_8365_a_timer_that_has_fired_needs_no_budget() {
    use std::num::NonZeroU64;
    use tenter_sync::current::{self, TaskSlot};

    let bench = Bench::new();
    let mut bounded = pin!(timeout(SECOND, future::pending::<()>()));
    assert!(poll(bounded.as_mut()).is_pending());
    bench.pass(SECOND);
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let polled = current::with_task(&slot, 0, || poll(bounded.as_mut()));
    assert!(matches!(polled, Poll::Ready(Err(_))));
}

/// tokio #5429, #4129: a waker dropped or cloned under an internal lock deadlocked. See
/// `a_waker_may_use_the_timers_that_wake_it` in `tests/timers.rs`.
#[test]
fn tokio_5429_the_last_reference_to_the_timers_may_go_with_a_waker() {
    struct Keeper {
        _timers: tenter_timer::Timers,
    }
    impl std::task::Wake for Keeper {
        fn wake(self: std::sync::Arc<Self>) {}
    }
    let bench = Bench::new();
    let keeper = std::sync::Arc::new(Keeper {
        _timers: bench.timers.clone(),
    });
    let mut ticks = interval(SECOND);
    let waker = keeper.into();
    assert!(poll_with(pin!(ticks.tick()), &waker).is_ready());
    assert!(poll_with(pin!(ticks.tick()), &waker).is_pending());
    drop(waker);
    drop(bench);
    // Ends the interval's timer, the waker in it, and the timers, in this order, without a lock.
    drop(ticks);
}
