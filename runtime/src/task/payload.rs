//! The payload of a panic: a value of the program, whose destructor may panic too.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a panic's payload, whose own drop may panic, with a payload whose own drop may panic.
pub fn drop_payload(mut payload: Box<dyn Any + Send>) {
    for _ in 0..PAYLOADS_MAX {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(next) => payload = next,
        }
    }
    core::mem::forget(payload);
}

/// How many payloads that throw each other are dropped before the next one is leaked.
const PAYLOADS_MAX: usize = 16;
