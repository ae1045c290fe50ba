//! Two halves that own a stream together, for two tasks.
//!
//! Tests: `io/tests/stream.rs`, `io/tests/unix.rs`.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::{self, Shutdown};
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::net::family::StdStream;
use crate::net::stream::{Peek, StreamSocket};
use crate::net::through::{read_through, write_through};

/// The half of a stream that reads. See [`StreamSocket::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf<S: StdStream = net::TcpStream>(Arc<StreamSocket<S>>);

/// The half of a stream that writes. See [`StreamSocket::into_split`].
///
/// Dropping it says to the peer that there is no more, unless it was closed before, or
/// [`unsplit`](OwnedReadHalf::unsplit), or [forgotten](Self::forget).
#[derive(Debug)]
pub struct OwnedWriteHalf<S: StdStream = net::TcpStream> {
    stream: Arc<StreamSocket<S>>,
    closes: bool,
}

pub(crate) fn split<S: StdStream>(
    stream: StreamSocket<S>,
) -> (OwnedReadHalf<S>, OwnedWriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf {
        stream: Arc::clone(&stream),
        closes: true,
    };
    (OwnedReadHalf(stream), write)
}

impl<S: StdStream> OwnedReadHalf<S> {
    /// Puts the two halves together again.
    ///
    /// # Errors
    ///
    /// They are of two different streams. Both are handed back, unharmed.
    #[doc(alias = "reunite")]
    pub fn unsplit(self, mut write: OwnedWriteHalf<S>) -> Result<StreamSocket<S>, UnsplitError<S>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(UnsplitError(self, write));
        }
        write.closes = false;
        drop(write);
        let stream = Arc::into_inner(self.0);
        Ok(stream.expect("there are two halves, and one has just been dropped"))
    }

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
        &self.0
    }
}

impl<S: StdStream> OwnedWriteHalf<S> {
    /// Drops this half without telling the peer anything.
    pub fn forget(mut self) {
        self.closes = false;
    }

    /// Whether a vectored write is one system call: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }

    /// The whole stream.
    pub fn stream(&self) -> &StreamSocket<S> {
        &self.stream
    }

    fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.closes = false;
        Ok(())
    }
}

impl<S: StdStream> Drop for OwnedWriteHalf<S> {
    fn drop(&mut self) {
        if self.closes {
            // A drop has nobody to tell; the connection is gone then anyway.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

read_through!(OwnedReadHalf<S>);
write_through!(OwnedWriteHalf<S>, OwnedWriteHalf::close);

/// The halves of two different streams cannot be put together. Holds both.
pub struct UnsplitError<S: StdStream = net::TcpStream>(
    /// The half that reads.
    pub OwnedReadHalf<S>,
    /// The half that writes.
    pub OwnedWriteHalf<S>,
);

impl<S: StdStream> fmt::Display for UnsplitError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are of two different streams; put each together with its own")
    }
}

impl<S: StdStream> fmt::Debug for UnsplitError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsplitError").finish_non_exhaustive()
    }
}

impl<S: StdStream> std::error::Error for UnsplitError<S> {}
