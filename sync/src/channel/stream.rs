//! The wait of a receiver that is polled as a stream.
//!
//! A stream may be moved between polls, so its place in the line cannot be in it. It is in a box that is
//! made when the stream has to wait for the first time, and used again for every later wait.
//!
//! ```text
//!           poll finds nothing                poll takes the value
//!   aside ─────────────────────► in the line ─────────────────────► aside
//!     ▲                               │
//!     └───────────────────────────────┘ step back: another call on the same receiver
//! ```
//!
//! A stream that is not polled any more, because the task went on to `recv`, would be handed the next value
//! all the same, and keep it where nobody looks. So every other call on the same receiver lets the
//! stream step back first: what it was handed goes back to where it stood, and if it still waited,
//! its waker is woken, since it was promised a wake and must line up again.
//!
//! Invariants:
//! - I1: the node is not idle only while `is_in_line` is set.
//! - I2: whoever uses the node has the receiver exclusively, or has taken the node out of the cell. It
//!   is put back idle.
//!
//! Obligations of the wait list's contract: (a) `leave` runs in the drop of the receiver, and whoever
//! takes the node out has it leave the line, before the node is dropped; (b) the node is given to
//! the one channel's core and nothing else; (c) the receiver keeps the channel.
//!
//! Rejected: a stream that waits to be told, and then looks. Others may take the value meanwhile, so it
//! would lose its place in the line.

use core::pin::Pin;
use core::task::{Context, Poll};

use super::shared::Shared;
use crate::notes;
use crate::planted;
use crate::queue::AnyQueue;
use crate::queue::node::Node;
use crate::shim::Mutex;
use crate::shim::diagnostic::{AtomicBool, Ordering};
use crate::wait_list::WaitState;

/// An item with its number, as the queue hands it over.
type Place<T> = Pin<Box<Node<(u64, T)>>>;

/// A receiver's wait as a stream.
pub(super) struct Wait<T> {
    /// Whether the node is in use: a hint that spares all others the lock. Set by the exclusive
    /// owner; whoever got a reference to the receiver after that sees it.
    is_in_line: AtomicBool,
    node: Mutex<Option<Place<T>>>,
}

impl<T> Wait<T> {
    /// Has never waited.
    pub(super) fn new() -> Self {
        Self {
            is_in_line: AtomicBool::new(false),
            node: Mutex::new(None),
        }
    }

    /// The next value; `None` when the channel has ended.
    #[inline]
    pub(super) fn poll_next(
        &mut self,
        shared: &Shared<T>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<T>> {
        if !*self.is_in_line.get_mut() {
            if let Some(value) = shared.core().get_fast() {
                return Poll::Ready(Some(value));
            }
        }
        self.poll_slow(shared, cx)
    }

    #[cold]
    fn poll_slow(&mut self, shared: &Shared<T>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let node = self
            .node
            .get_mut()
            .get_or_insert_with(|| Box::pin(Node::new(None)));
        *self.is_in_line.get_mut() = true; // I1, before anything can panic
        let next = shared.core().poll_get(node.as_mut(), cx);
        if next.is_ready() {
            node.set(Node::new(None));
            *self.is_in_line.get_mut() = false;
        } else {
            notes::is_a_channel();
        }
        next.map(Result::ok)
    }

    /// Makes way for somebody who is going to wait.
    #[inline]
    pub(super) fn step_back(&self, shared: &Shared<T>) {
        // ORDERING: Relaxed. See the field.
        if self.is_in_line.load(Ordering::Relaxed) && !planted!("channel.stream_stays_in_line") {
            self.step_back_slow(shared, |_| true);
        }
    }

    /// Makes way for somebody who is not going to wait: only with what it was handed.
    #[inline]
    pub(super) fn give_way(&self, shared: &Shared<T>) {
        // ORDERING: Relaxed. See the field.
        if self.is_in_line.load(Ordering::Relaxed) {
            self.step_back_slow(shared, |state| state != WaitState::Waiting);
        }
    }

    #[cold]
    fn step_back_slow(&self, shared: &Shared<T>, goes: impl FnOnce(WaitState) -> bool) {
        let mut node = {
            let mut cell = self.node.lock();
            match cell.take() {
                Some(node) if goes(node.state()) => node,
                other => {
                    *cell = other;
                    return;
                }
            }
        };
        // Without the lock: the waker of whoever gets the value runs in here.
        let waker = shared.core().withdraw_getter(node.as_mut());
        node.set(Node::new(None));
        {
            let mut cell = self.node.lock();
            *cell = Some(node);
            // ORDERING: Relaxed. See the field.
            self.is_in_line.store(false, Ordering::Relaxed);
        }
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Ends the wait with the receiver.
    #[inline]
    pub(super) fn leave(&mut self, shared: &Shared<T>) {
        if !*self.is_in_line.get_mut() {
            return;
        }
        if let Some(mut node) = self.node.get_mut().take() {
            drop(shared.core().withdraw_getter(node.as_mut()));
        }
    }
}
