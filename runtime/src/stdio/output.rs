//! Standard output and error: accepted at once, written behind, in one order for the process.
//!
//! All handles of a stream share one [`Shared`]: what is accepted first is written first, whichever
//! task accepted it. Each batch goes through the standard library's own stream, under its lock, and is
//! flushed there: `println!` and these handles may be mixed, and lines stay whole.
//!
//! Rejected: non-blocking writes. `O_NONBLOCK` belongs to the open file, which a terminal shares with
//! the shell and with every other program on it; they would fail with `EAGAIN`.
//!
//! Tests: `tests/tests/stdio.rs`.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::io::{self, IsTerminal, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::{Arc, OnceLock};

use futures_io::AsyncWrite;

use crate::offload::behind::{Behind, Failed, Shared, Sink};

static STDOUT: OnceLock<Arc<Shared<StdoutSink>>> = OnceLock::new();
static STDERR: OnceLock<Arc<Shared<StderrSink>>> = OnceLock::new();

macro_rules! output {
    (
        $(#[$doc:meta])* $function:ident, $(#[$type_doc:meta])* $type:ident, $sink:ident,
        $static:ident, $job:literal, $name:literal
    ) => {
        $(#[$doc])*
        pub fn $function() -> $type {
            $type($static.get_or_init(|| Shared::new(Arc::new($sink))).writer())
        }

        $(#[$type_doc])*
        pub struct $type(Behind<$sink>);

        struct $sink;

        impl Sink for $sink {
            const WHAT: &'static str = $job;

            fn write(&self, _rewind: u64, bytes: &[u8]) -> Result<(), Failed> {
                let mut stream = io::$function().lock();
                let written = stream.write_all(bytes).and_then(|()| stream.flush());
                // How far it came, the standard library does not say.
                written.map_err(|cause| Failed { written: 0, cause })
            }

            fn name(&self) -> String {
                $name.to_owned()
            }
        }

        impl AsyncWrite for $type {
            fn poll_write(
                mut self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bytes: &[u8],
            ) -> Poll<io::Result<usize>> {
                self.0.poll_push(cx, bytes, 0)
            }

            fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.0.poll_drained(cx, true)
            }

            /// Flushes. The stream stays open, for others.
            fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
                self.poll_flush(cx)
            }
        }

        impl $type {
            /// Whether a person may be looking at it.
            #[doc(alias = "isatty")]
            pub fn is_terminal(&self) -> bool {
                io::$function().is_terminal()
            }
        }

        impl AsFd for $type {
            fn as_fd(&self) -> BorrowedFd<'_> {
                rustix::stdio::$function()
            }
        }

        impl AsRawFd for $type {
            fn as_raw_fd(&self) -> RawFd {
                self.as_fd().as_raw_fd()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($type)).field(&self.0).finish()
            }
        }
    };
}

output! {
    /// Standard output.
    ///
    /// A write is accepted at once and written by a job, in the order in which writes of all tasks were
    /// accepted. One of up to 256 KiB is never torn apart by another, nor by a `println!`. Its error (a
    /// broken pipe, a full disk) comes to the next write or flush of any handle; when the last handle is
    /// dropped and nobody was told, one line on standard error tells.
    ///
    /// # At the end
    ///
    /// What was accepted before a runtime ends is written before its end: before `run` returns, before
    /// `main` under `#[tenter::main]` does, when the `Runtime` is dropped. A pipe that takes nothing is
    /// waited for as long as `Builder::shutdown_timeout` says. Flush by yourself before
    /// `std::process::exit`, before the end of a process whose runtime is never dropped, and outside of a
    /// runtime: [`flush`](crate::io::AsyncWriteExt::flush) waits until everything is in the system that was
    /// accepted before this handle was made, or by it.
    ///
    /// # Cancel safety
    ///
    /// A write that is dropped before it is ready has accepted nothing.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::io::AsyncWriteExt;
    ///
    /// # tenter::run(async {
    /// let mut stdout = tenter::io::stdout();
    /// stdout.write_all(b"hello\n").await?;
    /// stdout.flush().await?;
    /// # std::io::Result::Ok(())
    /// # }).expect("standard output takes it");
    /// ```
    stdout,
    /// A handle of standard output, made by [`stdout`]. It is an [`AsyncWrite`].
    Stdout, StdoutSink, STDOUT, "stdout", "standard output"
}

output! {
    /// Standard error, as [`stdout`] is standard output: written behind, in one order, flushed with
    /// [`flush`](crate::io::AsyncWriteExt::flush) and at the end of a runtime.
    ///
    /// # Cancel safety
    ///
    /// A write that is dropped before it is ready has accepted nothing.
    stderr,
    /// A handle of standard error, made by [`stderr`]. It is an [`AsyncWrite`].
    Stderr, StderrSink, STDERR, "stderr", "standard error"
}
