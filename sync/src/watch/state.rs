//! The two words of a watch channel, and every step that they can take. No threads here, and no
//! waiting.
//!
//! ```text
//!  channel: | 63 … 1  | 0      |      value: | 63 … 1  | 0         |
//!           | version | CLOSED |             | readers | ATTENTION |
//! ```
//!
//! The channel's word changes under the channel's lock only, and is read without it. Those who read a
//! value join under the lock and leave without it.
//!
//! | step      | finds                     | the one who takes it goes on to                     |
//! |-----------|---------------------------|-----------------------------------------------------|
//! | [`leave`] | other readers             | nothing                                             |
//! | [`leave`] | no others                 | nothing                                             |
//! | [`leave`] | no others, and ATTENTION  | lock, and see to what waits for that                |
//! | [`mark`]  | readers                   | leave the value to them: the last one sees ATTENTION |
//! | [`mark`]  | none                      | use the value: nobody joins without the lock        |
//!
//! Invariants:
//! - I1: the version moves on with every value that is announced; CLOSED never goes away.
//! - I2: whoever marks and whoever leaves change one word, so of the two the later one acts.

/// No sender is left.
pub(super) const CLOSED: usize = 1 << 0;
/// One version. It wraps; a receiver would have to sleep through 2^63 of them to notice.
pub(super) const ONE: usize = 1 << 1;

/// Whoever leaves last has something to do.
pub(super) const ATTENTION: usize = 1 << 0;
/// One reader.
pub(super) const READER: usize = 1 << 1;

/// What there is for a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Outlook {
    /// A value that it has not seen.
    Unseen,
    /// Nothing yet.
    Nothing,
    /// Nothing, and never again.
    Gone,
}

/// Which value it is.
#[inline(always)]
pub(super) const fn version(word: usize) -> usize {
    word & !CLOSED
}

/// The version before: one that makes the value unseen.
pub(super) const fn before(version: usize) -> usize {
    version.wrapping_sub(ONE)
}

/// A new value is announced.
#[inline(always)]
pub(super) const fn announce(word: usize) -> usize {
    word.wrapping_add(ONE)
}

/// What there is for a receiver that saw the version `seen` last.
#[inline(always)]
pub(super) const fn outlook(word: usize, seen: usize) -> Outlook {
    if version(word) != seen {
        Outlook::Unseen
    } else if word & CLOSED != 0 {
        Outlook::Gone
    } else {
        Outlook::Nothing
    }
}

/// Whether somebody reads.
#[inline(always)]
pub(super) const fn is_read(word: usize) -> bool {
    word / READER != 0
}

/// What a reader does that has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Leave {
    /// Nothing.
    Others,
    /// Lock, and see to what waits.
    LastOfInterest,
}

/// A reader has left, in a step that found `before`.
#[inline(always)]
pub(super) const fn leave(before: usize) -> Leave {
    if before == READER | ATTENTION {
        Leave::LastOfInterest
    } else {
        Leave::Others
    }
}

/// Who has the value after a step that set ATTENTION.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Mark {
    /// The holder of the lock.
    Free,
    /// Those who read it; the last one locks.
    Read,
}

/// The holder of the lock has set ATTENTION, in a step that found `before`.
#[inline(always)]
pub(super) const fn mark(before: usize) -> Mark {
    if is_read(before) {
        Mark::Read
    } else {
        Mark::Free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_sees_each_version_and_then_the_end() {
        for seen in [0, 7 * ONE, version(usize::MAX)] {
            for (word, expected) in [
                (seen, Outlook::Nothing),
                (seen | CLOSED, Outlook::Gone),
                (announce(seen), Outlook::Unseen),
                (announce(announce(seen)), Outlook::Unseen),
                (announce(seen | CLOSED), Outlook::Unseen),
            ] {
                assert_eq!(outlook(word, seen), expected, "{word} {seen}");
            }
            assert_eq!(outlook(seen, before(seen)), Outlook::Unseen);
            assert_eq!(outlook(seen | CLOSED, before(seen)), Outlook::Unseen);
            assert_eq!(version(announce(seen | CLOSED)), announce(seen), "I1");
        }
    }

    /// Whatever the order, of one who marks and the last one who leaves exactly one acts.
    #[test]
    fn either_the_one_who_marks_or_the_last_who_leaves_acts() {
        for readers in 0..4 {
            for gone_before in 0..=readers {
                let found = (readers - gone_before) * READER;
                let mut acting = 0;
                if mark(found) == Mark::Free {
                    acting += 1;
                }
                let mut word = found | ATTENTION;
                while is_read(word) {
                    acting += usize::from(leave(word) == Leave::LastOfInterest);
                    word -= READER;
                }
                assert_eq!(acting, 1, "{readers} {gone_before}");
            }
            let without_interest = (1..=readers).map(|left| leave(left * READER));
            assert!(
                without_interest
                    .into_iter()
                    .all(|step| step == Leave::Others)
            );
        }
    }
}
