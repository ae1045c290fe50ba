//! The end of a runtime: every task is ended, everything that holds a resource is closed.
//!
//! Before it comes the graceful part, if somebody asked for it: `drain.rs`. Steps of the end itself, in the context of the scheduler so that destructors may still call into it:
//!
//! 1. The core is taken for good; nobody can drive any more.
//! 2. The core is closed: nothing is queued on this thread, spawned tasks are refused.
//! 3. The inbox is closed: other threads are refused. What was spawned into it is ended.
//! 4. The list of tasks is emptied one by one: each future is dropped, whoever joins is told. A
//!    destructor that drops handles, wakes tasks or spawns adds nothing to the list, so this ends.
//! 5. Timers and sockets are closed, and tell whoever still waits on them.
//!
//! Nothing recurses: a chain of a million tasks that hold each other's handles ends in step 4, one after
//! the other.

use core::fmt;
use core::num::NonZeroU64;
use core::panic::Location;
use core::ptr::NonNull;
use std::sync::Arc as StdArc;

use tenter_sync::planted;
use tenter_sync::shim::thread;

use super::current_thread::{Core, Scheduler};
use super::late::refuse;
use super::shared::SchedulerRef;
use crate::blocking::StuckJob;
use crate::context::{self, Driving, Place};
use crate::handle::Handle;
use crate::task::alive::Alive;
use crate::task::cell::Header;
use crate::task::error::write_task;
use crate::task::{CancelKind, CancelReason, TaskId, cancel, raw};

/// How many tasks a report names; the rest are counted.
const NAMED_MAX: usize = 64;

/// What a runtime found when it ended.
///
/// `Display` is one line a task, for a log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// How many tasks had not ended, and were cancelled.
    pub cancelled: usize,
    /// The first of them (at most 64).
    pub cancelled_tasks: Vec<LeftTask>,
    /// How many of them had not stopped when the time for a graceful end was up, and were dropped where
    /// they stood: in a shield, or in the middle of their cleaning up.
    pub overdue: usize,
    /// The first of them (at most 64).
    pub overdue_tasks: Vec<LeftTask>,
    /// How many `!Send` tasks could not be dropped because the thread that spawned them is not the one
    /// that ended the runtime. Their memory is leaked, and their futures are never dropped; whoever joins
    /// them is told that they were cancelled.
    pub leaked: usize,
    /// The first of them (at most 64).
    pub leaked_tasks: Vec<LeftTask>,
    /// Tasks whose poll had not ended when the time was up, and blocking jobs that still ran. A task is
    /// ended when its poll ends.
    pub stuck_tasks: Vec<LeftTask>,
}

/// A task that had not ended when its runtime did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct LeftTask {
    /// The number of the task.
    pub id: TaskId,
    /// Its name, if it was given one.
    pub name: Option<StdArc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
}

impl ShutdownReport {
    /// Whether every task had ended.
    pub fn is_clean(&self) -> bool {
        self.cancelled == 0 && self.leaked == 0 && self.stuck_tasks.is_empty()
    }

    /// A task is about to be ended.
    pub(crate) fn cancelled(&mut self, task: &Header) {
        if !self.overdue(task) {
            self.cancelled_now(task);
        }
    }

    /// The same where those that are overdue were counted when the time was up.
    pub(crate) fn cancelled_late(&mut self, task: &Header) {
        if !is_drained(task) {
            self.cancelled_now(task);
        }
    }

    /// The time is up, and this task is there: counts it, if it was cancelled for the end.
    pub(crate) fn overdue(&mut self, task: &Header) -> bool {
        let is_drained = is_drained(task);
        if is_drained {
            self.overdue += 1;
            note(&mut self.overdue_tasks, task);
        }
        is_drained
    }

    fn cancelled_now(&mut self, task: &Header) {
        self.cancelled += 1;
        note(&mut self.cancelled_tasks, task);
    }

    pub(crate) fn stuck(
        &mut self,
        id: u64,
        name: Option<StdArc<str>>,
        spawned_at: &'static Location<'static>,
    ) {
        if let Some(id) = NonZeroU64::new(id) {
            self.stuck_tasks.push(LeftTask {
                id: TaskId(id),
                name,
                spawned_at,
            });
        }
    }

    pub(crate) fn stuck_job(&mut self, job: &StuckJob) {
        self.stuck_tasks.push(LeftTask {
            id: job.id,
            name: job.name.clone(),
            spawned_at: job.spawned_at,
        });
    }

    /// Adds what another thread found.
    pub(crate) fn merge(&mut self, part: Self) {
        self.cancelled += part.cancelled;
        self.overdue += part.overdue;
        self.leaked += part.leaked;
        append(&mut self.cancelled_tasks, part.cancelled_tasks);
        append(&mut self.overdue_tasks, part.overdue_tasks);
        append(&mut self.leaked_tasks, part.leaked_tasks);
        self.stuck_tasks.extend(part.stuck_tasks);
    }

    /// Whether something has not stopped by itself, though it was given the time.
    pub(crate) fn has_unstopped(&self) -> bool {
        self.overdue > 0 || !self.stuck_tasks.is_empty()
    }

    fn leaked(&mut self, task: &Header) {
        self.leaked += 1;
        note(&mut self.leaked_tasks, task);
    }
}

fn append(tasks: &mut Vec<LeftTask>, more: Vec<LeftTask>) {
    let room = NAMED_MAX.saturating_sub(tasks.len());
    tasks.extend(more.into_iter().take(room));
}

fn note(tasks: &mut Vec<LeftTask>, task: &Header) {
    if tasks.len() < NAMED_MAX {
        tasks.push(LeftTask {
            id: TaskId(task.slot.id()),
            name: task.name(),
            spawned_at: task.spawned_at,
        });
    }
}

impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.cancelled == 1 { "" } else { "s" };
        write!(
            f,
            "{} task{plural} cancelled, {} leaked",
            self.cancelled, self.leaked
        )?;
        if self.overdue > 0 {
            write!(f, ", {} not stopped in time", self.overdue)?;
        }
        if !self.stuck_tasks.is_empty() {
            write!(f, ", {} still in a poll", self.stuck_tasks.len())?;
        }
        let cancelled = self.cancelled_tasks.iter().map(|task| ("cancelled", task));
        let overdue = self.overdue_tasks.iter();
        let overdue = overdue.map(|task| ("not stopped in time", task));
        let leaked = self.leaked_tasks.iter().map(|task| ("leaked", task));
        let stuck = self
            .stuck_tasks
            .iter()
            .map(|task| ("still in a poll", task));
        for (what, task) in cancelled.chain(overdue).chain(leaked).chain(stuck) {
            write!(f, "\n  {what}: ")?;
            write_task(f, task.id, task.name.as_deref(), Some(task.spawned_at))?;
        }
        Ok(())
    }
}

/// Whether it was cancelled because its runtime is to end gracefully.
fn is_drained(task: &Header) -> bool {
    let is_drained = |reason: &CancelReason| reason.kind() == CancelKind::Shutdown;
    task.extras()
        .is_some_and(|extras| extras.reason.lock().as_ref().is_some_and(is_drained))
}

/// Cancels a task because its runtime is to end gracefully.
pub fn cancel_for_end(task: Alive<'_>, report: &mut ShutdownReport) {
    if cancel::cancel(task.pointer(), CancelReason::of(CancelKind::Shutdown)) {
        report.cancelled_now(&task);
    }
}

/// Ends a runtime. The second call finds nothing to do.
pub fn shut_down(shared: &SchedulerRef, scheduler: &Scheduler) -> ShutdownReport {
    // 1.
    let Some(core) = scheduler.seat.take() else {
        return ShutdownReport::default();
    };
    let entered = context::enter(Handle::new(shared.clone()));
    let driving = Driving::new(shared, Place::Thread(&core));
    let report = context::drive(&driving, || end_all(shared, scheduler, &core));
    drop(driving);
    context::leave(entered);
    drop(core);
    report
}

fn end_all(shared: &SchedulerRef, scheduler: &Scheduler, core: &Core) -> ShutdownReport {
    let mut report = ShutdownReport::default();
    // 2.
    core.close();
    // 3.
    let left = if planted!("current_thread.inbox_left_open") {
        scheduler.inbox.take()
    } else {
        scheduler.inbox.close()
    };
    for task in left {
        // Tasks on the list are ended below; a task that has never run is not on it.
        if task.header().state.load().is_fresh() {
            report.cancelled(&task.header());
            scheduler.counters.spawned.add(1);
            scheduler.counters.completed.add(1);
            refuse(shared, task);
        }
    }
    // 4.
    while let Some(task) = core.owned.pop() {
        end_one(shared, scheduler, task, &mut report);
    }
    // 5.
    scheduler.close_drivers();
    // Those that destructors went on spawning.
    report.leaked = scheduler.counters.leaked.get() as usize;
    report
}

#[expect(unsafe_code, reason = "takes over the scheduler's reference to a task")]
fn end_one(
    shared: &SchedulerRef,
    scheduler: &Scheduler,
    task: NonNull<Header>,
    report: &mut ShutdownReport,
) {
    // SAFETY: the list gave us the scheduler's reference, and the pointer to the whole.
    let header = unsafe { Alive::new(task) };
    // SAFETY: as above.
    if unsafe { raw::owner_of(task) }.is_some_and(|owner| owner != thread::current_id()) {
        // C2: dropping a `!Send` future here would be unsound.
        report.leaked(&header);
        scheduler.counters.leaked.add(1);
        shared.tell_leaked(header);
        // SAFETY: (a) the scheduler's reference is ours, and is kept for ever.
        unsafe { raw::leak(task) };
        return;
    }
    report.cancelled(&header);
    scheduler.counters.completed.add(1);
    // SAFETY: (a) the scheduler's reference is ours, and is given up here; (b) the owner is this thread.
    unsafe { raw::shut_down(task, |task| shared.tell_exited(task)) };
}
