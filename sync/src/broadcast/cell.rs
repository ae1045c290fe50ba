//! One value with the word that says who may touch it.
//!
//! The steps of the word and the invariants I1 to I3 are in `state.rs`. Who touches what:
//! - the sender's side, with the line in hand and nobody reading: `position` and `value`, to write;
//! - one that has claimed: `position`, to read; and if the position is the one that it wanted,
//!   `value`, to read, or to take out once it is the last.
//!
//! Cells are never freed before the ring is, so that a receiver that was slow may look at the word
//! of one that has moved to another place meanwhile; it finds GONE, another stamp, or another
//! position.

use core::mem::MaybeUninit;

use super::state::{self, Claim, Retire};
use crate::planted;
use crate::shim::atomic::{AtomicU64, Ordering};
use crate::shim::{Guess, UnsafeCell};

/// A place for one value.
pub(super) struct Cell<T> {
    word: AtomicU64,
    position: UnsafeCell<u64>,
    value: UnsafeCell<MaybeUninit<T>>,
}

/// What a receiver that wants a position finds in a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Found {
    /// The value, and a right to read it; with this word, which may tell that nobody else wants it.
    It(u64),
    /// Not the position.
    Elsewhere,
    /// Not the position, but a right to the cell all the same: release it.
    Astray(u64),
    /// Look again later.
    Contested,
}

/// What a reader leaves behind.
#[must_use]
pub(super) struct Released<T> {
    /// The value, if nobody wants it any more. To be dropped without a lock.
    pub(super) value: Option<T>,
    /// The cell belongs to nobody: give it back to the ring.
    pub(super) is_spare: bool,
}

/// What the sender's side finds in a cell that it takes back.
#[must_use]
pub(super) enum Retired<T> {
    /// The cell is free. The value, if somebody has not had it, is to be dropped without a lock.
    Free(Option<T>),
    /// Somebody reads: the cell is theirs, and the place needs another one.
    InUse,
}

impl<T> Cell<T> {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicU64::new(state::GONE),
            position: UnsafeCell::new(0),
            value: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    /// Whether somebody still wants the value.
    pub(super) fn is_full(&self) -> bool {
        // ORDERING: Relaxed. For a count that may be out of date.
        state::is_full(self.word.load(Ordering::Relaxed))
    }

    /// Puts a value in, for so many receivers.
    ///
    /// # Safety
    ///
    /// The caller holds the line, and the cell is free.
    #[inline]
    pub(super) unsafe fn publish(&self, position: u64, receivers: usize, value: T) {
        self.position.with_mut(|place| {
            // SAFETY: the cell is free, so nobody has claimed it and only the holder of the line,
            // who is in this call, touches it.
            unsafe { *place = position }
        });
        self.value.with_mut(|place| {
            // SAFETY: as above; and there is no value in it that this would overwrite (I1).
            unsafe { &mut *place }.write(value);
        });
        let order = if planted!("broadcast.relaxed_publish") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire of a claim: who claims sees position and value.
        // A plain store, because nobody can change the word of a free cell.
        self.word
            .store(state::published(position, receivers), order);
    }

    /// Claims the value of a position.
    #[inline]
    pub(super) fn claim(&self, position: u64) -> Found {
        let mut seen = self.word.guess();
        loop {
            let next = match state::claim(seen, position) {
                Claim::To(next) => next,
                Claim::Elsewhere => return Found::Elsewhere,
                Claim::Contested => return Found::Contested,
            };
            // ORDERING: AcqRel. Acquire pairs with the Release of `publish`, and with that of the
            // readers that have left before, if this one is the last. Release keeps the chain
            // whole. Failure is Relaxed because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => {
                    seen = next;
                    break;
                }
                Err(actual) => seen = actual,
            }
        }
        // SAFETY: claimed, so the sender's side does not write (I2).
        if self.position.with(|place| unsafe { *place }) == position
            || planted!("broadcast.claim_by_stamp_alone")
        {
            return Found::It(seen);
        }
        self.undo()
    }

    /// Gives a claim back that was a mistake (I3).
    #[cold]
    fn undo(&self) -> Found {
        let mut seen = self.word.guess();
        while let Some(next) = state::undo(seen) {
            // ORDERING: AcqRel keeps the chain whole. Failure is Relaxed because the step runs
            // again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return Found::Elsewhere,
                Err(actual) => seen = actual,
            }
        }
        // The sender has left the cell to those who read: there is nothing to give back to, and
        // this one may be the last of them.
        Found::Astray(seen)
    }

    /// Lends the value.
    ///
    /// # Safety
    ///
    /// The caller has claimed it and not released it.
    #[inline]
    pub(super) unsafe fn with<R>(&self, body: impl FnOnce(&T) -> R) -> R {
        self.value.with(|place| {
            // SAFETY: claimed, so there is a value (I1), and nobody takes it out before the claim
            // is released.
            body(unsafe { (*place).assume_init_ref() })
        })
    }

    /// Takes the value out and leaves; with `true` the cell is to be given back to the ring.
    ///
    /// # Safety
    ///
    /// The caller has claimed it, was told that it is the last, and does not release the claim
    /// again.
    #[inline]
    pub(super) unsafe fn take(&self) -> (T, bool) {
        // SAFETY: nobody else can touch the value (I1); afterwards the claim is used up.
        let value = unsafe { self.move_out() };
        // ORDERING: AcqRel. Release pairs with the Acquire of `retire`: the value is out before the
        // cell is used again. Acquire, because the cell may be this one's to give back.
        let seen = self.word.fetch_sub(state::READER, Ordering::AcqRel);
        (value, state::is_spare_after_release(seen))
    }

    /// Leaves, and takes the value along if nobody else wants it. `seen` is the word of the claim,
    /// the first guess.
    ///
    /// # Safety
    ///
    /// The caller has claimed the cell, and does not release the claim again.
    #[inline]
    pub(super) unsafe fn release(&self, mut seen: u64) -> Released<T> {
        let mut value = None;
        loop {
            if value.is_none()
                && state::is_last(seen)
                && !planted!("broadcast.last_leaves_the_value")
            {
                // ORDERING: Acquire pairs with the Release of those who have read before: they are
                // through with the value. A load and not a fence, because ThreadSanitizer does not
                // see fences. The word stays as it is, but for GONE (I1).
                let _ = self.word.load(Ordering::Acquire);
                // SAFETY: nobody else can touch the value (I1), and it is moved out once.
                value = Some(unsafe { self.move_out() });
            }
            let order = if planted!("broadcast.relaxed_release") {
                Ordering::Relaxed
            } else {
                Ordering::AcqRel
            };
            // ORDERING: AcqRel. Release pairs with the Acquire of the last reader and of `retire`:
            // this one is through with the value. Acquire, because the cell may be this one's to
            // give back. Failure is Relaxed because the step runs again.
            match self.word.compare_exchange_weak(
                seen,
                state::release(seen),
                order,
                Ordering::Relaxed,
            ) {
                Ok(_) => {
                    let is_spare = state::is_spare_after_release(seen);
                    return Released { value, is_spare };
                }
                Err(actual) => seen = actual,
            }
        }
    }

    /// Takes the cell back.
    ///
    /// # Safety
    ///
    /// The caller holds the line, and the cell is in the ring; it is out of it if this says so.
    #[inline]
    pub(super) unsafe fn retire(&self) -> Retired<T> {
        // ORDERING: Acquire pairs with the Release of the last reader: the value is out.
        let mut seen = self.word.load(Ordering::Acquire);
        loop {
            let (next, in_use) = match state::retire(seen) {
                Retire::Empty => return Retired::Free(None),
                Retire::Full(next) => (next, false),
                Retire::InUse(next) => (next, !planted!("broadcast.overwrite_under_readers")),
            };
            // ORDERING: AcqRel. Acquire pairs with the Release of the readers that have left,
            // Release keeps the chain whole. Failure acquires too, because `Empty` may be what it
            // finds.
            match self
                .word
                .compare_exchange(seen, next, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) if in_use => return Retired::InUse,
                // SAFETY: nobody reads, nobody can claim any more, and the holder of the line is in
                // this call; the word says that there is a value, and from now on that there is
                // none.
                Ok(_) => return Retired::Free(Some(unsafe { self.move_out() })),
                Err(actual) => seen = actual,
            }
        }
    }

    /// # Safety
    ///
    /// There is a value, nobody else touches it, and it counts as gone from now on.
    unsafe fn move_out(&self) -> T {
        // SAFETY: the caller's.
        self.value
            .with_mut(|place| unsafe { (*place).assume_init_read() })
    }
}
