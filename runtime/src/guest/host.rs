//! The host's side of a guest: its main future, its turns, and its end.
//!
//! ```text
//!   Running ──── main has ended ────► Draining ──── all have stopped, or the time is up ────► Ending ──► done
//!   (turns run main and tasks)        (turns run the tasks, which were cancelled)    (the helper waits for jobs)
//! ```
//!
//! A turn is a stretch of the run loop of `scheduler/current_thread.rs`, in the same context as a `block_on`.
//!
//! Tests: `tests/tests/guest/main.rs`.

use core::cell::{Cell, RefCell};
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc as StdArc;

use tenter_sync::current::without_task;
use tenter_timer::{Clock, Instant};

use super::turn::{Baton, Busy, Shared, Visit, delist};
use crate::context::{self, Driving, Place};
use crate::ctrl_c::Watched;
use crate::handle::Handle;
use crate::runtime::Runtime;
use crate::scheduler::current_thread::{Core, RunEnded, Scheduler};
use crate::scheduler::drain::Draining;
use crate::scheduler::shutdown::ShutdownReport;
use crate::scope::frame;
use crate::scope::scoped::End;
use crate::task::{CancelKind, CancelReason, JoinError, JoinHandle};

/// The host's side.
pub struct Host<T, D> {
    shared: StdArc<Shared>,
    limit: Duration,
    /// A turn is in progress, or is being posted.
    busy: Cell<bool>,
    /// The guest was dropped in a turn, and ends after it.
    ending: Cell<bool>,
    /// Everything that the end takes.
    inner: RefCell<Option<Inner<T, D>>>,
}

/// What there is until the end. The fields are dropped in this order.
pub struct Inner<T, D> {
    phase: Phase<T>,
    /// What became of main, once it has ended.
    result: Option<Result<T, JoinError>>,
    runtime: Runtime,
    watched: Watched,
    done: D,
    /// The last turn ended with nothing ready.
    parked: bool,
}

enum Phase<T> {
    Running(JoinHandle<End<T>>),
    /// Since when.
    Draining(Draining, Instant),
    Ending(ShutdownReport),
}

/// What follows a stretch of the run loop.
enum Next {
    /// More is ready: another turn.
    Turn,
    /// Nothing is ready: the helper waits.
    Wait,
    /// Main has ended.
    Drain,
    /// All tasks have.
    End,
}

/// Runs `body` as no task and in no scope, whatever the host's loop is part of.
fn apart<R>(body: impl FnOnce() -> R) -> R {
    without_task(|| frame::apart(body))
}

impl<T, D> Inner<T, D> {
    /// For a guest whose main task is in the line.
    pub fn new(runtime: Runtime, main: JoinHandle<End<T>>, watched: Watched, done: D) -> Self {
        Self {
            phase: Phase::Running(main),
            result: None,
            runtime,
            watched,
            done,
            parked: false,
        }
    }

    /// Main has ended: cancels all others, which have so much time.
    fn drain(&mut self, core: &Core, timeout: Duration) {
        self.watched.main_is_over();
        if let Phase::Running(main) = &mut self.phase {
            self.result = Some(output_of(main));
        }
        self.phase = Phase::Draining(Draining::begin(core, timeout), Clock::real().now());
    }

    /// No turn follows: calls the hook, unless the tasks have ended and it was called before.
    fn stop(&self) {
        if !matches!(self.phase, Phase::Ending(_)) {
            self.runtime.handle().scheduler().config().hooks.stop();
        }
    }

    /// Drops what has not stopped. Returns how much of the time is left for blocking jobs.
    fn end_tasks(&mut self, timeout: Duration) -> Duration {
        let mut report = apart(|| self.runtime.end_tasks(None));
        self.stop();
        let mut left = timeout;
        if let Phase::Draining(draining, since) = &mut self.phase {
            report.merge(core::mem::take(&mut draining.report));
            left = timeout.saturating_sub(Clock::real().now().duration_since(*since));
        }
        self.phase = Phase::Ending(report);
        left
    }
}

impl<T: 'static, D: FnOnce(Result<T, JoinError>) + 'static> Host<T, D> {
    /// The side of this thread.
    pub fn new(shared: StdArc<Shared>, limit: Duration, inner: Inner<T, D>) -> Self {
        Self {
            shared,
            limit,
            busy: Cell::new(false),
            ending: Cell::new(false),
            inner: RefCell::new(Some(inner)),
        }
    }

    /// Posts the first turn.
    pub fn begin(&self, core: Box<Core>) {
        let _busy = Busy::set(&self.busy);
        self.shared.one_thread().config.hooks.start_quietly();
        self.shared.relay.post(Baton::Core(core));
        self.post();
    }

    /// Gives the host its next turn. A guest that is dropped in the poster ends here: the turn may be lost.
    fn post(&self) {
        struct Posting<'a, T, D>(&'a Host<T, D>);
        impl<T, D> Drop for Posting<'_, T, D> {
            fn drop(&mut self) {
                if self.0.ending.get() {
                    self.0.end_now();
                }
            }
        }
        let _posting = Posting(self);
        self.shared.post();
    }

    /// Nothing that is run in here ends the guest, so it is there.
    fn with_inner<R>(&self, body: impl FnOnce(&mut Inner<T, D>) -> R) -> R {
        body(self.inner.borrow_mut().as_mut().expect("not ended"))
    }

    fn run_tasks(&self, core: Box<Core>) {
        let next = self.with_inner(|inner| self.drive(inner, &core));
        if self.ending.get() {
            self.shared.relay.finish();
            self.shared.one_thread().seat.put_back(core);
            return self.leave();
        }
        match next {
            Next::Turn => {
                self.shared.relay.post(Baton::Core(core));
                self.post();
            }
            Next::Wait => self.shared.relay.wait(Baton::Core(core)),
            Next::Drain | Next::End => {
                let scheduler = self.shared.one_thread();
                scheduler.seat.put_back(core);
                let timeout = scheduler.config.shutdown_timeout;
                let left = self.with_inner(|inner| inner.end_tasks(timeout));
                if self.ending.get() {
                    self.shared.relay.finish();
                    return self.leave();
                }
                self.shared.relay.wait(Baton::Jobs(left));
            }
        }
    }

    /// Runs what is ready, in the context of the runtime.
    fn drive(&self, inner: &mut Inner<T, D>, core: &Core) -> Next {
        let shared = &self.shared.scheduler;
        let scheduler = self.shared.one_thread();
        let handle = Handle::new(shared.clone());
        let _entered = handle.enter();
        let _timers = scheduler.timers.enter();
        let _io = scheduler.io.enter();
        if core::mem::take(&mut inner.parked) {
            scheduler.config.hooks.unpark_quietly();
        }
        let driving = Driving::new(shared, Place::Thread(core));
        let clock = scheduler.timers.clock();
        let until = clock.now() + self.limit;
        let is_up = || self.ending.get() || clock.now() >= until;
        let next = context::drive(&driving, || {
            apart(|| {
                let next = inner.phase.run(&driving, scheduler, core, &is_up);
                let Next::Drain = next else { return next };
                shared.begin_end();
                inner.drain(core, scheduler.config.shutdown_timeout);
                inner.phase.run(&driving, scheduler, core, &is_up)
            })
        });
        if matches!(next, Next::Wait) {
            inner.parked = true;
            scheduler.counters.parks.add(1);
            scheduler.config.hooks.park_quietly();
        }
        next
    }

    /// The end, in the turn after which there is none.
    fn finish(&self, jobs: ShutdownReport) {
        self.shared.relay.finish();
        self.shared.forget_poster();
        let this = delist(&self.shared);
        let Some(mut inner) = self.inner.take() else {
            return;
        };
        if let Phase::Ending(mut report) = inner.phase {
            report.merge(jobs);
            inner.runtime.has_ended(&report);
        }
        drop((inner.runtime, inner.watched, this));
        if let Some(result) = inner.result {
            (inner.done)(result);
        }
    }
}

impl<T, D> Host<T, D> {
    /// The end of a guest that was dropped, at once and without `done`.
    fn leave(&self) {
        self.shared.forget_poster();
        let this = delist(&self.shared);
        if let Some(inner) = self.inner.take() {
            inner.stop();
            apart(|| drop(inner));
        }
        drop(this);
    }

    /// The end of a guest that is in no turn.
    fn end_now(&self) {
        let _ = self.recall();
        self.leave();
    }

    /// Takes the baton away from whoever has it. Returns what the helper has found of blocking jobs.
    fn recall(&self) -> ShutdownReport {
        let scheduler = self.shared.one_thread();
        let baton = self.shared.relay.recall(|| scheduler.parking.interrupt());
        match baton {
            Some(Baton::Core(core)) => scheduler.seat.put_back(core),
            Some(Baton::Ended(report)) => return report,
            Some(Baton::Jobs(_)) | None => {}
        }
        ShutdownReport::default()
    }
}

impl<T> Phase<T> {
    fn run(
        &self,
        driving: &Driving<'_>,
        scheduler: &Scheduler,
        core: &Core,
        is_up: &impl Fn() -> bool,
    ) -> Next {
        let (ended, over) = match self {
            Phase::Running(main) => {
                let is_over = || main.is_finished() || is_up();
                let ended = scheduler.run_turn(driving, core, is_over);
                (ended, main.is_finished().then_some(Next::Drain))
            }
            Phase::Draining(draining, _) => {
                let is_over = || draining.is_over(scheduler) || is_up();
                let ended = if draining.is_over(scheduler) {
                    RunEnded::Done
                } else {
                    scheduler.run_turn(driving, core, is_over)
                };
                (ended, draining.is_over(scheduler).then_some(Next::End))
            }
            Phase::Ending(..) => unreachable!("no core is left then"),
        };
        match (over, ended) {
            (Some(next), _) => next,
            (None, RunEnded::Done) if scheduler.is_something_ready(core) => Next::Turn,
            (None, RunEnded::Idle | RunEnded::Done) => Next::Wait,
            (None, RunEnded::Wanted(_)) => {
                unreachable!(
                    "all tasks that need a thread are of this one: no other has ever driven"
                )
            }
        }
    }
}

/// What became of main, which has ended.
fn output_of<T>(main: &mut JoinHandle<End<T>>) -> Result<T, JoinError> {
    let joined = Pin::new(&mut *main).poll(&mut Context::from_waker(Waker::noop()));
    let reason = match joined {
        Poll::Ready(Ok(End::Ready(output))) => return Ok(output),
        Poll::Ready(Err(error)) => return Err(error),
        Poll::Ready(Ok(End::Cancelled(reason))) => *reason,
        Poll::Ready(Ok(End::TimedOut)) => CancelReason::of(CancelKind::Deadline),
        Poll::Pending => unreachable!("it has ended"),
    };
    Err(JoinError::cancelled_main(&main.header(), reason))
}

impl<T: 'static, D: FnOnce(Result<T, JoinError>) + 'static> Visit for Host<T, D> {
    fn is_busy(&self) -> bool {
        self.busy.get()
    }

    fn turn(&self) {
        let _busy = Busy::set(&self.busy);
        match self.shared.relay.begin_turn() {
            None => {}
            Some(Baton::Core(core)) => self.run_tasks(core),
            Some(Baton::Ended(jobs)) => self.finish(jobs),
            Some(Baton::Jobs(_)) => unreachable!("the helper has waited for them"),
        }
    }

    fn end(&self) {
        if self.busy.get() {
            self.ending.set(true);
            return;
        }
        let _busy = Busy::set(&self.busy);
        self.end_now();
    }

    fn resume(&self) -> bool {
        let _busy = Busy::set(&self.busy);
        let resumed = self.shared.relay.resume();
        if resumed {
            self.post();
        }
        resumed
    }

    fn close(&self) -> ShutdownReport {
        let mut report = ShutdownReport::default();
        if self.busy.get() {
            self.ending.set(true);
            return report;
        }
        let _busy = Busy::set(&self.busy);
        let jobs = self.recall();
        self.shared.forget_poster();
        let this = delist(&self.shared);
        let Some(mut inner) = self.inner.take() else {
            return report;
        };
        inner.stop();
        report.merge(inner.runtime.drain_or_report());
        report.merge(jobs);
        let result = match inner.phase {
            Phase::Running(mut main) => Some(output_of(&mut main)),
            Phase::Draining(draining, _) => {
                report.merge(draining.report);
                inner.result
            }
            Phase::Ending(before) => {
                report.merge(before);
                inner.result
            }
        };
        drop((inner.runtime, inner.watched, this));
        if let Some(result) = result {
            (inner.done)(result);
        }
        report
    }
}

/// A thread that ends, ends its guests.
impl<T, D> Drop for Host<T, D> {
    fn drop(&mut self) {
        if self.inner.get_mut().is_some() {
            self.end_now();
        }
    }
}
