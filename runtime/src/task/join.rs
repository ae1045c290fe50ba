//! The handle of a task: the right to its output.
//!
//! Dropping it detaches the task, which runs on. The waker in the cell belongs to the handle while
//! JOIN_WAKER is clear, and to the finisher once the task is complete with JOIN_WAKER set; the rules
//! are those of [`state`](super::state).
//!
//! Tests: `tests/tests/tasks.rs`; `loom-tests/tests/task.rs`.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::panic::{RefUnwindSafe, UnwindSafe};
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use tenter_sync::budget;
use tenter_sync::current::{WaitKind, waiting_on};

use super::alive::Alive;
use super::cancel::{self, CancelKind, CancelReason, Canceller};
use super::cell::Header;
use super::error::{JoinError, UnobservedKind};
use super::id::TaskId;
use super::raw;
use super::state::{Detach, Register, Unregister};

/// The right to the output of a task. A future; dropping it detaches the task, which runs on.
///
/// # Errors
///
/// The output is an `Err` if the task was cancelled or panicked.
///
/// # Cancel safety
///
/// Polling borrows the handle: drop the `&mut handle` future and the output stays for the next one.
///
/// # Panics
///
/// When polled again after it was ready.
///
/// # Examples
///
/// ```
/// let answer = tenter::run(async {
///     let handle = tenter::spawn(async { 6 * 7 });
///     handle.await.expect("neither cancelled nor panicked")
/// });
/// assert_eq!(answer, 42);
/// ```
#[doc(alias = "Task")]
pub struct JoinHandle<T> {
    task: NonNull<Header>,
    /// Whether JOIN_WAKER was set by this handle and not taken back.
    registered: bool,
    /// Whether the output was taken.
    taken: bool,
    _output: PhantomData<T>,
}

// SAFETY: the handle only moves the output from the task's thread to its own; hence `T: Send`. The
// future is never touched through it.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through `&self` there is no way to the output.
unsafe impl<T: Send> Sync for JoinHandle<T> {}
impl<T> Unpin for JoinHandle<T> {}
impl<T> UnwindSafe for JoinHandle<T> {}
impl<T> RefUnwindSafe for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Wraps the second reference of a task whose output is a `Result<T, JoinError>`.
    pub(crate) fn new(task: NonNull<Header>) -> Self {
        Self {
            task,
            registered: false,
            taken: false,
            _output: PhantomData,
        }
    }

    pub(crate) fn header(&self) -> Alive<'_> {
        // SAFETY: the handle has a reference.
        unsafe { Alive::new(self.task) }
    }

    /// Requests cancellation: the task's future is dropped at its next suspension that is not
    /// shielded, or unpolled if it never ran. A task that is ready at that poll keeps its output.
    ///
    /// True if this was the first request and the task had not ended.
    #[track_caller]
    #[doc(alias = "abort")]
    pub fn cancel(&self) -> bool {
        cancel::cancel(self.task, CancelReason::requested(None))
    }

    /// [`cancel`](Self::cancel) with a reason, which is in the [`JoinError`]. The first reason stays.
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<CancelReason>) -> bool {
        cancel::cancel(self.task, reason.into())
    }

    /// Requests cancellation and waits until the task has ended and its future is dropped.
    ///
    /// # Errors
    ///
    /// The task was cancelled or panicked. `Ok` if it was ready before the request took effect.
    #[track_caller]
    pub fn cancel_and_wait(self) -> Self {
        cancel::cancel(self.task, CancelReason::requested(None));
        self
    }

    /// Whether the task has ended.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        TaskId(self.header().slot.id())
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<Arc<str>> {
        self.header().name()
    }

    /// Gives the task a name, instead of the one it may have.
    pub fn set_name(&self, name: impl Into<Arc<str>>) {
        super::task_ref::set_name(&self.header(), name.into());
    }

    /// The right to cancel the task, apart from its output.
    #[doc(alias = "abort_handle")]
    pub fn canceller(&self) -> Canceller {
        Canceller::new(self.task)
    }

    /// A handle that cancels the task when it is dropped.
    pub fn cancel_on_drop(self) -> CancelOnDrop<T> {
        CancelOnDrop { handle: Some(self) }
    }

    /// The output of a task that has ended, if it was not taken.
    pub(crate) fn outcome(&mut self) -> Option<&Result<T, JoinError>> {
        if self.taken || !self.is_finished() {
            return None;
        }
        // SAFETY: `outcome` was made for this task, whose output is `T` (`new`); COMPLETE was seen with
        // acquire, and the output was not taken: it is this handle's, which is borrowed until the end.
        unsafe {
            let outcome = (self.header().vtable.outcome)(self.task);
            outcome.cast::<Result<T, JoinError>>().as_ref()
        }
    }

    /// Notes that the current task waits for this one.
    pub(crate) fn note_wait(&self) {
        waiting_on(WaitKind::Task, self.task.as_ptr());
    }

    /// Takes the waker back from the cell. False: the task is complete.
    fn unregister(&mut self) -> Option<Option<Waker>> {
        if self.registered && self.header().state.unregister() == Unregister::Complete {
            return None;
        }
        self.registered = false;
        // SAFETY: JOIN_WAKER is clear and the task was not complete when it was cleared: the place is
        // the handle's until it registers again.
        Some(
            self.header()
                .joiner
                .with_mut(|joiner| unsafe { (*joiner).take() }),
        )
    }

    /// Puts a waker in the cell. False: the task is complete, and the waker is not needed.
    fn register(&mut self, waker: Waker) -> bool {
        // SAFETY: JOIN_WAKER is clear: the place is the handle's. It is empty, so nothing is dropped.
        self.header()
            .joiner
            .with_mut(|joiner| unsafe { *joiner = Some(waker) });
        match self.header().state.register() {
            Register::Registered => {
                self.registered = true;
                true
            }
            Register::Complete => {
                // SAFETY: JOIN_WAKER was never set, so the finisher does not look here.
                let waker = self
                    .header()
                    .joiner
                    .with_mut(|joiner| unsafe { (*joiner).take() });
                drop(waker);
                false
            }
        }
    }

    /// Whether the task has ended; if not, the waker of `cx` is woken once when it does.
    pub(crate) fn is_complete_or_register(&mut self, cx: &mut Context<'_>) -> bool {
        if self.is_finished() {
            return true;
        }
        let Some(old) = self.unregister() else {
            return true;
        };
        let waker = match old {
            Some(old) if old.will_wake(cx.waker()) => old,
            old => {
                // The old waker is dropped, and the new one cloned, while the place is empty and the
                // handle's: a panic in either leaves it so.
                drop(old);
                cx.waker().clone()
            }
        };
        !self.register(waker)
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        assert!(
            !this.taken,
            "the JoinHandle of {} was polled after it was ready",
            this.header().describe()
        );
        if !this.is_complete_or_register(cx) {
            this.note_wait();
            return Poll::Pending;
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        let mut output = Poll::Pending;
        let destination: *mut Poll<Self::Output> = &mut output;
        this.taken = true;
        // SAFETY: `take_output` was made for this task, whose output is `T` (`new`); COMPLETE was seen
        // with acquire, this is the only join handle, and it notes that it has taken the output; the
        // destination is of the right type.
        unsafe { (this.header().vtable.take_output)(this.task, destination.cast()) };
        output
    }
}

impl<T> Drop for JoinHandle<T> {
    #[inline]
    fn drop(&mut self) {
        let header = self.header();
        header.live.touch();
        if header.state.detach_untouched() {
            return;
        }
        self.detach_slow();
    }
}

impl<T> JoinHandle<T> {
    fn detach_slow(&mut self) {
        match self.header().state.detach() {
            Detach::Detached => {
                // SAFETY: JOIN_WAKER is clear for good, and the task was not complete: the finisher
                // will not look here.
                let waker = self
                    .header()
                    .joiner
                    .with_mut(|joiner| unsafe { (*joiner).take() });
                // A handle may be dropped by unwinding, which a second panic would end in an abort.
                if let Some(waker) = waker {
                    raw::guarded(self.task, UnobservedKind::JoinerWake, || drop(waker));
                }
            }
            Detach::Complete if self.taken => {}
            // SAFETY: COMPLETE was seen, and the output is the handle's to drop.
            Detach::Complete => unsafe { (self.header().vtable.drop_output)(self.task) },
        }
        // SAFETY: the handle's reference, not used again. User code above does not unwind.
        unsafe { raw::release(self.task) };
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JoinHandle").field(&*self.header()).finish()
    }
}

/// A [`JoinHandle`] that cancels its task when it is dropped before the task has ended.
#[must_use = "dropping a CancelOnDrop cancels the task"]
#[derive(Debug)]
pub struct CancelOnDrop<T> {
    handle: Option<JoinHandle<T>>,
}

impl<T> CancelOnDrop<T> {
    /// The handle without the string attached.
    pub fn into_inner(mut self) -> JoinHandle<T> {
        self.handle
            .take()
            .expect("the handle leaves with the wrapper")
    }
}

impl<T> core::ops::Deref for CancelOnDrop<T> {
    type Target = JoinHandle<T>;

    fn deref(&self) -> &JoinHandle<T> {
        self.handle
            .as_ref()
            .expect("the handle leaves with the wrapper")
    }
}

impl<T> Future for CancelOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handle = self
            .handle
            .as_mut()
            .expect("the handle leaves with the wrapper");
        Pin::new(handle).poll(cx)
    }
}

impl<T> Drop for CancelOnDrop<T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            cancel::cancel(handle.task, CancelReason::of(CancelKind::OwnerDropped));
        }
    }
}
