//! One reader after another.
//!
//! Tests: `io/tests/ext.rs`.

use std::io::{self, IoSliceMut};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncRead};

/// A reader that goes on with the second where the first ends. See
/// [`AsyncReadExt::chain`](crate::AsyncReadExt::chain).
#[derive(Debug)]
pub struct Chain<A, B> {
    first: A,
    second: B,
    first_ended: bool,
}

impl<A, B> Chain<A, B> {
    pub(crate) fn new(first: A, second: B) -> Self {
        Chain {
            first,
            second,
            first_ended: false,
        }
    }

    /// Both readers.
    pub fn get_ref(&self) -> (&A, &B) {
        (&self.first, &self.second)
    }

    /// Both readers. What is read from them directly is missing here.
    pub fn get_mut(&mut self) -> (&mut A, &mut B) {
        (&mut self.first, &mut self.second)
    }

    /// Both readers, with what is left in them.
    pub fn into_inner(self) -> (A, B) {
        (self.first, self.second)
    }
}

impl<A: AsyncRead + Unpin, B: AsyncRead + Unpin> AsyncRead for Chain<A, B> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        // Nothing read into no room at all is not the end of the first.
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        if !self.first_ended {
            match ready!(Pin::new(&mut self.first).poll_read(cx, buffer))? {
                0 => self.first_ended = true,
                count => return Poll::Ready(Ok(count)),
            }
        }
        Pin::new(&mut self.second).poll_read(cx, buffer)
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        if !self.first_ended {
            match ready!(Pin::new(&mut self.first).poll_read_vectored(cx, buffers))? {
                0 => self.first_ended = true,
                count => return Poll::Ready(Ok(count)),
            }
        }
        Pin::new(&mut self.second).poll_read_vectored(cx, buffers)
    }
}

impl<A: AsyncBufRead + Unpin, B: AsyncBufRead + Unpin> AsyncBufRead for Chain<A, B> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        if !this.first_ended {
            let chunk = ready!(Pin::new(&mut this.first).poll_fill_buf(cx))?;
            this.first_ended = chunk.is_empty();
        }
        match this.first_ended {
            false => Pin::new(&mut this.first).poll_fill_buf(cx),
            true => Pin::new(&mut this.second).poll_fill_buf(cx),
        }
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        match self.first_ended {
            false => Pin::new(&mut self.first).consume(count),
            true => Pin::new(&mut self.second).consume(count),
        }
    }
}
