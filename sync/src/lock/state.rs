//! The lock's word, and every step that it can take. No threads here, and no waiting.
//!
//! ```text
//!  | 4       | 3     | 2        | 1       | 0      |
//!  | BARGING | WOKEN | RESERVED | WAITERS | LOCKED |
//! ```
//!
//! | word                       | means                                             | who may take it  |
//! |----------------------------|---------------------------------------------------|------------------|
//! | 0                          | free                                              | anyone           |
//! | LOCKED                     | held                                              |                  |
//! | WAITERS, WOKEN, RESERVED   | free, kept for the front of the line              | the front's task |
//! | WAITERS, WOKEN             | free, the front was woken (unfair)                | anyone           |
//! | LOCKED, WAITERS, WOKEN     | held by one who was faster than the front (unfair)|                  |
//! | LOCKED, WAITERS, RESERVED  | held, and the front has the next turn             |                  |
//!
//! Invariants:
//! - I1: WAITERS is set exactly while the line is not empty. WAITERS, RESERVED and WOKEN change under the
//!   line's lock only.
//! - I2: without BARGING, RESERVED goes with WAITERS. With it, RESERVED means that the front was woken
//!   and found the lock taken, or its budget spent: it loses once.
//! - I3: WOKEN means that the front owes the word a look, so that whoever unlocks owes it nothing. It is
//!   clear whenever a wait of the front's task has looked and found the lock held.

/// Somebody holds the lock.
pub(super) const LOCKED: u8 = 1 << 0;
/// Somebody is in line.
pub(super) const WAITERS: u8 = 1 << 1;
/// Once free it is for the front of the line.
pub(super) const RESERVED: u8 = 1 << 2;
/// The front has been woken and has not looked yet.
pub(super) const WOKEN: u8 = 1 << 3;
/// Whoever is faster may have it. Set for life.
pub(super) const BARGING: u8 = 1 << 4;

/// What the presence of a line adds to the word.
const fn line(word: u8) -> u8 {
    if word & BARGING == 0 {
        WAITERS | RESERVED
    } else {
        WAITERS
    }
}

/// Takes the lock without waiting: the word with it taken, `None` if it is held or kept for another.
#[inline(always)]
pub(super) const fn take(word: u8) -> Option<u8> {
    if word & (LOCKED | RESERVED) == 0 {
        Some(word | LOCKED)
    } else {
        None
    }
}

/// Frees the lock without looking at the line; `None` if somebody in it has to be woken.
#[inline(always)]
pub(super) const fn release(word: u8) -> Option<u8> {
    if word & WAITERS == 0 || word & WOKEN != 0 {
        Some(word & !LOCKED)
    } else {
        None
    }
}

/// Frees the lock, under the line's lock; the front is to be woken if WOKEN is set after.
pub(super) const fn release_to_line(word: u8) -> u8 {
    if word & WAITERS == 0 {
        word & !LOCKED
    } else {
        (word & !LOCKED) | WOKEN
    }
}

/// Whose turn it is, seen from one who looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Its own.
    Front,
    /// That of another wait of the same task, which it may take.
    SameTask,
    /// Somebody else's.
    Behind,
}

/// What one who is ready to wait does, under the line's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum LineUp {
    /// Holds the lock once this word is in place.
    Taken(u8),
    /// Goes to the end of the line once this word is in place.
    Enlist(u8),
}

/// Takes the lock, overtaking a wait of the same task, or lines up.
pub(super) const fn line_up(word: u8, place: Place) -> LineUp {
    let same_task = matches!(place, Place::SameTask);
    if let Some(next) = take(word) {
        LineUp::Taken(next)
    } else if same_task && word & LOCKED == 0 {
        LineUp::Taken((word | LOCKED) & !WOKEN)
    } else if same_task {
        LineUp::Enlist((word | line(word)) & !WOKEN) // I3
    } else {
        LineUp::Enlist(word | line(word))
    }
}

/// What one in line does when it is polled, under the line's lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Look {
    /// Leaves the line and holds the lock once this word is in place.
    Claim(u8),
    /// Waits on once this word is in place.
    Wait(u8),
}

/// Looks whether it is one's turn. `others`: somebody else is in line.
pub(super) const fn look(word: u8, place: Place, others: bool) -> Look {
    match place {
        Place::Front if word & LOCKED == 0 => Look::Claim((leave_flags(word, others)) | LOCKED),
        Place::Front if word & BARGING != 0 && word & WOKEN != 0 => {
            Look::Wait((word & !WOKEN) | RESERVED) // it has lost once
        }
        Place::SameTask if word & LOCKED == 0 => Look::Claim((word | LOCKED) & !WOKEN),
        Place::Front | Place::SameTask => Look::Wait(word & !WOKEN), // I3
        Place::Behind => Look::Wait(word),
    }
}

/// It is the turn of one in line that has to come back for it: nobody is faster then.
pub(super) const fn put_off(word: u8) -> u8 {
    word | RESERVED
}

/// The word without what was the front's, and with what the rest of the line is due.
const fn leave_flags(word: u8, others: bool) -> u8 {
    let rest = word & (LOCKED | BARGING);
    if others { rest | line(word) } else { rest }
}

/// What one who leaves the line without the lock owes the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Leave {
    /// This word.
    Quiet(u8),
    /// This word, and the new front a wake.
    WakeFront(u8),
}

/// Leaves the line, under its lock. `others`: somebody else is in it.
pub(super) const fn leave(word: u8, was_front: bool, others: bool) -> Leave {
    if others && !was_front {
        return Leave::Quiet(word);
    }
    let next = leave_flags(word, others);
    if others && word & LOCKED == 0 {
        Leave::WakeFront(next | WOKEN)
    } else {
        Leave::Quiet(next)
    }
}

/// Adds waiters to the line that come from elsewhere, under the line's lock.
pub(super) const fn append(word: u8) -> u8 {
    word | line(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const L: u8 = LOCKED;
    const W: u8 = WAITERS;
    const R: u8 = RESERVED;
    const K: u8 = WOKEN;
    const B: u8 = BARGING;

    /// Every word that can be.
    const WORDS: [u8; 13] = [
        0,
        L,
        L | W | R,
        W | R | K,
        W | R, // overtaken, and then left by the front: seen for no time, under the line's lock
        B,
        B | L,
        B | W | K,
        B | L | W,
        B | L | W | K,
        B | L | W | R,
        B | W | R | K,
        B | W | R,
    ];

    #[test]
    fn taking_and_freeing() {
        for (word, taken, freed) in [
            (0, Some(L), Some(0)),
            (L, None, Some(0)),
            (L | W | R, None, None),
            (W | R | K, None, Some(W | R | K)),
            (B | W | K, Some(B | L | W | K), Some(B | W | K)),
            (B | L | W | K, None, Some(B | W | K)),
            (B | L | W, None, None),
            (B | L | W | R, None, None),
        ] {
            assert_eq!((take(word), release(word)), (taken, freed), "{word:#b}");
        }
        for (word, freed) in [
            (L, 0),
            (L | W | R, W | R | K),
            (B | L | W, B | W | K),
            (B | L | W | R, B | W | R | K),
        ] {
            assert_eq!(release_to_line(word), freed, "{word:#b}");
        }
    }

    #[test]
    fn lining_up() {
        use LineUp::{Enlist, Taken};
        for (word, behind, same_task) in [
            (0, Taken(L), Taken(L)),
            (L, Enlist(L | W | R), Enlist(L | W | R)),
            (W | R | K, Enlist(W | R | K), Taken(L | W | R)),
            (B | L, Enlist(B | L | W), Enlist(B | L | W)),
            (B | W | K, Taken(B | L | W | K), Taken(B | L | W | K)),
            (B | L | W | K, Enlist(B | L | W | K), Enlist(B | L | W)),
            (B | W | R | K, Enlist(B | W | R | K), Taken(B | L | W | R)),
        ] {
            assert_eq!(line_up(word, Place::Behind), behind, "{word:#b}");
            assert_eq!(line_up(word, Place::SameTask), same_task, "{word:#b}");
        }
    }

    #[test]
    fn looking_from_the_front() {
        use Look::{Claim, Wait};
        for (word, alone, with_others) in [
            (W | R | K, Claim(L), Claim(L | W | R)),
            (L | W | R, Wait(L | W | R), Wait(L | W | R)),
            (B | W | K, Claim(B | L), Claim(B | L | W)),
            (B | W | R | K, Claim(B | L), Claim(B | L | W)),
            (B | L | W, Wait(B | L | W), Wait(B | L | W)),
            (B | L | W | K, Wait(B | L | W | R), Wait(B | L | W | R)),
        ] {
            assert_eq!(look(word, Place::Front, false), alone, "{word:#b}");
            assert_eq!(look(word, Place::Front, true), with_others, "{word:#b}");
        }
    }

    #[test]
    fn looking_from_behind() {
        use Look::{Claim, Wait};
        for (word, same_task) in [
            (W | R | K, Claim(L | W | R)),
            (L | W | R, Wait(L | W | R)),
            (B | W | K, Claim(B | L | W)),
            (B | L | W | K, Wait(B | L | W)),
            (B | W | R | K, Claim(B | L | W | R)),
        ] {
            assert_eq!(look(word, Place::Behind, true), Wait(word), "{word:#b}");
            assert_eq!(look(word, Place::SameTask, true), same_task, "{word:#b}");
        }
    }

    #[test]
    fn leaving() {
        use Leave::{Quiet, WakeFront};
        for (word, last, front) in [
            (L | W | R, Quiet(L), Quiet(L | W | R)),
            (W | R | K, Quiet(0), WakeFront(W | R | K)),
            (B | L | W | K, Quiet(B | L), Quiet(B | L | W)),
            (B | L | W | R, Quiet(B | L), Quiet(B | L | W)),
            (B | W | R | K, Quiet(B), WakeFront(B | W | K)),
        ] {
            assert_eq!(leave(word, true, false), last, "{word:#b}");
            assert_eq!(leave(word, true, true), front, "{word:#b}");
            assert_eq!(leave(word, false, true), Quiet(word), "{word:#b}");
        }
    }

    /// Goal: no step leads to a free lock with a line whose front owes no look.
    #[test]
    fn a_free_lock_with_a_line_has_a_woken_front() {
        let woken_or_held = |word: u8| word & (W | L) != W || word & K != 0;
        for word in WORDS.into_iter().filter(|word| woken_or_held(*word)) {
            for next in [release(word), Some(release_to_line(word))]
                .into_iter()
                .flatten()
            {
                assert!(woken_or_held(next), "freeing {word:#b}");
            }
            for place in [Place::Front, Place::SameTask, Place::Behind] {
                let (LineUp::Taken(next) | LineUp::Enlist(next)) = line_up(word, place);
                assert!(woken_or_held(next), "lining up at {word:#b}");
                for others in [false, true] {
                    if word & W == 0 {
                        continue;
                    }
                    let (Look::Claim(next) | Look::Wait(next)) = look(word, place, others);
                    assert!(woken_or_held(next), "looking at {word:#b}");
                    let front = place == Place::Front;
                    if front || others {
                        let (Leave::Quiet(next) | Leave::WakeFront(next)) =
                            leave(word, front, others);
                        assert!(woken_or_held(next), "leaving at {word:#b}");
                    }
                }
            }
            assert!(woken_or_held(put_off(word)), "putting off at {word:#b}");
            if word & L != 0 {
                assert_eq!(append(word) & !(W | R), word & !(W | R));
            }
        }
    }
}
