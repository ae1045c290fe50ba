//! Who has come, who may go, and who was let down: every step of a barrier, without threads, wakers or
//! waiting.
//!
//! Each who comes draws a *ticket*. Two boundaries divide the tickets, which is all that a waiter has to
//! know about itself when it is dropped or polled:
//!
//! ```text
//!   tickets:   … ─────────── broken ─────────── told ─────────── next
//!                let down, or      may go on, or     waits for
//!                gone long ago     gone already      others
//! ```
//!
//! | step              | Filling                        | Draining                      | Broken    |
//! |-------------------|--------------------------------|-------------------------------|-----------|
//! | [`Round::arrive`] | waits; the last one releases   | waits                         | refused   |
//! | [`Round::depart`] | –                              | goes on; the last one refills | –         |
//! | [`Round::leave`]  | not counted any more           | as depart, or not counted     | –         |
//! | [`Round::reset`]  | all who wait are let down      | those who may go on are       | Filling   |
//! | [`Round::abort`]  | all are let down: Broken       | all are let down: Broken      | as it is  |
//!
//! Invariants:
//! - I1: `broken`, `told` and `next` stand in this order (modulo the wrap).
//! - I2: `waiting` counts the tickets from `told` on whose owners have not left.
//! - I3: Draining: `left > 0` counts the tickets from `broken` up to `told` whose owners have not
//!   departed or left. In the other phases there are none.
//! - I4: Filling: `waiting < parties`, or the caller owes [`Round::release`].
//! - I5: the indices handed out in one drain are 0, 1, 2, … without a gap.

/// What is going on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Waits for the last one.
    Filling,
    /// All were there, and not all have gone on. `passed` have.
    Draining { left: usize, passed: usize },
    /// Aborted.
    Broken,
}

/// The books of a barrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Round {
    phase: Phase,
    broken: usize,
    told: usize,
    /// The ticket of the next to come. Wraps; a wait would have to sleep through half of all numbers
    /// to notice.
    next: usize,
    waiting: usize,
}

/// What becomes of one who comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Arrival {
    /// Waits for others, with this ticket.
    Waits(usize),
    /// Was the last: all may go on, this ticket too. The caller owes those in line a wake.
    Completes(usize),
    /// The barrier is broken.
    Refused,
}

/// What becomes of one whose wait is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Departure {
    /// Goes on, as the one with this index.
    Goes(usize, Then),
    /// Was let down.
    LetDown,
}

/// What the caller owes after a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Then {
    /// Nothing.
    Nothing,
    /// There are enough for the next round: [`Round::release`].
    Release,
}

/// Whether one ticket was drawn before another.
const fn is_before(ticket: usize, other: usize) -> bool {
    (ticket.wrapping_sub(other) as isize) < 0
}

impl Round {
    /// Nobody has come.
    pub(super) const fn new() -> Self {
        Self {
            phase: Phase::Filling,
            broken: 0,
            told: 0,
            next: 0,
            waiting: 0,
        }
    }

    /// How many wait for others.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Whether it was aborted.
    pub(super) const fn is_broken(&self) -> bool {
        matches!(self.phase, Phase::Broken)
    }

    /// How many may go on and have not yet.
    pub(super) const fn going(&self) -> usize {
        match self.phase {
            Phase::Draining { left, .. } => left,
            Phase::Filling | Phase::Broken => 0,
        }
    }

    /// Whether the wait of this ticket is over.
    pub(super) const fn is_told(&self, ticket: usize) -> bool {
        is_before(ticket, self.told)
    }

    /// Somebody comes.
    pub(super) const fn arrive(&mut self, parties: usize) -> Arrival {
        if self.is_broken() {
            return Arrival::Refused;
        }
        let ticket = self.next;
        self.next = ticket.wrapping_add(1);
        self.waiting += 1;
        if matches!(self.phase, Phase::Filling) && self.waiting == parties {
            self.release(parties, ticket);
            return Arrival::Completes(ticket);
        }
        Arrival::Waits(ticket)
    }

    /// Enough wait: those up to the ticket `last` may go on.
    pub(super) const fn release(&mut self, parties: usize, last: usize) {
        debug_assert!(
            matches!(self.phase, Phase::Filling) && self.waiting >= parties,
            "a round begins when the last one is over and enough have come"
        );
        self.waiting -= parties;
        // All who were told before have gone or were let down. Were this boundary left where it is, half
        // of all numbers later it would seem to be ahead.
        self.broken = self.told;
        self.told = last.wrapping_add(1);
        self.phase = Phase::Draining {
            left: parties,
            passed: 0,
        };
    }

    /// One whose wait is over goes on.
    pub(super) const fn depart(&mut self, parties: usize, ticket: usize) -> Departure {
        match self.phase {
            Phase::Draining { left, passed } if !is_before(ticket, self.broken) => {
                let then = self.drain(parties, left - 1, passed + 1);
                Departure::Goes(passed, then)
            }
            _ => Departure::LetDown,
        }
    }

    /// One does not want to wait, or to go on, any more.
    pub(super) const fn leave(&mut self, parties: usize, ticket: usize) -> Then {
        if !self.is_told(ticket) {
            self.waiting -= 1;
            return Then::Nothing;
        }
        match self.phase {
            Phase::Draining { left, passed } if !is_before(ticket, self.broken) => {
                self.drain(parties, left - 1, passed)
            }
            _ => Then::Nothing,
        }
    }

    /// All who wait for others are let down, or, while a round goes on, those who have not gone on yet.
    pub(super) const fn reset(&mut self, parties: usize) -> Then {
        if let Phase::Draining { passed, .. } = self.phase {
            self.broken = self.told;
            return self.drain(parties, 0, passed);
        }
        self.let_down_all();
        self.phase = Phase::Filling;
        Then::Nothing
    }

    /// All are let down, and those who come later are refused.
    pub(super) const fn abort(&mut self) {
        self.let_down_all();
        self.phase = Phase::Broken;
    }

    const fn let_down_all(&mut self) {
        self.told = self.next;
        self.broken = self.next;
        self.waiting = 0;
    }

    /// So many are left to go on. After the last one those who came late begin to fill the next round.
    const fn drain(&mut self, parties: usize, left: usize, passed: usize) -> Then {
        if left > 0 {
            self.phase = Phase::Draining { left, passed };
            return Then::Nothing;
        }
        self.phase = Phase::Filling;
        if self.waiting >= parties {
            Then::Release
        } else {
            Then::Nothing
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A round with these boundaries and this many waiting.
    fn round(phase: Phase, [broken, told, next]: [usize; 3], waiting: usize) -> Round {
        Round {
            phase,
            broken,
            told,
            next,
            waiting,
        }
    }

    const fn draining(left: usize, passed: usize) -> Phase {
        Phase::Draining { left, passed }
    }

    use Phase::{Broken, Filling};

    #[test]
    fn arriving() {
        for (before, outcome, after) in [
            (
                round(Filling, [0, 3, 4], 1),
                Arrival::Waits(4),
                round(Filling, [0, 3, 5], 2),
            ),
            (
                round(Filling, [0, 3, 5], 2),
                Arrival::Completes(5),
                round(draining(3, 0), [3, 6, 6], 0),
            ),
            (
                round(draining(1, 2), [0, 3, 5], 2),
                Arrival::Waits(5), // though it is the third
                round(draining(1, 2), [0, 3, 6], 3),
            ),
            (
                round(Broken, [5, 5, 5], 0),
                Arrival::Refused,
                round(Broken, [5, 5, 5], 0),
            ),
        ] {
            let mut now = before.clone();
            assert_eq!(now.arrive(3), outcome, "{before:?}");
            assert_eq!(now, after, "{before:?}");
        }
    }

    #[test]
    fn departing_and_leaving() {
        use Departure::{Goes, LetDown};
        use Then::{Nothing, Release};
        let cases = [
            // The ticket, how it departs, what remains, what remains after it has left instead.
            (
                (round(draining(3, 0), [0, 3, 3], 0), 1),
                (Goes(0, Nothing), draining(2, 1), 0),
                (Nothing, draining(2, 0), 0),
            ),
            (
                (round(draining(1, 2), [0, 3, 5], 2), 1),
                (Goes(2, Nothing), Filling, 2),
                (Nothing, Filling, 2),
            ),
            (
                (round(draining(1, 1), [0, 3, 6], 3), 1),
                (Goes(1, Release), Filling, 3),
                (Release, Filling, 3),
            ),
            // Let down before this drain began.
            (
                (round(draining(3, 0), [4, 7, 7], 0), 3),
                (LetDown, draining(3, 0), 0),
                (Nothing, draining(3, 0), 0),
            ),
            (
                (round(Broken, [4, 4, 4], 0), 3),
                (LetDown, Broken, 0),
                (Nothing, Broken, 0),
            ),
            (
                (round(Filling, [4, 4, 6], 2), 3),
                (LetDown, Filling, 2),
                (Nothing, Filling, 2),
            ),
        ];
        for ((before, ticket), departed, left) in cases {
            let mut now = before.clone();
            let outcome = now.depart(3, ticket);
            assert_eq!((outcome, now.phase, now.waiting), departed, "{before:?}");
            let mut now = before.clone();
            let outcome = now.leave(3, ticket);
            assert_eq!((outcome, now.phase, now.waiting), left, "{before:?}");
        }
    }

    #[test]
    fn one_who_waits_for_others_leaves_quietly() {
        for phase in [Filling, draining(2, 1)] {
            let mut now = round(phase, [0, 3, 5], 2);
            assert_eq!(now.leave(3, 4), Then::Nothing);
            assert_eq!(now, round(phase, [0, 3, 5], 1));
        }
    }

    #[test]
    fn resetting_and_aborting() {
        for (before, then, after) in [
            (
                round(Filling, [0, 3, 5], 2),
                Then::Nothing,
                round(Filling, [5, 5, 5], 0),
            ),
            // Those who have come late stay, and may be enough.
            (
                round(draining(2, 1), [0, 3, 5], 2),
                Then::Nothing,
                round(Filling, [3, 3, 5], 2),
            ),
            (
                round(draining(2, 1), [0, 3, 6], 3),
                Then::Release,
                round(Filling, [3, 3, 6], 3),
            ),
            (
                round(Broken, [5, 5, 5], 0),
                Then::Nothing,
                round(Filling, [5, 5, 5], 0),
            ),
        ] {
            let mut now = before.clone();
            assert_eq!(now.reset(3), then, "{before:?}");
            assert_eq!(now, after, "{before:?}");
            let mut now = before.clone();
            now.abort();
            let next = before.next;
            assert_eq!(now, round(Broken, [next, next, next], 0), "{before:?}");
        }
    }

    /// Goal: a barrier that is never reset serves more rounds than there are tickets. Method: one round
    /// in each of some thousand places along the numbers.
    #[test]
    fn a_barrier_that_is_never_reset_lets_nobody_down() {
        let mut now = Round::new();
        for _ in 0..4096 {
            let Arrival::Completes(ticket) = now.arrive(1) else {
                panic!("the only party is the last one")
            };
            assert_eq!(now.depart(1, ticket), Departure::Goes(0, Then::Nothing));
            // As after many rounds: nobody is there, and nothing but `next` and `told` has moved on.
            let skip = usize::MAX / 1024;
            (now.told, now.next) = (now.told.wrapping_add(skip), now.next.wrapping_add(skip));
        }
    }

    #[test]
    fn tickets_survive_the_wrap() {
        let last = usize::MAX;
        let mut now = round(Filling, [last, last, last], 0);
        assert_eq!(now.arrive(2), Arrival::Waits(last));
        assert!(!now.is_told(last));
        assert_eq!(now.arrive(2), Arrival::Completes(0));
        assert!(now.is_told(last) && now.is_told(0) && !now.is_told(1));
        assert_eq!(now.depart(2, last), Departure::Goes(0, Then::Nothing));
        assert_eq!(now.depart(2, 0), Departure::Goes(1, Then::Nothing));
    }
}
