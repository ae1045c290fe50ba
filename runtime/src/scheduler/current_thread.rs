//! One thread that runs every task: the scheduler of both single-threaded flavours.
//!
//! ```text
//!              ┌─────────────── seat (a lock) ───────────────┐
//!   block_on ──► takes the Core ──► run loop ──► puts it back ├──► next block_on
//!              └──────────────────────────────────────────────┘
//!
//!   run loop:  burst of tasks ──► inbox ──► due? timers, poller ──► nothing ready? park
//!                 ▲                                                          │
//!                 └──────────────────────────────────────────────────────────┘
//! ```
//!
//! The main future of `block_on` is a task like any other, so that it has its place in the line; its
//! cell holds a proxy for the future, which stays on the stack of the caller.
//!
//! Invariants:
//! - C1: whoever has the [`Core`] is the only one who polls, links and ends tasks.
//! - C2: a `!Send` task is run and dropped only by its owner; elsewhere it is set aside until its owner
//!   drives, which gets the core as soon as it waits for it, and at shutdown leaked and counted.
//! - C3: no task starves: after a burst of at most [`BURST_MAX`] polls, or about [`CHECK_EVERY`], the
//!   inbox, the timers and the poller are looked at; a yielding task goes behind all that are ready.
//!
//! Rejected: polling the main future whenever it is woken, before the queue. It saved a few
//! nanoseconds, and broke the order that a first-in-first-out program relies on.
//! Rejected: a `VecDeque` of pointers instead of links through the tasks. It allocates when it grows,
//! in a wake.
//!
//! Tests: `tests/tests/tasks.rs`, `tests/tests/block_on.rs`; `loom-tests/tests/current_thread.rs`.

use core::cell::{Cell, RefCell};
use core::panic::Location;
use core::ptr;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::Arc as StdArc;

use tenter_io as io;
use tenter_sync::book::{self, Book};
use tenter_sync::brake::Aside;
use tenter_sync::planted;
use tenter_sync::shim::size;
use tenter_sync::shim::thread::{self, ThreadId};
use tenter_timer::{Instant, Timers};

use super::inbox::Inbox;
use super::late::refuse;
use super::owned::OwnedList;
use super::parking::{Parking, ThreadParker};
use super::quiet::Quiet;
use super::run_queue::RunQueue;
use super::seat::Seat;
use super::shared;
use super::shutdown::{ShutdownReport, cancel_for_end};
use crate::builder::Config;
use crate::context::{self, Driving, Place};
use crate::instrument::tell::Step;
use crate::metrics::{Counters, RuntimeMetrics};
use crate::task::Runnable;
use crate::task::alive::Alive;
use crate::task::raw::{Ending, Ran};

/// Polls between two looks at the inbox and the clock. Enough to make the clock's price vanish; few
/// enough that a change from short polls to long ones is noticed after a handful of milliseconds.
const BURST_MAX: u32 = size(64, 2) as u32;

/// How often a busy loop looks at timers and the poller.
const CHECK_EVERY: Duration = Duration::from_micros(size(100, 0) as u64);

/// The part of a scheduler that any thread may use.
pub struct Scheduler {
    pub inbox: Inbox,
    pub parking: StdArc<Parking>,
    pub timers: Timers,
    pub io: io::Handle,
    pub config: Config,
    pub counters: Counters,
    pub seat: Seat,
    /// What tasks here wait for: under a virtual clock for the report of a deadlock, else if it was asked for.
    pub book: Option<StdArc<Book>>,
    /// Who waits for all tasks to be blocked.
    pub quiet: Quiet,
}

/// The part of a scheduler that belongs to the driving thread (C1).
pub struct Core {
    pub queue: RunQueue,
    pub owned: OwnedList,
    /// `!Send` tasks that were woken while another thread than their owner drove (C2).
    pub aside: RefCell<Vec<Runnable>>,
    /// What is ready, for a random order to draw from.
    pub bag: RefCell<Vec<Runnable>>,
    pub(super) poller: RefCell<io::Driver>,
    phase: Cell<Phase>,
    burst: Cell<u32>,
    pub(super) last_check: Cell<Instant>,
    driven_at: Cell<&'static Location<'static>>,
}

/// How far the runtime is on its way to the end. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// It takes tasks.
    Open,
    /// It takes none, and those that it has are cancelled; they are run until they have stopped.
    Draining,
    /// Nothing is queued any more.
    Closing,
}

/// Why a run loop ended.
#[must_use]
pub enum RunEnded {
    /// What it ran for has happened.
    Done,
    /// This thread waits for the core, and a task that only it may run is ready.
    Wanted(ThreadId),
    /// Nothing is ready, and it was not to wait.
    Idle,
}

impl Scheduler {
    /// A scheduler that nobody drives yet.
    #[track_caller]
    pub fn new(config: Config) -> Self {
        let parking = Parking::new();
        let clock = config.clock();
        let book = config.book(&clock);
        let timers = Timers::new(clock, parking.waker());
        let poller = io::Driver::new(parking.waker());
        let io = poller.handle().clone();
        parking.set_poller(Some(io.clone()));
        let core = Core {
            queue: RunQueue::default(),
            owned: OwnedList::default(),
            aside: RefCell::new(Vec::new()),
            bag: RefCell::new(Vec::new()),
            poller: RefCell::new(poller),
            phase: Cell::new(Phase::Open),
            burst: Cell::new(BURST_MAX),
            last_check: Cell::new(timers.clock().now()),
            driven_at: Cell::new(Location::caller()),
        };
        Self {
            inbox: Inbox::new(),
            parking,
            timers,
            io,
            config,
            counters: Counters::default(),
            seat: Seat::new(Box::new(core)),
            book,
            quiet: Quiet::default(),
        }
    }

    /// Queues a task that was woken: here, if this thread drives, else in the inbox.
    #[inline]
    pub fn schedule(&self, address: *const shared::Scheduler, task: Runnable) {
        let remote = context::with_driving(|driving| match driving {
            Some(driving) if ptr::eq(driving.scheduler.address(), address) => {
                if let Place::Thread(core) = driving.place {
                    core.enqueue(task);
                }
                None
            }
            _ => Some(task),
        });
        if let Some(task) = remote {
            // Refused when the runtime has ended: then the task has ended too, or shutdown ends it.
            if self.inbox.push(task).is_ok() {
                self.parking.wake_if_parked();
            }
        }
    }

    /// Takes a task in that another thread spawned, or ends it if the runtime has ended.
    pub fn spawn_remote(&self, shared: &shared::Scheduler, task: Runnable) {
        self.counters.remote_spawns.add_shared(1);
        match self.inbox.push(task) {
            Ok(()) => self.parking.wake_if_parked(),
            Err(task) => refuse(shared, task),
        }
    }

    /// Runs tasks until `done`, or until the core is wanted by a thread that has tasks of its own.
    pub fn run_until(
        &self,
        driving: &Driving<'_>,
        core: &Core,
        done: impl Fn() -> bool,
    ) -> RunEnded {
        let wait = || {
            self.idle(driving, core);
            true
        };
        // None on a real clock.
        let _aside = driving.scheduler.blocking.brake().map(Aside::begin);
        book::lend(self.book.as_ref(), || {
            self.run_loop(driving, core, done, wait)
        })
    }

    /// `idle`: nothing is ready. False: the loop is to end.
    pub(super) fn run_loop(
        &self,
        driving: &Driving<'_>,
        core: &Core,
        done: impl Fn() -> bool,
        idle: impl Fn() -> bool,
    ) -> RunEnded {
        let mut rounds = 0;
        loop {
            let full = self.run_burst(driving, core, &done);
            if done() {
                return RunEnded::Done;
            }
            self.take_inbox(core);
            if let Some(owner) = self.wanted_by(core) {
                return RunEnded::Wanted(owner);
            }
            if !full && core.queue.is_empty() {
                if !idle() {
                    return RunEnded::Idle;
                }
                rounds = 0;
                continue;
            }
            // C3: an inbox that is filled again after every short burst keeps nobody from the timers.
            rounds += 1;
            if full || rounds >= core.burst.get() {
                self.check(core);
                rounds = 0;
            }
        }
    }

    /// The thread that waits for the core and has a task here that is ready (C2).
    pub fn wanted_by(&self, core: &Core) -> Option<ThreadId> {
        let aside = core.aside.borrow();
        if aside.is_empty() {
            return None;
        }
        self.seat
            .first_waiting(aside.iter().filter_map(Runnable::owner))
    }

    /// Runs ready tasks, at most a burst of them. True: there may be more.
    #[inline]
    fn run_burst(&self, driving: &Driving<'_>, core: &Core, done: &impl Fn() -> bool) -> bool {
        for _ in 0..core.burst.get() {
            let Some(task) = self.next_task(core) else {
                return false;
            };
            self.run_task(driving, core, task);
            if done() {
                return false;
            }
        }
        true
    }

    #[inline]
    fn next_task(&self, core: &Core) -> Option<Runnable> {
        match &self.config.choices {
            None => core.queue.pop(),
            Some(choices) => choices.next_task(core),
        }
    }

    /// Runs a task that this thread has just made, in the middle of another one.
    pub fn run_eagerly(&self, driving: &Driving<'_>, core: &Core, task: Runnable) {
        if let Some(task) = core.adopt_running(driving.scheduler, task) {
            // What the outer task has asked for is not the inner one's.
            let yielded = driving.yielded.replace(false);
            self.run_task(driving, core, task);
            driving.yielded.set(yielded);
        }
    }

    #[inline]
    fn run_task(&self, driving: &Driving<'_>, core: &Core, task: Runnable) {
        if let Some(owner) = task.owner() {
            if owner != thread::current_id() {
                // C2: its owner will find it when it drives next.
                core.aside.borrow_mut().push(task);
                return;
            }
        }
        if self.config.instruments.is_some() {
            self.run_told(driving, core, task);
        } else {
            self.run_as::<false>(driving, core, task);
        }
    }

    #[cold]
    fn run_told(&self, driving: &Driving<'_>, core: &Core, task: Runnable) {
        self.run_as::<true>(driving, core, task);
    }

    /// Runs a task that this thread may run; instruments are told, if there are any.
    #[inline(always)]
    fn run_as<const TOLD: bool>(&self, driving: &Driving<'_>, core: &Core, task: Runnable) {
        let header = task.pointer();
        let step = if TOLD {
            driving.scheduler.tell_step(&task)
        } else {
            Step::default()
        };
        let outer = driving.task.replace(Some(header));
        self.counters.polls.add(1);
        let unlist = |task: &Ending| {
            core.owned.remove(task);
            self.counters.completed.add(1);
            book::forget(task.slot.id());
            if TOLD {
                driving.scheduler.tell_exited(task);
            }
        };
        let pending = || {
            if TOLD {
                driving.scheduler.tell_pending(&step);
            }
        };
        // It is on the list since it was taken in.
        let enlist = |_: Alive<'_>| None;
        // SAFETY: (a) the owner, if any, is this thread.
        let ran = unsafe { task.run_telling(&driving.yielded, enlist, unlist, pending) };
        driving.task.set(outer);
        if TOLD {
            driving.scheduler.tell_stepped(&step, &ran);
        }
        if let Ran::Requeue(task) = ran {
            core.queue.push(task);
        }
    }

    /// Moves what other threads woke or spawned to the queue.
    pub fn take_inbox(&self, core: &Core) {
        for task in self.inbox.take() {
            core.adopt_remote(&self.counters, task);
        }
    }

    /// A busy loop's look at timers and the poller (C3).
    fn check(&self, core: &Core) {
        let now = self.timers.clock().now();
        if self.config.is_virtual() {
            // A busy virtual clock stands still; the poller is looked at once a burst.
            self.poll_io(core, Some(Duration::ZERO));
            return;
        }
        let since = now.duration_since(core.last_check.get());
        let burst = core.burst.get();
        if since < CHECK_EVERY {
            core.burst.set((burst * 2).min(BURST_MAX));
            return;
        }
        // The burst that fits between two looks, from the speed of the polls since the last one.
        let share = CHECK_EVERY.as_nanos() * u128::from(burst) / since.as_nanos().max(1);
        core.burst.set((share as u32).clamp(1, BURST_MAX));
        core.last_check.set(now);
        if self.timers.armed() > 0 {
            self.fire_timers(now);
        }
        self.poll_io(core, Some(Duration::ZERO));
    }

    /// Looks at, or waits in, the poller if there is one.
    pub fn poll_io(&self, core: &Core, timeout: Option<Duration>) {
        if self.io.is_started() {
            self.wait_io(core, timeout);
            self.dispatch_io(core);
        }
    }

    /// Wakes whoever waits for what the poller has found.
    fn dispatch_io(&self, core: &Core) {
        self.config
            .guarded(&self.counters, || core.poller.borrow_mut().dispatch());
    }

    fn wait_io(&self, core: &Core, timeout: Option<Duration>) {
        let waited = self
            .config
            .guarded(&self.counters, || core.poller.borrow_mut().wait(timeout));
        if let Some(Err(_)) = waited {
            // Every operation on a socket has been given the error; there is nothing to wait for.
            self.counters.poller_failures.add(1);
        }
    }

    /// Wakes whoever waits for a timer that is due.
    pub fn fire_timers(&self, now: Instant) {
        self.config
            .guarded(&self.counters, || self.timers.fire_due(now));
    }

    /// Nothing is ready: sleeps until something may be.
    fn idle(&self, driving: &Driving<'_>, core: &Core) {
        self.config.hooks.park();
        let instruments = self.config.instruments.as_deref();
        let waits = instruments.map(|instruments| instruments.io_wait(0));
        // The hook may have spawned or woken something. What comes from other threads is looked for
        // again after the announcement, but a virtual clock may jump before.
        if !self.is_something_ready(core) && !self.tell_quiet(core) {
            self.counters.parks.add(1);
            if self.config.is_virtual() {
                self.idle_virtual(core, &driving.scheduler.blocking);
            } else {
                self.idle_real(core);
            }
        }
        drop(waits);
        self.config.hooks.unpark();
    }

    fn idle_real(&self, core: &Core) {
        let deadline = self.timers.begin_park();
        let timeout = deadline.map(|deadline| deadline.duration_since(self.timers.clock().now()));
        if timeout != Some(Duration::ZERO) {
            self.sleep(core, timeout);
        }
        self.timers.end_park();
        if deadline.is_some() || self.timers.armed() > 0 {
            let now = self.timers.clock().now();
            core.last_check.set(now);
            self.fire_timers(now);
        }
    }

    /// Sleeps, unless another thread has left work, and wakes whoever waits for what came.
    pub fn sleep(&self, core: &Core, timeout: Option<Duration>) {
        if self.sleep_only(core, timeout) {
            self.dispatch_io(core);
        }
    }

    /// Sleeps, unless another thread has left work. True: in the poller.
    pub(super) fn sleep_only(&self, core: &Core, timeout: Option<Duration>) -> bool {
        let in_poller = self.io.is_started();
        if !self.parking.announce(in_poller) {
            return false;
        }
        // S3: whatever was published before the announcement could be seen is seen now.
        if !self.inbox.is_empty() && !planted!("inbox.no_recheck") {
            self.parking.awake(in_poller);
        } else if in_poller {
            self.wait_io(core, timeout);
            self.parking.awake(true);
            return true;
        } else {
            self.parking.sleep(timeout);
        }
        false
    }

    /// What it has done so far.
    pub fn metrics(&self) -> RuntimeMetrics {
        let completed = self.counters.completed.get();
        let spawned = self.counters.spawned.get();
        RuntimeMetrics {
            workers: 1,
            alive_tasks: spawned.saturating_sub(completed),
            spawned_tasks: spawned,
            completed_tasks: completed,
            remote_spawns: self.counters.remote_spawns.get(),
            polls: self.counters.polls.get(),
            parks: self.counters.parks.get(),
            armed_timers: self.timers.armed(),
            waiting_io: self.io.waiting(),
            unobserved_failures: self.counters.unobserved.get(),
            leaked_tasks: self.counters.leaked.get(),
            poller_failures: self.counters.poller_failures.get(),
            ..RuntimeMetrics::default()
        }
    }

    /// Ends every task and closes everything. Only with the core, and in its context.
    pub fn close_drivers(&self) {
        self.parking.set_poller(None);
        self.config.guarded(&self.counters, || self.io.shutdown());
        self.config
            .guarded(&self.counters, || self.timers.shutdown());
    }
}

impl Core {
    /// Queues a task on this thread.
    #[inline]
    pub fn enqueue(&self, task: Runnable) {
        // At shutdown the tasks are ended one by one, wherever they are queued.
        if self.phase.get() != Phase::Closing {
            self.queue.push(task);
        }
    }

    /// Whether a task that is spawned now will be run.
    pub fn takes_tasks(&self) -> bool {
        self.phase.get() == Phase::Open
    }

    /// Takes in a task that this thread spawned.
    #[inline]
    pub fn adopt(&self, scheduler: &shared::Scheduler, task: Runnable) {
        scheduler.counters().spawned.add(1);
        if self.phase.get() != Phase::Open {
            scheduler.counters().completed.add(1);
            refuse(scheduler, task);
            return;
        }
        self.owned.insert(task.pointer());
        self.queue.push(task);
    }

    /// Takes in a task that this thread spawned and is about to run, without a place in the queue. `None`: the
    /// runtime ends, and with it the task.
    pub fn adopt_running(&self, scheduler: &shared::Scheduler, task: Runnable) -> Option<Runnable> {
        scheduler.counters().spawned.add(1);
        if self.phase.get() != Phase::Open {
            scheduler.counters().completed.add(1);
            refuse(scheduler, task);
            return None;
        }
        self.owned.insert(task.pointer());
        Some(task)
    }

    fn adopt_remote(&self, counters: &Counters, task: Runnable) {
        // A task that has never run comes through the inbox only when another thread spawned it.
        if task.header().state.load().is_fresh() {
            counters.spawned.add(1);
            self.owned.insert(task.pointer());
            if self.phase.get() == Phase::Draining {
                // Queued, so it is noted, and the task ends unpolled.
                cancel_for_end(task.header(), &mut ShutdownReport::default());
            }
        }
        self.queue.push(task);
    }

    /// Takes no task in any more, and cancels all that can run on this thread. Returns how many cannot.
    pub fn begin_drain(&self, report: &mut ShutdownReport) -> u64 {
        self.phase.set(Phase::Draining);
        let here = thread::current_id();
        let cancel = |task: Alive<'_>| cancel_for_end(task, report);
        self.owned.for_each_runnable(here, cancel)
    }

    /// The tasks set aside for this thread are ready again.
    pub fn take_aside(&self) {
        let aside = core::mem::take(&mut *self.aside.borrow_mut());
        for task in aside {
            self.queue.push(task);
        }
    }

    /// From now on nothing is queued and no task is taken in.
    pub fn close(&self) {
        self.phase.set(Phase::Closing);
        self.queue.clear();
        self.bag.borrow_mut().clear();
        self.aside.borrow_mut().clear();
    }

    /// Where the `block_on` that drives was called.
    pub fn driven_at(&self) -> &'static Location<'static> {
        self.driven_at.get()
    }

    /// Notes where the `block_on` that drives was called.
    pub fn set_driven_at(&self, place: &'static Location<'static>) {
        self.driven_at.set(place);
    }
}

/// Polls a future on a thread that drives no scheduler. `None`: it is not ready, and the thread was
/// woken.
pub fn poll_parked<T>(
    thread: &StdArc<ThreadParker>,
    waker: &Waker,
    poll: &mut dyn FnMut(&mut Context<'_>) -> Poll<T>,
) -> Option<T> {
    match poll(&mut Context::from_waker(waker)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => {
            thread.park();
            None
        }
    }
}
