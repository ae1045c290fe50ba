//! Running programs: a main future, and the graceful end after it.
//!
//! ```text
//!   run ──► main is ready ─────────────► its output    ┐
//!    │                                                 ├─► cancel all, run until all have stopped ─► end
//!    └───── ctrl-c: main is cancelled ─► Interrupted   ┘        (`Runner::close`; `run`, `main`: at once)
//! ```
//!
//! Tests: `tests/tests/runner.rs`, `tests/tests/ctrl_c.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc as StdArc;

use crate::block_on;
use crate::builder::Builder;
#[cfg(any(feature = "signal", doc))]
use crate::ctrl_c::CtrlC;
use crate::ctrl_c::Watched;
use crate::handle::Handle;
use crate::runtime::{NestedRuntime, Runtime};
use crate::scheduler::shutdown::ShutdownReport;
use crate::scope::CancelHandle;
use crate::scope::node::Node;
use crate::scope::scoped::{End, Scoped};
use crate::task::{CancelKind, CancelReason, Context};

/// One runtime for several runs.
///
/// What a run spawned and left behind goes on in the next one: in a single-threaded runtime only then, in a
/// multi-threaded one also in between. All runs share one context: a variable
/// ([`context_var!`](crate::context_var)) that one sets the next one sees. [`close`](Self::close) ends it gracefully; dropping the runner drops
/// all tasks at once.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let mut runner = tenter::Runner::new()?;
/// let task = runner.run(async { tenter::spawn(async { 20 + 1 }) });
/// let doubled = runner.run(async { task.expect("no ctrl-c").await.map(|half| half * 2) });
/// assert_eq!(doubled.expect("no ctrl-c").expect("no panic"), 42);
/// assert!(runner.close().is_clean());
/// # Ok(())
/// # }
/// ```
#[doc(alias = "asyncio.Runner")]
#[derive(Debug)]
pub struct Runner {
    runtime: Runtime,
    /// The scope of the next main future.
    main: StdArc<Node>,
    /// The context variables that all main futures share.
    context: Context,
}

impl Runner {
    /// A runner with the settings of [`builder`](Self::builder).
    ///
    /// # Errors
    ///
    /// If the system refuses a resource.
    #[track_caller]
    pub fn new() -> io::Result<Self> {
        Self::builder().build().map(Self::from)
    }

    /// The settings of [`new`](Self::new), to be changed: those of [`Runtime::new`], with
    /// [`CtrlC::CancelMain`]. `Runner::from(runtime)` makes a runner of what they build.
    pub fn builder() -> Builder {
        let settings = Builder::multi_thread();
        #[cfg(feature = "signal")]
        let settings = settings.ctrl_c(CtrlC::CancelMain);
        settings
    }

    /// Runs a main future to its end on the calling thread, as [`Runtime::block_on`] does.
    ///
    /// # Errors
    ///
    /// [`Interrupted`], if the main future was cancelled: by ctrl-c, if the runner was told to see to it
    /// ([`Builder::ctrl_c`]), or by a [`main_handle`](Self::main_handle). It was polled once more, dropped
    /// because it was not ready, and cleaned up after. The runner is as good as before.
    ///
    /// # Panics
    ///
    /// As `Runtime::block_on`.
    #[track_caller]
    pub fn run<F: Future>(&mut self, main: F) -> Result<F::Output, Interrupted> {
        let at = check_nested("Runner::run");
        let scope = core::mem::replace(&mut self.main, Node::new());
        let _watched = Watched::begin(self.handle().scheduler().config(), &scope);
        let runtime = &self.runtime;
        let context = &self.context;
        context.run_main(|| run_main(runtime, at, main, scope))
    }

    /// The right to cancel the main future of the next run. Before the run, for it to be cancelled from
    /// the beginning; from any task or thread while it is in progress; without effect afterwards.
    pub fn main_handle(&self) -> CancelHandle {
        CancelHandle {
            node: StdArc::clone(&self.main),
        }
    }

    /// The runtime, to spawn on, or to get a handle from.
    pub fn runtime(&self) -> &Runtime {
        &self.runtime
    }

    /// A handle of the runtime.
    #[doc(alias = "get_loop")]
    pub fn handle(&self) -> &Handle {
        self.runtime.handle()
    }

    /// Ends the runtime gracefully: cancels every task, and goes on running them until all have stopped, at
    /// most for [`Builder::shutdown_timeout`]. See [`Runtime::shutdown_timeout`].
    ///
    /// What did not stop in time is in the report, and on standard error too.
    pub fn close(mut self) -> ShutdownReport {
        self.runtime.drain_or_report()
    }
}

// A main future that panics leaves the runner whole: the next run is as good as the first.
impl core::panic::UnwindSafe for Runner {}
impl core::panic::RefUnwindSafe for Runner {}

impl From<Runtime> for Runner {
    fn from(runtime: Runtime) -> Self {
        Self {
            runtime,
            main: Node::new(),
            context: Context::current(),
        }
    }
}

/// A run was cancelled before its main future was ready.
#[derive(Clone, Debug, PartialEq, Eq)]
#[doc(alias = "KeyboardInterrupt")]
pub struct Interrupted {
    reason: CancelReason,
}

impl Interrupted {
    /// Whether it was ctrl-c. If somebody else was faster, it was not.
    pub fn is_ctrl_c(&self) -> bool {
        self.reason.kind() == CancelKind::CtrlC
    }

    /// Why it was cancelled: the first reason.
    pub fn reason(&self) -> &CancelReason {
        &self.reason
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the main future was cancelled: {}", self.reason)
    }
}

impl std::error::Error for Interrupted {}

/// Runs a program: makes a runtime with the default settings, runs `main`, then cancels what is left and
/// waits until it has stopped, at most for 10 seconds, and returns what `main` returned.
///
/// Leftover tasks have the time to clean up ([`Runtime::shutdown_timeout`] says more). What did not stop is
/// named on standard error. Ctrl-c ends the process, as the system has it; [`Runner`] and `#[tenter::main]`
/// cancel `main` instead.
///
/// # Panics
///
/// With the panic of `main`, after the graceful end; inside another `run` or `block_on`; and if the system
/// refuses a resource.
///
/// # Examples
///
/// ```
/// let sum = tenter::run(async {
///     let (a, b) = (tenter::spawn(async { 1 }), tenter::spawn(async { 2 }));
///     a.await.expect("no panic") + b.await.expect("no panic")
/// });
/// assert_eq!(sum, 3);
/// ```
#[track_caller]
#[doc(alias = "asyncio.run")]
pub fn run<F: Future>(main: F) -> F::Output {
    let at = check_nested("tenter::run");
    let runtime = Runtime::new()
        .unwrap_or_else(|error| panic!("tenter::run at {at} could not make a runtime: {error}"));
    match run_program(runtime, at, main) {
        Ok(output) => output,
        Err(_) => unreachable!("nobody watches for ctrl-c, nor has the handle of this scope"),
    }
}

/// Runs a main future and ends its runtime gracefully, whatever became of it.
pub(crate) fn run_program<F: Future>(
    mut runtime: Runtime,
    at: &'static Location<'static>,
    main: F,
) -> Result<F::Output, Interrupted> {
    let scope = Node::new();
    let watched = Watched::begin(runtime.handle().scheduler().config(), &scope);
    let run = || run_main(&runtime, at, main, scope);
    let output = catch_unwind(AssertUnwindSafe(run));
    watched.main_is_over();
    let _ = runtime.drain_or_report();
    output.unwrap_or_else(|payload| resume_unwind(payload))
}

/// The place of the call, unless it would block the tasks of this thread.
#[track_caller]
pub(crate) fn check_nested(what: &'static str) -> &'static Location<'static> {
    match NestedRuntime::check(what) {
        Ok(at) => at,
        Err(nested) => panic!("{nested}"),
    }
}

/// Runs the main future of a run. Whatever may end it from outside cancels its scope.
fn run_main<F: Future>(
    runtime: &Runtime,
    at: &'static Location<'static>,
    main: F,
    scope: StdArc<Node>,
) -> Result<F::Output, Interrupted> {
    let main = Scoped::with_node(main, scope);
    let reason = match block_on::run_scoped(runtime.handle().scheduler(), at, main) {
        End::Ready(output) => return Ok(output),
        End::Cancelled(reason) => *reason,
        End::TimedOut => CancelReason::of(CancelKind::Deadline),
    };
    Err(Interrupted { reason })
}
