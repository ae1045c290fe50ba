//! From a reader to a writer.
//!
//! Tests: `io/tests/copy.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};

use crate::copy::transfer::Transfer;
use crate::ext::opaque_debug;

/// Copies everything from `reader` to `writer`, up to the end of `reader`, and flushes. Returns how
/// many bytes that was. The writer is not closed.
///
/// Whenever nothing can be read for now, the writer is flushed.
///
/// # Errors
///
/// Those of the reader and of the writer. [`Copy::copied`] says how far it came.
///
/// # Cancel safety
///
/// Not cancel-safe: what was read and not yet written is lost with the future.
/// [`copy_buf`](crate::copy_buf) loses nothing. Polling it again goes on.
///
/// # Fairness
///
/// Spends the budget of its task for each buffer, also between streams that are always ready.
///
/// # Examples
///
/// ```
/// # async fn example() -> std::io::Result<()> {
/// let mut reader: &[u8] = b"bytes";
/// let mut writer = Vec::new();
/// assert_eq!(tenter_io::copy(&mut reader, &mut writer).await?, 5);
/// # Ok(())
/// # }
/// ```
#[doc(alias = "copyfileobj")]
pub fn copy<'a, R, W>(reader: &'a mut R, writer: &'a mut W) -> Copy<'a, R, W>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    Copy {
        reader,
        writer,
        transfer: Transfer::new(),
    }
}

/// The future of [`copy`].
#[must_use = "futures do nothing unless awaited"]
pub struct Copy<'a, R: ?Sized, W: ?Sized> {
    reader: &'a mut R,
    writer: &'a mut W,
    transfer: Transfer,
}

impl<R: ?Sized, W: ?Sized> Copy<'_, R, W> {
    /// How many bytes the writer has taken so far.
    pub fn copied(&self) -> u64 {
        self.transfer.written()
    }
}

impl<R, W> Future for Copy<'_, R, W>
where
    R: AsyncRead + Unpin + ?Sized,
    W: AsyncWrite + Unpin + ?Sized,
{
    type Output = io::Result<u64>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        ready!(this.transfer.poll(cx, this.reader, this.writer))?;
        Poll::Ready(Ok(this.transfer.written()))
    }
}

opaque_debug!([R: ?Sized, W: ?Sized] Copy<'_, R, W>);
