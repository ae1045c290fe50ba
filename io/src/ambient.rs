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
    static ENTERED: RefCell<Vec<(u64, Handle)>> = const { RefCell::new(Vec::new()) };
}

/// The entered driver, else the fallback driver.
///
/// # Errors
///
/// The thread of the fallback driver is refused.
pub fn current() -> io::Result<Handle> {
    // A thread that is being torn down has no slot any more, like a thread that entered nothing.
    let entered = ENTERED.try_with(|entered| Some(entered.borrow().last()?.1.clone()));
    match entered {
        Ok(Some(handle)) => Ok(handle),
        _ => fallback::handle(),
    }
}

/// Fills the slot.
pub fn enter(handle: Handle) -> EnterGuard {
    let number = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let number = entered.last().map_or(1, |(number, _)| number + 1);
        entered.push((number, handle));
        number
    });
    EnterGuard {
        number: number.unwrap_or(0),
        not_send: PhantomData,
    }
}

/// While it lives, sources opened on this thread belong to the driver that was entered. Guards may
/// be dropped in any order: of the drivers that are still entered the last one counts.
#[must_use = "the driver is entered only while the guard lives"]
pub struct EnterGuard {
    /// Rises, and names the entry among those of this thread.
    number: u64,
    not_send: PhantomData<*const ()>,
}

impl Drop for EnterGuard {
    fn drop(&mut self) {
        // The handle that leaves is dropped outside the borrow.
        let _left = ENTERED.try_with(|entered| {
            let mut entered = entered.borrow_mut();
            let index = entered
                .iter()
                .rposition(|(number, _)| *number == self.number)?;
            Some(entered.remove(index))
        });
    }
}

impl fmt::Debug for EnterGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnterGuard").finish_non_exhaustive()
    }
}
