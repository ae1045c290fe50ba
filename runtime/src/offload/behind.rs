//! Bytes that are written after the write has returned: gathered by the writer, drained by a job.
//!
//! ```text
//!             push: bytes are gathered           the job takes all that is gathered, and writes
//!   Quiet ────────────────────────────► Busy ◄──┐ once; meanwhile more may be gathered, up to
//!     ▲        the job is handed over      │ └──┘ CAPACITY
//!     │                                    │
//!     └──── nothing is gathered any more ──┤
//!     └──── an error: it is kept ──────────┘   kept until a push or a drain reports it
//! ```
//!
//! Invariants:
//! - B1: whatever is gathered has a job that will look again: `gathered` is empty while Quiet. So
//!   dropping the writer needs no write of its own.
//! - B2: bytes reach the sink in the order in which they were accepted, one batch at a time.
//! - B3: a push that fits into CAPACITY is accepted as a whole, and the bytes of one push lie in
//!   one batch: lines of several writers do not tear each other apart.
//! - B4: an error of accepted bytes is told once: to the next push or drain, or on standard error if
//!   nobody holds the writer any more. What was accepted after them is not written, and counted in
//!   the error, because it would stand in the wrong place.
//! - B5: a job that cannot run (the runtime ends, the system refuses a thread) is carried on by the
//!   thread that finds that out: on a thread of its own, for which it waits [`LAST_WAIT`] at most,
//!   or if that is refused too, by itself.
//! - B6: a writer's flush waits for `mark`: what had been accepted when the writer was made, and what
//!   it has added. Others who go on writing do not hold it up.
//! - B7: once somebody found no room, nobody is let in before the next batch begins; all who waited are
//!   woken then, in the order in which they came. So large writes are not shut out by small ones.
//! - B8: wakers are cloned, woken and dropped outside of the lock.
//!
//! Waiting for room and waiting for the end are the same wait: the waiter is woken whenever one of
//! the two may be over, and looks again. Look and registration are one critical section, and so are
//! each step of the job and its taking of the wakers; no wake is lost.
//!
//! Rejected: gathering until a batch is worth a job. What a program logs would not be in the file
//! until it logs more. A job that is on its way gathers by itself, the more the busier it is.
//! Rejected: a job for each write. Small writes would cost a round trip each.
//!
//! Tests: `tests/tests/fs/write.rs`, `tests/tests/fs/ending.rs`, `tests/tests/stdio.rs` (model:
//! `loom-tests/tests/behind.rs`).

use core::fmt;
use core::mem;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;
use std::sync::Arc;

use tenter_sync::budget;
use tenter_sync::current::{self, WaitKind};
use tenter_sync::parker::{Parker, Unparked};
use tenter_sync::planted;
use tenter_sync::shim::{Mutex, size, thread};

use super::crowd::{Crowd, wake};
use super::explained::explain_io;
use super::offload;
use crate::blocking::report::print;

/// How many bytes may be gathered while others are being written.
pub const CAPACITY: usize = size(256 * 1024, 2);

/// How long the end of a runtime waits for a last batch that had no thread yet.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Where the bytes go.
pub trait Sink: Send + Sync + 'static {
    /// Names the job.
    const WHAT: &'static str;
    /// Steps back by `rewind` bytes, then writes all bytes.
    fn write(&self, rewind: u64, bytes: &[u8]) -> Result<(), Failed>;
    /// What stands in messages: "file `x`".
    fn name(&self) -> String;
}

/// A batch that was not written as a whole.
#[derive(Debug)]
pub struct Failed {
    /// How much of it was written, as far as is known.
    pub written: usize,
    /// Why not all.
    pub cause: io::Error,
}

/// A writer.
pub struct Behind<S: Sink> {
    shared: Arc<Shared<S>>,
    /// How far its flush waits (B6).
    mark: u64,
}

/// What outlives the writers.
pub struct Shared<S> {
    sink: Arc<S>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    gathered: Vec<u8>,
    /// How far to step back before what is gathered.
    rewind: u64,
    busy: bool,
    /// Somebody waits for room (B7).
    full: bool,
    /// How many bytes were ever accepted, and how many of them have reached the sink or are lost.
    accepted: u64,
    reached: u64,
    error: Option<io::Error>,
    waiters: Crowd,
    /// Those who can be told of an error.
    writers: usize,
}

/// Bytes that were accepted.
struct Accepted {
    count: usize,
    mark: u64,
    /// A job has to be started for them.
    start: bool,
}

impl State {
    /// Accepts bytes, if there is room.
    fn push(&mut self, bytes: &[u8], rewind: u64) -> Poll<io::Result<Accepted>> {
        if let Some(error) = self.error.take() {
            return Poll::Ready(Err(error));
        }
        let room = CAPACITY - self.gathered.len();
        // B3: bytes that do not fit wait for an empty batch; only what no batch can hold is split.
        if self.full || !self.gathered.is_empty() && (bytes.len() > room || rewind > 0) {
            self.full = true;
            return Poll::Pending;
        }
        let count = bytes.len().min(room);
        self.gathered.extend_from_slice(&bytes[..count]);
        self.rewind = self.rewind.max(rewind);
        self.accepted += count as u64;
        Poll::Ready(Ok(Accepted {
            count,
            mark: self.accepted,
            start: !mem::replace(&mut self.busy, true) || planted!("behind.a_job_for_each_push"),
        }))
    }

    /// Whether all up to `mark` is written, and with what error.
    fn drained(&mut self, mark: u64, take_error: bool) -> Poll<io::Result<()>> {
        if self.reached < mark {
            return Poll::Pending;
        }
        let error = if take_error { self.error.take() } else { None };
        Poll::Ready(error.map_or(Ok(()), Err))
    }
}

impl<S: Sink> Shared<S> {
    /// Of this sink, without a writer.
    pub fn new(sink: Arc<S>) -> Arc<Self> {
        Arc::new(Self {
            sink,
            state: Mutex::new(State::default()),
        })
    }

    /// A writer.
    pub fn writer(self: &Arc<Self>) -> Behind<S> {
        let mut state = self.state.lock();
        state.writers += 1;
        Behind {
            shared: Arc::clone(self),
            mark: state.accepted,
        }
    }

    fn not_written(&self, lost: usize, cause: io::Error) -> io::Error {
        let name = self.sink.name();
        let bytes = if lost == 1 { "byte" } else { "bytes" };
        explain_io(
            format!("cannot write to {name}: {lost} {bytes} that a write had accepted are lost"),
            cause,
        )
    }
}

impl<S: Sink> Behind<S> {
    /// Of a sink of its own.
    #[cfg(feature = "fs")]
    pub fn new(sink: Arc<S>) -> Self {
        Shared::new(sink).writer()
    }

    /// Accepts bytes, after a step back by `rewind`; returns how many. Waits while the batch has no
    /// room. An error is that of bytes that were accepted before; then none of these are.
    pub fn poll_push(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
        rewind: u64,
    ) -> Poll<io::Result<usize>> {
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        // Nothing has been accepted yet, so nothing is lost.
        ready!(budget::poll_spend(cx));
        let accepted = ready!(self.poll_step(cx, |state| state.push(bytes, rewind)))?;
        self.mark = accepted.mark;
        if accepted.start {
            self.start();
        }
        Poll::Ready(Ok(accepted.count))
    }

    /// Ready when everything that this writer has accepted, and what was accepted before it was made,
    /// has reached the sink, or cannot. `take_error`: the caller reports the error; else it is kept for
    /// somebody who does.
    pub fn poll_drained(&self, cx: &mut Context<'_>, take_error: bool) -> Poll<io::Result<()>> {
        ready!(budget::poll_spend(cx));
        self.poll_step(cx, |state| state.drained(self.mark, take_error))
    }

    /// Takes a step, or waits until it may be worth another try.
    fn poll_step<T>(
        &self,
        cx: &mut Context<'_>,
        mut step: impl FnMut(&mut State) -> Poll<T>,
    ) -> Poll<T> {
        let first = step(&mut self.shared.state.lock());
        if first.is_ready() {
            return first;
        }
        let mut waiter = Some(cx.waker().clone()); // B8
        let mut displaced = Vec::new();
        let mut state = self.shared.state.lock();
        let second = step(&mut state);
        if second.is_pending() {
            if planted!("behind.waits_in_another_section") {
                drop(state);
                state = self.shared.state.lock();
            }
            displaced = state.waiters.add(&mut waiter);
            current::waiting_on(WaitKind::Blocking, Arc::as_ptr(&self.shared));
        }
        drop(state);
        wake(displaced);
        second
    }

    fn start(&self) {
        let job = Job::new(Arc::clone(&self.shared));
        // What becomes of it is in the state; that it never runs, its destructor notices (B5).
        drop(offload(S::WHAT, move || job.run()));
    }
}

impl<S: Sink> Drop for Behind<S> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        state.writers -= 1;
        if state.writers > 0 && !planted!("behind.any_writer_takes_the_error_along") {
            return;
        }
        let untold = state.error.take();
        drop(state);
        untold.iter().for_each(tell);
    }
}

impl<S: Sink> fmt::Debug for Behind<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shared.fmt(f)
    }
}

impl<S> fmt::Debug for Shared<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut behind = f.debug_struct("Behind");
        if let Some(state) = self.state.try_lock() {
            behind.field("gathered", &state.gathered.len());
            behind.field("busy", &state.busy);
            behind.field("error", &state.error);
        }
        behind.finish_non_exhaustive()
    }
}

/// B4.
fn tell(error: &io::Error) {
    print(&format!(
        "{error}. Nobody was left to be told: flush or close what is written to before it is dropped"
    ));
}

/// The right, and the duty, to write what is gathered.
struct Job<S: Sink> {
    shared: Arc<Shared<S>>,
    /// Taken and not yet written.
    batch: Vec<u8>,
    rewind: u64,
    /// Written since the last look at the state.
    done: u64,
    over: bool,
    /// There is no further thread to turn to.
    last: bool,
}

impl<S: Sink> Job<S> {
    fn new(shared: Arc<Shared<S>>) -> Self {
        Self {
            shared,
            batch: Vec::new(),
            rewind: 0,
            done: 0,
            over: false,
            last: false,
        }
    }

    fn run(mut self) {
        self.drain();
    }

    fn drain(&mut self) {
        while self.take() {
            let batch = mem::take(&mut self.batch);
            let rewind = mem::take(&mut self.rewind);
            let written = self.shared.sink.write(rewind, &batch);
            if let Err(failed) = written {
                return self.fail(batch.len() - failed.written, failed.cause);
            }
            self.done += batch.len() as u64;
            self.batch = batch;
            self.batch.clear();
        }
    }

    /// Takes the next batch. False: there is none, and the job is over.
    fn take(&mut self) -> bool {
        // After a panic of a waker, the batch that was taken before it.
        if !self.batch.is_empty() {
            return true;
        }
        let mut state = self.shared.state.lock();
        state.reached += mem::take(&mut self.done);
        state.full = planted!("behind.full_for_ever") && state.full;
        let nothing = state.gathered.is_empty();
        if planted!("behind.over_in_another_section") {
            drop(state);
            state = self.shared.state.lock();
        }
        if nothing {
            state.busy = false;
            self.over = true;
        } else {
            mem::swap(&mut state.gathered, &mut self.batch);
            self.rewind = mem::take(&mut state.rewind);
        }
        let waiters = state.waiters.take();
        drop(state);
        if !planted!("behind.a_batch_wakes_nobody") {
            wake(waiters);
        }
        !self.over
    }

    fn fail(&mut self, lost: usize, cause: io::Error) {
        self.over = true;
        let mut state = self.shared.state.lock();
        let error = self.shared.not_written(lost + state.gathered.len(), cause);
        state.gathered.clear();
        state.rewind = 0;
        state.busy = false;
        state.full = false;
        if !planted!("behind.what_is_lost_is_waited_for") {
            state.reached = state.accepted;
        }
        let untold = if state.writers == 0 {
            Some(error)
        } else {
            state.error = Some(error);
            None
        };
        let waiters = state.waiters.take();
        drop(state);
        untold.iter().for_each(tell);
        wake(waiters);
    }

    /// B5.
    fn carry_on(&mut self) {
        let heir = Self {
            shared: Arc::clone(&self.shared),
            batch: mem::take(&mut self.batch),
            rewind: self.rewind,
            done: self.done,
            over: false,
            last: true,
        };
        let parker = Arc::new(Parker::new());
        let ended = Arc::clone(&parker);
        let carried = move || {
            heir.run();
            let _ = ended.unpark();
        };
        // A refusal drops the heir, which is the last one and writes here and now.
        let name = format!("tenter-{}", S::WHAT);
        let started = thread::spawn_named(&name, carried).is_ok();
        if started && parker.park(Some(LAST_WAIT)) == Unparked::TimedOut {
            print(&format!(
                "{} takes nothing: bytes that a write had accepted are still on their way after \
                 {LAST_WAIT:?}, and lost if the process ends before it does",
                self.shared.sink.name()
            ));
        }
    }
}

impl<S: Sink> Drop for Job<S> {
    fn drop(&mut self) {
        if self.over || planted!("behind.an_unrun_job_is_forgotten") {
            return;
        }
        if self.last {
            self.drain();
        } else {
            self.carry_on();
        }
    }
}
