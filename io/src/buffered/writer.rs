//! `BufWriter`: a buffer in front of a writer.
//!
//! Invariants:
//! - I1: `buffer[..written]` has been taken by the writer, `buffer[written..]` has not. Each count
//!   is added in the same step in which the writer returned it, so nothing is written twice or
//!   left out when a flush is dropped, fails or panics.
//! - I2: what was written to this comes before what is written later: nothing passes the buffer
//!   while there is something in it.
//!
//! Tests: `io/tests/buffered.rs`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};

use crate::ext::AsyncPeek;
use crate::ext::write::poll_write_some;
use crate::limits::BUFFER_CAPACITY;

/// A buffer in front of a writer, so that small writes cost no system call each.
///
/// Writes that are as large as the buffer go past it when it is empty. Reading goes straight to the
/// stream behind it, and does not flush first.
///
/// **Flush or close it before it is dropped**: dropping cannot wait, so what is in the buffer then
/// is lost. [`into_parts`](Self::into_parts) hands it out.
///
/// # Cancel safety
///
/// A write that is pending has taken nothing of its buffer. A flush or close that is dropped may
/// have written a part; the rest stays here.
///
/// # Examples
///
/// ```no_run
/// use tenter_io::net::TcpStream;
/// use tenter_io::{AsyncWriteExt, BufWriter};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut writer = BufWriter::new(TcpStream::connect("localhost:9").await?);
/// for number in 0..1000 {
///     writer.write_all(format!("{number}\n").as_bytes()).await?;
/// }
/// writer.close().await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "StreamWriter")]
pub struct BufWriter<W> {
    inner: W,
    buffer: Vec<u8>,
    written: usize,
    capacity: usize,
}

impl<W> BufWriter<W> {
    /// A buffer of 8 KiB.
    pub const fn new(inner: W) -> Self {
        BufWriter::with_capacity(BUFFER_CAPACITY, inner)
    }

    /// A buffer of `capacity` bytes. With zero nothing is buffered.
    pub const fn with_capacity(capacity: usize, inner: W) -> Self {
        BufWriter {
            inner,
            buffer: Vec::new(),
            written: 0,
            capacity,
        }
    }

    /// What has not reached the writer yet.
    pub fn buffer(&self) -> &[u8] {
        &self.buffer[self.written..]
    }

    /// How many bytes the buffer holds.
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    /// The writer behind the buffer.
    pub const fn get_ref(&self) -> &W {
        &self.inner
    }

    /// The writer behind the buffer. What is written to it directly comes before what is in the
    /// buffer.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.inner
    }

    /// The writer.
    ///
    /// # Errors
    ///
    /// Something is in the buffer. The error hands everything back: flush it, or take it apart with
    /// [`into_parts`](Self::into_parts).
    pub fn into_inner(self) -> Result<W, IntoInnerError<W>> {
        if self.buffer().is_empty() {
            return Ok(self.inner);
        }
        Err(IntoInnerError(self))
    }

    /// The writer, and what has not reached it.
    pub fn into_parts(mut self) -> (W, Vec<u8>) {
        self.buffer.drain(..self.written);
        (self.inner, self.buffer)
    }

    /// Takes all of several slices into the buffer, which has room for them.
    fn keep(&mut self, slices: &[IoSlice<'_>], total: usize) -> usize {
        // At once, so that a buffer in use does not grow step by step.
        if self.buffer.capacity() < self.capacity {
            self.buffer.reserve_exact(self.capacity);
        }
        for slice in slices {
            self.buffer.extend_from_slice(slice);
        }
        total
    }
}

impl<W: AsyncWrite + Unpin> BufWriter<W> {
    /// Empties the buffer into the writer.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.written < self.buffer.len() {
            let rest = &self.buffer[self.written..];
            self.written += ready!(poll_write_some(&mut self.inner, cx, rest))?; // I1
        }
        self.buffer.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Makes room for `total` bytes. `true`: they go into the buffer. `false`: past it, which is
    /// empty (I2).
    fn poll_room(&mut self, cx: &mut Context<'_>, total: usize) -> Poll<io::Result<bool>> {
        if total > self.capacity.saturating_sub(self.buffer.len()) {
            ready!(self.poll_drain(cx))?;
        }
        Poll::Ready(Ok(total < self.capacity || !self.buffer.is_empty()))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for BufWriter<W> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        match ready!(this.poll_room(cx, buffer.len()))? {
            true => Poll::Ready(Ok(this.keep(&[IoSlice::new(buffer)], buffer.len()))),
            false => Pin::new(&mut this.inner).poll_write(cx, buffer),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let total = buffers
            .iter()
            .fold(0_usize, |total, buffer| total.saturating_add(buffer.len()));
        if total == 0 {
            return Poll::Ready(Ok(0));
        }
        match ready!(this.poll_room(cx, total))? {
            true => Poll::Ready(Ok(this.keep(buffers, total))),
            false => Pin::new(&mut this.inner).poll_write_vectored(cx, buffers),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_close(cx)
    }
}

impl<W: AsyncWrite + AsyncSeek + Unpin> AsyncSeek for BufWriter<W> {
    /// Empties the buffer first: it belongs to the old place.
    fn poll_seek(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        place: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = self.get_mut();
        ready!(this.poll_drain(cx))?;
        Pin::new(&mut this.inner).poll_seek(cx, place)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for BufWriter<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_read_vectored(cx, buffers)
    }
}

impl<S: AsyncBufRead + Unpin> AsyncBufRead for BufWriter<S> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().inner).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.inner).consume(count);
    }
}

impl<S: AsyncPeek + Unpin> AsyncPeek for BufWriter<S> {
    fn poll_fill_more(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Pin::new(&mut self.inner).poll_fill_more(cx)
    }
}

impl<W: fmt::Debug> fmt::Debug for BufWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BufWriter")
            .field("inner", &self.inner)
            .field("buffered", &self.buffer().len())
            .field("capacity", &self.capacity)
            .finish()
    }
}

/// A [`BufWriter`] that still holds something cannot be taken off. Holds it.
pub struct IntoInnerError<W>(pub BufWriter<W>);

impl<W> fmt::Display for IntoInnerError<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} bytes have not reached the writer yet; flush the BufWriter before taking it off, or \
             take it apart with into_parts",
            self.0.buffer().len()
        )
    }
}

impl<W> fmt::Debug for IntoInnerError<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntoInnerError").finish_non_exhaustive()
    }
}

impl<W> std::error::Error for IntoInnerError<W> {}
