//! A waiter with a place for one value: where a hand-over happens.
//!
//! ```text
//!             owner                    holder of the list            owner
//!   Idle ───────────────► Waiting ───────────────────────► Granted ─────────► Done
//!   place: the owner's    place: the holder's              place: the owner's
//! ```
//!
//! A putter brings its value in the place, a getter finds one there. The waiter's payload is the
//! address of the place, or 0 of a waiter that wants room and has no value.
//!
//! Invariant I1: the place is touched by the holder of the list while the waiter is Waiting, and by
//! the owner at any other time. The waiter's state hands it over and back (`Waiter::end`,
//! `Waiter::state`).
//!
//! Rejected: a place in the list's own memory. It would be allocated, or bounded.
//!
//! Tests: those of the module above; the models watch the place.

use core::pin::Pin;

use crate::shim::UnsafeCell;
use crate::wait_list::{WaitState, Waiter};

/// A waiter, and a value on its way.
pub struct Node<V> {
    waiter: Waiter,
    place: UnsafeCell<Option<V>>,
}

/// A node whose wait has not begun: only who has this could begin it, so nobody need look again.
pub(super) struct IdleNode<'a, V>(Pin<&'a mut Node<V>>);

impl<V> IdleNode<'_, V> {
    /// Uses the place, as the owner.
    #[inline(always)]
    pub(super) fn with_place<R>(&mut self, body: impl FnOnce(&mut Option<V>) -> R) -> R {
        self.0.place.with_mut(|place| {
            // SAFETY: Idle, so no list has the node, and nobody but the owner, who lends it to this,
            // reaches it (I1). Otherwise two threads would write the value.
            body(unsafe { &mut *place })
        })
    }

    /// To Done: it is not going to wait.
    #[inline(always)]
    pub(super) fn finish(self) {
        // SAFETY: it was Idle when this was made, which has lent it out to nobody since.
        unsafe { self.0.waiter.finish_idle() };
    }
}

// SAFETY: the value goes from thread to thread, which is what `Send` allows; see I1 for who touches
// it when.
unsafe impl<V: Send> Send for Node<V> {}
// SAFETY: through `&Node` only the waiter's state is read, and the address is taken; nobody gets a
// reference to the value.
unsafe impl<V: Send> Sync for Node<V> {}

impl<V> Node<V> {
    /// Has not begun to wait.
    #[inline]
    pub(crate) fn new(value: Option<V>) -> Self {
        Self {
            waiter: Waiter::new(),
            place: UnsafeCell::new(value),
        }
    }

    #[inline]
    pub(crate) fn state(&self) -> WaitState {
        self.waiter.state()
    }

    #[inline]
    pub(super) fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with the node: it is never moved out, and `Node` is not `Unpin`
        // because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|node| &mut node.waiter) }
    }

    /// The node, if its wait has not begun.
    #[inline(always)]
    pub(super) fn idle(self: Pin<&mut Self>) -> Option<IdleNode<'_, V>> {
        let is_idle = self.state() == WaitState::Idle;
        is_idle.then_some(IdleNode(self))
    }

    /// Uses the place, as the owner.
    #[inline]
    pub(super) fn with_place<R>(self: Pin<&mut Self>, body: impl FnOnce(&mut Option<V>) -> R) -> R {
        assert_ne!(self.state(), WaitState::Waiting, "the place is lent"); // I1
        self.place.with_mut(|place| {
            // SAFETY: not Waiting, so no list has the node, and nobody but the owner reaches it (I1).
            // Otherwise two threads would write the value.
            body(unsafe { &mut *place })
        })
    }

    /// What the list is told of the node: never 0.
    pub(super) fn address(self: Pin<&Self>) -> usize {
        core::ptr::from_ref(&self.get_ref().place).expose_provenance()
    }

    /// Uses the place of a node in the list, as the holder of the list.
    ///
    /// # Safety
    ///
    /// `address` is the payload of a waiter that is Waiting, in a list that the caller holds, and came
    /// from [`address`](Self::address) of a node of this very type.
    pub(super) unsafe fn with_place_at<R>(
        address: usize,
        body: impl FnOnce(&mut Option<V>) -> R,
    ) -> R {
        let place = core::ptr::with_exposed_provenance::<UnsafeCell<Option<V>>>(address);
        // SAFETY: the waiter is linked, so its node is alive and in place until it leaves the list,
        // which the caller holds.
        unsafe { &*place }.with_mut(|place| {
            // SAFETY: Waiting, so the owner does not touch it, and the caller holds the list (I1).
            body(unsafe { &mut *place })
        })
    }
}
