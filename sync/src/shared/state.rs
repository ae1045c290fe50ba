//! The word of a `Shared`, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!              claim                       finish
//!   WOKEN ───────────────► POLLED ───────────────────► DONE or PANICKED
//!     ▲                     │  ▲ │
//!     │ wake        release │  │ │ wake
//!     │                     ▼  │ ▼
//!   asleep ◄────────────────┘  POLLED | WOKEN ── release: tell all ──► WOKEN
//! ```
//!
//! | step          | asleep     | WOKEN | POLLED         | POLLED, WOKEN   | over    |
//! |---------------|------------|-------|----------------|-----------------|---------|
//! | [`claim`]     | wait       | yours | wait           | wait            | the end |
//! | [`is_news`]   | tell all   | –     | –              | –               | –       |
//! | [`tells`]     |            |       | –              | tell all        |         |
//!
//! Invariants:
//! - I1: the future is polled, and what it left is written, by whoever has claimed, until `release` or
//!   `finish`. From DONE or PANICKED on what it left is only read.
//! - I2: WOKEN is set when the future's waker is called, and cleared by the claim that polls for it.

/// The future has been woken, or not been polled yet.
pub(super) const WOKEN: usize = 1 << 0;
/// Somebody polls it.
pub(super) const POLLED: usize = 1 << 1;
/// Its output is there.
pub(super) const DONE: usize = 1 << 2;
/// It has panicked.
pub(super) const PANICKED: usize = 1 << 3;
/// It is gone.
pub(super) const OVER: usize = DONE | PANICKED;

/// What `fetch_add` takes to end a poll with `end`.
pub(super) const fn finish(end: usize) -> usize {
    end.wrapping_sub(POLLED)
}

/// What is there for one who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Claim {
    /// Polls the future, once this word is in place, and then owes `release` or `finish`.
    Yours(usize),
    /// Waits: somebody polls it, or there is nothing to poll it for.
    Wait,
    /// The output.
    Done,
    /// The news that there will be none.
    Panicked,
}

/// Asks for the right to poll.
#[inline(always)]
pub(super) const fn claim(word: usize) -> Claim {
    if word & DONE != 0 {
        Claim::Done
    } else if word & PANICKED != 0 {
        Claim::Panicked
    } else if word & (WOKEN | POLLED) == WOKEN {
        Claim::Yours((word & !WOKEN) | POLLED)
    } else {
        Claim::Wait
    }
}

/// The future was woken, in a step that found `before` and set WOKEN: whether all who wait have to be
/// told. If not, they have been, or whoever polls tells them when it releases, or it is over.
#[inline(always)]
pub(super) const fn is_news(before: usize) -> bool {
    before & (WOKEN | POLLED | OVER) == 0
}

/// A poll was left without an outcome, in a step that found `before`: whether all who wait have to be
/// told, because the future was woken meanwhile.
#[inline(always)]
pub(super) const fn tells(before: usize) -> bool {
    before & WOKEN != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_steps_are_those_of_the_table() {
        for (word, claimed, news) in [
            (0, Claim::Wait, true),
            (WOKEN, Claim::Yours(POLLED), false),
            (POLLED, Claim::Wait, false),
            (POLLED | WOKEN, Claim::Wait, false),
            (DONE, Claim::Done, false),
            (DONE | WOKEN, Claim::Done, false),
            (PANICKED, Claim::Panicked, false),
            (PANICKED | WOKEN, Claim::Panicked, false),
        ] {
            assert_eq!((claim(word), is_news(word)), (claimed, news), "{word:#b}");
        }
        assert!(tells(POLLED | WOKEN) && !tells(POLLED));
    }

    #[test]
    fn an_end_takes_the_place_of_the_poll() {
        for woken in [0, WOKEN] {
            for end in [DONE, PANICKED] {
                assert_eq!((POLLED | woken).wrapping_add(finish(end)), end | woken);
            }
        }
    }
}
