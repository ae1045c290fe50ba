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
//! Whoever waits for everything to be blocked ([`quiet`](super::quiet)) comes before all of this. What a
//! deterministic run leaves open is decided in [`choices`](super::choices).

use core::time::Duration;

use tenter_timer::Clock;

use super::current_thread::{Core, Scheduler};
use super::deadlock;
use crate::blocking::Pool;

/// Real time that a socket gets before the virtual clock jumps over the wait for it. The clock would
/// otherwise run out every timeout while a packet is on its way through the loopback interface.
const IO_GRACE: Duration = Duration::from_millis(10);

/// Real time that other threads get to wake a task before a program in which nothing else can happen
/// is called a deadlock.
const FOREIGN_GRACE: Duration = Duration::from_secs(1);

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
            let book = self.book.as_deref();
            panic!(
                "{}",
                deadlock::report(&self.config, core, book, FOREIGN_GRACE)
            );
        }
    }

    /// Waits for so much of real time. True: a task is ready, another thread waits for quiet, or `other`
    /// came first.
    fn comes_within(&self, core: &Core, grace: Duration, other: impl Fn() -> bool) -> bool {
        let clock = Clock::real();
        let deadline = clock.now() + grace;
        loop {
            let left = deadline.duration_since(clock.now());
            if left.is_zero() {
                return false;
            }
            self.sleep(core, Some(left));
            if self.is_something_ready(core) || self.quiet.is_awaited() || other() {
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
}
