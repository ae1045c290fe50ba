//! One system call a wait: `epoll_wait` on the file descriptor of `polling`'s poller.
//!
//! Beside the poller stand an eventfd for kicks and a timerfd for deadlines. Both are registered
//! for edges and never read: a write, or an alarm, is an edge each time.
//!
//! `epoll_wait` counts in milliseconds, deadlines in nanoseconds: the timerfd makes up the
//! difference. It is set only when it must be:
//!
//! ```text
//!   deadline of this wait │ the alarm that is set │ then
//!   ──────────────────────┼───────────────────────┼──────────────────────────────────────────
//!   zero, none            │ none                  │ nothing
//!   earlier               │ later, or none        │ set it
//!   the same              │ the same              │ nothing
//!   later, or none        │ earlier               │ let it ring; tidy up after 0.5 s of rest
//! ```
//!
//! A deadline that moves on with every request therefore costs no call. An alarm that nobody needs
//! any more ends a wait inside this file at most once, and is taken back before an idle thread
//! settles down.
//!
//! Invariants:
//! - I1: the kernel's alarm rings at `alarm` or, by the time between two clock readings, after it:
//!   a wait for the same deadline never ends early by it.
//! - I2: a wait that ends without an event has lasted until its deadline.
//!
//! Rejected: `epoll_pwait2`. It needs no timerfd, but rustix chooses it at compile time, and a
//! kernel or a sandbox without it would then have no poller at all.
//!
//! Tests: `io/tests/driver.rs`.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use polling::{Event, PollMode, Poller};
use rustix::buffer::spare_capacity;
use rustix::event::{EventfdFlags, Timespec, epoll, eventfd};
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, timerfd_create, timerfd_settime,
};
use tenter_sync::shim::thread;
use tenter_timer::{Clock, Instant};

use crate::interest::Directions;
use crate::limits::{DEADLINE_SLACK, EVENTS_PER_WAIT, IDLE_BEFORE_TIDY, LONGEST_WAIT};
use crate::slab::Key;

use self::spin::{SPIN, Spin};

#[path = "spin.rs"]
mod spin;

/// Keys of generation 0, which no registration has.
const KICK: Key = Key::from_bits(0);
const ALARM: Key = Key::from_bits(1);

const NEVER: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 0,
};

/// See the module's first lines.
pub struct Direct {
    kick: OwnedFd,
    alarm: OwnedFd,
    clock: Clock,
}

/// The events of one wait, and the alarm that is set.
pub struct DirectHarvest {
    events: Vec<epoll::Event>,
    alarm: Option<Instant>,
    spin: Spin,
}

// SAFETY: the union in an epoll event could hold a pointer, which is what keeps it from being
// `Send`; ours hold nothing but keys, which are numbers. Were a pointer put there, it would reach
// another thread.
unsafe impl Send for DirectHarvest {}

impl Direct {
    /// Opens and registers the two descriptors.
    pub fn new(poller: &Poller) -> io::Result<Option<Self>> {
        let kick = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let alarm = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        for (fd, key) in [(&kick, KICK), (&alarm, ALARM)] {
            let event = Event::readable(key.bits());
            // SAFETY: epoll forgets a descriptor that is closed, and these two are closed together
            // with the poller, by the drop of the one `Selector` that owns all three.
            unsafe { poller.add_with_mode(fd, event, PollMode::Edge) }?;
        }
        Ok(Some(Direct {
            kick,
            alarm,
            clock: Clock::real(),
        }))
    }

    /// Registers a descriptor as `polling` does, and asks for the end of a stream as well: an event then
    /// says whether the end stands behind the data.
    pub fn add(&self, poller: &Poller, fd: BorrowedFd<'_>, key: Key) -> io::Result<()> {
        let flags = epoll::EventFlags::ET
            | epoll::EventFlags::IN
            | epoll::EventFlags::PRI
            | epoll::EventFlags::OUT
            | epoll::EventFlags::RDHUP;
        let data = epoll::EventData::new_u64(key.bits() as u64);
        Ok(epoll::add(poller, fd, data, flags)?)
    }

    /// See `Selector::wait`.
    pub fn wait(
        &self,
        poller: &Poller,
        harvest: &mut DirectHarvest,
        timeout: Option<Duration>,
    ) -> io::Result<()> {
        if timeout == Some(Duration::ZERO) {
            harvest.fill(poller, Some(&NEVER))?;
            // It tells of its end but once, also in a look.
            harvest.take_alarm();
            return Ok(());
        }
        let deadline = timeout
            .filter(|timeout| *timeout < LONGEST_WAIT)
            .map(|timeout| self.clock.now() + timeout);
        if let Some(deadline) = deadline {
            let is_in_time = |alarm| alarm <= deadline + DEADLINE_SLACK;
            if !harvest.alarm.is_some_and(is_in_time) {
                self.set_alarm(harvest, Some(deadline))?;
            }
        }
        loop {
            let is_exact = match (harvest.alarm, deadline) {
                (Some(alarm), Some(deadline)) => alarm + DEADLINE_SLACK >= deadline,
                (alarm, _) => alarm.is_none(),
            };
            let tidy = (!is_exact).then(|| timespec(IDLE_BEFORE_TIDY));
            let mut count = self.spin(poller, harvest)?;
            if count == 0 {
                let began = self.clock.now();
                count = harvest.fill(poller, tidy.as_ref())?;
                let length = self.clock.now().duration_since(began);
                harvest.spin.slept(length, count > 0 && !harvest.has_rung());
            }
            let rang = harvest.take_alarm();
            if count > usize::from(rang) || deadline.is_some_and(|at| self.clock.now() >= at) {
                return Ok(()); // I2
            }
            // The alarm was not ours, or the thread has rested with an alarm that is not ours.
            if harvest.alarm != deadline {
                self.set_alarm(harvest, deadline)?;
            }
        }
    }

    /// Looks for events until it is time to sleep. Other threads go first: one of them may be the peer.
    fn spin(&self, poller: &Poller, harvest: &mut DirectHarvest) -> io::Result<usize> {
        if !harvest.spin.is_due() {
            return Ok(0);
        }
        let mut until = None;
        loop {
            let count = harvest.fill(poller, Some(&NEVER))?;
            if count > 0 {
                if !harvest.has_rung() {
                    harvest.spin.caught();
                }
                return Ok(count);
            }
            let now = self.clock.now();
            if now >= *until.get_or_insert(now + SPIN) {
                harvest.spin.missed();
                return Ok(0);
            }
            thread::yield_now();
        }
    }

    /// See `Selector::kick`.
    pub fn kick(&self) -> io::Result<()> {
        let one = 1_u64.to_ne_bytes();
        match rustix::io::write(&self.kick, &one) {
            // The count is full, so that this write was no edge. Empty it and write again.
            Err(Errno::AGAIN) => {
                let _ = rustix::io::read(&self.kick, &mut [0; 8]);
                rustix::io::write(&self.kick, &one)?;
            }
            result => {
                result?;
            }
        }
        Ok(())
    }

    fn set_alarm(&self, harvest: &mut DirectHarvest, at: Option<Instant>) -> io::Result<()> {
        let value = match at {
            None => NEVER,
            // A zero would mean "never", so it is one nanosecond.
            Some(at) => timespec(
                at.duration_since(self.clock.now())
                    .max(Duration::from_nanos(1)),
            ),
        };
        let setting = Itimerspec {
            it_interval: NEVER,
            it_value: value,
        };
        timerfd_settime(&self.alarm, TimerfdTimerFlags::empty(), &setting)?;
        harvest.alarm = at; // I1: the kernel read its clock after we read ours.
        Ok(())
    }
}

impl DirectHarvest {
    /// Without events.
    pub fn new() -> Self {
        DirectHarvest {
            events: Vec::new(),
            alarm: None,
            spin: Spin::new(),
        }
    }

    /// The events of the last wait.
    pub fn events(&self) -> impl Iterator<Item = (Key, Directions)> {
        self.events.iter().map(|event| {
            let flags = event.flags;
            let failed = epoll::EventFlags::HUP | epoll::EventFlags::ERR;
            let read = epoll::EventFlags::IN | epoll::EventFlags::PRI | failed;
            let write = epoll::EventFlags::OUT | failed;
            let mut directions = Directions::new(flags.intersects(read), flags.intersects(write));
            let more = epoll::EventFlags::RDHUP | epoll::EventFlags::PRI | failed;
            if !flags.intersects(more) {
                directions = directions.with_only_data();
            }
            (Key::from_bits(event.data.u64() as usize), directions)
        })
    }

    /// One system call, or more if signals interrupt it. Returns how many events there are.
    fn fill(&mut self, poller: &Poller, timeout: Option<&Timespec>) -> io::Result<usize> {
        self.events.clear();
        self.events.reserve_exact(EVENTS_PER_WAIT);
        loop {
            match epoll::wait(poller, spare_capacity(&mut self.events), timeout) {
                // The alarm keeps the deadline.
                Err(Errno::INTR) => {}
                result => return Ok(result?),
            }
        }
    }

    fn has_rung(&self) -> bool {
        let mut keys = self.events.iter().map(|event| event.data.u64());
        keys.any(|key| key == ALARM.bits() as u64)
    }

    /// Whether the alarm rang; it is not set any more then.
    fn take_alarm(&mut self) -> bool {
        let rang = self.has_rung();
        if rang {
            self.alarm = None;
        }
        rang
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: duration.as_secs() as _,
        tv_nsec: duration.subsec_nanos() as _,
    }
}

impl fmt::Debug for DirectHarvest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DirectHarvest")
            .field("events", &self.events.len())
            .field("alarm", &self.alarm)
            .finish()
    }
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Direct")
            .field("kick", &self.kick)
            .field("alarm", &self.alarm)
            .finish_non_exhaustive()
    }
}
