//! The empty twin of `selector_direct.rs`, for systems where `polling` itself waits.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::Duration;

use polling::Poller;

use crate::interest::Directions;
use crate::slab::Key;

/// There is none.
#[derive(Debug)]
pub enum Direct {}

impl Direct {
    /// There is none.
    pub fn new(_poller: &Poller) -> io::Result<Option<Self>> {
        Ok(None)
    }

    /// See `selector_direct.rs`.
    pub fn add(&self, _: &Poller, _: BorrowedFd<'_>, _: Key) -> io::Result<()> {
        match *self {}
    }

    /// See `Selector::wait`.
    pub fn wait(
        &self,
        _poller: &Poller,
        _harvest: &mut DirectHarvest,
        _timeout: Option<Duration>,
    ) -> io::Result<()> {
        match *self {}
    }

    /// See `Selector::kick`.
    pub fn kick(&self) -> io::Result<()> {
        match *self {}
    }
}

/// Never any events.
#[derive(Debug)]
pub struct DirectHarvest;

impl DirectHarvest {
    /// Without events.
    pub fn new() -> Self {
        DirectHarvest
    }

    /// None.
    pub fn events(&self) -> impl Iterator<Item = (Key, Directions)> {
        std::iter::empty()
    }
}
