//! Scopes: parts of a task that end together, and how cancellation reaches them.
//!
//! | file | what it is |
//! |---|---|
//! | `node.rs` | the shared part: who cancelled, where it hangs, what is in progress, what is to be cleaned up |
//! | `frame.rs` | which scopes the present poll is in |
//! | `scoped.rs` | the machine that polls a body and ends it |
//! | `shield.rs`, `clean_up.rs` | what defers an end, and what comes after it |
//! | `cancel_scope.rs`, `deadline.rs`, `timeout.rs` | what users write |
//!
//! The contract is ADR 0001 and ADR 0023. Tasks are scopes too: `Header::root`.

#[expect(unsafe_code, reason = "pins the scope inside its future")]
mod cancel_scope;
pub(crate) mod clean_up;
mod deadline;
#[expect(
    unsafe_code,
    reason = "frames on the stack behind a thread-local pointer"
)]
pub(crate) mod frame;
pub(crate) mod node;
#[expect(unsafe_code, reason = "pins the body and its timer")]
pub(crate) mod scoped;
#[expect(unsafe_code, reason = "pins the shielded future")]
mod shield;
#[cfg(feature = "time")]
#[expect(unsafe_code, reason = "pins the scope inside its future")]
mod timeout;

/// Lets what waits for the system know of the scopes around it.
pub(crate) fn show_to_io() {
    tenter_io::net::set_around(tenter_io::net::Around {
        deadline: scope_deadline,
        ends: frame::around_ends,
    });
}

pub use cancel_scope::{CancelHandle, CancelScope, InScope, Outcome, cancelled, scope_deadline};
pub use clean_up::errors::CleanUpErrors;
pub use clean_up::stack::{AsyncStack, Closing};
pub use clean_up::{DeferGuard, defer_async};
pub use deadline::{Deadline, RescheduleError, fail_after, move_on_after};
pub use shield::{Shield, shield};
#[cfg(feature = "time")]
pub use timeout::{Timeout, timeout, timeout_at};
