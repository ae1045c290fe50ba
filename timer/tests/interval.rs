//! Intervals: the moments of the ticks, missed ones, and resets.

mod common;

use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use common::{Bench, MILLI, SECOND, poll};
use tenter_timer::{
    Instant, Interval, MissedTick, interval, interval_at, now, on_virtual_time, sleep,
};

fn at(millis: u64) -> Instant {
    Instant::from_nanos(millis * 1_000_000)
}

#[test]
fn the_first_tick_is_ready_at_once_and_the_others_do_not_drift() {
    on_virtual_time(async {
        let mut ticks = interval(10 * MILLI);
        for due in [0, 10, 20, 30] {
            assert_eq!(ticks.tick().await, at(due));
            assert_eq!(now(), at(due));
            // Work that is shorter than the period does not move the ticks.
            sleep(3 * MILLI).await;
        }
    });
}

#[test]
fn the_first_tick_of_interval_at_is_due_at_its_start() {
    on_virtual_time(async {
        let mut ticks = interval_at(at(25), 10 * MILLI);
        assert_eq!(ticks.tick().await, at(25));
        assert_eq!(ticks.tick().await, at(35));
        let mut past = interval_at(at(5), 10 * MILLI);
        assert_eq!(past.tick().await, at(5));
        assert_eq!(now(), at(35));
    });
}

/// What tokio documents: a period of 50 ms, and 200 ms of work after the tick at 50 ms.
async fn ticks_around_work(missed: MissedTick) -> Vec<u64> {
    let mut ticks = interval(50 * MILLI);
    ticks.set_missed_tick_behavior(missed);
    assert_eq!(ticks.missed_tick_behavior(), missed);
    let mut taken = Vec::new();
    for tick in 0..8 {
        ticks.tick().await;
        taken.push(now().as_nanos() / 1_000_000);
        if tick == 1 {
            sleep(215 * MILLI).await;
        }
    }
    taken
}

#[test]
fn burst_catches_up() {
    let taken = on_virtual_time(ticks_around_work(MissedTick::Burst));
    assert_eq!(taken, [0, 50, 265, 265, 265, 265, 300, 350]);
}

#[test]
fn delay_keeps_the_distance() {
    let taken = on_virtual_time(ticks_around_work(MissedTick::Delay));
    assert_eq!(taken, [0, 50, 265, 315, 365, 415, 465, 515]);
}

#[test]
fn skip_keeps_the_moments() {
    let taken = on_virtual_time(ticks_around_work(MissedTick::Skip));
    assert_eq!(taken, [0, 50, 265, 300, 350, 400, 450, 500]);
}

#[test]
fn a_reset_begins_a_new_period() {
    on_virtual_time(async {
        let mut ticks = interval(10 * MILLI);
        ticks.tick().await;
        sleep(7 * MILLI).await;
        ticks.reset();
        assert_eq!(ticks.tick().await, at(17));
        assert_eq!(ticks.period(), 10 * MILLI);
    });
}

/// Goal: cancel safety: a tick that is dropped while it waits takes nothing.
#[test]
fn dropping_a_tick_loses_none() {
    let bench = Bench::new();
    let mut ticks = interval(SECOND);
    assert!(poll(pin!(ticks.tick())).is_ready());
    for _ in 0..3 {
        assert!(poll(pin!(ticks.tick())).is_pending());
        bench.pass(SECOND / 4);
    }
    bench.pass(SECOND / 4);
    assert_eq!(poll(pin!(ticks.tick())), Poll::Ready(at(1_000)));
    let mut cx = Context::from_waker(Waker::noop());
    assert!(ticks.poll_tick(&mut cx).is_pending());
}

#[test]
fn an_endless_period_ticks_once() {
    let bench = Bench::new();
    let mut ticks = interval(Duration::MAX);
    assert!(poll(pin!(ticks.tick())).is_ready());
    assert!(poll(pin!(ticks.tick())).is_pending());
    assert_eq!(bench.timers.armed(), 0);
}

#[test]
fn a_period_of_zero_says_what_to_do() {
    let _bench = Bench::new();
    let makers: [fn() -> Interval; 2] = [
        || interval(Duration::ZERO),
        || interval_at(now(), Duration::ZERO),
    ];
    for make in makers {
        let message = common::panic_message(|| drop(make()));
        assert!(message.contains("a period greater than zero"), "{message}");
    }
}
