//! The graceful end of a runtime with one thread: every task is cancelled, and run until it has stopped.
//!
//! The calling thread drives once more. What is spawned meanwhile is refused; what other threads spawn is
//! cancelled when it is taken in. It ends when no task is left that this thread may run, or when a timer
//! on the clock of the runtime fires, so that a virtual clock jumps there when nothing else can happen.
//!
//! Tasks that belong to another thread are not waited for: only that one could run them.
//!
//! Tests: `tests/tests/runner.rs`, `tests/tests/shutdown.rs`.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Waker};
use core::time::Duration;
use std::sync::Arc as StdArc;
use std::task::Wake;

use tenter_sync::current::without_task;
use tenter_sync::shim::atomic::{AtomicBool, Ordering};
use tenter_timer::Sleep;

use super::current_thread::{Core, RunEnded, Scheduler};
use super::shared::SchedulerRef;
use super::shutdown::ShutdownReport;
use crate::context::{self, Driving, Place};
use crate::handle::Handle;

/// Puts the core back, also when a hook unwinds.
struct Seated<'a> {
    scheduler: &'a Scheduler,
    core: Option<Box<Core>>,
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        if let Some(instruments) = &self.scheduler.config.instruments {
            instruments.after_run(0);
        }
        self.scheduler.config.hooks.stop();
        if let Some(core) = self.core.take() {
            self.scheduler.seat.put_back(core);
        }
    }
}

/// Tells that the time is up.
#[derive(Default)]
struct Alarm(AtomicBool);

impl Alarm {
    fn is_due(&self) -> bool {
        // ORDERING: Relaxed. The thread that drives fires the timer, and looks at it.
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Alarm {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        // ORDERING: Relaxed. As in `is_due`.
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Cancels every task, and runs all that this thread may run until they have stopped, or until `timeout` is
/// over on the clock of the runtime. The caller's thread drives nothing, and nobody else has the runtime.
pub fn drain(shared: &SchedulerRef, scheduler: &Scheduler, timeout: Duration) -> ShutdownReport {
    let mut report = ShutdownReport::default();
    let Some(core) = scheduler.seat.take() else {
        return report;
    };
    let handle = Handle::new(shared.clone());
    let _entered = handle.enter();
    let seated = Seated {
        scheduler,
        core: Some(core),
    };
    let core = seated.core.as_deref().expect("taken only by the drop");
    let _timers = scheduler.timers.enter();
    let _io = scheduler.io.enter();
    core.take_aside();
    scheduler.take_inbox(core);
    if let Some(instruments) = &scheduler.config.instruments {
        instruments.before_run(0);
    }
    scheduler.config.hooks.start();
    let driving = Driving::new(shared, Place::Thread(core));
    context::drive(&driving, || {
        without_task(|| {
            let draining = Draining::begin(core, timeout);
            if !draining.is_over(scheduler) {
                let over = || draining.is_over(scheduler);
                // Nobody waits for the core: the runtime is the caller's alone.
                let _: RunEnded = scheduler.run_until(&driving, core, over);
            }
            report = draining.report;
        });
    });
    report
}

/// A graceful end in progress, on a thread that drives.
pub struct Draining {
    /// What was cancelled.
    pub report: ShutdownReport,
    /// Tasks of other threads. They are as many at the end: this thread spawns none, and ends none.
    others: u64,
    alarm: StdArc<Alarm>,
    /// Rings it.
    _timer: Pin<Box<Sleep>>,
}

impl Draining {
    /// Cancels every task. They have so much time on the clock of the runtime.
    pub fn begin(core: &Core, timeout: Duration) -> Self {
        let mut report = ShutdownReport::default();
        let others = core.begin_drain(&mut report);
        let alarm = StdArc::new(Alarm::default());
        let waker = Waker::from(StdArc::clone(&alarm));
        let mut timer = Box::pin(tenter_timer::sleep(timeout));
        let polled = timer.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            waker.wake();
        }
        Self {
            report,
            others,
            alarm,
            _timer: timer,
        }
    }

    /// Whether all tasks that this thread may run have stopped, or the time is up.
    pub fn is_over(&self, scheduler: &Scheduler) -> bool {
        let counters = &scheduler.counters;
        let (spawned, completed) = (counters.spawned.get(), counters.completed.get());
        let alive = spawned.saturating_sub(completed);
        self.alarm.is_due() || (alive <= self.others && scheduler.inbox.is_empty())
    }
}
