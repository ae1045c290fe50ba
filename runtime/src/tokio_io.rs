//! The traits of `tokio::io` on files, standard streams and the pipes of children. Those of sockets stand in
//! `tenter-io`.
//!
//! Tests: `tests/tests/tokio_io.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tenter_io::{AsyncWrite, poll_read_initialised};
use tokio::io::ReadBuf;

use crate::stdio::{Stderr, Stdin, Stdout};

macro_rules! read {
    ($type:ty) => {
        impl tokio::io::AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &mut ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                poll_read_initialised(self, cx, buffer)
            }
        }
    };
}

macro_rules! write {
    ($type:ty) => {
        impl tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buffer: &[u8],
            ) -> Poll<io::Result<usize>> {
                AsyncWrite::poll_write(self, cx, buffer)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_flush(self, cx)
            }

            fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                AsyncWrite::poll_close(self, cx)
            }
        }
    };
}

read!(Stdin);
write!(Stdout);
write!(Stderr);

#[cfg(feature = "fs")]
mod files {
    use tenter_io::AsyncBufRead;

    use super::*;
    use crate::fs::File;

    read!(File);
    write!(File);

    impl tokio::io::AsyncBufRead for File {
        fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
            AsyncBufRead::poll_fill_buf(self, cx)
        }

        fn consume(self: Pin<&mut Self>, count: usize) {
            AsyncBufRead::consume(self, count);
        }
    }
}

#[cfg(feature = "process")]
mod pipes {
    use super::*;
    use crate::process::{ChildStderr, ChildStdin, ChildStdout};

    read!(ChildStdout);
    read!(ChildStderr);
    write!(ChildStdin);
}
