//! Two halves of any stream, for two tasks.
//!
//! The sockets have halves of their own, which need no lock because the system has it. This is for
//! everything else: TLS, compression, a stream behind a `Box<dyn …>`.
//!
//! ```text
//!   ReadHalf ──┐ try_lock                    ┌─ reading: the reader's waker, if it found the lock
//!              ├──────────► stream ──────────┤            taken
//!   WriteHalf ─┘      unlock, wake the other └─ writing: likewise the writer's
//! ```
//!
//! Invariants:
//! - I1: nobody waits for the lock: who finds it taken leaves a waker, looks once more, and is
//!   pending. Who lets go of it wakes the other one, also when the poll panics.
//! - I2: under the lock runs one thing alone, the poll of the stream that it guards.
//!
//! # Why the poll may run under this lock
//!
//! It is what the lock is for: the stream has one state for both directions, and a poll needs it
//! whole. The rule that no foreign code runs under a lock guards against code that comes back to
//! the lock and hangs, or keeps others from a lock that they must have. Here nothing hangs: by I1 a
//! poll that comes back to the other half finds it pending, and that half is polled again as soon
//! as the outer poll returns. Nothing else needs the lock: `Debug`, drop and `unsplit` go without.
//! A panic lets go of the lock and leaves the stream as its own poll left it, no worse than without
//! halves; the other half may go on with it.
//!
//! # No wake-up is lost
//!
//! Loser: `register`, then `try_lock` once more. Holder: unlock, then `take`. By the proof in
//! `WakerCell` either `take` finds the waker, or it comes first and the second `try_lock` sees the
//! unlock. A waker that is left over from a second try that succeeded is woken in vain, once.
//!
//! Rejected: a blocking lock. A worker would sleep for as long as the other half encrypts, and a
//! stream whose poll comes back here would hang.
//!
//! Tests: `io/tests/duplex.rs` (model: `loom-tests/tests/split.rs`).

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use std::io::{self, IoSlice, IoSliceMut};

use futures_io::{AsyncRead, AsyncWrite};
use tenter_sync::current::{WaitKind, waiting_on};
use tenter_sync::planted;
use tenter_sync::shim::{Mutex, MutexGuard};
use tenter_sync::wake_batch::WakeBatch;
use tenter_sync::waker_cell::WakerCell;

/// Splits any stream into a half that reads and a half that writes, for two tasks.
///
/// The halves exclude each other only while one of them is polled. Dropping the half that writes
/// closes nothing; close it first. The stream goes with the second half.
///
/// # Examples
///
/// ```
/// use tenter_io::{AsyncReadExt, AsyncWriteExt, duplex, split};
///
/// # async fn example() -> std::io::Result<()> {
/// let (near, far) = duplex(64);
/// let (mut reader, mut writer) = split(near);
/// writer.write_all(b"question").await?;
/// drop(far);
/// assert_eq!(reader.read(&mut [0; 8]).await?, 0);
/// let near = reader.unsplit(writer).expect("of one stream");
/// # drop(near);
/// # Ok(())
/// # }
/// ```
pub fn split<T: AsyncRead + AsyncWrite + Unpin>(stream: T) -> (ReadHalf<T>, WriteHalf<T>) {
    let shared = Arc::new(Shared {
        stream: Mutex::new(stream),
        reading: WakerCell::new(),
        writing: WakerCell::new(),
    });
    (ReadHalf(Arc::clone(&shared)), WriteHalf(shared))
}

/// The half of a stream that reads. See [`split`].
pub struct ReadHalf<T>(Arc<Shared<T>>);

/// The half of a stream that writes. See [`split`].
pub struct WriteHalf<T>(Arc<Shared<T>>);

struct Shared<T> {
    stream: Mutex<T>,
    /// The waker of the half that reads, while it waits for the lock.
    reading: WakerCell,
    writing: WakerCell,
}

/// The lock, and whom to wake afterwards.
struct Held<'a, T> {
    stream: Option<MutexGuard<'a, T>>,
    other: &'a WakerCell,
}

impl<T> Drop for Held<'_, T> {
    fn drop(&mut self) {
        drop(self.stream.take());
        if planted!("split.unlock_wakes_nobody") {
            return;
        }
        if let Some(waker) = self.other.take() {
            // The batch keeps a panicking waker from ending a process that unwinds already.
            let mut batch = WakeBatch::new();
            batch.push(waker);
            batch.wake_all();
        }
    }
}

impl<T: Unpin> Shared<T> {
    fn poll_with<R>(
        &self,
        cx: &mut Context<'_>,
        own: &WakerCell,
        other: &WakerCell,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        let stream = self.stream.try_lock().or_else(|| {
            own.register(cx.waker());
            if planted!("split.no_second_look") {
                return None;
            }
            self.stream.try_lock()
        });
        if stream.is_none() {
            waiting_on(WaitKind::Lock, self);
            return Poll::Pending; // I1
        }
        let mut held = Held { stream, other };
        match &mut held.stream {
            Some(stream) => poll(Pin::new(&mut **stream), cx), // I2
            None => Poll::Pending,
        }
    }

    fn poll_reading<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        self.poll_with(cx, &self.reading, &self.writing, poll)
    }

    fn poll_writing<R>(
        &self,
        cx: &mut Context<'_>,
        poll: impl FnOnce(Pin<&mut T>, &mut Context<'_>) -> Poll<R>,
    ) -> Poll<R> {
        if planted!("split.one_place_for_two_wakers") {
            return self.poll_with(cx, &self.reading, &self.writing, poll);
        }
        self.poll_with(cx, &self.writing, &self.reading, poll)
    }
}

impl<T> ReadHalf<T> {
    /// Whether both are halves of the same stream.
    pub fn is_pair_of(&self, write: &WriteHalf<T>) -> bool {
        Arc::ptr_eq(&self.0, &write.0)
    }

    /// Puts the two halves together again.
    ///
    /// # Errors
    ///
    /// They are of two different streams. Both are handed back, unharmed.
    #[doc(alias = "reunite")]
    pub fn unsplit(self, write: WriteHalf<T>) -> Result<T, UnsplitError<T>> {
        if !self.is_pair_of(&write) {
            return Err(UnsplitError(self, write));
        }
        drop(write);
        let shared = Arc::into_inner(self.0);
        let shared = shared.expect("there are two halves, and one has just been dropped");
        Ok(shared.stream.into_inner())
    }
}

impl<T> WriteHalf<T> {
    /// Whether both are halves of the same stream.
    pub fn is_pair_of(&self, read: &ReadHalf<T>) -> bool {
        read.is_pair_of(self)
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for ReadHalf<T> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let shared = &*self.0;
        shared.poll_reading(cx, |stream, cx| stream.poll_read(cx, buffer))
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let shared = &*self.0;
        shared.poll_reading(cx, |stream, cx| stream.poll_read_vectored(cx, buffers))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WriteHalf<T> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        let shared = &*self.0;
        shared.poll_writing(cx, |stream, cx| stream.poll_write(cx, buffer))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let shared = &*self.0;
        shared.poll_writing(cx, |stream, cx| stream.poll_write_vectored(cx, buffers))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writing(cx, AsyncWrite::poll_flush)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.poll_writing(cx, AsyncWrite::poll_close)
    }
}

impl<T> fmt::Debug for ReadHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadHalf").finish_non_exhaustive()
    }
}

impl<T> fmt::Debug for WriteHalf<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteHalf").finish_non_exhaustive()
    }
}

/// The halves of two different streams cannot be put together. Holds both.
pub struct UnsplitError<T>(pub ReadHalf<T>, pub WriteHalf<T>);

impl<T> fmt::Display for UnsplitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("these halves are of two different streams; put each together with its own")
    }
}

impl<T> fmt::Debug for UnsplitError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UnsplitError").finish_non_exhaustive()
    }
}

impl<T> std::error::Error for UnsplitError<T> {}
