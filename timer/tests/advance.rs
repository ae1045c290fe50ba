//! Moving a virtual clock from within a program.

mod common;

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use common::{Bench, SECOND, panic_message, poll};
use tenter_timer::{Clock, Instant, Timers, advance, interval, now, on_virtual_time, sleep};

#[test]
fn time_passes_through_every_deadline_on_the_way() {
    let seen = RefCell::new(Vec::new());
    on_virtual_time(async {
        let mut ticking = pin!(async {
            let mut ticks = interval(10 * SECOND);
            loop {
                ticks.tick().await;
                seen.borrow_mut().push(now().as_nanos() / 1_000_000_000);
            }
        });
        let mut moving = pin!(advance(35 * SECOND));
        std::future::poll_fn(|cx| {
            let never: Poll<()> = ticking.as_mut().poll(cx);
            assert!(never.is_pending());
            moving.as_mut().poll(cx)
        })
        .await;
        assert_eq!(now(), Instant::from_nanos(35_000_000_000));
    });
    assert_eq!(*seen.borrow(), [0, 10, 20, 30]);
}

#[test]
fn advancing_takes_one_turn_if_nothing_is_due() {
    let bench = Bench::new();
    let mut moving = pin!(advance(SECOND));
    assert!(poll(moving.as_mut()).is_pending());
    assert_eq!(bench.now(), Instant::from_nanos(1_000_000_000));
    assert!(poll(moving.as_mut()).is_ready());
}

#[test]
fn advancing_by_zero_fires_what_is_due_now() {
    on_virtual_time(async {
        let mut sleep = pin!(sleep(SECOND));
        assert!(poll(sleep.as_mut()).is_pending());
        advance(SECOND - Duration::from_nanos(1)).await;
        assert!(poll(sleep.as_mut()).is_pending());
        advance(Duration::ZERO).await;
        assert!(poll(sleep.as_mut()).is_pending());
        advance(Duration::from_nanos(1)).await;
        assert!(poll(sleep.as_mut()).is_ready());
    });
}

#[test]
fn advancing_to_the_end_of_time_stops_before_never() {
    let bench = Bench::new();
    let mut never = pin!(sleep(Duration::MAX));
    let mut last = pin!(tenter_timer::sleep_until(
        Instant::MAX - Duration::from_nanos(1)
    ));
    assert!(poll(never.as_mut()).is_pending());
    assert!(poll(last.as_mut()).is_pending());
    let mut moving = pin!(advance(Duration::MAX));
    let turns = std::iter::from_fn(|| poll(moving.as_mut()).is_pending().then_some(())).count();
    assert_eq!(turns, 2);
    assert!(poll(last).is_ready());
    assert!(poll(never).is_pending());
    assert_eq!(bench.now(), Instant::MAX - Duration::from_nanos(1));
}

#[test]
fn without_a_virtual_clock_it_says_what_to_do() {
    let expected = "use a deterministic runtime";
    let message = panic_message(|| drop(advance(SECOND)));
    assert!(message.contains(expected), "{message}");
    let timers = Timers::new(Clock::real(), std::task::Waker::noop().clone());
    let _guard = timers.enter();
    let message = panic_message(|| drop(advance(SECOND)));
    assert!(message.contains(expected), "{message}");
}
