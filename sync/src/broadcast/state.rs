//! The word of a cell, and every step that it can take. No threads here, and no values.
//!
//! ```text
//!  | 63 … 40                 | 39   | 38 … 24 | 23 … 0    |
//!  | stamp: low bits of the  | GONE | readers | remaining |
//!  | position of the value   |      |         |           |
//! ```
//!
//! *Remaining*: receivers that have not claimed the value. *Readers*: those that have claimed it and are
//! not through with it. *GONE*: the sender has taken the cell out of the ring, or it never was in it.
//!
//! ```text
//!               publish            claim                release
//!    ┌─ free ───────────► (0, k) ─────────► (r+1, k-1) ─────────► … (1, 0) ─ the value comes out ─► (0, 0)
//!    │                      │                   │                                                    │
//!    │       retire, no     │   retire, readers │        release                  value out, recycle │
//!    │◄── GONE ◄── readers ─┘          GONE (r, 0) ────────────► GONE (1, 0) ──────────► spare       │
//!    └───────────────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! Invariants:
//! - I1: a cell holds a value exactly while readers + remaining > 0. Who sees (1, 0) and is the one reader
//!   takes the value out before it leaves; nobody else can come, because nothing remains to be claimed.
//! - I2: only the sender's side, under the lock, changes stamp or GONE, and it touches the value of a
//!   cell without readers only.
//! - I3: a claim by a stamp may be a mistake, because stamps repeat. Who has claimed compares the whole
//!   position before it touches the value, and undoes the claim if it is another one. In the meantime
//!   one who is right may find nothing remaining ([`Claim::Contested`]): it comes back.

use crate::shim::size;

/// One receiver that has not claimed.
const ONE: u64 = 1;
const REMAINING: u64 = (1 << 24) - 1;
/// One receiver that has claimed.
pub(super) const READER: u64 = 1 << 24;
const READERS: u64 = ((1 << 15) - 1) * READER;
/// The cell is not in the ring.
pub(super) const GONE: u64 = 1 << 39;
const STAMP_SHIFT: u32 = 40;
/// How many different stamps there are. Few in the model, so that they repeat.
pub(super) const STAMPS: u64 = size(1 << 24, 4) as u64;

/// The most receivers that can be counted.
pub(super) const MAX_RECEIVERS: usize = REMAINING as usize;

const _: () = assert!(
    REMAINING | READERS | GONE == (1 << STAMP_SHIFT) - 1,
    "the fields fill the bits below the stamp"
);

const fn stamp(position: u64) -> u64 {
    (position % STAMPS) << STAMP_SHIFT
}

/// The value of this position, that so many receivers are to have.
pub(super) const fn published(position: u64, receivers: usize) -> u64 {
    stamp(position) | (receivers as u64 & REMAINING)
}

/// Whether the cell seems to hold this position.
#[inline(always)]
pub(super) const fn is_at(word: u64, position: u64) -> bool {
    (word ^ stamp(position)) >> STAMP_SHIFT == 0 && word & GONE == 0
}

/// Whether there are receivers that want the value and have not finished.
pub(super) const fn is_full(word: u64) -> bool {
    word & (REMAINING | READERS) != 0
}

/// What a receiver that wants the value of a position does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Claim {
    /// Puts this word in place. It may read then.
    To(u64),
    /// Nothing: another position is here.
    Elsewhere,
    /// Looks again later: one that is about to undo its claim has taken what remained, or as many
    /// read as can be counted.
    Contested,
}

#[inline(always)]
pub(super) const fn claim(word: u64, position: u64) -> Claim {
    if !is_at(word, position) {
        Claim::Elsewhere
    } else if word & REMAINING == 0 || word & READERS == READERS {
        Claim::Contested
    } else {
        Claim::To(word + READER - ONE)
    }
}

/// Whether the one who asks, a reader, is the last: the value is its own (I1).
#[inline(always)]
pub(super) const fn is_last(word: u64) -> bool {
    word & (READERS | REMAINING) == READER
}

/// A reader leaves.
#[inline(always)]
pub(super) const fn release(word: u64) -> u64 {
    word - READER
}

/// Whether the cell that a reader has left, when it found this word, is nobody's now.
#[inline(always)]
pub(super) const fn is_spare_after_release(word: u64) -> bool {
    word & GONE != 0 && word & READERS == READER
}

/// A claim was a mistake; `None`: what remained has been given up meanwhile, so leave as a reader does.
pub(super) const fn undo(word: u64) -> Option<u64> {
    if word & GONE != 0 {
        None
    } else {
        Some(word - READER + ONE)
    }
}

/// What the sender's side does with a cell whose position is to be forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Retire {
    /// Nothing: all have had the value.
    Empty,
    /// Puts this word in place and takes the value out.
    Full(u64),
    /// Puts this word in place and leaves value and cell to those who read.
    InUse(u64),
}

pub(super) const fn retire(word: u64) -> Retire {
    if !is_full(word) {
        Retire::Empty
    } else if word & READERS == 0 {
        Retire::Full((word | GONE) & !REMAINING)
    } else {
        Retire::InUse((word | GONE) & !REMAINING)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn word(position: u64, flags: u64, readers: u64, remaining: u64) -> u64 {
        stamp(position) | flags | (readers * READER) | remaining
    }

    #[test]
    fn a_claim_moves_one_from_those_that_remain_to_those_that_read() {
        let most = READERS / READER;
        for (before, position, outcome) in [
            (word(7, 0, 0, 3), 7, Claim::To(word(7, 0, 1, 2))),
            (word(7, 0, 2, 1), 7, Claim::To(word(7, 0, 3, 0))),
            (word(7, 0, 0, 3), 7 + STAMPS, Claim::To(word(7, 0, 1, 2))),
            (word(7, 0, 0, 3), 8, Claim::Elsewhere),
            (word(7, GONE, 1, 0), 7, Claim::Elsewhere),
            (word(7, 0, 1, 0), 7, Claim::Contested),
            (word(7, 0, 0, 0), 7, Claim::Contested),
            (word(7, 0, most, 3), 7, Claim::Contested),
        ] {
            assert_eq!(claim(before, position), outcome, "{before:#x}");
        }
        assert_eq!(published(7, MAX_RECEIVERS), word(7, 0, 0, REMAINING));
    }

    #[test]
    fn the_last_reader_is_the_one_that_leaves_nobody() {
        for (before, last, spare) in [
            (word(7, 0, 1, 0), true, false),
            (word(7, GONE, 1, 0), true, true),
            (word(7, 0, 2, 0), false, false),
            (word(7, GONE, 2, 0), false, false),
            (word(7, 0, 1, 1), false, false),
        ] {
            assert_eq!(is_last(before), last, "{before:#x}");
            assert_eq!(is_spare_after_release(before), spare, "{before:#x}");
            assert_eq!(is_full(release(before)), !last);
        }
    }

    #[test]
    fn an_undone_claim_leaves_no_trace() {
        let before = word(7, 0, 2, 5);
        let Claim::To(claimed) = claim(before, 7 + STAMPS) else {
            panic!("stamps repeat");
        };
        assert_eq!(undo(claimed), Some(before));
        assert_eq!(undo(word(7, GONE, 1, 0)), None);
    }

    #[test]
    fn what_is_retired_can_not_be_claimed() {
        for (before, outcome) in [
            (word(7, 0, 0, 0), Retire::Empty),
            (word(7, GONE, 0, 0), Retire::Empty),
            (word(7, 0, 0, 4), Retire::Full(word(7, GONE, 0, 0))),
            (word(7, 0, 1, 4), Retire::InUse(word(7, GONE, 1, 0))),
            (word(7, 0, 2, 0), Retire::InUse(word(7, GONE, 2, 0))),
        ] {
            assert_eq!(retire(before), outcome, "{before:#x}");
            if let Retire::Full(after) | Retire::InUse(after) = outcome {
                assert_eq!(claim(after, 7), Claim::Elsewhere);
            }
        }
    }
}
