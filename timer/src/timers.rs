//! A set of timers and the protocol between those who arm them and the driver that fires them.
//!
//! The *driver* is whoever calls [`Timers::begin_park`] and [`Timers::fire_due`]: a worker of the
//! runtime, or the background thread of `fallback.rs`. A wake-up of the driver is the `unpark`
//! waker.
//!
//! ```text
//!  driver                                    anyone who arms or resets a timer
//!  ──────                                    ─────────────────────────────────
//!  lock                                      lock
//!    earliest deadline = d                     link the entry, due at t
//!    driver = Parked { until: d }              driver is Parked { until } and t < until:
//!  unlock                                        driver = Awake, and we owe it a wake-up
//!  sleep until d, or until woken             unlock
//!  lock; driver = Awake; unlock              wake `unpark`, if owed
//!  fire_due(now)
//! ```
//!
//! # No timer is overslept
//!
//! The two critical sections have one order. If the entry was linked first, `d` takes it into
//! account. If `Parked` was written first, whoever arms sees `until` as it is being slept on, and
//! owes a wake-up if the new deadline comes earlier. What matters is that `until` is computed and
//! published in *one* section: between two, an entry would be missed by the computation, and its
//! owner would see an `until` that is out of date. Once woken the driver counts as awake: it looks
//! at the wheel again before it sleeps, so a second wake-up would be for nothing.
//!
//! # User code
//!
//! Wakers are cloned, woken and dropped without the lock (they leave it in a batch). A waker
//! that panics keeps no other timer from firing: the first panic goes on when all are done.
//!
//! Invariants:
//! - I1: every entry in the wheel belongs to a sleep that holds a clone of these `Timers`; so the
//!   wheel outlives its entries.
//! - I2: after [`Timers::shutdown`] the wheel is empty and stays so.
//! - I3: one call of [`Timers::fire_due`] fires no more entries than were armed when it began. So
//!   it ends, also if every woken task at once arms a timer that is due.
//!
//! Rejected: publishing the deadline in an atomic beside the lock. Both sides take the lock anyway,
//! and the order of the two stores would need a proof.
//!
//! Tests: `loom-tests/tests/timer.rs`; `tests/timers.rs`, `tests/others.rs`, `tests/stress.rs`.

use core::fmt;
use core::ptr::NonNull;
use core::task::Waker;

use tenter_sync::shim::{Arc, Mutex, MutexGuard, planted};
use tenter_sync::wake_batch::{Progress, wake_in_batches};

use crate::ambient::{self, EnterGuard};
use crate::clock::Clock;
use crate::entry::{Entry, Event};
use crate::instant::Instant;
use crate::wheel::Wheel;

/// A set of timers on one clock, fired by one driver. Clones share the set.
///
/// Programs do not need this type: within a runtime its workers drive the timers, elsewhere a
/// background thread does. It is for those who write a runtime or a test harness.
///
/// # Examples
///
/// A driver in a few lines:
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use std::{future::Future, pin::pin, time::Duration};
/// use tenter_timer::{Clock, Timers, sleep};
///
/// let timers = Timers::new(Clock::virtual_from_zero(), Waker::noop().clone());
/// let _guard = timers.enter();
/// let mut hour = pin!(sleep(Duration::from_secs(3_600)));
/// let mut cx = Context::from_waker(Waker::noop());
/// assert!(hour.as_mut().poll(&mut cx).is_pending());
///
/// let deadline = timers.next_deadline().expect("one timer is armed");
/// timers.clock().advance_to(deadline);
/// assert_eq!(timers.fire_due(deadline), 1);
/// assert_eq!(hour.as_mut().poll(&mut cx), Poll::Ready(()));
/// ```
#[derive(Clone)]
pub struct Timers {
    shared: Arc<Shared>,
}

struct Shared {
    clock: Clock,
    /// Woken when a timer is armed that is due before the driver would wake up.
    unpark: Waker,
    /// Starts the driver, where that is done lazily.
    start: Option<fn()>,
    core: Mutex<Core>,
}

/// What the lock guards. A `&mut Core` is the proof that it is held.
pub(crate) struct Core {
    pub(crate) wheel: Wheel,
    pub(crate) driver: Driver,
    pub(crate) closed: bool,
}

/// What the driver does, as far as those who arm timers need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driver {
    /// It will look at the wheel before it sleeps.
    Awake,
    /// It sleeps, or is about to; without a deadline until it is woken.
    Parked { until: Option<Instant> },
}

/// What whoever armed or reset a timer must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum AfterArm {
    /// Nothing: the driver knows, or will know in time.
    Nothing,
    /// Wake the driver, without the lock.
    WakeDriver,
}

impl Driver {
    /// A timer due at `deadline` has been linked.
    pub(crate) fn armed(&mut self, deadline: Instant) -> AfterArm {
        match *self {
            Driver::Parked { until } if until.is_none_or(|until| deadline < until) => {
                *self = Driver::Awake;
                AfterArm::WakeDriver
            }
            Driver::Parked { .. } | Driver::Awake => AfterArm::Nothing,
        }
    }
}

impl Timers {
    /// A set of timers on `clock`; `unpark` makes the driver return from its sleep.
    #[must_use]
    pub fn new(clock: Clock, unpark: Waker) -> Timers {
        Timers::with_start(clock, unpark, None)
    }

    pub(crate) fn with_start(clock: Clock, unpark: Waker, start: Option<fn()>) -> Timers {
        let wheel = Wheel::new(clock.now());
        let core = Core {
            wheel,
            driver: Driver::Awake,
            closed: false,
        };
        Timers {
            shared: Arc::new(Shared {
                clock,
                unpark,
                start,
                core: Mutex::new(core),
            }),
        }
    }

    /// The clock that the deadlines are on.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    /// Makes these the timers that [`sleep`](crate::sleep()) and the others use on this thread,
    /// until the guard is dropped.
    #[must_use = "the timers are left again when the guard is dropped"]
    pub fn enter(&self) -> EnterGuard {
        ambient::enter(self.clone())
    }

    /// The driver is about to sleep: returns until when it may, `None` for until it is woken.
    ///
    /// From now on, and until [`end_park`](Timers::end_park), whoever arms an earlier timer wakes
    /// the driver.
    #[must_use]
    pub fn begin_park(&self) -> Option<Instant> {
        let mut core = self.lock();
        let until = core.earliest();
        if planted!("timer.publish_late") {
            drop(core);
            core = self.lock();
        }
        core.driver = Driver::Parked { until };
        until
    }

    /// The driver is awake again.
    pub fn end_park(&self) {
        self.lock().driver = Driver::Awake;
    }

    /// The earliest deadline of all armed timers, exactly.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.lock().earliest()
    }

    /// Fires every timer that is due at `now`, in the order of the deadlines; equal ones in the
    /// order in which they were armed. Returns how many. Timers that are armed meanwhile may have
    /// to wait for the next call.
    ///
    /// A driver calls this whenever it has read the clock, also when nothing is due: deadlines are
    /// grouped by their distance from the latest time that the timers have been told.
    ///
    /// # Panics
    ///
    /// If a waker panics; all other wakers are woken first.
    pub fn fire_due(&self, now: Instant) -> usize {
        let mut limit = None;
        let mut fired = 0;
        self.in_batches(Event::Fire, |core| {
            let limit = *limit.get_or_insert(core.wheel.len());
            // I3. Past the limit too the wheel is asked, and so gets to know the time.
            let due = core.first_due(now).filter(|_| fired < limit)?;
            core.remove(due);
            fired += 1;
            Some(due)
        });
        fired
    }

    /// How many timers are armed.
    #[must_use]
    pub fn armed(&self) -> usize {
        self.lock().wheel.len()
    }

    /// Ends these timers: wakes all that wait, whose next poll panics and says why. Later sleeps on
    /// these timers panic when they would have to wait. Idempotent.
    ///
    /// # Panics
    ///
    /// If a waker panics; all other wakers are woken first.
    pub fn shutdown(&self) {
        self.lock().closed = true;
        self.in_batches(Event::Abandon, Core::pop_any);
    }

    /// Takes entries out with `pop` until there are none, ends each with `event`, and wakes them, a
    /// batch at a time, without the lock.
    fn in_batches(&self, event: Event, mut pop: impl FnMut(&mut Core) -> Option<NonNull<Entry>>) {
        wake_in_batches(|batch| {
            let mut core = self.lock();
            while !batch.is_full() {
                let Some(entry) = pop(&mut core) else {
                    return Progress::Finished;
                };
                // SAFETY: the lock is held; what was in the wheel is armed, and now unlinked. Not
                // under the lock, the owner could free the entry while its waker is being taken.
                let waker = unsafe { entry.as_ref().disarm(event) };
                if planted!("timer.shutdown_silent") && event == Event::Abandon {
                    continue;
                }
                if let Some(waker) = waker {
                    batch.push(waker);
                }
            }
            Progress::More
        });
    }

    /// Makes sure that there is a driver, before a timer is armed.
    #[inline]
    pub(crate) fn start_driver(&self) {
        if let Some(start) = self.shared.start {
            start();
        }
    }

    /// Ends the sleep of the driver. Not under the lock: the waker is someone else's code.
    pub(crate) fn wake_driver(&self) {
        self.shared.unpark.wake_by_ref();
    }

    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.shared.core.lock()
    }
}

/// The calls of the wheel that ask for nothing but the lock, (a) of [`Wheel`], and I1, (b).
impl Core {
    fn earliest(&mut self) -> Option<Instant> {
        // SAFETY: (a), (b). Without the lock a cancelled entry could be read after it is freed.
        unsafe { self.wheel.earliest() }
    }

    fn first_due(&mut self, now: Instant) -> Option<NonNull<Entry>> {
        // SAFETY: (a), (b). Without the lock a cancelled entry could be read after it is freed.
        unsafe { self.wheel.first_due(now) }
    }

    /// Takes out an entry that [`Core::first_due`] has returned under this very lock.
    fn remove(&mut self, due: NonNull<Entry>) {
        // SAFETY: (a), (b), and it is in the wheel. A second removal would tear its neighbours.
        unsafe { self.wheel.remove(due) };
    }

    fn pop_any(&mut self) -> Option<NonNull<Entry>> {
        // SAFETY: (a), (b). Without the lock a cancelled entry could be read after it is freed.
        unsafe { self.wheel.pop_any() }
    }
}

impl fmt::Debug for Timers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Timers");
        out.field("clock", &self.shared.clock);
        match self.shared.core.try_lock() {
            Some(core) => out
                .field("armed", &core.wheel.len())
                .field("driver", &core.driver)
                .field("shut_down", &core.closed),
            None => out.field("armed", &format_args!("<locked>")),
        };
        out.finish()
    }
}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Timers>();
};
