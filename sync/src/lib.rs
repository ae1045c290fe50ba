//! Async synchronisation primitives for any executor: fair, cancel-safe and model-checked.
//!
//! The primitives wait with nothing but a [`core::task::Waker`], so they work on tenter, on any
//! other executor, and between the two. Every protocol in this crate is explored by a model checker
//! in the very source that ships.
#![deny(unsafe_code)]

pub mod budget;
#[expect(
    unsafe_code,
    reason = "reads the task that a caller further up the stack lends"
)]
#[doc(hidden)]
pub mod current;
#[doc(hidden)]
pub mod parker;
#[doc(hidden)]
pub mod shim;
#[expect(unsafe_code, reason = "uninitialised places of the batch")]
#[doc(hidden)]
pub mod wake_batch;
