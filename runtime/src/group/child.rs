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
use core::mem::{ManuallyDrop, MaybeUninit};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use tenter_sync::{AcquireOwned, OwnedPermit, Semaphore};

use super::error::{Failure, Panic};
use super::lost;
use super::outcome::{Ended, TaskOutcome};
use super::seat::Seat;
use super::start::Starter;
use crate::scope::clean_up::CleanUp;
use crate::scope::frame::{self, Frame, Kind};
use crate::task::alive::Alive;
use crate::task::cell::Work;
use crate::task::{Canceller, JoinError, TaskId, UnobservedKind, raw};

/// A child's work.
///
/// - C1: the future is there as long as the seat; without a seat there is nothing to drop.
pub struct Child<F, T, E: Send + 'static> {
    /// Structurally pinned.
    future: MaybeUninit<F>,
    seat: ManuallyDrop<Seat<E>>,
    rare: ManuallyDrop<Option<Pin<Box<Rare<E>>>>>,
    _output: PhantomData<fn() -> T>,
}

/// What few children have.
struct Rare<E> {
    /// In a limited group, until its turn has come. Structurally pinned.
    waiting: Option<AcquireOwned>,
    permit: Option<OwnedPermit>,
    /// Until the work ends: who waits for it to be ready.
    starter: Option<Arc<dyn Starter<E>>>,
}

impl<E> Rare<E> {
    #[cold]
    fn new(limit: Option<Arc<Semaphore>>, starter: Option<Arc<dyn Starter<E>>>) -> Pin<Box<Self>> {
        Box::pin(Self {
            waiting: limit.map(Semaphore::acquire_owned),
            permit: None,
            starter,
        })
    }

    /// Ready, and ready again, once the child's turn has come.
    fn poll_turn(self: Pin<&mut Self>, cx: &mut Context<'_>, header: Alive<'_>) -> Poll<()> {
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

    fn starter(this: Option<&Pin<Box<Self>>>) -> Option<&dyn Starter<E>> {
        this?.starter.as_deref()
    }

    /// The work has ended.
    #[cold]
    fn end(self: Pin<Box<Self>>) {
        if let Some(starter) = &self.starter {
            starter.close();
        }
    }
}

impl<F, T, E: Send + 'static> Child<F, T, E> {
    /// A child that was admitted.
    #[inline]
    pub fn new(
        future: F,
        seat: Seat<E>,
        limit: Option<Arc<Semaphore>>,
        starter: Option<Arc<dyn Starter<E>>>,
    ) -> Self {
        let rare = match (limit, starter) {
            (None, None) => None,
            (limit, starter) => Some(Rare::new(limit, starter)),
        };
        Self {
            future: MaybeUninit::new(future),
            seat: ManuallyDrop::new(seat),
            rare: ManuallyDrop::new(rare),
            _output: PhantomData,
        }
    }

    /// A child that was not admitted: never ready.
    pub fn refused() -> Self {
        Self {
            future: MaybeUninit::uninit(),
            seat: ManuallyDrop::new(Seat::none()),
            rare: ManuallyDrop::new(None),
            _output: PhantomData,
        }
    }
}

/// Drops a future inside its frame.
///
/// # Safety
///
/// (a) It is there, and not used again.
unsafe fn drop_future<F>(future: *mut F, frame: &Frame<'_>) -> Result<(), Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: (a), and in place.
        frame::enter(frame, || unsafe { future.drop_in_place() });
    }))
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
        task: Alive<'_>,
    ) -> Poll<Result<T, JoinError>> {
        // SAFETY: `future` is not moved: pinned again before it is polled, and dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        if let Some(rare) = &mut *this.rare {
            ready!(rare.as_mut().poll_turn(cx, task));
        }
        let Some(core) = this.seat.core() else {
            return Poll::Pending; // It was not admitted.
        };
        let frame = Frame::new(Kind::Child(core.node()));
        let future = this.future.as_mut_ptr();
        let mut output = None;
        let polled = catch_unwind(AssertUnwindSafe(|| {
            frame::enter(&frame, || {
                // SAFETY: it is there (C1), and pinned along with the whole.
                let running = unsafe { Pin::new_unchecked(&mut *future) };
                if let Poll::Ready(ready) = running.poll(cx) {
                    if output.insert(ready).is_ok() {
                        // SAFETY: the seat is taken below, also if this panics. In place.
                        unsafe { future.drop_in_place() };
                    }
                }
            });
        }));
        if matches!((&polled, &output), (Ok(()), None)) {
            return Poll::Pending;
        }
        // From here on, what panics leaks the future rather than drop it twice (C1).
        let seat = this.seat.take();
        let (ended, output) = match (polled, output) {
            (Ok(()), Some(Ok(value))) => (Ended::Succeeded, Ok(value)),
            (Err(payload), Some(Ok(value))) => {
                raw::report(task.pointer(), UnobservedKind::FutureDrop, payload);
                (Ended::Succeeded, Ok(value))
            }
            (polled, output) => {
                let core = seat.core().expect("looked at above");
                let starter = Rare::starter(this.rare.as_ref());
                let error = polled.map(|()| output.and_then(Result::err));
                let (ended, error) = tell_end(&seat, starter, task, error);
                let frame = Frame::new(Kind::Child(core.node()));
                // SAFETY: (a) it was not dropped above, and the seat is taken.
                if let Err(payload) = unsafe { drop_future(future, &frame) } {
                    raw::report(task.pointer(), UnobservedKind::FutureDrop, payload);
                }
                (ended, Err(error))
            }
        };
        if let Some(rare) = this.rare.take() {
            rare.end();
        }
        leave(seat, task, ended);
        Poll::Ready(output)
    }
}

/// Tells that the future has failed, or panicked.
#[cold]
fn tell_end<E>(
    seat: &Seat<E>,
    starter: Option<&dyn Starter<E>>,
    header: Alive<'_>,
    error: Result<Option<E>, Box<dyn Any + Send>>,
) -> (Ended, JoinError) {
    match error {
        Ok(error) => {
            let failure = error.map(|error| Failure::of_child(&header, error));
            let told = failure.map(|failure| tell(seat, starter, failure));
            if let Some(Err(failure)) = told {
                lost::report(failure, header.pointer());
            }
            (Ended::Failed, JoinError::in_group(&header, false))
        }
        Err(payload) => {
            let error = match tell_panic(seat, starter, header, payload) {
                Ok(()) => JoinError::in_group(&header, true),
                Err(payload) => JoinError::panicked(&header, payload),
            };
            (Ended::Panicked, error)
        }
    }
}

/// Tells a failure to whoever has to know: the one who starts the child, if it was not ready; else the
/// group.
fn tell<E>(
    seat: &Seat<E>,
    starter: Option<&dyn Starter<E>>,
    failure: Failure<E>,
) -> Result<(), Failure<E>> {
    let failure = match starter {
        None => failure,
        Some(starter) => match starter.fail(failure) {
            Ok(()) => return Ok(()),
            Err(failure) => failure,
        },
    };
    seat.fail(failure)
}

/// The same of a panic.
fn tell_panic<E>(
    seat: &Seat<E>,
    starter: Option<&dyn Starter<E>>,
    header: Alive<'_>,
    payload: Box<dyn Any + Send>,
) -> Result<(), Box<dyn Any + Send>> {
    let panic = Panic::of_child(&header, payload);
    match tell(seat, starter, Failure::Panic(panic)) {
        Err(Failure::Panic(panic)) => Err(panic.into_payload()),
        _ => Ok(()),
    }
}

/// Gives the seat up when all is done: after the clean-ups that the task still has to do.
#[inline(always)]
fn leave<E: Send + 'static>(seat: Seat<E>, header: Alive<'_>, ended: Ended) {
    if header.extras().is_some() {
        return leave_with_extras(seat, header, ended);
    }
    seat.give_up_unnamed(TaskId(header.slot.id()), ended);
}

#[cold]
fn leave_with_extras<E: Send + 'static>(seat: Seat<E>, header: Alive<'_>, ended: Ended) {
    let outcome = TaskOutcome::new(TaskId(header.slot.id()), header.name(), ended);
    match header.root() {
        Some(root) if root.has_clean_ups() => {
            let leaving = Leaving {
                _task: seat.canceller(),
                seat: Some((seat, outcome)),
            };
            drop(root.defer(CleanUp::value(Box::new(leaving))));
        }
        _ => seat.give_up(outcome),
    }
}

/// A seat that is given up when this is dropped.
struct Leaving<E> {
    seat: Option<(Seat<E>, TaskOutcome)>,
    /// P1 of `seats.rs`, whoever drops this. Declared last, to be dropped last.
    _task: Option<Canceller>,
}

impl<E> Drop for Leaving<E> {
    fn drop(&mut self) {
        if let Some((seat, outcome)) = self.seat.take() {
            seat.give_up(outcome);
        }
    }
}

impl<F, T, E: Send + 'static> Drop for Child<F, T, E> {
    #[inline]
    fn drop(&mut self) {
        if self.seat.core().is_some() {
            let (seat, rare) = (self.seat.take(), self.rare.take());
            // SAFETY: (a) it is there, by C1; dropped in place, and not used again.
            unsafe { end_unready(seat, self.future.as_mut_ptr(), rare) };
        }
    }
}

/// Ends a child that was not ready.
///
/// # Safety
///
/// (a) The future is there, pinned, and not used again.
#[cold]
unsafe fn end_unready<F, E: Send + 'static>(
    seat: Seat<E>,
    future: *mut F,
    rare: Option<Pin<Box<Rare<E>>>>,
) {
    let core = seat.core().expect("looked at by the caller");
    let frame = Frame::new(Kind::Child(core.node()));
    // SAFETY: (a).
    let dropped = unsafe { drop_future(future, &frame) };
    let task = frame::task();
    // A clean-up that fails is a failure.
    let (ended, thrown) = match (dropped, task) {
        (Ok(()), _) => (Ended::Cancelled, None),
        (Err(payload), None) => (Ended::Panicked, Some(payload)),
        (Err(payload), Some(header)) => {
            let told = tell_panic(&seat, Rare::starter(rare.as_ref()), header, payload);
            (Ended::Panicked, told.err())
        }
    };
    if let Some(rare) = rare {
        rare.end();
    }
    match task {
        Some(header) => leave(seat, header, ended),
        // It never became a task.
        None => drop(seat),
    }
    if let Some(payload) = thrown {
        resume_unwind(payload);
    }
}
