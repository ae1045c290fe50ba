//! The port to the operating system's poller: registration, waiting, and a kick from another
//! thread.
//!
//! The poller is always `polling`'s. It is used in two ways, chosen when a driver starts:
//!
//! | [`Backend`]       | registers and waits by                | the poller reports            |
//! |-------------------|---------------------------------------|-------------------------------|
//! | `Best`            | `epoll` calls on the poller's own fd  | each edge, registered once    |
//! | `PollingEdge`     | `polling`                             | each edge, registered once    |
//! | `PollingOneshot`  | `polling`                             | each wait once, told each time |
//!
//! `polling` takes five system calls for a wait: it sets its timer, registers it and its notifier
//! anew, and reads the notifier. `Best` takes one. It is the default on Linux; elsewhere it is
//! the best that `polling` offers there. All three are tested on Linux.
//!
//! What the driver may rely on, and `selector_script.rs` keeps to in the model:
//! - one thread waits at a time; the others register, delete and kick meanwhile;
//! - a kick is sticky: it ends the current wait, or else the next;
//! - events may be spurious, and may come for a key that has been deleted meanwhile;
//! - an edge that was there before the registration is reported.
//!
//! Tests: `io/tests/stream.rs` and its neighbours run one suite on all three.

use std::fmt;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::time::Duration;

use polling::{Event, PollMode, Poller};
use rustix::io::Errno;

use crate::fork::{self, Process};
use crate::holders::Holders;
use crate::interest::Directions;
use crate::selector_portable::Portable;
use crate::slab::Key;

// The flag is that of `polling` for its own tests: it waits by `poll` then, and has no descriptor.
#[cfg(all(target_os = "linux", not(polling_test_poll_backend)))]
#[path = "selector_direct.rs"]
mod direct;
#[cfg(any(not(target_os = "linux"), polling_test_poll_backend))]
#[path = "selector_indirect.rs"]
mod direct;

use direct::{Direct, DirectHarvest};

/// How a driver waits. See the table in `selector.rs`; only tests choose.
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// The best there is.
    Best,
    /// `polling` with edges.
    PollingEdge,
    /// `polling`, armed for each wait.
    PollingOneshot,
}

/// See the module's first lines.
pub struct Selector {
    poller: Poller,
    mode: PollMode,
    /// `None`: `polling` waits.
    direct: Option<Direct>,
    holders: Holders,
    process: Process,
}

/// The events of one wait, and what the waiting thread keeps from one wait to the next.
#[derive(Debug)]
pub struct Harvest {
    direct: DirectHarvest,
    portable: Portable,
}

impl Selector {
    /// Opens a poller.
    ///
    /// # Errors
    ///
    /// Those of the operating system, above all "too many open files". Nothing stays open then.
    pub fn new(backend: Backend) -> io::Result<Self> {
        let poller = Poller::new()?;
        let mode = match backend {
            Backend::PollingOneshot => PollMode::Oneshot,
            _ if poller.supports_edge() => PollMode::Edge,
            _ => PollMode::Oneshot,
        };
        let direct = match backend {
            Backend::Best => Direct::new(&poller)?,
            _ => None,
        };
        Ok(Selector {
            poller,
            mode,
            direct,
            holders: Holders::new(),
            process: Process::current(),
        })
    }

    /// What a descriptor that may be tried in these directions is taken for until its first event.
    pub fn before_any_event(&self, ready: Directions) -> Directions {
        match &self.direct {
            // What is there when it is registered is reported, and so is what comes later.
            Some(_) => ready.with_only_data(),
            None => ready,
        }
    }

    /// Whether the poller reports each wait once, and has to be told of each.
    #[inline]
    pub fn reports_each_wait_once(&self) -> bool {
        self.mode == PollMode::Oneshot
    }

    /// Registers a descriptor.
    ///
    /// # Errors
    ///
    /// Those of the operating system, and that of a forked process. The descriptor is not
    /// registered under this key then.
    pub fn add(&self, fd: RawFd, key: Key) -> io::Result<()> {
        self.check_process()?;
        if let Some(direct) = &self.direct {
            // SAFETY: `Registration::new` obliges its caller to keep the descriptor open until the
            // registration is dropped, which deletes it here first. Otherwise a poller that keeps
            // its own list would poll a number that belongs to something else by then.
            let fd = unsafe { BorrowedFd::borrow_raw(fd) };
            direct.add(&self.poller, fd, key)?;
        } else {
            let event = if self.reports_each_wait_once() {
                Event::none(key.bits())
            } else {
                Event::all(key.bits())
            };
            // SAFETY: as above.
            unsafe { self.poller.add_with_mode(fd, event, self.mode) }?;
        }
        self.holders.taken(fd, key);
        Ok(())
    }

    /// Asks for one report of `directions`.
    ///
    /// # Errors
    ///
    /// The descriptor is not registered (any more).
    pub fn arm(&self, fd: RawFd, key: Key, directions: Directions) -> io::Result<()> {
        let readable = !(directions & Directions::READ).is_empty();
        let writable = !(directions & Directions::WRITE).is_empty();
        let event = Event::new(key.bits(), readable, writable);
        self.check_process()?;
        if !self.holders.is_held(fd, key) {
            return Err(Errno::BADF.into());
        }
        // SAFETY: the registration exists, because its slot's generation was compared under the
        // slot's lock; so its owner still keeps the descriptor open. Otherwise this would arm
        // another file.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        self.poller.modify_with_mode(fd, event, self.mode)
    }

    /// Ends the registration of a descriptor.
    ///
    /// # Errors
    ///
    /// It was not registered, or was closed underneath; the number may be another source's by now.
    pub fn delete(&self, fd: RawFd, key: Key) -> io::Result<()> {
        self.check_process()?;
        if !self.holders.released(fd, key) {
            return Err(Errno::BADF.into());
        }
        // SAFETY: called from the drop of the registration, whose owner keeps the descriptor open
        // until that has returned. Otherwise this would take another file from the poller.
        let fd = unsafe { BorrowedFd::borrow_raw(fd) };
        self.poller.delete(fd)
    }

    /// Waits for events, a kick, or the end of `timeout`; `None` is without end. Never ends early
    /// for the time alone, and goes on by itself when a signal interrupts it.
    ///
    /// # Errors
    ///
    /// The poller is broken, or another process's.
    pub fn wait(&self, harvest: &mut Harvest, timeout: Option<Duration>) -> io::Result<()> {
        self.check_process()?;
        match &self.direct {
            Some(direct) => direct.wait(&self.poller, &mut harvest.direct, timeout),
            None => harvest.portable.wait(&self.poller, timeout),
        }
    }

    /// Ends the current wait, or else the next.
    pub fn kick(&self) {
        if !self.process.is_current() {
            return;
        }
        // A poller that cannot be kicked is broken; the waiting thread finds that out by itself.
        let _ = match &self.direct {
            Some(direct) => direct.kick(),
            None => self.poller.notify(),
        };
    }

    /// A copy of the process that opened the poller must not speak to it: see `fork.rs`.
    ///
    /// # Errors
    ///
    /// This process is such a copy.
    #[inline]
    fn check_process(&self) -> io::Result<()> {
        if self.process.is_current() {
            Ok(())
        } else {
            Err(fork::forked())
        }
    }
}

impl Harvest {
    /// Without events.
    pub fn new() -> Self {
        Harvest {
            direct: DirectHarvest::new(),
            portable: Portable::new(),
        }
    }

    /// The events of the last wait.
    pub fn events(&self) -> impl Iterator<Item = (Key, Directions)> {
        self.direct.events().chain(self.portable.events())
    }
}

impl fmt::Debug for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Selector")
            .field("mode", &self.mode)
            .field("direct", &self.direct)
            .finish_non_exhaustive()
    }
}
