//! One operation as a future: begun at the first poll, then out of its hands.
//!
//! ```text
//!            first poll               the job ends
//!   New ──────────────────► Begun ──────────────────► Over
//!   Known ─────────────────────────────────────────────▲
//! ```
//!
//! Tests: `tests/tests/fs/paths.rs`, `tests/tests/fs/outside.rs`.

use core::fmt;
use core::future::Future;
use core::mem;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io;
use std::path::Path;

use crate::offload::explained::explain_io;
use crate::offload::{Offload, offload_at};

type Work<T> = Box<dyn FnOnce() -> io::Result<T> + Send>;

/// The future of one operation on a file or folder.
///
/// # Errors
///
/// Those of the system, with the operation and the path; and that the job could not run, because the
/// system refused a thread or the runtime has ended.
///
/// # Cancel safety
///
/// Dropped before the first poll, nothing has happened. Dropped later, the operation goes on in the
/// system, and its outcome is lost.
///
/// # Panics
///
/// When it is polled again after it was ready.
#[must_use = "futures do nothing unless awaited"]
pub struct Operation<T> {
    state: State<T>,
    what: &'static str,
    made_at: &'static Location<'static>,
}

enum State<T> {
    New(Work<T>),
    Known(T),
    Begun(Offload<io::Result<T>>),
    Over,
}

impl<T: Send + 'static> Operation<T> {
    /// Of `work`, which says in its errors what it is. `what` names the job.
    #[track_caller]
    pub(super) fn new(
        what: &'static str,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> Self {
        Self {
            state: State::New(Box::new(work)),
            what,
            made_at: Location::caller(),
        }
    }

    /// Of nothing: its output is known.
    #[track_caller]
    pub(super) fn known(what: &'static str, output: T) -> Self {
        Self {
            state: State::Known(output),
            what,
            made_at: Location::caller(),
        }
    }

    /// Of `work` on `path`; its errors become "cannot `sentence` `path`: …".
    #[track_caller]
    pub(super) fn on(
        what: &'static str,
        sentence: &'static str,
        path: impl AsRef<Path>,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Self {
        let path = path.as_ref().to_path_buf();
        Self::new(what, move || {
            work(&path).map_err(|cause| failed(sentence, &path, cause))
        })
    }
}

/// "cannot rename `a`: …".
pub fn failed(sentence: &str, path: &Path, cause: io::Error) -> io::Error {
    explain_io(format!("cannot {sentence} `{}`", path.display()), cause)
}

// The work is called, never pinned.
impl<T> Unpin for Operation<T> {}

impl<T: Send + 'static> Future for Operation<T> {
    type Output = io::Result<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let this = &mut *self;
        loop {
            if let State::Begun(job) = &mut this.state {
                let output = ready!(Pin::new(job).poll(cx));
                this.state = State::Over;
                return Poll::Ready(output.and_then(|output| output));
            }
            match mem::replace(&mut this.state, State::Over) {
                State::New(work) => {
                    this.state = State::Begun(offload_at(this.what, work, this.made_at));
                }
                State::Known(output) => return Poll::Ready(Ok(output)),
                State::Begun(_) | State::Over => {
                    panic!("an operation was polled after it was ready")
                }
            }
        }
    }
}

impl<T> fmt::Debug for Operation<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::New(_) => "New",
            State::Known(_) => "Known",
            State::Begun(_) => "Begun",
            State::Over => "Over",
        };
        f.debug_struct("Operation")
            .field("what", &self.what)
            .field("state", &state)
            .finish_non_exhaustive()
    }
}
