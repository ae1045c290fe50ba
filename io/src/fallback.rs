//! The driver of sources that are opened outside of a tenter runtime.
//!
//! The first such source starts one thread for the whole process, named `tenter-io`, which turns a
//! driver without a timeout for ever: while nothing happens it sits in one system call. It is one
//! of the project's few statics.
//!
//! A thread that the system refuses is an error of the source that wanted it; the next source tries
//! again.
//!
//! Tests: `io/tests/fallback.rs`.

use std::io;
use std::sync::OnceLock;
use std::task::Waker;

use tenter_sync::shim::thread;

use crate::driver::{Driver, Handle};
use crate::error;

static FALLBACK: OnceLock<Handle> = OnceLock::new();

/// The fallback driver, started if need be.
pub fn handle() -> io::Result<Handle> {
    if let Some(handle) = FALLBACK.get() {
        return Ok(handle.clone());
    }
    let mut driver = Driver::new(Waker::noop().clone());
    let handle = driver.handle().clone();
    // Opened here, so that a process without descriptors learns it from the error.
    handle.0.start()?;
    thread::spawn_named("tenter-io", move || {
        // It ends when another thread was first, or when the poller is broken; then every socket
        // has the error. A waker that panics is its executor's affair.
        loop {
            let turn = std::panic::AssertUnwindSafe(|| driver.turn(None));
            if let Ok(Err(_)) = std::panic::catch_unwind(turn) {
                return;
            }
        }
    })
    .map_err(error::no_fallback_thread)?;
    let winner = FALLBACK.get_or_init(|| handle.clone()).clone();
    if !is_same(&winner, &handle) {
        handle.shutdown();
    }
    Ok(winner)
}

/// Two threads may be first at once; one of them sees the other's.
fn is_same(one: &Handle, other: &Handle) -> bool {
    std::ptr::eq(&**one.shared(), &**other.shared())
}
