//! The run loop of a worker.
//!
//! ```text
//!   burst: LIFO slot (3 in a row) ─► deque ─► backlog
//!      │                                         nothing left
//!      ├─► own inbox                                 │
//!      ├─► every 100 µs: timers, poller,             ▼
//!      │   another inbox, some of the backlog      search: inboxes, backlogs, deques of the others
//!      ▼                                             │ nothing
//!   next burst ◄───────────── park (`park.rs`) ◄─────┘
//! ```
//!
//! Invariants:
//! - W1: only this thread puts tasks in its deque, its LIFO slot and its backlog.
//! - W2: no task starves. The LIFO slot goes first at most [`LIFO_STREAK`] times in a row; after a burst
//!   of [`BURST_MAX`] polls, or about [`CHECK_EVERY`], the inbox, timers, poller and backlog have their
//!   turn, each with a burst of tasks; every inbox of another worker is looked at in turn, too.
//! - W3: a task is linked in `owned` before the end of its first poll can be seen, and not at all if it
//!   ends there, unless it has a name: most tasks never touch a list.
//!
//! A task that joins another goes behind what is ready when that one ends, and not to the LIFO slot: who
//! spawns a hundred tasks and awaits them is polled once or twice, and not a hundred times.
//!
//! Rejected: the end of the deque for a task that yields. Whatever a timer or a socket wakes would wait
//! behind all that only want to go on computing.
//!
//! Tests: `tests/tests/multi_thread.rs`, `tests/tests/stress.rs`; `loom-tests/tests/multi_thread.rs`.

use core::cell::{Cell, RefCell};
use core::time::Duration;

use tenter_sync::current;
use tenter_sync::shim::size;
use tenter_timer::{Instant, Timers};

use super::Scheduler;
use super::deque::{CAPACITY, Deque, Stealer};
use super::idle::Idle;
use super::remote::Remote;
use super::stop::Phase;
use super::watch::Watch;
use crate::context::{self, Driving};
use crate::instrument::tell::Step;
use crate::scheduler::late::refuse;
use crate::scheduler::run_queue::RunQueue;
use crate::scheduler::shared::SchedulerRef;
use crate::task::Runnable;
use crate::task::alive::Alive;
use crate::task::raw::{Ending, Ran};

/// Polls between two looks at the inbox and the clock, at most.
const BURST_MAX: u32 = size(64, 2) as u32;

/// How often a busy worker looks at timers, the poller and its backlog.
const CHECK_EVERY: Duration = Duration::from_micros(size(100, 0) as u64);

/// How often in a row the LIFO slot goes before the deque.
const LIFO_STREAK: u32 = 3;

/// How many checks in a row the backlog may go without a turn.
const UNSERVED_MAX: u32 = 2;

/// A share of the backlog that is so small is taken task by task.
const SHARE_SMALL: u32 = 4;

/// How many tasks are moved at a time: half a deque.
pub const BATCH: usize = size(32, 1);

/// How long no thread is started after the system has refused one.
const START_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// What belongs to the thread of a worker alone.
pub struct Core {
    pub(super) deque: Deque,
    streak: Cell<u32>,
    burst: Cell<u32>,
    /// How many tasks of the backlog are run between two checks.
    share: Cell<u32>,
    /// How many were, since the last one.
    shared: Cell<u32>,
    /// And before that, since the last check that looked at everything.
    shared_before: Cell<u32>,
    /// How many such checks in a row have found that the backlog had no turn.
    unserved: Cell<u32>,
    last_check: Cell<Instant>,
    /// The number of polls at the last check.
    last_polls: Cell<u64>,
    /// A sample of the schedule delay: when it began, and the number of polls that ends it.
    sample: Cell<Option<(Instant, u64)>>,
    awake_since: Cell<Instant>,
    /// When timers last ended a sleep.
    pub(super) fired: Cell<Option<Instant>>,
    /// Wakes are collected, and the decision to wake another worker is left to the end.
    batching: Cell<bool>,
    /// What the batch has queued.
    batched: Cell<usize>,
    /// The task that is run has ended, and now tells who joins it.
    ending: Cell<bool>,
    pub(super) searching: Cell<bool>,
    /// It got up to look for work, and left no guard behind (D1 of `idle.rs`).
    pub(super) owes_guard: Cell<bool>,
    pub(super) random: Cell<u64>,
    /// Whose inbox is looked at next.
    next_inbox: Cell<usize>,
    pub watch: RefCell<Watch>,
    /// How far the runtime is on its way to the end, as far as this thread knows.
    phase: Cell<Phase>,
}

impl Core {
    /// For the worker `index`.
    pub fn new(index: usize, timers: &Timers) -> (Self, Stealer) {
        let (deque, stealer) = Deque::new();
        let core = Self {
            deque,
            streak: Cell::new(0),
            burst: Cell::new(BURST_MAX),
            share: Cell::new(1),
            shared: Cell::new(0),
            shared_before: Cell::new(0),
            unserved: Cell::new(0),
            last_check: Cell::new(timers.clock().now()),
            last_polls: Cell::new(0),
            sample: Cell::new(None),
            awake_since: Cell::new(timers.clock().now()),
            fired: Cell::new(None),
            batching: Cell::new(false),
            batched: Cell::new(0),
            ending: Cell::new(false),
            searching: Cell::new(false),
            owes_guard: Cell::new(false),
            random: Cell::new(index as u64 + 1),
            next_inbox: Cell::new(index),
            watch: RefCell::new(Watch::new()),
            phase: Cell::new(Phase::Open),
        };
        (core, stealer)
    }

    /// How the thread begins.
    pub fn set_searching(&self, searching: bool) {
        self.searching.set(searching);
    }
}

/// How many polls fit between two checks, if so many took this long; at most twice as many.
fn fits(count: u32, took: Duration, max: u32) -> u32 {
    let fit = CHECK_EVERY.as_nanos() * u128::from(count) / took.as_nanos().max(1);
    (fit.min(u128::from(2 * count)) as u32).clamp(1, max)
}

/// A worker on its thread.
pub struct Worker<'a> {
    pub shared: &'a SchedulerRef,
    pub scheduler: &'a Scheduler,
    pub index: usize,
    pub remote: &'a Remote,
    pub core: Box<Core>,
}

impl Worker<'_> {
    /// Runs tasks until the runtime ends.
    pub fn run(&self, driving: &Driving<'_>) {
        let mut rounds = 0;
        loop {
            if self.is_phase_new() && self.enter_phase() == Phase::Closing {
                break;
            }
            let more = self.run_burst(driving);
            if self.take_inbox(self.remote) {
                self.end_search();
            }
            if !more && !self.has_local() {
                if !self.search() {
                    self.park();
                }
                rounds = 0;
                continue;
            }
            // W2: an inbox that is filled again after every short burst keeps nobody from the timers.
            rounds += 1;
            if more || rounds >= self.core.burst.get() {
                self.check(driving);
                rounds = 0;
            }
        }
        if self.core.searching.take() {
            let _ = self.scheduler.crew.idle.end_search();
        }
    }

    /// Whether the runtime has come closer to its end since this thread last looked.
    #[inline]
    pub(super) fn is_phase_new(&self) -> bool {
        self.scheduler.stop.phase() != self.core.phase.get()
    }

    /// Whether every task is to be cancelled.
    #[inline]
    pub(super) fn is_draining(&self) -> bool {
        self.core.phase.get() == Phase::Draining
    }

    #[cold]
    fn enter_phase(&self) -> Phase {
        let phase = self.scheduler.stop.phase();
        self.core.phase.set(phase);
        if phase == Phase::Draining {
            self.cancel_listed();
        }
        phase
    }

    /// Runs ready tasks, at most a burst of them. True: there may be more.
    #[inline]
    fn run_burst(&self, driving: &Driving<'_>) -> bool {
        let draining = self.is_draining();
        for _ in 0..self.core.burst.get() {
            let Some(task) = self.next_task() else {
                return !self.remote.backlog.is_empty();
            };
            if draining {
                self.cancel_queued(&task);
            }
            self.run_task(driving, task);
        }
        true
    }

    #[inline]
    fn next_task(&self) -> Option<Runnable> {
        let streak = self.core.streak.get();
        if streak < LIFO_STREAK {
            if let Some(task) = self.remote.lifo.take() {
                self.core.streak.set(streak + 1);
                return Some(task);
            }
        }
        self.core.streak.set(0);
        if let Some(task) = self.core.deque.pop() {
            return Some(task);
        }
        if let Some(task) = self.remote.lifo.take() {
            return Some(task);
        }
        self.next_of_backlog()
    }

    /// The next task of the backlog, unless it has had its share until the next check.
    fn next_of_backlog(&self) -> Option<Runnable> {
        if self.remote.backlog.is_empty() {
            return None;
        }
        if self.core.share.get() <= SHARE_SMALL {
            // Each takes long: what is woken meanwhile goes before the next one.
            return self.take_share(1).pop();
        }
        // It is empty, so there is room.
        self.push_all(&self.take_share(CAPACITY));
        self.core.deque.pop()
    }

    /// Takes from the backlog what is left of its share, but no more than `limit`.
    fn take_share(&self, limit: usize) -> RunQueue {
        let tasks = RunQueue::default();
        let left = self.core.share.get().saturating_sub(self.core.shared.get());
        let limit = limit.min(left as usize);
        if limit > 0 {
            self.remote.backlog.take(limit, &tasks);
            let taken = tasks.len() as u32;
            self.core.shared.set(self.core.shared.get() + taken);
        }
        tasks
    }

    /// W2: the share of the backlog runs at once. In the deque there may be no room, and tasks that wake each
    /// other may keep it full for ever.
    fn turn_of_backlog(&self, driving: &Driving<'_>) {
        let clock = self.remote.timers.clock();
        let began = clock.now();
        while let Some(task) = self.take_share(1).pop() {
            if self.is_draining() {
                self.cancel_queued(&task);
            }
            self.run_task(driving, task);
        }
        let count = self.core.shared.take();
        let took = clock.now().duration_since(began);
        self.core.share.set(fits(count, took, BATCH as u32));
    }

    #[inline]
    fn run_task(&self, driving: &Driving<'_>, task: Runnable) {
        if self.scheduler.config.instruments.is_some() {
            self.run_told(driving, task);
        } else {
            self.run_as::<false>(driving, task);
        }
    }

    #[cold]
    fn run_told(&self, driving: &Driving<'_>, task: Runnable) {
        self.run_as::<true>(driving, task);
    }

    /// Runs a task; instruments are told, if there are any.
    #[inline(always)]
    fn run_as<const TOLD: bool>(&self, driving: &Driving<'_>, task: Runnable) {
        let step = if TOLD {
            self.shared.tell_step(&task)
        } else {
            Step::default()
        };
        driving.task.set(Some(task.pointer()));
        self.remote.progress.begin(&task.header());
        let enlist = |task: Alive<'_>| self.enlist_first(task);
        let unlist = |task: &Ending| {
            self.unlist_as::<TOLD>(task);
            self.core.ending.set(true);
        };
        let pending = || {
            if TOLD {
                self.shared.tell_pending(&step);
            }
        };
        // SAFETY: (a) no task of this scheduler has an owner.
        let ran = unsafe { task.run_telling(&driving.yielded, enlist, unlist, pending) };
        self.core.ending.set(false);
        self.remote.progress.end();
        driving.task.set(None);
        if TOLD {
            self.shared.tell_stepped(&step, &ran);
        }
        if let Ran::Requeue(task) = ran {
            self.remote.backlog.push(task);
        }
    }

    /// Whether a task that is spawned now will be run.
    pub fn takes_tasks(&self) -> bool {
        self.scheduler.stop.is_open()
    }

    /// Takes in a task that was spawned on this thread.
    #[inline]
    pub fn adopt(&self, task: Runnable) {
        self.remote.counters.spawned.add(1);
        if !self.scheduler.stop.is_open() {
            self.remote.counters.completed.add(1);
            refuse(self.shared, task);
            return;
        }
        self.enlist_if_named(&task);
        if self.remote.lifo.is_empty() && self.core.deque.is_empty() {
            let displaced = self.remote.lifo.put(task);
            debug_assert!(displaced.is_none(), "W1");
            return;
        }
        self.push(task);
        self.work_is_there();
    }

    /// Runs a task that was just made on this thread, in the middle of another one.
    pub fn run_eagerly(&self, driving: &Driving<'_>, task: Runnable) {
        self.remote.counters.spawned.add(1);
        if !self.scheduler.stop.is_open() {
            self.remote.counters.completed.add(1);
            refuse(self.shared, task);
            return;
        }
        self.enlist_if_named(&task);
        let step = self.shared.tell_step(&task);
        let outer = driving.task.replace(Some(task.pointer()));
        // What the outer task has asked for is not the inner one's.
        let yielded = driving.yielded.replace(false);
        let enlist = |task: Alive<'_>| self.enlist_first(task);
        let unlist = |task: &Ending| self.unlist(task);
        let pending = || self.shared.tell_pending(&step);
        // SAFETY: (a) no task of this scheduler has an owner.
        let ran = unsafe { task.run_telling(&driving.yielded, enlist, unlist, pending) };
        driving.yielded.set(yielded);
        driving.task.set(outer);
        self.shared.tell_stepped(&step, &ran);
        if let Ran::Requeue(task) = ran {
            self.remote.backlog.push(task);
            self.work_is_there();
        }
    }

    /// Queues a task that was woken on this thread.
    #[inline]
    pub fn enqueue(&self, task: Runnable) {
        if self.core.batching.get() {
            self.core.batched.set(self.core.batched.get() + 1);
            self.push(task);
            return;
        }
        if self.core.ending.get() && !self.core.deque.is_empty() {
            // Who joins many tasks would else be polled after each of them.
            self.push(task);
            return;
        }
        if let Some(displaced) = self.remote.lifo.put(task) {
            self.push(displaced);
            self.work_is_there();
        }
    }

    #[inline]
    pub(super) fn push(&self, task: Runnable) {
        if let Err(task) = self.core.deque.push(task) {
            self.remote.backlog.push(task);
        }
    }

    pub(super) fn push_all(&self, tasks: &RunQueue) {
        while let Some(task) = tasks.pop() {
            if let Err(task) = self.core.deque.push(task) {
                let rest = RunQueue::default();
                rest.push(task);
                rest.append(tasks);
                self.remote.backlog.append(&rest);
                return;
            }
        }
    }

    /// Another worker could take something from here.
    #[inline]
    pub(super) fn work_is_there(&self) {
        self.scheduler.wake_one(self.shared);
    }

    /// Whether this worker has something to run.
    #[inline]
    pub fn has_local(&self) -> bool {
        !self.core.deque.is_empty()
            || !self.remote.lifo.is_empty()
            || !self.remote.backlog.is_empty()
    }

    /// Runs `body`, whose wakes are queued as one batch with one decision to wake another worker. A panic
    /// of a waker, which is that of a foreign executor or a combinator, is reported.
    pub fn batch<R>(&self, body: impl FnOnce() -> R) -> Option<R> {
        let outer = self.core.batching.replace(true);
        let result = self
            .scheduler
            .config
            .guarded(&self.scheduler.counters, body);
        self.core.batching.set(outer);
        if !outer && self.core.batched.replace(0) > 1 {
            self.work_is_there();
        }
        result
    }

    /// A busy worker's look at timers, the poller and all that waits (W2).
    fn check(&self, driving: &Driving<'_>) {
        let now = self.remote.timers.clock().now();
        let since = now.duration_since(self.core.last_check.get());
        // What fits between two checks, from the speed of the polls since the last one. What yields is
        // counted by itself: it is what computes for long, between others that do not.
        let burst = self.core.burst.get();
        self.core.burst.set(fits(burst, since, BURST_MAX));
        let shared = self.core.shared_before.get() + self.core.shared.take();
        self.core.shared_before.set(shared);
        if shared > 0 {
            let most = 2 * self.core.share.get();
            let share = fits(shared, since, BATCH as u32);
            self.core.share.set(share.min(most));
        }
        if since < CHECK_EVERY {
            return;
        }
        // While the deque and the LIFO slot never run empty, the backlog gets no turn but this one. Twice,
        // because a worker that has lost its processor for so long has had no time for it.
        let served = self.core.shared_before.take() > 0 || self.remote.backlog.is_empty();
        let unserved = if served {
            0
        } else {
            self.core.unserved.get() + 1
        };
        self.core.unserved.set(unserved % UNSERVED_MAX);
        self.measure(now, since);
        self.core.last_check.set(now);
        if self.remote.timers.armed() > 0 {
            self.batch(|| self.remote.timers.fire_due(now));
        }
        if let Some(mut leading) = self.scheduler.lead.take() {
            self.turn(&mut leading, Some(Duration::ZERO));
        }
        let other = self.core.next_inbox.get() + 1;
        self.core.next_inbox.set(other);
        self.take_inbox(self.scheduler.crew.remote(other));
        self.glance_at_others(now);
        self.scheduler.retry_starts(now, START_AGAIN_AFTER);
        if unserved == UNSERVED_MAX {
            self.turn_of_backlog(driving);
        }
    }

    /// Records what the metrics want to know, every 100 microseconds or so.
    fn measure(&self, now: Instant, since: Duration) {
        let counters = &self.remote.counters;
        let polls = self.remote.progress.steps() / 2;
        let since_last = polls - self.core.last_polls.replace(polls);
        if let Ok(count @ 1..) = u32::try_from(since_last) {
            counters.poll_time.record(since / count, since_last);
        }
        if let Some((began, end)) = self.core.sample.get() {
            if polls < end {
                return;
            }
            counters.schedule_delay.record(now.duration_since(began), 1);
        }
        let ahead = self.core.deque.len() + self.remote.backlog.len();
        self.core.sample.set(Some((now, polls + ahead as u64 + 1)));
    }

    /// The worker falls asleep, or wakes up.
    pub fn measure_sleep(&self, asleep: bool) {
        let now = self.remote.timers.clock().now();
        if asleep {
            let busy = now.duration_since(self.core.awake_since.get());
            self.remote.counters.busy.add(busy.as_nanos() as u64);
            self.core.sample.set(None);
        } else {
            self.core.awake_since.set(now);
            self.core.last_check.set(now);
            self.core.last_polls.set(self.remote.progress.steps() / 2);
        }
    }

    /// Waits in the poller, or only looks.
    pub fn turn(&self, leading: &mut super::lead::Leading<'_>, timeout: Option<Duration>) {
        let turned = self.batch(|| leading.turn(timeout));
        if let Some(Err(_)) = turned {
            // Every operation on a socket has been given the error; there is nothing to wait for.
            self.remote.counters.poller_failures.add(1);
        }
    }

    /// It has been claimed, and so is searching; or it is searching no more, as it fell asleep.
    pub fn set_searching(&self, searching: bool) {
        self.core.searching.set(searching);
    }

    /// Calls `body`, which blocks. Nothing waits for it but the task that called: the others run what is
    /// queued here, and one more worker may be active meanwhile.
    pub fn while_blocked<R>(&self, body: impl FnOnce() -> R) -> R {
        struct Unblock<'a>(&'a Idle);
        impl Drop for Unblock<'_> {
            fn drop(&mut self) {
                self.0.unblock();
            }
        }
        if let Some(task) = self.remote.lifo.take() {
            self.push(task);
        }
        let watch = self.scheduler.config.watch.as_ref();
        let _in_place = watch.map(|watch| watch.in_place(self.index));
        let idle = &self.scheduler.crew.idle;
        idle.block();
        let _unblock = Unblock(idle);
        self.remote.counters.blocks.add(1);
        // Whether there is work now or not: what comes later may be a timer, or a socket.
        self.work_is_there();
        current::blocking(|| context::undriven(body))
    }
}
