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
use super::outcome::Ended;
use super::start::Starter;
use crate::scope::clean_up::CleanUp;
use crate::scope::frame::{self, Frame, Kind};
use crate::task::cell::{Header, Work};
use crate::task::{Canceller, JoinError, TaskId, UnobservedKind, raw};

/// A child's work.
pub struct Child<F, T, E: Send + 'static> {
    /// Structurally pinned.
    turn: Option<AcquireOwned>,
    permit: Option<OwnedPermit>,
    /// Structurally pinned.
    future: Option<F>,
    seat: Option<Seat<E>>,
    /// Until the work ends: who waits for it to be ready.
    starter: Option<Arc<dyn Starter<E>>>,
    _output: PhantomData<fn() -> T>,
}

impl<F, T, E: Send + 'static> Child<F, T, E> {
    /// A child that was admitted.
    pub fn new(
        future: F,
        seat: Seat<E>,
        turn: Option<AcquireOwned>,
        starter: Option<Arc<dyn Starter<E>>>,
    ) -> Self {
        Self {
            turn,
            permit: None,
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
        // SAFETY: `turn` and `future` are not moved: pinned again before they are used, and dropped in
        // place.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: pinned along with the whole.
        let mut turn = unsafe { Pin::new_unchecked(&mut this.turn) };
        if let Some(waiting) = turn.as_mut().as_pin_mut() {
            if header.state.load().is_cancelled() {
                // Its turn may come all the same, but what was never polled is dropped unpolled.
                return Poll::Pending;
            }
            this.permit = ready!(waiting.poll(cx)).ok();
            turn.set(None);
        }
        // SAFETY: pinned along with the whole.
        let mut future = unsafe { Pin::new_unchecked(&mut this.future) };
        let seat = this.seat.as_mut().expect("given up when the work ends");
        let core = Arc::clone(seat.core());
        let frame = Frame::new(Kind::Child(core.node()));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            frame::enter(&frame, || {
                let running = future.as_mut().as_pin_mut().expect("as the seat");
                running.poll(cx)
            })
        }));
        let output = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(value))) => {
                note(seat, header, Ended::Succeeded);
                Ok(value)
            }
            Ok(Poll::Ready(Err(error))) => {
                note(seat, header, Ended::Failed);
                let task = Some(TaskId(header.slot.id()));
                let failure = Failure::Error { error, task };
                if let Err(failure) = tell(&core, this.starter.as_deref(), header, failure) {
                    lost::report(failure, header.into());
                }
                Err(JoinError::in_group(header, false))
            }
            Err(payload) => {
                note(seat, header, Ended::Panicked);
                match tell_panic(&core, this.starter.as_deref(), header, payload) {
                    Ok(()) => Err(JoinError::in_group(header, true)),
                    Err(payload) => Err(JoinError::panicked(header, payload)),
                }
            }
        };
        raw::guarded(NonNull::from(header), UnobservedKind::FutureDrop, || {
            frame::enter(&frame, || future.set(None));
        });
        if let Some(starter) = this.starter.take() {
            starter.close();
        }
        this.permit = None;
        leave(this.seat.take());
        Poll::Ready(output)
    }
}

fn note<E>(seat: &mut Seat<E>, header: &Header, ended: Ended) {
    seat.ended(TaskId(header.slot.id()), header.name(), ended);
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
fn leave<E: Send + 'static>(seat: Option<Seat<E>>) {
    let Some(seat) = seat else { return };
    match frame::root_if_made() {
        Some(root) if root.has_clean_ups() => {
            drop(root.defer(CleanUp::value(Box::new(seat))));
        }
        _ => drop(seat),
    }
}

impl<F, T, E: Send + 'static> Drop for Child<F, T, E> {
    fn drop(&mut self) {
        let Some(mut seat) = self.seat.take() else {
            return;
        };
        let core = Arc::clone(seat.core());
        let frame = Frame::new(Kind::Child(core.node()));
        // SAFETY: dropped in place, and not used again.
        let mut future = unsafe { Pin::new_unchecked(&mut self.future) };
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            frame::enter(&frame, || future.set(None));
        }));
        let task = frame::task();
        if let Some(header) = task {
            note(&mut seat, header, Ended::Cancelled);
        }
        // A clean-up that fails is a failure.
        let thrown = match (dropped, task) {
            (Ok(()), _) => None,
            (Err(payload), None) => Some(payload),
            (Err(payload), Some(header)) => {
                note(&mut seat, header, Ended::Panicked);
                tell_panic(&core, self.starter.as_deref(), header, payload).err()
            }
        };
        if let Some(starter) = self.starter.take() {
            starter.close();
        }
        // SAFETY: dropped in place, and not used again.
        unsafe { Pin::new_unchecked(&mut self.turn) }.set(None);
        self.permit = None;
        leave(Some(seat));
        if let Some(payload) = thrown {
            resume_unwind(payload);
        }
    }
}
