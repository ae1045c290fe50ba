//! How a receiver gets at a value: no lock, and a wait only for one that undoes a mistaken claim.
//!
//! ```text
//!   claim the cell at `next` ──── it is there ──────────────────────────────► value, next + 1
//!        │ it is not
//!        ▼
//!   who can send, what is sent ── next is the tail ──► Closed if nobody can send, else Empty
//!        │ the tail is behind
//!        ├── by more than the capacity ─────────────────► Lagged, next on to the oldest
//!        ▼
//!   claim again, with the tail's Acquire ── it is there ─────────────────────► value, next + 1
//!        │ it is not: the sender has just taken it back, to put the next value in
//!        └──────────────────────────────────────────────► Lagged by one at least
//! ```
//!
//! The last step does not wait for the sender, which is in the middle of its own: the value is lost
//! for certain, and the position after it is the oldest or about to be sent.

use core::mem::ManuallyDrop;

use super::TryRecvError;
use super::cell::{Cell, Found};
use super::ring::Ring;
use super::state;
use crate::planted;
use crate::shim::thread;

/// A right to a value. Dropped, it counts as read.
pub(super) struct Claimed<'a, T> {
    ring: &'a Ring<T>,
    cell: &'a Cell<T>,
    /// The word that the claim put in place.
    word: u64,
}

/// Why a claim was not granted.
pub(super) enum Miss {
    Elsewhere,
    Contested,
}

/// What there is at the position of a receiver, or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// Nothing yet.
    Empty,
    /// Nothing, and nothing will come.
    Closed,
    /// So many positions have been sent from there on.
    Behind(u64),
}

impl<T> Ring<T> {
    /// What there is for a receiver whose next position is this.
    #[inline]
    pub(super) fn outlook(&self, position: u64) -> Outlook {
        // First who can send, then what has been sent: the other way round, the last value of the
        // last sender could be missed.
        let early = planted!("broadcast.tail_before_senders").then(|| self.tail());
        let is_closed = self.senders() == 0;
        // A value can be had a moment before the tail counts it: `position` may be past the tail.
        match early
            .unwrap_or_else(|| self.tail())
            .saturating_sub(position)
        {
            0 if is_closed => Outlook::Closed,
            0 => Outlook::Empty,
            behind => Outlook::Behind(behind),
        }
    }

    /// How many positions are lost for a receiver that is so far behind.
    pub(super) fn lost(&self, behind: u64) -> u64 {
        behind.saturating_sub(self.capacity() as u64)
    }

    /// Claims the value at `next`, and moves on: past it, or past what is lost.
    #[inline]
    pub(super) fn receive(&self, next: &mut u64) -> Result<Claimed<'_, T>, TryRecvError> {
        if let Ok(claimed) = self.claim(*next) {
            *next += 1;
            return Ok(claimed);
        }
        self.receive_slowly(next)
    }

    #[cold]
    fn receive_slowly(&self, next: &mut u64) -> Result<Claimed<'_, T>, TryRecvError> {
        let mut behind = match self.outlook(*next) {
            Outlook::Empty => return Err(TryRecvError::Empty),
            Outlook::Closed => return Err(TryRecvError::Closed),
            Outlook::Behind(behind) => behind,
        };
        if self.lost(behind) == 0 {
            if let Some(claimed) = self.claim_sent(*next) {
                *next += 1;
                return Ok(claimed);
            }
            behind = self.tail() - *next;
        }
        let lost = self.lost(behind).max(1);
        *next += lost;
        Err(TryRecvError::Lagged(lost))
    }

    /// Counts the positions from `next` to `end` as read, `end` being the first that does not count
    /// this receiver.
    pub(super) fn skip(&self, next: u64, end: u64) {
        /// Goes on behind a value whose drop panics.
        struct Rest<'a, T>(&'a Ring<T>, u64, u64);
        impl<T> Rest<'_, T> {
            fn skip(&mut self) {
                while self.1 < self.2 {
                    self.1 += 1;
                    drop(self.0.claim_sent(self.1 - 1)); // user code, perhaps
                }
            }
        }
        impl<T> Drop for Rest<'_, T> {
            fn drop(&mut self) {
                self.skip();
            }
        }
        Rest(self, next + self.lost(end - next), end).skip();
    }

    #[inline]
    pub(super) fn claim(&self, position: u64) -> Result<Claimed<'_, T>, Miss> {
        let cell = self.cell(position);
        let granted = |word| Claimed {
            ring: self,
            cell,
            word,
        };
        match cell.claim(position) {
            Found::It(word) => Ok(granted(word)),
            Found::Elsewhere => Err(Miss::Elsewhere),
            Found::Contested => Err(Miss::Contested),
            Found::Astray(word) => {
                drop(granted(word));
                Err(Miss::Elsewhere)
            }
        }
    }

    /// Claims the value of a position that has been sent, as the caller knows from the tail; `None`
    /// if it has been taken back.
    fn claim_sent(&self, position: u64) -> Option<Claimed<'_, T>> {
        loop {
            match self.claim(position) {
                Ok(claimed) => return Some(claimed),
                Err(Miss::Elsewhere) => return None,
                // One who is mistaken about its position has what remains; or this one is mistaken.
                Err(Miss::Contested) if self.lost(self.tail() - position) > 0 => return None,
                Err(Miss::Contested) => thread::yield_now(),
            }
        }
    }
}

impl<T: Clone> Claimed<'_, T> {
    /// The value itself for the last who wants it, a clone for the others.
    ///
    /// # Panics
    ///
    /// If the clone panics, or the drop of a value that others left meanwhile. It counts as read.
    #[inline]
    pub(super) fn into_value(self) -> T {
        if state::is_last(self.word) {
            let this = ManuallyDrop::new(self);
            // SAFETY: claimed as the last; the claim is not released again, because `this` is not
            // dropped.
            let (value, is_spare) = unsafe { this.cell.take() };
            if is_spare {
                this.ring.recycle(this.cell);
            }
            return value;
        }
        // SAFETY: claimed, and released when `self` is dropped.
        unsafe { self.cell.with(T::clone) } // user code, without a lock
    }
}

impl<T> Drop for Claimed<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: claimed, and released once, here.
        let released = unsafe { self.cell.release(self.word) };
        if released.is_spare {
            self.ring.recycle(self.cell);
        }
        drop(released.value); // user code, after all else
    }
}
