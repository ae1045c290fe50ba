//! `DatagramSocket`: messages that arrive whole, or not at all, of UDP or of a Unix socket.
//!
//! Each operation is one system call, tried first, and waits only when it would block. Other than
//! in a stream, zero bytes are a message like any other: sending an empty one sends it, and `Ok(0)`
//! is an empty message and never an end.
//!
//! Tests: `io/tests/udp.rs`, `io/tests/unix_datagram.rs`, `io/tests/cancel.rs`.

use std::fmt;
use std::io;
use std::net;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::RecvFlags;

use crate::async_fd::{Async, Readable, Waiting, Writable};
use crate::interest::{Direction, Interest};
use crate::net::family::StdDatagram;
use crate::net::socket_file::SocketFile;
use crate::net::sys;
use crate::slot::Place;

/// A datagram socket: [`UdpSocket`](crate::net::UdpSocket) or
/// [`UnixDatagram`](crate::net::UnixDatagram).
///
/// Any number of tasks may send and receive through a shared reference.
///
/// What does not fit into the buffer of a receiver is cut off by the system, without a word.
///
/// # Cancel safety
///
/// A future that is dropped before it is ready has not taken or sent anything.
pub struct DatagramSocket<S> {
    /// Removed when the socket is dropped, before it is closed; see
    /// [`ListeningSocket`](crate::net::ListeningSocket).
    file: Option<SocketFile>,
    source: Async<S>,
}

impl<S: StdDatagram> DatagramSocket<S> {
    /// Takes over a socket of the standard library, and makes it non-blocking.
    ///
    /// # Errors
    ///
    /// As [`Async::new`].
    pub fn from_std(socket: S) -> io::Result<Self> {
        let source = Async::new(socket)?;
        Ok(DatagramSocket { file: None, source })
    }

    /// Gives the socket to the standard library. It stays non-blocking, and the path of a Unix
    /// socket stays where it is.
    pub fn into_std(self) -> S {
        if let Some(file) = self.file {
            file.keep();
        }
        self.source.into_inner()
    }

    /// A socket that was born non-blocking.
    pub(crate) fn new(fd: OwnedFd, file: Option<SocketFile>) -> io::Result<Self> {
        let source = Async::new_nonblocking(S::from(fd))?;
        Ok(DatagramSocket { file, source })
    }

    pub(crate) fn source(&self) -> &Async<S> {
        &self.source
    }

    /// Sends a message to the address that the socket is connected to. Returned is its length.
    ///
    /// # Errors
    ///
    /// The socket is not connected, or the message is too long; or what a message before this one
    /// has met, such as that nobody listens there.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been sent when the future is dropped before it is ready.
    pub fn send<'a>(&'a self, message: &'a [u8]) -> SendOne<'a, S> {
        SendOne {
            source: &self.source,
            waiting: self.source.waiting(),
            message,
        }
    }

    /// As [`send`](Self::send), as a poll function.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn poll_send(&self, cx: &mut Context<'_>, message: &[u8]) -> Poll<io::Result<usize>> {
        self.source
            .poll_io(Direction::Write, Place::Poller, cx, |socket| {
                sys::write(socket, message)
            })
    }

    /// Sends a message, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is no room; else as
    /// [`send`](Self::send).
    pub fn try_send(&self, message: &[u8]) -> io::Result<usize> {
        self.source
            .try_io(Interest::WRITABLE, || sys::write(self, message))
    }

    /// Receives a message. If the socket is connected, only those of its peer arrive.
    ///
    /// # Errors
    ///
    /// What a message that was sent has met, such as that nobody listens there.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been received when the future is dropped before it is ready.
    pub fn recv<'a>(&'a self, buffer: &'a mut [u8]) -> Recv<'a, S> {
        self.recv_with(buffer, RecvFlags::empty())
    }

    /// Receives a message and leaves it where it is: the next call gets it too.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Peeking has no effect.
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> Recv<'a, S> {
        self.recv_with(buffer, RecvFlags::PEEK)
    }

    fn recv_with<'a>(&'a self, buffer: &'a mut [u8], flags: RecvFlags) -> Recv<'a, S> {
        Recv {
            source: &self.source,
            waiting: self.source.waiting(),
            buffer,
            flags,
        }
    }

    /// As [`recv`](Self::recv), as a poll function.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_recv(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source
            .poll_io(Direction::Read, Place::Poller, cx, |socket| {
                sys::read(socket, buffer)
            })
    }

    /// As [`peek`](Self::peek), as a poll function.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_peek(&self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Poll<io::Result<usize>> {
        self.source
            .poll_io(Direction::Read, Place::Poller, cx, |socket| {
                sys::peek(socket, buffer)
            })
    }

    /// Receives a message that is there, without waiting.
    ///
    /// # Errors
    ///
    /// [`WouldBlock`](io::ErrorKind::WouldBlock) when there is none; else as
    /// [`recv`](Self::recv).
    pub fn try_recv(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.source
            .try_io(Interest::READABLE, || sys::read(self, buffer))
    }

    /// Receives a message, and learns who has sent it.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Nothing has been received when the future is dropped before it is ready.
    #[doc(alias = "sock_recvfrom")]
    pub fn recv_from<'a>(&'a self, buffer: &'a mut [u8]) -> RecvFrom<'a, S> {
        self.recv_from_with(buffer, RecvFlags::empty())
    }

    /// As [`recv_from`](Self::recv_from), and leaves the message where it is.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    ///
    /// Peeking has no effect.
    pub fn peek_from<'a>(&'a self, buffer: &'a mut [u8]) -> RecvFrom<'a, S> {
        self.recv_from_with(buffer, RecvFlags::PEEK)
    }

    fn recv_from_with<'a>(&'a self, buffer: &'a mut [u8], flags: RecvFlags) -> RecvFrom<'a, S> {
        RecvFrom(self.recv_with(buffer, flags))
    }

    /// As [`recv_from`](Self::recv_from), as a poll function.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_recv_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, S::Address)>> {
        self.poll_recv_from_with(cx, buffer, RecvFlags::empty())
    }

    /// As [`peek_from`](Self::peek_from), as a poll function.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    pub fn poll_peek_from(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<(usize, S::Address)>> {
        self.poll_recv_from_with(cx, buffer, RecvFlags::PEEK)
    }

    fn poll_recv_from_with(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
        flags: RecvFlags,
    ) -> Poll<io::Result<(usize, S::Address)>> {
        self.source
            .poll_io(Direction::Read, Place::Poller, cx, |socket| {
                sys::recv_from(socket, buffer, flags)
            })
    }

    /// Receives a message that is there and its sender, without waiting.
    ///
    /// # Errors
    ///
    /// As [`try_recv`](Self::try_recv).
    pub fn try_recv_from(&self, buffer: &mut [u8]) -> io::Result<(usize, S::Address)> {
        self.source.try_io(Interest::READABLE, || {
            sys::recv_from(self, buffer, RecvFlags::empty())
        })
    }

    /// Waits until receiving may succeed. See [`Async::readable`].
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

    /// Waits until sending may succeed. See [`Async::writable`].
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

    /// Whether receiving may succeed; if not, the task is woken when that has changed.
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    #[doc(alias = "poll_recv_ready")]
    pub fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.source.poll_readable(cx)
    }

    /// Whether sending may succeed; if not, the task is woken when that has changed.
    ///
    /// # Errors
    ///
    /// The driver has failed or was shut down.
    #[doc(alias = "poll_send_ready")]
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

    /// The address of this side.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn local_addr(&self) -> io::Result<S::Address> {
        sys::local_addr(self)
    }

    /// The address that the socket is connected to.
    ///
    /// # Errors
    ///
    /// It is not connected; else those of the operating system.
    pub fn peer_addr(&self) -> io::Result<S::Address> {
        sys::peer_addr(self)
    }

    /// Takes the pending error of the socket.
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        sys::take_error(self)
    }
}

impl<S: AsFd> AsFd for DatagramSocket<S> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

impl<S: AsRawFd> AsRawFd for DatagramSocket<S> {
    fn as_raw_fd(&self) -> RawFd {
        self.source.as_raw_fd()
    }
}

/// Refuses what is no datagram socket of this kind.
impl<S: StdDatagram> TryFrom<OwnedFd> for DatagramSocket<S> {
    type Error = io::Error;

    fn try_from(fd: OwnedFd) -> io::Result<Self> {
        DatagramSocket::from_std(S::from_fd(fd)?)
    }
}

impl<S: StdDatagram> From<DatagramSocket<S>> for OwnedFd {
    fn from(socket: DatagramSocket<S>) -> OwnedFd {
        socket.into_std().into()
    }
}

impl<S: fmt::Debug> fmt::Debug for DatagramSocket<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.get_ref().fmt(f)
    }
}

/// The future of [`DatagramSocket::send`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct SendOne<'a, S = net::UdpSocket> {
    source: &'a Async<S>,
    waiting: Waiting<'a>,
    message: &'a [u8],
}

impl<S: StdDatagram> Future for SendOne<'_, S> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let place = this.waiting.place();
        this.source.poll_io(Direction::Write, place, cx, |socket| {
            sys::write(socket, this.message)
        })
    }
}

/// The future of [`DatagramSocket::recv`] and [`DatagramSocket::peek`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Recv<'a, S = net::UdpSocket> {
    source: &'a Async<S>,
    waiting: Waiting<'a>,
    buffer: &'a mut [u8],
    flags: RecvFlags,
}

impl<S: StdDatagram> Future for Recv<'_, S> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let place = this.waiting.place();
        this.source.poll_io(Direction::Read, place, cx, |socket| {
            sys::recv(socket, this.buffer, this.flags)
        })
    }
}

/// The future of [`DatagramSocket::recv_from`] and [`DatagramSocket::peek_from`].
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct RecvFrom<'a, S = net::UdpSocket>(Recv<'a, S>);

impl<S: StdDatagram> Future for RecvFrom<'_, S> {
    type Output = io::Result<(usize, S::Address)>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut self.0;
        let place = this.waiting.place();
        this.source.poll_io(Direction::Read, place, cx, |socket| {
            sys::recv_from(socket, this.buffer, this.flags)
        })
    }
}
