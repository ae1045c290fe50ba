//! The run loop on a virtual clock: what happens when nothing is ready.
//!
//! ```text
//!  nothing ready ──► blocking jobs run? ──► give them FOREIGN_GRACE of real time ──► one has ended: go on
//!        │ no                                                     │ nothing
//!        ▼                                                        ▼
//!  sockets awaited? ──yes──► give them IO_GRACE of real time ──► something came: go on
//!        │ no                                                     │ nothing
//!        ▼                                                        ▼
//!  a timer is armed? ──yes──► the clock jumps to its deadline ◄── yes
//!        │ no                                                     │ no: wait for socket or job without end
//!        ▼
//!  wait FOREIGN_GRACE of real time for another thread ──► nothing: report the deadlock
//! ```
//!
//! Everything that a deterministic run leaves open is decided by [`Choices::pick`], and by nothing else.

use core::fmt::Write as _;
use core::time::Duration;

use tenter_sync::shim::diagnostic::{AtomicU64, Ordering};
use tenter_timer::Clock;

use super::current_thread::{Core, Scheduler};
use super::run_queue::RunQueue;
use crate::blocking::Pool;
use crate::task::Runnable;
use crate::task::cell::Header;

/// Real time that a socket gets before the virtual clock jumps over the wait for it. The clock would
/// otherwise run out every timeout while a packet is on its way through the loopback interface.
const IO_GRACE: Duration = Duration::from_millis(10);

/// Real time that other threads get to wake a task before a program in which nothing else can happen
/// is called a deadlock.
const FOREIGN_GRACE: Duration = Duration::from_secs(1);

/// What is being chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Choice {
    /// Which of the ready tasks runs next.
    ReadyTask,
}

/// The decisions of a deterministic run. First in, first out: every choice is the first possibility.
///
/// The seed is kept for strategies that use it; the order of the default one does not depend on it.
#[derive(Debug)]
pub struct Choices {
    seed: u64,
    made: AtomicU64,
}

impl Choices {
    /// The decisions of the run with this seed.
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            made: AtomicU64::new(0),
        }
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Chooses one of `possibilities`, which are numbered from zero.
    pub fn pick(&self, choice: Choice, possibilities: usize) -> usize {
        debug_assert!(possibilities > 0, "{choice:?} without a possibility");
        // ORDERING: Relaxed. A count for reports; only the driving thread chooses.
        self.made.fetch_add(1, Ordering::Relaxed);
        0
    }

    /// The task that runs next.
    pub fn next_task(&self, queue: &RunQueue) -> Option<Runnable> {
        match queue.len() {
            0 => None,
            1 => queue.pop(),
            ready => Some(queue.remove(self.pick(Choice::ReadyTask, ready))),
        }
    }
}

impl Scheduler {
    /// Everything is blocked: moves the clock, or finds that nothing can ever run again.
    ///
    /// # Panics
    ///
    /// With a report on every task, in the latter case.
    pub fn idle_virtual(&self, core: &Core, blocking: &Pool) {
        // A job that itself waits for the runtime is none of these.
        let jobs = || blocking.metrics().running + blocking.metrics().queued;
        let before = jobs();
        if before > 0 && self.comes_within(core, FOREIGN_GRACE, || jobs() < before) {
            return;
        }
        let sockets = self.io.waiting() > 0;
        // An event that wakes nobody does not end it.
        if sockets && self.comes_within(core, IO_GRACE, || false) {
            return;
        }
        if let Some(deadline) = self.timers.next_deadline() {
            self.timers.clock().advance_to(deadline);
            self.fire_timers(deadline);
            return;
        }
        if sockets || before > 0 {
            // Another thread may arm a timer meanwhile, which ends the wait.
            if self.timers.begin_park().is_none() {
                self.sleep(core, None);
            }
            self.timers.end_park();
            return;
        }
        if !self.comes_within(core, FOREIGN_GRACE, || self.is_something_awaited()) {
            panic!("{}", self.deadlock_report(core));
        }
    }

    /// Waits for so much of real time. True: a task is ready, or `other` came first.
    fn comes_within(&self, core: &Core, grace: Duration, other: impl Fn() -> bool) -> bool {
        let clock = Clock::real();
        let deadline = clock.now() + grace;
        loop {
            let left = deadline.duration_since(clock.now());
            if left.is_zero() {
                return false;
            }
            self.sleep(core, Some(left));
            if self.is_something_ready(core) || other() {
                return true;
            }
        }
    }

    /// Another thread armed a timer or waits for a socket in the meantime.
    fn is_something_awaited(&self) -> bool {
        self.timers.armed() > 0 || self.io.waiting() > 0
    }

    /// Whether there is anything to do but to wait.
    pub fn is_something_ready(&self, core: &Core) -> bool {
        !core.queue.is_empty() || !self.inbox.is_empty() || self.wanted_by(core).is_some()
    }

    /// Every task: name, spawn site, and what it waits for.
    fn deadlock_report(&self, core: &Core) -> String {
        let mut tasks: Vec<(u64, String)> = Vec::new();
        core.owned.for_each(|task| {
            tasks.push((task.slot.id().get(), describe_wait(core, task)));
        });
        tasks.sort();
        let mut report = format!(
            "tenter: deadlock. No task is ready, no timer is armed, no socket is awaited, and no \
             other thread woke a task for {FOREIGN_GRACE:?}.\n{} tasks have not ended:\n",
            tasks.len()
        );
        if let Some(choices) = &self.config.choices {
            let _ = writeln!(report, "(seed {})", choices.seed());
        }
        for (_, line) in &tasks {
            let _ = writeln!(report, "  {line}");
        }
        report.push_str(
            "If another thread is to wake one of them later, use a runtime with a real clock \
             (flavor = \"current_thread\").",
        );
        report
    }
}

fn describe_wait(core: &Core, task: &Header) -> String {
    let mut line = format!(
        "{} spawned at {} waits for ",
        task.describe(),
        task.spawned_at
    );
    match task.slot.waiting_on() {
        None => line.push_str("something that tenter does not know"),
        Some(wait) => {
            let mut joined = None;
            core.owned.for_each(|other| {
                if core::ptr::from_ref(other).addr() == wait.address {
                    joined = Some(other.describe());
                }
            });
            match joined {
                Some(other) => line.push_str(&other),
                None => {
                    let _ = write!(line, "{} at {:#x}", wait.kind.describe(), wait.address);
                }
            }
        }
    }
    line
}
