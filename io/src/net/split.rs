//! Two halves of a borrowed stream, for two futures of one task.
//!
//! Tests: `io/tests/stream.rs`, `io/tests/unix.rs`.

use std::io;
use std::mem::MaybeUninit;
use std::net::{self, Shutdown};
use std::task::{Context, Poll};

use crate::net::family::StdStream;
use crate::net::stream::{Peek, StreamSocket};
use crate::net::through::{read_through, write_through};

/// The half of a stream that reads. See [`StreamSocket::split`].
#[derive(Debug)]
pub struct ReadHalf<'a, S = net::TcpStream>(&'a StreamSocket<S>);

/// The half of a stream that writes. See [`StreamSocket::split`].
///
/// Dropping it does not close anything; [`poll_close`](futures_io::AsyncWrite::poll_close) says to
/// the peer that there is no more.
#[derive(Debug)]
pub struct WriteHalf<'a, S = net::TcpStream>(&'a StreamSocket<S>);

pub(crate) fn split<S>(stream: &mut StreamSocket<S>) -> (ReadHalf<'_, S>, WriteHalf<'_, S>) {
    (ReadHalf(stream), WriteHalf(stream))
}

impl<S: StdStream> ReadHalf<'_, S> {
    /// As [`StreamSocket::peek`].
    ///
    /// # Errors
    ///
    /// Those of the connection.
    pub fn peek<'a>(&'a self, buffer: &'a mut [u8]) -> Peek<'a, S> {
        self.0.peek(buffer)
    }

    /// As [`StreamSocket::poll_read_uninit`].
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
    pub fn stream(&self) -> &StreamSocket<S> {
        self.0
    }
}

impl<S: StdStream> WriteHalf<'_, S> {
    /// Whether a vectored write is one system call: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }

    /// As [`StreamSocket::shutdown`].
    ///
    /// # Errors
    ///
    /// Those of the operating system.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.0.shutdown(how)
    }

    /// The whole stream.
    pub fn stream(&self) -> &StreamSocket<S> {
        self.0
    }
}

read_through!(ReadHalf<'_, S>);
write_through!(WriteHalf<'_, S>, |half| half.0.shutdown(Shutdown::Write));
