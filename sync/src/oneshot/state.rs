//! The word of a oneshot channel, and every step that it can take. No memory here, no waiting.
//!
//! ```text
//!  | 7          | 6        | 5          | 4        | 3       | 2      | 1       | 0    |
//!  | TX_CLAIMED | TX_WAKER | RX_CLAIMED | RX_WAKER | RX_GONE | CLOSED | TX_GONE | SENT |
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
//! - I3: a waker slot belongs to its own side while X_WAKER and X_CLAIMED are clear, and is read
//!   only while one of them is set. The *other* side moves X_WAKER to X_CLAIMED to take the waker
//!   out, and clears X_CLAIMED in the step that says what the waker waits for.
//! - I4: a side takes its own waker back before it sets its GONE, so the one who frees finds none.

pub(super) const SENT: u8 = 1 << 0;
pub(super) const TX_GONE: u8 = 1 << 1;
pub(super) const CLOSED: u8 = 1 << 2;
pub(super) const RX_GONE: u8 = 1 << 3;
const RX_WAKER: u8 = 1 << 4;
const RX_CLAIMED: u8 = 1 << 5;
const TX_WAKER: u8 = 1 << 6;
const TX_CLAIMED: u8 = 1 << 7;

/// One of the two ends: its waker bits, and the bits that end its wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Side {
    waker: u8,
    claimed: u8,
    over: u8,
}

/// The receiver waits for a value, or to hear that none will come.
pub(super) const RX: Side = Side {
    waker: RX_WAKER,
    claimed: RX_CLAIMED,
    over: SENT | TX_GONE | CLOSED,
};

/// The sender waits to hear that nobody wants a value.
pub(super) const TX: Side = Side {
    waker: TX_WAKER,
    claimed: TX_CLAIMED,
    over: CLOSED,
};

/// Where a side's wait stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Wait {
    /// What it waits for has happened.
    Over,
    /// Its waker is in the slot.
    Registered,
    /// The other side is taking its waker out, and is about to say why.
    Claimed,
    /// There is no waker in its slot.
    Vacant,
}

/// Looks at a side's wait.
#[inline(always)]
pub(super) const fn wait(word: u8, side: Side) -> Wait {
    if word & side.over != 0 {
        Wait::Over
    } else if word & side.waker != 0 {
        Wait::Registered
    } else if word & side.claimed != 0 {
        Wait::Claimed
    } else {
        Wait::Vacant
    }
}

/// A side has put its waker into its slot. False: its wait is over, the waker stays its own.
pub(super) const fn register(word: u8, side: Side) -> (u8, bool) {
    if word & side.over != 0 { (word, false) } else { (word | side.waker, true) }
}

/// A side wants its waker back. False: the other side has it.
pub(super) const fn take_back(word: u8, side: Side) -> (u8, bool) {
    (word & !side.waker, word & side.waker != 0)
}

/// What a side that is leaving, or closing, does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Exit {
    /// The receiver wants nothing: the value is still the sender's. Leave without it.
    Refused,
    /// Take the own waker out of its slot, then try again.
    TakeBack,
    /// Take the other side's waker out of its slot, then try again.
    Claim,
    /// Done: touch the channel no more, then wake what was claimed.
    Left,
    /// Done, and alone: free the channel, then wake what was claimed.
    Free,
}

/// The sender leaves, with or without a value in the cell.
#[inline(always)]
pub(super) const fn finish(word: u8, sends: bool) -> (u8, Exit) {
    if sends && word & CLOSED != 0 {
        (word, Exit::Refused)
    } else if word & TX_WAKER != 0 {
        (word & !TX_WAKER, Exit::TakeBack)
    } else if word & RX_GONE != 0 {
        (word, Exit::Free)
    } else if word & RX_WAKER != 0 {
        (word & !RX_WAKER | RX_CLAIMED, Exit::Claim)
    } else {
        let sent = if sends { SENT } else { 0 };
        (word & !RX_CLAIMED | TX_GONE | sent, Exit::Left)
    }
}

/// The receiver wants nothing any more, but stays.
pub(super) const fn close(word: u8) -> (u8, Exit) {
    if word & (TX_GONE | CLOSED) != 0 {
        (word, Exit::Left)
    } else if word & TX_WAKER != 0 {
        (word & !TX_WAKER | TX_CLAIMED, Exit::Claim)
    } else {
        (word & !TX_CLAIMED | CLOSED, Exit::Left)
    }
}

/// The receiver leaves.
#[inline(always)]
pub(super) const fn leave(word: u8) -> (u8, Exit) {
    if word & TX_GONE != 0 {
        (word, Exit::Free)
    } else if word & RX_WAKER != 0 {
        (word & !RX_WAKER, Exit::TakeBack)
    } else if word & TX_WAKER != 0 {
        (word & !TX_WAKER | TX_CLAIMED, Exit::Claim)
    } else {
        (word & !TX_CLAIMED | CLOSED | RX_GONE, Exit::Left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_leaves() {
        for (word, with_value, without) in [
            (0, (SENT | TX_GONE, Exit::Left), (TX_GONE, Exit::Left)),
            (RX_WAKER, (RX_CLAIMED, Exit::Claim), (RX_CLAIMED, Exit::Claim)),
            (RX_CLAIMED, (SENT | TX_GONE, Exit::Left), (TX_GONE, Exit::Left)),
            (TX_WAKER, (0, Exit::TakeBack), (0, Exit::TakeBack)),
            (
                TX_WAKER | RX_WAKER,
                (RX_WAKER, Exit::TakeBack),
                (RX_WAKER, Exit::TakeBack),
            ),
            (CLOSED, (CLOSED, Exit::Refused), (CLOSED | TX_GONE, Exit::Left)),
            (
                CLOSED | RX_GONE,
                (CLOSED | RX_GONE, Exit::Refused),
                (CLOSED | RX_GONE, Exit::Free),
            ),
            (
                CLOSED | RX_GONE | RX_CLAIMED,
                (CLOSED | RX_GONE | RX_CLAIMED, Exit::Refused),
                (CLOSED | RX_GONE | RX_CLAIMED, Exit::Free),
            ),
        ] {
            assert_eq!(finish(word, true), with_value, "{word:#010b} with a value");
            assert_eq!(finish(word, false), without, "{word:#010b} without");
        }
    }

    #[test]
    fn the_receiver_closes_or_leaves() {
        for (word, closed, left) in [
            (0, (CLOSED, Exit::Left), (CLOSED | RX_GONE, Exit::Left)),
            (CLOSED, (CLOSED, Exit::Left), (CLOSED | RX_GONE, Exit::Left)),
            (TX_WAKER, (TX_CLAIMED, Exit::Claim), (TX_CLAIMED, Exit::Claim)),
            (TX_CLAIMED, (CLOSED, Exit::Left), (CLOSED | RX_GONE, Exit::Left)),
            (RX_WAKER, (RX_WAKER | CLOSED, Exit::Left), (0, Exit::TakeBack)),
            (
                RX_CLAIMED,
                (RX_CLAIMED | CLOSED, Exit::Left),
                (RX_CLAIMED | CLOSED | RX_GONE, Exit::Left),
            ),
            (
                SENT | TX_GONE,
                (SENT | TX_GONE, Exit::Left),
                (SENT | TX_GONE, Exit::Free),
            ),
            (TX_GONE, (TX_GONE, Exit::Left), (TX_GONE, Exit::Free)),
        ] {
            assert_eq!(close(word), closed, "{word:#010b} closes");
            assert_eq!(leave(word), left, "{word:#010b} leaves");
        }
    }

    #[test]
    fn waiting_registering_and_taking_back() {
        for side in [RX, TX] {
            assert_eq!(wait(0, side), Wait::Vacant);
            assert_eq!(wait(side.waker, side), Wait::Registered);
            assert_eq!(wait(side.claimed, side), Wait::Claimed);
            assert_eq!(wait(CLOSED | side.waker, side), Wait::Over);
            assert_eq!(register(0, side), (side.waker, true));
            assert_eq!(register(CLOSED, side), (CLOSED, false));
            assert_eq!(take_back(side.waker, side), (0, true));
            assert_eq!(take_back(side.claimed, side), (side.claimed, false));
        }
        assert_eq!(wait(SENT | TX_GONE, RX), Wait::Over);
        assert_eq!(wait(TX_GONE, RX), Wait::Over);
        assert_eq!(wait(0, TX), Wait::Vacant);
    }

    /// From every word that the two sides can reach together, each can go on to the end, and
    /// exactly one of them frees.
    #[test]
    fn every_reachable_word_leads_to_exactly_one_free() {
        let mut seen = std::collections::BTreeSet::new();
        let mut todo = vec![(0_u8, true, true)]; // word, sender there, receiver there
        while let Some((word, tx, rx)) = todo.pop() {
            if !seen.insert((word, tx, rx)) {
                continue;
            }
            assert!(tx || rx || word & (TX_GONE | RX_GONE) != 0);
            assert!(word & SENT == 0 || word & TX_GONE != 0 && word & RX_GONE == 0, "I1");
            assert!(word & TX_GONE == 0 || word & (TX_WAKER | RX_WAKER) == 0, "I4 {word:#b}");
            assert!(word & RX_GONE == 0 || word & RX_WAKER == 0, "I4 {word:#b}");
            if tx {
                for sends in [true, false] {
                    match finish(word, sends) {
                        (_, Exit::Free) => assert!(!rx, "freed under the receiver"),
                        (next, Exit::Left) => {
                            assert!(rx, "leaked");
                            todo.push((next, false, true));
                        }
                        (next, _) => todo.push((next, true, rx)),
                    }
                }
                if word & TX_CLAIMED == 0 {
                    todo.push((register(word, TX).0, true, rx));
                }
            }
            if rx {
                match leave(word) {
                    (_, Exit::Free) => assert!(!tx, "freed under the sender"),
                    (next, Exit::Left) => {
                        assert!(tx, "leaked");
                        todo.push((next, true, false));
                    }
                    (next, _) => todo.push((next, tx, true)),
                }
                todo.push((close(word).0, tx, true));
                if word & RX_CLAIMED == 0 {
                    todo.push((register(word, RX).0, tx, true));
                }
            }
        }
        assert_eq!(seen.len(), 19, "{seen:?}");
    }
}
