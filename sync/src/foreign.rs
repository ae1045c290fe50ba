//! Whether the waker of a wait is its task's own.
//!
//! Waking another wait of a task gets a wait with a foreign waker not polled, so that a line which relies
//! on it has to wake that one too. To say foreign by mistake costs a walk along the line at each turn;
//! not to say it leaves a task asleep.
//!
//! Tests: below, and `sync/tests/attack_locks.rs`.

use core::task::Waker;

use crate::current;

/// Whether this wait happens inside a task of tenter with a waker that is not the task's, which points to
/// the head of the cell that the task's slot is in.
pub(crate) fn is_foreign(waker: &Waker) -> bool {
    let slot = current::slot_address().addr();
    slot != 0 && slot.wrapping_sub(waker.data().addr()) != current::HEAD_TO_SLOT
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
            assert!(!is_foreign(&own) && is_foreign(Waker::noop()));
        });
        assert!(!is_foreign(Waker::noop()), "there is no task");
    }
}
