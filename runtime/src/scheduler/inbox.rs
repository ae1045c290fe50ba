//! Tasks on their way from other threads: a stack that is taken whole.
//!
//! ```text
//!  head ──► newest ──next──► … ──► oldest ──► (nothing)
//!  head ──► CLOSED                              after `close`
//! ```
//!
//! A push is one compare-exchange, taking everything is one swap; nothing is popped one by one, so
//! there is no ABA. The links go through the tasks: no allocation.
//!
//! Invariants:
//! - B1: a task in the stack is there once, by the place in a queue that its waker was given (S1).
//! - B2: CLOSED is final: what is pushed later is refused, and the pusher keeps the place.
//!
//! # A pushed task is seen
//!
//! Pusher: P1 push, P2 fence, P3 look whether the thread is parked. Thread: S1 announce to park, S2
//! fence, S3 look at `head` again. If P2 comes first S3 sees the push; else P3 sees the announcement.
//! P2 and P3 are [`Parking::wake_if_parked`](super::parking::Parking::wake_if_parked), S1 and S2
//! [`Parking::announce`](super::parking::Parking::announce).
//!
//! Tests: `loom-tests/tests/inbox.rs`.

use core::ptr::{self, NonNull};

use tenter_sync::planted;
use tenter_sync::shim::Guess;
use tenter_sync::shim::atomic::{AtomicPtr, Ordering};

use crate::task::Runnable;
use crate::task::cell::Header;

/// The address that means closed: aligned as no header is, and never dereferenced.
const CLOSED: *mut Header = ptr::without_provenance_mut(1);

/// The stack.
#[derive(Debug)]
pub struct Inbox {
    head: AtomicPtr<Header>,
}

impl Default for Inbox {
    fn default() -> Self {
        Self::new()
    }
}

impl Inbox {
    /// An open, empty inbox.
    pub fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
        }
    }

    /// Leaves a task. `Err` gives it back if the inbox is closed.
    pub fn push(&self, task: Runnable) -> Result<(), Runnable> {
        let new = task.into_raw();
        let mut head = self.head.guess();
        loop {
            if head == CLOSED {
                // SAFETY: (a) from `into_raw` above; not pushed, so the place is still ours.
                return Err(unsafe { Runnable::from_raw(new) });
            }
            // SAFETY: the place in a queue is ours (S1): the task is alive and `next` is ours too.
            let header = unsafe { new.as_ref() };
            // SAFETY: as above, `next` is ours until the exchange succeeds.
            header
                .next
                .with_mut(|next| unsafe { *next = NonNull::new(head) });
            // ORDERING: Release publishes the link, and what the waker did, to `take`. Failure is
            // Relaxed because the loop compares again.
            let publish = if planted!("inbox.relaxed_push") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            let pushed =
                self.head
                    .compare_exchange_weak(head, new.as_ptr(), publish, Ordering::Relaxed);
            match pushed {
                // From here on the thread may run the task and free it: nothing is touched any more.
                Ok(_) => return Ok(()),
                Err(actual) => head = actual,
            }
        }
    }

    /// Whether a look is worth while.
    #[inline]
    pub fn is_empty(&self) -> bool {
        // ORDERING: Relaxed. Either a hint, or S3, which the fence S2 orders after the announcement.
        let head = self.head.load(Ordering::Relaxed);
        head.is_null() || head == CLOSED
    }

    /// Takes everything, oldest first.
    pub fn take(&self) -> Chain {
        // ORDERING: Relaxed. A hint that saves the swap; what is missed is seen by S3.
        let head = self.head.load(Ordering::Relaxed);
        if head.is_null() || head == CLOSED {
            return Chain::empty();
        }
        // ORDERING: Acquire pairs with the Release of every push in the stack (a release sequence of
        // exchanges). Only the driving thread takes and closes, so this is not CLOSED.
        Chain::reversed(self.head.swap(ptr::null_mut(), Ordering::Acquire))
    }

    /// Takes everything and refuses the rest (B2).
    pub fn close(&self) -> Chain {
        // ORDERING: Acquire as in `take`.
        let head = self.head.swap(CLOSED, Ordering::Acquire);
        if head == CLOSED {
            Chain::empty()
        } else {
            Chain::reversed(head)
        }
    }
}

/// Tasks that were taken, oldest first. Its places in the queue are the caller's.
#[derive(Debug)]
pub struct Chain(Option<NonNull<Header>>);

impl Chain {
    fn empty() -> Self {
        Self(None)
    }

    fn reversed(newest: *mut Header) -> Self {
        let mut rest = NonNull::new(newest);
        let mut reversed = None;
        while let Some(task) = rest {
            // SAFETY: taken with its place in the queue: alive, and `next` is ours.
            let header = unsafe { task.as_ref() };
            // SAFETY: as above.
            rest = header
                .next
                .with_mut(|next| unsafe { ptr::replace(next, reversed) });
            reversed = Some(task);
        }
        Self(reversed)
    }
}

impl Iterator for Chain {
    type Item = Runnable;

    fn next(&mut self) -> Option<Runnable> {
        let task = self.0?;
        // SAFETY: in the chain with its place in the queue: alive, and `next` is ours.
        let header = unsafe { task.as_ref() };
        // SAFETY: as above.
        self.0 = header
            .next
            .with_mut(|next| unsafe { ptr::replace(next, None) });
        // SAFETY: (a) into_raw made it, and the place leaves the chain with it.
        Some(unsafe { Runnable::from_raw(task) })
    }
}
