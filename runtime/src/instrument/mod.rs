//! What a runtime tells those who watch it: the [`Instrument`] trait, and who calls it from where.
//!
//! ```text
//!  spawn ──► task_spawned ──► task_scheduled ──► before_task_step ─┬─ pending ──► after_task_step ──┐
//!                                   ▲                              │                                │
//!                                   │ woken, or yielded            └─ ready ► task_exited ► after   │
//!                                   └───────────────────────────────────────────────────────────────┘
//!  a thread: before_run ──► ( polls ──► before_io_wait ──► after_io_wait )* ──► after_run
//! ```
//!
//! | file | what |
//! |---|---|
//! | `instrument/installed.rs` | the instruments of a runtime: calling them, taking one out that panics |
//! | `instrument/tell.rs` | what the places of the scheduler call |
//!
//! Invariants:
//! - I1: an instrument is called under no internal lock and in the middle of no change: it may spawn, wake,
//!   post and drop whatever it can get hold of.
//! - I2: an instrument is on one stack at most once: of what it does itself while it is called, it is not
//!   told. So calls nest no deeper than there are instruments.
//! - I3: `task_scheduled` is told before the task is in a queue, `task_exited` before the end can be seen: the
//!   events of one task are in order, whatever thread they are on.
//! - I4: without an instrument a place costs one look at a word of the settings.
//!
//! Rejected: the events of an instrument's own doings, put off until its call is over. One that spawns a task
//! for every task that is spawned would never end.
//! Rejected: a bit in the word of the task instead of the settings. It costs the same, and an exit would have
//! to find its way back to the scheduler all the same.
//!
//! Tests: `tests/tests/instruments.rs`, `tests/tests/instruments_audit.rs`.

use core::fmt;
use std::sync::Arc;

use crate::task::TaskRef;

pub(crate) mod installed;
pub(crate) mod tell;

/// Watches what a runtime does. Installed with [`Builder::instrument`](crate::Builder::instrument).
///
/// Every method does nothing unless it is written. They are called on the thread where it happens, often many
/// at a time, and each call keeps that thread from its tasks: count, note, hand over, return. A method may
/// spawn, wake and post, and may read the runtime's metrics; it must not block.
///
/// # What is told
///
/// Of each task, in this order: once [`task_spawned`](Self::task_spawned); then
/// [`task_scheduled`](Self::task_scheduled) each time it becomes ready, and for each of these one
/// [`before_task_step`](Self::before_task_step) with its [`after_task_step`](Self::after_task_step); and once
/// [`task_exited`](Self::task_exited). A task that is spawned eagerly has its first step without having been
/// scheduled. A task that is dropped by the end of its runtime exits outside a step.
///
/// The main future of `block_on` is a task named "main" on one thread; beside many workers it is none, and
/// nothing is told of it. Jobs of `spawn_blocking` are not told of either: they have threads of their own.
///
/// # An instrument's own doings
///
/// While an instrument is called, nothing that it does itself is told to it, on this thread: of a task that
/// it spawns it sees the steps and the end, but not the spawn. Other instruments see everything.
///
/// # Panics
///
/// An instrument that panics is taken out: it is never called again, which is said once on standard error,
/// with the name of its type. The runtime goes on, and so do the other instruments.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use tenter::instrument::{Instrument, TaskEvent};
///
/// #[derive(Default)]
/// struct Steps(AtomicU64);
///
/// impl Instrument for Steps {
///     fn before_task_step(&self, _: &TaskEvent<'_>) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
///
/// # fn main() -> std::io::Result<()> {
/// let steps = Arc::new(Steps::default());
/// let runtime = tenter::Builder::current_thread()
///     .instrument(Arc::clone(&steps))
///     .build()?;
/// runtime.block_on(tenter::task::yield_now());
/// assert_eq!(steps.0.load(Ordering::Relaxed), 2);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "trio.abc.Instrument")]
#[doc(alias = "tracing")]
#[doc(alias = "on_task_spawn")]
pub trait Instrument: Send + Sync + 'static {
    /// A thread begins to run tasks: a worker, or the one that calls `block_on` of a single-threaded runtime.
    #[doc(alias = "on_thread_start")]
    fn before_run(&self, event: &ThreadEvent) {
        let _ = event;
    }

    /// It has stopped. A worker that is stuck in a poll when its runtime ends comes here when it lets go.
    #[doc(alias = "on_thread_stop")]
    fn after_run(&self, event: &ThreadEvent) {
        let _ = event;
    }

    /// A task was made, on the thread that spawned it. [`task::current`](crate::task::current) is who did.
    #[doc(alias = "on_task_spawn")]
    fn task_spawned(&self, event: &TaskEvent<'_>) {
        let _ = event;
    }

    /// A task is ready: it was spawned, woken, cancelled, or has yielded. Told by whoever does it, on any
    /// thread, before the task is in a queue.
    fn task_scheduled(&self, event: &TaskEvent<'_>) {
        let _ = event;
    }

    /// A task is about to be polled; or, if it was cancelled, to be dropped.
    #[doc(alias = "on_before_task_poll")]
    fn before_task_step(&self, event: &TaskEvent<'_>) {
        let _ = event;
    }

    /// The poll is over, and nobody has begun the next one. For the last one, this comes behind `task_exited`;
    /// but if the task was cancelled during the poll, `task_exited` follows.
    #[doc(alias = "on_after_task_poll")]
    fn after_task_step(&self, event: &TaskEvent<'_>) {
        let _ = event;
    }

    /// A task has ended, and its future is gone. Whoever joins it has not been told yet.
    #[doc(alias = "on_task_terminate")]
    fn task_exited(&self, event: &TaskEvent<'_>, end: TaskEnd) {
        let _ = (event, end);
    }

    /// A thread has nothing to run, and is about to sleep until a timer, a socket or another thread wakes it.
    /// If an event before this one has made a task ready, it does not sleep.
    #[doc(alias = "on_thread_park")]
    fn before_io_wait(&self, event: &ThreadEvent) {
        let _ = event;
    }

    /// It has slept. What timers and sockets have woken was scheduled before this.
    #[doc(alias = "on_thread_unpark")]
    fn after_io_wait(&self, event: &ThreadEvent) {
        let _ = event;
    }
}

macro_rules! passed_on {
    ($($method:ident($event:ty $(, $end:ident)?);)*) => {
        $(fn $method(&self, event: &$event $(, $end: TaskEnd)?) {
            (**self).$method(event $(, $end)?);
        })*
    };
}

/// A shared instrument: whoever has a clone can ask it what it has seen.
impl<I: Instrument + ?Sized> Instrument for Arc<I> {
    passed_on! {
        before_run(ThreadEvent);
        after_run(ThreadEvent);
        task_spawned(TaskEvent<'_>);
        task_scheduled(TaskEvent<'_>);
        before_task_step(TaskEvent<'_>);
        after_task_step(TaskEvent<'_>);
        task_exited(TaskEvent<'_>, end);
        before_io_wait(ThreadEvent);
        after_io_wait(ThreadEvent);
    }
}

/// Something that happened to a task.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct TaskEvent<'a> {
    /// The task: its number, its name, where it was spawned. A clone keeps the memory of the task.
    pub task: &'a TaskRef,
    /// The number of the worker on whose thread it happened, 0 for the thread of a single-threaded runtime;
    /// `None` on a thread that runs no tasks of this runtime.
    pub worker: Option<usize>,
}

/// Something that a thread does which runs tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ThreadEvent {
    /// The number of the worker, 0 for the thread of a single-threaded runtime.
    pub worker: usize,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskEnd {
    /// It returned.
    Done,
    /// It panicked.
    Panicked,
    /// It was cancelled, by whatever: its handle, its scope, the end of its runtime.
    Cancelled,
}

impl fmt::Display for TaskEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TaskEnd::Done => "done",
            TaskEnd::Panicked => "panicked",
            TaskEnd::Cancelled => "cancelled",
        })
    }
}
