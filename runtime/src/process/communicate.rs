//! [`Communicate`]: feeding a child and reading both its outputs at once.
//!
//! ```text
//!  each poll:   input  ──► stdin      until it would block; all of it written, or the child
//!                                     does not read any more: close
//!               stdout ──► output     until it would block; the end: close
//!               stderr ──► output     the same
//!               all closed: wait for the child
//! ```
//!
//! No order among the three: a child that waits for one of them finds it served at each poll. So
//! neither side can wait for the other while that waits for it.
//!
//! Tests: `tests/tests/process/communicate.rs`.

use std::future::Future;
use std::io;
use std::mem;
use std::pin::Pin;
use std::process::Output;
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;

use super::child::Child;
use super::error;
use super::pipe::ChildStdin;

/// How far it has come. It outlives the futures that drive it.
#[derive(Debug, Default)]
pub struct Talk {
    begun: bool,
    input: Vec<u8>,
    fed: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl Talk {
    /// Takes the input of the first call; those that go on where it was dropped bring none.
    fn begin(&mut self, input: Vec<u8>, has_stdin: bool) -> io::Result<()> {
        if !input.is_empty() {
            if self.begun {
                return Err(error::input_twice());
            }
            if !has_stdin {
                return Err(error::no_stdin());
            }
            self.input = input;
            self.fed = 0;
        }
        self.begun = true;
        Ok(())
    }

    /// Feeds what is left. Then, or when the child reads no more, the pipe is closed.
    fn poll_feed(
        &mut self,
        stdin: &mut Option<ChildStdin>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let (Some(pipe), rest @ [_, ..]) = (stdin.as_mut(), &self.input[self.fed..]) {
            match ready!(Pin::new(pipe).poll_write(cx, rest)) {
                Ok(count) => self.fed += count,
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => break,
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        *stdin = None;
        self.input = Vec::new();
        self.fed = 0;
        Poll::Ready(Ok(()))
    }
}

/// Reads to the end, and closes then.
fn poll_drain<P>(
    pipe: &mut Option<P>,
    mut append: impl FnMut(&P) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    while let Some(open) = pipe {
        if ready!(append(open))? == 0 {
            *pipe = None;
        }
    }
    Poll::Ready(Ok(()))
}

/// The future of [`Child::communicate`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Communicate<'a> {
    child: &'a mut Child,
    /// Until the first poll.
    input: Option<Vec<u8>>,
}

impl<'a> Communicate<'a> {
    pub(super) fn new(child: &'a mut Child, input: Vec<u8>) -> Communicate<'a> {
        let input = Some(input);
        Communicate { child, input }
    }
}

impl Future for Communicate<'_> {
    type Output = io::Result<Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let child = &mut *this.child;
        if let Some(input) = this.input.take() {
            child.talk.begin(input, child.stdin.is_some())?;
        }
        let talk = &mut child.talk;
        let fed = talk.poll_feed(&mut child.stdin, cx)?;
        let out = poll_drain(&mut child.stdout, |pipe| {
            pipe.poll_append(cx, &mut talk.stdout)
        })?;
        let err = poll_drain(&mut child.stderr, |pipe| {
            pipe.poll_append(cx, &mut talk.stderr)
        })?;
        if fed.is_pending() || out.is_pending() || err.is_pending() {
            return Poll::Pending;
        }
        let status = ready!(child.poll_wait(cx))?;
        let talk = mem::take(&mut child.talk);
        Poll::Ready(Ok(Output {
            status,
            stdout: talk.stdout,
            stderr: talk.stderr,
        }))
    }
}
