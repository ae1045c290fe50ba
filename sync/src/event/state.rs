//! The word of an `Event`, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!  | 63 … 2     | 1       | 0   |
//!  | generation | WAITERS | SET |
//! ```
//!
//! | step        | clear                    | set          |
//! |-------------|--------------------------|--------------|
//! | [`set`]     | SET, generation + 1      | as it is     |
//! | clear       | as it is                 | without SET  |
//! | [`line_up`] | WAITERS, or over if told | over         |
//!
//! *Told*: the generation has moved on since the wait began, so the event has been set meanwhile,
//! whether it is set still or not.
//!
//! Invariants:
//! - I1: WAITERS is set exactly while the line is not empty; it changes under the line's lock only.
//! - I2: the generation moves on exactly when SET appears.

/// The event is set.
pub(super) const SET: usize = 1 << 0;
/// Somebody is in line.
pub(super) const WAITERS: usize = 1 << 1;
/// One time of being set. Wraps; a wait would have to sleep through 2^62 of them to notice.
pub(super) const ONE: usize = 1 << 2;

const _: () = assert!(
    SET | WAITERS == ONE - 1,
    "the flags fill the bits below the generation"
);

/// How often the event has been set after it was clear.
#[inline(always)]
pub(super) const fn generation(word: usize) -> usize {
    word / ONE
}

/// The event is set. Those in line are owed a wake if WAITERS was set.
#[inline(always)]
pub(super) const fn set(word: usize) -> usize {
    if word & SET == 0 {
        word.wrapping_add(ONE) | SET
    } else {
        word
    }
}

/// The event is not set any more.
#[cfg(test)]
const fn clear(word: usize) -> usize {
    word & !SET
}

/// What a wait does under the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum LineUp {
    /// Nothing: the event has been set since the wait began.
    Over,
    /// Goes to the end of the line once this word is in place.
    Enlist(usize),
}

/// Lines up, if the event has not been set since the word had the generation `born` and was clear.
/// One step: a `set` that comes meanwhile makes the exchange fail, and one that comes later finds
/// WAITERS.
pub(super) const fn line_up(word: usize, born: usize) -> LineUp {
    if generation(word) == born {
        LineUp::Enlist(word | WAITERS)
    } else {
        LineUp::Over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn word(generation: usize, flags: usize) -> usize {
        (generation * ONE) | flags
    }

    #[test]
    fn the_steps_are_those_of_the_table() {
        for waiters in [0, WAITERS] {
            for (before, after_set, after_clear) in [
                (word(7, 0), word(8, SET), word(7, 0)),
                (word(7, SET), word(7, SET), word(7, 0)),
                (
                    word(usize::MAX / ONE, 0),
                    word(0, SET),
                    word(usize::MAX / ONE, 0),
                ),
            ] {
                assert_eq!(set(before | waiters), after_set | waiters);
                assert_eq!(clear(before | waiters), after_clear | waiters);
            }
        }
    }

    #[test]
    fn a_wait_is_over_once_the_generation_has_moved_on() {
        for waiters in [0, WAITERS] {
            for (seen, born, outcome) in [
                (word(7, 0), 7, LineUp::Enlist(word(7, WAITERS))),
                (word(8, SET), 7, LineUp::Over),
                (word(8, 0), 7, LineUp::Over), // set, and cleared again
                (word(0, 0), usize::MAX / ONE, LineUp::Over),
            ] {
                assert_eq!(line_up(seen | waiters, born), outcome, "{seen:#b} {born}");
            }
        }
    }
}
