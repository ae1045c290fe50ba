//! The semaphore's word, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!  | 63 … 2  | 1       | 0      |
//!  | permits | WAITERS | CLOSED |
//! ```
//!
//! | step        | plain                  | WAITERS                   | CLOSED           |
//! |-------------|------------------------|---------------------------|------------------|
//! | [`take`]    | taken, or short        | short                     | closed           |
//! | [`line_up`] | taken, or sets WAITERS | lines up                  | closed           |
//! | [`put`]     | adds                   | adds, under the lock      | adds             |
//! | [`add`]     | adds, or refused       | adds and owes, or refused | adds, or refused |
//! | [`forget`]  | subtracts              | subtracts, under the lock | subtracts        |
//!
//! Invariants:
//! - I1: WAITERS is set exactly while the line is not empty; it changes under the line's lock only.
//! - I2: while WAITERS is set, permits are taken under the line's lock only. So nobody overtakes.

/// Nothing is handed out any more.
pub(super) const CLOSED: usize = 1 << 0;
/// Somebody is in line.
pub(super) const WAITERS: usize = 1 << 1;
/// One permit.
pub(super) const ONE: usize = 1 << 2;

/// The most permits of one semaphore. A few bits below what the word holds, so that permits which
/// come home on top of added ones cannot run into the flags.
pub(super) const MAX_PERMITS: usize = usize::MAX >> 3;

const _: () = assert!(
    CLOSED | WAITERS == ONE - 1,
    "the flags fill the bits below the count"
);
const _: () = assert!(
    MAX_PERMITS <= usize::MAX / ONE / 2,
    "a sum of two counts fits"
);

/// The free permits in a word.
pub(super) const fn permits(word: usize) -> usize {
    word / ONE
}

/// What a request for permits comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Take {
    /// They are the caller's once this word is in place.
    Taken(usize),
    /// Too few, or others are in line.
    Short,
    /// The semaphore is closed.
    Closed,
}

/// Takes permits without waiting.
#[inline(always)]
pub(super) const fn take(word: usize, count: usize) -> Take {
    if word & (CLOSED | WAITERS) == 0 && permits(word) >= count {
        Take::Taken(word - count * ONE)
    } else if word & CLOSED != 0 {
        Take::Closed
    } else {
        Take::Short
    }
}

/// What a caller that is ready to wait does, under the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum LineUp {
    /// Nothing: the permits are taken, or the semaphore is closed.
    Settled(Take),
    /// Goes to the end of the line once this word is in place.
    Enlist(usize),
}

/// Takes permits or lines up for them. One step: a permit that is put back meanwhile makes the
/// exchange fail, and one that is put back later finds WAITERS.
pub(super) const fn line_up(word: usize, count: usize) -> LineUp {
    match take(word, count) {
        Take::Short => LineUp::Enlist(word | WAITERS),
        settled => LineUp::Settled(settled),
    }
}

/// Puts permits back that were taken. More than [`MAX_PERMITS`] are not kept.
#[inline(always)]
pub(super) const fn put(word: usize, count: usize) -> usize {
    let free = permits(word).saturating_add(count);
    let free = if free > MAX_PERMITS {
        MAX_PERMITS
    } else {
        free
    };
    (free * ONE) | (word & (CLOSED | WAITERS))
}

/// Adds new permits; `None` if there would be too many.
pub(super) const fn add(word: usize, count: usize) -> Option<usize> {
    if count > MAX_PERMITS - permits(word) {
        return None;
    }
    Some(word + count * ONE)
}

/// Takes up to `count` free permits away for good.
pub(super) const fn forget(word: usize, count: usize) -> usize {
    let free = permits(word);
    word - if count < free { count } else { free } * ONE
}

/// What the front of the line is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Serve {
    /// Its permits, which leaves this word.
    Grant(usize),
    /// Nothing any more: the semaphore is closed.
    Dismiss,
    /// More than there are: all wait on.
    Wait,
}

/// Looks at the request at the front of the line, under the lock.
pub(super) const fn serve(word: usize, wanted: usize) -> Serve {
    if word & CLOSED != 0 {
        Serve::Dismiss
    } else if permits(word) >= wanted {
        Serve::Grant(word - wanted * ONE)
    } else {
        Serve::Wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn word(permits: usize, flags: usize) -> usize {
        (permits * ONE) | flags
    }

    #[test]
    fn taking() {
        for (free, flags, count, want) in [
            (3, 0, 2, Take::Taken(word(1, 0))),
            (2, 0, 2, Take::Taken(word(0, 0))),
            (0, 0, 0, Take::Taken(word(0, 0))),
            (1, 0, 2, Take::Short),
            (3, WAITERS, 2, Take::Short),
            (3, WAITERS, 0, Take::Short),
            (3, CLOSED, 2, Take::Closed),
            (0, CLOSED | WAITERS, 1, Take::Closed),
            (MAX_PERMITS, 0, MAX_PERMITS, Take::Taken(0)),
        ] {
            assert_eq!(
                take(word(free, flags), count),
                want,
                "{free} {flags} {count}"
            );
        }
    }

    #[test]
    fn lining_up() {
        for (free, flags, count, want) in [
            (3, 0, 2, LineUp::Settled(Take::Taken(word(1, 0)))),
            (1, 0, 2, LineUp::Enlist(word(1, WAITERS))),
            (3, WAITERS, 2, LineUp::Enlist(word(3, WAITERS))),
            (3, CLOSED, 2, LineUp::Settled(Take::Closed)),
        ] {
            assert_eq!(
                line_up(word(free, flags), count),
                want,
                "{free} {flags} {count}"
            );
        }
    }

    #[test]
    fn putting_back_keeps_the_flags_and_stops_at_the_maximum() {
        for flags in [0, WAITERS, CLOSED, WAITERS | CLOSED] {
            assert_eq!(put(word(1, flags), 2), word(3, flags));
            for more in [1, MAX_PERMITS, usize::MAX] {
                assert_eq!(
                    put(word(MAX_PERMITS, flags), more),
                    word(MAX_PERMITS, flags)
                );
            }
        }
    }

    #[test]
    fn adding_stops_at_the_maximum() {
        assert_eq!(add(word(1, WAITERS), 2), Some(word(3, WAITERS)));
        assert_eq!(add(word(1, 0), MAX_PERMITS - 1), Some(word(MAX_PERMITS, 0)));
        assert_eq!(add(word(1, 0), MAX_PERMITS), None);
        assert_eq!(add(word(1, 0), usize::MAX), None);
    }

    #[test]
    fn forgetting_stops_at_nothing() {
        for flags in [0, WAITERS, CLOSED] {
            for (count, left) in [(0, 3), (2, 1), (3, 0), (usize::MAX, 0)] {
                assert_eq!(forget(word(3, flags), count), word(left, flags));
            }
        }
    }

    #[test]
    fn serving() {
        for (free, flags, wanted, want) in [
            (3, WAITERS, 2, Serve::Grant(word(1, WAITERS))),
            (1, WAITERS, 2, Serve::Wait),
            (3, WAITERS | CLOSED, 2, Serve::Dismiss),
        ] {
            assert_eq!(
                serve(word(free, flags), wanted),
                want,
                "{free} {flags} {wanted}"
            );
        }
    }
}
