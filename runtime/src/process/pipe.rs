//! [`ChildStdin`], [`ChildStdout`], [`ChildStderr`]: our ends of the pipes of a child.
//!
//! Our end of a pipe is a file of its own: that it is non-blocking is not seen by the child, whose
//! ends block as every program expects. An end that is handed on to another child is made blocking
//! again first.
//!
//! Tests: `tests/tests/process/pipes.rs`.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::pin::Pin;
use std::process::Stdio;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use rustix::buffer::spare_capacity;
use tenter_io::{Async, Interest};

/// The most buffers that one call takes.
const VECTOR_MAX: usize = 1024;

/// What a vector offers to a read at the beginning, and then.
const ROOM_MIN: usize = 4 * 1024;
const ROOM: usize = 64 * 1024;

/// Reads as soon as that does not block. Nothing has been read while it is pending.
fn poll_read<R>(
    pipe: &Async<OwnedFd>,
    cx: &mut Context<'_>,
    mut read: impl FnMut(&OwnedFd) -> io::Result<R>,
) -> Poll<io::Result<R>> {
    loop {
        ready!(pipe.poll_readable(cx))?;
        match pipe.try_io(Interest::READABLE, || read(pipe.get_ref())) {
            Err(error) if is_passing(&error) => {}
            result => return Poll::Ready(result),
        }
    }
}

/// Writes as soon as that does not block. Nothing has been written while it is pending.
fn poll_write(
    pipe: &Async<OwnedFd>,
    cx: &mut Context<'_>,
    mut write: impl FnMut(&OwnedFd) -> io::Result<usize>,
) -> Poll<io::Result<usize>> {
    loop {
        ready!(pipe.poll_writable(cx))?;
        match pipe.try_io(Interest::WRITABLE, || write(pipe.get_ref())) {
            Err(error) if is_passing(&error) => {}
            result => return Poll::Ready(result),
        }
    }
}

fn is_passing(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

/// Ends the registration; whoever gets the descriptor expects it to block.
fn into_blocking(pipe: Async<OwnedFd>) -> io::Result<OwnedFd> {
    let pipe = pipe.into_inner();
    rustix::io::ioctl_fionbio(&pipe, false)?;
    Ok(pipe)
}

/// The writing end of the standard input of a child.
///
/// It implements [`AsyncWrite`]. Dropping or closing it tells the child that there is no more.
///
/// # Errors
///
/// A write fails with `BrokenPipe` when the child has closed its standard input, or has ended.
///
/// # Cancel safety
///
/// A write that is pending has written nothing.
#[doc(alias = "StreamWriter")]
pub struct ChildStdin {
    /// `None` once it was closed.
    pipe: Option<Async<OwnedFd>>,
}

impl ChildStdin {
    /// Takes over one that the standard library has made.
    ///
    /// # Errors
    ///
    /// Those of [`Async::new`]. The pipe is closed then.
    pub fn from_std(stdin: std::process::ChildStdin) -> io::Result<ChildStdin> {
        let pipe = Some(Async::new(OwnedFd::from(stdin))?);
        Ok(ChildStdin { pipe })
    }

    /// The descriptor, which blocks from now on: for another child to write to.
    ///
    /// # Errors
    ///
    /// It was closed.
    pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
        into_blocking(self.pipe.ok_or_else(closed)?)
    }
}

fn closed() -> io::Error {
    io::Error::new(
        io::ErrorKind::BrokenPipe,
        "the standard input of the child was closed by this program",
    )
}

impl AsyncWrite for ChildStdin {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let pipe = self.pipe.as_ref().ok_or_else(closed)?;
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        poll_write(pipe, cx, |pipe| Ok(rustix::io::write(pipe, buffer)?))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let pipe = self.pipe.as_ref().ok_or_else(closed)?;
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let buffers = &buffers[..buffers.len().min(VECTOR_MAX)];
        poll_write(pipe, cx, |pipe| Ok(rustix::io::writev(pipe, buffers)?))
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.pipe = None;
        Poll::Ready(Ok(()))
    }
}

impl fmt::Debug for ChildStdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildStdin")
            .field("pipe", &self.pipe)
            .finish()
    }
}

impl TryFrom<ChildStdin> for OwnedFd {
    type Error = io::Error;

    fn try_from(stdin: ChildStdin) -> io::Result<OwnedFd> {
        stdin.into_owned_fd()
    }
}

impl TryFrom<ChildStdin> for Stdio {
    type Error = io::Error;

    fn try_from(stdin: ChildStdin) -> io::Result<Stdio> {
        stdin.into_owned_fd().map(Stdio::from)
    }
}

macro_rules! output {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[doc(alias = "StreamReader")]
        pub struct $name {
            pipe: Async<OwnedFd>,
        }

        impl $name {
            /// Takes over one that the standard library has made.
            ///
            /// # Errors
            ///
            /// Those of [`Async::new`]. The pipe is closed then.
            pub fn from_std(output: std::process::$name) -> io::Result<$name> {
                let pipe = Async::new(OwnedFd::from(output))?;
                Ok($name { pipe })
            }

            /// The descriptor, which blocks from now on: for another child to read from. What was
            /// not read yet is there.
            ///
            /// # Errors
            ///
            /// Those of the system; there are none in practice.
            pub fn into_owned_fd(self) -> io::Result<OwnedFd> {
                into_blocking(self.pipe)
            }

            /// Appends to `buffer` what there is now. `Ok(0)` is the end.
            pub(super) fn poll_append(
                &self,
                cx: &mut Context<'_>,
                buffer: &mut Vec<u8>,
            ) -> Poll<io::Result<usize>> {
                if buffer.capacity() == buffer.len() {
                    buffer.reserve(if buffer.is_empty() { ROOM_MIN } else { ROOM });
                }
                poll_read(&self.pipe, cx, |pipe| {
                    Ok(rustix::io::read(pipe, spare_capacity(buffer))?)
                })
            }
        }

        impl AsyncRead for $name {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                if buffer.is_empty() {
                    return Poll::Ready(Ok(0));
                }
                poll_read(&self.pipe, cx, |pipe| {
                    Ok(rustix::io::read(pipe, &mut *buffer)?)
                })
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffers: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                if buffers.iter().all(|buffer| buffer.is_empty()) {
                    return Poll::Ready(Ok(0));
                }
                let count = buffers.len().min(VECTOR_MAX);
                poll_read(&self.pipe, cx, |pipe| {
                    Ok(rustix::io::readv(pipe, &mut buffers[..count])?)
                })
            }
        }

        impl AsFd for $name {
            fn as_fd(&self) -> BorrowedFd<'_> {
                self.pipe.as_fd()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("pipe", &self.pipe)
                    .finish()
            }
        }

        impl TryFrom<$name> for OwnedFd {
            type Error = io::Error;

            fn try_from(output: $name) -> io::Result<OwnedFd> {
                output.into_owned_fd()
            }
        }

        impl TryFrom<$name> for Stdio {
            type Error = io::Error;

            fn try_from(output: $name) -> io::Result<Stdio> {
                output.into_owned_fd().map(Stdio::from)
            }
        }
    };
}

output! {
    /// The reading end of the standard output of a child.
    ///
    /// It implements [`AsyncRead`]. The end comes when the child, and whoever has inherited its
    /// standard output from it, has closed it or ended.
    ///
    /// # Cancel safety
    ///
    /// A read that is pending has read nothing.
    ChildStdout
}

output! {
    /// The reading end of the standard error of a child.
    ///
    /// It implements [`AsyncRead`]. The end comes when the child, and whoever has inherited its
    /// standard error from it, has closed it or ended.
    ///
    /// # Cancel safety
    ///
    /// A read that is pending has read nothing.
    ChildStderr
}

const _: () = {
    const fn send_and_sync<T: Send + Sync + Unpin>() {}
    send_and_sync::<ChildStdin>();
    send_and_sync::<ChildStdout>();
    send_and_sync::<ChildStderr>();
};
