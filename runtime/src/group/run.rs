//! The future of a group: its body, then its children, then what was deferred.
//!
//! ```text
//!           ready, failed, or dropped         nobody live           clean-ups done
//!  Body ──────────────────────────────► Children ──────────► CleanUps ──────────────► returned
//!                                                               │ nothing failed, it was cancelled, and
//!                                                               └ a scope around it ends ──► silent, until
//!                                                                 that one drops it
//! ```
//!
//! The group counts as in progress in the scope around it until it has ended. If that one is cancelled, the
//! group ends itself first: its children are cancelled and waited for, and what failed meanwhile is
//! returned; only if nothing did is it silent, and dropped with the rest.
//!
//! A group is ready when its children are: if one was cancelled with it, what the body had returned does not
//! count. A body that panics is one that fails, but that its panic is raised again after the children have ended.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tenter_sync::current::{self, WaitKind};
use tenter_timer::now;

use super::core::Core;
use super::error::{Failure, GroupError};
use super::lost;
use crate::scope::frame::{self, Frame, Kind};
use crate::task::{CancelKind, CancelReason, UnobservedKind};

/// The future of a group.
pub struct Run<B, R, E> {
    core: Arc<Core<E>>,
    /// Structurally pinned.
    body: Option<B>,
    phase: Phase,
    ended: Ended<R, E>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// The body was never polled.
    Fresh,
    Body,
    Children,
    CleanUps,
    /// Nothing is left but to say how it ended.
    Left,
    Done,
}

/// How the body ended.
enum Ended<R, E> {
    NotYet,
    With(R),
    Failed(E),
    Panicked(Box<dyn Any + Send>),
    Cancelled(CancelReason),
}

impl<B, R, E> Run<B, R, E> {
    /// The future of a group that has just been made.
    pub fn new(core: Arc<Core<E>>, body: B) -> Self {
        Self {
            core,
            body: Some(body),
            phase: Phase::Fresh,
            ended: Ended::NotYet,
        }
    }
}

impl<B, R, E> Future for Run<B, R, E>
where
    B: Future<Output = Result<R, E>>,
{
    type Output = Result<R, GroupError<E>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: `body` is not moved: pinned again before it is polled, and dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        let core = &this.core;
        let node = core.node();
        assert!(
            this.phase != Phase::Done,
            "a task group was polled after it had ended"
        );
        if this.phase < Phase::Left {
            node.settle(frame::enclosing().as_ref());
            if this.phase == Phase::Fresh {
                node.set_holds(true);
                tell_runtime(core);
            }
            node.register(cx.waker());
            if let Some(reason) = node.reason() {
                core.cancel(&reason);
            }
        }
        if this.phase <= Phase::Body {
            // SAFETY: pinned along with the whole.
            let body = unsafe { Pin::new_unchecked(&mut this.body) };
            let fresh = this.phase == Phase::Fresh;
            this.phase = Phase::Body;
            this.ended = ready!(poll_body(core, body, fresh, cx));
            this.phase = Phase::Children;
        }
        if this.phase == Phase::Children {
            if core.poll_closed(cx).is_pending() {
                current::waiting_on(WaitKind::Group, Arc::as_ptr(core));
                return Poll::Pending;
            }
            if let (Some(reason), Ended::With(_)) = (core.cut(), &this.ended) {
                this.ended = Ended::Cancelled(reason);
            }
            this.phase = Phase::CleanUps;
        }
        if this.phase == Phase::CleanUps {
            let frame = in_group(core);
            ready!(frame::enter(&frame, || node.poll_clean_ups(cx)));
            node.leave();
            this.phase = Phase::Left;
        }
        if let Ended::Panicked(_) = this.ended {
            core.report_failures();
        }
        let mut failures = core.take_failures();
        if let (Ended::Cancelled(_), true) = (&this.ended, failures.is_empty()) {
            // Looked at again by each poll, for the future may be moved meanwhile.
            if frame::around_ends(now()) {
                return Poll::Pending;
            }
        }
        this.phase = Phase::Done;
        Poll::Ready(match core::mem::replace(&mut this.ended, Ended::NotYet) {
            Ended::With(output) if failures.is_empty() => Ok(output),
            Ended::Cancelled(reason) if failures.is_empty() => {
                Err(GroupError::new(vec![Failure::Cancelled(reason)]))
            }
            Ended::Panicked(payload) => resume_unwind(payload),
            Ended::Failed(error) => {
                failures.push(Failure::of_body(error));
                Err(GroupError::new(failures))
            }
            Ended::With(output) => {
                // First: a panic in its drop would leak an error that is ready to be returned.
                drop(output);
                Err(GroupError::new(failures))
            }
            Ended::Cancelled(_) | Ended::NotYet => Err(GroupError::new(failures)),
        })
    }
}

/// A group outside all tasks is found through its runtime.
fn tell_runtime<E>(core: &Core<E>) {
    if let (None, Some(handle)) = (frame::task(), &core.handle) {
        handle.scheduler().outside.add(core.node());
    }
}

/// What is polled or dropped in the group.
fn in_group<E>(core: &Core<E>) -> Frame<'_> {
    Frame::new(Kind::Scope {
        node: core.node_place(),
        deadline: None,
    })
}

/// `Ready`: the body is gone.
fn poll_body<B, R, E>(
    core: &Core<E>,
    mut body: Pin<&mut Option<B>>,
    fresh: bool,
    cx: &mut Context<'_>,
) -> Poll<Ended<R, E>>
where
    B: Future<Output = Result<R, E>>,
{
    let node = core.node();
    let frame = in_group(core);
    if let Some(reason) = node.own_reason().filter(|_| fresh) {
        return Poll::Ready(end_body(core, &frame, body, Ended::Cancelled(reason)));
    }
    let polled = catch_unwind(AssertUnwindSafe(|| {
        frame::enter(&frame, || {
            let running = body
                .as_mut()
                .as_pin_mut()
                .expect("the body is there until it ended");
            running.poll(cx)
        })
    }));
    let ended = match polled {
        Ok(Poll::Ready(Ok(output))) => Ended::With(output),
        Ok(Poll::Ready(Err(error))) => Ended::Failed(error),
        Err(payload) => Ended::Panicked(payload),
        Ok(Poll::Pending) => {
            node.register(cx.waker());
            node.reap();
            let Some(reason) = node.reason() else {
                return Poll::Pending;
            };
            core.cancel(&reason);
            if node.is_held() {
                return Poll::Pending;
            }
            Ended::Cancelled(reason)
        }
    };
    Poll::Ready(end_body(core, &frame, body, ended))
}

/// Drops the body in the group. A panic of that is a panic of the body.
fn end_body<B, R, E>(
    core: &Core<E>,
    frame: &Frame<'_>,
    mut body: Pin<&mut Option<B>>,
    ended: Ended<R, E>,
) -> Ended<R, E> {
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        frame::enter(frame, || body.set(None));
    }));
    let ended = match (dropped, ended) {
        (Ok(()), ended) => ended,
        (Err(second), Ended::Panicked(first)) => {
            lost::report_here(UnobservedKind::FutureDrop, second);
            Ended::Panicked(first)
        }
        (Err(payload), _) => Ended::Panicked(payload),
    };
    if let Ended::Failed(_) | Ended::Panicked(_) = ended {
        core.cancel_members(&CancelReason::of(CancelKind::GroupFailed));
    }
    ended
}

impl<B, R, E> Drop for Run<B, R, E> {
    fn drop(&mut self) {
        if self.phase == Phase::Done {
            return;
        }
        struct Leave<'a, E>(&'a Core<E>);
        impl<E> Drop for Leave<'_, E> {
            fn drop(&mut self) {
                let node = self.0.node();
                let left = node.take_clean_ups();
                node.leave();
                for clean_up in left {
                    clean_up.hand_over(self.0.handle.as_ref());
                }
                // The children are the runtime's from here on.
                self.0.abandon(&CancelReason::of(CancelKind::OwnerDropped));
            }
        }
        if let Ended::Panicked(payload) = core::mem::replace(&mut self.ended, Ended::NotYet) {
            lost::report_here(UnobservedKind::Panic, payload);
        }
        let _leave = Leave(&self.core);
        // The body first. What is deferred in it goes to whoever drops it.
        // SAFETY: dropped in place, and not used again.
        unsafe { Pin::new_unchecked(&mut self.body) }.set(None);
    }
}
