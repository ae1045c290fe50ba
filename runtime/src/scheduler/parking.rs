//! How the thread that drives a scheduler sleeps, and how others wake it.
//!
//! It sleeps on a futex while the runtime has no socket, and in the poller from then on. Whoever has
//! work for it publishes the work first; see `inbox.rs` for why it cannot be missed.

use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use tenter_io as io;
use tenter_sync::brake::Sleeper;
use tenter_sync::parker::{Kick, Parker};
use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::atomic::{Ordering, fence};

use crate::blocking::thread::while_waiting;

/// What wakers, timers and the poller know of the thread.
#[derive(Debug)]
pub struct Parking {
    parker: Parker,
    /// What interrupts the poller; taken away when the runtime ends, to break the circle of
    /// references between the poller and its unpark waker.
    poller: Mutex<Option<io::Handle>>,
}

impl Parking {
    /// For a thread that is awake.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            parker: Parker::new(),
            poller: Mutex::new(None),
        })
    }

    /// The waker that gets the thread out of its sleep, for timers and the poller.
    pub fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    /// From now on `handle` interrupts the poller.
    pub fn set_poller(&self, handle: Option<io::Handle>) {
        let old = core::mem::replace(&mut *self.poller.lock(), handle);
        drop(old);
    }

    /// Work was published for the thread: wakes it if it sleeps or is about to.
    #[inline]
    pub fn wake_if_parked(&self) {
        if !planted!("inbox.no_fence_after_push") {
            // P2, pairs with S2 in `announce`: either we see the announcement, or the thread sees
            // the work.
            fence(Ordering::SeqCst);
        }
        if self.parker.is_parked() {
            self.interrupt();
        }
    }

    /// Wakes the thread, or keeps it from its next sleep.
    #[cold]
    pub fn interrupt(&self) {
        if self.parker.unpark() == Kick::Elsewhere {
            let poller = self.poller.lock().clone();
            if let Some(poller) = poller {
                poller.notify();
            }
        }
    }

    /// Announces that the thread will sleep: on the futex, or in the poller. False: it was woken
    /// already and must not. The caller then looks at every queue again (S3).
    pub fn announce(&self, in_poller: bool) -> bool {
        let announced = if in_poller {
            self.parker.begin_elsewhere()
        } else {
            self.parker.prepare_park()
        };
        if !planted!("inbox.no_fence_after_announce") {
            // S2, pairs with P2 in `wake_if_parked`.
            fence(Ordering::SeqCst);
        }
        announced
    }

    /// Takes the announcement back: there is work after all, or the poller returned.
    pub fn awake(&self, in_poller: bool) {
        if in_poller {
            self.parker.end_elsewhere();
        } else {
            self.parker.cancel_park();
        }
    }

    /// Sleeps on the futex as announced.
    pub fn sleep(&self, timeout: Option<Duration>) {
        // Why it returned does not matter: the run loop looks at everything.
        let _ = self.parker.commit_park(timeout);
    }
}

impl Wake for Parking {
    fn wake(self: Arc<Self>) {
        self.interrupt();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.interrupt();
    }
}

/// The parker of a thread that waits in `block_on` without driving a scheduler.
#[derive(Debug)]
pub struct ThreadParker(Sleeper);

impl ThreadParker {
    /// For a thread that is no job.
    pub fn new() -> Arc<Self> {
        Arc::new(Self(Sleeper::new()))
    }

    /// For one wait of the calling thread, which lets a virtual clock go if it is one of its jobs.
    pub fn here() -> Arc<Self> {
        Arc::new(Self(Sleeper::here()))
    }

    /// Sleeps until woken. On a thread of the blocking pool, another one may stand in meanwhile.
    pub fn park(&self) {
        while_waiting(|| self.0.park());
    }

    /// Sleeps until woken, but not longer than `timeout`.
    pub fn park_timeout(&self, timeout: Option<Duration>) {
        let _ = self.0.park_timeout(timeout);
    }

    /// Wakes the thread.
    pub fn unpark(&self) {
        self.0.unpark();
    }
}

impl Wake for ThreadParker {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}
