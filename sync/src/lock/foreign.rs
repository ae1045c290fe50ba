//! Whether the waker of a wait is its task's own: what the line keeps in a waiter's payload.
//!
//! Tests: below, and `sync/tests/attack_locks.rs`.

use core::task::Waker;

use crate::current;

/// In a waiter's payload: it waits inside a task of tenter with a waker that is not the task's, so that
/// waking another wait of this task does not get this one polled.
pub(super) const FOREIGN: usize = 1;

/// What the line has to know of one who waits with this waker: [`FOREIGN`] or nothing.
///
/// A task's own waker points to the head of the cell that the task's slot is in. To say FOREIGN by
/// mistake costs a walk along the line at each turn; not to say it leaves a task asleep.
pub(crate) fn payload(waker: &Waker) -> usize {
    let slot = current::slot_address().addr();
    let own = slot == 0 || slot.wrapping_sub(waker.data().addr()) == current::HEAD_TO_SLOT;
    if own { 0 } else { FOREIGN }
}

#[cfg(test)]
#[expect(unsafe_code, reason = "makes a waker that does nothing")]
mod tests {
    use super::*;
    use crate::current::{TaskSlot, with_task};
    use core::num::NonZeroU64;
    use core::task::{RawWaker, RawWakerVTable};

    #[test]
    fn a_waker_is_foreign_if_it_does_not_point_to_the_head_of_the_task() {
        static NOTHING: RawWakerVTable =
            RawWakerVTable::new(|data| RawWaker::new(data, &NOTHING), |_| {}, |_| {}, |_| {});
        let task = ([0_usize; 4], TaskSlot::new(NonZeroU64::MIN));
        let head = core::ptr::from_ref(&task.1)
            .wrapping_byte_sub(current::HEAD_TO_SLOT)
            .cast();
        // SAFETY: no function of the table looks at the data.
        let own = unsafe { Waker::new(head, &NOTHING) };
        with_task(&task.1, 1, || {
            assert_eq!((payload(&own), payload(Waker::noop())), (0, FOREIGN));
        });
        assert_eq!(payload(Waker::noop()), 0, "there is no task");
    }
}
