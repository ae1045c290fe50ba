//! The driver: one thread at a time waits in the poller, records what it reports, and wakes tasks.
//!
//! ```text
//!   turn:  no poller yet? ─ start it, unless only a look was asked for
//!          begin_wait ─ wait ─ end_wait
//!          for each event: slot by index ─ generation? ─ readiness ─ collect wakers
//!          wake them, with no lock held
//! ```
//!
//! A driver costs nothing until the first source is registered: no descriptor, no system call. Then
//! `unpark` is woken once, so that a thread that had parked elsewhere comes to wait in the poller.
//!
//! Invariants:
//! - I1: all events of a harvest are recorded, also when a waker panics.
//! - I2: a driver that failed or was shut down never blocks and never spins: each turn is an error,
//!   and [`Handle::is_started`] says false, so that its thread parks elsewhere.
//!
//! Tests: `io/tests/driver.rs`, `io/tests/faults.rs`; `loom-tests/tests/io.rs`.

use std::fmt;
use std::io;
use std::sync;
use std::task::Waker;
use std::time::Duration;

use tenter_sync::shim::Arc;

use crate::ambient::{self, EnterGuard};
use crate::phase::BeginWait;
use crate::selector::{Backend, Harvest, Selector};
use crate::shared::Shared;
use crate::wakes::Wakes;

/// Waits for the events of sources and wakes the tasks that wait for them.
///
/// A runtime owns one and turns it. Sources find it through its [`Handle`], which a thread
/// [enters](Handle::enter). Outside of a runtime a driver thread of this crate does the same.
///
/// Dropping the driver shuts its sources down.
///
/// # Examples
///
/// ```
/// use std::task::Waker;
/// use std::time::Duration;
/// use tenter_io::Driver;
///
/// # fn main() -> std::io::Result<()> {
/// let mut driver = Driver::new(Waker::noop().clone());
/// assert!(!driver.handle().is_started(), "no source, no file descriptor");
/// assert_eq!(driver.turn(Some(Duration::ZERO))?, 0);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "reactor")]
#[doc(alias = "selector")]
pub struct Driver {
    handle: Handle,
    selector: Option<sync::Arc<Selector>>,
    harvest: Harvest,
    /// The harvest has events that nobody was told of. A wait that ended without any is followed by another.
    has_news: bool,
}

impl Driver {
    /// A driver without a poller. `unpark` is woken once, when the first source is registered: a
    /// thread that would then wait for it has to wait in [`turn`](Self::turn).
    #[must_use]
    pub fn new(unpark: Waker) -> Driver {
        Driver::with_backend(unpark, Backend::Best)
    }

    /// A driver that waits in a way that is not the default: for tests.
    #[doc(hidden)]
    #[must_use]
    pub fn with_backend(unpark: Waker, backend: Backend) -> Driver {
        Driver {
            handle: Handle(Arc::new(Shared::new(unpark, backend))),
            selector: None,
            harvest: Harvest::new(),
            has_news: false,
        }
    }

    /// What other threads use of this driver.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Waits for events, for [`Handle::notify`], or for the end of `timeout`, and wakes the tasks
    /// whose sources have become ready. `None` waits without end; `Some(Duration::ZERO)` only
    /// looks.
    ///
    /// Returns how many events there were. It is precise to the nanosecond where the system is, and
    /// never returns early for the time alone.
    ///
    /// # Errors
    ///
    /// The poller is broken, or cannot be opened, or [`Handle::shutdown`] has been called. The
    /// tasks that wait have been woken and find an error too. Turning again is pointless;
    /// [`Handle::is_started`] is false.
    ///
    /// # Panics
    ///
    /// If a waker panics, after all others have been woken.
    pub fn turn(&mut self, timeout: Option<Duration>) -> io::Result<usize> {
        self.wait(timeout)?;
        Ok(self.dispatch())
    }

    /// The first half of [`turn`](Self::turn): waits, and wakes nobody. What came is kept for
    /// [`dispatch`](Self::dispatch), on whatever thread; until then this returns at once (I1).
    ///
    /// # Errors
    ///
    /// As `turn`.
    #[doc(hidden)]
    pub fn wait(&mut self, timeout: Option<Duration>) -> io::Result<()> {
        if self.has_news {
            return Ok(());
        }
        let shared = &*self.handle.0;
        if !shared.is_running() {
            self.selector = None;
            if timeout == Some(Duration::ZERO) && !shared.has_ended() {
                return Ok(());
            }
            shared.start()?; // I2: an error when it has ended.
        }
        let selector = match &self.selector {
            Some(selector) => selector,
            None => self.selector.insert(shared.start()?),
        };
        let waited = if timeout == Some(Duration::ZERO) {
            shared.phase.pass();
            selector.wait(&mut self.harvest, timeout)
        } else {
            match shared.phase.begin_wait() {
                BeginWait::Poll => selector.wait(&mut self.harvest, Some(Duration::ZERO)),
                BeginWait::Block => {
                    let waited = selector.wait(&mut self.harvest, timeout);
                    shared.phase.end_wait();
                    waited
                }
            }
        };
        waited.map_err(|error| shared.fail(error))?;
        self.has_news = self.harvest.events().next().is_some();
        Ok(())
    }

    /// The second half of [`turn`](Self::turn): wakes the tasks whose sources have become ready. Returns how
    /// many events there were.
    ///
    /// # Panics
    ///
    /// As `turn`.
    #[doc(hidden)]
    pub fn dispatch(&mut self) -> usize {
        match &self.selector {
            Some(selector) if core::mem::take(&mut self.has_news) => {
                dispatch(&self.handle.0, selector, &self.harvest)
            }
            _ => 0,
        }
    }

    /// Whether the last wait has found events that nobody was told of.
    #[doc(hidden)]
    #[must_use]
    pub fn has_events(&self) -> bool {
        self.has_news
    }
}

/// Records the events and wakes who waits for them. Returns how many were meant for a living
/// source.
fn dispatch(shared: &Shared, selector: &Selector, harvest: &Harvest) -> usize {
    let mut wakes = Wakes::new();
    let mut count = 0;
    for (key, ready) in harvest.events() {
        if let Some(slot) = shared.slab.slot(key.index()) {
            count += usize::from(slot.deliver(key, ready, selector, &mut wakes)); // I1
        }
    }
    wakes.finish();
    count
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver")
            .field("handle", &self.handle)
            .finish_non_exhaustive()
    }
}

/// A driver, from any thread: to open sources, to make a turn return, to shut down. Cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Shared>);

impl Handle {
    /// The driver that sources opened on this thread belong to: the entered one, else the fallback
    /// driver, whose thread is started by the first source that needs it.
    ///
    /// # Errors
    ///
    /// The thread of the fallback driver is refused.
    pub(crate) fn current() -> io::Result<Handle> {
        ambient::current()
    }

    /// Makes this driver the one that sources opened on this thread belong to, until the guard is
    /// dropped.
    pub fn enter(&self) -> EnterGuard {
        ambient::enter(self.clone())
    }

    /// Whether there is a poller to wait in: from the first source until the driver fails or is
    /// shut down.
    ///
    /// While this is false a thread can park anywhere else.
    #[must_use]
    pub fn is_started(&self) -> bool {
        self.0.is_running()
    }

    /// Makes the current turn return, or else the next one. Calls that come before it has returned
    /// count as one.
    #[doc(alias = "wake")]
    #[doc(alias = "unpark")]
    pub fn notify(&self) {
        self.0.notify();
    }

    /// How many tasks wait for a source to become ready. It visits every source: for a diagnosis,
    /// not for every turn.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.0.slab.slots().map(|slot| slot.waiting()).sum()
    }

    /// How many sources are registered.
    #[must_use]
    pub fn sources(&self) -> usize {
        self.0.slab.len()
    }

    /// Ends the driver: the current turn returns, every task that waits is woken and finds an
    /// error, and so does every operation that would have to wait later.
    ///
    /// # Panics
    ///
    /// If a waker panics, after all others have been woken.
    pub fn shutdown(&self) {
        self.0.shut_down();
    }

    /// The shared state, for models.
    #[doc(hidden)]
    #[must_use]
    pub fn shared(&self) -> &Arc<Shared> {
        &self.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Handle").field(&*self.0).finish()
    }
}
