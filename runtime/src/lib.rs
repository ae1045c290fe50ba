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
//! # Fairness
//!
//! Tasks run in the order in which they became ready, and a task that yields goes behind all that are
//! ready. After at most 64 polls, and about every 100 microseconds if polls are slow, tasks that other
//! threads woke, due timers and sockets are looked at. A task that never has to wait is made to yield
//! by its budget of 128 operations a poll.
#![deny(unsafe_code)]

#[doc(inline)]
pub use tenter_sync as sync;

pub mod task;

pub mod time {
    //! Sleeping, timeouts and intervals, on the clock of the runtime.
    pub use core::time::Duration;
    #[doc(inline)]
    pub use tenter_timer::*;
}

pub mod net {
    //! Sockets.
    #[doc(inline)]
    pub use tenter_io::net::*;
}

pub mod io {
    //! Reading, writing, and waiting for any file descriptor that can be polled.
    #[doc(inline)]
    pub use tenter_io::*;
}

pub mod signal;

pub use crate::builder::{Builder, Flavor};
pub use crate::handle::{EnterGuard, Handle, NotInRuntime};
pub use crate::metrics::RuntimeMetrics;
pub use crate::runtime::{NestedRuntime, Runtime, run};
pub use crate::scheduler::shutdown::{LeftTask, ShutdownReport};
pub use crate::task::{
    CancelKind, CancelOnDrop, CancelReason, Canceller, JoinError, JoinHandle, Unobserved,
    UnobservedKind, shield,
};
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
#[expect(
    unsafe_code,
    reason = "reads the run loop that a caller further up the stack lends"
)]
mod context;
mod handle;
mod hooks;
mod metrics;
mod runtime;
mod scheduler;

use core::future::Future;
use core::panic::Location;

/// Spawns a task on the runtime that this thread is in.
///
/// The task runs concurrently with the caller, whether or not its handle is awaited; dropping the
/// handle detaches it. Its place in the line is behind the tasks that are ready.
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
/// tenter::run(async {
///     let shared = Rc::new(1);
///     let task = tenter::spawn_local({
///         let shared = Rc::clone(&shared);
///         async move { *shared + 1 }
///     });
///     assert_eq!(task.await.expect("the task does not panic"), 2);
/// });
/// ```
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
    use super::{Future, JoinHandle, Location};

    pub use crate::blocking::thread::while_waiting;
    pub use crate::blocking::{Home, Pool, Settings};
    pub use crate::scheduler::inbox::Inbox;
    pub use crate::scheduler::parking::Parking;
    pub use crate::task::Unobserved;
    pub use crate::task::cell::{Header, Schedule, Shared};
    pub use crate::task::raw::{Ran, Runnable, YieldFlag, allocate, shut_down};

    /// A task on a scheduler of the model's own.
    #[track_caller]
    pub fn spawn_on<F: Future, S: Schedule>(
        future: F,
        scheduler: S,
    ) -> (Runnable, JoinHandle<F::Output>) {
        let (task, header) = allocate(future, scheduler, Shared, None, Location::caller());
        (task, JoinHandle::new(header))
    }
}
