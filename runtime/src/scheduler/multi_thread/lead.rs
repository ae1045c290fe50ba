//! The right to wait in the poller: one worker at a time leads.
//!
//! ```text
//!   Lead { driver } ── take ──► Leading (in one worker's hands) ── drop ──► Lead { driver }
//! ```
//!
//! A worker that goes to sleep leads if nobody does, and a busy one does for a look. The driver is taken
//! out and not locked: what it wakes is somebody's code.

use core::time::Duration;
use std::io as std_io;

use tenter_io as io;
use tenter_sync::shim::Mutex;

/// Where the driver is while nobody leads.
pub struct Lead {
    driver: Mutex<Option<Box<io::Driver>>>,
    handle: io::Handle,
}

/// The driver in the hands of the worker that leads.
pub struct Leading<'a> {
    lead: &'a Lead,
    driver: Option<Box<io::Driver>>,
}

impl Lead {
    /// Nobody leads.
    pub fn new(driver: io::Driver) -> Self {
        Self {
            handle: driver.handle().clone(),
            driver: Mutex::new(Some(Box::new(driver))),
        }
    }

    /// What sources register with.
    pub fn handle(&self) -> &io::Handle {
        &self.handle
    }

    /// Takes the lead, if there is a poller and nobody leads.
    pub fn take(&self) -> Option<Leading<'_>> {
        if !self.handle.is_started() {
            return None;
        }
        let driver = self.driver.lock().take()?;
        Some(Leading {
            lead: self,
            driver: Some(driver),
        })
    }
}

impl Leading<'_> {
    /// Waits in the poller; see [`io::Driver::turn`].
    pub fn turn(&mut self, timeout: Option<Duration>) -> std_io::Result<usize> {
        match &mut self.driver {
            Some(driver) => driver.turn(timeout),
            None => Ok(0),
        }
    }
}

impl Drop for Leading<'_> {
    fn drop(&mut self) {
        *self.lead.driver.lock() = self.driver.take();
    }
}
