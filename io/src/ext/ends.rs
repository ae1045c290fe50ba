//! Readers without a source and writers without a target.
//!
//! They are always ready, and do not spend the budget: whoever reads them without end is asked to
//! pause by what it does with the bytes.
//!
//! Tests: `io/tests/ext.rs`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncBufRead, AsyncRead, AsyncWrite};

use crate::ext::peek::AsyncPeek;

/// A reader that is at its end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Empty(());

/// A reader that is at its end.
pub const fn empty() -> Empty {
    Empty(())
}

impl AsyncRead for Empty {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        _buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(0))
    }
}

impl AsyncBufRead for Empty {
    fn poll_fill_buf(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Poll::Ready(Ok(&[]))
    }

    fn consume(self: Pin<&mut Self>, _count: usize) {}
}

impl AsyncPeek for Empty {
    fn poll_fill_more(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Poll::Ready(Ok(false))
    }
}

/// A reader that gives the same byte without end.
#[derive(Clone, Copy, Debug)]
pub struct Repeat(u8);

/// A reader that gives `byte` without end.
pub const fn repeat(byte: u8) -> Repeat {
    Repeat(byte)
}

impl AsyncRead for Repeat {
    fn poll_read(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        buffer.fill(self.0);
        Poll::Ready(Ok(buffer.len()))
    }
}

/// A writer that takes everything and keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sink(());

/// A writer that takes everything and keeps nothing.
#[doc(alias = "devnull")]
pub const fn sink() -> Sink {
    Sink(())
}

impl AsyncWrite for Sink {
    fn poll_write(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffer.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buffers.iter().map(|buffer| buffer.len()).sum()))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
