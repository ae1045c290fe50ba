//! Both ways between two streams: a proxy.
//!
//! ```text
//!   each direction:   COPYING ── end of its reader, flushed ──► CLOSING ── closed ──► DONE
//!   the whole:        ready when both are DONE, or with the first error of either
//! ```
//!
//! Invariants:
//! - I1: a direction at its end closes the write half of its writer, and only that. The other
//!   direction goes on: half-closed connections are carried over as they are.
//! - I2: at each poll the other direction comes first. One that is always ready spends the whole
//!   budget of the poll, and the second one would never get any of it.
//! - I3: a direction that is done is not polled again.
//!
//! Rejected: two tasks. A copy needs no allocation but its buffers, and its error must stop both.
//! Rejected: to close the writer when its reader fails. It would turn an error into what looks like
//! a clean end to the other side; dropping both streams does the right thing.
//!
//! Tests: `io/tests/copy.rs`.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::copy::transfer::Transfer;
use crate::ext::opaque_debug;

/// Copies between `a` and `b` in both directions, until both have ended. Returns how many bytes
/// went from `a` to `b`, and from `b` to `a`.
///
/// When one side ends, the write half of the other is closed, and the other direction goes on.
/// Whenever nothing can be read for now, what was written is flushed.
///
/// # Errors
///
/// The first error of either side ends both directions. It holds a [`CopyError`], which says which
/// direction failed and how far both came. Neither stream is closed then; drop them.
///
/// # Cancel safety
///
/// Not cancel-safe: what was read and not yet written is lost with the future.
/// [`CopyBidirectional::copied`] says how far it came. Polling it again goes on.
///
/// # Fairness
///
/// Both directions get their turn, however busy the other one is. Spends the budget of its task.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::{TcpListener, TcpStream};
///
/// # async fn example() -> std::io::Result<()> {
/// let listener = TcpListener::bind("localhost:8080").await?;
/// let (mut client, _) = listener.accept().await?;
/// let mut server = TcpStream::connect("localhost:80").await?;
/// let (sent, received) = tenter_io::copy_bidirectional(&mut client, &mut server).await?;
/// println!("{sent} bytes sent, {received} received");
/// # Ok(())
/// # }
/// ```
pub fn copy_bidirectional<'a, A, B>(a: &'a mut A, b: &'a mut B) -> CopyBidirectional<'a, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    CopyBidirectional {
        a,
        b,
        a_to_b: OneWay::new(),
        b_to_a: OneWay::new(),
        b_first: false,
    }
}

/// The future of [`copy_bidirectional`].
#[must_use = "futures do nothing unless awaited"]
pub struct CopyBidirectional<'a, A: ?Sized, B: ?Sized> {
    a: &'a mut A,
    b: &'a mut B,
    a_to_b: OneWay,
    b_to_a: OneWay,
    b_first: bool,
}

impl<A: ?Sized, B: ?Sized> CopyBidirectional<'_, A, B> {
    /// How many bytes have gone from `a` to `b`, and from `b` to `a`, so far.
    pub fn copied(&self) -> (u64, u64) {
        (
            self.a_to_b.transfer.written(),
            self.b_to_a.transfer.written(),
        )
    }

    fn failed(&self, direction: Direction, cause: io::Error) -> io::Error {
        let kind = cause.kind();
        let (a_to_b, b_to_a) = self.copied();
        io::Error::new(
            kind,
            CopyError {
                direction,
                a_to_b,
                b_to_a,
                cause,
            },
        )
    }
}

struct OneWay {
    transfer: Transfer,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    Copying,
    Closing,
    Done,
}

impl OneWay {
    const fn new() -> Self {
        OneWay {
            transfer: Transfer::new(),
            stage: Stage::Copying,
        }
    }

    fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        if self.stage == Stage::Copying {
            ready!(self.transfer.poll(cx, reader, writer))?;
            self.stage = Stage::Closing;
        }
        if self.stage == Stage::Closing {
            ready!(Pin::new(writer).poll_close(cx))?; // I1
            self.stage = Stage::Done; // I3
        }
        Poll::Ready(Ok(()))
    }
}

impl<A, B> CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    fn poll_direction(
        &mut self,
        cx: &mut Context<'_>,
        direction: Direction,
    ) -> Poll<io::Result<()>> {
        let result = match direction {
            Direction::AToB => self.a_to_b.poll(cx, self.a, self.b),
            Direction::BToA => self.b_to_a.poll(cx, self.b, self.a),
        };
        result.map_err(|cause| self.failed(direction, cause))
    }
}

impl<A, B> Future for CopyBidirectional<'_, A, B>
where
    A: AsyncRead + AsyncWrite + Unpin + ?Sized,
    B: AsyncRead + AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<(u64, u64)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let order = match this.b_first {
            false => [Direction::AToB, Direction::BToA],
            true => [Direction::BToA, Direction::AToB],
        };
        this.b_first = !this.b_first; // I2
        let first = this.poll_direction(cx, order[0])?;
        let second = this.poll_direction(cx, order[1])?;
        match first.is_ready() && second.is_ready() {
            true => Poll::Ready(Ok(this.copied())),
            false => Poll::Pending,
        }
    }
}

opaque_debug!([A: ?Sized, B: ?Sized] CopyBidirectional<'_, A, B>);

/// From where to where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From the first stream to the second.
    AToB,
    /// From the second stream to the first.
    BToA,
}

/// What ended [`copy_bidirectional`], and how far it came. Stands inside of the [`io::Error`].
#[derive(Debug)]
#[non_exhaustive]
pub struct CopyError {
    /// The direction that failed.
    pub direction: Direction,
    /// How many bytes had gone from the first stream to the second.
    pub a_to_b: u64,
    /// How many bytes had gone from the second stream to the first.
    pub b_to_a: u64,
    /// What its reader or writer said.
    pub cause: io::Error,
}

impl CopyError {
    /// Finds it in an [`io::Error`].
    pub fn of(error: &io::Error) -> Option<&CopyError> {
        error.get_ref()?.downcast_ref()
    }
}

impl fmt::Display for CopyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (from, to, done, other) = match self.direction {
            Direction::AToB => ("first", "second", self.a_to_b, self.b_to_a),
            Direction::BToA => ("second", "first", self.b_to_a, self.a_to_b),
        };
        write!(
            f,
            "copying from the {from} stream to the {to} failed after {done} bytes, and {other} the \
             other way: {}",
            self.cause
        )
    }
}

impl std::error::Error for CopyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.cause)
    }
}
