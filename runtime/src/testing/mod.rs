//! Tests without sleeps: waiting until nothing moves, an order between tasks, streams in memory.
//!
//! `#[tenter::test]` runs a test on one thread and a virtual clock. What is in here is for the moments in
//! which it has to know how far the *others* have got:
//!
//! | instead of | write |
//! |---|---|
//! | a short sleep "until the server is ready" | [`wait_all_tasks_blocked`]`().await` |
//! | a chain of events that order what tasks do | [`Sequencer`] |
//! | a sleep "until the timeout has fired" | [`time::advance`](crate::time::advance) |
//! | a socket pair | [`duplex`]; with room for one byte, writer and reader go in lockstep |
//! | a comment that says where a function may be cancelled | [`assert_checkpoints`], [`assert_no_checkpoints`] |
//! | a loop that starts the test a thousand times | `#[tenter::test(seed = 1, schedules = 1000)]` |
//!
//! ```
//! use std::sync::Arc;
//! use tenter::sync::Lock;
//! use tenter::testing::wait_all_tasks_blocked;
//!
//! # let runtime = tenter::Builder::deterministic(0).build().expect("no thread is needed");
//! # runtime.block_on(async {
//! let lock = Arc::new(Lock::new(0));
//! let guard = lock.lock().await;
//! let waiter = tenter::spawn({
//!     let lock = Arc::clone(&lock);
//!     async move { *lock.lock().await += 1 }
//! });
//! wait_all_tasks_blocked().await;
//! assert_eq!(lock.stats().waiting, 1); // it is in line by now, however long it took to get there
//! drop(guard);
//! waiter.await.expect("no panic");
//! # });
//! ```

mod blocked;
mod checkpoints;
pub(crate) mod schedules;
mod sequencer;

pub use self::blocked::{AllTasksBlocked, wait_all_tasks_blocked};
pub use self::checkpoints::{
    AssertCheckpoints, AssertNoCheckpoints, assert_checkpoints, assert_no_checkpoints,
};
pub use self::sequencer::{Sequencer, Step, Turn};
#[doc(inline)]
pub use tenter_io::{DuplexStream, duplex};
