//! The first bytes of a reader.
//!
//! Tests: `io/tests/ext.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead};

use crate::ext::error::checked;
use crate::ext::peek::AsyncPeek;

/// A reader that ends after so many bytes. See
/// [`AsyncReadExt::take`](crate::AsyncReadExt::take).
#[derive(Debug)]
pub struct Take<R> {
    reader: R,
    left: u64,
}

impl<R> Take<R> {
    pub(crate) fn new(reader: R, limit: u64) -> Self {
        Take {
            reader,
            left: limit,
        }
    }

    /// How many bytes are left before the end, unless the reader ends before.
    pub fn limit(&self) -> u64 {
        self.left
    }

    /// Sets how many bytes are left.
    pub fn set_limit(&mut self, limit: u64) {
        self.left = limit;
    }

    /// The reader.
    pub fn get_ref(&self) -> &R {
        &self.reader
    }

    /// The reader. What is read from it directly does not count.
    pub fn get_mut(&mut self) -> &mut R {
        &mut self.reader
    }

    /// The reader, with what is left in it.
    pub fn into_inner(self) -> R {
        self.reader
    }

    /// How much of `room` bytes may still be read.
    fn clamp(&self, room: usize) -> usize {
        usize::try_from(self.left).unwrap_or(usize::MAX).min(room)
    }

    fn spend(&mut self, count: usize) {
        self.left = self.left.saturating_sub(count as u64);
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Take<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = self.clamp(buffer.len());
        if room == 0 {
            return Poll::Ready(Ok(0));
        }
        let read = Pin::new(&mut self.reader).poll_read(cx, &mut buffer[..room]);
        let count = checked(ready!(read)?, room)?;
        self.spend(count);
        Poll::Ready(Ok(count))
    }
}

impl<R: AsyncBufRead + Unpin> AsyncBufRead for Take<R> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if this.left == 0 {
            return Poll::Ready(Ok(&[]));
        }
        let left = this.clamp(usize::MAX);
        let chunk = ready!(Pin::new(&mut this.reader).poll_fill_buf(cx))?;
        Poll::Ready(Ok(&chunk[..left.min(chunk.len())]))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        let count = self.clamp(count);
        self.spend(count);
        Pin::new(&mut self.reader).consume(count);
    }
}

impl<R: AsyncPeek + Unpin> AsyncPeek for Take<R> {
    fn poll_fill_more(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        let left = self.clamp(usize::MAX);
        if left == 0 {
            return Poll::Ready(Ok(false));
        }
        let held = ready!(Pin::new(&mut self.reader).poll_fill_buf(cx))?.len();
        if held >= left {
            return Poll::Ready(Ok(false));
        }
        Pin::new(&mut self.reader).poll_fill_more(cx)
    }
}
