//! One source at the poller, from its registration to its end.
//!
//! ```text
//!   new:  occupy a slot ─ add to the poller ─┬─ ok ─► live ─► drop: delete, vacate, free the slot
//!                                            └─ error: vacate, free the slot, hand the error out
//! ```
//!
//! Invariants:
//! - I1: every step of the drop is taken, whatever the one before returned: a descriptor that was
//!   closed underneath does not keep its slot.
//! - I2: the descriptor leaves the poller before its owner can close it, and the slot is free only
//!   after its generation has moved on.
//! - I3: the budget is spent when a direction is ready, before the operation: nothing is lost then,
//!   because the readiness stays. A waiter that has been put down has not spent anything.
//!
//! Tests: `io/tests/faults.rs`; `loom-tests/tests/io.rs`: `register_vs_wait`,
//! `deregister_vs_deliver`.

use std::fmt;
use std::io;
use std::os::fd::RawFd;
use std::sync;
use std::task::{Context, Poll, ready};

use tenter_sync::shim::Arc;
use tenter_sync::{budget, current, planted};

use crate::error;
use crate::interest::{Direction, Directions};
use crate::readiness::{AfterClear, AfterWait, Look, Tick};
use crate::selector::Selector;
use crate::shared::Shared;
use crate::slab::{Key, Refusal};
use crate::slot::{Line, Place, Slot};
use crate::waiters::Ticket;

/// See the module's first lines.
pub struct Registration {
    shared: Arc<Shared>,
    selector: sync::Arc<Selector>,
    key: Key,
    fd: RawFd,
}

impl Registration {
    /// Registers `fd`. `ready` is what may be tried before the first event.
    ///
    /// # Errors
    ///
    /// The poller cannot be opened, or refuses the descriptor, or has ended. Nothing is left
    /// behind.
    ///
    /// # Safety
    ///
    /// - (a) The caller keeps `fd` open until the registration has been dropped.
    pub unsafe fn new(shared: &Arc<Shared>, fd: RawFd, ready: Directions) -> io::Result<Self> {
        let selector = shared.start()?;
        let ready = selector.before_any_event(ready);
        let key = shared.slab.occupy(ready).map_err(|refusal| match refusal {
            Refusal::Full => error::too_many_sources(fd),
            Refusal::Closed => shared.reason(),
        })?;
        if let Err(error) = selector.add(fd, key) {
            // The poller does not know the descriptor under this key, so nothing is deleted there:
            // it may be somebody else's registration.
            if !planted!("io.refusal_keeps_slot") {
                leave(shared, key);
            }
            return Err(error::cannot_register(fd, error));
        }
        Ok(Registration {
            shared: Arc::clone(shared),
            selector,
            key,
            fd,
        })
    }

    /// Ready when an operation may succeed. Else the task is woken when that has changed.
    #[inline]
    pub fn poll_ready(
        &self,
        direction: Direction,
        place: Place<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Tick>> {
        match self.slot().look(direction) {
            Look::Ready(tick) => {
                ready!(budget::poll_spend(cx)); // I3
                Poll::Ready(Ok(tick))
            }
            _ => self.poll_wait(direction, place, cx),
        }
    }

    /// Whether an operation may succeed, as far as is known.
    ///
    /// # Errors
    ///
    /// The driver has ended.
    pub fn look(&self, direction: Direction) -> io::Result<Option<Tick>> {
        match self.slot().look(direction) {
            Look::Ready(tick) => Ok(Some(tick)),
            Look::NotReady => Ok(None),
            Look::ShutDown => Err(self.shared.reason()),
        }
    }

    /// An operation was tried after `seen`, and would block.
    pub fn clear(&self, direction: Direction, seen: Tick) -> AfterClear {
        self.slot().clear(direction, seen)
    }

    /// A read after `seen` filled less than its buffer.
    #[inline]
    pub fn clear_short(&self, seen: Tick) {
        self.slot().clear_short(seen);
    }

    /// A future does not wait any more.
    pub fn give_up(&self, ticket: &mut Option<Ticket>) {
        if let Some(ticket) = ticket.take() {
            self.slot().give_up(ticket);
        }
    }

    /// Waits, unless an event or the end came first.
    fn poll_wait(
        &self,
        direction: Direction,
        mut place: Place<'_>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<Tick>> {
        loop {
            match self.slot().look(direction) {
                Look::ShutDown => return Poll::Ready(Err(self.shared.reason())),
                Look::Ready(tick) => {
                    ready!(budget::poll_spend(cx)); // I3
                    return Poll::Ready(Ok(tick));
                }
                Look::NotReady => {}
            }
            let waker = cx.waker().clone();
            let line = Line {
                selector: &self.selector,
                key: self.key,
                fd: self.fd,
            };
            match self.slot().wait(direction, place.again(), waker, line)? {
                AfterWait::LookAgain => {}
                AfterWait::Sleep => {
                    current::waiting_on(direction.wait_kind(), self.slot());
                    return Poll::Pending;
                }
            }
        }
    }

    #[inline]
    fn slot(&self) -> &Slot {
        slot(&self.shared, self.key)
    }
}

#[inline]
fn slot(shared: &Shared, key: Key) -> &Slot {
    let slot = shared.slab.slot(key.index());
    slot.expect("a key finds its slot for as long as its registration lives")
}

/// Gives the slot back.
fn leave(shared: &Shared, key: Key) {
    if !planted!("io.slot_not_vacated") {
        slot(shared, key).vacate();
    }
    shared.slab.free(key);
}

impl Drop for Registration {
    fn drop(&mut self) {
        // I1, I2. An error means that the descriptor was closed underneath: the poller forgot it
        // then, and the number may be another source's.
        let _ = self.selector.delete(self.fd, self.key);
        leave(&self.shared, self.key);
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration")
            .field("fd", &self.fd)
            .field("slot", self.slot())
            .finish_non_exhaustive()
    }
}
