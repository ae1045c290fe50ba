//! One block of `blocks.rs`, and what becomes of those that are not in use.
//!
//! Invariants I6 and I7 are those of `blocks.rs`. A block in the limbo's list is linked by `next`, which
//! it needs no more.

use core::mem::{self, MaybeUninit};
use core::ptr::{self, NonNull};

use super::store::until;
use crate::planted;
use crate::shim::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use crate::shim::atomic::{AtomicPtr, AtomicU8, Ordering};
use crate::shim::{self, Live, UnsafeCell};

/// Positions per block: its slots, and the transit to the next.
pub(super) const LAP: u64 = shim::size(32, 3) as u64;

/// Slots per block.
pub const CELLS: u64 = LAP - 1;

const EMPTY: u8 = 0;
const FULL: u8 = 1;
const READ: u8 = 2;

pub(super) struct Slot<T> {
    value: UnsafeCell<MaybeUninit<T>>,
    state: AtomicU8,
}

pub(super) struct Block<T> {
    next: AtomicPtr<Block<T>>,
    slots: [Slot<T>; CELLS as usize],
    live: Live,
}

impl<T> Slot<T> {
    fn new() -> Self {
        Self {
            value: UnsafeCell::new(MaybeUninit::uninit()),
            state: AtomicU8::new(EMPTY),
        }
    }

    /// Writes the item, and gives the slot to the pop.
    ///
    /// # Safety
    ///
    /// The slot is one that the caller has claimed the push of, once.
    #[inline(always)]
    pub(super) unsafe fn fill(slot: *const Self, item: T) {
        // SAFETY: the block lives until the store at the end (I6).
        let value = unsafe { &(*slot).value };
        value.with_mut(|cell| {
            // SAFETY: the slot is the caller's until FULL.
            unsafe { &mut *cell }.write(item);
        });
        let order = if planted!("queue_store.blocks_relaxed_full") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // SAFETY: as above. After it the block may be gone.
        // ORDERING: Release pairs with the Acquire of `look` in `empty`: the item is visible.
        unsafe { (*slot).state.store(FULL, order) };
    }

    /// Moves the item out, when it is there, and leaves the slot.
    ///
    /// # Safety
    ///
    /// The slot is one that the caller has claimed the pop of, once, and its push was claimed.
    #[inline(always)]
    pub(super) unsafe fn empty(slot: *const Self) -> T {
        // SAFETY: the block lives until the store at the end (I6).
        let (value, state) = unsafe { (&(*slot).value, &(*slot).state) };
        if look(state) != FULL && !planted!("queue_store.blocks_no_wait_for_push") {
            until(|| look(state) == FULL);
        }
        let item = value.with_mut(|cell| {
            // SAFETY: the slot is FULL, and the caller's.
            unsafe { (*cell).assume_init_read() }
        });
        let order = if planted!("queue_store.blocks_relaxed_empty") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // SAFETY: as above. After it the block may be gone, so no reference to more of the slot than
        // this one cell may be a parameter of a function that is still running.
        // ORDERING: Release pairs with the Acquire of `look` in `is_read`: the item was moved out.
        unsafe { (*slot).state.store(READ, order) };
        item
    }
}

#[inline(always)]
fn look(state: &AtomicU8) -> u8 {
    // ORDERING: Acquire pairs with the Release in `fill` and `empty`.
    state.load(Ordering::Acquire)
}

impl<T> Block<T> {
    pub(super) fn alloc() -> *mut Self {
        let layout = Layout::new::<Self>();
        // SAFETY: the layout is not of size zero; it holds at least the link.
        let Some(block) = NonNull::new(unsafe { alloc(layout) }.cast::<Self>()) else {
            handle_alloc_error(layout);
        };
        let block = block.as_ptr();
        // In place and slot by slot: a block of great items is too much for a stack.
        // SAFETY: fresh memory of this very layout; each field is written once.
        unsafe {
            (&raw mut (*block).next).write(AtomicPtr::new(ptr::null_mut()));
            (&raw mut (*block).live).write(Live::new());
            let slots = (&raw mut (*block).slots).cast::<Slot<T>>();
            for index in 0..CELLS as usize {
                slots.add(index).write(Slot::new());
            }
        }
        block
    }

    /// # Safety
    ///
    /// The block came from `alloc`, nobody uses it, now or later, and it holds no item.
    pub(super) unsafe fn free(block: *mut Self) {
        // SAFETY: the caller's.
        unsafe {
            (*block).live.end();
            block.drop_in_place();
            dealloc(block.cast(), Layout::new::<Self>());
        }
    }

    /// # Safety
    ///
    /// The block lives as long as the slot is used: it was claimed by the caller, who has not stored
    /// FULL or READ there (I6).
    #[inline(always)]
    pub(super) unsafe fn slot(block: *mut Self, index: u64) -> *const Slot<T> {
        debug_assert!(index < CELLS);
        // SAFETY: the caller's; and the index is that of a slot.
        unsafe {
            (*block).live.touch();
            (&raw const (*block).slots)
                .cast::<Slot<T>>()
                .add(index as usize)
        }
    }

    pub(super) fn set_next(&self, next: *mut Self) {
        // ORDERING: Release pairs with the Acquire in `next`: the next block is visible.
        self.next.store(next, Ordering::Release);
    }

    /// The next block, which the push of the last slot is about to set.
    #[inline]
    pub(super) fn next(&self) -> *mut Self {
        // ORDERING: Acquire pairs with the Release in `set_next`.
        let next = self.next.load(Ordering::Acquire);
        if !next.is_null() {
            return next;
        }
        // ORDERING: Acquire, as above.
        until(|| !self.next.load(Ordering::Acquire).is_null());
        // ORDERING: Acquire, as above.
        self.next.load(Ordering::Acquire)
    }

    /// Whether nobody will look into it any more, given that both ends have left it.
    fn is_read(&self) -> bool {
        self.slots.iter().all(|slot| look(&slot.state) == READ)
            || planted!("queue_store.blocks_reuse_before_read")
    }

    /// # Safety
    ///
    /// The block is the caller's, and read (I7).
    unsafe fn reset(&self) {
        for slot in &self.slots {
            // ORDERING: Relaxed. The block is published anew, with Release.
            slot.state.store(EMPTY, Ordering::Relaxed);
        }
        // ORDERING: Relaxed, as above.
        self.next.store(ptr::null_mut(), Ordering::Relaxed);
    }
}

/// The blocks that are not in use: one spare, and those that somebody still reads.
pub(super) struct Limbo<T> {
    spare: AtomicPtr<Block<T>>,
    /// A list that is only taken whole, so that no link is followed by two.
    unread: AtomicPtr<Block<T>>,
}

impl<T> Limbo<T> {
    crate::const_fn! {
        pub(super) const fn new() -> Self {
            Self {
                spare: AtomicPtr::new(ptr::null_mut()),
                unread: AtomicPtr::new(ptr::null_mut()),
            }
        }
    }

    /// A block to use: the spare, one that was read at last, or a new one.
    pub(super) fn take(&self) -> *mut Block<T> {
        for look in 0..2 {
            // ORDERING: Acquire pairs with the Release in `put_aside`: the reset is visible.
            let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
            if !spare.is_null() {
                return spare;
            }
            if look == 0 {
                self.sweep();
            }
        }
        Block::alloc()
    }

    /// Takes in a block that both ends have left.
    ///
    /// # Safety
    ///
    /// The caller popped the last slot of the block, and calls once (I7).
    #[cold]
    pub(super) unsafe fn retire(&self, block: *mut Block<T>) {
        self.sweep();
        // SAFETY: the block is the caller's by its contract.
        unsafe { self.sort(block) };
    }

    /// Puts a clean block aside.
    ///
    /// # Safety
    ///
    /// The block is the caller's, and as `alloc` or `reset` left it.
    #[cold]
    pub(super) unsafe fn put_aside(&self, block: *mut Block<T>) {
        let null = ptr::null_mut();
        // ORDERING: Release pairs with the Acquire in `take`: the reset is visible.
        let aside = self
            .spare
            .compare_exchange(null, block, Ordering::Release, Ordering::Relaxed);
        if aside.is_err() {
            // SAFETY: the caller's; there is a spare already.
            unsafe { Block::free(block) };
        }
    }

    /// Looks again at those that were unread.
    fn sweep(&self) {
        // ORDERING: Relaxed. A hint: `swap` decides.
        if self.unread.load(Ordering::Relaxed).is_null() {
            return;
        }
        // ORDERING: Acquire pairs with the Release in `sort`: the links are visible.
        let mut block = self.unread.swap(ptr::null_mut(), Ordering::Acquire);
        while !block.is_null() {
            // SAFETY: the list was taken whole, so its blocks are this thread's (I7).
            unsafe {
                // ORDERING: Relaxed. The `swap` made the link visible.
                let next = (*block).next.load(Ordering::Relaxed);
                self.sort(block);
                block = next;
            }
        }
    }

    /// Puts a block aside if it is read, else into the list.
    ///
    /// # Safety
    ///
    /// The block is the caller's: retired, or taken from the list (I7).
    unsafe fn sort(&self, block: *mut Block<T>) {
        // SAFETY: the block lives, since only its owner, who is the caller, frees it; and if it is
        // read, then nobody looks into it any more (I6).
        unsafe {
            if (*block).is_read() {
                (*block).reset();
                return self.put_aside(block);
            }
        }
        // ORDERING: Relaxed. The exchange compares.
        let mut first = self.unread.load(Ordering::Relaxed);
        loop {
            // SAFETY: as above; `next` is used by nobody any more, because both ends have left.
            // ORDERING: Relaxed. Published by the exchange.
            unsafe { (*block).next.store(first, Ordering::Relaxed) };
            // ORDERING: Release pairs with the Acquire in `sweep`: the link is visible.
            match self.unread.compare_exchange_weak(
                first,
                block,
                Ordering::Release,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => first = now,
            }
        }
    }
}

impl<T> Drop for Limbo<T> {
    fn drop(&mut self) {
        // ORDERING: Acquire, both, pairs with the Releases that put them there.
        let spare = self.spare.swap(ptr::null_mut(), Ordering::Acquire);
        // ORDERING: Acquire, as above.
        let mut unread = self.unread.swap(ptr::null_mut(), Ordering::Acquire);
        // SAFETY: the store is being dropped, so nobody is in a block any more, and the items are out.
        unsafe {
            if !spare.is_null() {
                Block::free(spare);
            }
            while !unread.is_null() {
                // ORDERING: Relaxed. The `swap` made the link visible.
                let next = (*unread).next.load(Ordering::Relaxed);
                Block::free(unread);
                unread = next;
            }
        }
    }
}

/// A block made before the claim that may need it, and put aside if it did not.
pub(super) struct Fresh<'a, T> {
    block: *mut Block<T>,
    limbo: &'a Limbo<T>,
}

impl<'a, T> Fresh<'a, T> {
    #[inline(always)]
    pub(super) fn new(limbo: &'a Limbo<T>) -> Self {
        let block = ptr::null_mut();
        Self { block, limbo }
    }

    #[cold]
    pub(super) fn make(&mut self) {
        if self.block.is_null() {
            self.block = self.limbo.take();
        }
    }

    #[inline(always)]
    pub(super) fn take(&mut self) -> *mut Block<T> {
        mem::replace(&mut self.block, ptr::null_mut())
    }
}

impl<T> Drop for Fresh<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.block.is_null() {
            // SAFETY: it came from `take`, and was published to nobody.
            unsafe { self.limbo.put_aside(self.block) };
        }
    }
}
