//! Standard input: one thread of the process reads, and only when somebody asks.
//!
//! ```text
//!              poll, nothing is there            the thread has read
//!   Resting ──────────────────────────► Asked ──────────────────────► Resting, with bytes, the end
//!     ▲                                                               or an error
//!     └ no thread yet: the first who asks starts it
//! ```
//!
//! Invariants:
//! - N1: one read is under way at a time, for all handles and all runtimes of the process. What it
//!   brings belongs to whoever reads next: a read that is dropped loses no byte.
//! - N2: the thread holds nothing that a runtime waits for at its end, and the process does not wait
//!   for it either.
//! - N3: nothing is read before somebody asks: a child process that inherits standard input gets what
//!   it has not been asked for here, and a job in the background is not stopped for reading.
//! - N4: wakers are cloned, woken and dropped outside of the lock. Look and registration are one
//!   critical section, and so are the arrival of bytes and the taking of the wakers.
//!
//! Rejected: readiness. A regular file has none; for pipes and terminals it takes `O_NONBLOCK` to be
//! safe, because whoever shares the stream may take the bytes between the event and the read. That flag
//! belongs to the open file, and breaks every other program on the terminal, for instance the shell
//! after this one has ended.
//! Rejected: a job on the blocking pool. It would hold up the end of the runtime until somebody types.
//! Rejected: waiting with `poll(2)` for input or for the reader to leave, so that a read that was
//! dropped takes nothing at all. It costs two descriptors, and the bytes are not lost as it is.
//!
//! Tests: `tests/tests/stdio.rs`.

use core::fmt;
use core::mem;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};
use std::io::{self, IsTerminal, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

use futures_io::AsyncRead;
use tenter_sync::budget;
use tenter_sync::current::{self, WaitKind};
use tenter_sync::shim::{Condvar, Mutex, thread};

use crate::offload::crowd::{Crowd, wake};
use crate::offload::explained::{explain, explain_io};
use crate::task::payload::drop_payload;

/// How many bytes the thread reads at most: what a pipe holds.
const ROOM: usize = 64 * 1024;

static STDIN: OnceLock<Input> = OnceLock::new();

/// Standard input.
///
/// A thread, `tenter-stdin`, which the first read starts, waits for input; neither the end of a runtime
/// nor that of the process waits for it. It reads when somebody asks, through the standard library, so that
/// what has been read there ahead is not passed over. All handles share one stream, and each byte goes to
/// one of them.
///
/// # Errors
///
/// Those of the system, and that it refuses the thread.
///
/// # Cancel safety
///
/// A read that is dropped loses nothing: what is typed then goes to the next read, of any handle.
///
/// # Examples
///
/// Lines are read through a buffer. Keep it: what it has read ahead is in it alone.
///
/// ```no_run
/// use tenter::io::{AsyncBufReadExt, BufReader};
///
/// # async fn example() -> std::io::Result<()> {
/// let mut lines = BufReader::new(tenter::io::stdin()).lines();
/// while let Some(line) = lines.next_line().await? {
///     println!("{line}");
/// }
/// # Ok(())
/// # }
/// ```
pub fn stdin() -> Stdin {
    Stdin {
        input: STDIN.get_or_init(Input::new),
    }
}

/// A handle of standard input, made by [`stdin`]. It is an [`AsyncRead`].
pub struct Stdin {
    input: &'static Input,
}

impl Stdin {
    /// Whether a person may be typing.
    #[doc(alias = "isatty")]
    pub fn is_terminal(&self) -> bool {
        io::stdin().is_terminal()
    }
}

impl AsyncRead for Stdin {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        if buffer.is_empty() {
            return Poll::Ready(Ok(0));
        }
        ready!(budget::poll_spend(cx));
        self.input.poll_read(cx, buffer)
    }
}

impl AsFd for Stdin {
    fn as_fd(&self) -> BorrowedFd<'_> {
        rustix::stdio::stdin()
    }
}

impl AsRawFd for Stdin {
    fn as_raw_fd(&self) -> RawFd {
        self.as_fd().as_raw_fd()
    }
}

impl fmt::Debug for Stdin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut stdin = f.debug_struct("Stdin");
        if let Some(state) = self.input.state.try_lock() {
            stdin.field("phase", &state.phase);
            stdin.field("unread", &(state.bytes.len() - state.taken));
        }
        stdin.finish_non_exhaustive()
    }
}

struct Input {
    state: Mutex<State>,
    asked: Condvar,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    NoThread,
    Resting,
    Asked,
}

struct State {
    phase: Phase,
    bytes: Vec<u8>,
    taken: usize,
    /// The end was read; to be told once, for a terminal may go on after it.
    end: bool,
    error: Option<io::Error>,
    waiters: Crowd,
}

/// What a look at the state came to.
#[must_use]
enum Look {
    Read(usize),
    Failed(io::Error),
    /// Come back with a waker.
    Bring,
    /// The waker is kept, if it was not kept already. Start the thread, if so it says, and wake those
    /// who have made room.
    Wait {
        start: bool,
        displaced: Vec<Waker>,
    },
}

impl State {
    fn look(&mut self, buffer: &mut [u8], waiter: &mut Option<Waker>) -> Look {
        if self.taken < self.bytes.len() {
            let rest = &self.bytes[self.taken..];
            let count = rest.len().min(buffer.len());
            buffer[..count].copy_from_slice(&rest[..count]);
            self.taken += count;
            return Look::Read(count);
        }
        if mem::take(&mut self.end) {
            return Look::Read(0);
        }
        if let Some(error) = self.error.take() {
            return Look::Failed(error);
        }
        if waiter.is_none() {
            return Look::Bring;
        }
        let displaced = self.waiters.add(waiter);
        let before = mem::replace(&mut self.phase, Phase::Asked);
        Look::Wait {
            start: before == Phase::NoThread,
            displaced,
        }
    }

    /// What the thread has read; `bytes` are exchanged for room.
    fn arrive(&mut self, result: io::Result<usize>, bytes: &mut Vec<u8>) -> Vec<Waker> {
        self.phase = Phase::Resting;
        self.taken = 0;
        mem::swap(&mut self.bytes, bytes);
        match result {
            Ok(count) => {
                self.bytes.truncate(count);
                self.end = count == 0;
            }
            Err(error) => {
                self.bytes.clear();
                self.error = Some(explain_io("cannot read standard input".to_owned(), error));
            }
        }
        self.waiters.take()
    }
}

impl Input {
    fn new() -> Self {
        Self {
            state: Mutex::new(State {
                phase: Phase::NoThread,
                bytes: Vec::new(),
                taken: 0,
                end: false,
                error: None,
                waiters: Crowd::new(),
            }),
            asked: Condvar::new(),
        }
    }

    fn poll_read(
        &'static self,
        cx: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let mut waiter = None;
        loop {
            let look = self.state.lock().look(buffer, &mut waiter);
            match look {
                Look::Read(count) => return Poll::Ready(Ok(count)),
                Look::Failed(error) => return Poll::Ready(Err(error)),
                Look::Bring => waiter = Some(cx.waker().clone()), // N4
                Look::Wait { start, displaced } => {
                    let started = if start {
                        self.start()
                    } else {
                        self.asked.notify_one();
                        Ok(())
                    };
                    wake(displaced);
                    started?;
                    return self.pending();
                }
            }
        }
    }

    fn pending(&self) -> Poll<io::Result<usize>> {
        current::waiting_on(WaitKind::Readable, self);
        Poll::Pending
    }

    /// Starts the thread, which finds that it was asked.
    fn start(&'static self) -> io::Result<()> {
        let Err(error) = thread::spawn_named("tenter-stdin", || self.serve()) else {
            return Ok(());
        };
        let mut state = self.state.lock();
        state.phase = Phase::NoThread;
        let waiters = state.waiters.take();
        drop(state);
        // Those who asked meanwhile ask again, and get an error of their own.
        wake(waiters);
        Err(explain(
            io::ErrorKind::Other,
            "cannot start the thread `tenter-stdin`, which reads standard input; raise the limit on \
             threads"
                .to_owned(),
            error,
        ))
    }

    /// The life of the thread.
    fn serve(&self) {
        let mut bytes = Vec::new();
        loop {
            let mut state = self.state.lock();
            while state.phase != Phase::Asked {
                self.asked.wait(&mut state);
            }
            drop(state);
            bytes.resize(ROOM, 0);
            let result = read(&mut bytes);
            let waiters = self.state.lock().arrive(result, &mut bytes);
            // A waker that panics is its executor's affair, and has been reported.
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| wake(waiters))) {
                drop_payload(payload);
            }
        }
    }
}

fn read(buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match io::stdin().lock().read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}
