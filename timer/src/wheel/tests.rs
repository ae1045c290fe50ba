//! The wheel against an ordered map: every deadline, every order, the whole time line.

use std::collections::BTreeMap;
use std::ptr::NonNull;
use std::task::Waker;

use super::*;
use crate::entry::{Event, State};
use crate::limits::GRAIN_BITS;

/// Where the steps come from.
enum Numbers<'a> {
    /// A generator, xorshift64*: the same for the same seed, for ever.
    #[cfg_attr(not(test), allow(dead_code, reason = "for the tests below"))]
    Seed(u64),
    /// A fuzzer; zeros when it has no more.
    Given(&'a [u8]),
}

impl Numbers<'_> {
    fn next(&mut self) -> u64 {
        match self {
            Numbers::Seed(state) => {
                *state ^= *state >> 12;
                *state ^= *state << 25;
                *state ^= *state >> 27;
                state.wrapping_mul(0x2545_F491_4F6C_DD1D)
            }
            Numbers::Given(_) => self.bytes(8),
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        let number = match self {
            Numbers::Seed(_) => self.next(),
            Numbers::Given(_) => self.bytes(1),
        };
        (number % bound as u64) as usize
    }

    /// A number of so many bytes of those that are given.
    fn bytes(&mut self, count: usize) -> u64 {
        let Numbers::Given(bytes) = self else {
            return 0;
        };
        let (number, rest) = bytes.split_at(count.min(bytes.len()));
        *bytes = rest;
        number
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }

    fn are_used_up(&self) -> bool {
        matches!(self, Numbers::Given([]))
    }

    /// Every order of magnitude is as likely as every other.
    fn magnitude(&mut self) -> u64 {
        let shift = self.below(64) as u32;
        self.next() >> shift
    }
}

/// A wheel, entries of one owner, and what an ordered map says of them.
struct Bed {
    wheel: Wheel,
    entries: Vec<NonNull<Entry>>,
    /// (deadline, order of arming) of each armed entry.
    oracle: BTreeMap<(u64, u64), usize>,
    keys: Vec<Option<(u64, u64)>>,
    armed: u64,
    now: u64,
}

impl Bed {
    fn new(entries: usize, now: u64) -> Bed {
        let new = |_| NonNull::from(Box::leak(Box::new(Entry::new(Instant::MAX, State::Set))));
        Bed {
            wheel: Wheel::new(Instant::from_nanos(now)),
            entries: (0..entries).map(new).collect(),
            oracle: BTreeMap::new(),
            keys: vec![None; entries],
            armed: 0,
            now,
        }
    }

    fn arm(&mut self, id: usize, when: u64) {
        assert_eq!(self.keys[id], None);
        let node = self.entries[id];
        // SAFETY: the bed owns wheel and entries, and uses them on one thread only.
        unsafe {
            node.as_ref()
                .set(State::Set, Instant::from_nanos(when), Event::Set);
            self.wheel.insert(node);
            node.as_ref().arm(State::Set, Waker::noop().clone());
        }
        self.note(id, when);
    }

    fn reset(&mut self, id: usize, when: u64) {
        let key = self.keys[id].take().expect("armed");
        self.oracle.remove(&key);
        // SAFETY: as in `arm`.
        unsafe {
            self.wheel
                .reset(self.entries[id], Instant::from_nanos(when));
        };
        self.note(id, when);
    }

    fn note(&mut self, id: usize, when: u64) {
        self.armed += 1;
        self.keys[id] = Some((when, self.armed));
        self.oracle.insert((when, self.armed), id);
    }

    fn cancel(&mut self, id: usize) {
        let key = self.keys[id].take().expect("armed");
        self.oracle.remove(&key);
        // SAFETY: as in `arm`.
        unsafe {
            self.wheel.remove(self.entries[id]);
            self.entries[id].as_ref().disarm(Event::Cancel);
        }
    }

    /// What the wheel takes to be the first entry due at `now`, which is taken out.
    fn pop_due(&mut self, now: u64) -> Option<NonNull<Entry>> {
        // SAFETY: as in `arm`.
        unsafe {
            let due = self.wheel.first_due(Instant::from_nanos(now))?;
            self.wheel.remove(due);
            Some(due)
        }
    }

    /// Takes one due entry out; both sides must agree on which. False if there was none.
    fn pop(&mut self) -> bool {
        let popped = self.pop_due(self.now);
        let first = self.oracle.first_key_value().map(|(key, id)| (*key, *id));
        let Some((key, id)) = first.filter(|((when, _), _)| *when <= self.now) else {
            assert_eq!(popped, None, "nothing is due at {}", self.now);
            return false;
        };
        assert_eq!(
            popped,
            Some(self.entries[id]),
            "{key:?} is due at {}",
            self.now
        );
        // SAFETY: as in `arm`.
        unsafe { self.entries[id].as_ref().disarm(Event::Fire) };
        self.oracle.remove(&key);
        self.keys[id] = None;
        true
    }

    fn pop_all(&mut self) -> usize {
        let mut count = 0;
        while self.pop() {
            count += 1;
        }
        count
    }

    fn check_earliest(&mut self) -> Option<u64> {
        // SAFETY: as in `arm`.
        let earliest = unsafe { self.wheel.earliest() }.map(Instant::as_nanos);
        let expected = self.oracle.first_key_value().map(|((when, _), _)| *when);
        assert_eq!(earliest, expected, "the earliest deadline is exact");
        assert_eq!(self.wheel.len(), self.oracle.len());
        earliest
    }

    /// I1 of the wheel, for every armed entry.
    fn check_places(&self) {
        for ((when, _), id) in &self.oracle {
            // SAFETY: as in `arm`.
            let place = unsafe { place_of(self.entries[*id]) };
            assert_eq!(place, Place::of(self.wheel.reached, *when), "I1");
        }
    }

    fn random_deadline(&mut self, numbers: &mut Numbers<'_>) -> u64 {
        let edges = [0, 1, 1 << 63, (1 << 63) - 1, u64::MAX - 1, u64::MAX];
        match numbers.below(8) {
            // The same slot, mostly.
            0 | 1 => self.now.saturating_add(numbers.next() >> (64 - GRAIN_BITS)),
            2 | 3 => self.now.saturating_add(numbers.magnitude()),
            4 => self.now.saturating_sub(numbers.magnitude()),
            5 => edges[numbers.below(edges.len())],
            // The edge of a slot of any level.
            6 => (self.now.saturating_add(numbers.magnitude()) >> GRAIN_BITS << GRAIN_BITS)
                .wrapping_sub(numbers.next() & 1),
            // One that is taken.
            _ => self
                .oracle
                .keys()
                .next_back()
                .map_or(self.now, |(when, _)| *when),
        }
    }

    fn step(&mut self, numbers: &mut Numbers<'_>) {
        let id = numbers.below(self.entries.len());
        let armed = self.keys[id].is_some();
        match numbers.below(10) {
            0..=4 if !armed => {
                let when = self.random_deadline(numbers);
                self.arm(id, when);
            }
            0..=2 if armed => {
                let when = self.random_deadline(numbers);
                self.reset(id, when);
            }
            3..=5 if armed => self.cancel(id),
            6 => {
                let next = self.check_earliest();
                self.now = self.now.max(next.unwrap_or(0));
                self.pop_all();
            }
            7 => {
                self.now = self
                    .now
                    .saturating_add(numbers.magnitude() >> numbers.below(32));
                // A driver may give up the lock between any two.
                for _ in 0..numbers.below(4) {
                    self.pop();
                }
            }
            8 => {
                self.pop_all();
            }
            _ => {
                self.check_earliest();
            }
        }
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        for id in 0..self.entries.len() {
            if self.keys[id].is_some() && !std::thread::panicking() {
                self.cancel(id);
            }
            if self.keys[id].is_none() {
                // SAFETY: leaked from a box in `new`, and in no wheel.
                drop(unsafe { Box::from_raw(self.entries[id].as_ptr()) });
            }
        }
    }
}

/// Where the wheel begins: at the edges of the time line and of the levels.
const STARTS: [u64; 6] = [
    0,
    1,
    (1 << GRAIN_BITS) - 1,
    1 << 40,
    (1 << 63) - 1,
    u64::MAX - (1 << 20),
];

/// Takes the steps that `data` names.
pub fn fuzz(data: &[u8]) {
    let mut numbers = Numbers::Given(data);
    let start = STARTS[numbers.below(STARTS.len())];
    let mut bed = Bed::new(1 + numbers.below(32), start);
    while !numbers.are_used_up() {
        bed.step(&mut numbers);
        bed.check_places();
    }
    bed.check_earliest();
    bed.now = u64::MAX;
    bed.pop_all();
}

/// Goal: the wheel is an ordered map of (deadline, order of arming): what is due, in which order,
/// the earliest deadline, all exact to the nanosecond, from one end of the time line to the other.
#[test]
fn the_wheel_agrees_with_an_ordered_map() {
    for seed in 1..=240 {
        let mut numbers = Numbers::Seed(seed);
        let start = STARTS[seed as usize % STARTS.len()];
        let mut bed = Bed::new(1 + numbers.below(200), start);
        for round in 0..4_000 {
            bed.step(&mut numbers);
            if round % 64 == 0 {
                bed.check_places();
            }
        }
    }
}

/// Goal: no wrap and no drift in three centuries (tokio #8334 panicked after twelve days).
/// Method: timers of every order of magnitude are armed again as they fire, each at its own
/// nanosecond.
#[test]
fn three_hundred_years_pass_exactly() {
    let year = 365 * 24 * 3_600 * 1_000_000_000_u64;
    let mut numbers = Numbers::Seed(300);
    let mut bed = Bed::new(40, 0);
    for id in 0..bed.entries.len() {
        let when = numbers.magnitude() % year;
        bed.arm(id, when);
    }
    let mut fired = 0;
    while bed.now < 300 * year {
        bed.now = bed.check_earliest().expect("forty timers are always armed");
        fired += bed.pop_all();
        for id in 0..bed.entries.len() {
            if bed.keys[id].is_none() {
                let when = bed.now + 1 + numbers.magnitude() % (10 * year);
                bed.arm(id, when);
            }
        }
        bed.check_places();
    }
    assert!(fired > 1_000);
}

#[test]
fn entries_in_one_slot_fire_at_their_own_nanosecond_in_order() {
    let mut bed = Bed::new(5, 0);
    for (id, when) in [103, 101, 102, 101, 104].into_iter().enumerate() {
        bed.arm(id, when);
    }
    for (now, due) in [(100, 0), (101, 2), (102, 1), (103, 1), (104, 1)] {
        bed.now = now;
        assert_eq!(bed.pop_all(), due, "at {now}");
    }
}

/// Goal: a thousand timeouts, of which the oldest is reset again and again, cost no pass over the
/// slot each time (see `level.rs`).
/// Method: fill a slot in descending order, and look at what the level knows of it.
#[test]
fn a_slot_whose_earliest_is_cancelled_repeatedly_is_put_in_order_once() {
    let mut bed = Bed::new(64, 0);
    let base = 1 << 40;
    for id in 0..64 {
        // Out of order, all in one slot.
        bed.arm(id, base + (id as u64 * 37) % 64);
    }
    let place = Place::of(0, base);
    let in_order = |bed: &Bed| bed.wheel.levels[place.level].is_in_order(place.slot);
    assert!(!in_order(&bed));
    bed.check_earliest();
    assert!(!in_order(&bed), "the cache of the minimum needs no order");
    for (round, expected) in [(1, false), (2, true), (3, true)] {
        let first = *bed.oracle.first_key_value().expect("armed").1;
        bed.cancel(first);
        bed.check_earliest();
        assert_eq!(in_order(&bed), expected, "round {round}");
    }
}

#[test]
fn deadlines_that_arrive_nearly_in_order_keep_the_slot_in_order() {
    let mut bed = Bed::new(8, 0);
    let base = 1 << 40;
    for (id, offset) in [4, 3, 6, 5, 5, 9, 8, 2].into_iter().enumerate() {
        bed.arm(id, base + offset);
    }
    let place = Place::of(0, base);
    assert!(bed.wheel.levels[place.level].is_in_order(place.slot));
    bed.now = base + 10;
    assert_eq!(bed.pop_all(), 8);
}

#[test]
fn a_later_deadline_within_the_slot_relinks_nothing() {
    let mut bed = Bed::new(3, 0);
    let base = 1 << 40;
    for id in 0..3 {
        bed.arm(id, base + 100 * id as u64);
    }
    // SAFETY: as in `Bed::arm`.
    let stays = |bed: &Bed, id: usize, when| unsafe { bed.wheel.may_stay(bed.entries[id], when) };
    assert!(stays(&bed, 0, base + 99));
    assert!(
        !stays(&bed, 0, base + 100),
        "behind the equal one, which was armed earlier"
    );
    assert!(stays(&bed, 2, base + 10_000));
    assert!(!stays(&bed, 2, base + 199), "an earlier deadline");
    bed.reset(0, base + 99);
    bed.reset(2, base + 10_000);
    assert_eq!(bed.check_earliest(), Some(base + 99));
}

#[test]
fn an_older_time_after_a_newer_one_fires_nothing_too_early() {
    let mut bed = Bed::new(2, 0);
    bed.now = 1 << 30;
    bed.pop_all();
    bed.arm(0, 1 << 20);
    bed.arm(1, 1 << 31);
    // A driver with an older reading of the clock: time has come as far as 2^30 all the same.
    let popped = bed.pop_due(5);
    assert_eq!(popped, Some(bed.entries[0]));
    // SAFETY: as in `Bed::arm`.
    unsafe { bed.entries[0].as_ref().disarm(Event::Fire) };
    let key = bed.keys[0].take().expect("armed");
    bed.oracle.remove(&key);
    assert!(!bed.pop());
}

/// Goal: the wheel goes with the time also while nothing is due; else all deadlines would end up in
/// the coarse slots of a time long past.
#[test]
fn the_wheel_reaches_the_present_when_nothing_is_due() {
    let mut bed = Bed::new(2, 0);
    for far in [1 << 16, 1 << 50] {
        bed.arm(0, bed.now + far);
        bed.now += far - 1;
        assert!(!bed.pop());
        assert_eq!(bed.wheel.reached, bed.now);
        assert!(!bed.pop(), "asked again, with the earliest deadline known");
        bed.now += 1;
        assert_eq!(bed.pop_all(), 1);
        assert_eq!(bed.wheel.reached, bed.now);
    }
    bed.arm(0, bed.now + 10);
    bed.check_earliest();
    bed.now += 9;
    assert!(!bed.pop());
    assert_eq!(bed.wheel.reached, bed.now);
}
