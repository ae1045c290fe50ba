//! A set of timers and the protocol between those who arm them and the driver that fires them.
//!
//! The *driver* is whoever calls [`Timers::begin_park`] and [`Timers::fire_due`]: a worker of the
//! runtime, or the background thread of `fallback.rs`. A wake-up of the driver is the `unpark` waker.
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
//! The two critical sections have one order. If the entry was linked first, `d` takes it into account.
//! If `Parked` was written first, whoever arms sees `until` as it is being slept on, and owes a wake-up
//! if the new deadline comes earlier. What matters is that `until` is computed and published in *one*
//! section: between two, an entry would be missed by the computation, and its owner would see an
//! `until` that is out of date. Once woken the driver counts as awake: it looks at the wheel again
//! before it sleeps, so a second wake-up would be for nothing.
//!
//! # User code
//!
//! Wakers are cloned, woken and dropped without the lock (they leave it in a [`WakeBatch`]). A waker
//! that panics keeps no other timer from firing: the first panic goes on when all are done.
//!
//! Invariants:
//! - I1: every entry in the wheel belongs to a sleep that holds a clone of these `Timers`; so the wheel
//!   outlives its entries.
//! - I2: after [`Timers::shutdown`] the wheel is empty and stays so.
//! - I3: one call of [`Timers::fire_due`] fires no more entries than were armed when it began. So it
//!   ends, also if every woken task at once arms a timer that is due.
//!
//! Rejected: publishing the deadline in an atomic beside the lock. Both sides take the lock anyway, and
//! the order of the two stores would need a proof.
//!
//! Tests: `loom-tests/tests/timer.rs`; `tests/timers.rs`, `tests/others.rs`.

use core::fmt;
use core::ptr::NonNull;
use core::task::Waker;
use std::panic::{self, AssertUnwindSafe};

use tenter_sync::shim::{Arc, Mutex, MutexGuard, planted};
use tenter_sync::wake_batch::WakeBatch;

use crate::ambient::{self, EnterGuard};
use crate::clock::Clock;
use crate::entry::{Entry, Event, State};
use crate::instant::Instant;
use crate::wheel::Wheel;

/// A set of timers on one clock, fired by one driver. Clones share the set.
///
/// Programs do not need this type: within a runtime its workers drive the timers, elsewhere a background
/// thread does. It is for those who write a runtime or a test harness.
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
    /// Called before a timer is armed: starts the driver, where that is done lazily.
    start: Option<fn()>,
    core: Mutex<Core>,
}

struct Core {
    wheel: Wheel,
    driver: Driver,
    closed: bool,
}

/// What the driver does, as far as those who arm timers need to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Driver {
    /// It will look at the wheel before it sleeps.
    Awake,
    /// It sleeps, or is about to; without a deadline until it is woken.
    Parked { until: Option<Instant> },
}

/// What whoever armed or reset a timer must do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum AfterArm {
    /// Nothing: the driver knows, or will know in time.
    Nothing,
    /// Wake the driver, without the lock.
    WakeDriver,
}

impl Driver {
    /// A timer due at `deadline` has been linked.
    fn armed(&mut self, deadline: Instant) -> AfterArm {
        match *self {
            Driver::Parked { until } if until.is_none_or(|until| deadline < until) => {
                *self = Driver::Awake;
                AfterArm::WakeDriver
            }
            Driver::Parked { .. } | Driver::Awake => AfterArm::Nothing,
        }
    }
}

/// How an attempt to arm ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Armed {
    /// The timer will fire.
    Yes,
    /// The deadline has passed: the owner may go on.
    Due,
    /// The timers are shut down: nobody would ever fire it.
    ShutDown,
}

/// How an operation on an armed timer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Found {
    /// It was armed, and the operation is done.
    Armed,
    /// It was no longer armed: fired, or abandoned. Nothing was done.
    Ended,
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

    /// Makes these the timers that [`sleep`](crate::sleep) and the others use on this thread, until the
    /// guard is dropped.
    #[must_use = "the timers are left again when the guard is dropped"]
    pub fn enter(&self) -> EnterGuard {
        ambient::enter(self.clone())
    }

    /// The driver is about to sleep: returns until when it may, `None` for until it is woken.
    ///
    /// From now on, and until [`end_park`](Timers::end_park), whoever arms an earlier timer wakes the
    /// driver.
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
        if planted!("timer.stale_publication") {
            return;
        }
        self.lock().driver = Driver::Awake;
    }

    /// The earliest deadline of all armed timers, exactly.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.lock().earliest()
    }

    /// Fires every timer that is due at `now`, in the order of the deadlines; equal ones in the order in
    /// which they were armed. Returns how many. Timers that are armed meanwhile may have to wait for the
    /// next call.
    ///
    /// # Panics
    ///
    /// If a waker panics; all other wakers are woken first.
    pub fn fire_due(&self, now: Instant) -> usize {
        let mut limit = None;
        let mut fired = 0;
        self.in_batches(Event::Fire, |core| {
            let limit = *limit.get_or_insert(core.wheel.len());
            // I3.
            let due = if fired < limit {
                core.pop_due(now)
            } else {
                None
            };
            fired += usize::from(due.is_some());
            due
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
        let mut panicked = None;
        let mut more = true;
        while more {
            let mut batch = WakeBatch::new();
            let mut core = self.lock();
            while more && !batch.is_full() {
                let Some(entry) = pop(&mut core) else {
                    more = false;
                    break;
                };
                // SAFETY: the lock is held; what was in the wheel is armed, and now unlinked. Not under
                // the lock, the owner could free the entry while its waker is being taken.
                if let Some(waker) = unsafe { entry.as_ref().disarm(event) } {
                    batch.push(waker);
                }
            }
            drop(core);
            if planted!("timer.shutdown_silent") && event == Event::Abandon {
                core::mem::forget(batch);
                continue;
            }
            let outcome = panic::catch_unwind(AssertUnwindSafe(|| batch.wake_all()));
            panicked = panicked.or(outcome.err());
        }
        if let Some(payload) = panicked {
            panic::resume_unwind(payload);
        }
    }

    /// Links an entry, to wake `waker` when it is due.
    ///
    /// # Safety
    ///
    /// (a) The caller owns `entry`, which is not Armed; (b) it is pinned; (c) before it is freed, and
    /// while these timers live, the owner calls [`Timers::cancel`], unless it has seen Armed end.
    pub(crate) unsafe fn arm(&self, entry: NonNull<Entry>, waker: Waker) -> Armed {
        if let Some(start) = self.shared.start {
            start();
        }
        let mut core = self.lock();
        if core.closed && !planted!("timer.arm_after_close") {
            return Armed::ShutDown;
        }
        // SAFETY: (a); the lock is held. By (b) and (c) the entry stays where it is while linked, so
        // that the wheel never follows a pointer to a freed future.
        let deadline = unsafe {
            let deadline = entry.as_ref().deadline();
            if deadline <= core.wheel.reached() {
                return Armed::Due;
            }
            core.wheel.insert(entry);
            entry.as_ref().arm(waker);
            deadline
        };
        self.after_arm(core, deadline);
        Armed::Yes
    }

    /// Gives an armed entry another deadline; fires it if that is due at `now`.
    ///
    /// # Safety
    ///
    /// (a) The caller owns `entry`; (b) it was armed here.
    pub(crate) unsafe fn reset(
        &self,
        entry: NonNull<Entry>,
        deadline: Instant,
        now: Option<Instant>,
    ) -> Found {
        let mut core = self.lock();
        // SAFETY: (a), (b); the lock is held from the look at the state to the end of each change. A
        // change to an entry that has fired would link what its owner believes to be its own.
        let ended = unsafe {
            if entry.as_ref().state() != State::Armed {
                return Found::Ended;
            }
            let event = match now {
                _ if deadline == Instant::MAX => Event::Cancel,
                Some(now) if deadline <= now => Event::Fire,
                _ => {
                    core.wheel.reset(entry, deadline);
                    self.after_arm(core, deadline);
                    return Found::Armed;
                }
            };
            core.wheel.remove(entry);
            entry.as_ref().write_deadline(deadline);
            entry.as_ref().disarm(event).map(|waker| (event, waker))
        };
        drop(core);
        if let Some((Event::Fire, waker)) = ended {
            waker.wake();
        }
        Found::Armed
    }

    /// Makes an armed entry wake `waker`.
    ///
    /// # Safety
    ///
    /// (a) The caller owns `entry`; (b) it was armed here.
    pub(crate) unsafe fn refresh(&self, entry: NonNull<Entry>, waker: &Waker) -> Found {
        // Outlives each lock below, so that what is left over is dropped without it.
        let mut new = None;
        loop {
            let core = self.lock();
            // SAFETY: (a), (b); the lock is held. Without it the waker could be taken in mid-comparison.
            let done = unsafe {
                if entry.as_ref().state() != State::Armed {
                    return Found::Ended;
                }
                entry.as_ref().refresh(waker, &mut new)
            };
            drop(core);
            if done.is_ok() {
                return Found::Armed;
            }
            new = Some(waker.clone());
        }
    }

    /// Unlinks an entry if it is still armed.
    ///
    /// # Safety
    ///
    /// (a) The caller owns `entry`; (b) it was armed here.
    pub(crate) unsafe fn cancel(&self, entry: NonNull<Entry>) {
        let mut core = self.lock();
        // SAFETY: (a), (b); the lock is held from the look at the state to the end of the change. An
        // entry that has fired is on no list; unlinking it would tear its former neighbours.
        let waker = unsafe {
            if entry.as_ref().state() != State::Armed && !planted!("timer.cancel_unchecked") {
                return;
            }
            core.wheel.remove(entry);
            entry.as_ref().disarm(Event::Cancel)
        };
        drop(core);
        drop(waker);
    }

    /// Releases the lock, and wakes the driver if it would oversleep `deadline`.
    #[inline]
    fn after_arm(&self, mut core: MutexGuard<'_, Core>, deadline: Instant) {
        let after = core.driver.armed(deadline);
        drop(core);
        match after {
            AfterArm::WakeDriver if !planted!("timer.no_wake") => self.shared.unpark.wake_by_ref(),
            AfterArm::WakeDriver | AfterArm::Nothing => {}
        }
    }

    #[inline]
    fn lock(&self) -> MutexGuard<'_, Core> {
        self.shared.core.lock()
    }
}

/// What the lock guards. A `&mut Core` is the proof that it is held, (a) of [`Wheel`]; (b) is I1.
impl Core {
    fn earliest(&mut self) -> Option<Instant> {
        // SAFETY: (a), (b). Without the lock a cancelled entry could be read after it is freed.
        unsafe { self.wheel.earliest() }
    }

    fn pop_due(&mut self, now: Instant) -> Option<NonNull<Entry>> {
        // SAFETY: (a), (b). Without the lock a cancelled entry could be read after it is freed.
        unsafe { self.wheel.pop_due(now) }
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
