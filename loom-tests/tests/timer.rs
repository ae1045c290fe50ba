//! Models of the timers: those who arm, reset and drop them against the driver that fires them.
//!
//! Time is a value here: a driver that "sleeps until a deadline" goes on with that deadline as the
//! present, and a deadline of [`NEVER_COMES`] is one before which somebody has to wake it.
#![cfg(tenter_loom)]

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Once};
use std::task::{Poll, Wake, Waker};

use tenter_loom_tests::{WakeCount, block_on, check, poll_once};
use tenter_sync::shim::{self, Condvar, Mutex, thread};
use tenter_timer::{Clock, Instant, Sleep, Timers, sleep_until};

/// Deadlines in four slots of the modelled wheel, and of both its levels.
const EARLY: Instant = Instant::from_nanos(1 << 60);
const MIDDLE: Instant = Instant::from_nanos(2 << 60);
const LATE: Instant = Instant::from_nanos(5 << 60);
const NEVER_COMES: Instant = Instant::from_nanos(9 << 60);

/// Where a driver sleeps; the waker ends its sleep.
struct Bell {
    rung: Mutex<bool>,
    changed: Condvar,
    /// loom reports the leak of this reference count, and so the leak of a waker.
    _leak: shim::Arc<()>,
}

impl Bell {
    fn new() -> Arc<Bell> {
        Arc::new(Bell {
            rung: Mutex::new(false),
            changed: Condvar::new(),
            _leak: shim::Arc::new(()),
        })
    }

    fn wait(&self) {
        let mut rung = self.rung.lock();
        while !std::mem::take(&mut *rung) {
            self.changed.wait(&mut rung);
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        *self.rung.lock() = true;
        self.changed.notify_one();
    }
}

fn driven_by(bell: &Arc<Bell>) -> Timers {
    Timers::new(Clock::virtual_from_zero(), Waker::from(Arc::clone(bell)))
}

/// Drives `timers` until `count` have fired.
fn drive(timers: &Timers, bell: &Bell, count: usize) {
    let mut fired = 0;
    while fired < count {
        match timers.begin_park() {
            Some(deadline) if deadline < NEVER_COMES => {
                timers.end_park();
                timers.clock().advance_to(deadline);
                fired += timers.fire_due(deadline);
            }
            _ => {
                bell.wait();
                timers.end_park();
            }
        }
    }
}

fn sleep_in(timers: &Timers, deadline: Instant) -> Pin<Box<Sleep>> {
    let _guard = timers.enter();
    Box::pin(sleep_until(deadline))
}

fn armed(timers: &Timers, deadline: Instant, waker: &Waker) -> Pin<Box<Sleep>> {
    let mut sleep = sleep_in(timers, deadline);
    assert!(poll_once(sleep.as_mut(), waker).is_pending());
    sleep
}

/// Goal: a timer that is armed while the driver goes to sleep is not overslept (tokio #6682,
/// #3190).
/// Method: the driver has slept until an earlier deadline before, so a stale published deadline
/// would make the new timer look late enough.
/// Bugs: the deadline is published after the lock was released; arming wakes nobody.
#[test]
fn register_vs_park() {
    check("timer::register_vs_park", || {
        let bell = Bell::new();
        let timers = driven_by(&bell);
        let (waker, _) = WakeCount::waker();
        let past = armed(&timers, EARLY, &waker);
        assert_eq!(timers.begin_park(), Some(EARLY));
        timers.end_park();
        assert_eq!(timers.fire_due(EARLY), 1);
        drop(past);

        let other = timers.clone();
        let driver = thread::spawn(move || drive(&other, &bell, 1));
        block_on(sleep_in(&timers, MIDDLE));
        driver.join().unwrap();
        assert_eq!(timers.armed(), 0);
    });
}

/// Goal: as above, while the driver sleeps until a later deadline than the new one.
#[test]
fn earlier_vs_park() {
    check("timer::earlier_vs_park", || {
        let bell = Bell::new();
        let timers = driven_by(&bell);
        let (waker, count) = WakeCount::waker();
        let later = armed(&timers, NEVER_COMES, &waker);
        let other = timers.clone();
        let driver = thread::spawn(move || drive(&other, &bell, 1));
        block_on(sleep_in(&timers, MIDDLE));
        driver.join().unwrap();
        drop(later);
        assert_eq!((timers.armed(), count.wakes()), (0, 0));
    });
}

/// Goal: a timer that is reset to an earlier deadline wakes a driver that sleeps until the old one.
/// Bug: a reset wakes nobody.
#[test]
fn reset_vs_park() {
    check("timer::reset_vs_park", || {
        let bell = Bell::new();
        let timers = driven_by(&bell);
        let (waker, count) = WakeCount::waker();
        let mut sleep = armed(&timers, NEVER_COMES, &waker);
        let other = timers.clone();
        let driver = thread::spawn(move || drive(&other, &bell, 1));
        sleep.as_mut().reset(LATE);
        driver.join().unwrap();
        assert_eq!(count.wakes(), 1);
        assert!(poll_once(sleep.as_mut(), &waker).is_ready());
    });
}

/// Goal: a sleep that is dropped while it fires is unlinked once, wakes at most once, and is not
/// touched after it is freed.
/// Bugs: the driver touches the entry after it said that it has fired; it says so without
/// publishing what it did before; cancelling does not look at the state under the lock.
#[test]
fn cancel_vs_fire() {
    check("timer::cancel_vs_fire", || {
        let timers = driven_by(&Bell::new());
        let (waker, count) = WakeCount::waker();
        let sleep = armed(&timers, EARLY, &waker);
        let other = timers.clone();
        let driver = thread::spawn(move || other.fire_due(EARLY));
        drop(sleep);
        let fired = driver.join().unwrap();
        assert_eq!(count.wakes(), fired);
        assert_eq!(timers.armed(), 0);
        drop(waker);
        assert_eq!(Arc::strong_count(&count), 1, "the waker is dropped");
    });
}

/// Goal: the same with neighbours in one slot, dropped by two threads while a third fires one of
/// them.
#[test]
fn two_cancels_vs_fire() {
    check("timer::two_cancels_vs_fire", || {
        let timers = driven_by(&Bell::new());
        let (waker, count) = WakeCount::waker();
        let first = armed(&timers, EARLY, &waker);
        let second = armed(&timers, EARLY + std::time::Duration::from_nanos(1), &waker);
        let other = timers.clone();
        let driver = thread::spawn(move || other.fire_due(EARLY));
        let owner = thread::spawn(move || drop(second));
        drop(first);
        owner.join().unwrap();
        assert_eq!(driver.join().unwrap(), count.wakes());
        assert_eq!(timers.armed(), 0);
    });
}

/// Goal: a reset to a later deadline, while the old one fires, ends for the new deadline, and never
/// for the old one only. Two threads fire, as when an idle worker pulls the timers of a busy one.
/// Bug: a reset that finds the timer fired leaves it so.
#[test]
fn reset_vs_fire() {
    check("timer::reset_vs_fire", || {
        let timers = driven_by(&Bell::new());
        let (waker, count) = WakeCount::waker();
        let mut sleep = armed(&timers, EARLY, &waker);
        timers.clock().advance_to(EARLY);
        let drivers = [timers.clone(), timers.clone()]
            .map(|timers| thread::spawn(move || timers.fire_due(EARLY)));
        sleep.as_mut().reset(LATE);
        assert!(
            poll_once(sleep.as_mut(), &waker).is_pending(),
            "fired for the old deadline"
        );
        let fired: usize = drivers.map(|driver| driver.join().unwrap()).iter().sum();
        assert_eq!(count.wakes(), fired);
        assert_eq!(timers.next_deadline(), Some(LATE));
        timers.clock().advance_to(LATE);
        assert_eq!(timers.fire_due(LATE), 1);
        assert_eq!(count.wakes(), fired + 1);
        assert!(poll_once(sleep.as_mut(), &waker).is_ready());
    });
}

/// Goal: a waker that is replaced while the timer fires: the one that the last pending poll left is
/// woken.
#[test]
fn refresh_vs_fire() {
    check("timer::refresh_vs_fire", || {
        let timers = driven_by(&Bell::new());
        let (old, _) = WakeCount::waker();
        let (new, count) = WakeCount::waker();
        let mut sleep = armed(&timers, EARLY, &old);
        let other = timers.clone();
        let driver = thread::spawn(move || other.fire_due(EARLY));
        let polled = poll_once(sleep.as_mut(), &new);
        assert_eq!(driver.join().unwrap(), 1);
        assert_eq!(polled.is_pending(), count.wakes() == 1);
        drop((sleep, new));
        assert_eq!(Arc::strong_count(&count), 1, "the waker is dropped");
    });
}

/// Goal: a sleep that is polled while its timers shut down does not wait for ever: it fires, or it
/// says that nobody is left to fire it.
/// Bugs: a timer is armed after the shutdown; the shutdown wakes nobody.
#[test]
fn shutdown_vs_register() {
    quiet();
    check("timer::shutdown_vs_register", || {
        let timers = driven_by(&Bell::new());
        let sleep = sleep_in(&timers, MIDDLE);
        let other = timers.clone();
        let ending = thread::spawn(move || other.shutdown());
        let other = timers.clone();
        let driver = thread::spawn(move || other.fire_due(MIDDLE));
        let outcome = block_on(Guarded(sleep));
        ending.join().unwrap();
        let fired = driver.join().unwrap();
        assert!(fired == 0 || outcome == Ended::Fired);
        assert_eq!(timers.armed(), 0);
        assert!(catch_unwind(|| block_on(sleep_in(&timers, LATE))).is_err());
    });
}

#[derive(Debug, PartialEq)]
enum Ended {
    Fired,
    Refused,
}

/// A sleep whose panic is an answer.
struct Guarded(Pin<Box<Sleep>>);

impl Future for Guarded {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Ended> {
        let sleep = pin!(&mut self.0);
        match catch_unwind(AssertUnwindSafe(|| sleep.poll(cx))) {
            Ok(poll) => poll.map(|()| Ended::Fired),
            Err(_) => Poll::Ready(Ended::Refused),
        }
    }
}

/// Keeps the refusals, of which there is one in nearly every schedule, off the screen.
fn quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let refusal = info
                .payload()
                .downcast_ref::<String>()
                .is_some_and(|text| text.contains("had been shut down"));
            if !refusal {
                before(info);
            }
        }));
    });
}
