//! The word of a read-write lock, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!  | 63 … 2  | 1      | 0       |
//!  | readers | WRITER | WAITERS |
//! ```
//!
//! | step          | free, nobody waits | readers            | WRITER             | WAITERS |
//! |---------------|--------------------|--------------------|--------------------|---------|
//! | [`take`] read | one reader         | one reader more    | refused            | refused |
//! | [`take`] write| WRITER             | refused            | refused            | refused |
//! | [`put`]       |                    | one reader less    | clears WRITER      | the last one out calls the line |
//!
//! Invariants:
//! - I1: WAITERS is set exactly while the line is not empty; it changes under the line's lock only.
//! - I2: while WAITERS is set, the lock is taken under the line's lock only. So the word can only
//!   get freer behind the back of whoever holds that lock.
//! - I3: WRITER excludes readers.

/// Somebody is in line.
pub(super) const WAITERS: usize = 1 << 0;
/// A writer has the lock.
pub(super) const WRITER: usize = 1 << 1;
/// One reader.
pub(super) const ONE: usize = 1 << 2;

/// The most readers at once. A bit below what the word holds, so that a count cannot wrap.
pub(super) const MAX_READERS: usize = usize::MAX >> 3;

const _: () = assert!(
    WAITERS | WRITER == ONE - 1,
    "the flags fill the bits below the count"
);

/// What is wanted of the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

impl Kind {
    /// What one holder of this kind has in the word.
    #[inline(always)]
    pub(super) const fn share(self) -> usize {
        match self {
            Kind::Read => ONE,
            Kind::Write => WRITER,
        }
    }
}

/// The readers in a word.
pub(super) const fn readers(word: usize) -> usize {
    word / ONE
}

/// What a request for the lock comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Take {
    /// It is the caller's once this word is in place.
    Taken(usize),
    /// Others have it, or are in line.
    Busy,
    /// No further reader can be counted.
    Full,
}

/// Takes the lock without waiting.
#[inline(always)]
pub(super) const fn take(word: usize, kind: Kind) -> Take {
    match kind {
        Kind::Write if word == 0 => Take::Taken(WRITER),
        Kind::Read if word & (WRITER | WAITERS) == 0 => {
            if readers(word) < MAX_READERS {
                Take::Taken(word + ONE)
            } else {
                Take::Full
            }
        }
        Kind::Read | Kind::Write => Take::Busy,
    }
}

/// What whoever has put a share back owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Put {
    /// Nothing.
    Done,
    /// To call those in line whose turn it is now.
    Call,
}

/// What follows from putting a share back, where `before` was the word.
#[inline(always)]
pub(super) const fn put(before: usize, kind: Kind) -> Put {
    if before == kind.share() | WAITERS {
        Put::Call
    } else {
        Put::Done
    }
}

/// What a writer that becomes a reader adds to the word.
pub(super) const DOWNGRADE: usize = ONE - WRITER;

/// Whether the holders leave room for one of this kind.
pub(super) const fn has_room(word: usize, kind: Kind) -> bool {
    match kind {
        Kind::Read => word & WRITER == 0,
        Kind::Write => word & !WAITERS == 0,
    }
}

/// Whether the next in line may be called, where `called` is what those want who have been called
/// and have not come yet.
///
/// A run of readers is called together; a writer is called alone, when nobody is left.
pub(super) fn may_call(word: usize, called: Option<Kind>, next: Kind) -> bool {
    has_room(word, next)
        && match called {
            None => true,
            Some(called) => called == Kind::Read && next == Kind::Read,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Kind::{Read, Write};

    const FULL: usize = MAX_READERS * ONE;

    #[test]
    fn taking() {
        for (word, kind, want) in [
            (0, Read, Take::Taken(ONE)),
            (0, Write, Take::Taken(WRITER)),
            (ONE, Read, Take::Taken(2 * ONE)),
            (ONE, Write, Take::Busy),
            (WRITER, Read, Take::Busy),
            (WRITER, Write, Take::Busy),
            (WAITERS, Read, Take::Busy),
            (WAITERS, Write, Take::Busy),
            (ONE | WAITERS, Read, Take::Busy),
            (FULL - ONE, Read, Take::Taken(FULL)),
            (FULL, Read, Take::Full),
            (FULL | WAITERS, Read, Take::Busy),
            (FULL, Write, Take::Busy),
        ] {
            assert_eq!(take(word, kind), want, "{word:#x} {kind:?}");
        }
    }

    #[test]
    fn putting_back_calls_the_line_when_the_last_one_leaves() {
        for (before, kind, want) in [
            (ONE, Read, Put::Done),
            (WRITER, Write, Put::Done),
            ((2 * ONE) | WAITERS, Read, Put::Done),
            (ONE | WAITERS, Read, Put::Call),
            (WRITER | WAITERS, Write, Put::Call),
        ] {
            assert_eq!(put(before, kind), want, "{before:#x} {kind:?}");
        }
    }

    #[test]
    fn a_downgrade_leaves_one_reader_and_the_flag() {
        for flags in [0, WAITERS] {
            assert_eq!((WRITER | flags) + DOWNGRADE, ONE | flags);
        }
    }

    #[test]
    fn calling() {
        for (word, called, next, want) in [
            (WAITERS, None, Read, true),
            (WAITERS, None, Write, true),
            (ONE | WAITERS, None, Read, true),
            (ONE | WAITERS, None, Write, false),
            (WRITER | WAITERS, None, Read, false),
            (WRITER | WAITERS, None, Write, false),
            (WAITERS, Some(Read), Read, true),
            (ONE | WAITERS, Some(Read), Read, true),
            (WAITERS, Some(Read), Write, false),
            (WAITERS, Some(Write), Read, false),
            (WAITERS, Some(Write), Write, false),
        ] {
            assert_eq!(
                may_call(word, called, next),
                want,
                "{word:#x} {called:?} {next:?}"
            );
        }
    }
}
