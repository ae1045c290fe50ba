//! One direction of a copy: its buffer, and how far it is.
//!
//! ```text
//!            read some                    all written
//!   EMPTY ───────────────► FULL ─────────────────────────► EMPTY
//!     │ │                                                    
//!     │ └─ nothing to read now: flush what was written, so that the other side sees it
//!     └─── end of the reader: ENDED ── flushed ──► done
//! ```
//!
//! Invariants:
//! - I1: `buffer[start..end]` was read and not written. Each count is added in the step in which
//!   the reader or writer returned it.
//! - I2: `Pending` is returned only when the reader, the writer or the flush has the waker, or the
//!   task was woken already.
//! - I3: something that was written is flushed before the reader is waited for. A writer with a
//!   buffer of its own would otherwise keep a question to itself while both sides wait for the
//!   answer.
//!
//! The buffer begins small and doubles when a read fills it, because a connection that is mostly
//! idle must not cost as much memory as one that carries a film.
//!
//! Tests: `io/tests/copy.rs`.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use tenter_sync::budget;

use crate::ext::error::checked;
use crate::ext::write::poll_write_some;
use crate::limits::{COPY_BUFFER_MAX, COPY_BUFFER_MIN};

pub(crate) struct Transfer {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    ended: bool,
    unflushed: bool,
    written: u64,
}

impl Transfer {
    pub(crate) const fn new() -> Self {
        Transfer {
            buffer: Vec::new(),
            start: 0,
            end: 0,
            ended: false,
            unflushed: false,
            written: 0,
        }
    }

    /// How many bytes the writer has taken.
    pub(crate) const fn written(&self) -> u64 {
        self.written
    }

    /// Copies to the end of the reader, and flushes.
    pub(crate) fn poll<R, W>(
        &mut self,
        cx: &mut Context<'_>,
        reader: &mut R,
        writer: &mut W,
    ) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
        W: AsyncWrite + Unpin + ?Sized,
    {
        loop {
            if self.start == self.end && !self.ended {
                match self.poll_read(cx, reader) {
                    Poll::Ready(result) => result?,
                    Poll::Pending => {
                        ready!(self.poll_flush(cx, writer))?; // I3
                        return Poll::Pending;
                    }
                }
            }
            while self.start < self.end {
                let rest = &self.buffer[self.start..self.end];
                let count = ready!(poll_write_some(writer, cx, rest))?;
                self.start += count; // I1
                self.written += count as u64;
                self.unflushed = true;
            }
            if self.ended {
                return self.poll_flush(cx, writer);
            }
            ready!(budget::poll_spend(cx));
        }
    }

    fn poll_read<R>(&mut self, cx: &mut Context<'_>, reader: &mut R) -> Poll<io::Result<()>>
    where
        R: AsyncRead + Unpin + ?Sized,
    {
        self.make_room();
        loop {
            match ready!(Pin::new(&mut *reader).poll_read(cx, &mut self.buffer)) {
                Ok(0) => self.ended = true,
                Ok(count) => {
                    (self.start, self.end) = (0, checked(count, self.buffer.len())?); // I1
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Poll::Ready(Err(error)),
            }
            return Poll::Ready(Ok(()));
        }
    }

    fn make_room(&mut self) {
        let size = self.buffer.len();
        let filled = self.end == size;
        if size == 0 {
            self.buffer = vec![0; COPY_BUFFER_MIN];
        } else if filled && size < COPY_BUFFER_MAX {
            // Nothing is in it, so nothing needs to be carried over.
            self.buffer = vec![0; size * 2];
        }
        (self.start, self.end) = (0, 0);
    }

    fn poll_flush<W>(&mut self, cx: &mut Context<'_>, writer: &mut W) -> Poll<io::Result<()>>
    where
        W: AsyncWrite + Unpin + ?Sized,
    {
        if self.unflushed {
            ready!(Pin::new(writer).poll_flush(cx))?;
            self.unflushed = false;
        }
        Poll::Ready(Ok(()))
    }
}
