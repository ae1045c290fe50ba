//! Tasks: the cell that holds a future, and the rights to it.
//!
//! | right | type | what it allows |
//! |---|---|---|
//! | a place in a queue (S1) | `Runnable` | to run the task once |
//! | RUNNING (S2) | the inside of `Runnable::run` | to poll and drop the future |
//! | the output | [`JoinHandle`] | to wait for the task and to cancel it |
//! | to cancel | [`Canceller`] | no more than that |
//! | a wake | `Waker` | to have the task polled |
//!
//! Each is a pointer to one allocation (`cell.rs`); what it permits at any moment is decided by one word
//! (`state.rs`). References are counted for all but the place in a queue and the poll itself: the
//! scheduler's own reference stays until the task is complete, and only these two can complete it.

use core::panic::Location;

#[expect(unsafe_code, reason = "a task pointer that somebody else keeps alive")]
pub(crate) mod alive;
#[expect(unsafe_code, reason = "the lazily made block is a raw pointer")]
pub(crate) mod cell;
pub(crate) mod error;
pub(crate) mod id;
#[expect(
    unsafe_code,
    reason = "a counted task pointer, and the cell of the joiner"
)]
pub(crate) mod join;
#[expect(unsafe_code, reason = "lists through free blocks")]
pub(crate) mod memory;
pub(crate) mod payload;
#[expect(
    unsafe_code,
    reason = "type-erased task pointers; the contracts are on the vtable"
)]
pub(crate) mod raw;
pub(crate) mod state;
#[expect(unsafe_code, reason = "the functions behind type-erased task pointers")]
pub(crate) mod vtable;
#[expect(unsafe_code, reason = "the functions of a raw waker")]
pub(crate) mod waker;

pub(crate) mod builder;
pub(crate) mod callbacks;
#[expect(unsafe_code, reason = "a counted task pointer")]
pub(crate) mod cancel;
pub(crate) mod context;
pub(crate) mod context_map;
#[expect(unsafe_code, reason = "the pin of the inner future")]
pub(crate) mod context_var;
#[expect(unsafe_code, reason = "runs a task outside its run loop")]
pub(crate) mod eager;
#[expect(unsafe_code, reason = "a counted task pointer")]
pub(crate) mod task_ref;
pub(crate) mod unconstrained;
pub(crate) mod yield_now;

pub use self::builder::Builder;
pub use self::callbacks::CallbackId;
pub use self::cancel::{CancelKind, CancelReason, Canceller};
pub use self::context::Context;
pub use self::context_var::{ContextScope, ContextVar, Token};
pub use self::eager::spawn_eager;
pub use self::error::{JoinError, Unobserved, UnobservedKind};
pub use self::id::TaskId;
pub use self::join::{CancelOnDrop, JoinHandle};
pub(crate) use self::raw::Runnable;
pub use self::task_ref::{TaskInfo, TaskRef, all, current};
pub use self::unconstrained::{Unconstrained, unconstrained};
pub use self::yield_now::{YieldNow, yield_now};
pub use crate::blocking::limited::JobLimiter;
pub use crate::context_var;
pub use crate::scope::{Shield, cancelled};
pub use tenter_sync::current::{WaitKind, WaitingOn};

/// The number of the task that calls.
///
/// # Panics
///
/// If the caller is not polled by a task of tenter; [`try_id`] asks without panicking.
#[track_caller]
pub fn id() -> TaskId {
    // Not `unwrap_or_else`: in a closure, the caller would be this line.
    let Some(id) = try_id() else {
        panic!(
            "tenter::task::id was called at {} outside a task: call it in a future that a tenter \
             runtime polls, or use try_id",
            Location::caller()
        )
    };
    id
}

/// The number of the task that calls, if a task of tenter does.
pub fn try_id() -> Option<TaskId> {
    tenter_sync::current::task_id().map(TaskId)
}
