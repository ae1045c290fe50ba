//! `BufReader`: a buffer in front of a reader.
//!
//! ```text
//!   0       start            end      buffer.len()
//!   ├─ used ──┼── not used yet ─┼── room ──┤
//! ```
//!
//! Invariants:
//! - I1: `start <= end <= buffer.len()`. All of `buffer` is initialised, once.
//! - I2: what the reader gave is in `start..end` until it is consumed; nothing is moved or thrown
//!   away while a poll of the reader may still fail, except by a successful seek.
//!
//! The memory comes with the first read that needs it: a reader that is only passed through, or
//! never read, has none.
//!
//! Tests: `io/tests/buffered.rs`, `io/tests/records.rs`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};

use crate::ext::AsyncPeek;
use crate::ext::error::checked;
use crate::limits::BUFFER_CAPACITY;

/// A buffer in front of a reader, so that small reads cost no system call each.
///
/// Reads that are as large as the buffer go past it when it is empty. Writing goes straight to the
/// stream behind it. Seeking throws the buffer away.
///
/// # Cancel safety
///
/// What was read ahead stays in the buffer. A seek that is dropped leaves it open where the stream is:
/// seek again, to a fixed place.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpStream;
/// use tenter_io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
///
/// # async fn example() -> std::io::Result<()> {
/// let stream = TcpStream::connect("localhost:7").await?;
/// let mut lines = BufReader::new(stream).lines();
/// while let Some(line) = lines.next_line().await? {
///     lines.get_mut().write_all(line.as_bytes()).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[doc(alias = "StreamReader")]
pub struct BufReader<R> {
    inner: R,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    capacity: usize,
}

impl<R> BufReader<R> {
    /// A buffer of 8 KiB.
    pub const fn new(inner: R) -> Self {
        BufReader::with_capacity(BUFFER_CAPACITY, inner)
    }

    /// A buffer of `capacity` bytes; of one byte, if that is zero.
    pub const fn with_capacity(capacity: usize, inner: R) -> Self {
        BufReader {
            inner,
            buffer: Vec::new(),
            start: 0,
            end: 0,
            capacity: if capacity == 0 { 1 } else { capacity },
        }
    }

    /// What was read ahead and not used yet.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// How many bytes the buffer holds.
    pub fn capacity(&self) -> usize {
        self.capacity.max(self.buffer.len())
    }

    /// The reader behind the buffer.
    pub const fn get_ref(&self) -> &R {
        &self.inner
    }

    /// The reader behind the buffer. What is read from it directly comes after what was read ahead.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.inner
    }

    /// The reader, without what was read ahead; see [`into_parts`](Self::into_parts).
    pub fn into_inner(self) -> R {
        self.inner
    }

    /// The reader, and what was read ahead and not used yet.
    pub fn into_parts(mut self) -> (R, Vec<u8>) {
        self.buffer.truncate(self.end);
        self.buffer.drain(..self.start);
        (self.inner, self.buffer)
    }

    /// Copies what is there to `target`, and consumes it.
    fn take(&mut self, target: &mut [u8]) -> usize {
        let count = target.len().min(self.end - self.start);
        target[..count].copy_from_slice(&self.buffer[self.start..self.start + count]);
        self.start += count;
        count
    }

    fn is_used_up(&self) -> bool {
        self.start == self.end
    }
}

impl<R: AsyncRead + Unpin> BufReader<R> {
    /// Fills the buffer if it is used up.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.is_used_up() {
            return Poll::Ready(Ok(()));
        }
        (self.start, self.end) = (0, 0);
        if self.buffer.is_empty() {
            self.buffer = vec![0; self.capacity];
        }
        let read = Pin::new(&mut self.inner).poll_read(cx, &mut self.buffer);
        self.end = checked(ready!(read)?, self.buffer.len())?;
        Poll::Ready(Ok(()))
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for BufReader<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if this.is_used_up() && buffer.len() >= this.capacity() {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        }
        ready!(this.poll_fill(cx))?;
        Poll::Ready(Ok(this.take(buffer)))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let room = buffers
            .iter()
            .fold(0_usize, |room, buffer| room.saturating_add(buffer.len()));
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        if this.is_used_up() && room >= this.capacity() {
            return Pin::new(&mut this.inner).poll_read_vectored(cx, buffers);
        }
        ready!(this.poll_fill(cx))?;
        let counts = buffers.iter_mut().map(|buffer| this.take(buffer));
        Poll::Ready(Ok(counts.sum()))
    }
}

impl<R: AsyncRead + Unpin> AsyncBufRead for BufReader<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        ready!(this.poll_fill(cx))?;
        Poll::Ready(Ok(this.buffer()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.start = self.start.saturating_add(count).min(self.end);
    }
}

impl<R: AsyncRead + Unpin> AsyncPeek for BufReader<R> {
    /// The buffer grows when it is full.
    fn poll_fill_more(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let this = self.get_mut();
        if this.start > 0 {
            this.buffer.copy_within(this.start..this.end, 0);
            (this.start, this.end) = (0, this.end - this.start);
        }
        if this.end == this.buffer.len() {
            let size = this.capacity.max(2 * this.buffer.len());
            this.buffer.resize(size, 0);
        }
        let room = &mut this.buffer[this.end..];
        let read = Pin::new(&mut this.inner).poll_read(cx, room);
        let count = checked(ready!(read)?, room.len())?;
        this.end += count;
        Poll::Ready(Ok(count > 0))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for BufReader<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

impl<S: AsyncSeek + Unpin> AsyncSeek for BufReader<S> {
    /// Counted from where the next byte would have been read, not from how far was read ahead.
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        // What was read ahead goes only when the stream has moved (I2).
        let place = match place {
            SeekFrom::Current(offset) => {
                let ahead = this.buffer().len() as i64;
                match offset.checked_sub(ahead) {
                    Some(offset) => SeekFrom::Current(offset),
                    None => {
                        // In two steps. After the first nothing is ahead any more, so a poll
                        // that begins anew does not do it twice.
                        ready!(Pin::new(&mut this.inner).poll_seek(cx, SeekFrom::Current(-ahead)))?;
                        (this.start, this.end) = (0, 0);
                        SeekFrom::Current(offset)
                    }
                }
            }
            fixed => fixed,
        };
        let place = ready!(Pin::new(&mut this.inner).poll_seek(cx, place))?;
        (this.start, this.end) = (0, 0);
        Poll::Ready(Ok(place))
    }
}

impl<R: fmt::Debug> fmt::Debug for BufReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufReader")
            .field("inner", &self.inner)
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.capacity())
            .finish()
    }
}
