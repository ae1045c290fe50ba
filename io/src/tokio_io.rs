//! The traits of `tokio::io` on every stream: the traits alone, not the runtime.
//!
//! A stream that can read into memory that nobody has initialised does so. One line per type.
//!
//! [`Compat`] carries any other stream over, in both directions, at the price of initialising what
//! is read into.
//!
//! Tests: `io/tests/tokio_io.rs`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::ReadBuf;

use crate::ext::error::checked;
use crate::net::{OwnedReadHalf, OwnedWriteHalf, ReadHalf, StdStream, StreamSocket, WriteHalf};
use crate::{DuplexStream, split};

/// Reads through the inherent `poll_read_uninit` of a type of this crate.
macro_rules! read {
    ([$($generics:tt)*] $type:ty) => {
        impl<$($generics)*> tokio::io::AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                // SAFETY: no byte may be de-initialised: a stream of ours only writes to them.
                let room = unsafe { buffer.unfilled_mut() };
                let count = ready!(self.get_mut().poll_read_uninit(cx, room))?;
                // SAFETY: the first `count` bytes are initialised, as `poll_read_uninit` of this
                // crate promises. Were they not, tokio would hand out uninitialised memory.
                unsafe { buffer.assume_init(count) };
                buffer.advance(count);
                Poll::Ready(Ok(()))
            }
        }
    };
}

/// Writes through the futures-io trait, several buffers at once.
macro_rules! write {
    ([$($generics:tt)*] $type:ty, vectored: $vectored:expr) => {
        impl<$($generics)*> tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write(self, cx, buffer)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                futures_io::AsyncWrite::poll_write_vectored(self, cx, buffers)
            }

            fn is_write_vectored(&self) -> bool {
                $vectored
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                futures_io::AsyncWrite::poll_close(self, cx)
            }
        }
    };
}

// TCP and Unix alike.
read!([S: StdStream] StreamSocket<S>);
write!([S: StdStream] StreamSocket<S>, vectored: true);
read!([S: StdStream] ReadHalf<'_, S>);
write!([S: StdStream] WriteHalf<'_, S>, vectored: true);
read!([S: StdStream] OwnedReadHalf<S>);
write!([S: StdStream] OwnedWriteHalf<S>, vectored: true);
read!([] DuplexStream);
write!([] DuplexStream, vectored: true);

impl<T: futures_io::AsyncRead + Unpin> tokio::io::AsyncRead for split::ReadHalf<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_initialised(self, cx, buffer)
    }
}

write!([T: futures_io::AsyncWrite + Unpin] split::WriteHalf<T>, vectored: false);

/// Reads into what is initialised first, for readers of other crates of this project.
pub fn poll_read_initialised<R: futures_io::AsyncRead>(
    reader: Pin<&mut R>,
    cx: &mut Context<'_>,
    buffer: &mut ReadBuf<'_>,
) -> Poll<io::Result<()>> {
    let count = ready!(reader.poll_read(cx, buffer.initialize_unfilled()))?;
    let count = checked(count, buffer.remaining())?;
    buffer.advance(count);
    Poll::Ready(Ok(()))
}

/// Carries a stream with the traits of futures-io over to those of tokio, and the other way round.
///
/// The streams of tenter have both; this is for all others, such as a buffered reader, a file, or a
/// TLS stream of a crate that knows only one of the two.
#[derive(Clone, Copy, Debug, Default)]
pub struct Compat<T>(T);

impl<T> Compat<T> {
    /// Wraps a stream.
    pub const fn new(stream: T) -> Compat<T> {
        Compat(stream)
    }

    /// The stream inside.
    pub const fn get_ref(&self) -> &T {
        &self.0
    }

    /// The stream inside.
    pub fn get_mut(&mut self) -> &mut T {
        &mut self.0
    }

    /// The stream, out of its wrapper.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T: futures_io::AsyncRead + Unpin> tokio::io::AsyncRead for Compat<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        poll_read_initialised(Pin::new(&mut self.0), cx, buffer)
    }
}

impl<T: futures_io::AsyncBufRead + Unpin> tokio::io::AsyncBufRead for Compat<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().0).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.0).consume(count);
    }
}

impl<T: futures_io::AsyncWrite + Unpin> tokio::io::AsyncWrite for Compat<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl<T: tokio::io::AsyncRead + Unpin> futures_io::AsyncRead for Compat<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let room = buffer.len();
        let mut buffer = ReadBuf::new(buffer);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut buffer))?;
        // A reader could have put another buffer in its place.
        Poll::Ready(checked(buffer.filled().len(), room))
    }
}

impl<T: tokio::io::AsyncBufRead + Unpin> futures_io::AsyncBufRead for Compat<T> {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        Pin::new(&mut self.get_mut().0).poll_fill_buf(cx)
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        Pin::new(&mut self.0).consume(count);
    }
}

impl<T: tokio::io::AsyncWrite + Unpin> futures_io::AsyncWrite for Compat<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, buffers)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}
