//! The memory of the slots: made at the first push, freed with the ring.
//!
//! Invariant I1: the pointer is null, or to `capacity` slots, and changes once.
//!
//! Tests: see `sync/src/queue/store.rs`.

use core::ptr::{self, NonNull};

use super::{Ring, STEP};
use crate::queue::slot::Slot;
use crate::shim::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use crate::shim::atomic::Ordering;

impl<T> Ring<T> {
    /// The slots; null before the first push.
    #[inline(always)]
    pub(super) fn slots(&self) -> *mut Slot<T> {
        // ORDERING: Acquire pairs with the Release in `make_slots`: the stamps are visible.
        self.slots.load(Ordering::Acquire)
    }

    /// The slots, made if there are none.
    #[inline(always)]
    pub(super) fn slots_made(&self) -> *mut Slot<T> {
        let slots = self.slots();
        if slots.is_null() {
            self.make_slots()
        } else {
            slots
        }
    }

    #[cold]
    fn make_slots(&self) -> *mut Slot<T> {
        let layout = self.layout();
        // SAFETY: the layout is not of size zero; it holds at least one stamp.
        let Some(slots) = NonNull::new(unsafe { alloc(layout) }.cast::<Slot<T>>()) else {
            handle_alloc_error(layout);
        };
        for index in 0..self.capacity {
            let slot = Slot::new(index * STEP);
            // SAFETY: fresh memory for so many slots.
            unsafe { slots.add(index as usize).write(slot) };
        }
        // ORDERING: Release publishes the stamps, to the Acquire here and in `slots`.
        let made = self.slots.compare_exchange(
            ptr::null_mut(),
            slots.as_ptr(),
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        match made {
            Ok(_) => slots.as_ptr(),
            Err(first) => {
                // SAFETY: made above, and published to nobody.
                unsafe { self.free_slots(slots) };
                first
            }
        }
    }

    fn layout(&self) -> Layout {
        Layout::array::<Slot<T>>(self.capacity as usize)
            .expect("a queue of this capacity does not fit into memory: use a smaller one")
    }

    /// # Safety
    ///
    /// The slots are those of `make_slots`, nobody uses them, now or later, and they hold no item.
    pub(super) unsafe fn free_slots(&self, slots: NonNull<Slot<T>>) {
        let all = ptr::slice_from_raw_parts_mut(slots.as_ptr(), self.capacity as usize);
        // SAFETY: the caller's.
        unsafe {
            ptr::drop_in_place(all);
            dealloc(slots.as_ptr().cast(), self.layout());
        }
    }
}
