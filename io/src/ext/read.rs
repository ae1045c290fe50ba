//! Reading: once, exactly so much, to the end.
//!
//! Tests: `io/tests/ext.rs`, `io/tests/cancel.rs`.

use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::str;
use std::task::{Context, Poll, ready};

use futures_io::AsyncRead;

use crate::ext::chain::Chain;
use crate::ext::error::{IncompleteRead, NotUtf8, checked};
use crate::ext::opaque_debug;
use crate::ext::take::Take;
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
    /// [`IncompleteRead`] if the stream ends before: the front of `buffer` holds what was read. Else
    /// those of the reader.
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

    /// Appends everything up to the end to `text`. Returns how many bytes that was.
    ///
    /// # Errors
    ///
    /// What was read is not UTF-8 ([`NotUtf8`]): what stands before the bad bytes is in `text`, the
    /// others in the error. Else those of the reader; what was read before is in `text`.
    ///
    /// # Cancel safety
    ///
    /// When the future is dropped before it is ready, the whole characters that were read are in
    /// `text`. A character of which only a part has come is lost.
    fn read_to_string<'a>(&'a mut self, text: &'a mut String) -> ReadToString<'a, Self>
    where
        Self: Unpin,
    {
        ReadToString {
            reader: self,
            text,
            bytes: Vec::new(),
            room: READ_TO_END_ROOM_MIN,
        }
    }

    /// As [`read`](Self::read), into several buffers, in one call where the reader can do that.
    ///
    /// # Errors
    ///
    /// Those of the reader.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been read when the future is dropped before it is ready.
    fn read_vectored<'a, 'b>(
        &'a mut self,
        buffers: &'a mut [IoSliceMut<'b>],
    ) -> ReadVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        ReadVectored {
            reader: self,
            buffers,
        }
    }

    /// A reader that ends after `limit` bytes of this one.
    fn take(self, limit: u64) -> Take<Self>
    where
        Self: Sized,
    {
        Take::new(self, limit)
    }

    /// A reader that goes on with `next` where this one ends.
    fn chain<R: AsyncRead>(self, next: R) -> Chain<Self, R>
    where
        Self: Sized,
    {
        Chain::new(self, next)
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
            let room = rest.len();
            match ready!(Pin::new(&mut *this.reader).poll_read(cx, rest)) {
                Ok(0) => {
                    let incomplete = IncompleteRead {
                        read: this.filled,
                        expected: Some(this.buffer.len()),
                    };
                    return Poll::Ready(Err(incomplete.into()));
                }
                Ok(count) => this.filled += checked(count, room)?,
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
        ready!(poll_to_end(this.reader, cx, this.buffer, &mut this.room))?;
        Poll::Ready(Ok(this.buffer.len() - this.start))
    }
}

/// Appends everything up to the end to `buffer`, offering `room` bytes at first.
fn poll_to_end<R: AsyncRead + Unpin + ?Sized>(
    reader: &mut R,
    cx: &mut Context<'_>,
    buffer: &mut Vec<u8>,
    room: &mut usize,
) -> Poll<io::Result<()>> {
    // However this poll ends, also by a panic of the reader, the buffer holds only what was read.
    let mut tail = Tail::new(buffer);
    loop {
        let rest = tail.offer(*room);
        let offered = rest.len();
        match ready!(Pin::new(&mut *reader).poll_read(cx, rest)) {
            Ok(0) => return Poll::Ready(Ok(())),
            Ok(count) => {
                tail.filled += checked(count, offered)?;
                if count == offered {
                    *room = (*room * 2).min(READ_TO_END_ROOM_MAX);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Poll::Ready(Err(error)),
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

/// The future of [`AsyncReadExt::read_vectored`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadVectored<'a, 'b, R: ?Sized> {
    reader: &'a mut R,
    buffers: &'a mut [IoSliceMut<'b>],
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadVectored<'_, '_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        Pin::new(&mut *this.reader).poll_read_vectored(cx, this.buffers)
    }
}

/// The future of [`AsyncReadExt::read_to_string`].
#[must_use = "futures do nothing unless awaited"]
pub struct ReadToString<'a, R: ?Sized> {
    reader: &'a mut R,
    text: &'a mut String,
    /// What was read and is not in `text` yet.
    bytes: Vec<u8>,
    room: usize,
}

impl<R: ?Sized> ReadToString<'_, R> {
    /// Moves whole characters over to the text.
    fn hand_over(&mut self) -> Result<usize, NotUtf8> {
        let valid = match str::from_utf8(&self.bytes) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        let bad = self.bytes.split_off(valid);
        let count = self.bytes.len();
        self.text
            .push_str(str::from_utf8(&self.bytes).unwrap_or_default());
        self.bytes.clear();
        if bad.is_empty() {
            return Ok(count);
        }
        Err(NotUtf8 { bytes: bad, valid })
    }
}

impl<R: AsyncRead + Unpin + ?Sized> Future for ReadToString<'_, R> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(poll_to_end(
            this.reader,
            cx,
            &mut this.bytes,
            &mut this.room
        ))?;
        Poll::Ready(this.hand_over().map_err(io::Error::from))
    }
}

impl<R: ?Sized> Drop for ReadToString<'_, R> {
    fn drop(&mut self) {
        // A drop has nobody to tell of bytes that are no text; the docs say so.
        let _ = self.hand_over();
    }
}

opaque_debug!([R: ?Sized] Read<'_, R>);
opaque_debug!([R: ?Sized] ReadExact<'_, R>);
opaque_debug!([R: ?Sized] ReadToEnd<'_, R>);
opaque_debug!([R: ?Sized] ReadVectored<'_, '_, R>);
opaque_debug!([R: ?Sized] ReadToString<'_, R>);
