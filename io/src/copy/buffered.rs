//! From a buffered reader to a writer, without a buffer in between.
//!
//! Tests: `io/tests/copy.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncBufRead, AsyncWrite};
use tenter_sync::budget;

use crate::ext::opaque_debug;
use crate::ext::write::poll_write_some;

/// As [`copy`](crate::copy()), out of the buffer that `reader` has.
///
/// # Errors
///
/// Those of the reader and of the writer. [`CopyBuf::copied`] says how far it came.
///
/// # Cancel safety
///
/// Cancel-safe: what was not written is still in `reader`. Call again to go on.
pub fn copy_buf<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> CopyBuf<'a, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    CopyBuf {
        reader,
        writer,
        copied: 0,
        // An earlier copy that was dropped may have left something unflushed.
        unflushed: true,
    }
}

/// The future of [`copy_buf`].
#[must_use = "futures do nothing unless awaited"]
pub struct CopyBuf<'a, R: ?Sized, W: ?Sized> {
    reader: &'a mut R,
    writer: &'a mut W,
    copied: u64,
    unflushed: bool,
}

impl<R: ?Sized, W: ?Sized> CopyBuf<'_, R, W> {
    /// How many bytes the writer has taken so far.
    pub fn copied(&self) -> u64 {
        self.copied
    }
}

impl<R: ?Sized, W: AsyncWrite + Unpin + ?Sized> CopyBuf<'_, R, W> {
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.unflushed {
            ready!(Pin::new(&mut *self.writer).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl<R, W> Future for CopyBuf<'_, R, W>
where
    R: AsyncBufRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        loop {
            let chunk = match Pin::new(&mut *this.reader).poll_fill_buf(cx) {
                Poll::Ready(Ok(chunk)) => chunk,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => {
                    ready!(this.poll_flush(cx))?;
                    return Poll::Pending;
                }
            };
            if chunk.is_empty() {
                ready!(this.poll_flush(cx))?;
                return Poll::Ready(Ok(this.copied));
            }
            let count = ready!(poll_write_some(this.writer, cx, chunk))?;
            Pin::new(&mut *this.reader).consume(count);
            this.copied += count as u64;
            this.unflushed = true;
            ready!(budget::poll_spend(cx));
        }
    }
}

opaque_debug!([R: ?Sized, W: ?Sized] CopyBuf<'_, R, W>);
