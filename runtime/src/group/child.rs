//! A child of a group: a future, its seat, and what its end means to the group.
//!
//! ```text
//!  waits for its turn (if the group is limited) ──► runs ──► its future is dropped ──► its clean-ups are
//!  done (by its task) ──► it gives up its seat
//! ```
//!
//! A failure is told at once, so that siblings are cancelled; the seat is given up last, so that a group
//! that has ended has nothing alive.

use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, ready};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tenter_sync::{AcquireOwned, OwnedPermit};

use super::core::{Core, Seat};
use super::error::{Failure, Panic};
use super::lost;
use super::outcome::{Ended, TaskOutcome};
use super::start::Starter;
use crate::scope::clean_up::CleanUp;
use crate::scope::frame::{self, Frame, Kind};
use crate::task::cell::{Header, Work};
use crate::task::{Canceller, JoinError, TaskId, UnobservedKind, raw};

/// A child's work.
pub struct Child<F, T, E: Send + 'static> {
    /// If its group is limited. Apart, because most are not.
    turn: Option<Pin<Box<Turn>>>,
    /// Structurally pinned.
    future: Option<F>,
    seat: Option<Seat<E>>,
    /// Until the work ends: who waits for it to be ready.
    starter: Option<Arc<dyn Starter<E>>>,
    _output: PhantomData<fn() -> T>,
}

/// A child's turn in a limited group.
struct Turn {
    /// Structurally pinned.
    waiting: Option<AcquireOwned>,
    permit: Option<OwnedPermit>,
}

impl Turn {
    /// Ready, and ready again, once it has come.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>, header: &Header) -> Poll<()> {
        // SAFETY: `waiting` is not moved: pinned again before it is polled, and dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: pinned along with the whole.
        let mut waiting = unsafe { Pin::new_unchecked(&mut this.waiting) };
        if let Some(turn) = waiting.as_mut().as_pin_mut() {
            if header.state.load().is_cancelled() {
                // It may come all the same, but what was never polled is dropped unpolled.
                return Poll::Pending;
            }
            this.permit = ready!(turn.poll(cx)).ok();
            waiting.set(None);
        }
        Poll::Ready(())
    }
}

impl<F, T, E: Send + 'static> Child<F, T, E> {
    /// A child that was admitted.
    pub fn new(
        future: F,
        seat: Seat<E>,
        turn: Option<AcquireOwned>,
        starter: Option<Arc<dyn Starter<E>>>,
    ) -> Self {
        let waits = |waiting| {
            Box::pin(Turn {
                waiting: Some(waiting),
                permit: None,
            })
        };
        Self {
            turn: turn.map(waits),
            future: Some(future),
            seat: Some(seat),
            starter,
            _output: PhantomData,
        }
    }
}

impl<F, T, E> Work for Child<F, T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Send + 'static,
{
    type Output = T;

    #[inline]
    fn poll_work(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        header: &Header,
    ) -> Poll<Result<T, JoinError>> {
        // SAFETY: `future` is not moved: pinned again before it is used, and dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(turn) = &mut this.turn {
            ready!(turn.as_mut().poll(cx, header));
        }
        // SAFETY: pinned along with the whole.
        let mut future = unsafe { Pin::new_unchecked(&mut this.future) };
        let seat = this.seat.as_ref().expect("given up when the work ends");
        let core = seat.core();
        let frame = Frame::new(Kind::Child(core.node()));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            frame::enter(&frame, || {
                let running = future.as_mut().as_pin_mut().expect("as the seat");
                running.poll(cx)
            })
        }));
        let (ended, output) = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => (Ended::Succeeded, Ok(value)),
            Ok(Poll::Ready(Err(error))) => {
                let task = Some(TaskId(header.slot.id()));
                let failure = Failure::Error { error, task };
                if let Err(failure) = tell(core, this.starter.as_deref(), header, failure) {
                    lost::report(failure, header.into());
                }
                (Ended::Failed, Err(JoinError::in_group(header, false)))
            }
            Err(payload) => {
                let error = match tell_panic(core, this.starter.as_deref(), header, payload) {
                    Ok(()) => JoinError::in_group(header, true),
                    Err(payload) => JoinError::panicked(header, payload),
                };
                (Ended::Panicked, Err(error))
            }
        };
        raw::guarded(NonNull::from(header), UnobservedKind::FutureDrop, || {
            frame::enter(&frame, || future.set(None));
        });
        if let Some(starter) = this.starter.take() {
            starter.close();
        }
        this.turn = None;
        if let Some(seat) = this.seat.take() {
            leave(seat, header, ended);
        }
        Poll::Ready(output)
    }
}

/// Tells a failure to whoever has to know: the one who starts the child, if it was not ready; else the
/// group.
fn tell<E>(
    core: &Core<E>,
    starter: Option<&dyn Starter<E>>,
    header: &Header,
    failure: Failure<E>,
) -> Result<(), Failure<E>> {
    let failure = match starter {
        None => failure,
        Some(starter) => match starter.fail(failure) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        },
    };
    core.fail(failure, Canceller::new(header.into()))
}

/// The same of a panic.
fn tell_panic<E>(
    core: &Core<E>,
    starter: Option<&dyn Starter<E>>,
    header: &Header,
    payload: Box<dyn Any + Send>,
) -> Result<(), Box<dyn Any + Send>> {
    let panic = Panic::new(TaskId(header.slot.id()), payload);
    match tell(core, starter, header, Failure::Panic(panic)) {
        Err(Failure::Panic(panic)) => Err(panic.into_payload()),
        _ => Ok(()),
    }
}

/// Gives the seat up when all is done: after the clean-ups that the task still has to do.
fn leave<E: Send + 'static>(seat: Seat<E>, header: &Header, ended: Ended) {
    let outcome = TaskOutcome::new(TaskId(header.slot.id()), header.name(), ended);
    match header.root() {
        Some(root) if root.has_clean_ups() => {
            let leaving = Leaving(Some((seat, outcome)));
            drop(root.defer(CleanUp::value(Box::new(leaving))));
        }
        _ => seat.give_up(outcome),
    }
}

/// A seat that is given up when this is dropped.
struct Leaving<E>(Option<(Seat<E>, TaskOutcome)>);

impl<E> Drop for Leaving<E> {
    fn drop(&mut self) {
        if let Some((seat, outcome)) = self.0.take() {
            seat.give_up(outcome);
        }
    }
}

impl<F, T, E: Send + 'static> Drop for Child<F, T, E> {
    fn drop(&mut self) {
        let Some(seat) = self.seat.take() else {
            return;
        };
        let core = seat.core();
        let frame = Frame::new(Kind::Child(core.node()));
        // SAFETY: dropped in place, and not used again.
        let mut future = unsafe { Pin::new_unchecked(&mut self.future) };
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            frame::enter(&frame, || future.set(None));
        }));
        let task = frame::task();
        // A clean-up that fails is a failure.
        let (ended, thrown) = match (dropped, task) {
            (Ok(()), _) => (Ended::Cancelled, None),
            (Err(payload), None) => (Ended::Panicked, Some(payload)),
            (Err(payload), Some(header)) => {
                let told = tell_panic(core, self.starter.as_deref(), header, payload);
                (Ended::Panicked, told.err())
            }
        };
        if let Some(starter) = self.starter.take() {
            starter.close();
        }
        self.turn = None;
        match task {
            Some(header) => leave(seat, header, ended),
            // It never became a task.
            None => drop(seat),
        }
        if let Some(payload) = thrown {
            resume_unwind(payload);
        }
    }
}
