//! One slot of the slab: the readiness word and the waiters of one source, kept in step.
//!
//! The word is touched without a lock by operations that need not wait and by events that nobody
//! waits for. Whoever waits or wakes takes the lock of the waiters as well:
//!
//! ```text
//!  wait:     lock ─ word: set WAIT ─ put the waker down ─ unlock
//!  deliver:  word: set READY, take WAIT ─ (if it was set) lock ─ take wakers ─ unlock ─ wake
//! ```
//!
//! Invariants:
//! - I1: a waker is put down only in the same critical section as its WAIT bit. A `deliver` that
//!   takes the bit then blocks on the lock until the waker is there, and finds it.
//! - I2: wakers are woken and dropped outside the lock.
//! - I3: where the poller reports each wait once, `armed` is what it was told last, and it is told
//!   under the lock and only while the generation is ours, so never about somebody else's
//!   descriptor.
//!
//! Tests: `loom-tests/tests/io.rs`.

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::task::Waker;

use tenter_sync::planted;
use tenter_sync::shim::{Live, Mutex};

use crate::interest::{Direction, Directions};
use crate::readiness::{AfterClear, AfterDeliver, AfterWait, Look, Readiness, Tick};
use crate::selector::Selector;
use crate::slab::Key;
use crate::waiters::{Drained, Ticket, Waiters};
use crate::wakes::Wakes;

/// The poller's side of one registration.
#[derive(Clone, Copy, Debug)]
pub struct Line<'a> {
    /// Where it is registered.
    pub selector: &'a Selector,
    /// Under which key.
    pub key: Key,
    /// Which descriptor.
    pub fd: RawFd,
}

/// Where a waiting task puts its waker.
#[derive(Debug)]
pub enum Place<'a> {
    /// With those who called a poll function.
    Poller,
    /// At a place of its own.
    Ticket(&'a mut Option<Ticket>),
}

impl Place<'_> {
    /// The same place for one more try.
    pub fn again(&mut self) -> Place<'_> {
        match self {
            Place::Poller => Place::Poller,
            Place::Ticket(ticket) => Place::Ticket(ticket),
        }
    }
}

/// One slot. See the module's first lines.
pub struct Slot {
    readiness: Readiness,
    waiters: Mutex<Waiters>,
    /// Ends with the page, which nobody may outlive.
    live: Live,
}

impl Slot {
    /// A slot that nobody has used yet.
    pub fn vacant() -> Self {
        Slot {
            readiness: Readiness::vacant(),
            waiters: Mutex::new(Waiters::default()),
            live: Live::new(),
        }
    }

    /// A registration takes the slot. Returns its generation.
    pub fn occupy(&self, ready: Directions) -> u64 {
        self.live.touch();
        self.readiness.occupy(ready)
    }

    /// Whether an operation may succeed.
    #[inline]
    pub fn look(&self, direction: Direction) -> Look {
        self.readiness.look(direction)
    }

    /// An operation was tried after `seen`, and would block.
    pub fn clear(&self, direction: Direction, seen: Tick) -> AfterClear {
        self.readiness.clear(direction, seen)
    }

    /// A read after `seen` filled less than its buffer.
    #[inline]
    pub fn clear_short(&self, seen: Tick) {
        self.readiness.clear_short(seen);
    }

    /// Puts `waker` down for the next event, unless there is a reason to look again.
    ///
    /// # Errors
    ///
    /// The poller refuses to watch the descriptor. Nothing has been put down then.
    pub fn wait(
        &self,
        direction: Direction,
        place: Place<'_>,
        waker: Waker,
        line: Line<'_>,
    ) -> io::Result<AfterWait> {
        self.live.touch();
        let mut waiters = self.waiters.lock();
        // I2: `waker` is a parameter, so the early returns drop it after the lock.
        if self.readiness.wait(direction) == AfterWait::LookAgain {
            return Ok(AfterWait::LookAgain);
        }
        arm(&mut waiters, direction.into(), line)?;
        if planted!("io.waker_in_another_section") {
            drop(waiters);
            waiters = self.waiters.lock();
        }
        let displaced = match place {
            Place::Poller => waiters.add_poller(direction, waker),
            Place::Ticket(ticket) => waiters.add_ticket(direction, ticket, waker),
        };
        drop(waiters);
        displaced.settle(); // I2
        Ok(AfterWait::Sleep)
    }

    /// A future does not wait any more.
    pub fn give_up(&self, ticket: Ticket) {
        self.live.touch();
        let waker = self.waiters.lock().remove_ticket(ticket);
        drop(waker); // I2
    }

    /// An event. Returns false if it was meant for an earlier registration.
    pub fn deliver(
        &self,
        key: Key,
        ready: Directions,
        selector: &Selector,
        wakes: &mut Wakes,
    ) -> bool {
        self.live.touch();
        match self.readiness.deliver(key.generation(), ready) {
            AfterDeliver::Stale => return false,
            AfterDeliver::Wake(directions) if directions.is_empty() => {}
            AfterDeliver::Wake(directions) => self.wake(directions, wakes),
        }
        if selector.reports_each_wait_once() {
            self.arm_again(key, selector, wakes);
        }
        true
    }

    /// The driver ends: whoever waits finds the error.
    pub fn shut_down(&self, wakes: &mut Wakes) {
        let directions = self.readiness.shut_down();
        self.wake(directions, wakes);
    }

    /// The registration ends. Events that still come for it are stale from now on.
    pub fn vacate(&self) {
        self.live.touch();
        let left_behind = {
            let mut waiters = self.waiters.lock();
            self.readiness.vacate(); // I3
            waiters.take_all()
        };
        drop(left_behind); // I2
    }

    /// How many tasks wait.
    pub fn waiting(&self) -> usize {
        if self.readiness.word().awaited().is_empty() {
            return 0;
        }
        self.waiters.lock().len()
    }

    /// After an event the poller has to be told about those who still wait.
    fn arm_again(&self, key: Key, selector: &Selector, wakes: &mut Wakes) {
        let refused = {
            let mut waiters = self.waiters.lock();
            waiters.armed = Directions::NONE; // I3
            let word = self.readiness.word();
            if word.generation() != key.generation() || word.is_shut_down() {
                return; // I3
            }
            if planted!("io.no_rearm_after_event") {
                return;
            }
            let directions = waiters.directions();
            let fd = waiters.fd;
            let line = Line { selector, key, fd };
            !directions.is_empty() && arm(&mut waiters, directions, line).is_err()
        };
        if refused {
            // The descriptor was closed behind our back. Who waits tries again and gets the error.
            self.wake(Directions::BOTH, wakes);
        }
    }

    fn wake(&self, directions: Directions, wakes: &mut Wakes) {
        if directions.is_empty() || planted!("io.event_wakes_nobody") {
            return;
        }
        let mut before = None;
        loop {
            let drained = {
                let mut waiters = self.waiters.lock();
                let before = *before.get_or_insert(waiters.now());
                waiters.drain(directions, before, wakes.batch())
            };
            match drained {
                Drained::All => return,
                Drained::Full => wakes.flush(), // I2
            }
        }
    }
}

/// Tells the poller to report `directions` too, where it has to be told.
fn arm(waiters: &mut Waiters, directions: Directions, line: Line<'_>) -> io::Result<()> {
    let wanted = waiters.armed | directions;
    if !line.selector.reports_each_wait_once() || wanted == waiters.armed {
        return Ok(());
    }
    line.selector.arm(line.fd, line.key, wanted)?;
    waiters.armed = wanted;
    waiters.fd = line.fd;
    Ok(())
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.live.end();
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot")
            .field("readiness", &self.readiness)
            .finish_non_exhaustive()
    }
}
