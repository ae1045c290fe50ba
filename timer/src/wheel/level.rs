//! One level: its slots, which of them are occupied, and which are in the order of their deadlines.
//!
//! A slot is *in order* as long as its entries happen to arrive in order, or nearly so; mostly they
//! do, because most deadlines are the present plus one of a few durations. The order of the others
//! is only looked for on demand, in steps that pay for one another: the first time that the
//! earliest deadline of a disordered slot is wanted it is searched for; the second time (so the
//! earliest entry has been cancelled meanwhile, and probably will be again) the slot is put in
//! order for good. So neither a burst of random deadlines, which need no order until they are
//! nearly due, nor a thousand connections that keep resetting the oldest of their timeouts cost a
//! pass over a slot each time.
//!
//! Tests: `wheel/tests.rs`.

use core::ptr::NonNull;

use super::list::{self, List};
use crate::entry::Entry;
use crate::limits::{LOOK_BACK_MAX, SLOTS};

/// One level of the wheel. Bit n of each word speaks of slot n, and of an occupied slot only.
pub(super) struct Level {
    occupied: u64,
    in_order: u64,
    /// The earliest deadline has been searched for since the last entry came out of order.
    searched: u64,
    slots: [List; SLOTS],
}

impl Level {
    pub(super) const fn new() -> Level {
        Level {
            occupied: 0,
            in_order: 0,
            searched: 0,
            slots: [const { List::new() }; SLOTS],
        }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.occupied == 0
    }

    /// The occupied slot with the lowest number.
    #[inline]
    pub(super) fn first(&self) -> Option<usize> {
        (self.occupied != 0).then(|| self.occupied.trailing_zeros() as usize)
    }

    #[inline]
    pub(super) fn is_in_order(&self, slot: usize) -> bool {
        self.in_order & (1 << slot) != 0
    }

    /// The head of a slot: the earliest entry, if the slot is in order.
    #[inline]
    pub(super) fn head(&self, slot: usize) -> Option<NonNull<Entry>> {
        self.slots[slot].head()
    }

    /// Puts `node` into a slot, behind every entry with the same deadline.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of [`list`].
    #[inline]
    pub(super) unsafe fn insert(&mut self, slot: usize, node: NonNull<Entry>) {
        let bit = 1 << slot;
        let entries = &mut self.slots[slot];
        if entries.is_empty() {
            self.occupied |= bit;
            self.in_order |= bit;
            self.searched &= !bit;
        } else if self.in_order & bit != 0 {
            // SAFETY: (a), (b), (c) are the caller's.
            if unsafe { insert_in_order(entries, node) } {
                return;
            }
            self.in_order &= !bit;
            self.searched &= !bit;
        }
        // SAFETY: (a), (b), (c) are the caller's.
        unsafe { entries.push_back(node) };
    }

    /// Takes `node` out of its slot.
    ///
    /// # Safety
    ///
    /// (a), (b), (c) of [`list`].
    #[inline]
    pub(super) unsafe fn remove(&mut self, slot: usize, node: NonNull<Entry>) {
        // SAFETY: (a), (b), (c) are the caller's.
        unsafe { self.slots[slot].remove(node) };
        if self.slots[slot].is_empty() {
            self.occupied &= !(1 << slot);
        }
    }

    /// Takes all entries out of a slot.
    #[inline]
    pub(super) fn take(&mut self, slot: usize) -> List {
        self.occupied &= !(1 << slot);
        core::mem::take(&mut self.slots[slot])
    }

    /// The earliest deadline in a slot.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`list`].
    pub(super) unsafe fn earliest(&mut self, slot: usize) -> Option<u64> {
        let bit = 1 << slot;
        if (self.in_order | self.searched) & bit == 0 {
            self.searched |= bit;
            let mut earliest: Option<u64> = None;
            // SAFETY: (a), (b) are the caller's.
            unsafe {
                self.slots[slot].for_each(|node| {
                    let when = list::when(node);
                    earliest = Some(earliest.map_or(when, |earliest| earliest.min(when)));
                });
            }
            return earliest;
        }
        // SAFETY: (a), (b) are the caller's.
        unsafe {
            self.put_in_order(slot);
            self.slots[slot].head().map(|head| list::when(head))
        }
    }

    /// Puts the entries of a slot in the order of their deadlines.
    ///
    /// # Safety
    ///
    /// (a), (b) of [`list`].
    #[inline]
    pub(super) unsafe fn put_in_order(&mut self, slot: usize) {
        if !self.is_in_order(slot) {
            // SAFETY: (a), (b) are the caller's.
            unsafe { self.slots[slot].sort() };
            self.in_order |= 1 << slot;
        }
    }
}

/// Puts `node` where its deadline belongs, if that is near either end of the list, which is in
/// order.
///
/// # Safety
///
/// (a), (b), (c) of [`list`]; the list is not empty.
#[inline]
unsafe fn insert_in_order(entries: &mut List, node: NonNull<Entry>) -> bool {
    // SAFETY: (a), (b), (c) are the caller's.
    unsafe {
        let (Some(head), Some(tail)) = (entries.head(), entries.tail()) else {
            return false;
        };
        let when = list::when(node);
        let mut place = tail;
        for _ in 0..LOOK_BACK_MAX {
            if list::when(place) <= when {
                entries.insert_after(place, node);
                return true;
            }
            if place == head {
                break;
            }
            place = list::prev(place);
        }
        let first = when < list::when(head);
        if first {
            entries.push_front(node);
        }
        first
    }
}
