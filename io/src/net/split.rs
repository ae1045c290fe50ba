//! Two halves of a borrowed stream, for two futures of one task.

use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::task::{Context, Poll};

use crate::net::stream::{Peek, TcpStream};
use crate::net::through::{read_through, write_through};

/// The half of a [`TcpStream`] that reads. See [`TcpStream::split`].
#[derive(Debug)]
pub struct ReadHalf<'a>(&'a TcpStream);

/// The half of a [`TcpStream`] that writes. See [`TcpStream::split`].
///
/// Dropping it does not close anything; [`poll_close`](futures_io::AsyncWrite::poll_close) says to
/// the peer that there is no more.
#[derive(Debug)]
pub struct WriteHalf<'a>(&'a TcpStream);

pub(crate) fn split(stream: &mut TcpStream) -> (ReadHalf<'_>, WriteHalf<'_>) {
    (ReadHalf(stream), WriteHalf(stream))
}

impl ReadHalf<'_> {
    /// As [`TcpStream::peek`].
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> Peek<'a> {
        self.0.peek(buffer)
    }

    /// As [`TcpStream::poll_read_uninit`].
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_read_uninit(cx, buffer)
    }

    /// The whole stream.
    pub fn stream(&self) -> &TcpStream {
        self.0
    }
}

impl WriteHalf<'_> {
    /// Whether a vectored write is one system call: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }

    /// As [`TcpStream::shutdown`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// The whole stream.
    pub fn stream(&self) -> &TcpStream {
        self.0
    }
}

read_through!(ReadHalf<'_>);
write_through!(WriteHalf<'_>, |half| half.0.shutdown(Shutdown::Write));
