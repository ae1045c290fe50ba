//! An async runtime with the programming model of asyncio: tasks, timers, sockets and every
//! synchronisation primitive, whose production code is model-checked.
//!
//! ```
//! use tenter::time::{Duration, sleep};
//!
//! #[tenter::main]
//! async fn main() {
//!     let task = tenter::spawn(async {
//!         sleep(Duration::from_millis(1)).await;
//!         "world"
//!     });
//!     println!("hello, {}", task.await.expect("the task does not panic"));
//! }
//! ```
//!
//! # Where to find what
//!
//! - [`net`]: TCP, UDP and Unix sockets, and [`net::serve`], a server's loop that ends as it should.
//! - [`io`]: what all streams can do (import [`AsyncReadExt`](io::AsyncReadExt),
//!   [`AsyncWriteExt`](io::AsyncWriteExt) or [`AsyncBufReadExt`](io::AsyncBufReadExt)), buffers,
//!   copies, pipes in memory, standard input and output.
//! - [`fs`], [`process`], [`signal`]: files, child processes and signals, each a feature of its name
//!   that is on by default. The feature `tokio-io` gives streams the traits of tokio.
//! - [`stream`]: asynchronous iterators, written as a function, merged, and with the clock.
//! - [`task`], [`time`], [`sync`]: tasks, clocks and timers, and what tasks wait for each other with.
//! - [`testing`]: what a test of all that needs, besides `#[tenter::test]`.
//!
//! # Fairness
//!
//! On one thread, tasks run in the order in which they became ready, and a task that yields goes behind
//! all that are ready. After at most 64 polls, and about every 100 microseconds if polls are slow, tasks
//! that other threads woke, due timers and sockets are looked at. A task that never has to wait is made
//! to yield by its budget of 128 operations a poll.
//!
//! On many workers, each has a queue, and takes from the others' when it has nothing to do:
//!
//! - A task that is woken by the one that runs comes next, but at most three times in a row; then the
//!   queue has its turn.
//! - A task that yields, or is woken during its own poll, goes behind all that are ready, on the same
//!   worker. As many of these as fit into 100 microseconds get their turn after at most 64 polls, or the
//!   first polls that end after 200 microseconds, whatever else is woken.
//! - At the same moments a busy worker looks at what other threads woke for it, at its due timers, at
//!   sockets if no other worker does, and at what other threads woke for one of the other workers.
//! - A poll that does not end keeps nothing but its own task: as long as another worker has nothing to
//!   do, that one takes over sockets, due timers and every queue of the stuck worker within about 10
//!   milliseconds.
#![deny(unsafe_code)]

#[cfg(feature = "sync")]
#[doc(inline)]
pub use tenter_sync as sync;

pub mod task;

#[cfg(feature = "time")]
pub mod time {
    //! Sleeping, timeouts and intervals, on the clock of the runtime.
    pub use crate::scope::{Timeout, timeout, timeout_at};
    pub use core::time::Duration;
    #[doc(inline)]
    pub use tenter_timer::*;
}

#[cfg(feature = "net")]
pub mod net {
    //! Sockets, and a server's loop around a listener.
    //!
    //! Most of it is the crate `tenter_io`, which works on any executor, and is named so in examples:
    //! `tenter_io::net` there is `tenter::net` here.
    pub use crate::serve::*;
    #[doc(inline)]
    pub use tenter_io::net::*;
}

pub mod io {
    //! Reading, writing, and waiting for any file descriptor that can be polled.
    //!
    //! What streams can do is in traits, which have to be imported: [`AsyncReadExt`],
    //! [`AsyncWriteExt`], [`AsyncBufReadExt`] and [`AsyncSeekExt`].
    //!
    //! Most of it is the crate `tenter_io`, which works on any executor, and is named so in examples:
    //! `tenter_io` there is `tenter::io` here.
    pub use crate::stdio::*;
    #[doc(no_inline)]
    pub use std::io::{Error, ErrorKind, IoSlice, IoSliceMut, Result, SeekFrom};
    #[doc(inline)]
    pub use tenter_io::*;
}

pub mod from_thread;
#[cfg(feature = "fs")]
pub mod fs;
pub mod instrument;
#[cfg(feature = "process")]
pub mod process;
#[cfg(feature = "signal")]
pub mod signal;
pub mod stream;
pub mod testing;

pub use crate::builder::{Builder, Flavor};
pub use crate::combine::completed::{AsCompleted, AsCompletedTimeout, NextCompleted, as_completed};
pub use crate::combine::gather::{Gather, TryGather, gather, gather_settled, try_gather};
pub use crate::combine::map::{MapConcurrent, map_concurrent};
pub use crate::combine::race::{Race, RaceOk, race, race_ok};
pub use crate::combine::staggered::{Staggered, staggered};
pub use crate::combine::tuple::{GatherTuple, TryGatherTuple};
pub use crate::ctrl_c::CtrlC;
pub use crate::debug::{DebugOptions, SlowPoll};
pub use crate::group::{
    Ended, Failure, GroupError, GroupHandle, NamedChild, Panic, StartError, Started, TaskGroup,
    TaskOutcome, task_group, task_group_with,
};
pub use crate::guest::turn::Turn;
pub use crate::guest::{Guest, GuestBuilder};
pub use crate::handle::{EnterGuard, Handle, NotInRuntime};
pub use crate::histogram::Histogram;
pub use crate::metrics::{RuntimeMetrics, WorkerMetrics};
pub use crate::nested::block_on_nested;
pub use crate::post::{Finished, TimerHandle};
pub use crate::runner::{Interrupted, Runner, run};
pub use crate::runtime::{NestedRuntime, Runtime};
pub use crate::scheduler::shutdown::{LeftTask, ShutdownReport};
pub use crate::scope::{
    AsyncStack, CancelHandle, CancelScope, CleanUpErrors, Closing, Deadline, DeferGuard, InScope,
    Outcome, RescheduleError, defer_async, fail_after, move_on_after, scope_deadline, shield,
};
pub use crate::task::{
    CancelKind, CancelOnDrop, CancelReason, Canceller, JoinError, JoinHandle, Unobserved,
    UnobservedKind, spawn_eager,
};
pub use crate::wait::{Until, Wait, WaitMut, Waited, WaitedMut, wait, wait_mut};
#[cfg(feature = "macros")]
pub use tenter_macros::{main, test};

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
#[expect(
    unsafe_code,
    reason = "the main task reaches the future on the stack of block_on"
)]
mod block_on;
mod blocking;
mod builder;
mod combine;
#[expect(
    unsafe_code,
    reason = "reads the run loop that a caller further up the stack lends"
)]
mod context;
mod ctrl_c;
mod debug;
mod environment;
mod group;
mod guest;
mod handle;
mod histogram;
mod hooks;
#[cfg(feature = "inspect")]
mod inspect;
mod metrics;
mod nested;
mod offload;
mod post;
mod runner;
mod runtime;
mod scheduler;
mod scope;
#[cfg(feature = "net")]
mod serve;
mod stdio;
#[cfg(feature = "tokio-io")]
mod tokio_io;
mod tree;
mod wait;

use core::future::Future;
use core::panic::Location;

/// Spawns a task on the runtime that this thread is in.
///
/// The task runs concurrently with the caller, whether or not its handle is awaited; dropping the
/// handle detaches it. On one thread its place in the line is behind the tasks that are ready; on many
/// workers, see [Fairness](crate#fairness).
///
/// # Panics
///
/// Outside a runtime. The message says what to do.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     let task = tenter::spawn(async { 6 * 7 });
///     assert_eq!(task.await.expect("the task does not panic"), 42);
/// });
/// ```
#[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
#[track_caller]
#[inline]
#[doc(alias = "create_task")]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    handle::Handle::spawn_current(future, Location::caller(), "tenter::spawn")
}

/// Runs a function that blocks on a thread of its own kind, so that no task waits for it.
///
/// [`Handle::spawn_blocking`] says more.
///
/// # Panics
///
/// Outside a runtime. The message says what to do.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     let sum = tenter::spawn_blocking(|| (1..=1_000_u64).sum::<u64>());
///     assert_eq!(sum.await.expect("no panic"), 500_500);
/// });
/// ```
#[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
#[track_caller]
#[doc(alias = "to_thread")]
pub fn spawn_blocking<F, R>(function: F) -> JoinHandle<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    Handle::current_for("tenter::spawn_blocking").spawn_blocking_with(
        function,
        None,
        Location::caller(),
    )
}

/// Calls a function that blocks, in the middle of a task.
///
/// On a worker of a multi-threaded runtime, whatever else the worker had to do is left to the others, and
/// one more worker may run meanwhile, so that no task but the caller's waits. For this at most 256 threads
/// stand in at a time. The function may call [`Handle::block_on`]. Anywhere else, also on the thread of a
/// single-threaded runtime, where all tasks do wait, this is a plain call.
///
/// What blocks for long is better off in [`spawn_blocking`], which the caller can await.
///
/// # Cancel safety
///
/// The function runs to its end: cancellation comes at the task's next suspension.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     let read = tenter::spawn(async { tenter::block_in_place(|| std::fs::read_to_string("Cargo.toml")) });
///     assert!(read.await.expect("no panic").is_ok());
/// });
/// ```
pub fn block_in_place<R>(function: impl FnOnce() -> R) -> R {
    let mut function = Some(|| scope::frame::blocking(function));
    let blocked = context::with_driving(|driving| match driving?.place {
        context::Place::Worker(worker) => Some(worker.while_blocked(function.take()?)),
        context::Place::Thread(_) => None,
    });
    match (blocked, function) {
        (Some(output), _) => output,
        (None, Some(function)) => function(),
        (None, None) => unreachable!("the function was called, and its output is above"),
    }
}

/// Spawns a task that need not be `Send` on the single-threaded runtime that this thread drives.
///
/// The task belongs to this thread: it is polled and dropped only in `Runtime::block_on` here. If the
/// runtime is ended by another thread, the task is leaked and counted
/// ([`RuntimeMetrics::leaked_tasks`]).
///
/// # Panics
///
/// On a thread that does not drive a single-threaded runtime. The message says what to do.
///
/// # Examples
///
/// ```
/// use std::rc::Rc;
///
/// # fn main() -> std::io::Result<()> {
/// let runtime = tenter::Builder::current_thread().build()?;
/// runtime.block_on(async {
///     let shared = Rc::new(1);
///     let task = tenter::spawn_local({
///         let shared = Rc::clone(&shared);
///         async move { *shared + 1 }
///     });
///     assert_eq!(task.await.expect("the task does not panic"), 2);
/// });
/// # Ok(())
/// # }
/// ```
#[must_use = "dropping a JoinHandle detaches the task: `.await` it, or drop it on purpose"]
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    handle::Handle::spawn_local_with(future, None, Location::caller())
}

#[cfg(tenter_loom)]
#[doc(hidden)]
pub mod model {
    //! Internals for the model checker.
    use super::{JoinHandle, Location};

    pub use crate::blocking::thread::while_waiting;
    pub use crate::blocking::{Home, Pool, Settings};
    pub use crate::group::core::Core as Group;
    pub use crate::group::seat::Seat as GroupSeat;
    use crate::group::{Ended, TaskOutcome};
    pub use crate::guest::relay::{Arrived, Relay};
    pub use crate::offload::behind::{Behind, Failed, Shared as BehindShared, Sink};
    #[cfg(feature = "process")]
    pub use crate::process::{
        orphan::{adopt, leave, sweep},
        watch::{Left as LeftChild, Script as ScriptedChild, Watch},
    };
    pub use crate::scheduler::inbox::Inbox;
    pub use crate::scheduler::multi_thread::backlog::Backlog;
    pub use crate::scheduler::multi_thread::deque::port as deque;
    pub use crate::scheduler::multi_thread::deque::{CAPACITY, Deque};
    pub use crate::scheduler::multi_thread::idle::{Claim, Idle, Left, Nudge, SearchEnded, Sleep};
    pub use crate::scheduler::multi_thread::lifo::LifoSlot;
    pub use crate::scheduler::parking::Parking;
    pub use crate::scheduler::run_queue::RunQueue;
    pub use crate::scope::clean_up::CleanUp;
    pub use crate::scope::node::Node;
    pub use crate::serve::handling::{Handling, Seat};
    pub use crate::serve::listener::Listener;
    pub use crate::serve::listener::sealed::Sealed as SealedListener;
    pub use crate::serve::shared::Shared as ServerShared;
    pub use crate::task::Unobserved;
    pub use crate::task::alive::Alive;
    use crate::task::callbacks;
    pub use crate::task::cell::{Header, Schedule, Shared, Work};
    use crate::task::memory::Source;
    pub use crate::task::raw::{Ran, Runnable, YieldFlag, allocate, shut_down};

    /// How a child of a group ended.
    pub fn outcome(id: crate::task::TaskId, ended: Ended) -> TaskOutcome {
        TaskOutcome::new(id, None, ended)
    }

    /// [`JoinHandle::on_done`] with a runtime of the model's own: `start` gets what is to be called later.
    pub fn on_done<T>(
        handle: &JoinHandle<T>,
        callback: impl FnOnce() + Send + 'static,
        start: impl Fn(Box<dyn FnOnce() + Send>) + Send + Sync + 'static,
    ) {
        let call = Box::new(move |_: &crate::task::TaskRef| callback());
        let start = std::sync::Arc::new(move |calls: callbacks::Calls| {
            start(Box::new(move || calls.call()));
        });
        let _ = callbacks::add(handle.header(), call, start);
    }

    /// A task on a scheduler of the model's own.
    #[track_caller]
    pub fn spawn_on<F: Work, S: Schedule>(
        future: F,
        scheduler: S,
    ) -> (Runnable, JoinHandle<F::Output>) {
        let source = &Source::System;
        let (task, header) = allocate(future, scheduler, Shared, None, Location::caller(), source);
        (task, JoinHandle::new(header))
    }
}
