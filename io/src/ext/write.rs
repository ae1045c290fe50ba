//! Writing: once, all of it, and the end.
//!
//! Tests: `io/tests/ext.rs`, `io/tests/cancel.rs`.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;

use crate::error;

/// What one does with a writer. Implemented for every [`AsyncWrite`].
pub trait AsyncWriteExt: AsyncWrite {
    /// Writes some bytes of `buffer`, as many as there is room for, at least one unless it is
    /// empty.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been written when the future is dropped before it is ready.
    fn write<'a>(&'a mut self, buffer: &'a [u8]) -> Write<'a, Self>
    where
        Self: Unpin,
    {
        Write {
            writer: self,
            buffer,
        }
    }

    /// Writes all of `buffer`.
    ///
    /// # Errors
    ///
    /// Those of the writer. [`WriteZero`](io::ErrorKind::WriteZero) if it takes nothing more.
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: when the future is dropped before it is ready, an unknown part of `buffer`
    /// has been written.
    #[doc(alias = "sendall")]
    #[doc(alias = "drain")]
    fn write_all<'a>(&'a mut self, buffer: &'a [u8]) -> WriteAll<'a, Self>
    where
        Self: Unpin,
    {
        WriteAll {
            writer: self,
            buffer,
            written: 0,
        }
    }

    /// Waits until what was written has left the writer's own buffers.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; flush again.
    fn flush(&mut self) -> Flush<'_, Self>
    where
        Self: Unpin,
    {
        Flush(self)
    }

    /// Flushes, and says that nothing more will be written.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing; close again.
    #[doc(alias = "shutdown")]
    #[doc(alias = "wait_closed")]
    fn close(&mut self) -> Close<'_, Self>
    where
        Self: Unpin,
    {
        Close(self)
    }
}

impl<W: AsyncWrite + ?Sized> AsyncWriteExt for W {}

/// The future of [`AsyncWriteExt::write`].
#[must_use = "futures do nothing unless awaited"]
pub struct Write<'a, W: ?Sized> {
    writer: &'a mut W,
    buffer: &'a [u8],
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for Write<'_, W> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        Pin::new(&mut *this.writer).poll_write(cx, this.buffer)
    }
}

/// The future of [`AsyncWriteExt::write_all`].
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAll<'a, W: ?Sized> {
    writer: &'a mut W,
    buffer: &'a [u8],
    written: usize,
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAll<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while this.written < this.buffer.len() {
            let rest = &this.buffer[this.written..];
            match ready!(Pin::new(&mut *this.writer).poll_write(cx, rest)) {
                Ok(0) => {
                    return Poll::Ready(Err(error::plain(
                        io::ErrorKind::WriteZero,
                        format!(
                            "the writer took {} of {} bytes and takes no more",
                            this.written,
                            this.buffer.len()
                        ),
                    )));
                }
                Ok(count) => this.written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`AsyncWriteExt::flush`].
#[must_use = "futures do nothing unless awaited"]
pub struct Flush<'a, W: ?Sized>(&'a mut W);

impl<W: AsyncWrite + Unpin + ?Sized> Future for Flush<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_flush(cx)
    }
}

/// The future of [`AsyncWriteExt::close`].
#[must_use = "futures do nothing unless awaited"]
pub struct Close<'a, W: ?Sized>(&'a mut W);

impl<W: AsyncWrite + Unpin + ?Sized> Future for Close<'_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_close(cx)
    }
}

macro_rules! debug {
    ($name:ident) => {
        impl<W: ?Sized> fmt::Debug for $name<'_, W> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }
    };
}

debug!(Write);
debug!(WriteAll);
debug!(Flush);
debug!(Close);
