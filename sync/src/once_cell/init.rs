//! The futures that wait for the value, or make it.
//!
//! ```text
//!           claim              ready with a value
//!   Waits ─────────► Runs ─────────────────────────► Served ──► Over
//!     │               │ fails, panics                            ▲
//!     │               └──────────────────────────────────────────┤
//!     └──────────────────────────────────────────────────────────┘
//!                    somebody else has made it
//! ```
//!
//! The waiter has a life of its own inside Waits: Idle or Waiting in line, Granted is told to try,
//! Dismissed means that the value is there, Done has left the line for good.
//!
//! Invariant I1: the cell is claimed by this future exactly while it Runs, or a [`Turn`] is alive.
//!
//! Obligations of the wait list's contract: (a) the drop of [`Init`] takes the waiter out before the
//! waiter inside it is dropped; (b) the waiter is given to `cell.line` and nothing else; (c) the future
//! borrows the cell, so that cannot move or go while the future can still be polled or dropped.

use core::convert::Infallible;
use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::line::Found;
use super::{OnceCell, reentry};
use crate::budget;
use crate::wait_list::{WaitState, Waiter};

/// Waits for the value of a cell, or makes it. See [`OnceCell::get_or_init`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct GetOrInit<'a, T, F, Fut>(Init<'a, T, F, Fut>);

/// Waits for the value of a cell, or tries to make it. See [`OnceCell::get_or_try_init`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct GetOrTryInit<'a, T, F, Fut>(Init<'a, T, F, Fut>);

/// What both have in common.
pub(super) struct Init<'a, T, F, Fut> {
    cell: &'a OnceCell<T>,
    stage: Stage<F, Fut>,
    waiter: Waiter,
    /// Who asked, for the report of a wait that would not end.
    caller: &'static Location<'static>,
}

enum Stage<F, Fut> {
    Waits(F),
    Runs(Fut),
    Served,
    Over,
}

impl<'a, T, F, Fut> GetOrInit<'a, T, F, Fut> {
    #[inline]
    pub(super) fn new(init: Init<'a, T, F, Fut>) -> Self {
        Self(init)
    }
}

impl<'a, T, F, Fut> GetOrTryInit<'a, T, F, Fut> {
    #[inline]
    pub(super) fn new(init: Init<'a, T, F, Fut>) -> Self {
        Self(init)
    }
}

impl<'a, T, F, Fut> Future for GetOrInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = T>,
{
    type Output = &'a T;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<&'a T> {
        // SAFETY: the one field is pinned with the future: it is never moved out.
        let init = unsafe { self.map_unchecked_mut(|future| &mut future.0) };
        init.poll(cx, Ok::<T, Infallible>)
            .map(|Ok(value): Result<_, Infallible>| value)
    }
}

impl<'a, T, E, F, Fut> Future for GetOrTryInit<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future<Output = Result<T, E>>,
{
    type Output = Result<&'a T, E>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: as above.
        let init = unsafe { self.map_unchecked_mut(|future| &mut future.0) };
        init.poll(cx, |outcome| outcome)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe("GetOrInit", f)
    }
}

impl<T, F, Fut> fmt::Debug for GetOrTryInit<'_, T, F, Fut> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.describe("GetOrTryInit", f)
    }
}

impl<'a, T, F, Fut> Init<'a, T, F, Fut> {
    #[inline]
    pub(super) fn new(cell: &'a OnceCell<T>, init: F, caller: &'static Location<'static>) -> Self {
        Self {
            cell,
            stage: Stage::Waits(init),
            waiter: Waiter::new(),
            caller,
        }
    }

    #[inline]
    fn project(
        self: Pin<&mut Self>,
    ) -> (&'a OnceCell<T>, Pin<&mut Stage<F, Fut>>, Pin<&mut Waiter>) {
        // SAFETY: stage and waiter are pinned with the future: neither is moved out, and it is not
        // `Unpin` because `Waiter` is not. Were they moved, the list, or whoever knows where the
        // initialiser is, would point to where they were.
        unsafe {
            let this = self.get_unchecked_mut();
            (
                this.cell,
                Pin::new_unchecked(&mut this.stage),
                Pin::new_unchecked(&mut this.waiter),
            )
        }
    }

    fn describe(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let stage = match self.stage {
            Stage::Waits(_) => "Waits",
            Stage::Runs(_) => "Runs",
            Stage::Served => "Served",
            Stage::Over => "Over",
        };
        f.debug_struct(what)
            .field("stage", &format_args!("{stage}"))
            .finish_non_exhaustive()
    }
}

impl<'a, T, F, Fut> Init<'a, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    fn poll<E>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        check: impl Fn(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<&'a T, E>> {
        let caller = self.caller;
        let (cell, mut stage, mut waiter) = self.project();
        loop {
            match &*stage {
                Stage::Over => completed(),
                Stage::Runs(_) => {
                    let turn = Turn {
                        cell,
                        stage: stage.as_mut(),
                    };
                    match turn.run(cx, &check) {
                        Poll::Pending => return Poll::Pending,
                        Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                        Poll::Ready(Ok(())) => {}
                    }
                }
                Stage::Waits(_) | Stage::Served => match cell.find(waiter.as_mut(), cx, caller) {
                    Found::Busy => return Poll::Pending,
                    Found::Turn => {
                        let turn = Turn {
                            cell,
                            stage: stage.as_mut(),
                        };
                        cell.settle(waiter.as_mut()); // drops a waker, with the turn in hand
                        turn.begin(cx.waker());
                    }
                    Found::Value => {
                        // The value is secured: it stays in the cell.
                        if budget::poll_spend(cx).is_pending() {
                            return Poll::Pending;
                        }
                        if let Some(value) = cell.get() {
                            stage.set(Stage::Over);
                            return Poll::Ready(Ok(value));
                        }
                    }
                },
            }
        }
    }
}

impl<T, F, Fut> Drop for Init<'_, T, F, Fut> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        let (cell, stage, waiter) = unsafe { Pin::new_unchecked(self) }.project();
        if let Stage::Runs(_) = &*stage {
            drop(Turn { cell, stage });
        }
        match waiter.state() {
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => {}
            WaitState::Waiting | WaitState::Granted => cell.abandon(waiter),
        }
    }
}

/// The right to make the value. Dropped, it drops the initialiser and lets the next one try (I4, I6 of
/// the cell), so it is forgotten when the initialiser is kept or has succeeded.
struct Turn<'p, 'a, T, F, Fut> {
    cell: &'a OnceCell<T>,
    stage: Pin<&'p mut Stage<F, Fut>>,
}

impl<T, F, Fut> Turn<'_, '_, T, F, Fut>
where
    F: FnOnce() -> Fut,
    Fut: Future,
{
    /// Waits to Runs.
    fn begin(mut self, waker: &Waker) {
        // SAFETY: a function that waits to be called is not pinned; an initialiser, which is, is not
        // moved here, because the stage is Waits.
        let stage = unsafe { self.stage.as_mut().get_unchecked_mut() };
        let Stage::Waits(init) = core::mem::replace(stage, Stage::Over) else {
            unreachable!("only a future that waits claims the cell");
        };
        let inside = reentry::enter(self.cell.address(), waker);
        let future = init();
        drop(inside);
        self.stage.set(Stage::Runs(future));
        core::mem::forget(self);
    }

    /// Polls the initialiser: Runs to Served or Over.
    fn run<E>(
        mut self,
        cx: &mut Context<'_>,
        check: impl Fn(Fut::Output) -> Result<T, E>,
    ) -> Poll<Result<(), E>> {
        // SAFETY: the initialiser is pinned with the stage.
        let future = unsafe {
            self.stage.as_mut().map_unchecked_mut(|stage| match stage {
                Stage::Runs(future) => future,
                _ => unreachable!("only an initialiser that has begun is polled"),
            })
        };
        let inside = reentry::enter(self.cell.address(), cx.waker());
        let outcome = future.poll(cx);
        drop(inside);
        match outcome {
            Poll::Pending => {
                core::mem::forget(self);
                Poll::Pending
            }
            Poll::Ready(output) => match check(output) {
                Err(error) => Poll::Ready(Err(error)),
                Ok(value) => {
                    self.stage.set(Stage::Served); // drops the initialiser, with the turn in hand
                    let cell = self.cell;
                    core::mem::forget(self);
                    cell.publish(value);
                    Poll::Ready(Ok(()))
                }
            },
        }
    }
}

impl<T, F, Fut> Drop for Turn<'_, '_, T, F, Fut> {
    fn drop(&mut self) {
        struct GiveUp<'a, T>(&'a OnceCell<T>);
        impl<T> Drop for GiveUp<'_, T> {
            fn drop(&mut self) {
                self.0.give_up();
            }
        }
        let _also_if_the_next_line_panics = GiveUp(self.cell);
        self.stage.set(Stage::Over);
    }
}

#[cold]
fn completed() -> ! {
    panic!("a OnceCell's future was polled again after it had completed: await it once");
}
