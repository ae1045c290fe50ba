//! Writing: once, all of it, and the end.
//!
//! Tests: `io/tests/ext.rs`, `io/tests/cancel.rs`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::AsyncWrite;

use crate::error;
use crate::ext::error::checked;
use crate::ext::opaque_debug;

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
    /// has been written. See [`write_all_buf`](Self::write_all_buf) for one that is.
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

    /// Writes all of `rest`, and moves its beginning on past what was written.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all). `rest` is what was not written.
    ///
    /// # Cancel safety
    ///
    /// Cancel-safe: when the future is dropped, `rest` is what was not written. Call again with the
    /// same `rest` to go on.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_io::AsyncWriteExt;
    ///
    /// # async fn example(mut writer: impl tenter_io::AsyncWrite + Unpin) -> std::io::Result<()> {
    /// let mut rest: &[u8] = b"a long answer";
    /// writer.write_all_buf(&mut rest).await?;
    /// assert!(rest.is_empty());
    /// # Ok(())
    /// # }
    /// ```
    fn write_all_buf<'a, 'b>(&'a mut self, rest: &'a mut &'b [u8]) -> WriteAllBuf<'a, 'b, Self>
    where
        Self: Unpin,
    {
        WriteAllBuf { writer: self, rest }
    }

    /// As [`write`](Self::write), out of several buffers, in one call where the writer can do that.
    ///
    /// # Errors
    ///
    /// Those of the writer.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been written when the future is dropped before it is ready.
    fn write_vectored<'a>(&'a mut self, buffers: &'a [IoSlice<'a>]) -> WriteVectored<'a, Self>
    where
        Self: Unpin,
    {
        WriteVectored {
            writer: self,
            buffers,
        }
    }

    /// Writes all of several buffers. The slices in `rest` are moved on past what was written, and
    /// are of no use afterwards.
    ///
    /// # Errors
    ///
    /// As [`write_all`](Self::write_all).
    ///
    /// # Cancel safety
    ///
    /// Not cancel-safe: when the future is dropped before it is ready, an unknown part has been
    /// written.
    #[doc(alias = "writelines")]
    fn write_all_vectored<'a, 'b>(
        &'a mut self,
        rest: &'a mut [IoSlice<'b>],
    ) -> WriteAllVectored<'a, 'b, Self>
    where
        Self: Unpin,
    {
        WriteAllVectored { writer: self, rest }
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
                Ok(count) => this.written += checked(count, rest.len())?,
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

/// The future of [`AsyncWriteExt::write_vectored`].
#[must_use = "futures do nothing unless awaited"]
pub struct WriteVectored<'a, W: ?Sized> {
    writer: &'a mut W,
    buffers: &'a [IoSlice<'a>],
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteVectored<'_, W> {
    type Output = io::Result<usize>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        Pin::new(&mut *this.writer).poll_write_vectored(cx, this.buffers)
    }
}

/// The future of [`AsyncWriteExt::write_all_buf`].
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAllBuf<'a, 'b, W: ?Sized> {
    writer: &'a mut W,
    rest: &'a mut &'b [u8],
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAllBuf<'_, '_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        while !this.rest.is_empty() {
            let count = ready!(poll_write_some(this.writer, cx, this.rest))?;
            *this.rest = &this.rest[count..];
        }
        Poll::Ready(Ok(()))
    }
}

/// The future of [`AsyncWriteExt::write_all_vectored`].
#[must_use = "futures do nothing unless awaited"]
pub struct WriteAllVectored<'a, 'b, W: ?Sized> {
    writer: &'a mut W,
    rest: &'a mut [IoSlice<'b>],
}

impl<W: AsyncWrite + Unpin + ?Sized> Future for WriteAllVectored<'_, '_, W> {
    type Output = io::Result<()>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        // Empty slices at the front are no reason to ask the writer, which may take that for
        // an end.
        IoSlice::advance_slices(&mut this.rest, 0);
        while !this.rest.is_empty() {
            let room = this.rest.iter().map(|slice| slice.len()).sum();
            match ready!(Pin::new(&mut *this.writer).poll_write_vectored(cx, this.rest)) {
                Ok(0) => return Poll::Ready(Err(takes_no_more(room))),
                Ok(count) => IoSlice::advance_slices(&mut this.rest, checked(count, room)?),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// Writes some of `bytes`, which is not empty; at least one.
pub(crate) fn poll_write_some<W: AsyncWrite + Unpin + ?Sized>(
    writer: &mut W,
    cx: &mut Context<'_>,
    bytes: &[u8],
) -> Poll<io::Result<usize>> {
    loop {
        match ready!(Pin::new(&mut *writer).poll_write(cx, bytes)) {
            Ok(0) => return Poll::Ready(Err(takes_no_more(bytes.len()))),
            Ok(count) => return Poll::Ready(checked(count, bytes.len())),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Poll::Ready(Err(error)),
        }
    }
}

fn takes_no_more(left: usize) -> io::Error {
    error::plain(
        io::ErrorKind::WriteZero,
        format!("the writer takes no more, and {left} bytes are left"),
    )
}

opaque_debug!([W: ?Sized] Write<'_, W>);
opaque_debug!([W: ?Sized] WriteAll<'_, W>);
opaque_debug!([W: ?Sized] WriteVectored<'_, W>);
opaque_debug!([W: ?Sized] WriteAllBuf<'_, '_, W>);
opaque_debug!([W: ?Sized] WriteAllVectored<'_, '_, W>);
opaque_debug!([W: ?Sized] Flush<'_, W>);
opaque_debug!([W: ?Sized] Close<'_, W>);
