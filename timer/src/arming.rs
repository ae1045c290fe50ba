//! What the owner of an entry does with it under the lock: arm, reset, refresh, cancel.
//!
//! Each function looks at the state and acts on it within one critical section; what it finds may
//! have changed since the owner looked without the lock, because the driver fires and abandons
//! under it. The protocol with the driver is in `timers.rs`, the states are in `entry.rs`.
//!
//! Every waker that is handed in, left over or taken out is dropped or woken after the lock is
//! released: parameters and variables that hold one outlive the guard.
//!
//! Tests: `loom-tests/tests/timer.rs`.

use core::ptr::NonNull;
use core::task::Waker;

use tenter_sync::shim::{MutexGuard, planted};

use crate::entry::{Entry, Event, State};
use crate::instant::Instant;
use crate::timers::{AfterArm, Core, Timers};

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
    /// Links an entry, to wake `waker` when it is due.
    ///
    /// # Safety
    ///
    /// (a) The caller owns `entry`, which is in the state `from`, not Armed; (b) it is pinned; (c)
    /// before it is freed, and while these timers live, the owner calls [`Timers::cancel`], unless
    /// it has seen Armed end.
    pub(crate) unsafe fn arm(&self, entry: NonNull<Entry>, from: State, waker: Waker) -> Armed {
        self.start_driver();
        let mut core = self.lock();
        if core.closed && !planted!("timer.arm_after_close") {
            return Armed::ShutDown;
        }
        // SAFETY: (a); the lock is held. By (b) and (c) the entry stays where it is while linked,
        // so that the wheel never follows a pointer to a freed future.
        let deadline = unsafe {
            let deadline = entry.as_ref().deadline();
            if deadline <= core.wheel.reached() {
                return Armed::Due;
            }
            core.wheel.insert(entry);
            entry.as_ref().arm(from, waker);
            deadline
        };
        if !planted!("timer.arm_no_wake") {
            self.after_arm(core, deadline);
        }
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
        // SAFETY: (a), (b); the lock is held from the look at the state to the end of each change.
        // A change to an entry that has fired would link what its owner believes to be its own.
        let ended = unsafe {
            if !entry.as_ref().is_armed() {
                return Found::Ended;
            }
            let event = match now {
                _ if deadline == Instant::MAX => Event::Cancel,
                Some(now) if deadline <= now => Event::Fire,
                _ => {
                    core.wheel.reset(entry, deadline);
                    if !planted!("timer.reset_no_wake") {
                        self.after_arm(core, deadline);
                    }
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
            // SAFETY: (a), (b); the lock is held. Without it the waker could be taken in
            // mid-comparison.
            let done = unsafe {
                if !entry.as_ref().is_armed() {
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
        // SAFETY: (a), (b); the lock is held from the look at the state to the end of the change.
        // An entry that has fired is on no list; unlinking it would tear its former neighbours.
        let waker = unsafe {
            if !entry.as_ref().is_armed() && !planted!("timer.cancel_unchecked") {
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
            AfterArm::WakeDriver => self.wake_driver(),
            AfterArm::Nothing => {}
        }
    }
}
