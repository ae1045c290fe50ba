//! The word of a `Notify`, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!  | 63 … 2     | 1       | 0      |
//!  | generation | WAITERS | STORED |
//! ```
//!
//! | step                | plain            | STORED         | WAITERS               |
//! |---------------------|------------------|----------------|-----------------------|
//! | [`store`]           | STORED           | STORED         | owes the line a look  |
//! | [`next_generation`] | generation + 1   | generation + 1 | and owes it a look    |
//! | [`claim`]           | nothing, or told | claims or told | nothing, or told      |
//! | [`line_up`]         | WAITERS, or told | claims or told | lines up, or told     |
//!
//! *Told*: the generation has moved on since the future was made, so `notify_waiters` was called.
//!
//! Invariants:
//! - I1: WAITERS is set exactly while the line is not empty; it changes under the line's lock only.
//! - I2: STORED and WAITERS are never set together.

/// A notification is kept for the next to come.
pub(super) const STORED: usize = 1 << 0;
/// Somebody is in line.
pub(super) const WAITERS: usize = 1 << 1;
/// One call of `notify_waiters`. Wraps; a future would have to sleep through 2^62 calls to notice.
pub(super) const ONE: usize = 1 << 2;

const _: () = assert!(
    STORED | WAITERS == ONE - 1,
    "the flags fill the bits below the generation"
);

/// How often `notify_waiters` has been called.
pub(super) const fn generation(word: usize) -> usize {
    word / ONE
}

/// `notify_one` when nobody waits; `None` if somebody does.
#[inline(always)]
pub(super) const fn store(word: usize) -> Option<usize> {
    if word & WAITERS == 0 {
        Some(word | STORED)
    } else {
        None
    }
}

/// `notify_waiters`.
pub(super) const fn next_generation(word: usize) -> usize {
    word.wrapping_add(ONE)
}

/// What a future that was made in generation `born` gets without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Claim {
    /// `notify_waiters` has been called since.
    Told,
    /// The stored notification, once this word is in place.
    Stored(usize),
    /// Nothing.
    Nothing,
}

/// Looks for a notification.
#[inline(always)]
pub(super) const fn claim(word: usize, born: usize) -> Claim {
    if generation(word) != born {
        Claim::Told
    } else if word & STORED != 0 {
        Claim::Stored(word & !STORED)
    } else {
        Claim::Nothing
    }
}

/// What a future that is ready to wait does, under the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum LineUp {
    /// Nothing: it has been told, or has the stored notification.
    Settled(Claim),
    /// Goes to the end of the line once this word is in place.
    Enlist(usize),
}

/// Looks for a notification, or lines up for one. One step: a notification that comes meanwhile
/// makes the exchange fail, and one that comes later finds WAITERS.
pub(super) const fn line_up(word: usize, born: usize) -> LineUp {
    match claim(word, born) {
        Claim::Nothing => LineUp::Enlist(word | WAITERS),
        settled => LineUp::Settled(settled),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn word(generation: usize, flags: usize) -> usize {
        (generation * ONE) | flags
    }

    #[test]
    fn storing() {
        for (before, after) in [
            (word(7, 0), Some(word(7, STORED))),
            (word(7, STORED), Some(word(7, STORED))),
            (word(7, WAITERS), None),
        ] {
            assert_eq!(store(before), after);
        }
    }

    #[test]
    fn the_next_generation_keeps_the_flags_and_wraps() {
        for flags in [0, STORED, WAITERS] {
            assert_eq!(next_generation(word(7, flags)), word(8, flags));
            assert_eq!(
                next_generation(word(usize::MAX / ONE, flags)),
                word(0, flags)
            );
        }
    }

    #[test]
    fn claiming_and_lining_up() {
        use LineUp::{Enlist, Settled};
        for (seen, born, claimed, lined_up) in [
            (word(7, 0), 7, Claim::Nothing, Enlist(word(7, WAITERS))),
            (
                word(7, WAITERS),
                7,
                Claim::Nothing,
                Enlist(word(7, WAITERS)),
            ),
            (
                word(7, STORED),
                7,
                Claim::Stored(word(7, 0)),
                Settled(Claim::Stored(word(7, 0))),
            ),
            // Told, and the stored one stays for somebody else.
            (word(8, STORED), 7, Claim::Told, Settled(Claim::Told)),
            (word(8, WAITERS), 7, Claim::Told, Settled(Claim::Told)),
            (
                word(0, 0),
                usize::MAX / ONE,
                Claim::Told,
                Settled(Claim::Told),
            ),
        ] {
            assert_eq!(claim(seen, born), claimed, "{seen:#b} {born}");
            assert_eq!(line_up(seen, born), lined_up, "{seen:#b} {born}");
        }
    }
}
