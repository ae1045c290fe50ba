//! Two halves that own a stream together, for two tasks.

use std::fmt;
use std::io;
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::net::stream::{Peek, TcpStream};
use crate::net::through::{read_through, write_through};

/// The half of a [`TcpStream`] that reads. See [`TcpStream::into_split`].
#[derive(Debug)]
pub struct OwnedReadHalf(Arc<TcpStream>);

/// The half of a [`TcpStream`] that writes. See [`TcpStream::into_split`].
///
/// Dropping it says to the peer that there is no more, unless it was closed before, or
/// [`unsplit`](OwnedReadHalf::unsplit), or [forgotten](Self::forget).
#[derive(Debug)]
pub struct OwnedWriteHalf {
    stream: Arc<TcpStream>,
    closes: bool,
}

pub(crate) fn split(stream: TcpStream) -> (OwnedReadHalf, OwnedWriteHalf) {
    let stream = Arc::new(stream);
    let write = OwnedWriteHalf {
        stream: Arc::clone(&stream),
        closes: true,
    };
    (OwnedReadHalf(stream), write)
}

impl OwnedReadHalf {
    /// Puts the two halves together again.
    ///
    /// # Errors
    ///
    /// They are of two different streams. Both are handed back, unharmed.
    #[doc(alias = "reunite")]
    pub fn unsplit(self, mut write: OwnedWriteHalf) -> Result<TcpStream, UnsplitError> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(UnsplitError(self, write));
        }
        write.closes = false;
        drop(write);
        let stream = Arc::into_inner(self.0);
        Ok(stream.expect("there are two halves, and one has just been dropped"))
    }

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
        &self.0
    }
}

impl OwnedWriteHalf {
    /// Drops this half without telling the peer anything.
    pub fn forget(mut self) {
        self.closes = false;
    }

    /// Whether a vectored write is one system call: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }

    /// The whole stream.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)?;
        self.closes = false;
        Ok(())
    }
}

impl Drop for OwnedWriteHalf {
    fn drop(&mut self) {
        if self.closes {
            // A drop has nobody to tell; the connection is gone then anyway.
            let _ = self.stream.shutdown(Shutdown::Write);
        }
    }
}

read_through!(OwnedReadHalf);
write_through!(OwnedWriteHalf, OwnedWriteHalf::close);

/// The halves of two different streams cannot be put together. Holds both.
pub struct UnsplitError(pub OwnedReadHalf, pub OwnedWriteHalf);

impl fmt::Display for UnsplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are of two different streams; put each together with its own")
    }
}

impl fmt::Debug for UnsplitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsplitError").finish_non_exhaustive()
    }
}

impl std::error::Error for UnsplitError {}
