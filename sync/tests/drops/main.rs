//! Every waiting function, ended at every moment of its life: a cancelled wait did not happen.
//!
//! The harness is `sync/tests/support/drops/mod.rs`.

#[path = "../support/mod.rs"]
mod support;

mod channel;
mod channels;
mod harness;
mod items;
mod limiter;
mod locks;
mod meetings;
mod permits;
mod queues;
mod signals;
