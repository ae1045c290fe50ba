//! Which timers a sleep uses: those that this thread has entered, else those of the process-wide
//! fallback driver. The slot is defined here and filled by the runtime.
//!
//! Invariants:
//! - I1: no value is dropped while the slot is borrowed, because dropping timers drops the waker of
//!   their driver, which is someone else's code.
//! - I2: the numbers in the slot rise, and belong to the guards that live, so that guards may be
//!   dropped in any order: a guard takes out its own entry, wherever it is.
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
    static ENTERED: RefCell<Vec<(u64, Timers)>> = const { RefCell::new(Vec::new()) };
}

/// Leaves the timers that [`Timers::enter`] entered when it is dropped. Of those that are still
/// entered the last ones count.
#[must_use = "the timers are left again when the guard is dropped"]
pub struct EnterGuard {
    number: u64,
    /// The slot is this thread's.
    _not_send: PhantomData<*const ()>,
}

pub(crate) fn enter(timers: Timers) -> EnterGuard {
    // A thread that is going away has no slot left, and enters nothing.
    let number = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let number = entered.last().map_or(1, |(number, _)| number + 1);
        entered.push((number, timers));
        number
    });
    EnterGuard {
        number: number.unwrap_or(0),
        _not_send: PhantomData,
    }
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        // I1: the result carries what was entered out of the borrow. A thread that is going away
        // has no slot left, and nothing to leave.
        let left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let index = entered
                .iter()
                .rposition(|(number, _)| *number == self.number)?;
            Some(entered.remove(index))
        });
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
        .try_with(|entered| Some(entered.borrow().last()?.1.clone()))
        .ok()
        .flatten()
}

/// The present for code that runs on this thread.
#[inline]
pub(crate) fn now() -> Instant {
    ENTERED
        .try_with(|entered| Some(entered.borrow().last()?.1.clock().now()))
        .ok()
        .flatten()
        .unwrap_or_else(clock::real_now)
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
