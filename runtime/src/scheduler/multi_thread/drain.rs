//! The graceful end of a runtime with many threads: every task is cancelled, and run until it has stopped.
//!
//! ```text
//!  drainer                                   worker
//!  D1 phase = Draining, interrupt all        V1 sees the phase, cancels what is on the lists
//!  D2 all asleep, and nothing anywhere? ◄─┐  V2 cancels each task before each of its polls
//!  D3 no: sleep until looked at           │  V3 nothing to do: counted asleep (W1 of `idle.rs`)
//!     └───────────────────────────────────┴─ V4 wakes the drainer
//! ```
//!
//! No task is missed. One that has been polled is on the list of the worker that polled it first; that
//! worker goes through its list after it has seen the phase, and from then on cancels whatever it polls.
//! Others go through its list too, for it may be stuck in a poll. One that has never been polled is in a
//! queue, and V2 ends it unpolled. Spawned ones are refused, as after the close.
//!
//! No wake is missed. Whoever is the last to fall asleep does V4 after V3, so D2 comes after V3 once more.
//! All workers have seen the phase by then: D1 interrupts each of them, and one that has not seen it leaves
//! its sleep.
//!
//! D2 is true for good. It looks under the lock of `idle.rs`, which a worker has to take before it polls
//! anything: with all of them asleep there is no poll, so nothing goes on a list that has been looked at. A
//! task that is on its way from one queue to another then has never been polled; for such a one the close
//! does just what V2 does.
//!
//! Rejected: to count spawned and completed tasks. A task in an inbox is not counted yet, and the counts
//! have one writer each and no order between them.
//!
//! Tests: `tests/tests/runner.rs`, `tests/tests/shutdown.rs`; `loom-tests/tests/multi_thread.rs`.

use core::time::Duration;
use std::sync::Arc as StdArc;

use tenter_timer::Clock;

use super::stop::Phase;
use super::worker::Worker;
use super::{Scheduler, is_worker_of};
use crate::scheduler::parking::ThreadParker;
use crate::scheduler::shared::SchedulerRef;
use crate::scheduler::shutdown::{ShutdownReport, cancel_for_end};
use crate::task::alive::Alive;
use crate::task::{Canceller, Runnable};

impl Scheduler {
    /// Cancels every task, and waits until all have stopped, but not on a worker, and not for longer than
    /// `timeout`. True: all have.
    pub fn drain(&self, shared: &SchedulerRef, timeout: Duration) -> bool {
        if is_worker_of(shared) {
            return false;
        }
        let parker = ThreadParker::new();
        {
            let mut state = self.stop.state.lock();
            state.drainer = Some(StdArc::clone(&parker));
            self.stop.advance(&mut state, Phase::Draining);
        }
        for remote in self.crew.remotes() {
            remote.parking.interrupt();
        }
        let clock = Clock::real();
        let deadline = clock.now() + timeout;
        loop {
            if self.is_drained() {
                return true;
            }
            let left = deadline.duration_since(clock.now());
            if left.is_zero() {
                self.name_overdue();
                return false;
            }
            parker.park_timeout(Some(left));
        }
    }

    /// Names those that have not stopped now that the time is up. Not when they are ended: the workers may
    /// be kept from that for longer than anybody waits for them.
    fn name_overdue(&self) {
        let mut report = ShutdownReport::default();
        for remote in self.crew.remotes() {
            let mut found = Vec::new();
            let keep = |task: Alive<'_>| found.push(Canceller::new(task.pointer()));
            remote.owned.lock().for_each(keep);
            for task in found {
                report.overdue(&task.header());
            }
        }
        self.stop.state.lock().report.merge(report);
    }

    /// D2.
    fn is_drained(&self) -> bool {
        let nothing_anywhere = || {
            self.crew.remotes().all(|remote| {
                !remote.has_stealable()
                    && remote.lifo.is_empty()
                    && remote.owned.lock().first().is_none()
            })
        };
        let drained = self.crew.idle.while_all_asleep(nothing_anywhere);
        drained.unwrap_or(false)
    }
}

impl Worker<'_> {
    /// V1.
    #[cold]
    pub(super) fn cancel_listed(&self) {
        let mut report = ShutdownReport::default();
        self.batch(|| {
            for remote in self.scheduler.crew.remotes_from(self.index) {
                let mut found = Vec::new();
                remote.owned.lock().for_each(|task| {
                    if !task.state.load().is_cancelled() {
                        found.push(Canceller::new(task.pointer()));
                    }
                });
                for task in found {
                    cancel_for_end(task.header(), &mut report);
                }
            }
        });
        self.scheduler.stop.state.lock().report.merge(report);
    }

    /// V2.
    #[cold]
    pub(super) fn cancel_queued(&self, task: &Runnable) {
        if !task.header().state.load().is_cancelled() {
            let mut report = ShutdownReport::default();
            cancel_for_end(task.header(), &mut report);
            self.scheduler.stop.state.lock().report.merge(report);
        }
    }

    /// V4.
    #[cold]
    pub(super) fn tell_drainer(&self) {
        let drainer = self.scheduler.stop.state.lock().drainer.clone();
        if let Some(drainer) = drainer {
            drainer.unpark();
        }
    }
}
