//! The word of a oneshot channel, and every step that it can take. No memory here, no waiting.
//!
//! ```text
//!  | 63 … 6  | 5        | 4        | 3       | 2      | 1       | 0    |
//!  | version | TX_WAKER | RX_WAKER | RX_GONE | CLOSED | TX_GONE | SENT |
//!
//!                       finish(sends)
//!  (open) ───────────────────────────────► SENT + TX_GONE ─── take, free ───►
//!    │ │        finish, without a value
//!    │ └─────────────────────────────────► TX_GONE ────────── free ─────────►
//!    │ close                                  ▲
//!    └──────────► CLOSED ─── finish ──────────┘
//!                   │ leave
//!                   └──────► CLOSED + RX_GONE ─── finish ─── free ──────────►
//! ```
//!
//! Invariants:
//! - I1: SENT comes together with TX_GONE and never after CLOSED. So the value cell belongs to the
//!   sender until SENT, and to the receiver from then on; no other order exists.
//! - I2: a side that has set its GONE never touches the channel again. The other side, which reads
//!   it with Acquire, is alone and frees.
//! - I3: X_WAKER says that side X's slot holds a waker; whoever clears the bit owns that waker. Only
//!   side X writes the slot, and only while the bit is clear.
//! - I4: the step that sets GONE clears both waker bits, so the one who frees finds no waker.
//! - I5: a side that takes its own waker back raises the version. So a word that has not changed
//!   means slots that have not changed.

use crate::planted;

pub(super) const SENT: u64 = 1 << 0;
pub(super) const TX_GONE: u64 = 1 << 1;
pub(super) const CLOSED: u64 = 1 << 2;
const RX_GONE: u64 = 1 << 3;
const RX_WAKER: u64 = 1 << 4;
const TX_WAKER: u64 = 1 << 5;
const FLAGS: u64 = SENT | TX_GONE | CLOSED | RX_GONE | RX_WAKER | TX_WAKER;
const VERSION: u64 = 1 << 6;

const _: () = assert!(
    FLAGS == VERSION - 1,
    "the flags fill the bits below the version"
);

/// One of the two ends: its waker bit, and the bits that end its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    waker: u64,
    over: u64,
}

/// The receiver waits for a value, or to hear that none will come.
pub(super) const RX: Side = Side {
    waker: RX_WAKER,
    over: SENT | TX_GONE | CLOSED,
};

/// The sender waits to hear that nobody wants a value.
pub(super) const TX: Side = Side {
    waker: TX_WAKER,
    over: CLOSED,
};

impl Side {
    /// Whether its waker is in its slot.
    pub(super) const fn has_waker(self, word: u64) -> bool {
        word & self.waker != 0
    }

    /// Whether what it waits for has happened.
    #[inline(always)]
    pub(super) const fn is_over(self, word: u64) -> bool {
        word & self.over != 0
    }

    /// It has put its waker into its slot. Unchanged: its wait is over, the waker stays its own.
    pub(super) const fn register(self, word: u64) -> u64 {
        if self.is_over(word) {
            word
        } else {
            word | self.waker
        }
    }

    /// It wants its waker back, to put in another. Unchanged: the other side has taken it.
    pub(super) fn take_back(self, word: u64) -> u64 {
        if !self.has_waker(word) {
            word
        } else if planted!("oneshot.same_version") {
            word & !self.waker
        } else {
            (word & !self.waker).wrapping_add(VERSION)
        }
    }
}

/// The sender leaves, with or without a value in the cell. Unchanged: the receiver is gone, or has
/// closed and the value is still the sender's.
#[inline(always)]
pub(super) fn finish(word: u64, sends: bool) -> u64 {
    let refused = sends && word & CLOSED != 0 && !planted!("oneshot.send_over_close");
    if word & RX_GONE != 0 || refused {
        return word;
    }
    let sent = if sends { SENT } else { 0 };
    word & !(RX_WAKER | TX_WAKER) | TX_GONE | sent
}

/// The receiver wants nothing any more, but stays. Unchanged: nothing can come anyhow, or it has.
pub(super) const fn close(word: u64) -> u64 {
    if word & (TX_GONE | CLOSED) != 0 {
        return word;
    }
    word & !TX_WAKER | CLOSED
}

/// The receiver leaves. Unchanged: the sender is gone.
#[inline(always)]
pub(super) const fn leave(word: u64) -> u64 {
    if word & TX_GONE != 0 {
        return word;
    }
    word & !(RX_WAKER | TX_WAKER) | CLOSED | RX_GONE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_leaves() {
        let wakers = RX_WAKER | TX_WAKER;
        for (word, with_value, without) in [
            (0, SENT | TX_GONE, TX_GONE),
            (RX_WAKER, SENT | TX_GONE, TX_GONE),
            (
                wakers + 3 * VERSION,
                (SENT | TX_GONE) + 3 * VERSION,
                TX_GONE + 3 * VERSION,
            ),
            (CLOSED, CLOSED, CLOSED | TX_GONE),
            (CLOSED | RX_WAKER, CLOSED | RX_WAKER, CLOSED | TX_GONE),
            (CLOSED | RX_GONE, CLOSED | RX_GONE, CLOSED | RX_GONE),
        ] {
            assert_eq!(finish(word, true), with_value, "{word:#b} with a value");
            assert_eq!(finish(word, false), without, "{word:#b} without");
        }
    }

    #[test]
    fn the_receiver_closes_or_leaves() {
        for (word, closed, left) in [
            (0, CLOSED, CLOSED | RX_GONE),
            (CLOSED, CLOSED, CLOSED | RX_GONE),
            (TX_WAKER, CLOSED, CLOSED | RX_GONE),
            (RX_WAKER, CLOSED | RX_WAKER, CLOSED | RX_GONE),
            (SENT | TX_GONE, SENT | TX_GONE, SENT | TX_GONE),
            (TX_GONE, TX_GONE, TX_GONE),
        ] {
            assert_eq!(close(word), closed, "{word:#b} closes");
            assert_eq!(leave(word), left, "{word:#b} leaves");
        }
    }

    #[test]
    fn waiting_registering_and_taking_back() {
        for side in [RX, TX] {
            assert_eq!(side.register(VERSION), VERSION | side.waker);
            assert_eq!(side.register(CLOSED), CLOSED);
            assert!(side.has_waker(side.waker) && !side.has_waker(FLAGS & !side.waker));
            assert_eq!(side.take_back(side.waker), VERSION, "I5");
            assert_eq!(side.take_back(VERSION), VERSION);
            assert_eq!(
                side.take_back(!(FLAGS & !side.waker)),
                0,
                "the version wraps"
            );
        }
        assert!(RX.is_over(SENT | TX_GONE) && RX.is_over(TX_GONE) && RX.is_over(CLOSED));
        assert!(TX.is_over(CLOSED) && !TX.is_over(RX_WAKER));
    }

    /// From every word that the two sides can reach together, each can go on to the end, and
    /// exactly one of them frees.
    #[test]
    fn every_reachable_word_leads_to_exactly_one_free() {
        let mut seen = std::collections::BTreeSet::new();
        let mut todo = vec![(0, true, true)]; // word, sender there, receiver there
        while let Some((word, tx, rx)) = todo.pop() {
            if !seen.insert((word, tx, rx)) {
                continue;
            }
            assert!(
                word & SENT == 0 || word & TX_GONE != 0 && word & RX_GONE == 0,
                "I1"
            );
            assert!(
                word & TX_GONE == 0 || word & (TX_WAKER | RX_WAKER) == 0,
                "I4"
            );
            assert!(
                word & RX_GONE == 0 || word & (TX_WAKER | RX_WAKER) == 0,
                "I4"
            );
            assert_eq!((tx, rx), (word & TX_GONE == 0, word & RX_GONE == 0), "I2");
            if tx {
                match finish(word, true) {
                    next if next == word => assert_ne!(word & CLOSED, 0, "refused for nothing"),
                    next => todo.push((next, false, rx)),
                }
                match finish(word, false) {
                    next if next == word => assert!(!rx, "freed under the receiver"),
                    next => todo.push((next, false, rx)),
                }
                todo.push((TX.register(word) & FLAGS, true, rx));
                todo.push((TX.take_back(word) & FLAGS, true, rx));
            }
            if rx {
                match leave(word) {
                    next if next == word => assert!(!tx, "freed under the sender"),
                    next => todo.push((next, tx, false)),
                }
                todo.push((close(word), tx, true));
                todo.push((RX.register(word) & FLAGS, tx, true));
                todo.push((RX.take_back(word) & FLAGS, tx, true));
            }
            assert!(tx || rx, "both left and nobody freed");
        }
        assert_eq!(seen.len(), 10, "{seen:?}");
    }
}
