//! The driver for everybody who has none: one background thread for the whole process.
//!
//! A sleep that is created outside of a runtime belongs to the timers here. The thread
//! `tenter-timer` starts when the first of them is armed, sleeps exactly until the earliest
//! deadline, and without a bound when there is none: an idle process makes no system call. It lives
//! as long as the process. A waker that panics there is the fault of a foreign executor, and ends
//! neither the thread nor anybody else's timer; the panic hook has reported it.
//!
//! Tests: `tests/fallback.rs`.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, OnceLock};
use std::task::{Wake, Waker};

use tenter_sync::parker::Parker;
use tenter_sync::shim::thread;

use crate::clock::Clock;
use crate::timers::Timers;

/// The timers of all that run in no runtime, and the parking place of their driver.
struct Fallback {
    timers: Timers,
    unpark: Arc<Unpark>,
}

/// The one static of this crate that holds state.
static FALLBACK: OnceLock<Fallback> = OnceLock::new();

/// Set once the driver thread runs.
static STARTED: OnceLock<()> = OnceLock::new();

struct Unpark(Parker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let _ = self.0.unpark();
    }
}

fn fallback() -> &'static Fallback {
    FALLBACK.get_or_init(|| {
        let unpark = Arc::new(Unpark(Parker::new()));
        let waker = Waker::from(Arc::clone(&unpark));
        Fallback {
            timers: Timers::with_start(Clock::real(), waker, Some(start)),
            unpark,
        }
    })
}

#[cold]
pub(crate) fn timers() -> Timers {
    fallback().timers.clone()
}

/// Starts the thread if it does not run yet.
fn start() {
    STARTED.get_or_init(|| {
        if let Err(refused) = thread::spawn_named("tenter-timer", drive) {
            // Not remembered: the next timer tries again.
            panic!(
                "cannot start the thread `tenter-timer`, which drives the timers of code that runs \
                 in no tenter runtime: {refused}; raise the limit on threads, or create the timer \
                 inside of a runtime, whose workers drive it"
            );
        }
    });
}

fn drive() {
    let Fallback { timers, unpark } = fallback();
    loop {
        let wait = timers
            .begin_park()
            .map(|until| until.duration_since(timers.clock().now()));
        if wait.is_none_or(|wait| !wait.is_zero()) {
            let _ = unpark.0.park(wait);
        }
        timers.end_park();
        let now = timers.clock().now();
        let _ = panic::catch_unwind(AssertUnwindSafe(|| timers.fire_due(now)));
    }
}
