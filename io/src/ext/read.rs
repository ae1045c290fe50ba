//! Reading: once, exactly so much, to the end.
//!
//! Tests: `io/tests/ext.rs`, `io/tests/cancel.rs`.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use crate::error;
use crate::limits::{READ_TO_END_ROOM_MAX, READ_TO_END_ROOM_MIN};

/// What one does with a reader. Implemented for every [`AsyncRead`].
pub trait AsyncReadExt: AsyncRead {
    /// Reads some bytes into `buffer`, as many as there are now, at least one. `Ok(0)` is the end,
    /// unless `buffer` is empty.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been read when the future is dropped before it is ready.
    fn read<'a>(&'a mut self, buffer: &'a mut [u8]) -> Read<'a, Self>
    where
        Self: Unpin,
    {
        Read {
            reader: self,
            buffer,
        }
    }

    /// Fills `buffer`.
    ///
    /// # Errors
    ///
    /// [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) if the stream ends before; else those of the
    /// reader.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: when the future is dropped before it is ready, an unknown number of bytes
    /// has been read into `buffer`. Keep the future, or read in pieces.
    #[doc(alias = "readexactly")]
    fn read_exact<'a>(&'a mut self, buffer: &'a mut [u8]) -> ReadExact<'a, Self>
    where
        Self: Unpin,
    {
        ReadExact {
            reader: self,
            buffer,
            filled: 0,
        }
    }

    /// Appends everything up to the end to `buffer`. Returns how much that was.
    ///
    /// # Errors
    ///
    /// Those of the reader. What was read before is in `buffer`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped before it is ready, what was read so far is in `buffer`.
    fn read_to_end<'a>(&'a mut self, buffer: &'a mut Vec<u8>) -> ReadToEnd<'a, Self>
    where
        Self: Unpin,
    {
        ReadToEnd {
            reader: self,
            start: buffer.len(),
            room: READ_TO_END_ROOM_MIN,
            buffer,
        }
    }
}

impl<R: AsyncRead + ?Sized> AsyncReadExt for R {}

/// The future of [`AsyncReadExt::read`].
#[must_use = "futures do nothing unless awaited"]
pub struct Read<'a, R: ?Sized> {
    reader: &'a mut R,
    buffer: &'a mut [u8],
}

impl<R: AsyncRead + Unpin + ?Sized> Future for Read<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        Pin::new(&mut *this.reader).poll_read(cx, this.buffer)
    }
}

/// The future of [`AsyncReadExt::read_exact`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadExact<'a, R: ?Sized> {
    reader: &'a mut R,
    buffer: &'a mut [u8],
    filled: usize,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadExact<'_, R> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while this.filled < this.buffer.len() {
            let rest = &mut this.buffer[this.filled..];
            match ready!(Pin::new(&mut *this.reader).poll_read(cx, rest)) {
                Ok(0) => {
                    return Poll::Ready(Err(error::plain(
                        io::ErrorKind::UnexpectedEof,
                        format!(
                            "the stream ended after {} of {} bytes",
                            this.filled,
                            this.buffer.len()
                        ),
                    )));
                }
                Ok(count) => this.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`AsyncReadExt::read_to_end`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadToEnd<'a, R: ?Sized> {
    reader: &'a mut R,
    buffer: &'a mut Vec<u8>,
    start: usize,
    room: usize,
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToEnd<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // However this poll ends, also by a panic of the reader, the buffer holds only what was
        // read.
        let mut tail = Tail::new(this.buffer);
        loop {
            let rest = tail.offer(this.room);
            let offered = rest.len();
            match ready!(Pin::new(&mut *this.reader).poll_read(cx, rest)) {
                Ok(0) => return Poll::Ready(Ok(tail.filled - this.start)),
                Ok(count) => {
                    tail.filled += count;
                    if count == offered {
                        this.room = (this.room * 2).min(READ_TO_END_ROOM_MAX);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }
}

/// A vector whose end is lent to a reader.
struct Tail<'a> {
    buffer: &'a mut Vec<u8>,
    filled: usize,
}

impl<'a> Tail<'a> {
    fn new(buffer: &'a mut Vec<u8>) -> Self {
        Tail {
            filled: buffer.len(),
            buffer,
        }
    }

    /// At least `room` bytes behind what is filled, initialised once.
    fn offer(&mut self, room: usize) -> &mut [u8] {
        if self.buffer.len() == self.filled {
            self.buffer.reserve(room);
            let whole = self
                .buffer
                .capacity()
                .min(self.filled + READ_TO_END_ROOM_MAX);
            self.buffer.resize(whole, 0);
        }
        &mut self.buffer[self.filled..]
    }
}

impl Drop for Tail<'_> {
    fn drop(&mut self) {
        self.buffer.truncate(self.filled);
    }
}

macro_rules! debug {
    ($name:ident) => {
        impl<R: ?Sized> fmt::Debug for $name<'_, R> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

debug!(Read);
debug!(ReadExact);
debug!(ReadToEnd);
