//! The functions that know the type of a task's future, behind a table.
//!
//! Everything else about tasks goes by the header. The rights that these functions need are on the fields of
//! the table; `raw.rs` has them and keeps the order.

use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::ptr::{self, NonNull};
use core::task::{Context, Poll};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tenter_sync::shim::alloc::Layout;
use tenter_sync::shim::thread::ThreadId;

use super::Runnable;
use super::alive::Alive;
use super::cell::{Cell, Header, Ownership, Schedule, Stage, Work};
use super::error::{JoinError, Unobserved, UnobservedKind};
use super::memory;
use super::raw::{guarded, report};
use crate::context;
use crate::instrument::TaskEnd;

/// The functions that know the type of the future.
///
/// For all of them: (a) the pointer is to a live `Cell<F, S, O>` of the very types that the table was
/// made for.
pub struct Vtable {
    /// Polls. (b) the caller holds RUNNING.
    pub poll: unsafe fn(NonNull<Header>, &mut Context<'_>) -> Poll<()>,
    /// Drops the future and puts `error`, or the panic of the drop, in its place. (b) as above.
    pub discard: unsafe fn(NonNull<Header>, JoinError),
    /// Moves the output to `*mut Poll<Result<T, JoinError>>`. (b) the caller saw COMPLETE through the
    /// only join handle, and takes it once; (c) the destination is of that type.
    pub take_output: unsafe fn(NonNull<Header>, *mut ()),
    /// Where the output is, a `Result<T, JoinError>`; null if the task was leaked. (b) the caller saw
    /// COMPLETE, and the output is the caller's.
    pub outcome: unsafe fn(NonNull<Header>) -> *const (),
    /// How the task ends. (b) the caller holds RUNNING, and the stage holds the output.
    pub end: unsafe fn(NonNull<Header>) -> TaskEnd,
    /// Drops the output. (b) the output is the caller's, by COMPLETE or by S2 with no join handle.
    pub drop_output: unsafe fn(NonNull<Header>),
    /// Queues the task. (b) the caller got `Submit` and passes its place in the queue on.
    pub schedule: unsafe fn(NonNull<Header>),
    /// Reports a failure.
    pub unobserved: unsafe fn(NonNull<Header>, UnobservedKind, &(dyn Any + Send)),
    /// Frees the cell. (b) the caller took the last reference.
    pub dealloc: unsafe fn(NonNull<Header>),
    /// The owner of a `!Send` task.
    pub owner: unsafe fn(NonNull<Header>) -> Option<ThreadId>,
    /// Whether the future is `!Send`.
    pub local: bool,
}

impl core::fmt::Debug for Vtable {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Vtable")
            .field("local", &self.local)
            .finish_non_exhaustive()
    }
}

/// The table of a task of these types.
pub struct TableOf<F, S, O>(core::marker::PhantomData<(F, S, O)>);

impl<F: Work, S: Schedule, O: Ownership> TableOf<F, S, O> {
    /// The table.
    pub const TABLE: Vtable = Vtable {
        poll: poll::<F, S, O>,
        discard: discard::<F, S, O>,
        take_output: take_output::<F, S, O>,
        outcome: outcome::<F, S, O>,
        end: end::<F, S, O>,
        drop_output: drop_output::<F, S, O>,
        schedule: schedule::<F, S, O>,
        unobserved: unobserved::<F, S, O>,
        dealloc: free::<F, S, O>,
        owner: owner::<F, S, O>,
        local: O::LOCAL,
    };
}

/// # Safety
///
/// (a) of [`Vtable`].
#[inline(always)]
unsafe fn cell<'a, F: Work, S, O>(task: NonNull<Header>) -> &'a Cell<F, S, O> {
    // SAFETY: a header is the first field of its `repr(C)` cell, of these types by (a).
    unsafe { task.cast::<Cell<F, S, O>>().as_ref() }
}

/// # Safety
///
/// (a) and (b) of [`Vtable::poll`].
unsafe fn poll<F: Work, S: Schedule, O: Ownership>(
    task: NonNull<Header>,
    cx: &mut Context<'_>,
) -> Poll<()> {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    let polled = cell.stage.with_mut(|stage| {
        catch_unwind(AssertUnwindSafe(|| {
            // SAFETY: RUNNING by (b): nobody else touches the stage; not complete, it is the future.
            let future: &mut F = unsafe { &mut (*stage).future };
            // SAFETY: the cell never moves, and the future is dropped in place (`replace_future`).
            let future = unsafe { Pin::new_unchecked(future) };
            // SAFETY: (a): the whole cell, which lives until it is complete.
            future.poll_work(cx, unsafe { Alive::new(task) })
        }))
    });
    let output = match polled {
        Ok(Poll::Pending) => return Poll::Pending,
        Ok(Poll::Ready(output)) => output,
        Err(payload) => Err(JoinError::panicked(&cell.header, payload)),
    };
    // SAFETY: (a) and (b).
    if let Err(payload) = unsafe { replace_future(cell, output) } {
        report(task, UnobservedKind::FutureDrop, payload);
    }
    Poll::Ready(())
}

/// # Safety
///
/// (a) and (b) of [`Vtable::discard`].
unsafe fn discard<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>, error: JoinError) {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    // SAFETY: (a) and (b).
    if let Err(payload) = unsafe { replace_future(cell, Err(error)) } {
        let error = JoinError::panicked(&cell.header, payload);
        cell.stage.with_mut(|stage| {
            // SAFETY: RUNNING by (b). What is overwritten, and so dropped, is the `Err` of two lines up.
            let output: &mut Result<F::Output, JoinError> = unsafe { &mut (*stage).output };
            *output = Err(error);
        });
    }
}

/// Drops the future in place and puts the output there, also if the drop panics.
///
/// # Safety
///
/// The caller holds RUNNING, and the stage is a future.
unsafe fn replace_future<F: Work, S, O>(
    cell: &Cell<F, S, O>,
    output: Result<F::Output, JoinError>,
) -> Result<(), Box<dyn Any + Send>> {
    cell.stage.with_mut(|stage| {
        let dropped = if core::mem::needs_drop::<F>() {
            catch_unwind(AssertUnwindSafe(|| {
                // SAFETY: by the caller's RUNNING nobody else touches the stage, and it is
                // overwritten below without being dropped again, whether or not this panics.
                let future = unsafe { &mut (*stage).future };
                // SAFETY: dropped once, in place, and never used again.
                unsafe { ManuallyDrop::drop(future) };
            }))
        } else {
            Ok(())
        };
        let output = ManuallyDrop::new(output);
        // SAFETY: as above; `write` does not drop what was there.
        unsafe { ptr::write(stage, Stage { output }) };
        dropped
    })
}

/// # Safety
///
/// (a), (b) and (c) of [`Vtable::take_output`].
unsafe fn take_output<F: Work, S: Schedule, O: Ownership>(
    task: NonNull<Header>,
    destination: *mut (),
) {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    // SAFETY: COMPLETE and the join handle: the stage is the caller's by (b).
    let output = match unsafe { cell.take_output() } {
        Some(output) => output,
        None => Err(JoinError::cancelled(&cell.header)),
    };
    let destination = destination.cast::<Poll<Result<F::Output, JoinError>>>();
    // SAFETY: of that type by (c). What is overwritten is `Pending`, which needs no drop.
    unsafe { destination.write(Poll::Ready(output)) };
}

/// # Safety
///
/// (a) and (b) of [`Vtable::outcome`].
unsafe fn outcome<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>) -> *const () {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    if cell.header.state.load().is_leaked() {
        return ptr::null();
    }
    // SAFETY: COMPLETE and not LEAKED: it is the output. Nothing is read here.
    cell.stage
        .with(|stage| unsafe { &raw const (*stage).output }.cast())
}

/// # Safety
///
/// (a) and (b) of [`Vtable::end`].
#[cold]
unsafe fn end<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>) -> TaskEnd {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    cell.stage.with(|stage| {
        // SAFETY: (b): it is the output, and nobody else touches it.
        let output: &Result<F::Output, JoinError> = unsafe { &(*stage).output };
        match output {
            Ok(_) => TaskEnd::Done,
            Err(error) if error.is_cancelled() => TaskEnd::Cancelled,
            Err(_) => TaskEnd::Panicked,
        }
    })
}

/// # Safety
///
/// (a) and (b) of [`Vtable::drop_output`].
unsafe fn drop_output<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>) {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    // SAFETY: the output is the caller's by (b).
    match unsafe { cell.take_output() } {
        Some(Ok(value)) if core::mem::needs_drop::<F::Output>() => {
            guarded(task, UnobservedKind::OutputDrop, || drop(value));
        }
        Some(Ok(_)) => {}
        Some(Err(error)) => {
            if let Some(payload) = error.into_panic_payload() {
                report(task, UnobservedKind::Panic, payload);
            }
        }
        None => {} // Leaked.
    }
}

/// # Safety
///
/// (a) and (b) of [`Vtable::schedule`].
unsafe fn schedule<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>) {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    // SAFETY: (a) made of a place in a queue, which is the caller's to pass on by (b).
    cell.scheduler.schedule(unsafe { Runnable::from_raw(task) });
}

/// # Safety
///
/// (a) of [`Vtable`].
unsafe fn unobserved<F: Work, S: Schedule, O: Ownership>(
    task: NonNull<Header>,
    kind: UnobservedKind,
    payload: &(dyn Any + Send),
) {
    // SAFETY: (a).
    let cell = unsafe { cell::<F, S, O>(task) };
    cell.scheduler
        .unobserved(&Unobserved::new(&cell.header, kind, payload));
}

/// # Safety
///
/// (a) and (b) of [`Vtable::dealloc`].
unsafe fn free<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>) {
    let cell = task.cast::<Cell<F, S, O>>().as_ptr();
    // SAFETY: the last reference by (b). The stage was consumed before that: the scheduler's reference
    // outlives the future, and the join handle's the output, so no user code runs here.
    unsafe { ptr::drop_in_place(cell) };
    let layout = const { Layout::new::<Cell<F, S, O>>() };
    let class = const { memory::class_of(Layout::new::<Cell<F, S, O>>()) };
    context::with_driving(|driving| match driving {
        // SAFETY: allocated in `allocate` for this layout, for these types by (a).
        Some(driving) => unsafe { driving.free(cell.cast(), layout, class) },
        // SAFETY: as above.
        None => unsafe { memory::free(cell.cast(), layout, class) },
    });
}

/// # Safety
///
/// (a) of [`Vtable`].
unsafe fn owner<F: Work, S: Schedule, O: Ownership>(task: NonNull<Header>) -> Option<ThreadId> {
    // SAFETY: (a).
    unsafe { cell::<F, S, O>(task) }.ownership.thread()
}
