//! Buffered readers that can get more behind what they hold.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::AsyncBufRead;

/// A buffered reader that can get more behind what it holds, without giving it away.
///
/// [`AsyncBufRead`] alone hands out the bytes that it holds and reads on only when these are
/// consumed. Whoever needs two bytes at once, such as the parts of one character, must take the
/// first out of the reader to see the second, and then has no place to keep it if the wait is
/// dropped. Here it stays.
///
/// [`BufReader`](crate::BufReader) makes any reader one of these.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot get more behind what it holds, so no line can be read from it into a `String`",
    note = "put a `BufReader` around it, or use `lines` or `read_until`, which need none"
)]
pub trait AsyncPeek: AsyncBufRead {
    /// Waits until the reader holds more than it does now; `Ok(false)` if nothing more comes.
    ///
    /// # Errors
    ///
    /// Those of the reader. It holds what it held.
    fn poll_fill_more(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<bool>>;
}

impl<R: AsyncPeek + Unpin + ?Sized> AsyncPeek for &mut R {
    fn poll_fill_more(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Pin::new(&mut **self).poll_fill_more(cx)
    }
}

impl<R: AsyncPeek + Unpin + ?Sized> AsyncPeek for Box<R> {
    fn poll_fill_more(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Pin::new(&mut **self).poll_fill_more(cx)
    }
}

/// It holds everything from the start.
impl AsyncPeek for &[u8] {
    fn poll_fill_more(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        Poll::Ready(Ok(false))
    }
}
