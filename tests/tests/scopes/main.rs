//! Scopes: cancellation that nothing swallows, deadlines, shields, and what is cleaned up before a scope
//! returns. Cases CS, TO, WF and SH, and those of the primitives that need scopes.

#![allow(
    clippy::async_yields_async,
    reason = "a group gives its children's handles out"
)]

mod allocations;
mod cancel_scopes;
mod clean_ups;
mod deadlines;
mod drops;
mod ends;
mod hostile;
mod primitives;
mod resources;
mod shields;
mod support;
mod tasks;
mod timeouts;
mod tree;
