//! The debug mode: says who keeps a worker from its other tasks, while it does.
//!
//! ```text
//!  TENTER_DEBUG=1, or Builder::debug ──► Watch: an instrument, told of each step ──► since when, by whom
//!                                          ▲ looks, a few times in each limit          │ a long step ends,
//!                                        Watcher: a thread                             ▼ unreported
//!                                          └── a step has lasted too long ──► SlowPoll: once for each step
//! ```
//!
//! The watcher is a thread of its own. The workers look after each other too (`multi_thread/watch.rs`), but
//! there is nobody among them to look while all are blocked, nor where there is but one: then the debug mode
//! is needed most.
//!
//! | file | what |
//! |---|---|
//! | `debug/slow_poll.rs` | the report, and how often it is printed |
//! | `debug/watch.rs` | the instrument and the thread |
//!
//! Tests: `tests/tests/debug_mode.rs`.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::Arc;

mod slow_poll;
mod watch;

pub use self::slow_poll::SlowPoll;
pub use self::watch::{Watch, Watcher};
use crate::environment::is_on;

/// The variable of the environment.
const VARIABLE: &str = "TENTER_DEBUG";

/// How long a poll may last.
const SLOW_POLL: Duration = Duration::from_millis(100);

type OnSlowPoll = Arc<dyn Fn(&SlowPoll) + Send + Sync>;

/// What the debug mode does, for [`Builder::debug`](crate::Builder::debug).
///
/// It reports *slow polls*: a task that keeps its thread from all others, because it blocks or computes. The
/// report comes while the poll goes on, as soon as it has lasted longer than the limit, and names the task,
/// where it was spawned, the worker and its thread. Each slow poll is reported once. Time that a worker
/// spends in [`block_in_place`](crate::block_in_place) does not count: nobody waits for it.
///
/// Without [`on_slow_poll`](Self::on_slow_poll), reports are printed to standard error: one a second for tasks
/// that were spawned at the same place, with the number of those in between.
///
/// Time is that of the real clock, on a virtual one too. The mode costs a thread that looks a few times in
/// each limit, and two readings of the clock and a lock for each poll.
///
/// # Examples
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use tenter::{Builder, DebugOptions};
///
/// # fn main() -> std::io::Result<()> {
/// let (tell, told) = mpsc::channel();
/// let options = DebugOptions::new()
///     .slow_poll(Duration::from_millis(5))
///     .on_slow_poll(move |slow| drop(tell.send(slow.task.name.clone())));
/// let runtime = Builder::current_thread().debug(options).build()?;
/// // It blocks until it has been reported.
/// let name = runtime.block_on(async { told.recv() });
/// assert_eq!(name.unwrap().as_deref(), Some("main"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[doc(alias = "slow_callback_duration")]
pub struct DebugOptions {
    slow_poll: Duration,
    on_slow_poll: Option<OnSlowPoll>,
}

impl DebugOptions {
    /// Polls of more than 100 milliseconds are printed.
    #[must_use]
    pub fn new() -> Self {
        Self {
            slow_poll: SLOW_POLL,
            on_slow_poll: None,
        }
    }

    /// How long a poll may last. Default: 100 milliseconds.
    #[must_use]
    #[doc(alias = "slow_callback_duration")]
    pub fn slow_poll(mut self, longest: Duration) -> Self {
        self.slow_poll = longest;
        self
    }

    /// Called with each slow poll, instead of printing it: on a thread of the debug mode while the poll goes
    /// on, or on the worker if the poll has ended meanwhile. A panic in it is said on standard error, and it
    /// is not called again.
    #[must_use]
    pub fn on_slow_poll(mut self, report: impl Fn(&SlowPoll) + Send + Sync + 'static) -> Self {
        self.on_slow_poll = Some(Arc::new(report));
        self
    }
}

impl Default for DebugOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for DebugOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DebugOptions")
            .field("slow_poll", &self.slow_poll)
            .field("on_slow_poll", &self.on_slow_poll.is_some())
            .finish()
    }
}

/// Who decides whether the debug mode is on.
#[derive(Clone)]
pub enum Choice {
    /// The variable.
    Environment,
    /// The program.
    Program(Option<DebugOptions>),
}

impl Choice {
    /// The options, if it is on. An error: the variable says neither.
    pub fn options(self) -> io::Result<Option<DebugOptions>> {
        match self {
            Choice::Program(options) => Ok(options),
            Choice::Environment => {
                let wanted = is_on(VARIABLE, "tenter's debug mode", "Builder::debug")?;
                Ok(wanted.then(DebugOptions::new))
            }
        }
    }
}
