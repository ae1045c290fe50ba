//! A place for one value of a watch channel, and the count of those who read it.
//!
//! ```text
//!            a sender puts the next value elsewhere, because this one is read
//!   current ─────────────────────────────────────────────────────────────────► retired
//!      ▲                                                                          │
//!      └────────────────────────────── spare ◄────────────────────────────────────┘
//!          the next such sender takes it        the last reader leaves, the value goes
//! ```
//!
//! Invariants:
//! - I3: readers join the current node only, with the channel's lock in hand. They leave with one
//!   exchange, which is their last access to the node.
//! - I4: with the lock in hand, the value of a node that nobody reads belongs to the holder; except that
//!   while the channel is *being changed*, the current value belongs to the one who changes it.
//! - I5: nodes are freed by a holder of the lock who found them without readers, or with the channel.
//!
//! # Contract of the pointers
//!
//! (a) A `NonNull<Node<T>>` in a channel, or in a `Ref`, points to a live node, by I5 and because a `Ref`
//! borrows an end of the channel.

use core::ptr::NonNull;

use super::state::{self, ATTENTION, Leave, Mark, READER};
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Live, UnsafeCell};

pub(super) struct Node<T> {
    readers: AtomicUsize,
    /// I4. `None` in a spare node.
    value: UnsafeCell<Option<T>>,
    live: Live,
}

impl<T> Node<T> {
    /// A node of its own, to be given to [`free`](Self::free).
    pub(super) fn allocate(value: Option<T>) -> NonNull<Self> {
        let node = Box::new(Self {
            readers: AtomicUsize::new(0),
            value: UnsafeCell::new(value),
            live: Live::new(),
        });
        NonNull::from(Box::leak(node))
    }

    /// Frees it, with the value in it.
    ///
    /// # Safety
    ///
    /// The node came from `allocate`, nobody reaches it any more, and it has not been freed.
    pub(super) unsafe fn free(node: NonNull<Self>) {
        // SAFETY: the caller's.
        let node = unsafe { Box::from_raw(node.as_ptr()) };
        node.live.end();
        drop(node);
    }

    /// One more reader, with the lock in hand.
    #[inline]
    pub(super) fn join(&self) {
        self.live.touch();
        // ORDERING: Relaxed. The lock orders it after whoever wrote the value.
        self.readers.fetch_add(READER, Ordering::Relaxed);
    }

    /// One reader less, with no lock. The caller's last access (I3).
    #[inline]
    pub(super) fn leave(&self) -> Leave {
        self.live.touch();
        let order = if planted!("watch.relaxed_leave") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release pairs with the Acquire of `is_read` and `mark`: what the reader did with
        // the value comes before whoever changes, moves or frees it.
        state::leave(self.readers.fetch_sub(READER, order))
    }

    /// Whether somebody reads, with the lock in hand.
    #[inline]
    pub(super) fn is_read(&self) -> bool {
        // ORDERING: Acquire pairs with the Release of `leave`.
        state::is_read(self.readers.load(Ordering::Acquire))
    }

    /// Asks the last reader to lock when it leaves, with the lock in hand. `Free`: there is none.
    pub(super) fn mark(&self) -> Mark {
        if planted!("watch.no_mark") {
            return if self.is_read() {
                Mark::Read
            } else {
                Mark::Free
            };
        }
        // ORDERING: Acquire pairs with the Release of `leave`. Nothing is published: whoever leaves
        // last takes the lock before it looks at anything.
        let before = self.readers.fetch_or(ATTENTION, Ordering::Acquire);
        if planted!("watch.mark_without_look") {
            return Mark::Read;
        }
        state::mark(before)
    }

    /// Nobody asks for anything any more: with the lock in hand, of a node that nobody reads.
    pub(super) fn unmark(&self) {
        // ORDERING: Relaxed. Whoever reads or writes the word next has the lock.
        self.readers.store(0, Ordering::Relaxed);
    }

    /// Puts another value into it.
    ///
    /// # Safety
    ///
    /// The value belongs to the caller (I4).
    pub(super) unsafe fn replace(&self, value: Option<T>) -> Option<T> {
        self.value.with_mut(|place| {
            // SAFETY: the caller's: nobody else reads or writes it.
            core::mem::replace(unsafe { &mut *place }, value)
        })
    }

    /// The value, to read.
    ///
    /// # Safety
    ///
    /// The caller has joined and not left.
    #[inline]
    pub(super) unsafe fn get(&self) -> &T {
        self.value.with(|place| {
            // SAFETY: the caller's: it is written by nobody while somebody reads (I4).
            unsafe { &*place }.as_ref().expect("readers join a value")
        })
    }

    /// Runs `change` on the value.
    ///
    /// # Safety
    ///
    /// The caller changes the channel (I4).
    pub(super) unsafe fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        self.value.with_mut(|place| {
            // SAFETY: the caller's: readers wait until the change is over, and so do other senders.
            let value = unsafe { &mut *place }.as_mut();
            change(value.expect("the current node has a value"))
        })
    }
}
