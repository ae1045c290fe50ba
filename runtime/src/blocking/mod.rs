//! Threads for functions that block: files, name look-ups, long computations.
//!
//! ```text
//!   spawn ──► queue ──► a thread of the pool ──► output ──► wakes whoever joins
//!               │
//!               └──► close: ended unrun
//! ```
//!
//! A job is a task whose future runs the function in its only poll. So a panic becomes a `JoinError`, a
//! job that is cancelled while it is queued never runs, and the join handle is that of any task.
//!
//! | file | what |
//! |---|---|
//! | `state.rs` | who sleeps, who runs, who watches: every decision, under one lock |
//! | `decision.rs` | what is to be done after the lock is released |
//! | `thread.rs` | what a thread of the pool does, and what it does with a decision |
//! | `patience.rs` | how long it looks for a call before it sleeps |
//! | `job.rs` | a function as a task, and how a job ends that cannot run |
//! | `limited.rs` | a job that waits for a token first |
//! | `report.rs` | what the pool counts and tells |
//!
//! One lock, and decisions that are carried out after it is released: a count of sleepers that is kept
//! apart from the queue is what such pools get wrong. Under it nobody allocates per job, wakes a thread,
//! starts one, or runs code of the program.
//!
//! Rejected: a queue per shard. Uncontended it costs more than the lock, and on two processors the
//! allocator limits a burst before the lock does (`docs/adr/0010-blocking-pool.md`).
//!
//! Tests: `state/tests.rs`; `tests/tests/blocking/`; `loom-tests/tests/blocking.rs`.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::io;
use std::sync::Arc as StdArc;

use tenter_sync::brake::Brake;
use tenter_sync::parker::Parker;
use tenter_sync::shim::Mutex;
use tenter_timer::Clock;

use crate::hooks::Hooks;
use crate::task::cell::{Extras, Shared as AnyThread};
use crate::task::memory::Source;
use crate::task::raw;
use crate::task::{JoinHandle, Runnable};

pub mod decision;
#[expect(unsafe_code, reason = "runs and ends tasks")]
pub mod job;
pub mod limited;
mod patience;
pub mod report;
pub mod state;
pub mod thread;

use self::decision::Submitted;
pub use self::job::Home;
pub use self::report::{Metrics, StuckJob};
use self::state::{Limits, State};
use self::thread::Place;

/// What a test may put in the way of a thread that is about to be started.
pub type Refuse = StdArc<dyn Fn() -> Option<io::Error> + Send + Sync>;

/// Settings of a pool.
#[derive(Clone)]
pub struct Settings {
    /// How many jobs may run at a time, each on its thread; at least 1.
    pub max_threads: usize,
    /// How many threads take from a long queue before its age is asked: the number of processors.
    pub eager_threads: usize,
    /// How many threads beyond `max_threads` may stand in for jobs that wait in a `block_on`.
    pub spare_threads: usize,
    /// How long a thread sleeps without a job before it ends.
    pub keep_alive: Duration,
    /// The threads are called `<name>-blocking-<number>`.
    pub thread_name: String,
    /// The size of a thread's stack in bytes, if not the system's default.
    pub stack_size: Option<usize>,
    /// What is called when a thread starts and stops.
    pub hooks: Hooks,
    /// The error that the system would give, for tests of a system without threads to spare.
    pub refuse: Option<Refuse>,
    /// What each job holds until it has ended, if the runtime has a virtual clock.
    pub brake: Option<StdArc<Brake>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_threads: 512,
            eager_threads: 2,
            spare_threads: 512,
            keep_alive: Duration::from_secs(10),
            thread_name: "tenter".to_owned(),
            stack_size: None,
            hooks: Hooks::default(),
            refuse: None,
            brake: None,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("max_threads", &self.max_threads)
            .field("eager_threads", &self.eager_threads)
            .field("spare_threads", &self.spare_threads)
            .field("keep_alive", &self.keep_alive)
            .field("thread_name", &self.thread_name)
            .field("stack_size", &self.stack_size)
            .field("hooks", &self.hooks)
            .finish_non_exhaustive()
    }
}

/// What the pool shares with its threads.
pub struct Shared {
    pub state: Mutex<State>,
    pub settings: Settings,
}

/// The pool. Its threads end when it is closed or dropped; jobs that run then go on to their end.
pub struct Pool(StdArc<Shared>);

impl Pool {
    /// A pool without threads: the first job starts the first one.
    pub fn new(mut settings: Settings) -> Self {
        // The system takes no name with a zero in it, and nobody who names threads expects a panic.
        settings.thread_name.retain(|character| character != '\0');
        let limits = Limits {
            max: settings.max_threads.max(1),
            eager: settings.eager_threads.max(1),
            spare: settings.spare_threads,
        };
        Self(StdArc::new(Shared {
            state: Mutex::new(State::new(limits)),
            settings,
        }))
    }

    /// Queues a function. It runs in `home`; so do its destructors if it never runs.
    ///
    /// After [`close`](Self::close) the job is cancelled at once. If the system refuses a thread and the
    /// pool has none that could ever run the job, it is cancelled with a reason that says so.
    pub fn spawn<F, R, H>(
        &self,
        function: F,
        home: H,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> JoinHandle<R>
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
        H: Home,
    {
        let (task, handle) = self.prepare(function, home, extras, spawned_at);
        self.submit(task);
        handle
    }

    /// A job that is not in the queue yet.
    pub(crate) fn prepare<F, R, H>(
        &self,
        function: F,
        home: H,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> (Runnable, JoinHandle<R>)
    where
        F: FnOnce() -> R + Send + 'static,
        R: Send + 'static,
        H: Home,
    {
        let scheduler = job::Scheduler(home.clone());
        let future = job::Job::new(function, home);
        let (task, header) = raw::allocate(
            future,
            scheduler,
            AnyThread,
            extras,
            spawned_at,
            &Source::System,
        );
        (task, JoinHandle::new(header))
    }

    /// Queues a job.
    pub(crate) fn submit(&self, task: Runnable) {
        if let Some(brake) = self.brake() {
            brake.hold();
        }
        let submitted = self.0.state.lock().submit(task);
        match submitted {
            Submitted::Queued(help) => self.0.carry_out(help),
            Submitted::Closed(task) => self.0.end(task),
        }
    }

    /// Takes no more jobs, ends those that are queued, unrun, and lets threads end when their job has.
    pub fn close(&self) {
        let closed = self.0.state.lock().close();
        for sleeper in closed.sleepers {
            let _ = sleeper.unpark();
        }
        while let Some(task) = closed.jobs.pop() {
            self.0.end(task);
        }
    }

    /// [Closes](Self::close) the pool and waits until its threads have ended, at most for `timeout`.
    /// Returns the jobs that still run.
    ///
    /// On a thread of the pool, it does not wait for the job that called it, nor for others that wait
    /// here too.
    pub fn shut_down(&self, timeout: Option<Duration>) -> Vec<StuckJob> {
        self.close();
        let clock = Clock::real();
        let deadline = timeout.map(|timeout| clock.now() + timeout);
        let own = Place::in_pool(&self.0);
        let parker = StdArc::new(Parker::new());
        let begun = self.0.state.lock().begin_wait_for_end(own, &parker);
        for waiter in begun {
            let _ = waiter.unpark();
        }
        while !self.0.state.lock().has_ended(own) {
            let left = deadline.map(|deadline| deadline.duration_since(clock.now()));
            if left == Some(Duration::ZERO) {
                break;
            }
            // Why it returned does not matter: the state and the clock are looked at again.
            let _ = parker.park(left);
        }
        let mut state = self.0.state.lock();
        state.end_wait_for_end(own, &parker);
        state.running_jobs(own, &self.0.settings.thread_name)
    }

    /// What its jobs hold.
    pub fn brake(&self) -> Option<&StdArc<Brake>> {
        self.0.settings.brake.as_ref()
    }

    /// What the pool does now, and has done so far.
    pub fn metrics(&self) -> Metrics {
        self.0.state.lock().metrics()
    }

    /// Where the idle threads sleep, so that a model can end their sleep.
    pub fn sleepers(&self) -> Vec<StdArc<Parker>> {
        self.0.state.lock().sleepers()
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.close();
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pool = f.debug_struct("Pool");
        pool.field("settings", &self.0.settings);
        if let Some(state) = self.0.state.try_lock() {
            pool.field("metrics", &state.metrics());
        }
        pool.finish()
    }
}
