//! What the tests share: timers on a virtual clock, a waker that counts, and a single poll.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use tenter_timer::{Clock, EnterGuard, Instant, Timers};

pub const MILLI: Duration = Duration::from_millis(1);
pub const SECOND: Duration = Duration::from_secs(1);
pub const HOUR: Duration = Duration::from_secs(3_600);

/// Counts how often it is woken.
#[derive(Default)]
pub struct Count(AtomicUsize);

impl Count {
    pub fn waker() -> (Waker, Arc<Count>) {
        let count = Arc::new(Count::default());
        (Waker::from(Arc::clone(&count)), count)
    }

    pub fn get(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// Timers on a virtual clock, entered on this thread, driven by hand.
pub struct Bench {
    pub timers: Timers,
    /// How often the driver was woken.
    pub driver: Arc<Count>,
    _entered: EnterGuard,
}

impl Bench {
    pub fn new() -> Bench {
        let (unpark, driver) = Count::waker();
        let timers = Timers::new(Clock::virtual_from_zero(), unpark);
        Bench {
            driver,
            _entered: timers.enter(),
            timers,
        }
    }

    pub fn now(&self) -> Instant {
        self.timers.clock().now()
    }

    /// Lets `duration` pass at once, and fires what is due then.
    pub fn pass(&self, duration: Duration) -> usize {
        self.timers.clock().advance_to(self.now() + duration);
        self.timers.fire_due(self.now())
    }
}

/// Polls once with a waker that does nothing.
pub fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    poll_with(future, Waker::noop())
}

pub fn poll_with<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// The message of a panic.
pub fn panic_message(run: impl FnOnce()) -> String {
    let payload = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run))
        .expect_err("this was expected to panic");
    match payload.downcast::<String>() {
        Ok(text) => *text,
        Err(payload) => (*payload.downcast::<&'static str>().expect("a text")).to_owned(),
    }
}
