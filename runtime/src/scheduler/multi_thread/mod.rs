//! Many threads that run tasks, and take work from each other.
//!
//! ```text
//!  any thread ──► inbox of a worker (sticky) ─┐
//!                                             ▼
//!    worker 0: LIFO slot ► deque ► backlog ◄──┘      worker 1: LIFO slot ► deque ► backlog
//!                            ▲         ▲                          │
//!                            └─────────┴────────── steals ────────┘
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`worker`], [`steal`] | the run loop, and all that happens on the thread of a worker |
//! | [`park`], [`idle`], [`watch`], [`lead`] | how workers sleep, who is woken, who guards and who leads the poller |
//! | [`remote`] | what all threads know of a worker |
//! | [`deque`], [`lifo`], [`backlog`] | its queues; the inbox is that of the single-threaded scheduler |
//! | [`drain`], [`stop`] | the end of the runtime: the graceful part, and the rest |
//!
//! Tests: `tests/tests/multi_thread.rs`; `loom-tests/tests/multi_thread.rs`.

pub mod backlog;
pub mod deque;
pub mod drain;
mod enlist;
pub mod idle;
pub mod lead;
#[expect(unsafe_code, reason = "a task pointer in an atomic")]
pub mod lifo;
pub mod metrics;
mod park;
#[expect(unsafe_code, reason = "reads where a task was spawned")]
pub mod remote;
mod steal;
#[expect(unsafe_code, reason = "ends tasks")]
pub mod stop;
pub mod watch;
#[expect(unsafe_code, reason = "runs tasks")]
pub mod worker;

use core::time::Duration;
use std::io as std_io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc as StdArc, OnceLock};
use std::task::{Wake, Waker};

use tenter_io as io;
use tenter_sync::book::{self, Book};
use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering, fence};
use tenter_sync::shim::diagnostic::AtomicU64;
use tenter_sync::shim::{CachePadded, MODELLED, local, size, thread};
use tenter_timer::{Clock, Instant};

use self::idle::{Claim, Idle, Nudge};
use self::lead::Lead;
use self::remote::Remote;
use self::stop::Stop;
pub use self::worker::Worker;
use super::late::refuse;
use super::shared::{self, Kind, SchedulerRef};
use crate::builder::Config;
use crate::context::{self, Driving, Place};
use crate::handle::Handle;
use crate::metrics::{Counters, RuntimeMetrics};
use crate::task::Runnable;
use crate::task::cell::Header;

/// A scheduler of many threads.
pub struct Scheduler {
    pub config: Config,
    /// The counts of threads that are not workers.
    pub counters: Counters,
    pub crew: StdArc<Crew>,
    pub lead: Lead,
    pub stop: Stop,
    /// What tasks here wait for, if it was asked for.
    pub book: Option<StdArc<Book>>,
    /// When the system last refused a thread, in nanoseconds on the clock; 0 is never.
    refused_at: AtomicU64,
}

/// The workers, apart from the scheduler: the poller's waker needs them, and must not keep the scheduler.
pub struct Crew {
    pub idle: Idle,
    /// Made when its thread is about to be started; then it stays.
    remotes: Box<[OnceLock<Box<CachePadded<Remote>>>]>,
    /// How many of them are made: the first ones.
    made: AtomicUsize,
    workers: usize,
}

/// How many workers can stand in for others that block on purpose. Their threads are started when they are
/// needed.
pub const SPARES: usize = size(256, 1);

/// The drivers that a thread has entered.
#[derive(Debug)]
pub struct Entered {
    pub _timers: Option<tenter_timer::EnterGuard>,
    pub _io: Option<io::EnterGuard>,
}

local! {
    /// Where this thread leaves work for workers: always with the same one, so that threads that spawn
    /// do not write to one line.
    static STICKY: u8 = const { 0 };
}

/// A number of this thread.
fn sticky() -> usize {
    if MODELLED {
        // A schedule has to be repeatable, and addresses are not.
        return 0;
    }
    // The address is as good as a number: it differs from thread to thread.
    STICKY
        .try_with(|here| core::ptr::from_ref(here).addr() >> 12)
        .unwrap_or(0)
}

impl Crew {
    fn new(workers: usize) -> Self {
        Self {
            idle: Idle::new(workers, SPARES),
            remotes: (0..workers + SPARES).map(|_| OnceLock::new()).collect(),
            made: AtomicUsize::new(0),
            workers,
        }
    }

    /// Makes the worker `index`, if it is not there yet, and those before it: whoever starts one of them
    /// may come later, or never, if the runtime ends meanwhile.
    fn make(&self, index: usize, poller: &io::Handle) {
        for (index, place) in self.remotes.iter().enumerate().take(index + 1) {
            place.get_or_init(|| {
                let remote = Remote::new(Clock::real(), index, poller.clone());
                Box::new(CachePadded::new(remote))
            });
        }
        // ORDERING: Release pairs with the Acquire in `len`: the worker is visible.
        self.made.fetch_max(index + 1, Ordering::Release);
    }

    /// How many workers there are; some may be without a thread.
    pub fn len(&self) -> usize {
        // ORDERING: Acquire pairs with the Release in `make`.
        self.made.load(Ordering::Acquire)
    }

    /// The worker with a number, which is taken modulo the number of workers.
    pub fn remote(&self, index: usize) -> &Remote {
        let remote = self.remotes[index % self.len()].get();
        remote.expect("workers are made in order, and counted afterwards")
    }

    /// All workers.
    pub fn remotes(&self) -> impl Iterator<Item = &Remote> {
        let made = self.remotes[..self.len()].iter();
        made.filter_map(|remote| remote.get().map(|remote| &***remote))
    }

    /// All workers, beginning anywhere.
    pub fn remotes_from(&self, first: usize) -> impl Iterator<Item = &Remote> {
        let len = self.len();
        (first..first + len).map(move |index| self.remote(index % len))
    }

    /// Whether some queue holds a task that any worker may take.
    pub fn has_stealable(&self) -> bool {
        self.remotes().any(Remote::has_stealable)
    }

    /// Takes a task that ends off the list that it is on, if any.
    #[inline]
    pub fn unlist(&self, header: &Header) {
        if let Some(list) = header.state.load().list() {
            self.remote(list).owned.lock().remove(header);
        }
    }
}

/// Wakes a worker when there is a poller to lead.
impl Wake for Crew {
    fn wake(self: StdArc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &StdArc<Self>) {
        if let Some(worker) = self.idle.any_sleeper() {
            self.remote(worker).parking.interrupt();
        }
    }
}

impl Scheduler {
    /// A scheduler with its first worker running.
    pub fn start(config: Config, workers: usize) -> std_io::Result<SchedulerRef> {
        let crew = StdArc::new(Crew::new(workers));
        let book = config.book(&Clock::real());
        let driver = io::Driver::new(Waker::from(StdArc::clone(&crew)));
        let shared = SchedulerRef::new(Kind::MultiThread(Self {
            config,
            counters: Counters::default(),
            crew,
            lead: Lead::new(driver),
            stop: Stop::new(),
            book,
            refused_at: AtomicU64::new(0),
        }));
        if let Some(scheduler) = shared.multi_thread() {
            if let Err(error) = scheduler.start_worker(&shared, 0, false) {
                scheduler.close_drivers();
                return Err(error);
            }
        }
        Ok(shared)
    }

    /// Enters the timers of a worker, and the poller, on a thread that is none.
    pub fn enter_drivers(&self) -> Entered {
        Entered {
            _timers: Some(self.sticky_worker().timers.enter()),
            _io: Some(self.lead.handle().enter()),
        }
    }

    /// The worker that this thread leaves its work with.
    fn sticky_worker(&self) -> &Remote {
        self.crew.remote(sticky())
    }

    /// Queues a task that was woken: here, if this thread is a worker, else in an inbox.
    #[inline]
    pub fn schedule(&self, shared: &SchedulerRef, task: Runnable) {
        let remote = context::with_driving(|driving| match driving {
            Some(driving) if core::ptr::eq(driving.scheduler.address(), shared.address()) => {
                if let Place::Worker(worker) = driving.place {
                    worker.enqueue(task);
                }
                None
            }
            _ => Some(task),
        });
        if let Some(task) = remote {
            // Refused when the runtime has ended: then the task has ended too, or shutdown ends it.
            let _ = self.submit(shared, task);
        }
    }

    /// Takes a task in that another thread spawned, or ends it if the runtime has ended.
    pub fn spawn_remote(&self, shared: &SchedulerRef, task: Runnable) {
        // Threads that spawn without end would else keep the workers busy with ending tasks.
        if !self.stop.is_open() {
            refuse(shared, task);
            return;
        }
        if let Err(task) = self.submit(shared, task) {
            refuse(shared, task);
        }
    }

    /// Takes a task in that ran on a thread that is no worker, or ends it if the runtime has ended.
    pub fn adopt_late(&self, shared: &SchedulerRef, task: Runnable) {
        if let Err(task) = self.submit(shared, task) {
            self.counters.completed.add_shared(1);
            refuse(shared, task);
        }
    }

    fn submit(&self, shared: &SchedulerRef, task: Runnable) -> Result<(), Runnable> {
        self.sticky_worker().inbox.push(task)?;
        if !planted!("idle.no_fence_after_push") {
            // I2, pairs with W2 and E2 in `idle.rs`.
            fence(Ordering::SeqCst);
        }
        self.wake_one(shared);
        Ok(())
    }

    /// Work was published: sees to it that somebody looks for it.
    #[inline]
    pub fn wake_one(&self, shared: &SchedulerRef) {
        match self.crew.idle.claim() {
            Claim::Nobody => {}
            Claim::Worker(claimed, nudge) => self.wake_claimed(shared, claimed, nudge),
        }
    }

    #[cold]
    fn wake_claimed(&self, shared: &SchedulerRef, mut claimed: Nudge, mut guard: Option<Nudge>) {
        loop {
            let refused = match claimed {
                Nudge::Wake(worker) => {
                    self.crew.remote(worker).parking.interrupt();
                    false
                }
                Nudge::Start(worker) => self.start_or_report(shared, worker, true),
            };
            if let Some(guard) = guard {
                self.nudge(shared, guard);
            }
            if !refused {
                return;
            }
            // Somebody else has to look.
            match self.crew.idle.claim() {
                Claim::Nobody => return,
                Claim::Worker(next, next_guard) => (claimed, guard) = (next, next_guard),
            }
        }
    }

    /// Wakes a worker that is to guard.
    #[cold]
    pub fn nudge(&self, shared: &SchedulerRef, nudge: Nudge) {
        match nudge {
            Nudge::Wake(worker) => self.crew.remote(worker).parking.interrupt(),
            Nudge::Start(worker) => {
                self.start_or_report(shared, worker, false);
            }
        }
    }

    /// True: the system refused the thread.
    fn start_or_report(&self, shared: &SchedulerRef, worker: usize, claimed: bool) -> bool {
        let Err(error) = self.start_worker(shared, worker, claimed) else {
            return false;
        };
        self.crew.idle.refused(worker, claimed);
        let now = self.crew.remote(0).timers.clock().now();
        // ORDERING: Relaxed. A hint.
        let first = self.refused_at.swap(now.as_nanos(), Ordering::Relaxed) == 0;
        self.counters.refused_threads.add_shared(1);
        if first {
            self.config.report_line(&format!(
                "tenter: the system refused the thread of worker {worker}: {error}. The runtime goes on \
                 with the workers it has, and tries again from time to time"
            ));
        }
        true
    }

    /// Tries again to start threads, some time after one was refused.
    pub fn retry_starts(&self, now: Instant, after: Duration) {
        // ORDERING: Relaxed. A hint.
        let refused = self.refused_at.load(Ordering::Relaxed);
        if refused != 0 && now.as_nanos().saturating_sub(refused) as u128 > after.as_nanos() {
            // ORDERING: Relaxed. As above. Not 0: the second line would say the same as the first.
            self.refused_at.store(now.as_nanos(), Ordering::Relaxed);
            self.crew.idle.retry_starts();
        }
    }

    fn start_worker(
        &self,
        shared: &SchedulerRef,
        index: usize,
        claimed: bool,
    ) -> std_io::Result<()> {
        self.stop.start(|| {
            self.crew.make(index, self.lead.handle());
            let shared = shared.clone();
            let name = format!("{}-worker-{index}", self.config.thread_name);
            thread::spawn_named_with_stack(&name, self.config.thread_stack_size, move || {
                main(&shared, index, claimed);
            })
        })
    }

    /// What it has done so far.
    pub fn metrics(&self) -> RuntimeMetrics {
        let mut metrics = RuntimeMetrics {
            workers: self.crew.workers,
            spawned_tasks: self.counters.spawned.get(),
            completed_tasks: self.counters.completed.get(),
            waiting_io: self.lead.handle().waiting(),
            unobserved_failures: self.counters.unobserved.get(),
            leaked_tasks: self.counters.leaked.get(),
            ..RuntimeMetrics::default()
        };
        metrics.refused_threads = self.counters.refused_threads.get();
        for remote in self.crew.remotes() {
            let worker = remote.metrics();
            metrics.spawned_tasks += worker.spawned_tasks;
            metrics.completed_tasks += worker.completed_tasks;
            metrics.remote_spawns += remote.counters.remote_spawned.get();
            metrics.polls += worker.polls;
            metrics.parks += worker.parks;
            metrics.armed_timers += remote.timers.armed();
            metrics.poller_failures += remote.counters.poller_failures.get();
            metrics
                .poll_time
                .merge(&remote.counters.poll_time.snapshot());
            let delay = remote.counters.schedule_delay.snapshot();
            metrics.schedule_delay.merge(&delay);
            metrics.per_worker.push(worker);
        }
        metrics.alive_tasks = metrics
            .spawned_tasks
            .saturating_sub(metrics.completed_tasks);
        metrics
    }
}

/// The thread of a worker.
fn main(shared: &SchedulerRef, index: usize, claimed: bool) {
    let Some(scheduler) = shared.multi_thread() else {
        return;
    };
    let remote = scheduler.crew.remote(index);
    let Some(core) = remote.core.lock().take() else {
        return;
    };
    core.set_searching(claimed);
    thread::sleep_precisely();
    let entered = context::enter(Handle::new(shared.clone()));
    let timers = remote.timers.enter();
    let io = scheduler.lead.handle().enter();
    let worker = Worker {
        shared,
        scheduler,
        index,
        remote,
        core,
    };
    let instruments = scheduler.config.instruments.as_deref();
    if let Some(instruments) = instruments {
        instruments.before_run(index);
    }
    scheduler.config.hooks.start_quietly();
    let driving = Driving::new(shared, Place::Worker(&worker));
    context::drive(&driving, || {
        // A panic in here is a bug of the scheduler, not of a task. It has been printed; the worker goes
        // on, for nothing but its own tasks' places could be in disorder.
        let run = || book::lend(scheduler.book.as_ref(), || worker.run(&driving));
        while catch_unwind(AssertUnwindSafe(run)).is_err() {}
        worker.retire();
    });
    if let Some(instruments) = instruments {
        instruments.after_run(index);
    }
    scheduler.config.hooks.stop();
    drop(driving);
    drop(worker);
    drop((timers, io));
    context::leave(entered);
}

/// Whether the calling thread is a worker of this scheduler.
pub fn is_worker_of(shared: &shared::Scheduler) -> bool {
    context::with_driving(|driving| {
        driving.is_some_and(|driving| core::ptr::eq(driving.scheduler.address(), shared))
    })
}
