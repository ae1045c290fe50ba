//! An open file: reads ahead, writes behind, and never loses a byte to a future that is dropped.
//!
//! ```text
//!              poll_read, nothing is left         the job ends
//!   Idle ──────────────────────────────► Reading ──────────────► Idle, with data, the end or an error
//!    │ poll_seek                                   the job ends
//!    ├─────────────────────────────────► Seeking ──────────────► Idle; data is dropped if it succeeded
//!    │ poll_write: accepted at once
//!    └─► the bytes behind the file (`offload/behind.rs`), drained by a job of their own
//! ```
//!
//! Each poll first lets the job of the phase end, whoever began it. So a future that is dropped leaves
//! nothing behind but a phase that the next call completes, and its data is what the next read gets.
//!
//! Invariants:
//! - F1: at most one job moves the position of the file: reads and seeks begin when all that was
//!   written has reached the system, writes are accepted in phase Idle.
//! - F2: the position of the system is that of the program plus `data.left()`. So a relative seek goes
//!   back by that much first, and so does a write, in its job, if the file has positions.
//! - F3: Reading begins with no data left; Seeking keeps the data until it has succeeded.
//! - F4: while others share the position (a clone), a read asks for what its buffer holds and no more.
//! - F5: what was read before this handle changed the file otherwise (`write_at`, `set_len`) is given
//!   back before the next read.
//!
//! Rejected: positional reads and writes with a position of our own. Pipes, terminals and files that
//! are only appended to have none, and a descriptor that another process inherits would not move.
//! Rejected: reading ahead before the program asks. The bytes it wants next may be elsewhere, and a
//! file that is written meanwhile would show its past.
//!
//! Tests: `tests/tests/fs/read.rs`, `tests/tests/fs/write.rs`, `tests/tests/fs/cancel.rs`,
//! `tests/tests/fs/ending.rs`.

use core::fmt;
use core::future::poll_fn;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::fs;
use std::io::{self, SeekFrom};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::path::Path;
use std::sync::Arc;

use futures_io::{AsyncBufRead, AsyncRead, AsyncSeek, AsyncWrite};
use tenter_sync::budget;
use tenter_sync::shim::atomic::{AtomicBool, Ordering};

use self::data::Data;
use self::opened::Opened;
use super::open::OpenOptions;
use super::operation::Operation;
use crate::offload::behind::Behind;
use crate::offload::explained::plain;
use crate::offload::{Offload, offload};

mod data;
mod methods;
mod opened;

/// An open file.
///
/// It is read, written and sought through [`AsyncRead`], [`AsyncBufRead`], [`AsyncWrite`] and
/// [`AsyncSeek`], at one position, as a file of the standard library. It needs no buffer around it, but
/// for [`read_line`](crate::io::AsyncBufReadExt::read_line), which wants a
/// [`BufReader`](crate::io::BufReader); [`lines`](crate::io::AsyncBufReadExt::lines) does not.
///
/// # Reading
///
/// A job reads more than was asked for, from 8 KiB up to 256 KiB while reads come in a row, and the
/// next reads are served from that. What another program writes into that part meanwhile is not seen;
/// seek, or use [`read_at`](Self::read_at), to look again. A read of a pipe or a terminal takes its
/// thread until there is something, also when its future is dropped; such a descriptor is better off
/// in [`Async`](crate::io::Async).
///
/// # Writing
///
/// A write is accepted at once, and written by a job; what is written meanwhile, up to 256 KiB, is
/// gathered for the next step of that job. So a write that has returned is on its way, not yet in the
/// file, and its error comes later: to the next write, flush, close or sync of this file. Nothing that was
/// accepted after the failed bytes is written.
///
/// [`flush`](crate::io::AsyncWriteExt::flush) and [`close`](crate::io::AsyncWriteExt::close) wait until
/// everything is in the system, and report the error. Without them the file may be dropped: its bytes are
/// written all the same, but an error is then only told in one line on standard error. To survive a crash
/// of the machine, bytes need [`sync_all`](Self::sync_all).
///
/// # At the end of a runtime
///
/// Bytes that were accepted are written, also those whose job no thread has taken yet; the end of the
/// runtime waits for that as long as `Builder::shutdown_timeout` says. Outside of a runtime nobody waits:
/// flush before the process ends.
///
/// # Cancel safety
///
/// A read that is dropped loses nothing: what its job brings is what the next read gets, and seeks
/// count it as unread. A write that is dropped before it is ready has accepted nothing. A seek that is
/// dropped has happened or not; one that is not relative to the position can be repeated.
///
/// # Examples
///
/// ```no_run
/// use tenter::fs::File;
/// use tenter::io::AsyncWriteExt;
///
/// # async fn example() -> std::io::Result<()> {
/// let mut file = File::create("numbers.txt").await?;
/// for number in 0..1_000 {
///     file.write_all(format!("{number}\n").as_bytes()).await?;
/// }
/// file.close().await?;
/// # Ok(())
/// # }
/// ```
pub struct File {
    opened: Arc<Opened>,
    behind: Behind<Opened>,
    phase: Phase,
    data: Data,
    /// The data that is left was shown, and paid for.
    shown: bool,
    /// Whether reads take more than was asked for (F4).
    ahead: bool,
    /// The bytes were changed behind the position's back (F5).
    changed: AtomicBool,
}

enum Phase {
    Idle,
    Reading(Offload<Data>),
    Seeking(SeekFrom, Offload<io::Result<u64>>),
}

impl File {
    /// Opens a file for reading.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    #[track_caller]
    pub fn open(path: impl AsRef<Path>) -> Operation<Self> {
        OpenOptions::new().read(true).open(path)
    }

    /// Opens a file for writing. It is made if it is not there, and else emptied.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    #[track_caller]
    pub fn create(path: impl AsRef<Path>) -> Operation<Self> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).open(path)
    }

    /// Makes a file and opens it for reading and writing.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path; `AlreadyExists` if something is there.
    #[track_caller]
    pub fn create_new(path: impl AsRef<Path>) -> Operation<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create_new(true).open(path)
    }

    /// How to open a file otherwise.
    pub fn options() -> OpenOptions {
        OpenOptions::new()
    }

    /// A file of the standard library. Its messages name it by the number of its descriptor.
    ///
    /// Whoever shares its position, through a clone or in another process, sees that reads go ahead.
    pub fn from_std(file: fs::File) -> Self {
        Self::of(Opened::new(file, None), true)
    }

    pub(super) fn opened(file: fs::File, path: &Path) -> Self {
        Self::of(Opened::new(file, Some(path)), true)
    }

    fn of(opened: Opened, ahead: bool) -> Self {
        let opened = Arc::new(opened);
        Self {
            behind: Behind::new(Arc::clone(&opened)),
            opened,
            phase: Phase::Idle,
            data: Data::default(),
            shown: false,
            ahead,
            changed: AtomicBool::new(false),
        }
    }

    /// Lets the job of the phase end.
    fn poll_idle(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.phase {
            Phase::Idle => return Poll::Ready(()),
            Phase::Reading(job) => match ready!(Pin::new(job).poll(cx)) {
                Ok(data) => self.data = data,
                Err(error) => self.data.fail(error),
            },
            Phase::Seeking(_, job) => {
                if let Ok(Ok(_)) = ready!(Pin::new(job).poll(cx)) {
                    self.data.forget();
                }
            }
        }
        self.phase = Phase::Idle;
        Poll::Ready(())
    }

    /// Waits for data, the end or an error. `want`: how much the caller has room for.
    fn poll_data(&mut self, cx: &mut Context<'_>, want: usize) -> Poll<io::Result<()>> {
        loop {
            ready!(self.poll_idle(cx)); // F1
            ready!(self.poll_unchanged(cx))?;
            if self.data.left() > 0 || self.data.take_end() {
                return Poll::Ready(Ok(()));
            }
            if let Some(error) = self.data.take_error() {
                return Poll::Ready(Err(error));
            }
            // F1. An error of a write is for whoever writes.
            ready!(self.behind.poll_drained(cx, false))?;
            let mut data = core::mem::take(&mut self.data);
            let (opened, ahead) = (Arc::clone(&self.opened), self.ahead);
            self.phase = Phase::Reading(offload("fs-read", move || {
                data.read(&opened, want, ahead);
                data
            }));
        }
    }

    /// Gives back what was read before the file was changed. F5
    fn poll_unchanged(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // ORDERING: Relaxed, here and below. Who reads has the file to himself, and by that what was
        // done with it before.
        if !self.changed.load(Ordering::Relaxed) || !self.opened.has_positions {
            return Poll::Ready(Ok(()));
        }
        if self.data.left() > 0 {
            ready!(self.behind.poll_drained(cx, false))?; // F1
            let here = SeekFrom::Current(0);
            let (opened, place) = (Arc::clone(&self.opened), self.place(here)?);
            self.phase = Phase::Seeking(here, offload("fs-seek", move || opened.seek(place)));
        } else {
            self.data.forget();
        }
        // ORDERING: Relaxed, as above.
        self.changed.store(false, Ordering::Relaxed);
        self.poll_idle(cx).map(Ok)
    }

    /// Waits until nothing is in progress.
    async fn settled(&mut self) {
        poll_fn(|cx| self.poll_idle(cx)).await;
        self.written().await;
    }

    /// Waits until what was written has reached the system. An error stays for whoever writes.
    async fn written(&self) {
        let drained = poll_fn(|cx| self.behind.poll_drained(cx, false)).await;
        debug_assert!(drained.is_ok(), "no error was asked for");
    }
}

impl AsyncRead for File {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(budget::poll_spend(cx));
        ready!(self.poll_data(cx, buffer.len()))?;
        self.shown = false;
        Poll::Ready(Ok(self.data.give(buffer)))
    }
}

impl AsyncBufRead for File {
    fn poll_fill_buf(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<&[u8]>> {
        let this = self.get_mut();
        // Who was shown it and looks again, as those do who cannot keep the answer, finds it there.
        if !this.shown {
            ready!(budget::poll_spend(cx));
        }
        ready!(this.poll_data(cx, 0))?;
        this.shown = this.data.left() > 0;
        Poll::Ready(Ok(this.data.rest()))
    }

    fn consume(mut self: Pin<&mut Self>, count: usize) {
        self.shown = false;
        self.data.consume(count);
    }
}

impl AsyncWrite for File {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_idle(cx)); // F1
        if !self.opened.has_positions {
            return self.behind.poll_push(cx, bytes, 0);
        }
        let unread = self.data.left() as u64; // F2
        let count = ready!(self.behind.poll_push(cx, bytes, unread))?;
        if count > 0 {
            self.data.forget();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.behind.poll_drained(cx, true)
    }

    /// Flushes. The descriptor is closed when the file is dropped.
    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(cx)
    }
}

impl AsyncSeek for File {
    fn poll_seek(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        target: SeekFrom,
    ) -> Poll<io::Result<u64>> {
        let this = &mut *self;
        loop {
            if let Phase::Seeking(begun, job) = &mut this.phase {
                if *begun == target {
                    let sought = ready!(Pin::new(job).poll(cx)).and_then(|sought| sought);
                    this.phase = Phase::Idle;
                    if sought.is_ok() {
                        this.data.forget();
                    }
                    return Poll::Ready(sought);
                }
            }
            ready!(this.poll_idle(cx)); // F1
            ready!(this.behind.poll_drained(cx, false))?;
            let place = this.place(target)?;
            let opened = Arc::clone(&this.opened);
            this.phase = Phase::Seeking(target, offload("fs-seek", move || opened.seek(place)));
        }
    }
}

impl File {
    /// F2: where the system has to go.
    fn place(&self, target: SeekFrom) -> io::Result<SeekFrom> {
        let SeekFrom::Current(offset) = target else {
            return Ok(target);
        };
        // More than memory holds is not read ahead.
        let unread = i64::try_from(self.data.left()).unwrap_or(i64::MAX);
        match offset.checked_sub(unread) {
            Some(offset) => Ok(SeekFrom::Current(offset)),
            None => Err(plain(
                io::ErrorKind::InvalidInput,
                format!(
                    "cannot seek by {offset} in {}: no file is so long",
                    self.opened
                ),
            )),
        }
    }
}

impl AsFd for File {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.opened.file.as_fd()
    }
}

impl AsRawFd for File {
    fn as_raw_fd(&self) -> RawFd {
        self.opened.file.as_raw_fd()
    }
}

impl From<fs::File> for File {
    fn from(file: fs::File) -> Self {
        Self::from_std(file)
    }
}

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let phase = match &self.phase {
            Phase::Idle => "Idle",
            Phase::Reading(_) => "Reading",
            Phase::Seeking(..) => "Seeking",
        };
        f.debug_struct("File")
            .field("file", &self.opened.file)
            .field("phase", &phase)
            .field("unread", &self.data.left())
            .field("behind", &self.behind)
            .finish_non_exhaustive()
    }
}
