//! The runtime: what owns the tasks, the timers and the sockets.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::time::Duration;
use std::io;

use crate::block_on;
use crate::builder::{Builder, Config};
use crate::context;
use crate::handle::{EnterGuard, Handle};
use crate::metrics::RuntimeMetrics;
use crate::scheduler::current_thread::Scheduler;
use crate::scheduler::shutdown::{self, ShutdownReport};
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
}

impl Runtime {
    /// A runtime with the default settings: in this version, on the thread that calls
    /// [`block_on`](Self::block_on).
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
        Builder::current_thread()
    }

    pub(crate) fn with_config(config: Config) -> Self {
        Self {
            handle: Handle::new(Scheduler::new(config)),
        }
    }

    /// Runs a future to its end, and the runtime's tasks meanwhile.
    ///
    /// The future need not be `Send` and may borrow. If another thread is in `block_on` of the same
    /// runtime, this thread runs only its own future until the other is done.
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
        Ok(block_on::drive(self.handle.scheduler(), at, future))
    }

    /// Spawns a task. It runs while some thread is in [`block_on`](Self::block_on).
    #[track_caller]
    pub fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.handle.spawn_with(future, None, Location::caller())
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

    /// Ends the runtime and reports what had not ended by itself. `timeout` bounds the wait for other
    /// threads; a single-threaded runtime has none, and takes as long as the destructors of its tasks.
    pub fn shutdown_timeout(self, timeout: Duration) -> ShutdownReport {
        let _ = timeout;
        shutdown::shut_down(self.handle.scheduler())
    }

    /// Ends the runtime without waiting for other threads.
    pub fn shutdown_background(self) {
        drop(self);
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        let _ = shutdown::shut_down(self.handle.scheduler());
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("handle", &self.handle)
            .finish()
    }
}

/// `block_on` or `run` was called on a thread that is in one already.
#[derive(Clone, Copy, Debug)]
pub struct NestedRuntime {
    what: &'static str,
    at: &'static Location<'static>,
    outer: &'static Location<'static>,
}

impl NestedRuntime {
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
            "{} was called at {} on a thread that runs the tasks of a runtime (since {}). It would \
             block all of them. Use `.await` instead, or move the call to a thread of its own",
            self.what, self.at, self.outer
        )
    }
}

impl std::error::Error for NestedRuntime {}

/// Runs a program: makes a runtime with the default settings, runs `main`, cancels what is left, and
/// returns what `main` returned.
///
/// # Panics
///
/// With the panic of `main`; inside another `run` or `block_on`; and if the system refuses a resource.
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
    let at = match NestedRuntime::check("tenter::run") {
        Ok(at) => at,
        Err(nested) => panic!("{nested}"),
    };
    let runtime = Runtime::new()
        .unwrap_or_else(|error| panic!("tenter::run at {at} could not make a runtime: {error}"));
    block_on::drive(runtime.handle.scheduler(), at, main)
}
