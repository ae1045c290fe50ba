//! [`Child`]: a process that was started.
//!
//! Invariants:
//! 1. What was read for [`Child::communicate`] lives in the child, not in the future, so a future that
//!    is dropped loses nothing.
//! 2. A child that is dropped in a scope is ended by that scope (`in_scope.rs`), and elsewhere by
//!    itself (`orphan.rs`); one that a scope has given up is not given to another.
//!
//! Tests: `tests/tests/process/`.

use std::fmt;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::{ExitStatus, Output};
use std::task::{Context, Poll};

use rustix::process::Signal;
use tenter_timer::timeout;

use super::communicate::{Communicate, Talk};
use super::error;
use super::in_scope;
use super::on_drop::{OnDrop, What};
use super::orphan;
use super::pipe::{ChildStderr, ChildStdin, ChildStdout};
use super::watch::Watch;
use crate::signal::SignalKind;

/// A process that was started by [`Command::spawn`](super::Command::spawn).
///
/// # Dropping
///
/// A child that has not ended goes on, or is ended, as [`Command`](super::Command) was told
/// ([`OnDrop`], which also says who waits for that). Either way it is reaped.
///
/// # Examples
///
/// ```
/// use tenter::process::{Command, Stdio};
///
/// # fn main() -> std::io::Result<()> {
/// # tenter::run(async {
/// let mut sort = Command::new("sort").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
/// let output = sort.communicate("pear\napple\n").await?;
/// assert_eq!(output.stdout, b"apple\npear\n");
/// # Ok(())
/// # })
/// # }
/// ```
#[doc(alias = "Process")]
#[doc(alias = "Popen")]
pub struct Child {
    /// The pipe to its standard input, if it has one. Take it, or write to it here.
    pub stdin: Option<ChildStdin>,
    /// The pipe from its standard output, if it has one.
    pub stdout: Option<ChildStdout>,
    /// The pipe from its standard error, if it has one.
    pub stderr: Option<ChildStderr>,
    pub(super) talk: Talk,
    pub(super) watch: Watch,
    pub(super) on_drop: OnDrop,
    /// 2
    pub(super) given_up: bool,
}

impl Child {
    pub(super) fn new(watch: Watch, on_drop: OnDrop) -> Child {
        Child {
            stdin: None,
            stdout: None,
            stderr: None,
            talk: Talk::default(),
            watch,
            on_drop,
            given_up: false,
        }
    }

    /// The number of the process. `None` once it was waited for: the number may be another's then.
    #[doc(alias = "pid")]
    pub fn id(&self) -> Option<u32> {
        self.watch.id()
    }

    /// Waits until the child has ended, and reaps it. Asked again, it gives the same answer.
    ///
    /// A pipe to its standard input that is still here is closed first, so that a child that reads to
    /// the end comes to one. A child that writes more into a pipe than that holds (64 KiB) waits for
    /// its reader: read its output meanwhile, or use [`communicate`](Child::communicate).
    ///
    /// # Errors
    ///
    /// Somebody else has reaped the child (see the [module](super)); or its runtime has shut down
    /// while the child still ran.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; wait again. The standard input stays closed.
    #[doc(alias = "waitpid")]
    pub fn wait(&mut self) -> Wait<'_> {
        Wait { child: self }
    }

    /// How the child ended, if it has; then it is reaped.
    ///
    /// # Errors
    ///
    /// Somebody else has reaped it.
    #[doc(alias = "returncode")]
    #[doc(alias = "poll")]
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.watch.try_ended()
    }

    /// Writes `input` to the child and closes its standard input, reads both its outputs to their
    /// ends, and waits for the child: all at once, so that neither side waits for the other,
    /// whatever the amounts. The outputs are kept in memory.
    ///
    /// A child that does not read its input to the end is no error. An output that is not piped, or
    /// that was taken out of the child, is empty.
    ///
    /// The ends of the outputs come when everybody has closed them, also processes that the child has
    /// started and left behind.
    ///
    /// # Errors
    ///
    /// Input for a child whose standard input is not piped; those of the pipes; those of
    /// [`wait`](Child::wait). What was read stays in the child, as after a drop.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing. A later call, with an empty input, goes on feeding the rest
    /// of the earlier input, and returns what was read before, too. Other input is refused until
    /// then. A future that was never polled has not begun: its input is dropped with it.
    pub fn communicate(&mut self, input: impl Into<Vec<u8>>) -> Communicate<'_> {
        Communicate::new(self, input.into())
    }

    /// [`communicate`](Child::communicate) with no input, for a child that is not needed any more.
    ///
    /// # Errors
    ///
    /// Those of [`communicate`](Child::communicate).
    ///
    /// # Cancel safety
    ///
    /// The child is dropped with the future, and what was read is lost.
    pub async fn wait_with_output(mut self) -> io::Result<Output> {
        self.communicate([]).await
    }

    /// Kills the child (SIGKILL), which it cannot prevent. It still has to be waited for, which takes
    /// no time. A child that has ended is no error.
    ///
    /// # Errors
    ///
    /// The system refuses: the child runs as another user.
    #[doc(alias = "start_kill")]
    pub fn kill(&mut self) -> io::Result<()> {
        self.watch.send(Signal::KILL)
    }

    /// Asks the child to end (SIGTERM). A child that has ended is no error.
    ///
    /// # Errors
    ///
    /// The system refuses: the child runs as another user.
    pub fn terminate(&mut self) -> io::Result<()> {
        self.watch.send(Signal::TERM)
    }

    /// Does now what a drop would do ([`OnDrop`]), and waits for it: asks the child to end, gives it
    /// time, kills it, and reaps it. A detached child is only waited for.
    ///
    /// The pipes from the child stay, and what it writes on its way out can be read afterwards, up to
    /// what a pipe holds (64 KiB); a child that writes more waits for a reader until it is killed.
    ///
    /// # Errors
    ///
    /// Those of [`wait`](Child::wait).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the child as it is then. Ending it again asks it again.
    pub async fn end(&mut self) -> io::Result<ExitStatus> {
        let on_drop = self.on_drop;
        if on_drop.is_group() {
            self.watch.end_group();
        }
        let grace = orphan::begin_end(&mut self.watch, on_drop);
        if let Some(grace) = grace {
            if let Ok(ended) = timeout(grace, self.wait()).await {
                return ended;
            }
            orphan::send(&mut self.watch, on_drop, Signal::KILL);
        }
        self.wait().await
    }

    /// Sends a signal to the child. A child that has ended is no error, and nobody else gets its
    /// signal.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a signal without a name; or the system refuses.
    #[doc(alias = "send_signal")]
    pub fn signal(&mut self, kind: SignalKind) -> io::Result<()> {
        let signal = orphan::as_signal(kind);
        self.watch
            .send(signal.ok_or_else(|| error::unknown_signal(kind.as_raw()))?)
    }

    /// Sends a signal to everything in the group of a child that was started with
    /// [`process_group(0)`](super::Command::process_group): also to what a shell has started.
    ///
    /// Once the child was waited for, the number of its group may be another's, and nothing is sent.
    ///
    /// # Errors
    ///
    /// `InvalidInput` for a signal without a name, or for a child that leads no group; or the system
    /// refuses.
    #[doc(alias = "killpg")]
    pub fn signal_group(&mut self, kind: SignalKind) -> io::Result<()> {
        let signal = orphan::as_signal(kind);
        self.watch
            .send_group(signal.ok_or_else(|| error::unknown_signal(kind.as_raw()))?)
    }

    /// Changes what becomes of the child when it is dropped before it has ended.
    pub fn set_on_drop(&mut self, on_drop: OnDrop) {
        self.on_drop = on_drop;
    }

    pub(super) fn poll_wait(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<ExitStatus>> {
        self.stdin = None;
        self.watch.poll_ended(cx)
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Before it is asked to end, it sees that nobody writes any more.
        self.stdin = None;
        if self.on_drop.what != What::Detach && !self.given_up && in_scope::leave(self) {
            return;
        }
        (self.stdout, self.stderr) = (None, None);
        orphan::adopt(self.watch.take(), self.on_drop);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("id", &self.id())
            .field("stdin", &self.stdin)
            .field("stdout", &self.stdout)
            .field("stderr", &self.stderr)
            .field("detached", &(self.on_drop.what == What::Detach))
            .finish_non_exhaustive()
    }
}

/// The future of [`Child::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Wait<'a> {
    child: &'a mut Child,
}

impl Future for Wait<'_> {
    type Output = io::Result<ExitStatus>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.child.poll_wait(cx)
    }
}

const _: () = {
    const fn send_and_sync<T: Send + Sync + Unpin>() {}
    send_and_sync::<Child>();
    send_and_sync::<Wait<'static>>();
    send_and_sync::<Communicate<'static>>();
};
