//! The end of a runtime with many threads.
//!
//! ```text
//!   Open ── drain ──► Draining ── close ──► Closing ── the last worker has retired ──► Ended
//!     └──────────────── close ────────────────▲
//! ```
//!
//! Draining, which is in `drain.rs`, is the graceful part: every task is cancelled and goes on being run
//! until it has stopped. From the close on, what is left is ended wherever it is:
//!
//! 1. [`Scheduler::shut_down`] closes: no thread is started any more, spawned tasks are refused by workers;
//!    every worker is interrupted and leaves its run loop after its present poll.
//! 2. Each worker retires: it ends the tasks in the queues, and those on the lists that sleep, its own and
//!    the others'. A worker that is stuck in a poll keeps nobody from this.
//! 3. The last one to retire closes the inboxes, ends what is left, wherever it is, and closes timers and
//!    sockets.
//! 4. Whoever shuts down waits for this as long as they like, and names the polls that are in progress.
//!
//! # Who may end a task
//!
//! Whoever has its place in a queue, or whoever takes it from its sleep in one step of its word
//! ([`State::claim_idle_for_shutdown`](crate::task::state::State::claim_idle_for_shutdown)): then it is in
//! no queue, and no wake will put it into one. A task that is being polled is ended when the thread that
//! polls it retires. In step 3 all queues are empty and closed, so what is still marked as queued is in
//! none: a foreign wake was refused.
//!
//! Invariants:
//! - E1: `live` is the number of threads that are, or may yet come, in their run loop.
//! - E2: step 3 happens once, when `live` has become zero after the close.
//!
//! Tests: `tests/tests/shutdown.rs`, `tests/tests/multi_thread.rs`; `loom-tests/tests/multi_thread.rs`.

use core::ptr::NonNull;
use core::time::Duration;
use std::io;
use std::sync::Arc as StdArc;

use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{AtomicU32, Ordering};
use tenter_sync::shim::thread::JoinHandle;
use tenter_timer::Clock;

use super::worker::Worker;
use super::{Scheduler, is_worker_of};
use crate::scheduler::late::refuse;
use crate::scheduler::parking::ThreadParker;
use crate::scheduler::shared::SchedulerRef;
use crate::scheduler::shutdown::ShutdownReport;
use crate::task::cell::Header;
use crate::task::raw::Ending;
use crate::task::state::Claim;
use crate::task::{Runnable, raw};

/// Where the runtime is on its way to the end.
pub struct Stop {
    phase: AtomicU32,
    pub(super) state: Mutex<State>,
}

/// How far a runtime is on its way to the end. It only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It takes tasks.
    Open,
    /// It takes none, and those that it has are cancelled; they are run until they have stopped.
    Draining,
    /// What is left is ended.
    Closing,
}

/// What is said and asked under the lock.
#[derive(Default)]
pub(super) struct State {
    live: usize,
    ended: bool,
    threads: Vec<JoinHandle<()>>,
    waiting: Vec<StdArc<ThreadParker>>,
    /// Who waits for the tasks to stop.
    pub(super) drainer: Option<StdArc<ThreadParker>>,
    pub(super) report: ShutdownReport,
}

impl Stop {
    /// Open, with no thread.
    pub fn new() -> Self {
        Self {
            phase: AtomicU32::new(Phase::Open as u32),
            state: Mutex::new(State::default()),
        }
    }

    /// How far it is.
    #[inline]
    pub fn phase(&self) -> Phase {
        // ORDERING: Relaxed. Each worker is interrupted after the store, and looks again; what a
        // worker does before it sees the change is cancelled when it does, or ended when it retires.
        match self.phase.load(Ordering::Relaxed) {
            0 => Phase::Open,
            1 => Phase::Draining,
            _ => Phase::Closing,
        }
    }

    /// Whether tasks are taken in.
    #[inline]
    pub fn is_open(&self) -> bool {
        self.phase() == Phase::Open
    }

    /// Goes forward to `phase`, if it is not as far yet; under the lock, for the sake of `start`.
    pub(super) fn advance(&self, _state: &mut State, phase: Phase) {
        if self.phase() < phase {
            // ORDERING: Relaxed. As in `phase`.
            self.phase.store(phase as u32, Ordering::Relaxed);
        }
    }

    /// Starts a thread, unless the runtime ends: then the work is ended by the workers there are.
    pub fn start(&self, start: impl FnOnce() -> io::Result<JoinHandle<()>>) -> io::Result<()> {
        // Under the lock, so that nobody retires as the last one while a thread is on its way.
        let mut state = self.state.lock();
        if self.phase() < Phase::Closing {
            let thread = start()?;
            state.threads.push(thread);
            state.live += 1;
        }
        Ok(())
    }

    /// A worker has left its run loop, with nothing in its queues. True: it was the last one (E2).
    fn retired(&self, part: ShutdownReport) -> bool {
        let mut state = self.state.lock();
        state.report.merge(part);
        state.live -= 1;
        state.live == 0
    }

    fn end(&self, part: ShutdownReport) {
        let mut state = self.state.lock();
        state.report.merge(part);
        state.ended = true;
        for parker in state.waiting.drain(..) {
            parker.unpark();
        }
    }
}

impl Scheduler {
    /// Ends the runtime. Waits for the workers, but not on one of them, and not longer than `timeout`.
    pub fn shut_down(&self, shared: &SchedulerRef, timeout: Option<Duration>) -> ShutdownReport {
        {
            let mut state = self.stop.state.lock();
            self.stop.advance(&mut state, Phase::Closing);
        }
        for remote in self.crew.remotes() {
            remote.parking.interrupt();
        }
        if is_worker_of(shared) {
            return ShutdownReport::default();
        }
        if !self.wait_for_end(timeout) {
            let mut report = self.stop.state.lock().report.clone();
            self.name_stuck(&mut report);
            return report;
        }
        let threads = core::mem::take(&mut self.stop.state.lock().threads);
        for thread in threads {
            // A thread that panicked has said so, and has no result.
            let _ = thread.join();
        }
        core::mem::take(&mut self.stop.state.lock().report)
    }

    /// False: time is up.
    fn wait_for_end(&self, timeout: Option<Duration>) -> bool {
        let clock = Clock::real();
        let deadline = timeout.map(|timeout| clock.now() + timeout);
        let parker = ThreadParker::new();
        loop {
            {
                let mut state = self.stop.state.lock();
                if state.ended {
                    return true;
                }
                state.waiting.push(StdArc::clone(&parker));
            }
            let left = deadline.map(|deadline| deadline.duration_since(clock.now()));
            if left == Some(Duration::ZERO) {
                return false;
            }
            parker.park_timeout(left);
        }
    }

    /// Names the polls that are in progress.
    fn name_stuck(&self, report: &mut ShutdownReport) {
        for remote in self.crew.remotes() {
            let Some((id, spawned_at)) = remote.progress.in_poll() else {
                continue;
            };
            let mut name = None;
            for remote in self.crew.remotes() {
                remote.owned.lock().for_each(|task| {
                    if task.slot.id().get() == id {
                        name = task.name();
                    }
                });
            }
            report.stuck(id, name, spawned_at);
        }
    }

    /// Closes timers and sockets, and tells whoever still waits on them.
    pub fn close_drivers(&self) {
        for remote in self.crew.remotes() {
            remote.parking.set_poller(None);
            self.config
                .guarded(&self.counters, || remote.timers.shutdown());
        }
        self.config
            .guarded(&self.counters, || self.lead.handle().shutdown());
    }
}

impl Worker<'_> {
    /// Steps 2 and 3.
    pub fn retire(&self) {
        let mut report = ShutdownReport::default();
        self.end_queued(&mut report);
        self.end_sleeping(&mut report);
        // Destructors may have woken tasks, and so queued them here.
        self.end_queued(&mut report);
        if self.scheduler.stop.retired(report) {
            let mut report = ShutdownReport::default();
            self.end_all(&mut report);
            self.scheduler.close_drivers();
            self.end_all(&mut report);
            // Those that destructors went on spawning.
            report.leaked = self.scheduler.counters.leaked.get() as usize;
            self.scheduler.stop.end(report);
        }
    }

    fn end_queued(&self, report: &mut ShutdownReport) {
        loop {
            while let Some(task) = self.next_to_end() {
                self.end(task, report);
            }
            // Those of a stuck worker, too: it keeps nothing but the task in its poll.
            let mut found = false;
            for remote in self.scheduler.crew.remotes() {
                found |= self.take_everything(remote);
            }
            if !found {
                return;
            }
        }
    }

    /// Ends a task whose place in a queue is ours.
    fn end(&self, task: Runnable, report: &mut ShutdownReport) {
        report.cancelled_late(&task.header());
        let unlist = |task: &Ending| self.unlist(task);
        // SAFETY: (a) whoever has the place may complete the task, and the scheduler's reference goes with
        // that; (b) no task of this scheduler has an owner.
        unsafe { raw::shut_down(task.into_raw(), unlist) };
    }

    /// Ends the tasks that sleep. Those of other workers, too: one of them may be stuck, and wait for just
    /// this. Whoever has one in a queue or in a poll does the same when it retires.
    fn end_sleeping(&self, report: &mut ShutdownReport) {
        let mut claimed: Vec<(NonNull<Header>, Claim)> = Vec::new();
        for remote in self.scheduler.crew.remotes_from(self.index) {
            remote.owned.lock().for_each(|task| {
                let claim = task.state.claim_idle_for_shutdown();
                if claim != Claim::Nothing {
                    claimed.push((task.pointer(), claim));
                }
            });
        }
        for (task, claim) in claimed {
            // SAFETY: claimed, so the scheduler's reference is in place until we end the task.
            report.cancelled_late(unsafe { task.as_ref() });
            // SAFETY: (a) claimed above, once; (b) no task of this scheduler has an owner.
            unsafe { raw::end_claimed(task, claim, |task| self.unlist(task)) };
        }
    }

    /// Ends whatever is left. No other worker runs any more.
    fn end_all(&self, report: &mut ShutdownReport) {
        for remote in self.scheduler.crew.remotes() {
            let left = if planted!("multi_thread.inbox_left_open") {
                remote.inbox.take()
            } else {
                remote.inbox.close()
            };
            for task in left {
                if task.header().state.load().is_fresh() {
                    self.remote.counters.spawned.add(1);
                    self.remote.counters.completed.add(1);
                    report.cancelled_late(&task.header());
                    refuse(self.shared, task);
                } else {
                    self.end(task, report);
                }
            }
        }
        self.end_queued(report);
        for remote in self.scheduler.crew.remotes() {
            loop {
                let task = remote.owned.lock().first();
                let Some(task) = task else { break };
                // SAFETY: on the list, so the scheduler's reference keeps it alive.
                report.cancelled_late(unsafe { task.as_ref() });
                // SAFETY: (a) the task is not complete, no thread runs it, and it is in no queue; (b) no
                // task of this scheduler has an owner.
                unsafe { raw::shut_down(task, |task| self.unlist(task)) };
                self.end_queued(report);
            }
        }
    }
}
