//! A function that blocks, run where no task waits for it, whether or not there is a runtime.
//!
//! ```text
//!   in a tenter runtime:  offload ──► its blocking pool ───────────────────┐
//!   anywhere else:        offload ──► a thread, `tenter-<what it does>` ───┴──► Offload: the output
//! ```
//!
//! Invariants:
//! - O1: the function is handed over by the call. Dropping the future takes nothing back: what has
//!   begun in the system runs to its end there.
//! - O2: a function that never runs (the runtime has ended, the system refuses a thread) is an
//!   `io::Error` that says so. Its kind is neither `Interrupted` nor `WouldBlock`, for which callers
//!   try again at once.
//!
//! | file | what |
//! |---|---|
//! | `offload/explained.rs` | an error with a sentence before the system's own |
//! | `offload/behind.rs` | bytes that are written after the write has returned |
//! | `offload/crowd.rs` | tasks that came by a poll function, and wait |
//!
//! Rejected: one pool for the process beside that of the runtime. Its threads would outlive the
//! runtime that uses them, and nobody would wait for their jobs at its end.
//!
//! Tests: `tests/tests/fs/outside.rs`, `tests/tests/fs/ending.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::sync::Arc;

use tenter_sync::oneshot;
use tenter_sync::shim::thread;

use crate::context;
use crate::task::cell::Extras;
use crate::task::{CancelKind, JoinError, JoinHandle};

pub mod behind;
pub mod crowd;
pub mod explained;

use self::explained::{explain, plain};

/// Runs `function` on the blocking pool of the runtime that this thread is in, or else on a thread
/// of its own. `what` names the job in reports, and the thread; at most 8 letters.
#[track_caller]
pub fn offload<F, R>(what: &'static str, function: F) -> Offload<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    offload_at(what, function, Location::caller())
}

/// [`offload`] on behalf of a caller that reports name.
pub fn offload_at<F, R>(
    what: &'static str,
    function: F,
    called_at: &'static Location<'static>,
) -> Offload<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let place = match context::current_handle() {
        Some(handle) => {
            let extras = Extras {
                name: Some(Arc::from(what)),
                ..Extras::default()
            };
            let extras = Some(Box::new(extras));
            Place::Pool(handle.spawn_blocking_with(function, extras, called_at))
        }
        None => on_own_thread(what, function),
    };
    Offload { what, place }
}

fn on_own_thread<F, R>(what: &'static str, function: F) -> Place<R>
where
    F: FnOnce() -> R + Send + 'static,
    R: Send + 'static,
{
    let (sender, receiver) = oneshot::oneshot();
    let job = move || {
        // Nobody to tell: the future was dropped.
        let _ = sender.send(function());
    };
    match thread::spawn_named(&format!("tenter-{what}"), job) {
        Ok(_) => Place::Thread(receiver),
        Err(error) => Place::Refused(Some(error)),
    }
}

/// The future of a function that was handed over. Its error: the function did not run, or panicked.
#[must_use = "the output, or that there is none, is lost"]
pub struct Offload<R> {
    what: &'static str,
    place: Place<R>,
}

enum Place<R> {
    Pool(JoinHandle<R>),
    Thread(oneshot::Receiver<R>),
    Refused(Option<io::Error>),
}

impl<R> Future for Offload<R> {
    type Output = io::Result<R>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<R>> {
        let what = self.what;
        match &mut self.place {
            Place::Pool(job) => {
                let joined = ready!(Pin::new(job).poll(cx));
                Poll::Ready(joined.map_err(|error| ended(what, error)))
            }
            Place::Thread(receiver) => {
                let received = ready!(Pin::new(receiver).poll(cx));
                Poll::Ready(received.map_err(|_| {
                    let sentence = format!("the blocking job `{what}` panicked");
                    plain(io::ErrorKind::Other, sentence)
                }))
            }
            Place::Refused(error) => {
                let error = error.take().expect("polled after it was ready");
                Poll::Ready(Err(explain(
                    io::ErrorKind::Other,
                    format!(
                        "the system refused a thread for the blocking job `{what}`, which was begun \
                         outside of a tenter runtime; raise the limit on threads (ulimit -u, pids.max \
                         of the control group, memory)"
                    ),
                    error,
                )))
            }
        }
    }
}

/// Why a job of the pool has no output.
fn ended(what: &str, error: JoinError) -> io::Error {
    let sentence = match error.reason().map(|reason| reason.kind()) {
        Some(CancelKind::Shutdown) => format!(
            "the runtime has ended before the blocking job `{what}` began; await files and standard \
             streams before the end of the runtime, or use them in another one"
        ),
        _ => format!("the blocking job `{what}` did not end with a result"),
    };
    explain(io::ErrorKind::Other, sentence, error)
}

impl<R> fmt::Debug for Offload<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Offload").field(&self.what).finish()
    }
}
