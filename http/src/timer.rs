//! [`TenterTimer`]: hyper's timeouts on the clock of the runtime.
//!
//! Under a virtual clock hyper's timeouts are virtual too: a test of a slow client takes no time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tenter::time;

/// Gives hyper the timers and the clock of tenter.
///
/// On a thread that no runtime of tenter drives, these are the process's own clock and a timer
/// thread, started when first needed.
#[derive(Clone, Copy, Debug, Default)]
pub struct TenterTimer;

impl TenterTimer {
    /// The timer.
    pub const fn new() -> TenterTimer {
        TenterTimer
    }
}

impl Timer for TenterTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(TenterSleep {
            sleep: time::sleep(duration),
        })
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let deadline = time::Instant::from_std(deadline);
        Box::pin(TenterSleep {
            sleep: time::sleep_until(deadline),
        })
    }

    fn now(&self) -> Instant {
        time::now().into_std()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<TenterSleep>() {
            Some(ours) => ours.project().reset(time::Instant::from_std(deadline)),
            // A sleep of another timer cannot be reset, but it can be replaced.
            None => *sleep = self.sleep_until(deadline),
        }
    }
}

/// A sleep as hyper wants it: [`tenter::time::Sleep`] under a type that carries hyper's trait.
#[derive(Debug)]
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct TenterSleep {
    sleep: time::Sleep,
}

impl TenterSleep {
    fn project(self: Pin<&mut Self>) -> Pin<&mut time::Sleep> {
        // SAFETY: the sleep is pinned for as long as this is: it is never moved out, no method
        // gives it away unpinned, and there is no `Drop` that could. A sleep that moved would leave
        // the timer wheel with a pointer to where it was.
        unsafe { self.map_unchecked_mut(|sleep| &mut sleep.sleep) }
    }
}

impl Future for TenterSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().poll(cx)
    }
}

impl Sleep for TenterSleep {}
