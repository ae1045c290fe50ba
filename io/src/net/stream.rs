//! `TcpStream`: a TCP connection.
//!
//! Reading and writing try the system call first and wait only when it would block. A direction is
//! thought ready until then: a short read proves nothing, because the end of the stream may have
//! come on the same edge as the data.
//!
//! Tests: `io/tests/stream.rs`, `io/tests/faults.rs`, `io/tests/others.rs`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{self, Shutdown, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_io::{AsyncRead, AsyncWrite};
use socket2::SockRef;

use crate::async_fd::{Async, Readable, Waiting, Writable};
use crate::interest::{Direction, Interest};
use crate::net::address::ToSocketAddrs;
use crate::net::connect::{Connect, ConnectTimeout};
use crate::net::split::{self, ReadHalf, WriteHalf};
use crate::net::split_owned::{self, OwnedReadHalf, OwnedWriteHalf};
use crate::net::sys;
use crate::net::through::{read_through, write_through};
use crate::slot::Place;

/// A TCP connection.
///
/// It reads and writes through [`AsyncRead`] and [`AsyncWrite`], also by shared reference:
/// `&TcpStream` implements both. Writing after the peer has gone is an error and never a signal.
/// Nothing is buffered here, so flushing does nothing; closing says to the peer that there is no
/// more.
///
/// # Cancel safety
///
/// A read or write that is dropped before it is ready has not taken or sent anything.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpStream;
/// use tenter_io::{AsyncReadExt, AsyncWriteExt};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut stream = TcpStream::connect("localhost:8080").await?;
/// stream.write_all(b"hello").await?;
/// let mut answer = Vec::new();
/// stream.read_to_end(&mut answer).await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "open_connection")]
#[doc(alias = "StreamReader")]
#[doc(alias = "StreamWriter")]
pub struct TcpStream {
    source: Async<net::TcpStream>,
}

impl TcpStream {
    /// Connects to `address`: to the first one that answers, if there are several.
    ///
    /// # Errors
    ///
    /// The address cannot be understood or found, or none can be connected to, with the reason for
    /// each.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the attempt.
    #[doc(alias = "create_connection")]
    pub fn connect<A: ToSocketAddrs>(address: A) -> Connect {
        Connect::new(address)
    }

    /// Connects to `address` within `limit`, the lookup of a name and all addresses together.
    ///
    /// # Errors
    ///
    /// As [`connect`](Self::connect); [`TimedOut`](io::ErrorKind::TimedOut) when the time is up.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future closes the attempt.
    #[track_caller]
    pub fn connect_timeout<A: ToSocketAddrs>(address: A, limit: Duration) -> ConnectTimeout {
        ConnectTimeout::new(address, limit)
    }

    /// Takes over a connection of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from_std(stream: net::TcpStream) -> io::Result<TcpStream> {
        Async::new(stream).map(TcpStream::from_source)
    }

    /// Gives the connection to the standard library. It stays non-blocking.
    pub fn into_std(self) -> net::TcpStream {
        self.source.into_inner()
    }

    pub(crate) fn from_source(source: Async<net::TcpStream>) -> TcpStream {
        TcpStream { source }
    }

    /// A connection that was born non-blocking.
    pub(crate) fn accepted(stream: net::TcpStream) -> io::Result<TcpStream> {
        Async::new_nonblocking(stream).map(TcpStream::from_source)
    }

    /// The half that reads and the half that writes, for two futures of one task.
    pub fn split(&mut self) -> (ReadHalf<'_>, WriteHalf<'_>) {
        split::split(self)
    }

    /// The half that reads and the half that writes, for two tasks. Dropping the half that writes
    /// says to the peer that there is no more.
    pub fn into_split(self) -> (OwnedReadHalf, OwnedWriteHalf) {
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
        self.source
            .poll_read_stream(buffer.len(), cx, |socket| sys::read_uninit(socket, buffer))
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
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> Peek<'a> {
        Peek {
            stream: self,
            waiting: self.source.waiting(),
            buffer,
        }
    }

    /// Says that nothing more will be written, or read, or both. A connection that the peer has
    /// reset is shut down already, which is no error.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    #[doc(alias = "write_eof")]
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        match self.source.get_ref().shutdown(how) {
            Err(error) if error.kind() == io::ErrorKind::NotConnected => Ok(()),
            result => result,
        }
    }

    /// The address of the other side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().peer_addr()
    }

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.source.get_ref().local_addr()
    }

    /// Whether small writes are sent at once (`TCP_NODELAY`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.source.get_ref().nodelay()
    }

    /// Sends small writes at once, or collects them.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.source.get_ref().set_nodelay(nodelay)
    }

    /// How long closing goes on sending in the background (`SO_LINGER`).
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self).linger()
    }

    /// Sets how long closing goes on sending, in whole seconds. Zero makes closing a reset; more
    /// makes the drop of the stream block its thread for so long.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self).set_linger(linger)
    }

    /// The time to live of outgoing packets.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn ttl(&self) -> io::Result<u32> {
        self.source.get_ref().ttl()
    }

    /// Sets the time to live of outgoing packets.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn set_ttl(&self, hops: u32) -> io::Result<()> {
        self.source.get_ref().set_ttl(hops)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.source.get_ref().take_error()
    }

    /// Whether [`poll_write_vectored`](AsyncWrite::poll_write_vectored) is one system call: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }
}

impl AsyncRead for &TcpStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        self.source
            .poll_read_stream(buffer.len(), cx, |socket| sys::read(socket, buffer))
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

impl AsyncWrite for &TcpStream {
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

impl TcpStream {
    fn stream(&self) -> &TcpStream {
        self
    }
}

read_through!(TcpStream);
write_through!(TcpStream, |stream| stream.shutdown(Shutdown::Write));

impl AsFd for TcpStream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl AsRawFd for TcpStream {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}

impl TryFrom<net::TcpStream> for TcpStream {
    type Error = io::Error;

    fn try_from(stream: net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(stream)
    }
}

impl From<TcpStream> for net::TcpStream {
    fn from(stream: TcpStream) -> net::TcpStream {
        stream.into_std()
    }
}

impl fmt::Debug for TcpStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}

/// The future of [`TcpStream::peek`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Peek<'a> {
    stream: &'a TcpStream,
    waiting: Waiting<'a>,
    buffer: &'a mut [u8],
}

impl Future for Peek<'_> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        if this.buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let place = this.waiting.place();
        let source = &this.stream.source;
        let count = ready!(source.poll_io(Direction::Read, place, cx, |socket| {
            sys::peek(socket, this.buffer)
        }));
        Poll::Ready(count)
    }
}
