//! The driver's side: parking, firing, shutting down, and the ambient slot.

mod common;

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};
use std::time::Duration;

use common::{Bench, Count, HOUR, MILLI, SECOND, poll, poll_with};
use tenter_timer::{Clock, Instant, Sleep, Timers, now, sleep, sleep_until};

#[test]
fn a_parked_driver_is_woken_once_and_only_by_an_earlier_deadline() {
    let bench = Bench::new();
    assert_eq!(bench.timers.begin_park(), None);
    let mut first = pin!(sleep(HOUR));
    assert!(poll(first.as_mut()).is_pending());
    assert_eq!(bench.driver.get(), 1, "it slept without a bound");
    let mut second = pin!(sleep(SECOND));
    assert!(poll(second.as_mut()).is_pending());
    assert_eq!(
        bench.driver.get(),
        1,
        "it will look at the wheel before it sleeps again"
    );
    bench.timers.end_park();

    assert_eq!(bench.timers.begin_park(), Some(bench.now() + SECOND));
    let mut later = pin!(sleep(2 * SECOND));
    assert!(poll(later.as_mut()).is_pending());
    let mut equal = pin!(sleep(SECOND));
    assert!(poll(equal.as_mut()).is_pending());
    assert_eq!(bench.driver.get(), 1, "neither comes earlier");
    let mut earlier = pin!(sleep(MILLI));
    assert!(poll(earlier.as_mut()).is_pending());
    assert_eq!(bench.driver.get(), 2);
    bench.timers.end_park();

    assert_eq!(bench.timers.begin_park(), Some(bench.now() + MILLI));
    first.as_mut().reset(bench.now() + Duration::from_nanos(1));
    assert_eq!(
        bench.driver.get(),
        3,
        "a reset to an earlier deadline counts too"
    );
    bench.timers.end_park();
    second.as_mut().reset(bench.now() + Duration::from_nanos(0));
    assert_eq!(bench.driver.get(), 3, "an awake driver is not woken");
}

#[test]
fn the_next_deadline_is_the_true_minimum_after_every_change() {
    let bench = Bench::new();
    let start = bench.now();
    let mut sleeps: Vec<Pin<Box<Sleep>>> = [30, 10, 20, 40]
        .map(|seconds| Box::pin(sleep(seconds * SECOND)))
        .into();
    for sleep in &mut sleeps {
        assert!(poll(sleep.as_mut()).is_pending());
    }
    assert_eq!(bench.timers.next_deadline(), Some(start + 10 * SECOND));
    sleeps[1].as_mut().reset(start + 50 * SECOND);
    assert_eq!(bench.timers.next_deadline(), Some(start + 20 * SECOND));
    drop(sleeps.remove(2));
    assert_eq!(bench.timers.next_deadline(), Some(start + 30 * SECOND));
    bench.pass(30 * SECOND);
    assert_eq!(bench.timers.next_deadline(), Some(start + 40 * SECOND));
    sleeps.clear();
    assert_eq!(
        (bench.timers.next_deadline(), bench.timers.armed()),
        (None, 0)
    );
}

/// Polls its sleep in the wake-up itself, and arms it for the same nanosecond each time: the worst
/// that a foreign executor can do to the one who fires.
struct Greedy(Mutex<(Pin<Box<Sleep>>, u32)>);

impl Wake for Greedy {
    fn wake(self: Arc<Self>) {
        let mut state = self.0.lock().expect("not poisoned");
        state.1 += 1;
        let now = now();
        state.0.as_mut().reset(now + Duration::from_nanos(1));
        let waker = Waker::from(Arc::clone(&self));
        assert!(poll_with(state.0.as_mut(), &waker).is_pending());
    }
}

#[test]
fn firing_ends_also_if_every_waker_arms_a_timer_that_is_due() {
    let bench = Bench::new();
    let greedy: Vec<Arc<Greedy>> = (0..40)
        .map(|_| Arc::new(Greedy(Mutex::new((Box::pin(sleep(SECOND)), 0)))))
        .collect();
    for one in &greedy {
        let waker = Waker::from(Arc::clone(one));
        let mut state = one.0.lock().unwrap();
        assert!(poll_with(state.0.as_mut(), &waker).is_pending());
    }
    // The driver's clock is ahead of the one that the wakers read, so all that they arm is due.
    bench.timers.clock().advance_to(bench.now() + SECOND);
    assert_eq!(bench.timers.fire_due(bench.now() + HOUR), 40);
    assert_eq!(bench.timers.armed(), 40, "armed anew, for the next call");
    for one in greedy {
        // Breaks the cycle of the waker and the sleep that keeps it.
        let mut state = one.0.lock().unwrap();
        state.0.as_mut().reset(Instant::MAX);
    }
}

/// Goal: fault 4: a waker that panics keeps nobody else from being woken, across batches.
#[test]
fn a_panicking_waker_keeps_no_other_timer_from_firing() {
    struct Bomb;
    impl Wake for Bomb {
        fn wake(self: Arc<Self>) {
            panic!("a hostile waker");
        }
    }
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut sleeps: Vec<_> = (0..100).map(|_| Box::pin(sleep(SECOND))).collect();
    for (id, sleep) in sleeps.iter_mut().enumerate() {
        let bomb = Waker::from(Arc::new(Bomb));
        let waker = if id == 3 || id == 77 { &bomb } else { &waker };
        assert!(poll_with(sleep.as_mut(), waker).is_pending());
    }
    let message = common::panic_message(|| {
        bench.pass(SECOND);
    });
    assert_eq!(message, "a hostile waker");
    assert_eq!((woken.get(), bench.timers.armed()), (98, 0));
    for mut sleep in sleeps {
        assert!(poll(sleep.as_mut()).is_ready());
    }
}

/// Goal: fault 5: wakers that come back to the timers while being woken, cloned or dropped find no
/// lock held.
#[test]
fn a_waker_may_use_the_timers_that_wake_it() {
    struct Hostile(Timers);
    impl Wake for Hostile {
        fn wake(self: Arc<Self>) {
            assert!(self.0.armed() < 10);
            let _guard = self.0.enter();
            let mut other = pin!(sleep(Duration::ZERO));
            assert!(poll(other.as_mut()).is_ready());
            other.as_mut().reset(Instant::MAX);
            self.0.fire_due(now());
        }
    }
    impl Drop for Hostile {
        fn drop(&mut self) {
            assert!(
                self.0
                    .next_deadline()
                    .is_none_or(|deadline| deadline > Instant::from_nanos(0))
            );
        }
    }
    let bench = Bench::new();
    let hostile = || Waker::from(Arc::new(Hostile(bench.timers.clone())));
    let mut fires = pin!(sleep(SECOND));
    assert!(poll_with(fires.as_mut(), &hostile()).is_pending());
    // Replaced: the old waker is dropped by the poll.
    assert!(poll_with(fires.as_mut(), &hostile()).is_pending());
    let mut cancelled = Box::pin(sleep(SECOND));
    assert!(poll_with(cancelled.as_mut(), &hostile()).is_pending());
    drop(cancelled);
    assert_eq!(bench.pass(SECOND), 1);
    let mut ended = pin!(sleep(SECOND));
    assert!(poll_with(ended.as_mut(), &hostile()).is_pending());
    bench.timers.shutdown();
}

#[test]
fn after_a_shutdown_waiting_panics_with_the_place_of_creation() {
    let bench = Bench::new();
    let (waker, woken) = Count::waker();
    let mut armed = Box::pin(sleep(SECOND));
    let created = line!() - 1;
    assert!(poll_with(armed.as_mut(), &waker).is_pending());
    bench.timers.shutdown();
    bench.timers.shutdown();
    assert_eq!(
        (woken.get(), bench.timers.armed()),
        (1, 0),
        "whoever waits is told"
    );
    assert_eq!((bench.timers.begin_park(), bench.pass(HOUR)), (None, 0));
    let mut later = Box::pin(sleep(SECOND));
    let mut over = pin!(sleep(Duration::ZERO));
    let message = common::panic_message(|| {
        let _ = poll(later.as_mut());
    });
    assert!(
        message.contains("after its runtime had been shut down"),
        "{message}"
    );
    // What has passed is ready all the same, and what waits is named.
    assert!(poll(over.as_mut()).is_ready());
    armed.as_mut().reset(bench.now() + SECOND);
    let message = common::panic_message(|| {
        let _ = poll(armed.as_mut());
    });
    assert!(
        message.contains(&format!("tests/timers.rs:{created}")),
        "{message}"
    );
}

#[test]
fn a_sleep_keeps_its_timers_when_the_runtime_is_gone() {
    let mut orphan = {
        let bench = Bench::new();
        let mut sleep = Box::pin(sleep(SECOND));
        assert!(poll(sleep.as_mut()).is_pending());
        bench.timers.shutdown();
        sleep
    };
    // The memory is there; the answer is a panic that says what happened, not a hang.
    let message = common::panic_message(|| {
        let _ = poll(orphan.as_mut());
    });
    assert!(
        message.contains("after its runtime had been shut down"),
        "{message}"
    );
}

#[test]
fn entering_nests_and_the_guard_restores_what_was_before() {
    let clocks = [1, 2].map(|seconds| {
        let clock = Clock::virtual_from_zero();
        clock.advance_to(Instant::from_nanos(0) + seconds * SECOND);
        clock
    });
    let [outer, inner] = clocks.map(|clock| Timers::new(clock, Waker::noop().clone()));
    let outer_guard = outer.enter();
    assert_eq!(now(), Instant::from_nanos(1_000_000_000));
    {
        let _inner_guard = inner.enter();
        assert_eq!(now(), Instant::from_nanos(2_000_000_000));
        let mut belongs = pin!(sleep_until(now() + SECOND));
        assert!(poll(belongs.as_mut()).is_pending());
        assert_eq!((outer.armed(), inner.armed()), (0, 1));
    }
    assert_eq!(now(), Instant::from_nanos(1_000_000_000));
    drop(outer_guard);
    // The real clock again, whose time line has begun long ago.
    assert!(now() > Instant::from_nanos(1 << 50));
}

/// Goal: fault 44, seen from outside: another thread arms while the driver is parked.
#[test]
fn a_timer_armed_by_another_thread_wakes_the_parked_driver() {
    let bench = Bench::new();
    assert_eq!(bench.timers.begin_park(), None);
    let timers = bench.timers.clone();
    let elsewhere = std::thread::spawn(move || {
        let _guard = timers.enter();
        let mut sleep = Box::pin(sleep(SECOND));
        assert!(poll(sleep.as_mut()).is_pending());
        sleep
    });
    let sleep = elsewhere.join().expect("armed");
    assert_eq!(bench.driver.get(), 1);
    assert_eq!(bench.timers.begin_park(), Some(bench.now() + SECOND));
    drop(sleep);
}
