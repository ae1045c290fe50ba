//! A read-write lock: first come, first served, and one atomic step each way when nobody waits.
//!
//! ```text
//!   read, write ── take ──► guard ── drop: put ──► the word
//!      │ others have it                              │ WAITERS, and nobody has it any more
//!      ▼                                             ▼
//!   line up ──► waiting, FIFO ── call_some ──► called ── poll: take ──► guard
//!                               (lock; one writer, or a run of readers)
//! ```
//!
//! The word and its steps are in `state.rs`; `line.rs` takes, puts back and calls; `wait.rs` is one
//! wait, `future.rs` the futures around it; `data.rs` opens the data, `guard.rs` is what users hold.
//!
//! Invariants, besides I1 to I3 of the word:
//! - I4: `called` holds one writer, or only readers. All in it came before all in `waiting`, but for
//!   what a task gives up itself.
//! - I5: there is room for each in `called`, until it has come or left.
//! - I6: after each unlock of the line the front of `waiting` may not be called, or whoever makes that
//!   true is about to lock again.
//!
//! # Nobody waits for nothing
//!
//! A waiter sets WAITERS in the exchange that finds the lock taken, so the last holder to put its
//! share back sees WAITERS, and calls after that. It finds the waiter, which held the line's lock from
//! before its exchange. While WAITERS is set, the lock is taken only by the called and by readers that
//! join them when nobody waits behind (I2): so there is room for a called writer until it comes (I5).
//! All that can end I6 from inside calls before it unlocks: a waiter that leaves, and one that loses
//! its turn.
//!
//! # A task that polls only one of its futures
//!
//! The called are not given the lock; they come and take it. A task may have been called for a future
//! that it does not poll now, and wait with another one. That other one lets the call pass for one
//! poll, so that the called future takes its turn if the task polls it at all; then it has the called
//! one dismissed, and takes the lock in its place if there is room for it. The dismissed one lines up
//! again when it is polled. (Outside tenter a task is known by its waker, whose address may be used
//! again once it is woken and freed: the worst that comes of it is such a dismissal.) A call also wakes those of the same task that wait with other wakers, among
//! the first `KIN_DEPTH` behind it: they may be the branch of a combinator that is still polled. What
//! is taken while the budget is spent goes back and is called again, for the same reason.
//!
//! Rejected: giving the lock to the front of the line. A share that was given cannot be had back from a
//! future that nobody polls, and everybody waits for it.
//! Rejected: `fetch_add` to enter as a reader. It has to be taken back when a writer is inside, and
//! until then it keeps the next writer out.
//! Rejected: letting new readers in while only readers wait to be called. It starves the writer that
//! they keep from being called.
//!
//! The writer notes its task's number beside the word, as the owner of a [`Lock`](crate::Lock) does.
//!
//! Tests: `state.rs`, below, `sync/tests/rwlock.rs`, `sync/tests/lock_owner.rs`,
//! `sync/tests/rwlock_drops.rs`, `sync/tests/rwlock_oracle.rs`, `sync/tests/models/rwlock.rs` (stress:
//! `sync/tests/stress.rs`, model: `loom-tests/tests/rwlock.rs`).

#[expect(unsafe_code, reason = "opens the data to whoever holds a share")]
mod data;
#[expect(unsafe_code, reason = "pins the wait inside the futures")]
mod future;
mod guard;
mod line;
mod state;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the wait, and enlists it"
)]
mod wait;

use core::fmt;
use core::num::NonZeroU64;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

pub use future::{RwLockRead, RwLockReadOwned, RwLockWrite, RwLockWriteOwned};
pub use guard::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard,
    RwLockMappedWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};

use crate::block_on::block_on;
use crate::error::TryLockError;
use crate::name::Name;
use crate::shim::UnsafeCell;
use crate::shim::atomic::Ordering;
use line::Raw;
use state::WRITER;

/// Guards data that many may read at once, and one alone may write.
///
/// # Fairness
///
/// First come, first served, counted from the first poll. While somebody waits nobody else gets in:
/// readers that come after a writer wait behind it, so writers are not starved; when it is done, all
/// readers up to the next writer go in together, so readers are not either. Who reads already and
/// asks to read again waits behind a writer in between, for ever if it keeps the first guard: read
/// once, and pass the guard on.
///
/// A future that is not polled when its turn has come gives the turn to another future of the same
/// task that is, so a task that polls only one of two futures for one lock goes on. On tenter a task is
/// known by itself, elsewhere by its waker. If the two wait with different wakers (in two branches of
/// a combinator that polls only what was woken) they must be tenter's, and no more than 16 places
/// apart.
///
/// # Panics of others
///
/// There is no poisoning: a guard that is dropped by a panic puts the lock back.
///
/// # Examples
///
/// ```
/// use tenter_sync::RwLock;
///
/// static ROUTES: RwLock<Vec<&str>> = RwLock::new(Vec::new()).named("routes");
///
/// ROUTES.try_write().unwrap().push("/");
/// let (one, another) = (ROUTES.try_read().unwrap(), ROUTES.try_read().unwrap());
/// assert_eq!((one.len(), another.len()), (1, 1));
/// assert!(ROUTES.try_write().is_err());
/// ```
#[doc(alias = "RWLock")]
pub struct RwLock<T: ?Sized> {
    raw: Raw,
    data: UnsafeCell<T>,
}

/// What an [`RwLock`] tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RwLockStats {
    /// The name given by [`RwLock::named`].
    pub name: Option<String>,
    /// How many read guards are out.
    pub readers: usize,
    /// Whether a write guard is out.
    pub is_write_locked: bool,
    /// The number of the task that took the write guard, while that is out: not necessarily the one that
    /// has it now, since it may be given away. `None` if nobody writes, or the lock was taken outside the
    /// tasks of tenter: by a thread, or on another executor. Readers are counted, not named.
    ///
    /// A note for diagnoses: while the lock changes hands it may be of the moment before. A guard that
    /// was leaked leaves the number of the task that leaked it.
    pub writer: Option<NonZeroU64>,
    /// How many wait.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl<T> RwLock<T> {
    crate::const_fn! {
        /// A lock that guards `value`.
        pub const fn new(value: T) -> Self {
            Self {
                raw: Raw::new(),
                data: UnsafeCell::new(value),
            }
        }
    }

    /// Gives the lock a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.raw.name.set_static(name);
        self
    }

    /// Gives the lock a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.raw.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// The data, without the lock.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> RwLock<T> {
    /// The most readers at once.
    pub const MAX_READERS: usize = state::MAX_READERS;

    /// Waits to read.
    ///
    /// # Fairness
    ///
    /// Behind everyone who came before and could not go in with it: see [`RwLock`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; a turn that had come goes to the next one.
    ///
    /// # Panics
    ///
    /// The future panics if [`MAX_READERS`](Self::MAX_READERS) have the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # fn block_on<F: Future>(f: F) -> F::Output {
    /// #     let mut f = pin!(f);
    /// #     loop {
    /// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
    /// #     }
    /// # }
    /// # block_on(async {
    /// let lock = tenter_sync::RwLock::new(1);
    /// *lock.write().await += 1;
    /// assert_eq!(*lock.read().await, 2);
    /// # });
    /// ```
    #[inline]
    pub fn read(&self) -> RwLockRead<'_, T> {
        RwLockRead::new(self)
    }

    /// Waits to write.
    ///
    /// # Fairness
    ///
    /// Behind everyone who came before: see [`RwLock`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and lets the readers behind it in; a turn that had come
    /// goes to the next one.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// # fn block_on<F: Future>(f: F) -> F::Output {
    /// #     let mut f = pin!(f);
    /// #     loop {
    /// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
    /// #     }
    /// # }
    /// # block_on(async {
    /// let lock = tenter_sync::RwLock::new(vec![1]);
    /// {
    ///     let mut numbers = lock.write().await;
    ///     numbers.push(2);
    ///     assert!(lock.is_write_locked());
    /// }
    /// assert_eq!(*lock.read().await, [1, 2]);
    /// # });
    /// ```
    #[inline]
    pub fn write(&self) -> RwLockWrite<'_, T> {
        RwLockWrite::new(self)
    }

    /// Waits to read, with a guard that keeps the lock alive. See [`read`](Self::read).
    ///
    /// # Cancel safety
    ///
    /// As of [`read`](Self::read).
    ///
    /// # Panics
    ///
    /// As of [`read`](Self::read).
    #[inline]
    pub fn read_owned(self: Arc<Self>) -> RwLockReadOwned<T> {
        RwLockReadOwned::new(self)
    }

    /// Waits to write, with a guard that keeps the lock alive. See [`write`](Self::write).
    ///
    /// # Cancel safety
    ///
    /// As of [`write`](Self::write).
    #[inline]
    pub fn write_owned(self: Arc<Self>) -> RwLockWriteOwned<T> {
        RwLockWriteOwned::new(self)
    }

    /// Reads, if nobody writes and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody does.
    ///
    /// # Panics
    ///
    /// If [`MAX_READERS`](Self::MAX_READERS) have the lock.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{RwLock, TryLockError};
    ///
    /// let lock = RwLock::new(1);
    /// let reader = lock.try_read().unwrap();
    /// assert!(lock.try_read().is_ok());
    /// assert_eq!(lock.try_write().err(), Some(TryLockError));
    /// # drop(reader);
    /// ```
    #[track_caller]
    #[inline]
    pub fn try_read(&self) -> Result<RwLockReadGuard<'_, T>, TryLockError> {
        self.take_shared().map(RwLockReadGuard).ok_or(TryLockError)
    }

    /// Writes, if nobody has the lock and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody does.
    #[inline]
    pub fn try_write(&self) -> Result<RwLockWriteGuard<'_, T>, TryLockError> {
        self.take_sole().map(RwLockWriteGuard).ok_or(TryLockError)
    }

    /// [`try_read`](Self::try_read), with a guard that keeps the lock alive.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody writes or waits.
    ///
    /// # Panics
    ///
    /// If [`MAX_READERS`](Self::MAX_READERS) have the lock.
    #[track_caller]
    pub fn try_read_owned(self: Arc<Self>) -> Result<OwnedRwLockReadGuard<T>, TryLockError> {
        self.take_shared_owned()
            .map(OwnedRwLockReadGuard)
            .ok_or(TryLockError)
    }

    /// [`try_write`](Self::try_write), with a guard that keeps the lock alive.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if somebody has the lock or waits.
    pub fn try_write_owned(self: Arc<Self>) -> Result<OwnedRwLockWriteGuard<T>, TryLockError> {
        self.take_sole_owned()
            .map(OwnedRwLockWriteGuard)
            .ok_or(TryLockError)
    }

    /// Reads, parking the calling thread until it may. It waits in the same line as the tasks.
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread; and
    /// if [`MAX_READERS`](Self::MAX_READERS) have the lock.
    #[track_caller]
    pub fn blocking_read(&self) -> RwLockReadGuard<'_, T> {
        block_on(self.read())
    }

    /// Writes, parking the calling thread until it may. It waits in the same line as the tasks.
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// let lock = tenter_sync::RwLock::new(1);
    /// *lock.blocking_write() += 1;
    /// assert_eq!(*lock.blocking_read(), 2);
    /// ```
    #[track_caller]
    pub fn blocking_write(&self) -> RwLockWriteGuard<'_, T> {
        block_on(self.write())
    }

    /// The data, without waiting: `&mut self` is the proof that nobody else has it.
    pub fn get_mut(&mut self) -> &mut T {
        self.data_mut()
    }

    /// Whether [`try_write`](Self::try_write) would fail at this moment.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.peek() != 0
    }

    /// Whether a write guard is out at this moment.
    pub fn is_write_locked(&self) -> bool {
        self.peek() & WRITER != 0
    }

    /// How many read guards are out at this moment.
    pub fn readers(&self) -> usize {
        state::readers(self.peek())
    }

    /// How many wait, how many read, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> RwLockStats {
        let line = self.raw.line.lock();
        let word = self.peek();
        RwLockStats {
            name: self.raw.name.get().map(str::to_owned),
            readers: state::readers(word),
            is_write_locked: word & WRITER != 0,
            writer: self.raw.writer(word),
            waiting: line.len(),
            waiting_max: line.peak,
        }
    }

    fn peek(&self) -> usize {
        // ORDERING: Relaxed. An answer that is out of date when it arrives.
        self.raw.word.load(Ordering::Relaxed)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

/// Shows the data if it can be read at once.
impl<T: ?Sized + fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("RwLock");
        self.raw.name.describe(&mut out);
        let word = self.peek();
        out.field("readers", &state::readers(word));
        if let Some(writer) = self.raw.writer(word) {
            out.field("writer", &writer);
        }
        match self.raw.line.try_lock().map(|line| line.len()) {
            Some(waiting) => out.field("waiting", &waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        // Far below the most, so that counting this one too cannot panic.
        let few = self.readers() < state::MAX_READERS / 2;
        match few.then(|| self.try_read()) {
            Some(Ok(data)) => out.field("data", &&*data),
            Some(Err(TryLockError)) | None => out.field("data", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// A panic while a guard is out leaves the lock whole: the share comes back by unwinding. Whether the
/// data is whole is for its users to say, as for a lock without poisoning.
impl<T: ?Sized> UnwindSafe for RwLock<T> {}
impl<T: ?Sized> RefUnwindSafe for RwLock<T> {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<RwLock<u8>>();
    send_and_sync::<RwLockRead<'static, u8>>();
    send_and_sync::<RwLockWrite<'static, u8>>();
    send_and_sync::<RwLockReadOwned<u8>>();
    send_and_sync::<RwLockWriteOwned<u8>>();
    send_and_sync::<RwLockReadGuard<'static, u8>>();
    send_and_sync::<RwLockWriteGuard<'static, u8>>();
    send_and_sync::<RwLockMappedWriteGuard<'static, u8>>();
    send_and_sync::<OwnedRwLockReadGuard<u8>>();
    send_and_sync::<OwnedRwLockWriteGuard<u8>>();
    send_and_sync::<OwnedRwLockMappedWriteGuard<u8, u8>>();
    send_and_sync::<RwLockStats>();
    const fn send<T: Send>() {}
    send::<RwLock<core::cell::Cell<u8>>>();
};

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Wake, Waker};

    struct Other;

    impl Wake for Other {
        fn wake(self: Arc<Self>) {}
    }

    fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(waker))
    }

    fn message(panicked: Box<dyn std::any::Any + Send>) -> String {
        *panicked.downcast::<String>().expect("a formatted message")
    }

    /// Goal: one reader too many is refused wherever it would be counted, and the lock stays whole.
    /// Method: the word is set to as many readers as there can be, as leaked guards would leave it.
    #[test]
    fn one_reader_too_many_panics_and_leaves_the_lock_whole() {
        let lock = RwLock::new(());
        let full = state::MAX_READERS * state::ONE;
        lock.raw.word.store(full, Ordering::Relaxed);
        let refused = catch_unwind(AssertUnwindSafe(|| drop(lock.try_read())));
        assert!(message(refused.unwrap_err()).contains("counts at most"));
        let refused = catch_unwind(AssertUnwindSafe(|| {
            drop(poll(pin!(lock.read()), Waker::noop()));
        }));
        assert!(message(refused.unwrap_err()).contains("counts at most"));
        assert_eq!(lock.readers(), state::MAX_READERS);
        assert!(lock.try_write().is_err());
        assert!(format!("{lock:?}").contains("<locked>"));
        lock.raw.word.store(0, Ordering::Relaxed);
        assert!(lock.try_write().is_ok() && lock.stats().waiting == 0);
    }

    /// Goal: the same for a reader that has been called when the count is reached.
    #[test]
    fn a_called_reader_too_many_panics_and_leaves_the_line() {
        let lock = RwLock::new(());
        let other = Waker::from(Arc::new(Other));
        let writer = lock.try_write().unwrap();
        let mut reader = Box::pin(lock.read());
        assert!(poll(reader.as_mut(), &other).is_pending());
        drop(writer);
        let full = state::MAX_READERS * state::ONE;
        lock.raw.word.fetch_add(full, Ordering::Relaxed);
        let refused = catch_unwind(AssertUnwindSafe(|| drop(poll(reader.as_mut(), &other))));
        assert!(message(refused.unwrap_err()).contains("counts at most"));
        drop(reader);
        assert_eq!(lock.stats().waiting, 0);
        lock.raw.word.fetch_sub(full, Ordering::Relaxed);
        assert!(!lock.is_locked());
    }
}
