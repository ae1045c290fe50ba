//! The node of a timer: it lies inside the future, so arming a timer allocates nothing.
//!
//! ```text
//!               arm                      fire
//!  Set, Ahead ────────────────► Armed ─────────────► Fired
//!   ▲  ▲  │                       │                  ▲  │
//!   │  │  │   cancel, abandon     │                  │  │
//!   │  └──┼───────────────────────┘                  │  │
//!   │     └──────────────── pass ────────────────────┘  │
//!   └───────────────────── set, set ahead ──────────────┘
//! ```
//!
//! | from       | event                 | to    | by        | holds the lock | leaves behind |
//! |------------|-----------------------|-------|-----------|----------------|---------------|
//! | not Armed  | [`Event::Set`]        | Set   | the owner | no             |               |
//! | not Armed  | [`Event::SetAhead`]   | Ahead | the owner | no             |               |
//! | Set, Ahead | [`Event::Pass`]       | Fired | the owner | no             |               |
//! | Set, Ahead | [`Event::Arm`]        | Armed | the owner | yes            |               |
//! | Armed      | [`Event::Cancel`]     | Set   | the owner | yes            | the waker     |
//! | Armed      | [`Event::Fire`]       | Fired | anyone    | yes            | the waker     |
//! | Armed      | [`Event::Abandon`]    | Set   | anyone    | yes            | the waker     |
//!
//! *Set* is a deadline that nobody has compared with the clock yet, *Ahead* one that was in the
//! future when it was set, so that its first poll need not read the clock again.
//!
//! Invariants:
//! - I1: an entry is linked in a wheel iff its state is Armed, at every moment at which the lock of
//!   that wheel is free.
//! - I2: outside Armed the entry belongs to its owner alone, who needs no lock.
//! - I3: whoever takes an entry out of Armed on behalf of someone else (fire, abandon) stores the
//!   state last, and does not touch the entry afterwards: the owner may free it at once.
//! - I4: a waker is kept iff the state is Armed. It leaves with the event that ends Armed and is
//!   woken or dropped without the lock.
//!
//! Ordering: fire and abandon store with Release; the owner loads with Acquire before it relies on
//! I2. So the last touches of the firing thread come before the owner reuses or frees the entry.
//!
//! The state is loaded by the owner alone, without the lock; under it, the waker says whether the
//! entry is armed (I4). A second load under the lock would also hide the first one from the model
//! checker, which tries other orders only for the last access before a conflicting one.
//!
//! Rejected: a state *Firing* between Armed and Fired. It is needed where due entries wait on a
//! list of their own while the lock is given up; here an entry leaves the wheel, gives up its waker
//! and is Fired within one critical section, so a reset finds it before or after, never in between.
//! Rejected: the state under the lock. It is one atomic fewer, but each task that a burst of timers
//! wakes would then contend with the driver, which is still firing the rest of the burst.
//!
//! Tests: below (table); `wheel/tests.rs`; `loom-tests/tests/timer.rs`.

use core::fmt;
use core::marker::PhantomPinned;
use core::ptr::NonNull;
use core::task::Waker;

use tenter_sync::shim::atomic::{AtomicU8, Ordering};
use tenter_sync::shim::{Live, UnsafeCell, planted};

use crate::instant::Instant;

/// A timer as its wheel sees it.
pub struct Entry {
    /// Written as the table above says; read by the owner at any time.
    state: AtomicU8,
    /// Written by the owner, with the lock while Armed. Read by the owner at any time, and by the
    /// holder of the lock while Armed.
    deadline: UnsafeCell<Instant>,
    /// The holder of the lock, while Armed.
    links: UnsafeCell<Links>,
    /// The holder of the lock, while Armed. Not within the links, whose padding would cost a word.
    place: UnsafeCell<[u8; 2]>,
    /// The holder of the lock, while Armed.
    waker: UnsafeCell<Option<Waker>>,
    live: Live,
    _pinned: PhantomPinned,
}

/// What ties an armed entry to its wheel.
#[derive(Clone, Copy)]
pub(crate) struct Links {
    pub(crate) prev: Option<NonNull<Entry>>,
    pub(crate) next: Option<NonNull<Entry>>,
}

/// Where an entry is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// Not in a wheel; the deadline has not been compared with the clock.
    Set = 0,
    /// Not in a wheel; the deadline was ahead of the clock when it was set.
    Ahead = 1,
    /// In a wheel, with a waker.
    Armed = 2,
    /// The deadline has passed.
    Fired = 3,
}

/// What can happen to an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The owner gives it a deadline.
    Set,
    /// The owner gives it a deadline that lies ahead of the clock.
    SetAhead,
    /// The owner finds the deadline passed.
    Pass,
    /// The owner links it into the wheel.
    Arm,
    /// The owner takes it out of the wheel.
    Cancel,
    /// The wheel finds it due.
    Fire,
    /// The wheel shuts down.
    Abandon,
}

impl State {
    /// The state after `event`, `None` where the event is a bug.
    const fn after(self, event: Event) -> Option<State> {
        match (self, event) {
            (State::Set | State::Ahead | State::Fired, Event::Set) => Some(State::Set),
            (State::Set | State::Ahead | State::Fired, Event::SetAhead) => Some(State::Ahead),
            (State::Set | State::Ahead, Event::Pass) => Some(State::Fired),
            (State::Set | State::Ahead, Event::Arm) => Some(State::Armed),
            (State::Armed, Event::Cancel | Event::Abandon) => Some(State::Set),
            (State::Armed, Event::Fire) => Some(State::Fired),
            _ => None,
        }
    }
}

impl Links {
    const UNLINKED: Links = Links {
        prev: None,
        next: None,
    };
}

impl Entry {
    /// An entry in no wheel. `state` is not Armed.
    pub(crate) fn new(deadline: Instant, state: State) -> Entry {
        debug_assert_ne!(state, State::Armed, "I1: a new entry is in no wheel");
        Entry {
            state: AtomicU8::new(state as u8),
            deadline: UnsafeCell::new(deadline),
            links: UnsafeCell::new(Links::UNLINKED),
            place: UnsafeCell::new([0; 2]),
            waker: UnsafeCell::new(None),
            live: Live::new(),
            _pinned: PhantomPinned,
        }
    }

    /// The state. Armed may have ended by the time that the caller looks at the answer; any other
    /// answer holds until the owner itself changes it, I2.
    #[inline]
    pub(crate) fn state(&self) -> State {
        // ORDERING: Acquire pairs with the Release store in `advance`: if another thread fired or
        // abandoned the entry, all its touches come before ours.
        match self.state.load(Ordering::Acquire) {
            0 => State::Set,
            1 => State::Ahead,
            2 => State::Armed,
            _ => State::Fired,
        }
    }

    /// Goes on to the state after `event`. Whoever calls knows `from`: as the holder of the lock
    /// that it is Armed, as the owner what it has loaded, I2.
    #[inline]
    fn advance(&self, from: State, event: Event) {
        let next = from.after(event);
        debug_assert!(next.is_some(), "{event:?} in state {from:?}");
        let Some(next) = next else { return };
        let order = if planted!("timer.fired_relaxed") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire load in `state`, I3. Nobody writes in between:
        // events on an armed entry need the lock, and all others are the owner's, I2.
        self.state.store(next as u8, order);
    }

    /// Whether the entry is armed, as its wheel sees it, I4.
    ///
    /// # Safety
    ///
    /// (a) The caller is the owner; (b) it holds the lock.
    #[inline]
    pub(crate) unsafe fn is_armed(&self) -> bool {
        // SAFETY: by (b) nobody takes the waker meanwhile; by (a) nobody frees the entry.
        self.waker.with(|waker| unsafe { (*waker).is_some() })
    }

    /// The deadline.
    ///
    /// # Safety
    ///
    /// (a) The caller is the owner; or it holds the lock, and the entry is Armed.
    #[inline]
    pub(crate) unsafe fn deadline(&self) -> Instant {
        self.live.touch();
        // SAFETY: the owner alone writes the deadline. By (a) the caller is the owner, or it holds
        // the lock that the owner would take first; else this would read a half-written word.
        self.deadline.with(|deadline| unsafe { *deadline })
    }

    /// Gives the entry a deadline; the state is for the caller to change.
    ///
    /// # Safety
    ///
    /// (a) The caller is the owner; (b) it holds the lock if the entry is Armed.
    #[inline]
    pub(crate) unsafe fn write_deadline(&self, deadline: Instant) {
        // SAFETY: by (a) nobody else writes, and by (b) no wheel reads it meanwhile; else the wheel
        // could file the entry under a deadline that is neither the old nor the new one.
        self.deadline.with_mut(|place| unsafe { *place = deadline });
    }

    /// The owner sets a new deadline on an entry that is in no wheel.
    ///
    /// # Safety
    ///
    /// (a) The caller is the owner; (b) the entry is in the state `from`, which is not Armed.
    #[inline]
    pub(crate) unsafe fn set(&self, from: State, deadline: Instant, event: Event) {
        debug_assert!(matches!(event, Event::Set | Event::SetAhead));
        // SAFETY: (a) is passed on, and (b) leaves nothing to lock.
        unsafe { self.write_deadline(deadline) };
        self.advance(from, event);
    }

    /// The owner found the deadline passed before the entry was in a wheel.
    #[inline]
    pub(crate) fn pass(&self, from: State) {
        self.advance(from, Event::Pass);
    }

    /// The owner has linked the entry; `waker` is woken when it fires.
    ///
    /// # Safety
    ///
    /// (a) The caller is the owner; (b) it holds the lock; (c) the entry is in the state `from`.
    #[inline]
    pub(crate) unsafe fn arm(&self, from: State, waker: Waker) {
        // SAFETY: by (b) no other thread reads the waker; a fire in the middle of the write would
        // wake half of one waker and half of another.
        let old = self
            .waker
            .with_mut(|place| unsafe { (*place).replace(waker) });
        debug_assert!(old.is_none(), "I4: a waker on an entry that was not armed");
        self.advance(from, Event::Arm);
    }

    /// Ends Armed, and returns the waker to be woken or dropped without the lock. The last touch,
    /// I3.
    ///
    /// # Safety
    ///
    /// (a) The caller holds the lock; (b) the entry is Armed, and (c) unlinked.
    #[inline]
    pub(crate) unsafe fn disarm(&self, event: Event) -> Option<Waker> {
        debug_assert!(matches!(
            event,
            Event::Cancel | Event::Fire | Event::Abandon
        ));
        self.live.touch();
        // SAFETY: by (a) and (b) this thread alone uses the waker; a second taker would wake or
        // drop it twice.
        let waker = self.waker.with_mut(|place| unsafe { (*place).take() });
        debug_assert!(waker.is_some(), "I4: an armed entry without a waker");
        self.advance(State::Armed, event);
        if planted!("timer.touch_after_fire") {
            self.live.touch();
        }
        waker
    }

    /// Puts `new` in place of the stored waker if that one wakes a different task, and returns the
    /// one that is left over. `Err` asks for a clone, which is not made under the lock.
    ///
    /// # Safety
    ///
    /// (a) The caller holds the lock; (b) the entry is Armed.
    #[inline]
    pub(crate) unsafe fn refresh(
        &self,
        current: &Waker,
        new: &mut Option<Waker>,
    ) -> Result<(), NeedsClone> {
        self.waker.with_mut(|place| {
            // SAFETY: by (a) and (b) this thread alone uses the waker; a fire meanwhile would take
            // a waker that is being replaced.
            let stored = unsafe { &mut *place };
            if stored
                .as_ref()
                .is_some_and(|stored| stored.will_wake(current))
            {
                return Ok(());
            }
            if planted!("timer.refresh_keeps_the_old_waker") {
                return Ok(());
            }
            if new.is_none() {
                return Err(NeedsClone);
            }
            core::mem::swap(stored, new);
            Ok(())
        })
    }

    /// Lends the links.
    ///
    /// # Safety
    ///
    /// (a) The caller holds the lock; (b) the entry is Armed, or on its way in or out of it; (c)
    /// `body` does not lend the same links again.
    #[inline]
    pub(crate) unsafe fn links<R>(&self, body: impl FnOnce(&mut Links) -> R) -> R {
        self.live.touch();
        // SAFETY: by (a), (b) and (c) this is the only reference; a second one on another thread
        // would tear the list.
        self.links.with_mut(|links| body(unsafe { &mut *links }))
    }
}

/// The level and the slot that an entry is in, for its wheel to find it.
impl Entry {
    /// Where the wheel has put the entry.
    ///
    /// # Safety
    ///
    /// (a) The caller holds the lock; (b) the entry is Armed.
    #[inline]
    pub(crate) unsafe fn place(&self) -> [u8; 2] {
        // SAFETY: by (a) and (b) nobody moves the entry meanwhile; else it would be unlinked from a
        // slot that it is not in.
        self.place.with(|place| unsafe { *place })
    }

    /// Notes where the wheel puts the entry.
    ///
    /// # Safety
    ///
    /// (a) The caller holds the lock; (b) the entry is Armed, or on its way there.
    #[inline]
    pub(crate) unsafe fn write_place(&self, at: [u8; 2]) {
        // SAFETY: by (a) and (b) nobody reads it meanwhile, as in `place`.
        self.place.with_mut(|place| unsafe { *place = at });
    }
}

/// The caller has to clone the waker, without the lock, and try again.
#[derive(Debug)]
#[must_use]
pub(crate) struct NeedsClone;

impl Drop for Entry {
    fn drop(&mut self) {
        self.live.end();
        // SAFETY: `&mut self`: nobody else is left, so the lock is not needed.
        debug_assert!(!unsafe { self.is_armed() }, "I1: freed while in a wheel");
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry")
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATES: [State; 4] = [State::Set, State::Ahead, State::Armed, State::Fired];

    /// Goal: the code's transitions are those of the table in the header, and no others.
    /// Method: every event in every state; `None` is a bug of the caller.
    #[test]
    fn transitions_are_the_table() {
        let (set, ahead) = (Some(State::Set), Some(State::Ahead));
        let (armed, fired) = (Some(State::Armed), Some(State::Fired));
        // In the order of `STATES`.
        for (event, to) in [
            (Event::Set, [set, set, None, set]),
            (Event::SetAhead, [ahead, ahead, None, ahead]),
            (Event::Pass, [fired, fired, None, None]),
            (Event::Arm, [armed, armed, None, None]),
            (Event::Cancel, [None, None, set, None]),
            (Event::Fire, [None, None, fired, None]),
            (Event::Abandon, [None, None, set, None]),
        ] {
            assert_eq!(STATES.map(|from| from.after(event)), to, "{event:?}");
        }
    }

    #[test]
    fn an_entry_is_six_words() {
        assert_eq!(size_of::<Entry>(), 48);
    }
}
