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
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_sync::{AcquireOwned, OwnedPermit};

use super::core::{Core, Seat};
use super::error::{Failure, Panic};
use super::outcome::Ended;
use super::start::Starting;
use crate::scope::clean_up::CleanUp;
use crate::scope::frame::{self, Frame, Kind};
use crate::task::cell::{Header, Work};
use crate::task::{CancelKind, CancelReason, JoinError, TaskId, UnobservedKind, raw};

/// A child's work.
pub struct Child<F, T, E: Send + 'static> {
    /// Structurally pinned.
    turn: Option<AcquireOwned>,
    permit: Option<OwnedPermit>,
    /// Structurally pinned.
    future: Option<F>,
    seat: Option<Seat<E>>,
    starting: Option<Arc<Starting<E>>>,
    _output: PhantomData<fn() -> T>,
}

impl<F, T, E: Send + 'static> Child<F, T, E> {
    /// A child that was admitted.
    pub fn new(
        future: F,
        seat: Seat<E>,
        turn: Option<AcquireOwned>,
        starting: Option<Arc<Starting<E>>>,
    ) -> Self {
        Self {
            turn,
            permit: None,
            future: Some(future),
            seat: Some(seat),
            starting,
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
                if let Err(lost) = tell(&core, this.starting.as_deref(), failure) {
                    drop(lost);
                    let what = core::any::type_name::<E>();
                    let line = format!("returned an error ({what}) after its group was dropped");
                    raw::report(header.into(), UnobservedKind::GroupChild, Box::new(line));
                }
                Err(JoinError::in_group(header, false))
            }
            Err(payload) => {
                note(seat, header, Ended::Panicked);
                let panic = Panic::new(TaskId(header.slot.id()), payload);
                match tell(&core, this.starting.as_deref(), Failure::Panic(panic)) {
                    Err(Failure::Panic(panic)) => {
                        Err(JoinError::panicked(header, panic.into_payload()))
                    }
                    _ => Err(JoinError::in_group(header, true)),
                }
            }
        };
        raw::guarded(NonNull::from(header), UnobservedKind::FutureDrop, || {
            frame::enter(&frame, || future.set(None));
        });
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
    starting: Option<&Starting<E>>,
    failure: Failure<E>,
) -> Result<(), Failure<E>> {
    let failure = match starting {
        None => failure,
        Some(starting) => match starting.fail(failure) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        },
    };
    core.fail(failure, &failed())
}

/// Why siblings of a failure are cancelled.
pub fn failed() -> CancelReason {
    CancelReason::of(CancelKind::GroupFailed)
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
        /// Gives the seat up also if the future's drop panics.
        struct Leave<E: Send + 'static>(Option<Seat<E>>);
        impl<E: Send + 'static> Drop for Leave<E> {
            fn drop(&mut self) {
                leave(self.0.take());
            }
        }
        if let Some((id, name)) = frame::current_task() {
            seat.ended(id, name, Ended::Cancelled);
        }
        let core = Arc::clone(seat.core());
        let _leave = Leave(Some(seat));
        let frame = Frame::new(Kind::Child(core.node()));
        // SAFETY: dropped in place, and not used again.
        let mut future = unsafe { Pin::new_unchecked(&mut self.future) };
        frame::enter(&frame, || future.set(None));
    }
}
