//! Blocking a thread on a future where `block_on` refuses: [`block_on_nested`].
//!
//! ```text
//!  a worker:                    its queues are left to the others, a spare one comes in   (`while_blocked`)
//!  waits in a block_on:         it runs no tasks, and blocks nobody but its own future
//!  drives, or waits to drive:   refused: its tasks could run nowhere else
//!  anything else:               just waits
//! ```
//!
//! Each nested wait has a parker of its own. With the thread's, it would consume wakes of the wait around it.
//!
//! Tests: `tests/tests/nested.rs`.

use core::future::Future;
use core::panic::Location;

use crate::block_on;
use crate::context::{self, Place};
use crate::runtime::NestedRuntime;

/// Runs a future to its end on the calling thread, also inside a task of a multi-threaded runtime: the
/// escape hatch for code that is not async and cannot be made so, between async code above and below it.
///
/// On a worker, whatever else the worker had to do is left to the others, and one more worker may run
/// meanwhile, as in [`block_in_place`](crate::block_in_place): no task but the caller's waits. What the
/// future needs of the task that calls this, it waits for in vain.
///
/// Prefer `.await`, and [`spawn_blocking`](crate::spawn_blocking) with
/// [`from_thread::run`](crate::from_thread::run) for code that blocks.
///
/// # Cancel safety
///
/// The future runs to its end: cancellation of the task comes at its next suspension.
///
/// # Errors
///
/// [`NestedRuntime`], on a thread that runs the tasks of a single-threaded runtime: no other thread could run
/// them meanwhile. The future is dropped unpolled.
///
/// # Panics
///
/// With the panic of the future.
///
/// # Examples
///
/// ```
/// fn legacy(key: u32) -> u32 {
///     // Called by async code, and calls async code.
///     tenter::block_on_nested(async move { key + 1 }).expect("many threads")
/// }
///
/// tenter::run(async {
///     let task = tenter::spawn(async { legacy(41) });
///     assert_eq!(task.await.expect("no panic"), 42);
/// });
/// ```
#[track_caller]
#[doc(alias = "nest_asyncio")]
pub fn block_on_nested<F: Future>(future: F) -> Result<F::Output, NestedRuntime> {
    block(Location::caller(), "tenter::block_on_nested", future)
}

/// [`block_on_nested`] under another name.
pub fn block<F: Future>(
    at: &'static Location<'static>,
    what: &'static str,
    future: F,
) -> Result<F::Output, NestedRuntime> {
    if let Some(outer) = context::is_needed_by_tasks() {
        return Err(NestedRuntime::new(what, at, outer));
    }
    // The timers and sockets of the future are the runtime's, not those of the worker that blocks.
    let handle = context::current_handle();
    let wait = move || {
        let _entered = handle.as_ref().map(|handle| handle.enter());
        block_on::wait_apart(at, future)
    };
    let mut wait = Some(wait);
    let waited = context::with_driving(|driving| match driving?.place {
        Place::Worker(worker) => Some(worker.while_blocked(wait.take()?)),
        Place::Thread(_) => None,
    });
    Ok(match (waited, wait) {
        (Some(output), _) => output,
        (None, Some(wait)) => wait(),
        (None, None) => unreachable!("the wait was begun, and its output is above"),
    })
}
