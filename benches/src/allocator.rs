//! The system allocator with two counters: calls that obtained memory, and bytes alive.
//!
//! Only the `counted` binary installs it; the timed binaries use the plain system allocator, so no
//! row pays for being watched, and even there they stand still until [`start`]. Bytes are what the
//! allocator really set aside (`malloc_usable_size`), not what was asked for.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

static COUNTING: AtomicBool = AtomicBool::new(false);
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static LIVE_BYTES: AtomicU64 = AtomicU64::new(0);

/// The counting allocator, to be installed with `#[global_allocator]`.
#[derive(Debug)]
pub struct Counting;

/// From now on allocations and bytes are counted. Called first of all: what was obtained before is
/// missing in the bytes when it is returned.
pub fn start() {
    // ORDERING: a flag that publishes nothing; no other thread runs yet.
    COUNTING.store(true, Ordering::Relaxed);
}

fn is_counting() -> bool {
    // ORDERING: a flag that publishes nothing.
    COUNTING.load(Ordering::Relaxed)
}

/// Calls of `alloc`, `alloc_zeroed` and `realloc` so far.
pub fn allocations() -> u64 {
    // ORDERING: a counter that publishes nothing.
    ALLOCATIONS.load(Ordering::Relaxed)
}

/// Usable bytes of all blocks that are alive.
pub fn live_bytes() -> u64 {
    // ORDERING: a counter that publishes nothing.
    LIVE_BYTES.load(Ordering::Relaxed)
}

fn usable(block: *mut u8) -> u64 {
    // SAFETY: the caller passes a block that the system allocator returned and that is still alive;
    // anything else would read a foreign header.
    (unsafe { libc::malloc_usable_size(block.cast()) }) as u64
}

fn obtained(block: *mut u8) -> *mut u8 {
    if is_counting() && !block.is_null() {
        // ORDERING: counters that publish nothing.
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        LIVE_BYTES.fetch_add(usable(block), Ordering::Relaxed);
    }
    block
}

fn returned(block: *mut u8) {
    if is_counting() {
        // ORDERING: a counter that publishes nothing.
        LIVE_BYTES.fetch_sub(usable(block), Ordering::Relaxed);
    }
}

// SAFETY: every call is passed on to the system allocator unchanged, so its guarantees hold; the
// counters do not allocate, which would recurse without end.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise about `layout` is passed on; a zero size would be undefined.
        obtained(unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as in `alloc`.
        obtained(unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        returned(block);
        // SAFETY: the caller's promise that `block` is alive and has this layout is passed on; a
        // block given back twice would corrupt the heap.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let before = usable(block);
        // SAFETY: the caller's promises are passed on; `block` is not touched afterwards.
        let moved = unsafe { System.realloc(block, layout, new_size) };
        if is_counting() && !moved.is_null() {
            // ORDERING: a counter that publishes nothing.
            LIVE_BYTES.fetch_sub(before, Ordering::Relaxed);
        }
        obtained(moved)
    }
}
