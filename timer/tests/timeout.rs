//! Timeouts: readiness first, then the timer, whatever the budget.

mod common;

use std::cell::Cell;
use std::future::{self, Future, poll_fn};
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use common::{Bench, Count, HOUR, MILLI, SECOND, poll, poll_with};
use tenter_sync::budget;
use tenter_sync::current::{self, TaskSlot};
use tenter_timer::{Instant, Timeout, on_virtual_time, sleep, timeout, timeout_at};

/// Ready at the poll with the number that it holds, counted from one.
struct ReadyAt(u32);

impl Future for ReadyAt {
    type Output = &'static str;

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<&'static str> {
        self.0 -= 1;
        if self.0 == 0 {
            Poll::Ready("ready")
        } else {
            Poll::Pending
        }
    }
}

#[test]
fn what_is_ready_is_delivered_without_a_timer() {
    let bench = Bench::new();
    let mut bounded = pin!(timeout(SECOND, future::ready(7)));
    assert_eq!(poll(bounded.as_mut()), Poll::Ready(Ok(7)));
    assert_eq!(bench.timers.armed(), 0);
}

#[test]
fn the_future_wins_over_the_timer_when_both_are_ready() {
    let bench = Bench::new();
    let mut bounded = pin!(timeout(SECOND, ReadyAt(2)));
    assert!(poll(bounded.as_mut()).is_pending());
    assert_eq!(bench.pass(HOUR), 1);
    assert_eq!(poll(bounded), Poll::Ready(Ok("ready")));
}

#[test]
fn the_timer_ends_the_wait_at_its_nanosecond() {
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut bounded = pin!(timeout(SECOND, future::pending::<()>()));
    assert!(poll_with(bounded.as_mut(), &waker).is_pending());
    bench.pass(SECOND - Duration::from_nanos(1));
    assert!(poll_with(bounded.as_mut(), &waker).is_pending());
    bench.pass(Duration::from_nanos(1));
    assert_eq!(woken.get(), 1);
    let elapsed = match poll_with(bounded, &waker) {
        Poll::Ready(Err(elapsed)) => elapsed,
        other => panic!("{other:?}"),
    };
    assert_eq!(elapsed.limit(), SECOND);
    assert_eq!(
        format!("{elapsed} {elapsed:?}"),
        "timed out after 1s Elapsed { limit: 1s }"
    );
}

#[test]
fn a_zero_timeout_polls_once() {
    let bench = Bench::new();
    let mut once = pin!(timeout(Duration::ZERO, ReadyAt(1)));
    assert_eq!(poll(once.as_mut()), Poll::Ready(Ok("ready")));
    let mut never = pin!(timeout(Duration::ZERO, ReadyAt(2)));
    assert!(matches!(poll(never.as_mut()), Poll::Ready(Err(_))));
    let mut past = pin!(timeout_at(bench.now(), ReadyAt(2)));
    assert!(matches!(poll(past.as_mut()), Poll::Ready(Err(_))));
    assert_eq!(bench.timers.armed(), 0);
}

#[test]
fn no_bound_is_no_timer() {
    let bench = Bench::new();
    let mut unbounded = pin!(timeout(Duration::MAX, future::pending::<()>()));
    assert!(poll(unbounded.as_mut()).is_pending());
    assert_eq!(unbounded.deadline(), Instant::MAX);
    assert_eq!(
        (bench.timers.armed(), bench.timers.next_deadline()),
        (0, None)
    );
}

#[test]
fn dropping_a_timeout_takes_its_timer_along() {
    let bench = Bench::new();
    let mut bounded = Box::pin(timeout(SECOND, future::pending::<()>()));
    assert!(poll(bounded.as_mut()).is_pending());
    assert_eq!(bench.timers.armed(), 1);
    drop(bounded);
    assert_eq!(bench.timers.armed(), 0);
}

#[test]
fn timeouts_nest_and_the_shorter_one_ends_first() {
    on_virtual_time(async {
        let inner = timeout(SECOND, future::pending::<()>());
        let outcome = timeout(2 * SECOND, inner).await;
        assert!(matches!(outcome, Ok(Err(_))));
        let inner = timeout(2 * SECOND, future::pending::<()>());
        let outcome = timeout(SECOND, inner).await;
        assert!(outcome.is_err());
        assert_eq!(tenter_timer::now().as_nanos(), 2_000_000_000);
    });
}

#[test]
fn the_time_counts_from_creation() {
    let bench = Bench::new();
    let mut bounded = pin!(timeout(SECOND, future::pending::<()>()));
    bench.pass(SECOND);
    assert!(matches!(poll(bounded.as_mut()), Poll::Ready(Err(_))));
}

#[test]
fn into_future_is_taken_and_given_back() {
    let _bench = Bench::new();
    struct Request;
    impl IntoFuture for Request {
        type Output = u8;
        type IntoFuture = future::Ready<u8>;
        fn into_future(self) -> future::Ready<u8> {
            future::ready(9)
        }
    }
    let mut bounded: Timeout<future::Ready<u8>> = timeout(SECOND, Request);
    let _: (&future::Ready<u8>, Instant) = (bounded.get_ref(), bounded.deadline());
    *bounded.get_mut() = future::ready(10);
    assert_eq!(bounded.into_inner().into_inner(), 10);
}

/// Goal: a future that spends the whole budget of every poll does not keep its timeout from coming
/// (tokio #8365 is of this shape).
/// Method: poll as a runtime does, with a budget for each poll, while time passes.
#[test]
fn a_future_that_spends_the_whole_budget_cannot_starve_its_timeout() {
    let bench = Bench::new();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let operations = Cell::new(0);
    let hungry = poll_fn(|cx| -> Poll<()> {
        loop {
            if budget::poll_spend(cx).is_pending() {
                return Poll::Pending;
            }
            operations.set(operations.get() + 1);
        }
    });
    let mut bounded = pin!(timeout(10 * MILLI, hungry));
    let mut polls = 0;
    while current::with_task(&slot, 8, || poll(bounded.as_mut()).is_pending()) {
        polls += 1;
        assert!(polls <= 10, "the timeout is starved");
        bench.pass(MILLI);
    }
    assert_eq!((polls, operations.get()), (10, 88));
}

/// Goal: nor does a loop around timeouts of zero starve the other tasks.
#[test]
fn timeouts_that_are_over_at_once_spend_the_budget() {
    let _bench = Bench::new();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let over = Cell::new(0);
    let mut looping = pin!(async {
        loop {
            let _ = timeout(Duration::ZERO, future::pending::<()>()).await;
            over.set(over.get() + 1);
        }
    });
    let (waker, woken) = Count::waker();
    for _ in 0..3 {
        current::with_task(&slot, 5, || {
            let never: Poll<std::convert::Infallible> = poll_with(looping.as_mut(), &waker);
            assert!(never.is_pending());
        });
    }
    assert_eq!(woken.get(), 3);
    // The one that finds nothing left is over for nothing at its next poll.
    assert_eq!(over.get(), 5 + 6 + 6);
}

#[test]
fn a_panic_of_the_future_leaves_no_timer() {
    let bench = Bench::new();
    let fuse = Cell::new(false);
    let mut bounded = Box::pin(timeout(
        SECOND,
        poll_fn(|_| -> Poll<()> {
            assert!(!fuse.replace(true), "the future panics");
            Poll::Pending
        }),
    ));
    assert!(poll(bounded.as_mut()).is_pending());
    assert_eq!(bench.timers.armed(), 1);
    let message = common::panic_message(|| {
        let _ = poll(bounded.as_mut());
    });
    assert!(message.contains("the future panics"));
    drop(bounded);
    assert_eq!(bench.timers.armed(), 0);
}

#[test]
fn sleeping_within_a_timeout_is_exact() {
    on_virtual_time(async {
        assert!(
            timeout(SECOND, sleep(SECOND - Duration::from_nanos(1)))
                .await
                .is_ok()
        );
        // Both at the same nanosecond: what is ready is delivered.
        assert!(timeout(SECOND, sleep(SECOND)).await.is_ok());
        assert!(
            timeout(SECOND, sleep(SECOND + Duration::from_nanos(1)))
                .await
                .is_err()
        );
    });
}
