//! What the line's lock guards: those who wait, and what keeps the store held.
//!
//! Tests: see the module above.

use core::pin::Pin;
use core::task::Waker;

use super::node::Node;
use crate::wait_list::{Identity, WaitList, Waiter};

/// What the line's lock guards.
pub struct Line<I> {
    pub(super) inner: I,
    /// Payload: the address of the place for the item.
    pub(super) getters: WaitList,
    /// Payload: the address of the place with the value; 0 for one who wants a slot.
    pub(super) putters: WaitList,
    /// Payload: how many had been pushed when it lined up.
    pub(super) joiners: WaitList,
    /// Places that slots stand for.
    pub(super) reserved: usize,
    pub(super) is_shut: bool,
    /// Whether the store is held (Q1).
    pub(super) is_held: bool,
    /// Whether somebody who waited was served in this act.
    pub(super) is_lively: bool,
    /// The most that ever waited at once.
    pub(super) getters_peak: usize,
    pub(super) putters_peak: usize,
}

impl<I> Line<I> {
    crate::const_fn! {
        /// Nobody waits.
        pub(super) const fn new(inner: I) -> Self {
            Self {
                inner,
                getters: WaitList::new(),
                putters: WaitList::new(),
                joiners: WaitList::new(),
                reserved: 0,
                is_shut: false,
                is_held: false,
                is_lively: false,
                getters_peak: 0,
                putters_peak: 0,
            }
        }
    }

    /// Puts a getter at the end of the line.
    ///
    /// # Safety
    ///
    /// (a), (b) and (c) of the wait list's contract; the getter is given back to this line.
    pub(super) unsafe fn enlist_getter<T>(
        &mut self,
        node: Pin<&mut Node<(u64, T)>>,
        waker: (Identity, Waker),
    ) {
        let address = node.as_ref().address();
        // SAFETY: by the contract of this function.
        unsafe {
            self.getters
                .enlist(node.waiter(), address, waker.0, Some(waker.1));
        };
        self.getters_peak = self.getters_peak.max(self.getters.len());
    }

    /// Puts a putter with its value at the end of the line.
    ///
    /// # Safety
    ///
    /// As of [`enlist_getter`](Self::enlist_getter).
    pub(super) unsafe fn enlist_putter<T>(
        &mut self,
        node: Pin<&mut Node<T>>,
        waker: (Identity, Waker),
    ) {
        let address = node.as_ref().address();
        // SAFETY: by the contract of this function.
        unsafe { self.enlist_for_room(node.waiter(), address, waker) };
    }

    /// Puts one who waits for room at the end of the line, with a value at `address` or with none.
    ///
    /// # Safety
    ///
    /// As of [`enlist_getter`](Self::enlist_getter).
    pub(super) unsafe fn enlist_for_room(
        &mut self,
        waiter: Pin<&mut Waiter>,
        address: usize,
        waker: (Identity, Waker),
    ) {
        // SAFETY: by the contract of this function.
        unsafe { self.putters.enlist(waiter, address, waker.0, Some(waker.1)) };
        self.putters_peak = self.putters_peak.max(self.putters.len());
    }
}
