//! Where the items of a queue are: the port between the waiting machine and the five stores.
//!
//! | store        | order          | fast operations                   | `Inner`, guarded by the line's lock |
//! |--------------|----------------|-----------------------------------|-------------------------------------|
//! | `Ring`       | FIFO, bounded  | lock-free                         | items that came back                |
//! | `Blocks`     | FIFO           | lock-free, but at a block's end   | items that came back                |
//! | `Rendezvous` | FIFO, no room  | none                              | items on their way, or come back    |
//! | `Stack`      | LIFO           | none                              | the items                           |
//! | `Heap`       | smallest first | none                              | the items                           |
//!
//! At a block's end the others wait for the one who claimed its last slot to install the next block, and a
//! pop waits for the push whose slot it has claimed: a few instructions of a running thread (`until`).
//!
//! ```text
//!                 hold                                  held operations
//!   FAST ───────────────────────► HELD ◄────────────────────────────────┐
//!    │ ▲                          │  │                                  │
//!    │ └───────── release ────────┘  └──────────────────────────────────┘
//!    └─► fast operations, no lock         under the line's lock
//! ```
//!
//! A store with fast operations has two words: `head`, the position of the next item to pop, and `tail`, that of the next to
//! push. Both only grow. Bit 0 of each is HELD. A *fast* operation claims its positions by one
//! compare-exchange of one word, from a value with HELD clear, and then moves the items without
//! touching the words again (but see transit in `blocks.rs`). The *holder*, who has the line's lock,
//! sets HELD in both words and from then on is the only one to move them.
//!
//! # Invariants
//!
//! - I1: HELD is set, cleared and relied on under the line's lock only.
//! - I2: while HELD is set nobody but the holder claims a position.
//! - I3: every position below `tail` has an item pushed or being pushed; every one below `head` is
//!   popped or being popped. `head` never passes `tail`.
//! - I4: no user code runs in a fast operation, nor between a claim and its end.
//!
//! # Proof of the held mode
//!
//! Let *F* be the `fetch_or` of `hold` on a word. A fast claim is a compare-exchange that expects HELD
//! clear. All changes of one word are in one order.
//!
//! 1. A claim after *F* in that order finds HELD set, for nobody clears it but `release`, which is
//!    the holder's: it fails (I2). No fence is needed, because the flag and the position are one word.
//!    This is why both words carry the flag: a claim looks at no other.
//! 2. A claim before *F* is contained in the value that *F* returns. So after `hold` the holder's own
//!    reads of the words, which cannot be older than its exchanges, are final: it knows every position
//!    that was claimed, and by I3 the exact number of items.
//! 3. A claimed position can still be under way: its slot is not yet written, or not yet emptied. Each
//!    slot has a stamp for that, stored with Release when the operation is through. The holder that
//!    needs this very slot waits for the stamp (`until`): by I4 only for a few instructions of a
//!    running thread, so it spins a little, and then yields to a thread that may have lost its
//!    processor. It never reports such an item missing, nor such a place taken.
//! 4. `release` stores both words without the flag. Everything that the holder did to a slot is
//!    ordered before the next user of the slot by the stamp, as in the fast mode; what it did to the
//!    words is in the words. It publishes nothing else by them.
//!
//! # What a fast refusal means
//!
//! A fast `Err` or `None` says "not this way": full, empty, held, or an operation is under way. It may
//! be out of date or spurious: deciding it exactly would take a fence and a look at the other word on
//! the path that succeeds. The caller takes the lock, holds the store and asks again; there the answer
//! is exact, by 2.
//!
//! # Numbers
//!
//! Each item has a number, one more than the last: the count of those pushed before it. An item that
//! was popped for somebody, or went to somebody past the store ([`Store::pass`]), who then left comes back
//! with it ([`Store::put_back`]) and stands where it
//! stood: no item can overtake another by being carried out and home again. What came back to a `Ring`
//! or `Blocks` waits in `Inner`, in order of numbers and before all that is in the slots; the store
//! stays held as long as there is any ([`Store::must_stay_held`]), so that nobody passes it by.
//!
//! # The length
//!
//! `len` takes no lock: it looks at `head`, `tail` and `head` again, until the first and the last are the
//! same. That is a length that there was only if the looks are in the order of the changes, and nothing
//! but the words can see to that: so each claim is Release and each look Acquire. Whoever sees an item
//! pushed sees the pops that its pusher knew of, and the other way round.
//!
//! # Claims that collide
//!
//! Whoever claims second stays away for a moment (`give_way`), outside of any lock, and then claims again:
//! two threads that claim from one word in turns have its line travel between them for each item. It is
//! not in line for anything yet, so nobody passes it by (Q5). In the model there is no time, and no pause.
//!
//! Rejected: a counter of operations under way that the holder waits for. It costs every operation two
//! more read-modify-writes.
//! Rejected: a bit "somebody waits" that a fast operation sets and looks for after its claim. The wake
//! would have to find out whether the item is still there; with HELD it hands the item over.
//!
//! Tests: below, `sync/tests/queue_store.rs`, `sync/tests/models/queue_store.rs` (stress:
//! `sync/tests/queue_store.rs`, model: `loom-tests/tests/queue_store.rs`).

use std::collections::VecDeque;

use crate::planted;
use crate::shim::atomic::Ordering;
use crate::shim::{self, thread};

/// The flag in both words: all goes through the line's lock.
pub(super) const HELD: u64 = 1;

/// The order in which a claim publishes the words: see "The length" above.
#[inline(always)]
pub(super) const fn claim_order(is_planted: bool) -> Ordering {
    // ORDERING: Release pairs with the Acquire in `len`: the other word, as whoever claims knows it.
    if is_planted {
        Ordering::Relaxed
    } else {
        Ordering::Release
    }
}

/// Why a held push took nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Where the items are. Fast operations need no lock. Those named `held`, and those that get `inner`,
/// need the line's lock, and HELD by [`hold`](Store::hold).
pub trait Store<T> {
    /// What the line's lock guards for the store.
    type Inner;

    /// Whether held operations compare items, which is user code under the lock.
    const COMPARES: bool = false;

    /// Pushes. `Err`: not this way; ask under the lock.
    fn push(&self, value: T) -> Result<(), T>;

    /// Pops. `None`: not this way; ask under the lock.
    fn pop(&self) -> Option<T>;

    /// Pushes from the front of `from`, as many as one claim can. Returns how many; 0: not this way.
    fn push_many(&self, from: &mut VecDeque<T>) -> usize;

    /// Pops onto the end of `into`, at most `max`, as many as one claim can. Returns how many; 0: not
    /// this way.
    fn pop_many(&self, into: &mut Vec<T>, max: usize) -> usize;

    /// Turns the fast operations off. Nothing happens if they are.
    fn hold(&self);

    /// Turns the fast operations on. Not while [`must_stay_held`](Store::must_stay_held). Nothing
    /// happens if they are.
    fn release(&self);

    /// Takes the value out of `value` and pushes it, or leaves it there if the store is full.
    ///
    /// A heap compares items, which is user code under the lock: when that panics the store is as it
    /// was and the value is still in `value`. The caller drops it when it has no lock.
    fn push_held(&self, inner: &mut Self::Inner, value: &mut Option<T>) -> Result<(), Full>;

    /// Pops an item, with its number; `None` if there is none.
    ///
    /// A heap compares items; when that panics nothing was popped.
    fn pop_held(&self, inner: &mut Self::Inner) -> Option<(u64, T)>;

    /// Counts an item that goes from hand to hand, past an empty store, and returns its number.
    fn pass(&self, inner: &mut Self::Inner) -> u64;

    /// Takes an item back that was popped, or passed, with this number. It counts again, even if that is one too
    /// many for the capacity. No user code runs.
    fn put_back(&self, inner: &mut Self::Inner, number: u64, value: T);

    /// Whether something waits in `inner` that a fast operation would pass by.
    fn must_stay_held(&self, inner: &Self::Inner) -> bool;

    /// How many items there are, exactly.
    fn len_held(&self, inner: &Self::Inner) -> usize;

    /// Whether there is an item, exactly.
    fn has_items_held(&self, inner: &Self::Inner) -> bool {
        self.len_held(inner) > 0
    }

    /// Whether there is room for one more beside so many slots, exactly. Without a place of its own the
    /// room is a getter that waits.
    #[inline]
    fn has_room_held(&self, inner: &Self::Inner, reserved: usize, getters: usize) -> bool {
        match self.capacity() {
            None => true,
            Some(0) if planted!("queue.room_without_a_getter") => true,
            Some(0) => getters > self.len_held(inner) + reserved,
            Some(capacity) => self.len_held(inner) + reserved < capacity,
        }
    }

    /// How many items there were at some moment not long ago.
    fn len(&self) -> usize;

    /// Whether there were none at some moment not long ago.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A guess whether there is none; a wrong one costs time and nothing else.
    fn seems_empty(&self) -> bool;

    /// A guess whether an item can be had at once; a wrong one costs time and nothing else.
    fn seems_to_have_items(&self) -> bool {
        !self.seems_empty()
    }

    /// A guess whether one more would be let in at once; a wrong one costs time and nothing else.
    fn seems_to_have_room(&self) -> bool {
        self.seems_empty()
    }

    /// How many there may be.
    fn capacity(&self) -> Option<usize>;

    /// How many were ever pushed. Whoever has popped an item finds it counted.
    fn pushed(&self) -> u64;

    /// The most there ever were; perhaps more by what was popped at the very moment of a push. `Blocks` may
    /// miss up to one in 64 of more than a thousand.
    fn peak(&self) -> usize;
}

/// How often [`until`] looks before it yields.
const LOOKS: usize = shim::size(128, 0);

/// Waits for an operation under way in another thread to end.
#[cold]
pub(super) fn until(is_over: impl Fn() -> bool) {
    let mut looks = LOOKS;
    while !is_over() {
        if looks > 0 {
            looks -= 1;
            core::hint::spin_loop();
        } else {
            thread::yield_now();
        }
    }
}

/// How often [`give_way`] pauses: about a microsecond, in which another thread moves dozens of items.
const PAUSES: usize = shim::size(32, 0);

/// After a claim that somebody else made first: stays away from the words for a moment. Two threads that
/// claim from one word at once pay for each claim with the way of its line from one processor to the
/// other; so one of them is let go on alone.
#[cold]
#[inline(never)]
pub(super) fn give_way() {
    let mut left = PAUSES;
    while left > 0 {
        core::hint::spin_loop();
        left -= 1;
    }
}

/// [`give_way`], and another look; in the model, which needs no second one, what was seen.
#[cold]
pub(super) fn after_way(seen: u64, look: impl FnOnce() -> u64) -> u64 {
    if shim::MODELLED {
        return seen;
    }
    give_way();
    look()
}

/// Items that came back to a store that cannot take them at its front, in order of their numbers.
#[derive(Debug)]
pub struct Returned<T>(VecDeque<(u64, T)>);

impl<T> Returned<T> {
    /// None.
    pub const fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn insert(&mut self, number: u64, value: T) {
        let at = self.0.partition_point(|(other, _)| *other < number);
        self.0.insert(at, (number, value));
    }

    pub(super) fn pop(&mut self) -> Option<(u64, T)> {
        self.0.pop_front()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for Returned<T> {
    fn default() -> Self {
        Self::new()
    }
}
