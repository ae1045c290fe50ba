//! A handle of a runtime: to spawn from anywhere.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::Location;
use core::ptr::{self, NonNull};

use tenter_sync::book;
use tenter_sync::shim::thread;

use crate::block_on;
use crate::blocking::limited::{self, JobLimiter};
use crate::context::{self, Driving, Place};
use crate::metrics::RuntimeMetrics;
use crate::runtime::NestedRuntime;
use crate::scheduler::multi_thread::Entered;
use crate::scheduler::shared::{Kind, Scheduler, SchedulerRef, TaskScheduler};
use crate::task::JoinHandle;
use crate::task::cell::{Extras, Header, Local, Shared, Work};
use crate::task::context::inherit;
use crate::task::memory::Source;
use crate::task::raw;
use crate::tree::{self, TaskTree};

/// A handle of a runtime. Cheap to clone, usable from any thread, and it keeps the memory of the
/// runtime, not the runtime: after its end, spawned tasks are cancelled at once.
#[derive(Clone)]
pub struct Handle {
    scheduler: SchedulerRef,
}

impl Handle {
    pub(crate) fn new(scheduler: SchedulerRef) -> Self {
        Self { scheduler }
    }

    pub(crate) fn scheduler(&self) -> &SchedulerRef {
        &self.scheduler
    }

    pub(crate) fn scheduler_address(&self) -> *const Scheduler {
        self.scheduler.address()
    }

    /// The handle of the runtime that this thread is in.
    ///
    /// # Panics
    ///
    /// Outside a runtime; [`try_current`](Self::try_current) asks without panicking.
    #[track_caller]
    pub fn current() -> Self {
        Self::current_for("tenter::Handle::current")
    }

    /// The handle of the runtime that this thread is in, if it is in one.
    ///
    /// # Errors
    ///
    /// [`NotInRuntime`], which says what to do.
    #[track_caller]
    pub fn try_current() -> Result<Self, NotInRuntime> {
        context::current_handle().ok_or(NotInRuntime {
            what: "tenter::Handle::try_current",
            at: Location::caller(),
        })
    }

    #[track_caller]
    pub(crate) fn current_for(what: &'static str) -> Self {
        Self::current_at(what, Location::caller())
    }

    /// The runtime that this thread is in, for what was called there.
    pub(crate) fn current_at(what: &'static str, at: &'static Location<'static>) -> Self {
        let Some(handle) = context::current_handle() else {
            panic!("{}", NotInRuntime { what, at })
        };
        handle
    }

    /// Spawns a task on the runtime.
    ///
    /// After the end of the runtime the task is cancelled unpolled.
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_with(future, None, Location::caller())
    }

    pub(crate) fn spawn_with<F>(
        &self,
        future: F,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Work + Send + 'static,
        F::Output: Send + 'static,
    {
        self.spawn_made(|_| future, extras, spawned_at)
    }

    /// Spawns what `make` makes of the task that it will be the work of.
    #[inline(always)]
    fn spawn_made<F>(
        &self,
        make: impl FnOnce(NonNull<Header>) -> F,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Work + Send + 'static,
        F::Output: Send + 'static,
    {
        let extras = inherit(extras);
        let address = self.scheduler.address();
        context::with_driving(|driving| {
            let driving = driving.filter(|it| ptr::eq(it.scheduler.address(), address));
            let (scheduler, source) = match driving {
                Some(driving) => (TaskScheduler(driving.shared()), driving.source()),
                None => self.afar(),
            };
            let (task, header) =
                raw::allocate_with(make, scheduler, Shared, extras, spawned_at, &source);
            let handle = JoinHandle::new(header);
            match driving {
                Some(driving) => driving.adopt(task),
                None => self.scheduler.spawn_remote(task),
            }
            handle
        })
    }

    /// For a task on a runtime whose run loop this thread is not in.
    #[cold]
    fn afar(&self) -> (TaskScheduler, Source<'_>) {
        let scheduler = TaskScheduler(self.scheduler.clone());
        (scheduler, Source::Depot(&self.scheduler.depot))
    }

    /// Runs a function that blocks on a thread of its own kind, so that no task waits for it.
    ///
    /// The job is queued at the call. Cancelled before a thread takes it, it never runs; once it runs,
    /// nothing ends it but itself, and its output stands; [`from_thread::check_cancelled`] tells it. At most [`Builder::max_blocking_threads`](crate::Builder) jobs run at
    /// a time, and one more for each that waits in a `block_on`. For fewer of one kind, there is
    /// [`task::Builder::limiter`](crate::task::Builder::limiter).
    ///
    /// [`from_thread::check_cancelled`]: crate::from_thread::check_cancelled
    ///
    /// # Errors
    ///
    /// The handle's output is an `Err` if the function panics; if the job is cancelled, by its handle or
    /// because the runtime ends; and if the system refuses the only thread that could run it.
    #[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
    #[track_caller]
    #[doc(alias = "to_thread")]
    #[doc(alias = "run_in_executor")]
    pub fn spawn_blocking<F, R>(&self, function: F) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        self.spawn_blocking_with(function, None, Location::caller())
    }

    pub(crate) fn spawn_blocking_with<F, R>(
        &self,
        function: F,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        let extras = inherit(extras);
        self.scheduler
            .blocking
            .spawn(function, self.clone(), extras, spawned_at)
    }

    pub(crate) fn spawn_blocking_limited<F, R>(
        &self,
        function: F,
        limiter: Option<JobLimiter>,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
    {
        match limiter {
            None => self.spawn_blocking_with(function, extras, spawned_at),
            Some(limiter) => limited::spawn(self, function, limiter, extras, spawned_at),
        }
    }

    /// Spawns on the runtime of `home`, or without one where the caller is, what `make` makes of the task
    /// that it will be the work of. `make` does not panic.
    #[inline(always)]
    pub(crate) fn spawn_work<W>(
        home: Option<&Self>,
        make: impl FnOnce(NonNull<Header>) -> W,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<W::Output>
    where
        W: Work + Send + 'static,
        W::Output: Send + 'static,
    {
        let current;
        let home = match home {
            Some(home) => home,
            None => {
                current = Self::current_at("TaskGroup::spawn", spawned_at);
                &current
            }
        };
        home.spawn_made(make, extras, spawned_at)
    }

    /// Spawns on the run loop that this thread is in, without touching the count of handles first.
    #[inline]
    pub(crate) fn spawn_current<F>(
        future: F,
        spawned_at: &'static Location<'static>,
        what: &'static str,
    ) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let mut future = Some(future);
        let handle = context::with_local_spawner(|driving| {
            let driving = driving?;
            let future = future.take()?;
            let extras = inherit(None);
            Some(spawn_on(driving, |_| future, Shared, extras, spawned_at))
        });
        if let Some(handle) = handle {
            return handle;
        }
        let Some(handle) = context::current_handle() else {
            panic!(
                "{}",
                NotInRuntime {
                    what,
                    at: spawned_at
                }
            )
        };
        let future = future.expect("taken only by the branch that returned");
        handle.spawn_with(future, None, spawned_at)
    }

    pub(crate) fn spawn_local_with<F>(
        future: F,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        Self::with_local_driving(spawned_at, |driving| {
            let owner = Local(thread::current_id());
            spawn_on(driving, |_| future, owner, inherit(extras), spawned_at)
        })
    }

    /// Shows the single-threaded run loop that this thread is in.
    pub(crate) fn with_local_driving<R>(
        spawned_at: &'static Location<'static>,
        body: impl FnOnce(&Driving<'_>) -> R,
    ) -> R {
        context::with_local_spawner(|driving| {
            let one_thread = |driving: &&Driving<'_>| matches!(driving.place, Place::Thread(_));
            let Some(driving) = driving.filter(one_thread) else {
                panic!(
                    "tenter::spawn_local was called at {spawned_at} on {}, which does not drive a \
                     single-threaded tenter runtime. Call it inside Runtime::block_on of a \
                     current_thread or deterministic runtime, or use tenter::spawn with a Send future",
                    thread_name()
                )
            };
            body(driving)
        })
    }

    /// Runs a future on the calling thread until it is ready. Never runs the runtime's tasks: those of a
    /// single-threaded runtime run only in `Runtime::block_on`, those of a multi-threaded one on its
    /// workers.
    ///
    /// # Panics
    ///
    /// On a thread that is in a `block_on` already: it would block the tasks of that thread.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        match self.try_block_on(future) {
            Ok(output) => output,
            Err(nested) => panic!("{nested}"),
        }
    }

    /// [`block_on`](Self::block_on) that returns an error where that would panic.
    ///
    /// # Errors
    ///
    /// [`NestedRuntime`].
    #[track_caller]
    pub fn try_block_on<F: Future>(&self, future: F) -> Result<F::Output, NestedRuntime> {
        let at = NestedRuntime::check("Handle::block_on")?;
        let _entered = self.enter();
        let wait = || block_on::wait(at, future);
        Ok(book::lend(self.scheduler.book(), wait))
    }

    /// Makes this the runtime that `tenter::spawn` uses on this thread, until the guard is dropped.
    ///
    /// Timers and sockets made in the meantime are driven by the workers of a multi-threaded runtime.
    /// In a single-threaded one they belong to the process-wide background drivers, so that they make
    /// progress whether or not somebody drives the runtime; on a virtual clock, timers are the runtime's.
    #[must_use = "the guard ends the entry when it is dropped"]
    pub fn enter(&self) -> EnterGuard<'_> {
        let entered = match &self.scheduler.kind {
            Kind::MultiThread(scheduler) => scheduler.enter_drivers(),
            Kind::CurrentThread(scheduler) => Entered {
                _timers: scheduler
                    .config
                    .is_virtual()
                    .then(|| scheduler.timers.enter()),
                _io: None,
            },
        };
        EnterGuard {
            number: context::enter(self.clone()),
            _drivers: entered,
            _lent: PhantomData,
        }
    }

    /// All tasks of the runtime that have not ended, with their groups, who waits for what, and for whom.
    ///
    /// From any thread, also one that is in no runtime. In it are the tasks of [`task::all`], and children of
    /// groups that have not run yet; a task is looked at after the other, while they run on. For a
    /// single-threaded runtime that another thread drives, that thread is asked, and answers between two
    /// polls; if it does not within a second, the tree is empty and says so. No waker, destructor or other
    /// code of the program is called under a lock of the runtime.
    ///
    /// [`Builder::inspect`](crate::Builder::inspect) says what more is known with it.
    ///
    /// [`task::all`]: crate::task::all
    ///
    /// # Examples
    ///
    /// ```
    /// # fn main() -> std::io::Result<()> {
    /// let runtime = tenter::Builder::multi_thread().inspect(true).build()?;
    /// let handle = runtime.handle().clone();
    /// let watch = std::thread::spawn(move || handle.tree().to_string());
    /// println!("{}", watch.join().expect("no panic"));
    /// # Ok(())
    /// # }
    /// ```
    #[doc(alias = "all_tasks")]
    #[doc(alias = "dump")]
    pub fn tree(&self) -> TaskTree {
        tree::of(self)
    }

    /// What the runtime has done so far.
    pub fn metrics(&self) -> RuntimeMetrics {
        let blocking = self.scheduler.blocking.metrics();
        let mut metrics = match &self.scheduler.kind {
            Kind::CurrentThread(scheduler) => scheduler.metrics(),
            Kind::MultiThread(scheduler) => scheduler.metrics(),
        };
        metrics.refused_threads += blocking.refused_threads;
        metrics.blocking_threads = blocking.threads;
        metrics.idle_blocking_threads = blocking.idle_threads;
        metrics.queued_blocking_jobs = blocking.queued;
        metrics
    }
}

/// Makes a task on the run loop that this thread is in.
#[inline(always)]
fn spawn_on<F: Work, O: crate::task::cell::Ownership>(
    driving: &Driving<'_>,
    make: impl FnOnce(NonNull<Header>) -> F,
    ownership: O,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<F::Output> {
    let scheduler = TaskScheduler(driving.shared());
    let source = driving.source();
    let (task, header) =
        raw::allocate_with(make, scheduler, ownership, extras, spawned_at, &source);
    let handle = JoinHandle::new(header);
    driving.adopt(task);
    handle
}

fn thread_name() -> String {
    match std::thread::current().name() {
        Some(name) => format!("thread \"{name}\""),
        None => "a thread without a name".to_owned(),
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("flavor", &self.scheduler.config().flavor)
            .field("name", &self.scheduler.config().name)
            .finish_non_exhaustive()
    }
}

impl core::panic::UnwindSafe for Handle {}
impl core::panic::RefUnwindSafe for Handle {}

/// Something was called that needs a runtime, on a thread that is in none. `Display` says what to do.
#[derive(Clone, Copy, Debug)]
pub struct NotInRuntime {
    what: &'static str,
    at: &'static Location<'static>,
}

impl fmt::Display for NotInRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} was called at {} on {}, which is in no tenter runtime. Call it inside \
             #[tenter::main], Runtime::block_on or a spawned task; to use it from another executor \
             or thread hold a guard: let _guard = handle.enter()",
            self.what,
            self.at,
            thread_name()
        )
    }
}

impl std::error::Error for NotInRuntime {}

/// Ends an entry made by [`Handle::enter`] when it is dropped, in whatever order.
#[derive(Debug)]
pub struct EnterGuard<'a> {
    number: u64,
    _drivers: Entered,
    /// Stays on its thread.
    _lent: PhantomData<(&'a Handle, *const ())>,
}

impl Drop for EnterGuard<'_> {
    fn drop(&mut self) {
        context::leave(self.number);
    }
}
