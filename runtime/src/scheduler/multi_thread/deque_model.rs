//! The twin of crossbeam-deque in the model: its first-in-first-out deque, with the same orderings.
//!
//! crossbeam's own cannot be explored: its atomics are the standard library's. This one has the part of
//! its interface that [`deque`](super::deque) uses, the same accesses to `front`, `back` and the slots in
//! the same order with the same orderings, and a ring that neither grows nor shrinks, because `deque`
//! never lets it.
//!
//! ```text
//!            front ──► taken by an exchange: pop by the owner, steal by thieves
//!   slots: … │ task │ task │ free …
//!                     back ──► written by the owner: push
//! ```
//!
//! | here | crossbeam-deque 0.8 |
//! |---|---|
//! | slots are atomics, read and written relaxed | the same volatile reads, and a torn one is discarded |
//! | push: slot, release fence, relaxed store of `back` | the same |
//! | pop: relaxed look, `fetch_add` on `front`, undone by a store if it went too far | the same |
//! | steal: acquire `front`, `SeqCst` fence, acquire `back`, slots, exchange of `front` | the same |
//! | the look of `pop` goes through [`Guess`], see `docs/adr/0004-loom-forgets-loads.md` | a relaxed load |
//! | no buffer to be replaced, no epoch | both, unused: the length never exceeds the smallest buffer |
//!
//! # The width of an index
//!
//! The exchange of a thief succeeds if `front` is what it was, and is wrong if a whole lap of the index
//! lies between. crossbeam's indices are as wide as a word, so a lap is 2^64 pushes while one thief stands
//! still. [`index`] keeps that width, and begins one before the wrap, so that every model wraps. That
//! too narrow an index is noticed is what the planted bug `deque.narrow_index` shows: three bits, a lap
//! of eight.
//!
//! Tests: `loom-tests/tests/deque.rs`.

use core::marker::PhantomData;
use core::ptr::{self, NonNull};

use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicPtr, AtomicUsize, Ordering, fence};
use tenter_sync::shim::{Arc, Guess};

use super::CAPACITY;
use crate::task::Runnable;

/// Where both indices begin.
const BEGIN: usize = usize::MAX;

/// What fits into a slot.
pub trait Item: Sized {
    /// Puts it into one pointer.
    fn into_pointer(self) -> *mut ();

    /// Takes it out again.
    ///
    /// # Safety
    ///
    /// (a) The pointer is from `into_pointer`, and nobody else takes the item out of it.
    unsafe fn from_pointer(pointer: *mut ()) -> Self;
}

impl Item for Runnable {
    fn into_pointer(self) -> *mut () {
        self.into_raw().as_ptr().cast()
    }

    unsafe fn from_pointer(pointer: *mut ()) -> Self {
        let task = NonNull::new(pointer.cast()).expect("a thief has read a slot that nobody wrote");
        // SAFETY: from `into_raw` by (a), and the place in the queue leaves with it.
        unsafe { Runnable::from_raw(task) }
    }
}

/// A number, for models of the deque alone.
impl Item for usize {
    fn into_pointer(self) -> *mut () {
        ptr::without_provenance_mut(self)
    }

    unsafe fn from_pointer(pointer: *mut ()) -> Self {
        pointer.addr()
    }
}

#[derive(Debug)]
struct Inner {
    front: AtomicUsize,
    back: AtomicUsize,
    slots: [AtomicPtr<()>; CAPACITY],
}

/// The index as it is stored.
fn index(index: usize) -> usize {
    if planted!("deque.narrow_index") {
        index & 0b111
    } else {
        index
    }
}

/// How far it is from `front` to `back`; negative while a pop undoes itself.
fn length(front: usize, back: usize) -> isize {
    let length = back.wrapping_sub(front) as isize;
    if planted!("deque.narrow_index") {
        // The sign of a number of three bits.
        (length << (usize::BITS - 3)) >> (usize::BITS - 3)
    } else {
        length
    }
}

impl Inner {
    fn slot(&self, index: usize) -> &AtomicPtr<()> {
        &self.slots[index % CAPACITY]
    }

    /// Makes what was written to the slots before `back` seen.
    fn publish(&self, back: usize) {
        if !planted!("deque.unpublished_push") {
            // Release publishes the slots to the Acquire of `back` in `steal_batch_with_limit`.
            fence(Ordering::Release);
        }
        // ORDERING: Relaxed. The fence above publishes.
        self.back.store(index(back), Ordering::Relaxed);
    }
}

/// The owner's end.
#[derive(Debug)]
pub struct Worker<T> {
    inner: Arc<Inner>,
    /// One thread at a time pushes and pops.
    _items: PhantomData<core::cell::Cell<T>>,
}

// SAFETY: the items move with it, and every access goes through atomics.
unsafe impl<T: Send> Send for Worker<T> {}

impl<T: Item> Worker<T> {
    /// An empty deque.
    pub fn new_fifo() -> Self {
        let inner = Inner {
            front: AtomicUsize::new(index(BEGIN)),
            back: AtomicUsize::new(index(BEGIN)),
            slots: core::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
        };
        Self {
            inner: Arc::new(inner),
            _items: PhantomData,
        }
    }

    /// An end for thieves.
    pub fn stealer(&self) -> Stealer<T> {
        Stealer {
            inner: Arc::clone(&self.inner),
            _items: PhantomData,
        }
    }

    /// How many items there are. Thieves only make it smaller.
    pub fn len(&self) -> usize {
        // ORDERING: Relaxed. The owner's own.
        let back = self.inner.back.load(Ordering::Relaxed);
        // ORDERING: SeqCst as in crossbeam; to loom it is AcqRel.
        let front = self.inner.front.load(Ordering::SeqCst);
        usize::try_from(length(front, back)).unwrap_or(0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Puts an item at the back. The caller has seen that there is room.
    pub fn push(&self, item: T) {
        // ORDERING: Relaxed. The owner's own.
        let back = self.inner.back.load(Ordering::Relaxed);
        // ORDERING: Acquire pairs with the Release of a thief's exchange, so that its reads of the slot
        // come before our write.
        let front = self.inner.front.load(Ordering::Acquire);
        assert!(
            length(front, back) < CAPACITY as isize,
            "crossbeam's deque would have to grow"
        );
        // ORDERING: Relaxed. `publish` publishes.
        self.inner
            .slot(back)
            .store(item.into_pointer(), Ordering::Relaxed);
        self.inner.publish(back.wrapping_add(1));
    }

    /// Takes the item at the front.
    pub fn pop(&self) -> Option<T> {
        // ORDERING: Relaxed. The owner's own.
        let back = self.inner.back.load(Ordering::Relaxed);
        let seen = self.inner.front.guess();
        if length(seen, back) <= 0 {
            return None;
        }
        let front = if planted!("deque.pop_without_exchange") {
            self.inner
                .front
                .store(index(seen.wrapping_add(1)), Ordering::SeqCst);
            seen
        } else if planted!("deque.narrow_index") {
            let next = index(seen.wrapping_add(1));
            let popped =
                self.inner
                    .front
                    .compare_exchange(seen, next, Ordering::SeqCst, Ordering::Relaxed);
            popped.ok()?
        } else {
            // ORDERING: SeqCst as in crossbeam; to loom it is AcqRel.
            self.inner.front.fetch_add(1, Ordering::SeqCst)
        };
        if length(front.wrapping_add(1), back) < 0 {
            if !planted!("deque.overshoot_stays") {
                // ORDERING: Relaxed. Only the owner makes `front` go too far, and until this store nobody
                // finds anything.
                self.inner.front.store(front, Ordering::Relaxed);
            }
            return None;
        }
        // ORDERING: Relaxed. The owner's own.
        let item = self.inner.slot(front).load(Ordering::Relaxed);
        // SAFETY: (a) the owner wrote it, and the exchange gave it to us alone.
        Some(unsafe { T::from_pointer(item) })
    }
}

/// The thieves' end.
#[derive(Debug)]
pub struct Stealer<T> {
    inner: Arc<Inner>,
    _items: PhantomData<T>,
}

// SAFETY: the items move through it, and every access goes through atomics.
unsafe impl<T: Send> Send for Stealer<T> {}
// SAFETY: as above; all of it is for many threads.
unsafe impl<T: Send> Sync for Stealer<T> {}

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Steal {
    /// There is nothing.
    Empty,
    /// Items were moved.
    Success,
    /// Somebody else was faster.
    Retry,
}

impl Steal {
    /// Whether items were moved.
    pub fn is_success(&self) -> bool {
        *self == Self::Success
    }
}

impl<T: Item> Stealer<T> {
    /// How many items there are, more or less.
    pub fn len(&self) -> usize {
        let (front, back) = self.look();
        usize::try_from(length(front, back)).unwrap_or(0)
    }

    /// Whether there is nothing to steal.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn look(&self) -> (usize, usize) {
        // ORDERING: Acquire pairs with the Release of other exchanges of `front`.
        let front = self.inner.front.load(Ordering::Acquire);
        fence(Ordering::SeqCst);
        // ORDERING: Acquire pairs with the release fence in `publish`.
        let back = self.inner.back.load(Ordering::Acquire);
        (front, back)
    }

    /// Moves half of the items, but not more than `limit`, to `to`, which has room for them.
    pub fn steal_batch_with_limit(&self, to: &Worker<T>, limit: usize) -> Steal {
        let (front, back) = self.look();
        let Ok(length @ 1..) = usize::try_from(length(front, back)) else {
            return Steal::Empty;
        };
        let count = length.div_ceil(2).min(limit);
        assert!(
            to.len() + count <= CAPACITY,
            "crossbeam's deque would have to grow"
        );
        // ORDERING: Relaxed. That deque is the caller's.
        let to_back = to.inner.back.load(Ordering::Relaxed);
        for at in 0..count {
            // ORDERING: Relaxed. Ordered by the Acquire of `back`; what the owner overwrites meanwhile is
            // discarded, because then `front` has moved.
            let item = self
                .inner
                .slot(front.wrapping_add(at))
                .load(Ordering::Relaxed);
            // ORDERING: Relaxed. `publish` publishes.
            to.inner
                .slot(to_back.wrapping_add(at))
                .store(item, Ordering::Relaxed);
        }
        let next = index(front.wrapping_add(count));
        if planted!("deque.steal_without_exchange") {
            self.inner.front.store(next, Ordering::SeqCst);
        } else {
            // ORDERING: SeqCst as in crossbeam; to loom it is AcqRel: Release orders the reads of the slots
            // before it. Failure is Relaxed: nothing was taken.
            let won =
                self.inner
                    .front
                    .compare_exchange(front, next, Ordering::SeqCst, Ordering::Relaxed);
            if won.is_err() {
                return Steal::Retry;
            }
        }
        to.inner.publish(to_back.wrapping_add(count));
        Steal::Success
    }
}
