//! Settings of a runtime.

use core::fmt;
use core::time::Duration;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_sync::book::Book;
use tenter_sync::shim::thread;
use tenter_timer::Clock;

use crate::blocking;
use crate::ctrl_c::CtrlC;
use crate::debug::{Choice, DebugOptions, Watch};
use crate::environment;
use crate::hooks::{Hooks, say};
use crate::instrument::Instrument;
use crate::instrument::installed::{Given, Instruments};
use crate::metrics::Counters;
use crate::runtime::Runtime;
use crate::scheduler::choices::{Choices, Order};
use crate::scheduler::multi_thread::SPARES;
use crate::scheduler::multi_thread::idle::WORKERS_MAX;
use crate::task::Unobserved;
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;

/// How a runtime runs its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavor {
    /// Many threads that take work from each other, and the real clock. The default.
    MultiThread,
    /// One thread, the one in `Runtime::block_on`, and the real clock.
    CurrentThread,
    /// One thread, first in first out, on a virtual clock that jumps when everything is blocked.
    Deterministic,
}

/// What to do with a failure that nobody can observe.
type OnUnobserved = Arc<dyn Fn(&Unobserved<'_>) + Send + Sync>;

/// Settings of a runtime that is about to be made.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let runtime = tenter::Builder::current_thread().build()?;
/// assert_eq!(runtime.block_on(async { 1 + 1 }), 2);
/// # Ok(())
/// # }
/// ```
#[must_use = "a Builder does nothing until `build` is called"]
#[derive(Clone)]
pub struct Builder {
    flavor: Flavor,
    seed: u64,
    order: Order,
    workers: Option<usize>,
    name: Option<Arc<str>>,
    virtual_clock: bool,
    grace: Duration,
    hooks: Hooks,
    on_unobserved: Option<OnUnobserved>,
    max_blocking_threads: usize,
    thread_name: Option<String>,
    thread_stack_size: Option<usize>,
    thread_keep_alive: Duration,
    shutdown_timeout: Duration,
    ctrl_c: CtrlC,
    inspect: Option<bool>,
    #[cfg(feature = "inspect")]
    pub(crate) inspection: crate::inspect::settings::Wishes,
    instruments: Vec<Given>,
    debug: Choice,
}

/// The variable that decides where a program does not say whether its runtimes are inspected.
pub const INSPECT: &str = "TENTER_INSPECT";

/// How many threads run blocking jobs, unless [`Builder::max_blocking_threads`] says otherwise.
const MAX_BLOCKING_THREADS: usize = 512;

/// How long an idle thread for blocking jobs is kept.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(10);

/// How long a runtime that is dropped waits for what is still running.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);

/// How much real time a virtual clock gives to what the runtime does not see: to threads that are not its
/// own, and to jobs that wait for something that is not the runtime's.
const FOREIGN_GRACE: Duration = Duration::from_secs(1);

impl Builder {
    fn new(flavor: Flavor, seed: u64) -> Self {
        Self {
            flavor,
            seed,
            order: Order::Fifo,
            workers: None,
            name: None,
            virtual_clock: flavor == Flavor::Deterministic,
            grace: FOREIGN_GRACE,
            hooks: Hooks::default(),
            on_unobserved: None,
            max_blocking_threads: MAX_BLOCKING_THREADS,
            thread_name: None,
            thread_stack_size: None,
            thread_keep_alive: THREAD_KEEP_ALIVE,
            shutdown_timeout: SHUTDOWN_TIMEOUT,
            ctrl_c: CtrlC::Leave,
            inspect: None,
            #[cfg(feature = "inspect")]
            inspection: Default::default(),
            instruments: Vec::new(),
            debug: Choice::Environment,
        }
    }

    /// A runtime on many threads, one worker for each core that this process may use.
    ///
    /// The first worker is started at once, the others when there is work for them.
    #[doc(alias = "new_multi_thread")]
    pub fn multi_thread() -> Self {
        Self::new(Flavor::MultiThread, 0)
    }

    /// A runtime on one thread: the one that calls [`Runtime::block_on`]. It also runs `!Send` tasks.
    pub fn current_thread() -> Self {
        Self::new(Flavor::CurrentThread, 0)
    }

    /// A runtime for tests: one thread, tasks in the order in which they became ready, and a virtual
    /// clock that jumps to the next deadline when everything is blocked. Two runs with one seed are
    /// the same. When nothing can ever run again, it panics with a report on every task.
    ///
    /// The seed decides what futures leave to chance, and with [`random_order`](Self::random_order) which
    /// ready task is next.
    pub fn deterministic(seed: u64) -> Self {
        Self::new(Flavor::Deterministic, seed)
    }

    /// Runs the ready tasks in an order that the seed decides, instead of first in, first out. Each ready
    /// task is as likely to be next as any other, so that many seeds find what a program takes for granted
    /// about the order. Only for [`deterministic`](Self::deterministic); elsewhere it is an error of
    /// [`build`](Self::build).
    ///
    /// `#[tenter::test(seed = 7, schedules = 1000)]` does so with a thousand seeds.
    pub fn random_order(mut self, random: bool) -> Self {
        self.order = Order::random_if(random);
        self
    }

    /// How many threads run tasks. Default of the multi-threaded flavour: one for each core that this
    /// process may use. The single-threaded flavours have exactly one; any other number is an error of
    /// [`build`](Self::build).
    #[doc(alias = "worker_threads")]
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The name of the runtime, in reports and errors. Default: none.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How many threads run blocking jobs at a time; the jobs beyond wait in line. Default: 512. Threads
    /// are started when they are needed. 0 is an error of [`build`](Self::build).
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.max_blocking_threads = threads;
        self
    }

    /// What the names of the runtime's threads begin with: `<name>-worker-3`, `<name>-blocking-7`.
    /// Default: the name of the runtime, or `tenter`.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = Some(name.into());
        self
    }

    /// The size of the stacks of the runtime's threads, in bytes. Default: the system's.
    pub fn thread_stack_size(mut self, bytes: usize) -> Self {
        self.thread_stack_size = Some(bytes);
        self
    }

    /// How long a thread for blocking jobs is kept without a job. Default: 10 seconds.
    pub fn thread_keep_alive(mut self, keep_alive: Duration) -> Self {
        self.thread_keep_alive = keep_alive;
        self
    }

    /// How long the runtime's end may take. Default: 10 seconds.
    ///
    /// The graceful end, that of [`tenter::run`](crate::run()), of `#[tenter::main]` and of
    /// [`Runner::close`](crate::Runner::close), gives cancelled tasks so long to stop. Dropping the runtime
    /// waits so long for polls and blocking jobs that are in progress. What has not ended then is named on
    /// standard error, and left alone.
    ///
    /// [`Runtime::shutdown_timeout`] sets it for one end, and returns what was left.
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// What ctrl-c does while a [`Runner`](crate::Runner) of this runtime runs. Default:
    /// [`CtrlC::Leave`]; that of [`Runner::new`](crate::Runner::new) and of `#[tenter::main]`:
    /// [`CtrlC::CancelMain`]. [`Runtime::block_on`] pays no heed to it.
    #[cfg(feature = "signal")]
    #[doc(alias = "KeyboardInterrupt")]
    pub fn ctrl_c(mut self, policy: CtrlC) -> Self {
        self.ctrl_c = policy;
        self
    }

    /// Whether the tasks of this runtime write down what they wait for, so that
    /// [`tree`](crate::Handle::tree) can tell names, who holds a lock, which handles a task awaits, and
    /// since when. Default: if `TENTER_INSPECT=1` is in the environment, for programs that are to be
    /// looked at without being built again; it takes the words that `TENTER_DEBUG` does.
    ///
    /// It costs a lock that all threads of the runtime share, a look at the clock, and some 150 bytes for
    /// each task that waits, whenever a task begins to wait. Without it, the cost is a look at a flag of
    /// the thread, and the tree tells the kind of each wait, the handle that a task awaits, and the
    /// groups. Under a virtual clock names and holders are known without it.
    ///
    /// A lock that is also used by threads outside of the runtime may be said to be held by a task that
    /// has let go of it.
    pub fn inspect(mut self, inspect: bool) -> Self {
        self.inspect = Some(inspect);
        self
    }

    /// Runs on a virtual clock, which starts at zero and jumps to the next deadline when everything is
    /// blocked. The deterministic flavour always does; the multi-threaded one cannot.
    ///
    /// A job of [`spawn_blocking`](crate::spawn_blocking) holds the clock back while it is queued, runs or has
    /// been woken. One that waits in a `block_on`, in [`from_thread`](crate::from_thread) or in a blocking method
    /// of a primitive does not: the clock goes on at once. A job that waits in anything else, such as a channel
    /// of the standard library, looks as if it ran, so after one second of real time the clock goes on without it.
    /// Threads that the program has started itself are not counted.
    pub fn virtual_clock(mut self) -> Self {
        self.virtual_clock = true;
        self
    }

    /// Tests find out with a very long one whether it is ever waited for.
    pub(crate) fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Called when a thread begins to run tasks. A panic in it ends the `block_on`.
    pub fn on_thread_start(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.on_thread_start = Some(Arc::new(hook));
        self
    }

    /// Called when a thread stops running tasks. A panic in it is printed.
    pub fn on_thread_stop(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.on_thread_stop = Some(Arc::new(hook));
        self
    }

    /// Called before a thread goes to sleep. A panic in it ends the `block_on`.
    pub fn on_thread_park(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.on_thread_park = Some(Arc::new(hook));
        self
    }

    /// Called after a thread has woken up. A panic in it ends the `block_on`.
    pub fn on_thread_unpark(mut self, hook: impl Fn() + Send + Sync + 'static) -> Self {
        self.hooks.on_thread_unpark = Some(Arc::new(hook));
        self
    }

    /// Called with every failure that nobody can observe any more. Default: one line on standard
    /// error. It may be called on any thread that holds a handle or a waker. A panic in it is swallowed.
    pub fn on_unobserved(
        mut self,
        report: impl Fn(&Unobserved<'_>) + Send + Sync + 'static,
    ) -> Self {
        self.on_unobserved = Some(Arc::new(report));
        self
    }

    /// Installs an instrument, behind those that are there: it is told of what the runtime does. See
    /// [`Instrument`]. To ask it afterwards, install a clone of an [`Arc`].
    #[doc(alias = "add_instrument")]
    pub fn instrument(mut self, instrument: impl Instrument) -> Self {
        self.instruments.push(Given::new(instrument));
        self
    }

    /// Turns the debug mode on, or with `None` off. Default: on if `TENTER_DEBUG` is `1`, `true`, `on` or `yes` in
    /// the environment of the process when the runtime is built. What it does is in [`DebugOptions`].
    #[doc(alias = "PYTHONASYNCIODEBUG")]
    #[doc(alias = "set_debug")]
    pub fn debug(mut self, options: impl Into<Option<DebugOptions>>) -> Self {
        self.debug = Choice::Program(options.into());
        self
    }

    /// Makes the runtime. No file descriptor is opened before the first socket, and no thread is started
    /// but the first worker of the multi-threaded flavour.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, if a setting makes no sense; the message says which and what to do. So does a
    /// variable of the environment that is neither on nor off, where the program leaves it to that. The system's
    /// error, if it refuses the first worker.
    #[track_caller]
    pub fn build(self) -> io::Result<Runtime> {
        let workers = self.check()?;
        let threads = match self.flavor {
            Flavor::MultiThread => workers + SPARES,
            Flavor::CurrentThread | Flavor::Deterministic => 1,
        };
        let watch = self.debug.options()?.map(|on| Watch::new(on, threads));
        // First, so that the time of the others is not the task's.
        let watching = watch.clone().map(Given::new);
        let instruments = self.instruments.into_iter().chain(watching).collect();
        let thread_name = match (self.thread_name, &self.name) {
            (Some(name), _) => name,
            (None, Some(name)) => name.to_string(),
            (None, None) => "tenter".to_owned(),
        };
        #[cfg(feature = "inspect")]
        let is_shown = self.inspection.is_any();
        #[cfg(not(feature = "inspect"))]
        let is_shown = false;
        let config = Config {
            choices: (self.flavor == Flavor::Deterministic)
                .then(|| Choices::new(self.seed, self.order)),
            flavor: self.flavor,
            name: self.name,
            virtual_clock: self.virtual_clock,
            grace: self.grace,
            hooks: self.hooks,
            on_unobserved: self.on_unobserved,
            max_blocking_threads: self.max_blocking_threads,
            // As many as workers: asking the system for processors reads files.
            eager_blocking_threads: workers.max(2),
            // The system takes no name with a zero in it.
            thread_name: thread_name.replace('\0', ""),
            thread_stack_size: self.thread_stack_size,
            thread_keep_alive: self.thread_keep_alive,
            shutdown_timeout: self.shutdown_timeout,
            ctrl_c: self.ctrl_c,
            inspect: match self.inspect {
                Some(inspect) => inspect,
                None => is_shown || is_inspected()?,
            },
            #[cfg(feature = "inspect")]
            inspection: self.inspection,
            instruments: Instruments::install(instruments),
            watch,
        };
        crate::scope::show_to_io();
        Runtime::with_config(config, workers)
    }

    /// The number of workers, if all settings make sense.
    fn check(&self) -> io::Result<usize> {
        let wrong = |message: String| Err(io::Error::new(io::ErrorKind::InvalidInput, message));
        #[cfg(feature = "inspect")]
        self.inspection.check(self.flavor)?;
        if self.max_blocking_threads == 0 {
            return wrong(
                "Builder::max_blocking_threads(0): spawn_blocking would wait for ever; leave the \
                 setting out for the default of 512"
                    .to_owned(),
            );
        }
        if self.flavor == Flavor::MultiThread && self.virtual_clock {
            return wrong(
                "Builder::virtual_clock: the MultiThread flavour runs on the real clock; use \
                 Builder::deterministic or Builder::current_thread"
                    .to_owned(),
            );
        }
        if self.flavor != Flavor::Deterministic && self.order == Order::Random {
            return wrong(format!(
                "Builder::random_order: the {:?} flavour has no seed that could decide the order; use \
                 Builder::deterministic",
                self.flavor
            ));
        }
        let workers = match (self.workers, self.flavor) {
            (Some(workers), _) => workers,
            (None, Flavor::MultiThread) => thread::processors(),
            (None, _) => 1,
        };
        match (workers, self.flavor) {
            (0, _) => wrong(
                "Builder::workers(0): a runtime needs at least one worker; leave the setting out for \
                 the default"
                    .to_owned(),
            ),
            (WORKERS_TOO_MANY.., Flavor::MultiThread) => wrong(format!(
                "Builder::workers({workers}): there can be at most {WORKERS_MAX}; one for each core is \
                 the default"
            )),
            (1, _) | (_, Flavor::MultiThread) => Ok(workers),
            (_, flavor) => wrong(format!(
                "Builder::workers({workers}): the {flavor:?} flavour has exactly one worker; leave \
                 the setting out"
            )),
        }
    }
}

/// Whether the environment asks for it. An error: it says neither.
pub fn is_inspected() -> io::Result<bool> {
    let settings = "Builder::inspect, and Builder::inspect_socket where there is one";
    environment::is_on(INSPECT, "being looked into", settings)
}

const WORKERS_TOO_MANY: usize = WORKERS_MAX + 1;

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("flavor", &self.flavor)
            .field("workers", &self.workers)
            .field("name", &self.name)
            .field("virtual_clock", &self.virtual_clock)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

/// The settings of a runtime, checked.
pub struct Config {
    pub flavor: Flavor,
    pub name: Option<Arc<str>>,
    virtual_clock: bool,
    /// How much real time a virtual clock gives to what the runtime does not see.
    pub grace: Duration,
    pub hooks: Hooks,
    /// What decides in a deterministic run.
    pub choices: Option<Choices>,
    on_unobserved: Option<OnUnobserved>,
    pub max_blocking_threads: usize,
    /// How many threads take blocking jobs at once, before the age of the line is asked.
    pub eager_blocking_threads: usize,
    /// What the names of threads begin with.
    pub thread_name: String,
    pub thread_stack_size: Option<usize>,
    pub thread_keep_alive: Duration,
    pub shutdown_timeout: Duration,
    pub ctrl_c: CtrlC,
    pub inspect: bool,
    #[cfg(feature = "inspect")]
    pub inspection: crate::inspect::settings::Wishes,
    /// Who is told of what happens, if anybody is.
    pub instruments: Option<Box<Instruments>>,
    /// The debug mode.
    pub watch: Option<Watch>,
}

impl Config {
    /// What tasks write of their waits, if they are to.
    pub fn book(&self, clock: &Clock) -> Option<Arc<Book>> {
        if self.inspect {
            let clock = clock.clone();
            let now = move || Duration::from_nanos(clock.now().as_nanos());
            return Some(Book::of_all(now));
        }
        self.virtual_clock.then(Book::of_words)
    }

    /// Whether the clock is virtual.
    #[inline]
    pub fn is_virtual(&self) -> bool {
        self.virtual_clock
    }

    /// The settings of the threads for jobs that block.
    pub fn pool_settings(&self) -> blocking::Settings {
        blocking::Settings {
            max_threads: self.max_blocking_threads,
            eager_threads: self.eager_blocking_threads,
            keep_alive: self.thread_keep_alive,
            thread_name: self.thread_name.clone(),
            stack_size: self.thread_stack_size,
            hooks: self.hooks.clone(),
            ..blocking::Settings::default()
        }
    }

    /// A clock for the runtime.
    pub fn clock(&self) -> Clock {
        if self.virtual_clock {
            Clock::virtual_from_zero()
        } else {
            Clock::real()
        }
    }

    /// Tells the program, or standard error, of a failure.
    pub fn report_unobserved(&self, failure: &Unobserved<'_>) {
        // The text may run code of the program, as its function does.
        let reported = catch_unwind(AssertUnwindSafe(|| match &self.on_unobserved {
            Some(report) => report(failure),
            None => say(&failure.to_string()),
        }));
        if let Err(payload) = reported {
            drop_payload(payload);
        }
    }

    /// Runs a driver. It raises the panics of wakers, after it has woken all others; they are those of foreign
    /// executors and combinators, not of a task, so they are counted and told, and end nothing.
    pub fn guarded<R>(&self, counters: &Counters, driver: impl FnOnce() -> R) -> Option<R> {
        match catch_unwind(AssertUnwindSafe(driver)) {
            Ok(result) => Some(result),
            Err(payload) => {
                counters.unobserved.add_shared(1);
                self.report_waker(payload);
                None
            }
        }
    }

    /// Tells standard error of a waker that panicked. It belongs to no task, so there is nothing to ask
    /// the program about.
    fn report_waker(&self, payload: Box<dyn Any + Send>) {
        let message = format!(
            "tenter: a waker that waited for a timer or a socket panicked: {}",
            payload_message(&*payload)
        );
        drop_payload(payload);
        self.report_line(&message);
    }

    /// Tells standard error of something that the program cannot be asked about.
    pub fn report_line(&self, line: &str) {
        say(line);
    }
}
