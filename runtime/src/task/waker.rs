//! The waker of a task: a reference to the cell, and the right to have it polled.
//!
//! Waking a task that has ended does nothing, for as long as somebody keeps the waker; the cell's memory
//! goes with the last one. There is no access to thread-locals on the way of a remote wake that could
//! fail, so it works in the destructors of a thread that ends.

use core::ptr::NonNull;
use core::task::{RawWaker, RawWakerVTable, Waker};

use tenter_sync::planted;

use super::cell::Header;
use super::raw::{release, submit};
use super::state::AfterWake;

/// A waker without a reference, for a poll.
///
/// # Safety
///
/// (a) The task outlives the waker, and (b) the waker is not dropped.
#[inline]
pub unsafe fn lend(task: NonNull<Header>) -> core::mem::ManuallyDrop<Waker> {
    // SAFETY: the functions below keep the contract of a waker for a header that is alive, by (a); the
    // reference that dropping it would give up is never given up, by (b).
    core::mem::ManuallyDrop::new(unsafe {
        Waker::from_raw(RawWaker::new(task.as_ptr().cast(), &WAKER))
    })
}

/// The waker's functions. The data pointer is a header to which the waker has a reference, except for
/// the one that is lent to a poll.
pub static WAKER: RawWakerVTable =
    RawWakerVTable::new(clone_waker, wake_by_value, wake_by_ref, drop_waker);

fn header_of(data: *const ()) -> NonNull<Header> {
    // SAFETY: only ever made from a `NonNull`.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

fn clone_waker(data: *const ()) -> RawWaker {
    let task = header_of(data);
    // SAFETY: the waker that is cloned keeps the task alive, or the poll does.
    unsafe { task.as_ref() }.state.retain();
    RawWaker::new(data, &WAKER)
}

fn wake_by_ref(data: *const ()) {
    let task = header_of(data);
    // SAFETY: the waker keeps the task alive, or the poll does.
    let header = unsafe { task.as_ref() };
    header.live.touch();
    match header.state.wake() {
        // SAFETY: the waker outlives the call; the place in the queue is passed on.
        AfterWake::Submit => unsafe { submit(task) },
        AfterWake::Nothing => {}
    }
}

fn wake_by_value(data: *const ()) {
    if planted!("task.wake_releases_before_submit") {
        let task = header_of(data);
        // SAFETY: this is the planted bug: alive here, perhaps not below.
        let after = unsafe { task.as_ref() }.state.wake();
        drop_waker(data);
        if after == AfterWake::Submit {
            // SAFETY: not upheld: the planted bug.
            unsafe { submit(task) };
        }
        return;
    }
    wake_by_ref(data);
    drop_waker(data);
}

fn drop_waker(data: *const ()) {
    // SAFETY: the waker's reference is ours and goes with it.
    unsafe { release(header_of(data)) };
}
