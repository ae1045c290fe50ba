//! Memory of tasks that have ended, kept for the next ones.
//!
//! ```text
//!   allocate ──► Magazine of this thread ──► Depot of the runtime ──► the system
//!                    ▲    32 at a time  ◄──►  (a lock)                   ▲
//!   free ────────────┘ ───────── full ─────────► full ──────────────────┘
//! ```
//!
//! A task is often freed on another thread than the one that allocated it, which is what general allocators
//! are slow at. A run loop keeps the blocks that are freed on it, whoever allocated them, and passes them
//! on to other threads in batches: Bonwick and Adams, "Magazines and Vmem", 2001. Every block comes from
//! the system by itself, so it may be given back by anybody at any time.
//!
//! Blocks are sorted by size in steps of 16 bytes; what is larger than [`LARGEST`] or asks for more than
//! the system's alignment goes straight to the system. So does everything under the model checker, which
//! looks for leaks, and with `--cfg tenter_unpooled`, for the address sanitizer.
//!
//! Invariants:
//! - M1: a block in a list of class `c` was allocated with [`layout_of`]`(c)`.
//! - M2: a magazine holds at most [`FULL`] blocks of a class, a depot at most [`BATCHES`] batches.
//!
//! Rejected: slabs, with a list of remote frees on each. They save the eight bytes that the system keeps
//! with each block, and cost an owner: who frees must find the owner, and who owns must outlive them.
//!
//! Tests: below; `tests/tests/stress.rs`.

use core::array;
use core::cell::Cell;
use core::ptr::NonNull;

use tenter_sync::shim::alloc::{Layout, alloc, dealloc};
use tenter_sync::shim::{MODELLED, Mutex};

/// The largest block that is kept, in bytes.
const LARGEST: usize = STEP * CLASSES + HEAD;
const STEP: usize = 16;
/// The system keeps this much beside each block; with it, blocks fill steps.
const HEAD: usize = 8;
const CLASSES: usize = 40;
/// The alignment that every block of the system has.
const ALIGN: usize = 16;
/// How many blocks a magazine passes on at a time.
const BATCH: u32 = 32;
/// How many blocks of a class a magazine keeps.
const FULL: u32 = 2 * BATCH;
/// How many batches of a class a depot keeps.
const BATCHES: usize = 64;

/// The class of blocks for a layout; `None` if they are not kept.
pub const fn class_of(layout: Layout) -> Option<usize> {
    let small = layout.size() <= LARGEST && layout.align() <= ALIGN;
    if MODELLED || cfg!(tenter_unpooled) || !small || layout.size() < size_of::<Block>() {
        return None;
    }
    Some(layout.size().saturating_sub(HEAD).div_ceil(STEP))
}

fn layout_of(class: usize) -> Layout {
    let size = class * STEP + HEAD;
    Layout::from_size_align(size, ALIGN).expect("a few hundred bytes are a valid size")
}

/// What is written into a block that is free.
struct Block {
    next: Option<NonNull<Block>>,
}

/// A list of free blocks of one class.
#[derive(Default)]
struct List {
    head: Cell<Option<NonNull<Block>>>,
    len: Cell<u32>,
}

// SAFETY: the blocks belong to the list and to nobody else.
unsafe impl Send for List {}

impl List {
    #[inline]
    fn pop(&self) -> Option<NonNull<Block>> {
        let block = self.head.get()?;
        // SAFETY: `push` wrote the link into a block that is ours.
        self.head.set(unsafe { block.as_ref() }.next);
        self.len.set(self.len.get() - 1);
        Some(block)
    }

    #[inline]
    fn push(&self, block: NonNull<Block>) {
        let next = self.head.replace(Some(block));
        // SAFETY: the block is free, and large and aligned enough for a link, by `class_of`.
        unsafe { block.write(Block { next }) };
        self.len.set(self.len.get() + 1);
    }

    /// Moves a batch to a list of its own.
    fn split(&self) -> List {
        let batch = List::default();
        for _ in 0..BATCH {
            let Some(block) = self.pop() else { break };
            batch.push(block);
        }
        batch
    }

    /// Gives every block back to the system.
    fn free(&self, class: usize) {
        while let Some(block) = self.pop() {
            // SAFETY: M1, and nobody else has the block.
            unsafe { dealloc(block.as_ptr().cast(), layout_of(class)) };
        }
    }
}

/// The blocks of one thread.
pub struct Magazine {
    lists: [List; CLASSES + 1],
}

impl Default for Magazine {
    fn default() -> Self {
        Self {
            lists: array::from_fn(|_| List::default()),
        }
    }
}

/// The blocks that threads pass on to each other.
pub struct Depot {
    batches: [Mutex<Vec<List>>; CLASSES + 1],
}

impl Magazine {
    /// A block, not initialised; null if the system has none.
    ///
    /// # Safety
    ///
    /// (a) `class` is that of `layout`, whose size is not 0.
    #[inline]
    pub unsafe fn allocate(&self, depot: &Depot, layout: Layout, class: Option<usize>) -> *mut u8 {
        let Some(class) = class else {
            // SAFETY: (a).
            return unsafe { alloc(layout) };
        };
        match self.lists[class].pop() {
            Some(block) => block.as_ptr().cast(),
            None => self.allocate_from(depot, class),
        }
    }

    #[cold]
    fn allocate_from(&self, depot: &Depot, class: usize) -> *mut u8 {
        let batch = depot.batches[class].lock().pop();
        if let Some(batch) = batch {
            let block = batch.pop();
            debug_assert!(self.lists[class].head.get().is_none(), "a list is lost");
            self.lists[class].head.set(batch.head.take());
            self.lists[class].len.set(batch.len.take());
            if let Some(block) = block {
                return block.as_ptr().cast();
            }
        }
        // SAFETY: the size of a class is not 0.
        unsafe { alloc(layout_of(class)) }
    }

    /// Takes a block back.
    ///
    /// # Safety
    ///
    /// (a) It was allocated for `layout`, whose class is `class`, here or by [`Depot::allocate`]; (b) it is
    /// not used any more.
    #[inline]
    pub unsafe fn free(&self, depot: &Depot, block: *mut u8, layout: Layout, class: Option<usize>) {
        let (Some(class), Some(block)) = (class, NonNull::new(block.cast::<Block>())) else {
            // SAFETY: (a), (b).
            unsafe { dealloc(block, layout) };
            return;
        };
        let list = &self.lists[class];
        list.push(block);
        if list.len.get() > FULL {
            depot.put(class, list.split()); // M2
        }
    }

    /// Gives everything to the depot, before the thread ends.
    pub fn empty(&self, depot: &Depot) {
        for (class, list) in self.lists.iter().enumerate() {
            while list.head.get().is_some() {
                depot.put(class, list.split());
            }
        }
    }
}

impl Depot {
    /// An empty one.
    pub fn new() -> Self {
        Self {
            batches: array::from_fn(|_| Mutex::new(Vec::new())),
        }
    }

    /// A block for a thread that has no magazine; see [`Magazine::allocate`].
    ///
    /// # Safety
    ///
    /// (a) of [`Magazine::allocate`].
    pub unsafe fn allocate(&self, layout: Layout, class: Option<usize>) -> *mut u8 {
        let Some(class) = class else {
            // SAFETY: (a).
            return unsafe { alloc(layout) };
        };
        let block = {
            let mut batches = self.batches[class].lock();
            let block = batches.last().and_then(List::pop);
            if batches.last().is_some_and(|batch| batch.len.get() == 0) {
                let emptied = batches.pop();
                debug_assert!(emptied.is_some_and(|batch| batch.head.get().is_none()));
            }
            block
        };
        match block {
            Some(block) => block.as_ptr().cast(),
            // SAFETY: the size of a class is not 0.
            None => unsafe { alloc(layout_of(class)) },
        }
    }

    fn put(&self, class: usize, batch: List) {
        let mut batches = self.batches[class].lock();
        if batches.len() < BATCHES {
            batches.push(batch);
            return;
        }
        drop(batches);
        batch.free(class); // M2
    }
}

/// Where the block of a new task comes from.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// The magazine of a run loop.
    Magazine(&'a Magazine, &'a Depot),
    /// Another thread than a run loop's.
    Depot(&'a Depot),
    /// The system.
    System,
}

impl Source<'_> {
    /// A block, not initialised; null if the system has none.
    ///
    /// # Safety
    ///
    /// (a) of [`Magazine::allocate`].
    #[inline]
    pub unsafe fn allocate(&self, layout: Layout, class: Option<usize>) -> *mut u8 {
        match (self, class) {
            // SAFETY: (a).
            (Self::Magazine(magazine, depot), _) => unsafe {
                magazine.allocate(depot, layout, class)
            },
            // SAFETY: (a).
            (Self::Depot(depot), _) => unsafe { depot.allocate(layout, class) },
            // SAFETY: (a).
            (Self::System, None) => unsafe { alloc(layout) },
            // SAFETY: the size of a class is not 0.
            (Self::System, Some(class)) => unsafe { alloc(layout_of(class)) },
        }
    }
}

/// Gives a block back to the system, on a thread without a magazine.
///
/// # Safety
///
/// As [`Magazine::free`].
pub unsafe fn free(block: *mut u8, layout: Layout, class: Option<usize>) {
    let layout = class.map_or(layout, layout_of);
    // SAFETY: M1, or the caller's.
    unsafe { dealloc(block, layout) };
}

impl Drop for Depot {
    fn drop(&mut self) {
        for (class, batches) in self.batches.iter_mut().enumerate() {
            for batch in core::mem::take(batches.get_mut()) {
                batch.free(class);
            }
        }
    }
}

impl core::fmt::Debug for Depot {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Depot").finish_non_exhaustive()
    }
}

impl core::fmt::Debug for Magazine {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let blocks: u32 = self.lists.iter().map(|list| list.len.get()).sum();
        f.debug_struct("Magazine").field("blocks", &blocks).finish()
    }
}

const _: () = assert!(
    HEAD >= size_of::<Block>() && ALIGN >= align_of::<Block>(),
    "the smallest block has room for a link"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_by_size_and_go_from_thread_to_thread_in_batches() {
        let depot = Depot::new();
        let magazine = Magazine::default();
        let layout = Layout::from_size_align(136, 8).expect("valid");
        let class = class_of(layout);
        if class.is_none() {
            return; // Everything goes to the system in this build.
        }
        // SAFETY: the class is that of the layout.
        let first = unsafe { magazine.allocate(&depot, layout, class) };
        // SAFETY: allocated above, and not used.
        unsafe { magazine.free(&depot, first, layout, class) };
        // SAFETY: as above.
        let again = unsafe { magazine.allocate(&depot, layout, class) };
        assert_eq!(first, again);
        let mut blocks = vec![again];
        for _ in 0..200 {
            // SAFETY: as above.
            blocks.push(unsafe { magazine.allocate(&depot, layout, class) });
        }
        for block in blocks {
            assert!(!block.is_null());
            // SAFETY: as above.
            unsafe { magazine.free(&depot, block, layout, class) };
        }
        let batches = depot.batches[class.expect("kept")].lock().len();
        assert_eq!(batches, (201 - FULL as usize).div_ceil(BATCH as usize));
        // SAFETY: as above.
        let from_outside = unsafe { depot.allocate(layout, class) };
        // SAFETY: allocated above, and not used.
        unsafe { free(from_outside, layout, class) };
        magazine.empty(&depot);
    }

    #[test]
    fn every_size_fits_its_class_and_wastes_less_than_a_step() {
        for size in HEAD..=LARGEST {
            let layout = Layout::from_size_align(size, 8).expect("valid");
            let Some(class) = class_of(layout) else {
                continue; // Everything goes to the system in this build.
            };
            let block = layout_of(class).size();
            assert!(block >= size && block < size + STEP, "{size}: {block}");
        }
        let large = Layout::from_size_align(LARGEST + 1, 8).expect("valid");
        assert_eq!(class_of(large), None);
        let aligned = Layout::from_size_align(128, 64).expect("valid");
        assert_eq!(class_of(aligned), None);
    }
}
