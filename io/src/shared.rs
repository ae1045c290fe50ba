//! What a driver, its handles and all sources registered with it have in common.
//!
//! ```text
//!                first registration, or a turn that blocks
//!   NotStarted ──────────────────────────────────────────► Running
//!       │                                                   │    │ the poller broke
//!       │                shut_down                          │    ▼
//!       └───────────────────────────────► ShutDown ◄────────┴─ Failed
//! ```
//!
//! Invariants:
//! - I1: `status` says Running only after `poller` holds a selector.
//! - I2: the state leaves Running before the slab is closed, and the slab is closed before the
//!   slots are told. A registration that came in before the close is told; a later one is refused
//!   by the slab.
//! - I3: `unpark` is woken once, after the status says Running: a thread that parked because there
//!   was no poller yet looks again and finds one.
//!
//! Tests: `loom-tests/tests/io.rs`: `register_vs_wait`, `shutdown_vs_wait`.

use std::fmt;
use std::io;
use std::mem;
use std::sync::Arc;
use std::task::Waker;

use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{AtomicU32, Ordering};

use crate::error::{self, Failure};
use crate::phase::{AfterNotify, Phase};
use crate::selector::{Backend, Selector};
use crate::slab::Slab;
use crate::wakes::Wakes;

const NOT_STARTED: u32 = 0;
const RUNNING: u32 = 1;
const ENDED: u32 = 2;

/// See the module's first lines.
pub struct Shared {
    /// Written by every thread that notifies.
    pub phase: Phase,
    pub slab: Slab,
    status: AtomicU32,
    poller: Mutex<Poller>,
    backend: Backend,
    unpark: Waker,
}

enum Poller {
    NotStarted,
    Running(Arc<Selector>),
    Failed(Failure),
    ShutDown,
}

impl Shared {
    /// Without a poller, and without a file descriptor.
    pub fn new(unpark: Waker, backend: Backend) -> Self {
        Shared {
            phase: Phase::new(),
            slab: Slab::new(),
            status: AtomicU32::new(NOT_STARTED),
            poller: Mutex::new(Poller::NotStarted),
            backend,
            unpark,
        }
    }

    /// Whether there is a poller to wait in.
    pub fn is_running(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `start`. I1.
        self.status.load(Ordering::Acquire) == RUNNING
    }

    /// Whether there will never be one again.
    pub fn has_ended(&self) -> bool {
        // ORDERING: Relaxed. A stale answer is corrected under the lock of `start`, or by the next
        // turn.
        self.status.load(Ordering::Relaxed) == ENDED
    }

    /// The poller, which is opened if it is not there yet.
    pub fn start(&self) -> io::Result<Arc<Selector>> {
        let selector = {
            let mut poller = self.poller.lock();
            match &*poller {
                Poller::Running(selector) => return Ok(Arc::clone(selector)),
                Poller::Failed(failure) => return Err(failure.to_error()),
                Poller::ShutDown => return Err(error::shut_down()),
                Poller::NotStarted => {}
            }
            let selector = Selector::new(self.backend).map_err(error::cannot_start)?;
            let selector = Arc::new(selector);
            *poller = Poller::Running(Arc::clone(&selector));
            // ORDERING: Release pairs with the Acquire in `is_running`. I1.
            self.status.store(RUNNING, Ordering::Release);
            selector
        };
        if !planted!("io.start_without_unpark") {
            self.unpark.wake_by_ref(); // I3; it may run user code, so the lock is gone.
        }
        Ok(selector)
    }

    /// The poller, if there is one.
    pub fn selector(&self) -> Option<Arc<Selector>> {
        match &*self.poller.lock() {
            Poller::Running(selector) => Some(Arc::clone(selector)),
            _ => None,
        }
    }

    /// Why there is no poller any more.
    pub fn reason(&self) -> io::Error {
        match &*self.poller.lock() {
            Poller::Failed(failure) => failure.to_error(),
            _ => error::shut_down(),
        }
    }

    /// The current turn, or else the next, must return.
    pub fn notify(&self) {
        match self.phase.notify() {
            AfterNotify::Nothing => {}
            AfterNotify::Kick => {
                if let Some(selector) = self.selector() {
                    selector.kick();
                }
            }
        }
    }

    /// The poller is broken: everything that waits gets the error, everything later too.
    #[cold]
    pub fn fail(&self, error: io::Error) -> io::Error {
        let failure = Failure::new(error);
        let error = failure.to_error();
        self.end(Poller::Failed(failure));
        error
    }

    /// Nobody will turn the driver any more: everything that waits gets an error, everything later
    /// too.
    pub fn shut_down(&self) {
        self.end(Poller::ShutDown);
    }

    fn end(&self, reason: Poller) {
        let before = {
            let mut poller = self.poller.lock();
            if matches!(&*poller, Poller::Failed(_) | Poller::ShutDown) {
                return;
            }
            // ORDERING: Release, for the Acquire in `is_running`, whose reader asks again under the
            // lock.
            self.status.store(ENDED, Ordering::Release);
            mem::replace(&mut *poller, reason)
        };
        if let (Poller::Running(selector), AfterNotify::Kick) = (before, self.phase.notify()) {
            if !planted!("io.shutdown_without_kick") {
                selector.kick();
            }
        }
        if !planted!("io.slab_left_open") {
            self.slab.close(); // I2
        }
        let mut wakes = Wakes::new();
        for slot in self.slab.slots() {
            slot.shut_down(&mut wakes);
        }
        wakes.finish();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.poller.try_lock().as_deref() {
            None => "changing",
            Some(Poller::NotStarted) => "not started",
            Some(Poller::Running(_)) => "running",
            Some(Poller::Failed(_)) => "failed",
            Some(Poller::ShutDown) => "shut down",
        };
        f.debug_struct("Shared")
            .field("state", &state)
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}
