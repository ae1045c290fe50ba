//! The word of a `OnceCell`, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!  | 2       | 1   | 0    |
//!  | WAITERS | SET | BUSY |
//!
//!            claim                 publish
//!    empty ─────────► BUSY ───────────────────► SET
//!      ▲               │
//!      └── give_up ────┘
//! ```
//!
//! | step        | empty               | BUSY           | SET   |
//! |-------------|---------------------|----------------|-------|
//! | [`claim`]   | BUSY                | busy           | is set |
//! | [`line_up`] | not busy, try again | WAITERS        | not busy, look again |
//!
//! Invariants:
//! - I1: WAITERS is set exactly while the line is not empty; it changes under the line's lock only.
//! - I2: BUSY and SET are never set together, and SET stays.

/// Somebody makes the value.
pub(super) const BUSY: usize = 1 << 0;
/// The value is there.
pub(super) const SET: usize = 1 << 1;
/// Somebody is in line.
pub(super) const WAITERS: usize = 1 << 2;

/// What to add to a busy word so that it is set.
pub(super) const PUBLISH: usize = SET - BUSY;

/// Who makes the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Claim {
    /// The caller, once this word is in place.
    Yours(usize),
    /// Somebody else.
    Busy,
    /// Nobody: it is there.
    Set,
}

/// Asks for the right to make the value.
#[inline(always)]
pub(super) const fn claim(word: usize) -> Claim {
    if word & SET != 0 {
        Claim::Set
    } else if word & BUSY != 0 {
        Claim::Busy
    } else {
        Claim::Yours(word | BUSY)
    }
}

/// Lines up behind whoever makes the value: the word to put in place, or `None` if nobody does any more.
/// One step: an end that comes meanwhile makes the exchange fail, and one that comes later finds
/// WAITERS.
pub(super) const fn line_up(word: usize) -> Option<usize> {
    if word & BUSY != 0 {
        Some(word | WAITERS)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_those_of_the_table() {
        for waiters in [0, WAITERS] {
            for (word, claimed, lined_up) in [
                (0, Claim::Yours(BUSY | waiters), None),
                (BUSY, Claim::Busy, Some(BUSY | WAITERS)),
                (SET, Claim::Set, None),
            ] {
                assert_eq!(claim(word | waiters), claimed, "{word:#b}");
                assert_eq!(line_up(word | waiters), lined_up, "{word:#b}");
            }
            assert_eq!((BUSY | waiters) + PUBLISH, SET | waiters);
        }
    }
}
