//! Failures that no group returns: reported, so that each is seen exactly once.

use core::any::type_name;
use core::ptr::NonNull;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::error::Failure;
use crate::hooks::say;
use crate::scope::frame;
use crate::task::cell::Header;
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;
use crate::task::{UnobservedKind, raw};

/// Reports a failure of a child whose group has no future any more. `task` is alive.
pub fn report<E>(failure: Failure<E>, task: NonNull<Header>) {
    match failure {
        Failure::Panic(panic) => raw::report(task, UnobservedKind::Panic, panic.into_payload()),
        Failure::Error { error, .. } => {
            raw::guarded(task, UnobservedKind::OutputDrop, || drop(error));
            let line = format!(
                "returned an error ({}), and its group was dropped",
                type_name::<E>()
            );
            raw::report(task, UnobservedKind::GroupChild, Box::new(line));
        }
        Failure::Cancelled(_) => {}
    }
}

/// Reports a panic that is nobody's in particular as one of the task that runs here.
pub fn report_here(kind: UnobservedKind, payload: Box<dyn Any + Send>) {
    match frame::task() {
        Some(task) => raw::report(task.pointer(), kind, payload),
        None => {
            let message = payload_message(&*payload);
            say(&format!("tenter: in a task group: {message}"));
            drop_payload(payload);
        }
    }
}

/// Wakes somebody, whose panic is not that of the child that ends.
pub fn guarded(wake: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(wake)) {
        report_here(UnobservedKind::JoinerWake, payload);
    }
}
