//! Slots for registrations that never move, and keys that tell one use of a slot from the next.
//!
//! ```text
//!  key:   | high half of a word: generation | low half: index |
//!
//!  pages: [32 slots] [64 slots] [128 slots] …   each allocated when first needed, kept to the end
//! ```
//!
//! The driver finds a slot by its index without a lock and without a reference count, because pages
//! stay where they are until the driver's shared state goes. That the slot still belongs to the
//! registration that the event is for is decided by the generation, in the readiness word itself.
//!
//! Invariants:
//! - I1: an index is vacant or belongs to exactly one registration.
//! - I2: after [`Slab::close`] returned, nobody can occupy a slot, and every slot that was occupied
//!   is found by [`Slab::slots`].
//!
//! Rejected: an `Arc` for each source in a locked map. The driver then locks the map for each
//! harvest, in which no socket can be opened, and pays two reference counts an event.
//!
//! Tests: below; `loom-tests/tests/io.rs`: `deregister_vs_deliver`.

use std::sync::OnceLock;

use tenter_sync::planted;
use tenter_sync::shim::{CachePadded, Mutex};

use crate::interest::Directions;
use crate::limits::{FIRST_PAGE, GENERATION_BITS, PAGES};
use crate::slot::Slot;

const INDEX_BITS: u32 = usize::BITS / 2;
const INDEX_MASK: usize = (1 << INDEX_BITS) - 1;

/// Slots in all pages together.
const SLOTS_MAX: usize = FIRST_PAGE * ((1 << PAGES) - 1);

const _: () = assert!(
    GENERATION_BITS <= usize::BITS - INDEX_BITS,
    "a key holds both"
);
const _: () = assert!(
    SLOTS_MAX < INDEX_MASK,
    "no key is usize::MAX, which the poller keeps"
);

/// What the poller hands back with an event: a slot and a use of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key(usize);

impl Key {
    fn new(index: usize, generation: u64) -> Self {
        Key((generation as usize) << INDEX_BITS | index)
    }

    /// From the poller.
    pub const fn from_bits(bits: usize) -> Self {
        Key(bits)
    }

    /// For the poller.
    pub const fn bits(self) -> usize {
        self.0
    }

    /// Which slot.
    pub fn index(self) -> usize {
        self.0 & INDEX_MASK
    }

    /// Which use of the slot.
    pub fn generation(self) -> u64 {
        (self.0 >> INDEX_BITS) as u64
    }
}

/// Why no slot could be occupied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// All slots are in use.
    Full,
    /// The slab has been closed.
    Closed,
}

/// All slots of one driver.
#[derive(Debug)]
pub struct Slab {
    pages: [OnceLock<Box<[CachePadded<Slot>]>>; PAGES],
    vacant: Mutex<Vacant>,
}

#[derive(Debug, Default)]
struct Vacant {
    /// Used before, now free; the last one freed is the first one used, because it is in the cache.
    used: Vec<u32>,
    /// The first index that was never used.
    fresh: usize,
    closed: bool,
}

impl Slab {
    /// A slab without pages.
    pub fn new() -> Self {
        Slab {
            pages: [const { OnceLock::new() }; PAGES],
            vacant: Mutex::new(Vacant::default()),
        }
    }

    /// Takes a slot. `ready` is what may be tried before the first event.
    pub fn occupy(&self, ready: Directions) -> Result<Key, Refusal> {
        let mut vacant = self.vacant.lock();
        if vacant.closed {
            return Err(Refusal::Closed);
        }
        let index = match vacant.used.pop() {
            Some(index) => index as usize,
            None if vacant.fresh == SLOTS_MAX => return Err(Refusal::Full),
            None => {
                vacant.fresh += 1;
                vacant.fresh - 1
            }
        };
        let (page, offset) = place(index);
        let slots = self.pages[page].get_or_init(|| {
            (0..FIRST_PAGE << page)
                .map(|_| CachePadded::new(Slot::vacant()))
                .collect()
        });
        // Still under the lock: a slot that is occupied after `close` looked would never hear of
        // it.
        if planted!("io.occupied_after_close") {
            drop(vacant);
        }
        let generation = slots[offset].occupy(ready); // I2
        Ok(Key::new(index, generation))
    }

    /// Gives back the slot. The caller has vacated it.
    pub fn free(&self, key: Key) {
        self.vacant.lock().used.push(key.index() as u32); // I1
    }

    /// The slot of a key; `None` for a key of the poller's own descriptors or of nobody.
    #[inline]
    pub fn slot(&self, index: usize) -> Option<&Slot> {
        let (page, offset) = place(index);
        Some(&**self.pages.get(page)?.get()?.get(offset)?)
    }

    /// No slot can be occupied from now on.
    pub fn close(&self) {
        self.vacant.lock().closed = true;
    }

    /// All slots that were ever occupied.
    pub fn slots(&self) -> impl Iterator<Item = &Slot> {
        let fresh = self.vacant.lock().fresh;
        (0..fresh).filter_map(|index| self.slot(index))
    }

    /// How many slots are in use.
    pub fn len(&self) -> usize {
        let vacant = self.vacant.lock();
        vacant.fresh - vacant.used.len()
    }
}

/// The page of an index, and the place in it.
#[inline]
fn place(index: usize) -> (usize, usize) {
    let page = (index / FIRST_PAGE + 1).ilog2() as usize;
    (page, index - FIRST_PAGE * ((1 << page) - 1))
}

#[cfg(all(test, not(tenter_loom)))]
mod tests {
    use super::*;

    #[test]
    fn every_index_has_its_own_place() {
        let mut expected = (0, 0);
        for index in 0..FIRST_PAGE * 31 {
            assert_eq!(place(index), expected);
            expected.1 += 1;
            if expected.1 == FIRST_PAGE << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
    }

    #[test]
    fn a_key_is_taken_apart_into_what_it_was_made_of() {
        let key = Key::new(12_345, 678);
        assert_eq!((key.index(), key.generation()), (12_345, 678));
        assert_eq!(Key::from_bits(key.bits()), key);
    }

    #[test]
    fn a_slot_used_again_has_another_key() {
        let slab = Slab::new();
        let first = slab.occupy(Directions::BOTH).expect("room");
        slab.slot(first.index()).expect("there").vacate();
        slab.free(first);
        let second = slab.occupy(Directions::BOTH).expect("room");
        assert_eq!(first.index(), second.index());
        assert_ne!(first.generation(), second.generation());
        assert_eq!(slab.len(), 1);
    }

    #[test]
    fn slots_do_not_move_when_pages_are_added() {
        let slab = Slab::new();
        let first = slab.occupy(Directions::BOTH).expect("room");
        let address: *const Slot = slab.slot(first.index()).expect("there");
        for _ in 0..10_000 {
            slab.occupy(Directions::BOTH).expect("room");
        }
        assert!(std::ptr::eq(
            address,
            slab.slot(first.index()).expect("there")
        ));
        assert_eq!(slab.slots().count(), 10_001);
    }

    #[test]
    fn a_closed_slab_takes_nobody() {
        let slab = Slab::new();
        slab.close();
        assert_eq!(slab.occupy(Directions::BOTH), Err(Refusal::Closed));
    }

    #[test]
    fn keys_of_nobody_find_no_slot() {
        let slab = Slab::new();
        assert!(slab.slot(0).is_none());
        assert!(slab.slot(Key::from_bits(usize::MAX).index()).is_none());
    }
}
