//! A place for one waker: one task registers, anybody wakes.
//!
//! ```text
//!            begin_register                 end_register
//!   EMPTY ──────────────────► REGISTERING ────────────────► FULL
//!     ▲ ▲                       │      ▲                    │ │
//!     │ └─── end_register ──────┘      └── begin_register ──┘ │ begin_take
//!     └────────────────────── end_take ◄─── TAKING ◄──────────┘
//! ```
//!
//! | from        | begin_take (a wake)       | begin_register      |
//! |-------------|---------------------------|---------------------|
//! | EMPTY       | EMPTY, nothing            | REGISTERING, held   |
//! | FULL        | TAKING, held              | REGISTERING, held   |
//! | REGISTERING | REGISTERING, nothing      | REGISTERING, refused |
//! | TAKING      | TAKING, nothing           | TAKING, refused     |
//!
//! Invariants:
//! - I1: the slot belongs to whoever moved the word to REGISTERING or TAKING, until that thread moves
//!   it on. In EMPTY it holds nothing and in FULL a waker, and nobody touches it.
//! - I2: no user code (clone, wake or drop of a waker) runs between those two moves, so nothing that
//!   panics or comes back can find the cell held.
//! - I3: every move is a read-modify-write, those that change nothing included.
//!
//! # No wake-up is lost
//!
//! Waker: publish the condition, `wake`. Registrant: `register`, then check the condition. By I3 the
//! waker's `begin_take` and the registrant's last move have an order. If `begin_take` comes first,
//! the registrant acquires the condition along the chain of read-modify-writes and its check finds
//! it. If the registrant comes first, `begin_take` finds FULL and takes the waker. A registrant that
//! is refused wakes itself, and so checks again.
//!
//! Rejected: a mutex around `Option<Waker>`. Every readiness event passes here.
//! Rejected: remembering a wake that meets REGISTERING. The check that follows is that wake.
//! Rejected: ending TAKING with a plain store. It cuts the chain: the condition of a second waker
//! that met TAKING would be hidden from the next registrant.
//!
//! Tests: below, `sync/tests/hostile_wakers.rs`, `sync/tests/models/waker_cell.rs` (stress:
//! `sync/tests/stress.rs`, model: `loom-tests/tests/waker_cell.rs`).

use core::fmt;
use core::task::Waker;

use crate::planted;
use crate::shim::atomic::{AtomicU8, Ordering};
use crate::shim::{Guess, UnsafeCell};

const EMPTY: u8 = 0;
const FULL: u8 = 1;
const REGISTERING: u8 = 2;
const TAKING: u8 = 3;

/// Whether the caller now holds the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
enum Slot {
    /// It does: change it and move the word on, with no user code in between (I2).
    Held,
    /// Somebody else does, or there is nothing in it.
    NotHeld,
}

/// A registrant's first move.
const fn begin_register(seen: u8) -> (u8, Slot) {
    match seen {
        EMPTY | FULL => (REGISTERING, Slot::Held),
        _ => (seen, Slot::NotHeld),
    }
}

/// A waker's first move.
const fn begin_take(seen: u8) -> (u8, Slot) {
    match seen {
        FULL => (TAKING, Slot::Held),
        _ => (seen, Slot::NotHeld),
    }
}

/// One registered waker, to be woken by anyone.
pub struct WakerCell {
    state: AtomicU8,
    /// The holder of REGISTERING or TAKING, I1.
    slot: UnsafeCell<Option<Waker>>,
}

// SAFETY: the slot is reached by one thread at a time (I1), and a `Waker` may be used from any
// thread. Without I1 two threads would read and write the slot at once.
unsafe impl Sync for WakerCell {}

impl WakerCell {
    crate::const_fn! {
        /// A cell without a waker.
        pub const fn new() -> Self {
            Self { state: AtomicU8::new(EMPTY), slot: UnsafeCell::new(None) }
        }
    }

    /// Registers the waker in place of the last one. Check the condition *afterwards*.
    ///
    /// One task registers at a time. If a wake is under way, or another task registers at this very
    /// moment, `waker` is woken at once, so that its task comes back.
    ///
    /// # Panics
    ///
    /// If cloning, waking or dropping a waker panics. The cell stays usable.
    pub fn register(&self, waker: &Waker) {
        // ORDERING: Relaxed. A hint: `begin_register` decides.
        if self.state.load(Ordering::Relaxed) == FULL {
            match self.update(begin_register) {
                Slot::NotHeld => return waker.wake_by_ref(),
                Slot::Held => {}
            }
            // SAFETY: held; see `with_slot`.
            let (kept, old) = unsafe {
                self.with_slot(|slot| match slot {
                    Some(same) if same.will_wake(waker) => (true, None),
                    // Cloning is user code: give the slot up first (I2).
                    other => (false, other.take()),
                })
            };
            self.move_on(if kept { FULL } else { EMPTY });
            if kept {
                return;
            }
            drop(old);
        }
        let mut fresh = Some(waker.clone());
        match self.update(begin_register) {
            Slot::NotHeld => waker.wake_by_ref(),
            Slot::Held => {
                // SAFETY: held; see `with_slot`.
                unsafe { self.with_slot(|slot| core::mem::swap(slot, &mut fresh)) };
                self.move_on(FULL);
            }
        }
    }

    /// Wakes the registered task, once.
    ///
    /// # Panics
    ///
    /// If the waker panics. The cell stays usable.
    #[inline]
    pub fn wake(&self) {
        if let Some(waker) = self.take() {
            waker.wake();
        }
    }

    /// Takes the registered waker, to be woken by the caller when it holds no lock.
    ///
    /// `None` when there is none, or when the task registers at this very moment: then it checks
    /// the condition afterwards.
    pub fn take(&self) -> Option<Waker> {
        match self.update(begin_take) {
            Slot::NotHeld => None,
            Slot::Held => {
                // SAFETY: held; see `with_slot`.
                let waker = unsafe { self.with_slot(Option::take) };
                if planted!("waker_cell.end_take_by_store") {
                    self.state.store(EMPTY, Ordering::Release);
                } else {
                    self.move_on(EMPTY);
                }
                waker
            }
        }
    }

    fn update(&self, step: impl Fn(u8) -> (u8, Slot)) -> Slot {
        let mut seen = self.state.guess();
        loop {
            let (next, slot) = step(seen);
            if planted!("waker_cell.skip_idle_exchange") && next == seen {
                return slot;
            }
            // ORDERING: AcqRel. Release carries the condition of a waker to the registrant's
            // `move_on` (I3); Acquire takes over the slot from whoever moved the word last. A
            // failure is Relaxed because only `step` runs on what it read.
            match self
                .state
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return slot,
                Err(actual) => seen = actual,
            }
        }
    }

    /// Gives the slot up.
    fn move_on(&self, next: u8) {
        // ORDERING: AcqRel. Release hands the slot to the next holder; Acquire makes visible what
        // every waker published that met us here (I3), for the check after `register`.
        self.state.swap(next, Ordering::AcqRel);
    }

    /// Runs `body` on the slot.
    ///
    /// # Safety
    ///
    /// - (a) The caller got [`Slot::Held`] and has not moved on; else another thread writes too.
    /// - (b) `body` runs no user code (I2): coming back here, it would find the cell held for ever.
    unsafe fn with_slot<R>(&self, body: impl FnOnce(&mut Option<Waker>) -> R) -> R {
        self.slot.with_mut(|slot| {
            // SAFETY: this thread alone reaches the slot, by (a) and I1.
            body(unsafe { &mut *slot })
        })
    }
}

impl Default for WakerCell {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for WakerCell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: Relaxed. A snapshot for people.
        let state = match self.state.load(Ordering::Relaxed) {
            EMPTY => "empty",
            FULL => "full",
            REGISTERING => "registering",
            _ => "taking",
        };
        f.debug_struct("WakerCell").field("state", &state).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Count {
        fn get(&self) -> usize {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[test]
    fn the_moves_are_those_of_the_table() {
        for (seen, register, take) in [
            (EMPTY, (REGISTERING, Slot::Held), (EMPTY, Slot::NotHeld)),
            (FULL, (REGISTERING, Slot::Held), (TAKING, Slot::Held)),
            (
                REGISTERING,
                (REGISTERING, Slot::NotHeld),
                (REGISTERING, Slot::NotHeld),
            ),
            (TAKING, (TAKING, Slot::NotHeld), (TAKING, Slot::NotHeld)),
        ] {
            assert_eq!(begin_register(seen), register, "register from {seen}");
            assert_eq!(begin_take(seen), take, "take from {seen}");
        }
    }

    #[test]
    fn the_last_registered_waker_is_woken_once() {
        let cell = WakerCell::new();
        let (first, last) = (Arc::new(Count::default()), Arc::new(Count::default()));
        cell.register(&Waker::from(Arc::clone(&first)));
        cell.register(&Waker::from(Arc::clone(&last)));
        cell.wake();
        cell.wake();
        assert_eq!((first.get(), last.get()), (0, 1));
        assert_eq!(
            Arc::strong_count(&first) + Arc::strong_count(&last),
            2,
            "nothing is kept"
        );
    }

    #[test]
    fn a_dropped_cell_drops_its_waker() {
        let cell = WakerCell::new();
        let count = Arc::new(Count::default());
        cell.register(&Waker::from(Arc::clone(&count)));
        drop(cell);
        assert_eq!((count.get(), Arc::strong_count(&count)), (0, 1));
    }

    #[test]
    fn registering_the_same_waker_again_clones_nothing() {
        let cell = WakerCell::new();
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        cell.register(&waker);
        cell.register(&waker);
        assert_eq!(Arc::strong_count(&count), 3);
    }

    #[test]
    fn a_refused_registrant_is_woken() {
        for held in [REGISTERING, TAKING] {
            let cell = WakerCell::new();
            let count = Arc::new(Count::default());
            cell.state.store(held, Ordering::Relaxed);
            cell.register(&Waker::from(Arc::clone(&count)));
            assert_eq!(count.get(), 1);
        }
    }
}
