//! The machine of a generator: its body is a part of the reader's task while an item is waited for, and
//! stands still, apart from it, in between.
//!
//! ```text
//!             polled: in the scope of who polls        an item is there
//!  Suspended ──────────────────────────────► Running ───────────────────► Suspended: hangs nowhere
//!                                             │  │ waits: hangs there, is polled again
//!                                             │  ready: the body is gone
//!                                             ▼
//!                                          CleanUps ── what was deferred is done ──► Done
//! ```
//!
//! The machine is a scope: what is deferred in the body is done before the stream says that it has ended.
//! But nobody cancels it, and it has no deadline.
//!
//! # Scopes that are open at a yield
//!
//! A timeout, a group or a shield in the body may be open when an item is given away. While the reader has
//! the item, the machine hangs in no scope. So what is open in it keeps the reader from nothing: were it
//! left in the reader's scope, a request to cancel the reader would wait for a group that nobody polls.
//! And the reader is in none of these scopes, since a frame is on the stack during a poll only: their
//! deadlines and failures end what is in the body, at its next turn, and never the reader's code. Those
//! deadlines stay the moments that they are, as in a producer that has a task to itself.
//!
//! Invariants:
//! - G1: the machine's node has a parent only between a poll that waited and the next one.
//! - G2: an item that is there is returned before the body is polled again.
//!
//! Tests: `tests/tests/streams/generators.rs`, `tests/tests/streams/scopes.rs`.

use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Arc, OnceLock};

use tenter_sync::budget;

use super::yielder::{Shared, Yielder};
use crate::scope::frame::{self, Frame, Kind};
use crate::scope::node::Node;
use crate::scope::scoped::Leave;

/// What a generator has to give.
pub enum Given<T, R> {
    Item(T),
    /// The output of the body, once.
    Output(R),
}

/// A generator: its body, and the hand that it gives items with.
pub struct Body<T, F: Future> {
    shared: Arc<Shared<T>>,
    node: OnceLock<Arc<Node>>,
    phase: Phase,
    /// Structurally pinned.
    body: Option<F>,
    output: Option<F::Output>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The body has not ended.
    Body,
    /// The body is gone, and what it left is being done.
    CleanUps,
    /// Nothing is left.
    Done,
}

impl<T, F: Future> Body<T, F> {
    pub fn new(make: impl FnOnce(Yielder<T>) -> F, at: &'static Location<'static>) -> Self {
        let shared = Shared::new(at);
        let body = make(Yielder::new(&shared));
        Self {
            shared,
            node: OnceLock::new(),
            phase: Phase::Body,
            body: Some(body),
            output: None,
        }
    }

    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The next item, or the output; `None` after that.
    pub fn poll_given(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Given<T, F::Output>>> {
        // SAFETY: `body` is not moved: it is pinned again before it is polled, and dropped in place. Were
        // it moved, what it keeps pointers to in itself would be left behind.
        let this = unsafe { self.get_unchecked_mut() };
        if this.phase == Phase::Done {
            return Poll::Ready(None);
        }
        this.settle();
        if this.phase == Phase::Body {
            this.poll_body(cx);
        }
        if this.shared.is_full() {
            // G2: kept, if nothing is left of the budget.
            ready!(budget::poll_spend(cx));
            this.leave();
            return Poll::Ready(this.shared.take().map(Given::Item));
        }
        if this.phase == Phase::Body {
            return Poll::Pending;
        }
        ready!(this.poll_clean_ups(cx));
        Poll::Ready(this.output.take().map(Given::Output))
    }

    /// Drops the body, and does what was deferred in it. What it had returned, if nobody knows that yet.
    pub fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<F::Output>> {
        // SAFETY: as in `poll_given`.
        let this = unsafe { self.get_unchecked_mut() };
        if this.phase == Phase::Done {
            return Poll::Ready(None);
        }
        this.settle();
        this.end_body();
        ready!(this.poll_clean_ups(cx));
        Poll::Ready(this.output.take())
    }

    /// Nobody polls it for now.
    pub fn leave(&self) {
        if let Some(node) = self.node.get() {
            node.settle(None); // G1
        }
    }

    /// Hangs what was made for the body where the stream is polled now.
    fn settle(&self) {
        if let Some(node) = self.node.get() {
            node.settle(frame::enclosing().as_ref());
        }
    }

    /// Polls the body, unless an item is there.
    fn poll_body(&mut self, cx: &mut Context<'_>) {
        let Some(in_poll) = self.shared.ask(cx.waker()) else {
            return; // G2
        };
        let frame = in_body(&self.node);
        let unwinds = Unwinds(&self.node);
        // SAFETY: the machine is pinned, as its callers know, and `body` is not moved.
        let mut body = unsafe { Pin::new_unchecked(&mut self.body) };
        let polled = frame::enter(&frame, || {
            let running = body.as_mut().as_pin_mut();
            running.expect("there until it has ended").poll(cx)
        });
        core::mem::forget(unwinds);
        drop(in_poll);
        if let Poll::Ready(output) = polled {
            self.output = Some(output);
            self.end_body();
        } else if let Some(node) = self.node.get() {
            // What was left in a block of the body.
            node.reap();
        }
    }

    /// Drops the body in its own scope.
    fn end_body(&mut self) {
        let frame = in_body(&self.node);
        self.phase = Phase::CleanUps;
        // SAFETY: dropped in place.
        let mut body = unsafe { Pin::new_unchecked(&mut self.body) };
        frame::enter(&frame, || body.set(None));
    }

    /// `Ready`: nothing is left.
    fn poll_clean_ups(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(node) = self.node.get() {
            if node.has_clean_ups() {
                // Not in progress for the scope around: if that one ends, it goes on with what is left.
                let frame = in_body(&self.node);
                ready!(frame::enter(&frame, || node.poll_clean_ups(cx)));
            }
            node.leave();
        }
        self.phase = Phase::Done;
        Poll::Ready(())
    }
}

/// A poll of the body that may panic: G1, for what is left of it then.
struct Unwinds<'a>(&'a OnceLock<Arc<Node>>);

impl Drop for Unwinds<'_> {
    fn drop(&mut self) {
        if let Some(node) = self.0.get() {
            node.settle(None);
        }
    }
}

/// What is polled or dropped in the body.
fn in_body(node: &OnceLock<Arc<Node>>) -> Frame<'_> {
    Frame::new(Kind::Scope {
        node,
        deadline: None,
    })
}

impl<T, F: Future> Drop for Body<T, F> {
    fn drop(&mut self) {
        let Some(node) = self.node.get() else {
            return;
        };
        if self.phase == Phase::Done {
            return;
        }
        let _leave = Leave(node);
        // The body first. What is deferred in it goes to whoever drops it.
        // SAFETY: dropped in place, and not used again.
        unsafe { Pin::new_unchecked(&mut self.body) }.set(None);
    }
}
