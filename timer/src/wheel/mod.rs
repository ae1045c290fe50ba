//! The wheel: armed entries, grouped by deadline, exact to the nanosecond.
//!
//! ```text
//!  reached = 0x..05 3F 21
//!  level 0 │ · · ■ · ■ · · · │  the rest of this span of 64 × 66 µs
//!  level 1 │ · · · ■ ■ · · · │  the rest of the span of 64 spans above
//!    …                          (see `place.rs`)
//!  level 7 │ · · · · · · · ■ │  the rest of all time
//! ```
//!
//! Slots only group. Every entry keeps its own deadline, and is handed out when the time that the
//! caller names has reached that deadline: never before, and never later for the sake of a slot.
//! Entries come out in the order of their deadlines, equal ones in the order in which they were
//! armed.
//!
//! When time enters a slot above level 0, its entries move to the levels below (a cascade, at most
//! once a level in the life of an entry); a slot whose span has passed as a whole is emptied in
//! place.
//!
//! Invariants:
//! - I1: an entry is in the slot [`Place::of`]`(reached, deadline)`. So the earliest deadline is in
//!   the first occupied slot of the first occupied level.
//! - I2: `reached` never decreases, and no entry is due at an earlier time than `reached` except
//!   those that were inserted so, which are in the slot of the present.
//! - I3: `earliest` is exact, or unknown; it is never merely a bound.
//!
//! `reached` may move to a time `t` while entries stay where they are if no occupied slot above
//! level 0 has begun at `t`: such a slot lies ahead in its digit, and both agree in all digits
//! above, before as after. A cascade moves `reached` to the beginning of the very first slot, with
//! the same effect.
//!
//! Costs: insert and remove O(1); the earliest deadline O(1) but for the searches described in
//! `level.rs`; handing out O(1) amortized, and O(log n) for entries that came out of order.
//!
//! Rejected: rounding deadlines up to slots. It makes `earliest` trivial, and every sleep late.
//! Rejected: a heap. Arm and cancel are nearly all that timers see, and both would be O(log n).
//! Rejected: leaving an entry in place when it is reset to a later time, and moving it when its old
//! deadline comes. The earliest deadline would be a bound, and an idle process would wake for
//! nothing.
//!
//! Tests: `wheel/tests.rs` (against an ordered map), `place.rs`.

mod level;
mod list;
mod place;
#[cfg(any(test, fuzzing))]
mod tests;

#[cfg(any(test, fuzzing))]
pub use tests::fuzz;

use core::ptr::NonNull;

use self::level::Level;
use self::place::Place;
use crate::entry::Entry;
use crate::instant::Instant;
use crate::limits::LEVELS;

/// Armed entries by deadline. The functions that are unsafe ask what [`list`] asks: (a) the lock
/// that guards this wheel is held; (b) entries live, pinned, while they are in the wheel; (c) an
/// inserted entry is in no wheel, a removed one is in this one.
pub(crate) struct Wheel {
    reached: u64,
    len: usize,
    earliest: Earliest,
    /// Bit n: level n is not empty.
    occupied: u32,
    levels: [Level; LEVELS],
}

/// What is known of the earliest deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Earliest {
    /// There is none.
    Nothing,
    /// It is this one.
    At(u64),
    /// The entry that was the earliest is gone; the next one has not been looked for.
    Unknown,
}

impl Wheel {
    /// An empty wheel that has reached `now`.
    pub(crate) fn new(now: Instant) -> Wheel {
        Wheel {
            reached: now.as_nanos(),
            len: 0,
            earliest: Earliest::Nothing,
            occupied: 0,
            levels: [const { Level::new() }; LEVELS],
        }
    }

    /// Entries in the wheel.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The latest time at which this wheel is known to have been asked for due entries.
    #[inline]
    pub(crate) fn reached(&self) -> Instant {
        Instant::from_nanos(self.reached)
    }

    /// Adds an entry.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of [`Wheel`].
    #[inline]
    pub(crate) unsafe fn insert(&mut self, node: NonNull<Entry>) {
        // SAFETY: (a), (b), (c) are the caller's.
        let when = unsafe {
            self.file(node);
            list::when(node)
        };
        self.len += 1;
        self.earliest = match self.earliest {
            Earliest::Nothing => Earliest::At(when),
            Earliest::At(earliest) => Earliest::At(earliest.min(when)),
            Earliest::Unknown => Earliest::Unknown,
        };
    }

    /// Takes an entry out.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of [`Wheel`].
    #[inline]
    pub(crate) unsafe fn remove(&mut self, node: NonNull<Entry>) {
        // SAFETY: (a), (b), (c) are the caller's.
        let (when, place) = unsafe { (list::when(node), place_of(node)) };
        // SAFETY: (a), (b), (c) are the caller's.
        unsafe { self.levels[place.level].remove(place.slot, node) };
        if self.levels[place.level].is_empty() {
            self.occupied &= !(1 << place.level);
        }
        self.len -= 1;
        if self.len == 0 {
            self.earliest = Earliest::Nothing;
        } else if self.earliest == Earliest::At(when) {
            self.earliest = Earliest::Unknown;
        }
    }

    /// Gives an entry another deadline. If it stays in its place, also among its neighbours,
    /// nothing is linked anew.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of [`Wheel`]; (d) the caller is the owner of the entry.
    pub(crate) unsafe fn reset(&mut self, node: NonNull<Entry>, deadline: Instant) {
        // SAFETY: (a), (b), (c), (d) are the caller's.
        unsafe {
            if self.may_stay(node, deadline.as_nanos()) {
                if self.earliest == Earliest::At(list::when(node)) {
                    self.earliest = Earliest::Unknown;
                }
                node.as_ref().write_deadline(deadline);
            } else {
                self.remove(node);
                node.as_ref().write_deadline(deadline);
                self.insert(node);
            }
        }
    }

    /// Whether a later deadline leaves the entry where it is: same slot, and still before the next
    /// entry (not beside an equal one, which was armed earlier).
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of [`Wheel`].
    unsafe fn may_stay(&self, node: NonNull<Entry>, when: u64) -> bool {
        // SAFETY: (a), (b), (c) are the caller's.
        unsafe {
            let place = place_of(node);
            let level = &self.levels[place.level];
            let next = list::next(node);
            when >= list::when(node)
                && place == Place::of(self.reached, when)
                && level.is_in_order(place.slot)
                && (level.head(place.slot) == Some(next) || when < list::when(next))
        }
    }

    /// The earliest deadline, exactly.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`Wheel`].
    #[inline]
    pub(crate) unsafe fn earliest(&mut self) -> Option<Instant> {
        if self.earliest == Earliest::Unknown {
            let first = self.first().and_then(|place| {
                // SAFETY: (a), (b) are the caller's.
                unsafe { self.levels[place.level].earliest(place.slot) }
            });
            // I1: it is in the first slot, so it is exact, I3.
            self.earliest = first.map_or(Earliest::Nothing, Earliest::At);
        }
        match self.earliest {
            Earliest::At(when) => Some(Instant::from_nanos(when)),
            Earliest::Nothing | Earliest::Unknown => None,
        }
    }

    /// The first entry that is due at `now`; it stays in the wheel. If there is none, the wheel has
    /// reached `now`.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`Wheel`].
    pub(crate) unsafe fn first_due(&mut self, now: Instant) -> Option<NonNull<Entry>> {
        // I2: another thread may have been here with a later time already.
        let now = now.as_nanos().max(self.reached);
        loop {
            let begun = |place: &Place| place.start(self.reached) <= now;
            let Some(place) = self.first().filter(begun) else {
                self.reached = now;
                return None;
            };
            if place.level > 0 && place.last(self.reached) > now {
                // SAFETY: (a), (b) are the caller's; it is the first slot, and has begun.
                unsafe { self.cascade(place) };
                continue;
            }
            if matches!(self.earliest, Earliest::At(when) if when > now) {
                self.reached = now;
                return None;
            }
            // SAFETY: (a), (b) are the caller's.
            let (head, when) = unsafe {
                let level = &mut self.levels[place.level];
                level.put_in_order(place.slot);
                let head = level.head(place.slot)?;
                (head, list::when(head))
            };
            self.earliest = Earliest::At(when); // I1, I3
            if when <= now {
                return Some(head);
            }
            self.reached = now;
            return None;
        }
    }

    /// Takes out any entry.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`Wheel`].
    pub(crate) unsafe fn pop_any(&mut self) -> Option<NonNull<Entry>> {
        let place = self.first()?;
        let node = self.levels[place.level].head(place.slot)?;
        // SAFETY: (a), (b) are the caller's; it is the head of this very slot.
        unsafe { self.remove(node) };
        Some(node)
    }

    /// The first occupied slot, which holds the earliest deadline, I1.
    #[inline]
    fn first(&self) -> Option<Place> {
        if self.occupied == 0 {
            return None;
        }
        let level = self.occupied.trailing_zeros() as usize;
        let slot = self.levels[level].first()?;
        Some(Place { level, slot })
    }

    /// Moves the entries of the first slot to the levels below it, and time to its beginning.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`Wheel`]; `place` is the first occupied slot.
    unsafe fn cascade(&mut self, place: Place) {
        self.reached = place.start(self.reached);
        let entries = self.levels[place.level].take(place.slot);
        if self.levels[place.level].is_empty() {
            self.occupied &= !(1 << place.level);
        }
        let mut next = entries.head();
        while let Some(node) = next {
            // SAFETY: (a), (b) are the caller's. The node is linked anew only after its successor
            // is known; read later, the link would lead into the new slot.
            unsafe {
                let after = list::next(node);
                next = (Some(after) != entries.head()).then_some(after);
                self.file(node);
            }
        }
    }

    /// Links an entry into the slot where it belongs, I1.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`Wheel`]; the links of the entry are not in use.
    #[inline]
    unsafe fn file(&mut self, node: NonNull<Entry>) {
        // SAFETY: (a), (b) are the caller's.
        let place = Place::of(self.reached, unsafe { list::when(node) });
        // SAFETY: (a), (b) are the caller's.
        unsafe {
            node.as_ref()
                .write_place([place.level as u8, place.slot as u8]);
            self.levels[place.level].insert(place.slot, node);
        }
        self.occupied |= 1 << place.level;
    }
}

/// The slot that an entry is in.
///
/// # Safety
///
/// (a), (b) of [`Wheel`]; the entry is in the wheel.
#[inline]
unsafe fn place_of(node: NonNull<Entry>) -> Place {
    // SAFETY: (a), (b) are the caller's.
    let [level, slot] = unsafe { node.as_ref().place() };
    Place {
        level: usize::from(level),
        slot: usize::from(slot),
    }
}

// SAFETY: the pointers in a wheel lead to entries whose every field is either atomic or guarded by
// the lock around the wheel, (a); sending the wheel sends that right along with the lock. A wheel
// sent without its lock would let two threads relink one entry.
unsafe impl Send for Wheel {}
