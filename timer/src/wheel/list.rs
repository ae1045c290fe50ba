//! A slot's entries: a ring of intrusive nodes, in the order of their arrival or of their
//! deadlines.
//!
//! ```text
//!  head ──► A ◄──► B ◄──► C       A.prev = C, C.next = A: the tail is one step behind the head
//!           ▲             │
//!           └─────────────┘
//! ```
//!
//! Every function here demands of its caller, and the wheel's callers in turn demand of theirs:
//!
//! - (a) the lock of the wheel is held (it guards every link, deadline and head);
//! - (b) every entry on the list lives, pinned, until it is taken off;
//! - (c) an entry that is put on is on no list, and one that is taken off is on this one.
//!
//! Tests: below; `wheel/tests.rs`.

use core::ptr::NonNull;

use crate::entry::{Entry, Links};

/// The entries of one slot.
#[derive(Default)]
pub(super) struct List {
    head: Option<NonNull<Entry>>,
}

impl List {
    pub(super) const fn new() -> List {
        List { head: None }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    #[inline]
    pub(super) fn head(&self) -> Option<NonNull<Entry>> {
        self.head
    }

    /// The last entry.
    ///
    /// # Safety
    ///
    /// (a), (b) of the module.
    #[inline]
    pub(super) unsafe fn tail(&self) -> Option<NonNull<Entry>> {
        // SAFETY: (a), (b) are the caller's.
        self.head.map(|head| unsafe { prev(head) })
    }

    /// Puts `node` behind all others.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of the module.
    #[inline]
    pub(super) unsafe fn push_back(&mut self, node: NonNull<Entry>) {
        match self.head {
            // SAFETY: (a), (b), (c) are the caller's. In a ring, the place before the head is the
            // end.
            Some(head) => unsafe { link_before(head, node) },
            None => {
                // SAFETY: (a), (c) are the caller's: nobody else follows these links.
                unsafe {
                    links(node, |links| {
                        (links.prev, links.next) = (Some(node), Some(node));
                    });
                };
                self.head = Some(node);
            }
        }
    }

    /// Puts `node` before all others.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of the module.
    pub(super) unsafe fn push_front(&mut self, node: NonNull<Entry>) {
        // SAFETY: (a), (b), (c) are the caller's.
        unsafe { self.push_back(node) };
        self.head = Some(node);
    }

    /// Puts `node` right behind `place`, an entry of this list.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of the module.
    #[inline]
    pub(super) unsafe fn insert_after(&mut self, place: NonNull<Entry>, node: NonNull<Entry>) {
        // SAFETY: (a), (b), (c) are the caller's. Behind the tail is before the head: the head
        // stays.
        unsafe { link_before(next(place), node) };
    }

    /// Takes `node` off.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of the module.
    #[inline]
    pub(super) unsafe fn remove(&mut self, node: NonNull<Entry>) {
        // SAFETY: (a), (b), (c) are the caller's.
        let (before, after) = unsafe { (prev(node), next(node)) };
        if after == node {
            self.head = None;
        } else {
            // SAFETY: (a), and (b) for the neighbours: a stale neighbour would be a freed future.
            unsafe {
                links(before, |links| links.next = Some(after));
                links(after, |links| links.prev = Some(before));
            }
            if self.head == Some(node) {
                self.head = Some(after);
            }
        }
        // SAFETY: (a), (b). The cleared links make a second removal fail its check in `next`.
        unsafe { links(node, |links| (links.prev, links.next) = (None, None)) };
    }

    /// Calls `visit` with each entry, in order.
    ///
    /// # Safety
    ///
    /// (a), (b) of the module.
    pub(super) unsafe fn for_each(&self, mut visit: impl FnMut(NonNull<Entry>)) {
        let Some(head) = self.head else { return };
        let mut node = head;
        loop {
            visit(node);
            // SAFETY: (a), (b) are the caller's.
            node = unsafe { next(node) };
            if node == head {
                return;
            }
        }
    }

    /// Puts the entries in the order of their deadlines; equal ones keep their order. A merge sort
    /// of the ascending runs that are there already: a sorted list costs one pass.
    ///
    /// # Safety
    ///
    /// (a), (b) of the module.
    pub(super) unsafe fn sort(&mut self) {
        let Some(head) = self.head else { return };
        // SAFETY: (a), (b) for everything below. While sorting, `next` ends in `None` and `prev` is
        // stale; the lock keeps others from following either.
        unsafe {
            links(prev(head), |links| links.next = None);
            // Bin n holds a sorted chain of about 2^n runs, or nothing. Fuller bins are older.
            let mut bins: [Option<NonNull<Entry>>; 64] = [None; 64];
            let mut rest = Some(head);
            while let Some(first) = rest {
                rest = cut_run(first);
                let mut chain = first;
                let mut bin = 0;
                while let Some(older) = bins[bin].take() {
                    chain = merge(older, chain);
                    bin += 1;
                }
                bins[bin] = Some(chain);
            }
            let sorted = bins
                .into_iter()
                .flatten()
                .reduce(|newer, older| merge(older, newer));
            self.head = sorted.map(|first| close_ring(first));
        }
    }
}

/// Links `node` in right before `place`.
///
/// # Safety
///
/// (a), (b), (c) of the module; `place` is on a list.
#[inline]
unsafe fn link_before(place: NonNull<Entry>, node: NonNull<Entry>) {
    // SAFETY: (a), (b), (c) are the caller's; else another thread could follow a link half made.
    unsafe {
        let before = prev(place);
        links(node, |links| {
            (links.prev, links.next) = (Some(before), Some(place));
        });
        links(before, |links| links.next = Some(node));
        links(place, |links| links.prev = Some(node));
    }
}

/// Ends the ascending run that begins at `first`; returns what follows it.
///
/// # Safety
///
/// (a), (b) of the module; the chain ends in `None`.
unsafe fn cut_run(first: NonNull<Entry>) -> Option<NonNull<Entry>> {
    let mut last = first;
    // SAFETY: (a), (b) are the caller's.
    unsafe {
        while let Some(after) = chained(last) {
            if when(after) < when(last) {
                links(last, |links| links.next = None);
                return Some(after);
            }
            last = after;
        }
    }
    None
}

/// Merges two sorted chains; of equal deadlines those of `older` come first.
///
/// # Safety
///
/// (a), (b) of the module; both chains end in `None`.
unsafe fn merge(older: NonNull<Entry>, newer: NonNull<Entry>) -> NonNull<Entry> {
    // SAFETY: (a), (b) are the caller's.
    unsafe {
        let take_newer = when(newer) < when(older);
        let (first, mut other) = if take_newer {
            (newer, older)
        } else {
            (older, newer)
        };
        // `other` is the chain not being followed; `from_newer` says which one is.
        let (mut last, mut from_newer) = (first, take_newer);
        while let Some(after) = chained(last) {
            let switch = if from_newer {
                when(other) <= when(after)
            } else {
                when(other) < when(after)
            };
            if switch {
                links(last, |links| links.next = Some(other));
                last = other;
                other = after;
                from_newer = !from_newer;
            } else {
                last = after;
            }
        }
        links(last, |links| links.next = Some(other));
        first
    }
}

/// Makes a ring of a chain; returns its head.
///
/// # Safety
///
/// (a), (b) of the module; the chain ends in `None`.
unsafe fn close_ring(first: NonNull<Entry>) -> NonNull<Entry> {
    let mut last = first;
    // SAFETY: (a), (b) are the caller's.
    unsafe {
        while let Some(after) = chained(last) {
            links(after, |links| links.prev = Some(last));
            last = after;
        }
        links(last, |links| links.next = Some(first));
        links(first, |links| links.prev = Some(last));
    }
    first
}

/// The deadline of an entry.
///
/// # Safety
///
/// (a), (b) of the module.
#[inline]
pub(super) unsafe fn when(node: NonNull<Entry>) -> u64 {
    // SAFETY: alive by (b); the lock is held by (a).
    unsafe { node.as_ref().deadline() }.as_nanos()
}

/// The entry before this one.
///
/// # Safety
///
/// (a), (b) of the module; `node` is on a list.
#[inline]
pub(super) unsafe fn prev(node: NonNull<Entry>) -> NonNull<Entry> {
    // SAFETY: (a), (b) are the caller's.
    unsafe { links(node, |links| links.prev) }.expect("an armed timer is on a list")
}

/// The entry behind this one.
///
/// # Safety
///
/// (a), (b) of the module; `node` is on a list.
#[inline]
pub(super) unsafe fn next(node: NonNull<Entry>) -> NonNull<Entry> {
    // SAFETY: (a), (b) are the caller's.
    unsafe { chained(node) }.expect("an armed timer is on a list")
}

/// The entry behind this one in a chain.
///
/// # Safety
///
/// (a), (b) of the module.
#[inline]
unsafe fn chained(node: NonNull<Entry>) -> Option<NonNull<Entry>> {
    // SAFETY: (a), (b) are the caller's.
    unsafe { links(node, |links| links.next) }
}

/// Lends the links of an entry.
///
/// # Safety
///
/// (a), (b) of the module.
#[inline]
pub(super) unsafe fn links<R>(node: NonNull<Entry>, body: impl FnOnce(&mut Links) -> R) -> R {
    // SAFETY: alive by (b); the lock is held by (a); the bodies in this module only copy words.
    unsafe { node.as_ref().links(body) }
}
