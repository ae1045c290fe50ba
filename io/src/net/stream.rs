//! `StreamSocket`: a connection, of TCP or of a Unix socket.
//!
//! Reading and writing try the system call first and wait only when it would block. A direction is
//! thought ready until then: a short read proves nothing, because the end of the stream may have
//! come on the same edge as the data. Where the poller says that no end stands behind the data it
//! does, unless a passed descriptor has cut it short (see [`family`](crate::net::family)).
//!
//! Tests: `io/tests/stream.rs`, `io/tests/unix.rs`, `io/tests/faults.rs`, `io/tests/others.rs`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{self, Shutdown};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};

use crate::async_fd::{Async, Readable, Taken, Waiting, Writable};
use crate::interest::{Direction, Interest};
use crate::net::family::StdStream;
use crate::net::split::{self, ReadHalf, WriteHalf};
use crate::net::split_owned::{self, OwnedReadHalf, OwnedWriteHalf};
use crate::net::sys;
use crate::net::through::{read_through, write_through};
use crate::slot::Place;

/// A connection: [`TcpStream`](crate::net::TcpStream) or [`UnixStream`](crate::net::UnixStream).
///
/// It reads and writes through [`AsyncRead`] and [`AsyncWrite`], also by shared reference:
/// a reference implements both. Writing after the peer has gone is an error and never a signal.
/// Nothing is buffered here, so flushing does nothing; closing says to the peer that there is no
/// more.
///
/// # Cancel safety
///
/// A read or write that is dropped before it is ready has not taken or sent anything.
pub struct StreamSocket<S> {
    source: Async<S>,
}

impl<S: StdStream> StreamSocket<S> {
    /// Takes over a connection of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from_std(stream: S) -> io::Result<Self> {
        Async::new(stream).map(StreamSocket::from_source)
    }

    /// Gives the connection to the standard library. It stays non-blocking.
    pub fn into_std(self) -> S {
        self.source.into_inner()
    }

    pub(crate) fn from_source(source: Async<S>) -> Self {
        StreamSocket { source }
    }

    /// A connection that was born non-blocking.
    pub(crate) fn accepted(stream: S) -> io::Result<Self> {
        Async::new_nonblocking(stream).map(StreamSocket::from_source)
    }

    pub(crate) fn socket(&self) -> &S {
        self.source.get_ref()
    }

    /// The half that reads and the half that writes, for two futures of one task.
    pub fn split(&mut self) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
        split::split(self)
    }

    /// The half that reads and the half that writes, for two tasks. Dropping the half that writes
    /// says to the peer that there is no more.
    pub fn into_split(self) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
        split_owned::split(self)
    }

    /// Waits until reading may succeed. See [`Async::readable`].
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub fn readable(&self) -> Readable<'_> {
        self.source.readable()
    }

    /// Waits until writing may succeed. See [`Async::writable`].
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future has no effect.
    pub fn writable(&self) -> Writable<'_> {
        self.source.writable()
    }

    /// Whether reading may succeed; if not, the task is woken when that has changed. See
    /// [`Async::poll_readable`].
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    #[doc(alias = "poll_read_ready")]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_readable(cx)
    }

    /// Whether writing may succeed; if not, the task is woken when that has changed. See
    /// [`Async::poll_writable`].
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    #[doc(alias = "poll_write_ready")]
    pub fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_writable(cx)
    }

    /// Tries an operation of the caller's own, such as one with flags. See [`Async::try_io`].
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock), or those of `operation`.
    pub fn try_io<R>(
        &self,
        interest: Interest,
        operation: impl FnOnce() -> io::Result<R>,
    ) -> io::Result<R> {
        self.source.try_io(interest, operation)
    }

    /// Reads what is there, without waiting. `Ok(0)` is the end, unless `buffer` is empty.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is nothing; else those of the
    /// connection.
    pub fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.source
            .try_io(Interest::READABLE, || sys::read(self, buffer))
    }

    /// Reads what is there into several buffers, without waiting.
    ///
    /// # Errors
    ///
    /// As [`try_read`](Self::try_read).
    pub fn try_read_vectored(&self, buffers: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        self.source
            .try_io(Interest::READABLE, || sys::read_vectored(self, buffers))
    }

    /// Writes what there is room for, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room; else those of the
    /// connection.
    pub fn try_write(&self, buffer: &[u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        self.source
            .try_io(Interest::WRITABLE, || sys::write(self, buffer))
    }

    /// Writes what there is room for from several buffers, without waiting.
    ///
    /// # Errors
    ///
    /// As [`try_write`](Self::try_write).
    pub fn try_write_vectored(&self, buffers: &[IoSlice<'_>]) -> io::Result<usize> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Ok(0);
        }
        self.source
            .try_io(Interest::WRITABLE, || sys::write_vectored(self, buffers))
    }

    /// Reads into memory that need not be initialised. The first bytes of `buffer`, as many as are
    /// returned, are initialised then. `Ok(0)` is the end, unless `buffer` is empty.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been read while it is pending.
    #[inline]
    pub fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source.poll_read_stream(buffer.len(), cx, |socket| {
            Ok(Taken {
                count: sys::read_uninit(socket, buffer)?,
                cut: S::CARRIES_DESCRIPTORS,
            })
        })
    }

    /// Reads without taking: the next read gets the same bytes.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    ///
    /// # Cancel safety
    ///
    /// Peeking has no effect.
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> Peek<'a, S> {
        Peek {
            source: &self.source,
            waiting: self.source.waiting(),
            buffer,
        }
    }

    /// As [`peek`](Self::peek), as a poll function.
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source
            .poll_io(Direction::Read, Place::Poller, cx, |socket| {
                sys::peek(socket, buffer)
            })
    }

    /// Says that nothing more will be written, or read, or both. A connection that the peer has
    /// reset is shut down already, which is no error.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[doc(alias = "write_eof")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match sys::shutdown(self, how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn peer_addr(&self) -> io::Result<S::Address> {
        sys::peer_addr(self)
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<S::Address> {
        sys::local_addr(self)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        sys::take_error(self)
    }

    /// Whether [`poll_write_vectored`](AsyncWrite::poll_write_vectored) is one system call: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }

    fn stream(&self) -> &Self {
        self
    }
}

impl<S: StdStream> AsyncRead for &StreamSocket<S> {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source.poll_read_stream(buffer.len(), cx, |socket| {
            if S::CARRIES_DESCRIPTORS {
                sys::read_to_the_cut(socket, buffer)
            } else {
                let count = sys::read(socket, buffer)?;
                Ok(Taken { count, cut: false })
            }
        })
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.source
            .poll_io(Direction::Read, Place::Poller, cx, |socket| {
                sys::read_vectored(socket, buffers)
            })
    }
}

impl<S: StdStream> AsyncWrite for &StreamSocket<S> {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source
            .poll_io(Direction::Write, Place::Poller, cx, |socket| {
                sys::write(socket, buffer)
            })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.source
            .poll_io(Direction::Write, Place::Poller, cx, |socket| {
                sys::write_vectored(socket, buffers)
            })
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.shutdown(Shutdown::Write))
    }
}

read_through!(StreamSocket<S>);
write_through!(StreamSocket<S>, |stream| stream.shutdown(Shutdown::Write));

impl<S: AsFd> AsFd for StreamSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl<S: AsRawFd> AsRawFd for StreamSocket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}

/// Refuses what is no stream of this kind.
impl<S: StdStream> TryFrom<OwnedFd> for StreamSocket<S> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        StreamSocket::from_std(S::from_fd(fd)?)
    }
}

impl<S: StdStream> From<StreamSocket<S>> for OwnedFd {
    fn from(stream: StreamSocket<S>) -> OwnedFd {
        stream.into_std().into()
    }
}

impl<S: fmt::Debug> fmt::Debug for StreamSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}

/// The future of [`StreamSocket::peek`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Peek<'a, S = net::TcpStream> {
    source: &'a Async<S>,
    waiting: Waiting<'a>,
    buffer: &'a mut [u8],
}

impl<S: StdStream> Future for Peek<'_, S> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let place = this.waiting.place();
        this.source.poll_io(Direction::Read, place, cx, |socket| {
            sys::peek(socket, this.buffer)
        })
    }
}
