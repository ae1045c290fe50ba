//! Which timers a sleep uses: those that this thread has entered, else those of the process-wide
//! fallback driver. The slot is defined here and filled by the runtime.
//!
//! Invariant I1: no value is dropped while the slot is borrowed, because dropping timers drops the
//! waker of their driver, which is someone else's code.
//!
//! Tests: `tests/timers.rs`.

use core::cell::RefCell;
use core::fmt;
use core::marker::PhantomData;

use tenter_sync::shim::local;

use crate::clock;
use crate::fallback;
use crate::instant::Instant;
use crate::timers::Timers;

local! {
    static ENTERED: RefCell<Option<Timers>> = const { RefCell::new(None) };
}

/// Leaves the timers that [`Timers::enter`] entered when it is dropped, and goes back to those before.
#[must_use = "the timers are left again when the guard is dropped"]
pub struct EnterGuard {
    previous: Option<Timers>,
    /// The slot is this thread's.
    _not_send: PhantomData<*const ()>,
}

pub(crate) fn enter(timers: Timers) -> EnterGuard {
    EnterGuard {
        previous: ENTERED.with(|entered| entered.replace(Some(timers))),
        _not_send: PhantomData,
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let previous = self.previous.take();
        // I1: the result carries what was entered out of the borrow. A thread that is going away has
        // no slot left, and nothing to restore.
        let left = ENTERED.try_with(|entered| entered.replace(previous));
        drop(left);
    }
}

/// The timers that a sleep created now belongs to.
#[inline]
pub(crate) fn timers() -> Timers {
    entered().unwrap_or_else(fallback::timers)
}

/// The timers that this thread has entered.
#[inline]
pub(crate) fn entered() -> Option<Timers> {
    ENTERED
        .try_with(|entered| entered.borrow().clone())
        .ok()
        .flatten()
}

/// The present for code that runs on this thread.
#[inline]
pub(crate) fn now() -> Instant {
    ENTERED
        .try_with(|entered| entered.borrow().as_ref().map(|timers| timers.clock().now()))
        .ok()
        .flatten()
        .unwrap_or_else(clock::real_now)
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
