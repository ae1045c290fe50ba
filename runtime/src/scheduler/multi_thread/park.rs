//! The sleep of a worker.
//!
//! ```text
//!   take the lead of the poller, if nobody has it
//!   idle: counted asleep, fence                      (W1, W2 of `idle.rs`)
//!   look at every queue                              (W3)
//!   ┌─► timers: publish until when                   (an earlier timer interrupts)
//!   │   sleep: in the poller or on the futex, for a period if bounded, until the deadline
//!   └── woken: claimed? work? due? else, if bounded, look how the others get on
//!   give the lead back, get up, and wake a guard if nobody else is bounded (D1)
//! ```
//!
//! Tests: as for `idle.rs`; `tests/tests/stuck.rs`.

use core::time::Duration;

use tenter_sync::planted;
use tenter_sync::shim::MODELLED;
use tenter_timer::Instant;

use super::idle::{Left, Sleep};
use super::lead::Leading;
use super::watch::PERIOD;
use super::worker::Worker;

/// How much later than due a timer may be seen by a worker that has just been woken by another timer: as
/// often as a busy worker looks at its timers.
const SLACK: Duration = Duration::from_micros(100);

impl Worker<'_> {
    /// Nothing is ready: sleeps until something may be.
    pub fn park(&self) {
        let hooks = &self.scheduler.config.hooks;
        hooks.park_quietly();
        let instruments = self.scheduler.config.instruments.as_deref();
        let waits = instruments.map(|instruments| instruments.io_wait(self.index));
        // The hook may have spawned or woken something.
        if !self.has_local() {
            self.remote.counters.parks.add(1);
            self.measure_sleep(true);
            self.park_now();
            self.measure_sleep(false);
        }
        drop(waits);
        hooks.unpark_quietly();
        if self.has_local() {
            self.end_search();
        }
    }

    fn park_now(&self) {
        let idle = &self.scheduler.crew.idle;
        let mut leading = self.scheduler.lead.take();
        if self.is_draining() && planted!("multi_thread.drainer_told_too_early") {
            self.tell_drainer();
        }
        let sleep = idle.park(self.index, self.is_searching(), leading.is_some());
        if self.is_draining() && !planted!("multi_thread.drainer_told_too_early") {
            self.tell_drainer();
        }
        self.set_searching(false);
        self.set_owes_guard(false);
        // The first socket may have come before we were counted asleep, and its wake to nobody.
        self.take_lead(&mut leading);
        // W3.
        let work = self.is_work_unattended() && !planted!("idle.no_recheck");
        if !work {
            self.sleep(&mut leading, sleep);
        }
        self.remote.timers.end_park();
        drop(leading);
        self.fire_own();
        let active = work || self.has_local();
        match idle.leave(self.index, active) {
            Left::Claimed => self.set_searching(true),
            Left::Active(Some(nudge)) => self.scheduler.nudge(self.shared, nudge),
            // D1 is due when it has found something.
            Left::Active(None) => self.set_owes_guard(!active),
        }
    }

    /// Sleeps until there is something to do.
    fn sleep<'a>(&'a self, leading: &mut Option<Leading<'a>>, mut sleep: Sleep) {
        if sleep == Sleep::Bounded && !self.look_at_others() {
            return;
        }
        loop {
            let deadline = self.remote.timers.begin_park();
            let now = self.now();
            let left = deadline.map(|deadline| deadline.duration_since(now));
            if left == Some(Duration::ZERO) || self.is_phase_new() {
                return;
            }
            let left = left.map(|left| self.with_slack(left, now));
            let bounded = sleep == Sleep::Bounded && !MODELLED;
            let timeout = if bounded {
                Some(left.map_or(PERIOD, |left| left.min(PERIOD)))
            } else {
                left
            };
            self.sleep_for(leading, timeout);
            sleep = self.scheduler.crew.idle.look(self.index);
            if sleep == Sleep::Claimed || self.has_local() {
                return;
            }
            self.take_lead(leading);
            if bounded && !self.look_at_others() {
                return;
            }
        }
    }

    /// Where timers end in quick succession, one sleep is for several of them: each costs a system call,
    /// and more processor time than what it wakes. A timer that is alone is not kept waiting.
    fn with_slack(&self, left: Duration, now: Instant) -> Duration {
        let fired = self.core.fired.get();
        if fired.is_some_and(|fired| now.duration_since(fired) < SLACK) {
            left.max(SLACK)
        } else {
            left
        }
    }

    fn now(&self) -> Instant {
        self.remote.timers.clock().now()
    }

    fn sleep_for(&self, leading: &mut Option<Leading<'_>>, timeout: Option<Duration>) {
        let parking = &self.remote.parking;
        let in_poller = leading.is_some();
        if !parking.announce(in_poller) {
            return;
        }
        match leading {
            Some(leading) => {
                self.turn(leading, timeout);
                parking.awake(in_poller);
            }
            None => parking.sleep(timeout),
        }
    }

    /// A sleeper that finds that there is a poller, and that nobody leads, does.
    fn take_lead<'a>(&'a self, leading: &mut Option<Leading<'a>>) {
        let started = self.scheduler.lead.handle().is_started();
        if leading.is_some() && !started {
            *leading = None; // It has failed.
        } else if leading.is_none() && started {
            *leading = self.scheduler.lead.take();
            if leading.is_some() {
                self.scheduler.crew.idle.lead(self.index);
            }
        }
    }

    /// If a period has passed since the last time: looks how the others get on. True: go on sleeping.
    fn look_at_others(&self) -> bool {
        let crew = &self.scheduler.crew;
        let now = self.now();
        let mut watch = self.core.watch.borrow_mut();
        if !watch.is_due(now, PERIOD) {
            return true;
        }
        let change = watch.look(now, crew.remotes(), |stuck| self.rescue(stuck, now));
        drop(watch);
        if !change.moved && !crew.idle.is_any_active() {
            crew.idle.resign(self.index);
        }
        !self.has_local() && !self.is_work_unattended()
    }

    /// There is work that a worker could take, and nobody looks for it.
    fn is_work_unattended(&self) -> bool {
        self.scheduler.crew.idle.searching() == 0 && self.scheduler.crew.has_stealable()
    }

    /// What has become due while the worker slept.
    fn fire_own(&self) {
        if self.remote.timers.armed() > 0 {
            let now = self.now();
            let fired = self.batch(|| self.remote.timers.fire_due(now));
            if fired.is_some_and(|count| count > 0) {
                self.core.fired.set(Some(now));
            }
        }
    }
}
