//! The runtime: what owns the tasks, the timers and the sockets.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::time::Duration;
use std::io;

use tenter_timer::Clock;

use crate::block_on;
use crate::builder::{Builder, Config, Flavor};
use crate::context::{self, Blocked};
use crate::debug::Watcher;
use crate::handle::{EnterGuard, Handle};
use crate::metrics::RuntimeMetrics;
use crate::scheduler::shared::{Kind, SchedulerRef};
use crate::scheduler::shutdown::{self, ShutdownReport};
use crate::scheduler::{current_thread, drain, multi_thread};
use crate::task::JoinHandle;

/// A runtime. Dropping it ends it: every task that has not ended is cancelled and dropped.
///
/// Dropping it anywhere, also inside a task of another runtime, neither panics nor hangs.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = tenter::Runtime::new()?;
/// let task = runtime.spawn(async { 20 + 1 });
/// let doubled = runtime.block_on(async { task.await.map(|half| half * 2) });
/// assert_eq!(doubled.expect("no panic"), 42);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "event loop")]
pub struct Runtime {
    handle: Handle,
    /// Nothing is left for the drop to do.
    ended: bool,
    /// Others may look into it until its end is over.
    #[cfg(feature = "inspect")]
    inspected: Option<crate::inspect::Inspected>,
    /// What looks for slow polls, in the debug mode; it goes last.
    _watcher: Option<Watcher>,
}

/// How much of the time for a graceful end is kept for dropping what did not stop: at most this much.
const END_RESERVE: Duration = Duration::from_millis(50);

impl Runtime {
    /// A runtime with the default settings: many threads, one worker for each core that this process may
    /// use.
    ///
    /// # Errors
    ///
    /// If the system refuses a resource.
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Self::builder().build()
    }

    /// The settings of [`new`](Self::new), to be changed.
    pub fn builder() -> Builder {
        Builder::multi_thread()
    }

    pub(crate) fn with_config(config: Config, workers: usize) -> io::Result<Self> {
        let watch = config.watch.as_ref();
        let watcher = watch.map(|watch| watch.start(&config.thread_name));
        let watcher = watcher.transpose()?;
        let scheduler = match config.flavor {
            Flavor::MultiThread => multi_thread::Scheduler::start(config, workers)?,
            Flavor::CurrentThread | Flavor::Deterministic => {
                SchedulerRef::new(Kind::CurrentThread(current_thread::Scheduler::new(config)))
            }
        };
        #[cfg_attr(
            not(feature = "inspect"),
            expect(unused_mut, reason = "nothing follows")
        )]
        let mut runtime = Self {
            handle: Handle::new(scheduler),
            ended: false,
            #[cfg(feature = "inspect")]
            inspected: None,
            _watcher: watcher,
        };
        #[cfg(feature = "inspect")]
        {
            // What is refused here ends the runtime as a drop does.
            runtime.inspected = crate::inspect::Inspected::begin(&runtime.handle)?;
        }
        Ok(runtime)
    }

    /// Runs a future to its end on the calling thread. The tasks of a multi-threaded runtime run on its
    /// workers; those of a single-threaded one run on this thread meanwhile.
    ///
    /// The future need not be `Send` and may borrow. If another thread is in `block_on` of the same
    /// single-threaded runtime, this thread runs only its own future until the other is done.
    ///
    /// # Panics
    ///
    /// On a thread that is in a `block_on` already: it would block the tasks of that thread. Also with
    /// the panic of the future itself, and on a virtual clock when nothing can ever run again.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.try_block_on(future) {
            Ok(output) => output,
            Err(nested) => panic!("{nested}"),
        }
    }

    /// [`block_on`](Self::block_on) that returns an error where that would panic for being nested.
    ///
    /// # Errors
    ///
    /// [`NestedRuntime`].
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, NestedRuntime> {
        let at = NestedRuntime::check("Runtime::block_on")?;
        Ok(block_on::run(self.handle.scheduler(), at, future))
    }

    /// Spawns a task. In a single-threaded runtime it runs while some thread is in
    /// [`block_on`](Self::block_on).
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn_with(future, None, Location::caller())
    }

    /// [`Handle::spawn_blocking`].
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn_blocking<F, R>(&self, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.handle
            .spawn_blocking_with(function, None, Location::caller())
    }

    /// A handle, to be cloned.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// [`Handle::enter`].
    #[must_use = "the guard ends the entry when it is dropped"]
    pub fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// What the runtime has done so far.
    pub fn metrics(&self) -> RuntimeMetrics {
        self.handle.metrics()
    }

    /// Ends the runtime gracefully, and reports what had not ended by itself.
    ///
    /// Every task is cancelled, and goes on being run until it has stopped: shields end, and clean-ups run.
    /// What is spawned meanwhile is cancelled unpolled. When no task is left, or `timeout` is over, the
    /// rest is dropped where it stands ([`ShutdownReport::overdue`](field@ShutdownReport::overdue)). `timeout` also bounds the wait for
    /// polls and blocking jobs that are in progress; what has not ended then is in
    /// [`ShutdownReport::stuck_tasks`], and is ended when it lets go.
    ///
    /// The tasks of a single-threaded runtime run on this thread meanwhile, and one poll or one destructor
    /// of theirs takes as long as it takes. On a virtual clock, it is virtual time that they are given.
    ///
    /// On a thread that runs the tasks of a single-threaded runtime, or on one of this runtime's own workers,
    /// nothing is waited for, for it might wait for itself: all tasks are dropped at once.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> ShutdownReport {
        let report = self.drain(timeout);
        self.ended = true;
        report
    }

    /// Ends the runtime without waiting for other threads.
    pub fn shutdown_background(mut self) {
        self.ended = true;
        let _ = self.end(Some(Duration::ZERO));
    }

    /// The graceful end.
    pub(crate) fn drain(&self, timeout: Duration) -> ShutdownReport {
        let scheduler = self.handle.scheduler();
        let clock = Clock::real();
        let began = clock.now();
        scheduler.begin_end();
        let drained = match &scheduler.kind {
            _ if timeout.is_zero() => ShutdownReport::default(),
            Kind::CurrentThread(one) if context::blocked_at().is_none() => {
                drain::drain(scheduler, one, timeout)
            }
            Kind::CurrentThread(_) => ShutdownReport::default(),
            Kind::MultiThread(many) => {
                // The workers need a moment for what is left then.
                let reserve = (timeout / 4).min(END_RESERVE);
                many.drain(scheduler, timeout - reserve);
                // What was cancelled is part of the report of the end.
                ShutdownReport::default()
            }
        };
        let left = timeout.saturating_sub(clock.now().duration_since(began));
        let mut report = self.end(Some(left));
        report.merge(drained);
        report
    }

    /// [`drain`](Self::drain) with the runtime's own time limit, and a line for the operator if that was
    /// not enough.
    pub(crate) fn drain_or_report(&mut self) -> ShutdownReport {
        let timeout = self.handle.scheduler().config().shutdown_timeout;
        let report = self.drain(timeout);
        self.has_ended(&report);
        report
    }

    /// Nothing is left for the drop to do. A line for the operator if not everything has stopped in time.
    pub(crate) fn has_ended(&mut self, report: &ShutdownReport) {
        self.ended = true;
        if report.has_unstopped() {
            self.report_unstopped("a runtime ended", report);
        }
    }

    fn report_unstopped(&self, what: &str, report: &ShutdownReport) {
        let config = self.handle.scheduler().config();
        config.report_line(&format!(
            "tenter: {what}, and after {:?} not everything had ended: {report}. What is left ends when it \
             lets go. Runtime::shutdown_timeout returns this as a value",
            config.shutdown_timeout
        ));
    }

    /// Ends all tasks, and lets no blocking job begin.
    pub(crate) fn end_tasks(&self, timeout: Option<Duration>) -> ShutdownReport {
        let scheduler = self.handle.scheduler();
        scheduler.begin_end();
        // First, so that no job begins that would have to be waited for.
        scheduler.blocking.close();
        match &scheduler.kind {
            Kind::CurrentThread(one) => shutdown::shut_down(scheduler, one),
            Kind::MultiThread(many) => many.shut_down(scheduler, timeout),
        }
    }

    fn end(&self, timeout: Option<Duration>) -> ShutdownReport {
        let scheduler = self.handle.scheduler();
        let clock = Clock::real();
        let deadline = timeout.map(|timeout| clock.now() + timeout);
        let mut report = self.end_tasks(timeout);
        let left = if multi_thread::is_worker_of(scheduler) {
            // A job may wait for this very task.
            Some(Duration::ZERO)
        } else {
            deadline.map(|deadline| deadline.duration_since(clock.now()))
        };
        for job in scheduler.blocking.shut_down(left) {
            report.stuck_job(&job);
        }
        report
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let timeout = self.handle.scheduler().config().shutdown_timeout;
        let report = self.end(Some(timeout));
        if !report.stuck_tasks.is_empty() {
            self.report_unstopped("a runtime was dropped", &report);
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handle", &self.handle)
            .finish()
    }
}

/// `block_on` or `run` was called on a thread that is in one already, or `block_on_nested` where that does not
/// help.
#[derive(Clone, Copy, Debug)]
pub struct NestedRuntime {
    what: &'static str,
    at: &'static Location<'static>,
    outer: Blocked,
}

impl NestedRuntime {
    pub(crate) fn new(what: &'static str, at: &'static Location<'static>, outer: Blocked) -> Self {
        Self { what, at, outer }
    }

    /// The place of the call, if it is not nested.
    #[track_caller]
    pub(crate) fn check(what: &'static str) -> Result<&'static Location<'static>, Self> {
        let at = Location::caller();
        match context::blocked_at() {
            None => Ok(at),
            Some(outer) => Err(Self { what, at, outer }),
        }
    }
}

impl fmt::Display for NestedRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} was called at {} on a thread that runs the tasks of a runtime",
            self.what, self.at
        )?;
        if let Blocked::At(outer) = self.outer {
            write!(f, " (since {outer})")?;
        }
        f.write_str(
            ". It would block them. Use `.await` instead, or tenter::block_on_nested on a worker of a \
             multi-threaded runtime, or move the call to a thread of its own",
        )
    }
}

impl std::error::Error for NestedRuntime {}
