//! The driver, as a runtime sees it.

mod rig;

use std::future::Future;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use rig::{Count, Rig, open_fds, poll_once};
use rustix::event::{EventfdFlags, eventfd};
use tenter_io::{Async, Backend, Driver, Interest};

const BACKENDS: [Backend; 3] = [Backend::Best, Backend::PollingEdge, Backend::PollingOneshot];

/// A source that becomes readable by a write.
fn event_source() -> Async<OwnedFd> {
    let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK).expect("an eventfd");
    Async::new(fd).expect("registered")
}

fn ring(source: &Async<OwnedFd>) {
    rustix::io::write(source.get_ref(), &1_u64.to_ne_bytes()).expect("written");
}

/// Takes what was rung, so that the source waits for the next.
fn take(source: &Async<OwnedFd>) -> std::io::Result<()> {
    source.try_io(Interest::READABLE, || {
        rustix::io::read(source.get_ref(), &mut [0; 8])?;
        Ok(())
    })
}

/// What an idle source reports by itself.
fn events(backend: Backend) -> usize {
    let has_edges = backend != Backend::PollingOneshot && !cfg!(polling_test_poll_backend);
    usize::from(has_edges)
}

#[test]
fn a_driver_costs_no_descriptor_until_the_first_source_and_then_calls_its_thread_once() {
    for backend in BACKENDS {
        let (calls, waker) = Count::new();
        let mut driver = Driver::with_backend(waker, backend);
        assert!(!driver.handle().is_started());
        assert_eq!(
            driver
                .turn(Some(Duration::ZERO))
                .expect("nothing to look at"),
            0
        );
        assert!(!driver.handle().is_started(), "a look starts nothing");
        assert_eq!(calls.get(), 0);
        let _entered = driver.handle().enter();
        let first = event_source();
        assert!(driver.handle().is_started());
        let second = event_source();
        assert_eq!(calls.get(), 1);
        assert_eq!(driver.handle().sources(), 2);
        drop((first, second));
        assert_eq!(driver.handle().sources(), 0);
    }
}

#[test]
fn a_turn_lasts_as_long_as_it_was_told_and_not_a_nanosecond_less() {
    for backend in BACKENDS {
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        let _entered = driver.handle().enter();
        let _source = event_source();
        // The source may be written to: that is its one event.
        assert_eq!(
            driver.turn(Some(Duration::ZERO)).expect("a turn"),
            events(backend)
        );
        for nanos in [
            1, 999, 50_000, 333_333, 1_000_001, 1_500_000, 2_000_000, 200_000, 1,
        ] {
            let (start, timeout) = (Instant::now(), Duration::from_nanos(nanos));
            assert_eq!(driver.turn(Some(timeout)).expect("a turn"), 0);
            assert!(
                start.elapsed() >= timeout,
                "{backend:?} {timeout:?} was cut short"
            );
        }
    }
}

/// An alarm that was set for a wait which ended early rings in a later wait, and must not end it.
#[test]
fn an_alarm_that_nobody_needs_any_more_ends_no_turn() {
    let mut driver = Driver::new(Waker::noop().clone());
    let _entered = driver.handle().enter();
    let _source = event_source();
    driver.turn(Some(Duration::ZERO)).expect("a turn");
    for round in 0..5 {
        driver.handle().notify();
        driver.turn(Some(Duration::from_millis(1))).expect("a turn");
        let start = Instant::now();
        let timeout = Duration::from_micros(2_500 + round);
        driver.turn(Some(timeout)).expect("a turn");
        assert!(start.elapsed() >= timeout);
    }
    // Without a deadline at all only a notification ends it.
    let start = Instant::now();
    driver.turn(Some(Duration::from_nanos(1))).expect("a turn");
    let handle = driver.handle().clone();
    let notifier = thread::spawn(move || {
        // Waits for the alarm's time to pass, on a driver of its own.
        let mut clock = Driver::new(Waker::noop().clone());
        clock.turn(Some(Duration::from_millis(3))).expect("a turn");
        handle.notify();
    });
    driver.turn(None).expect("a turn");
    assert!(start.elapsed() >= Duration::from_millis(3));
    notifier.join().expect("no panic");
}

#[test]
fn a_notification_ends_the_turn_that_goes_on_or_else_the_next() {
    for backend in BACKENDS {
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        let handle = driver.handle().clone();
        // Before there is a poller, and several for one.
        handle.notify();
        handle.notify();
        assert_eq!(driver.turn(None).expect("a turn"), 0);
        for _ in 0..200 {
            let handle = handle.clone();
            let notifier = thread::spawn(move || handle.notify());
            assert_eq!(driver.turn(None).expect("a turn"), 0);
            notifier.join().expect("no panic");
        }
    }
}

/// Goal: a wait that ended without events is followed by another one. Were it taken for one that has events
/// to dispatch, whoever only waits would turn in a circle.
#[test]
fn a_wait_that_was_ended_for_nothing_keeps_no_other_from_waiting() {
    const LIMIT: Duration = Duration::from_millis(5);
    for backend in BACKENDS {
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        let _entered = driver.handle().enter();
        let _source = event_source();
        driver.turn(Some(Duration::ZERO)).expect("a look");
        driver.handle().notify();
        driver.wait(None).expect("ended by the notification");
        assert!(!driver.has_events());
        let began = Instant::now();
        driver.wait(Some(LIMIT)).expect("a wait");
        assert!(began.elapsed() >= LIMIT, "{backend:?}");
    }
}

#[test]
fn a_longest_wait_is_no_overflow() {
    for backend in BACKENDS {
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        for timeout in [
            Duration::MAX,
            Duration::from_secs(u64::MAX),
            Duration::from_secs(1 << 33),
        ] {
            let handle = driver.handle().clone();
            let notifier = thread::spawn(move || handle.notify());
            assert_eq!(driver.turn(Some(timeout)).expect("a turn"), 0);
            notifier.join().expect("no panic");
        }
    }
}

#[test]
fn an_event_is_delivered_once_and_counted() {
    for backend in BACKENDS {
        let mut rig = Rig::new(backend);
        let _entered = rig.enter();
        let source = event_source();
        assert!(take(&source).is_err(), "nothing yet");
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        assert!(source.poll_readable(&mut cx).is_pending());
        assert_eq!(rig.handle().waiting(), 1);
        ring(&source);
        while count.get() == 0 {
            rig.driver().turn(None).expect("a turn");
        }
        assert_eq!(count.get(), 1);
        assert_eq!(rig.handle().waiting(), 0);
        assert!(source.poll_readable(&mut cx).is_ready());
        take(&source).expect("rung");
        assert!(take(&source).is_err(), "taken");
        assert!(source.poll_readable(&mut cx).is_pending());
    }
}

#[test]
fn more_sources_than_one_harvest_takes_are_all_delivered() {
    for backend in BACKENDS {
        let mut rig = Rig::new(backend);
        let _entered = rig.enter();
        let sources: Vec<_> = (0..300).map(|_| event_source()).collect();
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        for source in &sources {
            assert!(take(source).is_err());
            assert!(source.poll_readable(&mut cx).is_pending());
        }
        assert_eq!(rig.handle().waiting(), 300);
        sources.iter().for_each(ring);
        while count.get() < 300 {
            rig.driver().turn(None).expect("a turn");
        }
        assert!(sources.iter().all(|source| take(source).is_ok()));
    }
}

struct Panics;

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic!("a hostile waker");
    }
}

/// Edges are reported once: what a panic kept from being recorded would never come again.
#[test]
fn a_panicking_waker_does_not_cost_other_sockets_their_event() {
    for backend in BACKENDS {
        let mut rig = Rig::new(backend);
        let _entered = rig.enter();
        let sources: Vec<_> = (0..100).map(|_| event_source()).collect();
        let (count, waker) = Count::new();
        let hostile = Waker::from(Arc::new(Panics));
        for (index, source) in sources.iter().enumerate() {
            assert!(take(source).is_err());
            let waker = if index % 10 == 0 { &hostile } else { &waker };
            let mut cx = Context::from_waker(waker);
            assert!(source.poll_readable(&mut cx).is_pending());
        }
        sources.iter().for_each(ring);
        let driver = rig.driver();
        let mut panics = 0;
        while count.get() < 90 {
            panics += usize::from(catch_unwind(AssertUnwindSafe(|| driver.turn(None))).is_err());
        }
        assert!(panics >= 1, "the panic goes on from the turn");
        while panics < 10 && driver.handle().waiting() > 0 {
            let _ = catch_unwind(AssertUnwindSafe(|| driver.turn(Some(Duration::ZERO))));
            panics += 1;
        }
        assert!(
            sources.iter().all(|source| take(source).is_ok()),
            "all recorded"
        );
        driver.turn(Some(Duration::ZERO)).expect("it goes on");
    }
}

#[test]
fn dropping_the_driver_ends_every_wait_with_an_error_that_says_what_to_do() {
    for backend in BACKENDS {
        let mut rig = Rig::new(backend);
        let _entered = rig.enter();
        let waits = event_source();
        let idle = event_source();
        assert!(take(&waits).is_err());
        let (count, waker) = Count::new();
        let mut cx = Context::from_waker(&waker);
        let mut readable = pin!(waits.readable());
        assert!(readable.as_mut().poll(&mut cx).is_pending());
        let handle = rig.handle();
        drop(std::mem::replace(&mut rig, Rig::Fallback));
        assert_eq!(count.get(), 1);
        assert!(!handle.is_started());
        let Poll::Ready(Err(error)) = readable.as_mut().poll(&mut cx) else {
            panic!("it went on");
        };
        assert!(error.to_string().contains("has shut down"), "{error}");
        assert!(take(&idle).is_err());
        assert!(matches!(idle.poll_writable(&mut cx), Poll::Ready(Err(_))));
        let late = Async::new(eventfd(0, EventfdFlags::CLOEXEC).expect("an eventfd"));
        let error = late.expect_err("nobody would turn for it");
        assert!(error.to_string().contains("has shut down"), "{error}");
        assert_eq!(handle.waiting(), 0);
    }
}

#[test]
fn a_turn_after_the_end_is_an_error_at_once() {
    let mut driver = Driver::new(Waker::noop().clone());
    driver.handle().shutdown();
    driver.handle().shutdown();
    for timeout in [None, Some(Duration::ZERO), Some(Duration::MAX)] {
        let error = driver.turn(timeout).expect_err("it has ended");
        assert!(error.to_string().contains("has shut down"), "{error}");
    }
}

#[test]
fn shutting_down_ends_a_turn_that_goes_on() {
    for backend in BACKENDS {
        let mut driver = Driver::with_backend(Waker::noop().clone(), backend);
        let handle = driver.handle().clone();
        let _entered = handle.enter();
        let _source = event_source();
        let turner = thread::spawn(move || while driver.turn(None).is_ok() {});
        handle.shutdown();
        turner.join().expect("no panic");
    }
}

#[test]
fn entering_nests_and_restores() {
    let (one, two) = (Rig::new(Backend::Best), Rig::new(Backend::Best));
    let outer = one.enter();
    {
        let _inner = two.enter();
        let _source = event_source();
        assert_eq!((one.handle().sources(), two.handle().sources()), (0, 1));
    }
    let _source = event_source();
    assert_eq!((one.handle().sources(), two.handle().sources()), (1, 0));
    drop(outer);
}

#[test]
fn descriptors_are_given_back() {
    let before = open_fds();
    for backend in BACKENDS {
        for _ in 0..20 {
            let mut rig = Rig::new(backend);
            let (client, server) = rig.pair();
            let _entered = rig.enter();
            let more: Vec<_> = (0..10).map(|_| event_source()).collect();
            drop((client, more, server));
        }
    }
    // Other tests of this program open some at the same time, but these would be 420.
    assert!(open_fds() < before + 400);
}

#[test]
fn debug_output_names_the_state_and_never_blocks() {
    let mut driver = Driver::new(Waker::noop().clone());
    assert!(format!("{driver:?}").contains("not started"));
    let handle = driver.handle().clone();
    let _entered = handle.enter();
    let source = event_source();
    assert!(format!("{handle:?}").contains("running"));
    assert!(format!("{source:?}").contains("registration"));
    let mut wait = pin!(source.writable());
    assert!(poll_once(wait.as_mut()).is_ready());
    driver.turn(Some(Duration::ZERO)).expect("a turn");
    handle.shutdown();
    assert!(format!("{handle:?}").contains("shut down"));
}
