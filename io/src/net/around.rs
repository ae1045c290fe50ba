//! The scopes that whoever polls is in: a slot, defined here, filled by the first runtime.
//!
//! What waits for the system has no limit of its own, and needs none: the scope drops it. But what has
//! several ways to its end divides the time that it has among them.
//!
//! Tests: `tests/tests/reach.rs`.

use std::sync::OnceLock;

use tenter_timer::Instant;

/// What is asked of a runtime that has scopes.
#[derive(Clone, Copy, Debug)]
pub struct Around {
    /// When the time is over for whoever is polled now, if ever.
    pub deadline: fn() -> Option<Instant>,
    /// Whether a scope around it is over at this moment, and will drop it.
    pub ends: fn(Instant) -> bool,
}

static AROUND: OnceLock<Around> = OnceLock::new();

/// Fills the slot. Whoever comes later has the same to say.
pub fn set_around(around: Around) {
    // Filled already: by another runtime of this program.
    let _ = AROUND.set(around);
}

/// The deadline of the scopes around.
pub fn deadline() -> Option<Instant> {
    (AROUND.get()?.deadline)()
}

/// Whether they end now.
pub fn ends(now: Instant) -> bool {
    AROUND.get().is_some_and(|around| (around.ends)(now))
}
