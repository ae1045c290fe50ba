//! Which driver a source opened on this thread belongs to: a slot, defined here, filled by
//! runtimes.
//!
//! Tests: `io/tests/driver.rs`.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::marker::PhantomData;

use tenter_sync::shim::local;

use crate::driver::Handle;
use crate::fallback;

local! {
    static ENTERED: RefCell<Option<Handle>> = const { RefCell::new(None) };
}

/// The entered driver, else the fallback driver.
///
/// # Errors
///
/// The thread of the fallback driver is refused.
pub fn current() -> io::Result<Handle> {
    // A thread that is being torn down has no slot any more, like a thread that entered nothing.
    let entered = ENTERED.try_with(|entered| entered.borrow().clone());
    match entered {
        Ok(Some(handle)) => Ok(handle),
        _ => fallback::handle(),
    }
}

/// Fills the slot.
pub fn enter(handle: Handle) -> EnterGuard {
    let before = ENTERED.try_with(|entered| entered.borrow_mut().replace(handle));
    EnterGuard {
        before: before.ok().flatten(),
        not_send: PhantomData,
    }
}

/// While it lives, sources opened on this thread belong to the driver that was entered. Dropping it
/// restores the one before; guards are dropped in the reverse order of their making.
#[must_use = "the driver is entered only while the guard lives"]
pub struct EnterGuard {
    before: Option<Handle>,
    not_send: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        let before = self.before.take();
        // The handle that leaves is dropped outside the borrow.
        let _left = ENTERED.try_with(|entered| entered.replace(before));
    }
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
