//! Settings of a runtime.

use core::fmt;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_timer::Clock;

use crate::hooks::Hooks;
use crate::runtime::Runtime;
use crate::scheduler::deterministic::Choices;
use crate::task::Unobserved;
use crate::task::error::payload_message;
use crate::task::raw::drop_payload;

/// How a runtime runs its tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Flavor {
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
    workers: Option<usize>,
    name: Option<Arc<str>>,
    virtual_clock: bool,
    hooks: Hooks,
    on_unobserved: Option<OnUnobserved>,
}

impl Builder {
    fn new(flavor: Flavor, seed: u64) -> Self {
        Self {
            flavor,
            seed,
            workers: None,
            name: None,
            virtual_clock: flavor == Flavor::Deterministic,
            hooks: Hooks::default(),
            on_unobserved: None,
        }
    }

    /// A runtime on one thread: the one that calls [`Runtime::block_on`]. It also runs `!Send` tasks.
    pub fn current_thread() -> Self {
        Self::new(Flavor::CurrentThread, 0)
    }

    /// A runtime for tests: one thread, tasks in the order in which they became ready, and a virtual
    /// clock that jumps to the next deadline when everything is blocked. Two runs with one seed are
    /// the same. When nothing can ever run again, it panics with a report on every task.
    pub fn deterministic(seed: u64) -> Self {
        Self::new(Flavor::Deterministic, seed)
    }

    /// How many threads run tasks. The single-threaded flavours have exactly one, which is also the
    /// default; any other number is an error of [`build`](Self::build).
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = Some(workers);
        self
    }

    /// The name of the runtime, in reports and errors. Default: none.
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Runs on a virtual clock, which starts at zero and jumps to the next deadline when everything is
    /// blocked. The deterministic flavour always does.
    pub fn virtual_clock(mut self) -> Self {
        self.virtual_clock = true;
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

    /// Makes the runtime. No thread is started, and no file descriptor opened before the first socket.
    ///
    /// # Errors
    ///
    /// `InvalidInput`, if a setting makes no sense; the message says which and what to do.
    #[track_caller]
    pub fn build(self) -> io::Result<Runtime> {
        if let Some(workers) = self.workers {
            check_workers(self.flavor, workers)?;
        }
        Ok(Runtime::with_config(Config {
            choices: (self.flavor == Flavor::Deterministic).then(|| Choices::new(self.seed)),
            flavor: self.flavor,
            name: self.name,
            virtual_clock: self.virtual_clock,
            hooks: self.hooks,
            on_unobserved: self.on_unobserved,
        }))
    }
}

fn check_workers(flavor: Flavor, workers: usize) -> io::Result<()> {
    let message = match workers {
        0 => "Builder::workers(0): a runtime needs at least one worker; leave the setting out for \
              the default"
            .to_owned(),
        1 => return Ok(()),
        _ => format!(
            "Builder::workers({workers}): the {flavor:?} flavour has exactly one worker; leave the \
             setting out"
        ),
    };
    Err(io::Error::new(io::ErrorKind::InvalidInput, message))
}

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
    pub hooks: Hooks,
    /// What decides in a deterministic run.
    pub choices: Option<Choices>,
    on_unobserved: Option<OnUnobserved>,
}

impl Config {
    /// Whether the clock is virtual.
    #[inline]
    pub fn is_virtual(&self) -> bool {
        self.virtual_clock
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
        // Printing panics too: standard error may be a pipe that nobody reads any more.
        let reported = catch_unwind(AssertUnwindSafe(|| match &self.on_unobserved {
            Some(report) => report(failure),
            None => eprintln!("{failure}"),
        }));
        if let Err(payload) = reported {
            drop_payload(payload);
        }
    }

    /// Tells standard error of a waker that panicked. It belongs to no task, so there is nothing to ask
    /// the program about.
    pub fn report_waker(&self, payload: Box<dyn Any + Send>) {
        let message = format!(
            "tenter: a waker that waited for a timer or a socket panicked: {}",
            payload_message(&*payload)
        );
        drop_payload(payload);
        if let Err(payload) = catch_unwind(|| eprintln!("{message}")) {
            drop_payload(payload);
        }
    }
}
