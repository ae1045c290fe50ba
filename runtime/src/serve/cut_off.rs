//! A [`Server`](super::Server) that is dropped before it has ended.
//!
//! ```text
//!   the scope around ends ──► close: drain, cancel, grace ─┐
//!   it goes on, or returns ─► dropped: cancelled ──────────┴─► a clean-up of the scope: awaited before it
//!   there is no scope ──────► dropped: cancelled               returns, or by a task if it goes on
//! ```
//!
//! 1. A scope that ends has somebody who waits for it, and the server bounds its own end: so it is given
//!    what `close` gives. Whoever drops a server and goes on has done with it, and expects its port to
//!    be free.
//! 2. What is awaited is the server's own future, so that whoever holds a handle sees the end that it
//!    had, with its report.
//! 3. A clean-up that is dropped, because its runtime ends by force, is a server that is dropped.
//!
//! Rejected: a drain that the deadlines around the scope shorten. A clean-up bounds itself by its grace;
//! who wants it shorter gives the server less time to drain.
//!
//! Tests: `tests/tests/serve/scopes.rs`.

use std::sync::Arc;

use tenter_timer::{now, timeout};

use super::server::Serving;
use crate::context;
use crate::scope::clean_up::{self, CleanUp};
use crate::scope::frame;

/// Leaves a server that is dropped to the scope around the caller.
pub fn leave(serving: Serving) {
    if !serving.is_running || frame::ending().is_none() {
        return;
    }
    let server = Arc::clone(&serving.end.0);
    let handle = context::current_handle();
    if frame::around_ends(now()) {
        server.closing.open();
        let closed = async move {
            let report = match serving.await {
                Ok(report) => report,
                // The report is in the text.
                Err(error) => return clean_up::say(error.to_string()),
            };
            if report.stuck > 0 {
                clean_up::say(format!("the server at {}: {report}", server.at()));
            }
        };
        return CleanUp::own(closed).hand_over(handle.as_ref());
    }
    let grace = serving.cancel_grace;
    server.drain();
    drop(serving);
    let gone = async move {
        if timeout(grace, server.empty()).await.is_err() {
            let report = server.last_report();
            clean_up::say(format!("the server at {}: {report}", server.at()));
        }
    };
    CleanUp::own(gone).hand_over(handle.as_ref());
}
