//! Where in the wheel a deadline belongs: pure arithmetic on words.
//!
//! ```text
//!  | 63 … 58 | 57 … 52 | … | 27 … 22 | 21 … 16 | 15 … 0 |
//!  | level 7 | level 6 | … | level 1 | level 0 | grain  |
//! ```
//!
//! A deadline belongs to the level of the highest digit in which it differs from the time that the
//! wheel has reached, in the slot that this digit numbers; to level 0 if no digit differs. So all
//! of a level lies before all of the next one, and within a level the slots lie in the order of
//! their numbers: the earliest slot is two bit scans away. The digits of the top level end at the
//! last bit of the word. No slot stands for two spans of time, and nothing wraps, ever.
//!
//! Tests: below, and `wheel/tests.rs`.

use crate::limits::{GRAIN_BITS, LEVELS, SLOT_BITS, SLOTS};

/// One slot of one level.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) level: usize,
    pub(super) slot: usize,
}

impl Place {
    /// Where an entry that is due at `when` belongs, once the wheel has reached `reached`. A
    /// deadline that lies behind belongs to the slot of the present.
    #[inline]
    pub(super) const fn of(reached: u64, when: u64) -> Place {
        let when = if when < reached { reached } else { when };
        let differing = (reached ^ when) >> GRAIN_BITS;
        let level = match differing.checked_ilog2() {
            Some(bit) => (bit / SLOT_BITS) as usize,
            None => 0,
        };
        Place {
            level,
            slot: (when >> shift(level)) as usize & (SLOTS - 1),
        }
    }

    /// The first nanosecond of this slot.
    #[inline]
    pub(super) const fn start(self, reached: u64) -> u64 {
        let bits_below = shift(self.level + 1);
        let above = if bits_below < 64 {
            reached >> bits_below << bits_below
        } else {
            0
        };
        above | (self.slot as u64) << shift(self.level)
    }

    /// The last nanosecond of this slot.
    #[inline]
    pub(super) const fn last(self, reached: u64) -> u64 {
        self.start(reached) | ((1 << shift(self.level)) - 1)
    }
}

/// Bits of a deadline below the digit of `level`.
#[inline]
const fn shift(level: usize) -> u32 {
    GRAIN_BITS + level as u32 * SLOT_BITS
}

const _: () = assert!(shift(LEVELS) == 64, "the levels must cover every deadline");

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [u64; 8] = [
        0,
        1,
        (1 << GRAIN_BITS) - 1,
        1 << GRAIN_BITS,
        1 << 40,
        (1 << 58) - 1,
        1 << 63,
        u64::MAX,
    ];

    /// Goal: a deadline lies within the span of its slot, and the span of a slot that is not the
    /// present's begins after the time that the wheel has reached.
    #[test]
    fn a_deadline_lies_within_its_slot() {
        for reached in EDGES {
            for when in EDGES.into_iter().filter(|when| *when >= reached) {
                let place = Place::of(reached, when);
                assert!(place.start(reached) <= when && when <= place.last(reached));
                assert!(place.level == 0 || place.start(reached) > reached);
            }
        }
    }

    #[test]
    fn later_deadlines_are_never_in_an_earlier_place() {
        for reached in EDGES {
            let mut latest = (0, 0);
            for when in EDGES.into_iter().filter(|when| *when >= reached) {
                let place = Place::of(reached, when);
                assert!((place.level, place.slot) >= latest, "{reached} {when}");
                latest = (place.level, place.slot);
            }
        }
    }

    #[test]
    fn a_deadline_that_lies_behind_is_in_the_slot_of_the_present() {
        for reached in EDGES {
            let present = Place::of(reached, reached);
            assert_eq!(present.level, 0);
            assert_eq!(Place::of(reached, 0), present);
        }
    }
}
