//! The readiness word: what the kernel said last about one source, and whether anybody waits for
//! it.
//!
//! ```text
//!  | 63 …… 32   | 31 …… 6 | 5         | 4    | 3      | 2      | 1       | 0       |
//!  | generation | tick    | ONLY_DATA | SHUT | WAIT_W | WAIT_R | READY_W | READY_R |
//!
//!  one direction:
//!                 wait (sets WAIT)                      deliver (clears WAIT, wakes)
//!    not ready ─────────────────────► awaited ──────────────────────────────► ready
//!        ▲  │                                                                 │  ▲
//!        │  └──────────────────────────── deliver ────────────────────────────┼──┘
//!        └──────────────── clear, if the tick is still the seen one ──────────┘
//! ```
//!
//! | event                       | from          | to               | the caller then            |
//! |-----------------------------|---------------|------------------|----------------------------|
//! | [`Readiness::occupy`]       | vacant        | as told          | registers with the poller  |
//! | [`Readiness::look`]         | ready         | –                | tries the operation        |
//! | [`Readiness::clear`]        | same tick     | not ready        | waits                      |
//! | [`Readiness::clear`]        | newer tick    | –                | tries again                |
//! | [`Readiness::clear_short`]  | same tick, ONLY_DATA | not ready | goes on                   |
//! | [`Readiness::wait`]         | not ready     | awaited          | stays pending              |
//! | [`Readiness::deliver`]      | awaited       | ready, tick + 1  | wakes who waits            |
//! | [`Readiness::deliver`]      | not awaited   | ready, tick + 1  | nothing                    |
//! | [`Readiness::deliver`]      | other generation | –             | nothing: the event is stale |
//! | [`Readiness::shut_down`]    | any           | SHUT             | wakes who waits            |
//! | [`Readiness::vacate`]       | any           | generation + 1   | frees the slot             |
//!
//! Invariants:
//! - I1: a direction is cleared only by one who saw `WouldBlock` *after* the last edge. The edge
//!   that came between the operation and the clear moved the tick, so that the clear does nothing.
//!   Without it a socket with data waits for an edge that has already been.
//!   A read that filled less than its buffer has seen as much as `WouldBlock` if the last edge came
//!   with data alone (ONLY_DATA, which each edge writes anew): what arrives after the edge, be it
//!   the end of the stream, is an edge of its own. It saves the read that would say `WouldBlock`.
//!   A registration counts as such an edge: all that was there before is reported as one more, which
//!   nobody can have seen yet.
//! - I2: of a `wait` and a `deliver` at the same time one sees the other: both are
//!   read-modify-writes of this one word. Either `wait` finds READY, or `deliver` finds WAIT.
//! - I3: an event of an earlier registration never touches a later one: its generation differs.
//! - I4: generation 0 is nobody's: keys with it belong to the poller's own descriptors.
//!
//! Rejected: clearing before the operation and setting again after it. No tick is needed then, but
//! every successful read costs two read-modify-writes in place of a load.
//! Rejected: hang-up and error as bits of their own that stay. A fresh socket reports a hang-up
//! before it is connected; kept for good, it would make `WouldBlock` spin. Both set both
//! directions.
//!
//! Tests: the table below; `loom-tests/tests/io.rs`: `read_vs_event`, `two_directions`,
//! `deregister_vs_deliver`, `shutdown_vs_wait`.

use std::fmt;

use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicU64, Ordering};

use crate::interest::{Direction, Directions};
use crate::limits::{GENERATION_BITS, TICK_BITS};

const READY_SHIFT: u32 = 0;
const WAIT_SHIFT: u32 = 2;
const SHUT: u64 = 1 << 4;
const ONLY_DATA: u64 = 1 << 5;
const TICK_SHIFT: u32 = 6;
const GENERATION_SHIFT: u32 = 32;

const TICK_MASK: u64 = (1 << TICK_BITS) - 1;
const GENERATION_MASK: u64 = (1 << GENERATION_BITS) - 1;

const _: () = assert!(TICK_SHIFT + TICK_BITS <= GENERATION_SHIFT, "the tick fits");
const _: () = assert!(
    GENERATION_SHIFT + GENERATION_BITS <= u64::BITS,
    "the generation fits"
);

/// How many edges there have been, as far as the word can count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tick(u64);

/// What a look at one direction shows.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// An operation may succeed. The tick goes to [`Readiness::clear`] if it does not.
    Ready(Tick),
    /// An operation would block, for all that is known.
    NotReady,
    /// The driver is gone.
    ShutDown,
}

/// What one who saw `WouldBlock` does next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterClear {
    /// The direction is not ready now: wait.
    Wait,
    /// There was an edge meanwhile: try again.
    TryAgain,
}

/// What one who has put down a waker does next.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterWait {
    /// The next edge wakes it.
    Sleep,
    /// An edge, or the end, came first: take the waker back and look again.
    LookAgain,
}

/// What the driver does after an event.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterDeliver {
    /// The event was for an earlier registration.
    Stale,
    /// Recorded. Wake who waits for these directions, which may be none.
    Wake(Directions),
}

/// One value of the word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Word(u64);

impl Word {
    /// Which directions are thought ready.
    pub fn ready(self) -> Directions {
        Directions::from_bits((self.0 >> READY_SHIFT) as u8)
    }

    /// Which directions somebody may wait for.
    pub fn awaited(self) -> Directions {
        Directions::from_bits((self.0 >> WAIT_SHIFT) as u8)
    }

    /// Whether the driver is gone.
    pub fn is_shut_down(self) -> bool {
        self.0 & SHUT != 0
    }

    /// Which registration the word belongs to.
    pub fn generation(self) -> u64 {
        self.0 >> GENERATION_SHIFT
    }

    fn tick(self) -> Tick {
        Tick(self.0 >> TICK_SHIFT & TICK_MASK)
    }

    fn with(self, ready: Directions, awaited: Directions) -> Word {
        let flags = u64::from(Directions::BOTH.bits()) << READY_SHIFT
            | u64::from(Directions::BOTH.bits()) << WAIT_SHIFT;
        let (ready, awaited) = (ready & Directions::BOTH, awaited & Directions::BOTH);
        Word(
            self.0 & !flags
                | u64::from(ready.bits()) << READY_SHIFT
                | u64::from(awaited.bits()) << WAIT_SHIFT,
        )
    }

    fn next_tick(self) -> Word {
        let tick = if planted!("io.tick_not_counted") {
            self.tick().0
        } else {
            (self.tick().0 + 1) & TICK_MASK
        };
        Word(self.0 & !(TICK_MASK << TICK_SHIFT) | tick << TICK_SHIFT)
    }

    fn occupy(self, ready: Directions) -> (Word, u64) {
        // I4: generation 0 is skipped, both for a fresh slot and when the count wraps.
        let generation = self.generation().max(1);
        let only_data = if ready.is_only_data() { ONLY_DATA } else { 0 };
        let vacant = Word(generation << GENERATION_SHIFT | only_data);
        (vacant.with(ready, Directions::NONE), generation)
    }

    fn look(self, direction: Direction) -> Look {
        if self.is_shut_down() {
            Look::ShutDown
        } else if self.ready().contains(direction) {
            Look::Ready(self.tick())
        } else {
            Look::NotReady
        }
    }

    fn clear(self, direction: Direction, seen: Tick) -> (Word, AfterClear) {
        if self.tick() != seen && !planted!("io.blind_clear") {
            return (self, AfterClear::TryAgain); // I1
        }
        let rest = Directions::from_bits(self.ready().bits() & !Directions::from(direction).bits());
        (self.with(rest, self.awaited()), AfterClear::Wait)
    }

    fn clear_short(self, seen: Tick) -> Word {
        if self.0 & ONLY_DATA == 0 && !planted!("io.short_read_ignores_the_end") {
            return self; // I1
        }
        let (word, _either_way_the_next_look_says) = self.clear(Direction::Read, seen);
        word
    }

    fn wait(self, direction: Direction) -> (Word, AfterWait) {
        if self.is_shut_down() || self.ready().contains(direction) {
            return (self, AfterWait::LookAgain); // I2
        }
        let awaited = self.awaited() | direction.into();
        (self.with(self.ready(), awaited), AfterWait::Sleep)
    }

    fn deliver(self, generation: u64, ready: Directions) -> (Word, AfterDeliver) {
        let is_ours = self.generation() == generation || planted!("io.generation_not_compared");
        if generation == 0 || !is_ours {
            return (self, AfterDeliver::Stale); // I3, I4
        }
        let woken = self.awaited() & ready;
        let left = Directions::from_bits(self.awaited().bits() & !ready.bits());
        let next = self.with(self.ready() | ready, left).next_tick();
        let only_data = if ready.is_only_data() { ONLY_DATA } else { 0 };
        let next = Word(next.0 & !ONLY_DATA | only_data);
        (next, AfterDeliver::Wake(woken))
    }

    fn shut_down(self) -> (Word, Directions) {
        let word = self.with(self.ready(), Directions::NONE);
        (Word(word.0 | SHUT), self.awaited())
    }

    fn vacate(self) -> (Word, ()) {
        let generation = (self.generation() + 1) & GENERATION_MASK;
        (Word(generation.max(1) << GENERATION_SHIFT), ())
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Word")
            .field("generation", &self.generation())
            .field("tick", &self.tick().0)
            .field("shut_down", &self.is_shut_down())
            .field("awaited", &self.awaited())
            .field("ready", &self.ready())
            .finish()
    }
}

/// The word itself. See the module's first lines.
pub struct Readiness(AtomicU64);

impl Readiness {
    /// The word of a slot that nobody has used yet.
    pub fn vacant() -> Self {
        Readiness(AtomicU64::new(0))
    }

    /// A registration takes the slot. `ready` is what may be tried before the first event.
    /// Returns its generation.
    pub fn occupy(&self, ready: Directions) -> u64 {
        self.update(|word| word.occupy(ready))
    }

    /// Whether an operation may succeed.
    #[inline]
    pub fn look(&self, direction: Direction) -> Look {
        self.word().look(direction)
    }

    /// An operation was tried after `seen`, and would block.
    pub fn clear(&self, direction: Direction, seen: Tick) -> AfterClear {
        self.update(|word| word.clear(direction, seen))
    }

    /// A read after `seen` filled less than its buffer.
    #[inline]
    pub fn clear_short(&self, seen: Tick) {
        if self.word().0 & ONLY_DATA != 0 || planted!("io.short_read_ignores_the_end") {
            self.update(|word| (word.clear_short(seen), ()));
        }
    }

    /// A waker has been put down and wants to be found by the next event.
    pub fn wait(&self, direction: Direction) -> AfterWait {
        if planted!("io.wait_by_load_and_store") {
            let (next, after) = self.word().wait(direction);
            // ORDERING: Relaxed. This is the planted bug: not one step, so that I2 is lost.
            self.0.store(next.0, Ordering::Relaxed);
            return after;
        }
        self.update(|word| word.wait(direction))
    }

    /// The kernel said that `ready` may succeed now.
    pub fn deliver(&self, generation: u64, ready: Directions) -> AfterDeliver {
        self.update(|word| word.deliver(generation, ready))
    }

    /// The driver ends. Returns who waits.
    pub fn shut_down(&self) -> Directions {
        self.update(Word::shut_down)
    }

    /// The registration ends.
    pub fn vacate(&self) {
        self.update(Word::vacate);
    }

    /// The whole word, to look at.
    #[inline]
    pub fn word(&self) -> Word {
        // ORDERING: Acquire pairs with the Release half of `update` in `deliver`: what was done
        // before the event is visible to the operation that is tried because of it.
        Word(self.0.load(Ordering::Acquire))
    }

    #[inline]
    fn update<A>(&self, step: impl Fn(Word) -> (Word, A)) -> A {
        let mut seen = self.word();
        loop {
            let (next, after) = step(seen);
            // ORDERING: AcqRel. Release hands what this thread did before its step to whoever makes
            // the next one; Acquire takes that over. Failure is Acquire because `step` runs again.
            // A step that changes nothing is exchanged too: that keeps I2 for a `wait` or a `clear`
            // that was overtaken, because it then has read the newest word.
            match self
                .0
                .compare_exchange_weak(seen.0, next.0, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return after,
                Err(actual) => seen = Word(actual),
            }
        }
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.word().fmt(f)
    }
}

#[cfg(all(test, not(tenter_loom)))]
mod tests {
    use super::*;

    fn word(ready: Directions, awaited: Directions, tick: u64) -> Word {
        Word(7 << GENERATION_SHIFT | tick << TICK_SHIFT).with(ready, awaited)
    }

    const NONE: Directions = Directions::NONE;
    const READ: Directions = Directions::READ;
    const WRITE: Directions = Directions::WRITE;
    const BOTH: Directions = Directions::BOTH;

    #[test]
    fn deliver_table() {
        // (ready, awaited, event) -> (ready, awaited, woken)
        let table = [
            ((NONE, NONE, READ), (READ, NONE, NONE)),
            ((NONE, READ, READ), (READ, NONE, READ)),
            ((NONE, READ, WRITE), (WRITE, READ, NONE)),
            ((NONE, BOTH, READ), (READ, WRITE, READ)),
            ((NONE, BOTH, BOTH), (BOTH, NONE, BOTH)),
            ((READ, WRITE, READ), (READ, WRITE, NONE)),
            ((READ, WRITE, BOTH), (BOTH, NONE, WRITE)),
            ((BOTH, NONE, NONE), (BOTH, NONE, NONE)),
        ];
        for ((ready, awaited, event), (ready_after, awaited_after, woken)) in table {
            let (next, after) = word(ready, awaited, 3).deliver(7, event);
            assert_eq!(
                after,
                AfterDeliver::Wake(woken),
                "{ready:?} {awaited:?} {event:?}"
            );
            assert_eq!(next, word(ready_after, awaited_after, 4));
        }
    }

    #[test]
    fn an_event_of_another_generation_changes_nothing() {
        let before = word(NONE, READ, 3);
        assert_eq!(before.deliver(6, BOTH), (before, AfterDeliver::Stale));
        let fresh = Word(0);
        assert_eq!(fresh.deliver(0, BOTH), (fresh, AfterDeliver::Stale), "I4");
    }

    #[test]
    fn clear_table() {
        let table = [
            ((BOTH, 3, Direction::Read, 3), (WRITE, AfterClear::Wait)),
            ((BOTH, 3, Direction::Write, 3), (READ, AfterClear::Wait)),
            ((NONE, 3, Direction::Read, 3), (NONE, AfterClear::Wait)),
            ((BOTH, 4, Direction::Read, 3), (BOTH, AfterClear::TryAgain)),
        ];
        for ((ready, tick, direction, seen), (ready_after, after)) in table {
            let (next, actual) = word(ready, WRITE, tick).clear(direction, Tick(seen));
            assert_eq!(actual, after);
            assert_eq!(next, word(ready_after, WRITE, tick));
        }
    }

    #[test]
    fn a_short_read_clears_only_after_an_edge_of_data_alone() {
        let edge = |word: Word, event| word.deliver(7, event).0;
        let data = edge(word(NONE, NONE, 3), READ.with_only_data());
        assert_eq!(data.ready(), READ);
        assert_eq!(data.clear_short(Tick(4)).ready(), NONE);
        assert_eq!(
            data.clear_short(Tick(3)).ready(),
            READ,
            "an edge came meanwhile"
        );
        let end = edge(data, READ);
        assert_eq!(
            end.clear_short(Tick(5)).ready(),
            READ,
            "the end stands behind the data"
        );
        assert_eq!(
            word(READ, NONE, 3).clear_short(Tick(3)).ready(),
            READ,
            "no edge yet"
        );
    }

    #[test]
    fn wait_table() {
        let table = [
            ((NONE, NONE), (READ, AfterWait::Sleep)),
            ((NONE, WRITE), (BOTH, AfterWait::Sleep)),
            ((WRITE, NONE), (READ, AfterWait::Sleep)),
            ((READ, NONE), (NONE, AfterWait::LookAgain)),
        ];
        for ((ready, awaited), (awaited_after, after)) in table {
            let (next, actual) = word(ready, awaited, 3).wait(Direction::Read);
            assert_eq!(actual, after);
            assert_eq!(next, word(ready, awaited_after, 3));
        }
        let shut = Word(word(NONE, NONE, 3).0 | SHUT);
        assert_eq!(shut.wait(Direction::Read), (shut, AfterWait::LookAgain));
    }

    #[test]
    fn shutting_down_wakes_who_waits_and_outlasts_events() {
        let (shut, woken) = word(READ, WRITE, 3).shut_down();
        assert_eq!(woken, WRITE);
        assert_eq!(shut.look(Direction::Read), Look::ShutDown);
        let (after, _) = shut.deliver(7, BOTH);
        assert_eq!(after.look(Direction::Read), Look::ShutDown);
    }

    #[test]
    fn the_tick_wraps_without_touching_its_neighbours() {
        let last = word(NONE, NONE, TICK_MASK);
        let (next, _) = last.deliver(7, READ);
        assert_eq!(next, word(READ, NONE, 0));
    }

    #[test]
    fn generations_wrap_past_zero() {
        let last = Word(GENERATION_MASK << GENERATION_SHIFT);
        let (next, ()) = last.vacate();
        assert_eq!(next.generation(), 1);
        assert_eq!(Word(0).occupy(BOTH).1, 1);
        let (reused, ()) = word(BOTH, BOTH, 9).vacate();
        assert_eq!(reused.generation(), 8);
        assert_eq!(reused.ready(), NONE);
        assert_eq!(reused.awaited(), NONE);
    }
}
