//! `duplex`: a stream in memory, both ends of it.
//!
//! ```text
//!   one end                                   the other end
//!     write ──► [ Pipe: up to capacity bytes ] ──► read
//!     read  ◄── [ Pipe: up to capacity bytes ] ◄── write
//! ```
//!
//! Each pipe is a ring of bytes under a lock, and a waker for each side beside it. Only bytes are
//! copied under the lock. Wakers are registered, woken and dropped outside of it.
//!
//! Invariants:
//! - I1: at most `capacity` bytes are in a pipe.
//! - I2: a side that must wait registers its waker and then looks again; a side that changes
//!   something does so under the lock and then wakes. By the proof in `WakerCell` one of them sees
//!   the other.
//! - I3: the budget is spent when something can be done and before it is done, so a poll that is
//!   pending has taken and left nothing.
//! - I4: what was written before the writer closed or went is read before the end is.
//!
//! Each side of a pipe has one task at a time: an end is polled through `&mut`.
//!
//! Tests: `io/tests/duplex.rs` (model: `loom-tests/tests/duplex.rs`).

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use tenter_sync::budget;
use tenter_sync::current::{WaitKind, waiting_on};
use tenter_sync::planted;
use tenter_sync::shim::Mutex;
use tenter_sync::wake_batch::WakeBatch;
use tenter_sync::waker_cell::WakerCell;

use crate::error;

/// Makes a stream in memory. What is written to one end is read from the other; each direction
/// holds up to `capacity` bytes, and then the writer waits.
///
/// # Panics
///
/// If `capacity` is zero: nothing could ever be written.
///
/// # Examples
///
/// ```
/// use tenter_io::{AsyncReadExt, AsyncWriteExt, duplex};
///
/// # async fn example() -> std::io::Result<()> {
/// let (mut client, mut server) = duplex(1024);
/// client.write_all(b"ping").await?;
/// let mut buffer = [0; 4];
/// server.read_exact(&mut buffer).await?;
/// assert_eq!(&buffer, b"ping");
/// # Ok(())
/// # }
/// ```
#[doc(alias = "socketpair")]
#[track_caller]
pub fn duplex(capacity: usize) -> (DuplexStream, DuplexStream) {
    assert!(
        capacity > 0,
        "a duplex stream of no capacity could never be written to; give it at least one byte"
    );
    let (there, back) = (Pipe::new(capacity), Pipe::new(capacity));
    let one = DuplexStream {
        incoming: Arc::clone(&back),
        outgoing: Arc::clone(&there),
    };
    let other = DuplexStream {
        incoming: there,
        outgoing: back,
    };
    (one, other)
}

/// One end of a stream in memory. See [`duplex`].
///
/// Closing it ends what the other end reads, once that has read everything; dropping it also makes
/// writing to the other end fail with [`BrokenPipe`](io::ErrorKind::BrokenPipe). Works on any
/// executor.
///
/// # Cancel safety
///
/// A read or write that is dropped before it is ready has not taken or left anything.
///
/// # Fairness
///
/// Spends the budget of its task.
#[doc(alias = "MemoryStream")]
pub struct DuplexStream {
    incoming: Arc<Pipe>,
    outgoing: Arc<Pipe>,
}

struct Pipe {
    capacity: usize,
    state: Mutex<State>,
    reader: WakerCell,
    writer: WakerCell,
}

struct State {
    bytes: VecDeque<u8>,
    /// Nothing more comes.
    write_closed: bool,
    /// Nobody reads any more.
    read_closed: bool,
}

impl State {
    fn may_read(&self) -> bool {
        !self.bytes.is_empty() || self.write_closed
    }

    fn may_write(&self, capacity: usize) -> bool {
        self.bytes.len() < capacity || self.read_closed || self.write_closed
    }

    /// Hands the bytes to `put`, which says how many it took of each piece.
    fn take(&mut self, mut put: impl FnMut(&[u8]) -> usize) -> usize {
        let (front, back) = self.bytes.as_slices();
        let mut count = put(front);
        if count == front.len() {
            count += put(back);
        }
        self.bytes.drain(..count);
        count
    }
}

impl Pipe {
    fn new(capacity: usize) -> Arc<Pipe> {
        Arc::new(Pipe {
            capacity,
            state: Mutex::new(State {
                bytes: VecDeque::new(),
                write_closed: false,
                read_closed: false,
            }),
            reader: WakerCell::new(),
            writer: WakerCell::new(),
        })
    }

    /// Waits for `condition`, on the side whose cell is given.
    fn poll_until(
        &self,
        cx: &mut Context<'_>,
        cell: &WakerCell,
        condition: impl Fn(&State) -> bool,
    ) -> Poll<()> {
        if !condition(&self.state.lock()) {
            cell.register(cx.waker());
            if planted!("duplex.no_second_look") || !condition(&self.state.lock()) {
                waiting_on(WaitKind::Queue, self);
                return Poll::Pending; // I2
            }
        }
        budget::poll_spend(cx) // I3
    }

    fn poll_read(
        &self,
        cx: &mut Context<'_>,
        put: impl FnMut(&[u8]) -> usize,
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_until(cx, &self.reader, State::may_read));
        let count = self.state.lock().take(put);
        if count > 0 && !planted!("duplex.a_read_wakes_nobody") {
            self.writer.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_write(&self, cx: &mut Context<'_>, buffers: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        ready!(self.poll_until(cx, &self.writer, |state| state.may_write(self.capacity)));
        let count = {
            let mut state = self.state.lock();
            if state.write_closed {
                return Poll::Ready(Err(broken("this end was closed for writing")));
            }
            if state.read_closed {
                return Poll::Ready(Err(broken("the other end was dropped")));
            }
            let before = state.bytes.len();
            for buffer in buffers {
                let room = self.capacity - state.bytes.len(); // I1
                state.bytes.extend(&buffer[..room.min(buffer.len())]);
            }
            state.bytes.len() - before
        };
        if !planted!("duplex.a_write_wakes_nobody") {
            self.reader.wake();
        }
        Poll::Ready(Ok(count))
    }

    fn close_writing(&self) {
        if planted!("duplex.wakes_before_it_closes") {
            self.reader.wake();
            self.state.lock().write_closed = true;
            return;
        }
        self.state.lock().write_closed = true;
        self.reader.wake();
    }

    /// Whom to wake when nobody reads any more.
    fn close_reading(&self) -> WakeBatch {
        let _unread = {
            let mut state = self.state.lock();
            state.read_closed = true;
            mem::take(&mut state.bytes)
        };
        let mut batch = WakeBatch::new();
        if planted!("duplex.a_reader_goes_in_silence") {
            return batch;
        }
        if let Some(waker) = self.writer.take() {
            batch.push(waker);
        }
        batch
    }
}

fn broken(why: &str) -> io::Error {
    error::plain(
        io::ErrorKind::BrokenPipe,
        format!("cannot write to a duplex stream: {why}"),
    )
}

impl DuplexStream {
    /// Reads into memory that need not be initialised. The first bytes of `buffer`, as many as are
    /// returned, are initialised then. `Ok(0)` is the end, unless `buffer` is empty.
    ///
    /// # Errors
    ///
    /// None.
    ///
    /// # Cancel safety
    ///
    /// Nothing has been read while it is pending.
    pub fn poll_read_uninit(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let mut room = buffer.iter_mut();
        self.incoming.poll_read(cx, |bytes| {
            // The room is on the left, so that it gives up a place only for a byte.
            let pairs = room.by_ref().zip(bytes);
            pairs.map(|(place, byte)| place.write(*byte)).count()
        })
    }

    /// Whether [`poll_write_vectored`](AsyncWrite::poll_write_vectored) takes several buffers at
    /// once: yes.
    pub fn is_write_vectored(&self) -> bool {
        true
    }
}

impl AsyncRead for DuplexStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_read_vectored(cx, &mut [IoSliceMut::new(buffer)])
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        let (mut buffers, mut filled) = (buffers.iter_mut().peekable(), 0);
        self.incoming.poll_read(cx, |mut bytes| {
            let offered = bytes.len();
            while let Some(buffer) = buffers.peek_mut() {
                let room = &mut buffer[filled..];
                let count = room.len().min(bytes.len());
                room[..count].copy_from_slice(&bytes[..count]);
                bytes = &bytes[count..];
                if count < room.len() {
                    filled += count;
                    break;
                }
                filled = 0;
                buffers.next();
            }
            offered - bytes.len()
        })
    }
}

impl AsyncWrite for DuplexStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buffer)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if buffers.iter().all(|buffer| buffer.is_empty()) {
            return Poll::Ready(Ok(0));
        }
        self.outgoing.poll_write(cx, buffers)
    }

    /// Nothing is buffered outside of the pipe: at once.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.close_writing();
        Poll::Ready(Ok(()))
    }
}

impl Drop for DuplexStream {
    fn drop(&mut self) {
        // The batch outlives the panic of a waker, and is woken then, too.
        let batch = self.incoming.close_reading();
        self.outgoing.close_writing();
        batch.wake_all();
    }
}

impl fmt::Debug for DuplexStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DuplexStream")
            .field("capacity", &self.outgoing.capacity)
            .finish_non_exhaustive()
    }
}
