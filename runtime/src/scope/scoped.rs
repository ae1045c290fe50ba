//! The machine of every scope in a task: it polls a body, and drops it when the scope is to end.
//!
//! ```text
//!            ready                        clean-ups done
//!  Body ──────────────► Ended(Ready) ───────────────────────► returned
//!   │ │ cancelled, and nothing inside is in progress            ▲
//!   │ └───────────────► Ended(Cancelled) ──────────────────────┤ no scope around it ends now
//!   │   time is over    Ended(TimedOut) ───────────────────────┘
//!   │                                  └──── one around it ends now ──► silent, until that one drops it
//!   └─ the whole is dropped: what was deferred is handed on
//! ```
//!
//! The order in each poll is the contract of cancellation: the body is polled first, so that what was
//! delivered to it is used; what is not ready is then dropped if the scope is to end. A body that was never
//! polled is dropped unpolled.
//!
//! Of several scopes that end at one moment only the outermost says so: an inner one that finds that a
//! scope around it ends too stays silent.
//!
//! The shared part of the scope is made when something inside needs it. Until then nothing inside can defer
//! its end, so a scope that only bounds a time needs no allocation.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Arc, OnceLock};

use tenter_timer::{Sleep, now, poll_deadline, sleep_until};

use super::frame::{self, Frame, Kind};
use super::node::Node;
use crate::task::{CancelKind, CancelReason};

/// How a scope ended.
#[derive(Debug)]
pub enum End<T> {
    /// Its body was ready.
    Ready(T),
    /// It was cancelled. In a box: it is rare, and each scope has room for it.
    Cancelled(Box<CancelReason>),
    /// Its time was over.
    TimedOut,
}

/// A body in a scope.
pub struct Scoped<F: Future> {
    node: OnceLock<Arc<Node>>,
    phase: Phase,
    /// Structurally pinned.
    pub(super) body: Option<F>,
    /// Structurally pinned.
    pub(super) timer: Option<Sleep>,
    ended: Option<End<F::Output>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The body was never polled.
    Fresh,
    /// The body was polled.
    Body,
    /// The body is gone; what it left is done.
    Ended,
    /// A scope around this one ends, and will drop it.
    Silent,
    /// Returned.
    Done,
}

impl<F: Future> Scoped<F> {
    /// A scope with nobody to cancel it. Always inline, lest the timer and the body be moved once more.
    #[inline(always)]
    pub fn new(body: F, timer: Option<Sleep>) -> Self {
        Self {
            node: OnceLock::new(),
            phase: Phase::Fresh,
            body: Some(body),
            timer,
            ended: None,
        }
    }

    /// A scope with a shared part that others have already.
    pub fn with_node(body: F, node: Arc<Node>) -> Self {
        let scoped = Self::new(body, None);
        let _ = scoped.node.set(node);
        scoped
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = End<F::Output>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<End<F::Output>> {
        // SAFETY: `body` and `timer` are not moved: both are pinned again before they are used, and
        // dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        let first = this.phase == Phase::Fresh;
        if let Some(node) = this.node.get() {
            node.settle(frame::enclosing().as_ref());
            node.register(cx.waker());
        }
        if matches!(this.phase, Phase::Fresh | Phase::Body) {
            // SAFETY: pinned along with the whole.
            let body = unsafe { Pin::new_unchecked(&mut this.body) };
            // SAFETY: pinned along with the whole.
            let timer = unsafe { Pin::new_unchecked(&mut this.timer) };
            let end = ready!(poll_body(&this.node, &mut this.phase, body, timer, cx));
            let alone = this.node.get().is_none();
            if alone && !(matches!(end, End::TimedOut) && frame::around_ends(now())) {
                // Nothing inside can have left anything to do.
                this.phase = Phase::Done;
                return Poll::Ready(end);
            }
            this.ended = Some(end);
            this.phase = if alone { Phase::Silent } else { Phase::Ended };
        }
        if this.phase == Phase::Ended {
            this.phase = ready!(poll_left(&this.node, &this.ended, first, cx));
        }
        if this.phase == Phase::Silent {
            if frame::around_ends(now()) {
                return Poll::Pending;
            }
            // It was kept, or this future moved out of it.
            this.phase = Phase::Done;
        }
        Poll::Ready(
            this.ended
                .take()
                .expect("a scope was polled after it had ended"),
        )
    }
}

/// `Ready`: the body is gone.
#[inline]
fn poll_body<F: Future>(
    node: &OnceLock<Arc<Node>>,
    phase: &mut Phase,
    mut body: Pin<&mut Option<F>>,
    mut timer: Pin<&mut Option<Sleep>>,
    cx: &mut Context<'_>,
) -> Poll<End<F::Output>> {
    let deadline = timer.as_ref().as_pin_ref().map(|timer| timer.deadline());
    let frame = Frame::new(Kind::Scope { node, deadline });
    let fresh = core::mem::replace(phase, Phase::Body) == Phase::Fresh;
    if let Some(reason) = node
        .get()
        .filter(|_| fresh)
        .and_then(|node| node.own_reason())
    {
        frame::enter(&frame, || body.set(None));
        return Poll::Ready(ended(reason));
    }
    let polled = frame::enter(&frame, || {
        let running = body
            .as_mut()
            .as_pin_mut()
            .expect("the body is there until it ended");
        let output = ready!(running.poll(cx));
        // What it drops may defer.
        body.set(None);
        Poll::Ready(output)
    });
    if let Poll::Ready(output) = polled {
        return Poll::Ready(End::Ready(output));
    }
    // Perhaps it was made just now.
    let Some(node) = node.get() else {
        let timer = timer.as_mut().as_pin_mut();
        ready!(timer.map_or(Poll::Pending, |timer| poll_deadline(timer, cx)));
        frame::enter(&frame, || body.set(None));
        return Poll::Ready(End::TimedOut);
    };
    node.register(cx.waker());
    if !node.is_cancelled() {
        poll_timer(node, timer, cx);
    }
    let Some(reason) = node.own_reason().filter(|_| !node.is_held()) else {
        node.reap();
        return Poll::Pending;
    };
    frame::enter(&frame, || body.set(None));
    Poll::Ready(ended(reason))
}

/// What a reason of the scope's own means to whoever runs it.
fn ended<T>(reason: CancelReason) -> End<T> {
    match reason.kind() {
        CancelKind::Deadline => End::TimedOut,
        _ => End::Cancelled(Box::new(reason)),
    }
}

/// Cancels the scope if its time is over. The deadline of a scope whose shared part was made is there: it
/// may be changed by others.
fn poll_timer(node: &Arc<Node>, mut timer: Pin<&mut Option<Sleep>>, cx: &mut Context<'_>) {
    let Some(deadline) = node.deadline() else {
        timer.set(None);
        return;
    };
    if timer.is_none() {
        timer.set(Some(sleep_until(deadline)));
    }
    let mut timer = timer.as_pin_mut().expect("set above");
    if timer.deadline() != deadline {
        timer.as_mut().reset(deadline);
    }
    if poll_deadline(timer, cx).is_ready() {
        // False if it was moved just now: whoever moved it has woken this scope.
        node.expire(deadline);
    }
}

/// Does what the body left, then decides whether the scope says how it ended.
fn poll_left<T>(
    node: &OnceLock<Arc<Node>>,
    ended: &Option<End<T>>,
    first: bool,
    cx: &mut Context<'_>,
) -> Poll<Phase> {
    let place = node;
    let node = place.get().expect("looked at by the caller");
    if node.has_clean_ups() {
        // No request from around interrupts this. What a clean-up defers is done here, too.
        node.set_holds(true);
        // What is deferred in a clean-up is the scope's too.
        let deadline = None;
        let frame = Frame::new(Kind::Scope {
            node: place,
            deadline,
        });
        ready!(frame::enter(&frame, || node.poll_clean_ups(cx)));
    }
    // A request from around may have waited for it, as for a shield.
    let waited = node.is_shield() && !first;
    node.leave();
    let says = match ended {
        Some(End::Ready(_)) if !waited => true,
        Some(End::Ready(_)) => !frame::enclosing().is_some_and(|around| around.ends_now()),
        _ => !frame::around_ends(now()),
    };
    Poll::Ready(if says { Phase::Done } else { Phase::Silent })
}

/// Leaves a scope whose body is dropped: what was deferred in it is handed on, also if the body's drop panics.
pub struct Leave<'a>(pub &'a Arc<Node>);

impl Drop for Leave<'_> {
    fn drop(&mut self) {
        let left = self.0.take_clean_ups();
        self.0.leave();
        for clean_up in left {
            clean_up.hand_over(crate::context::current_handle().as_ref());
        }
    }
}

impl<F: Future> Drop for Scoped<F> {
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
