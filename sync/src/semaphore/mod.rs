//! A counting semaphore: first come, first served, and one atomic step each way when nobody waits.
//!
//! ```text
//!   acquire ── take ──► Permit ── drop: put ──► the word
//!      │ short                                    │ WAITERS
//!      ▼                                          ▼
//!   line up (lock) ──► waiting, FIFO ◄── call the front while it can be served (lock)
//!                          │
//!                          ▼
//!                       called, with permits ── polled: claim (lock) ──► Permit
//! ```
//!
//! The word and its steps are in `state.rs`, how permits go out and come home in `line.rs`, the waiting
//! futures in `acquire.rs`, the owned and blocking forms in `owned.rs`.
//!
//! Invariants, besides I1 and I2 of the word:
//! - I3: free permits, permits in `Permit`s and permits of called waiters have a constant sum, but
//!   for `add_permits`, `forget`, `forget_permits` and what is leaked.
//! - I4: after each unlock the front of the line cannot be served from the free permits, or whoever
//!   unlocked is about to lock again.
//! - I5: of a bounded semaphore, I3's sum is `total`, and `total <= bound`.
//!
//! # No permit is left lying while somebody waits
//!
//! A waiter sets WAITERS in the exchange that finds too few permits, and a permit comes home either in
//! an exchange on the same word that finds WAITERS clear, or under the lock. In the first case the
//! waiter's exchange fails and sees the permit. In the second the waiter is in the list, because it
//! held the lock from before its exchange, or has left it, and then the permit goes to the word.
//! `add_permits` and `close` change the word first; if they find WAITERS, they look at the line after.
//!
//! What was done under a permit is visible to the next one to get it: `put` releases and `take`
//! acquires, or else the line's lock does.
//!
//! # Futurelock
//!
//! A called waiter has its permits, but its task may have stopped polling it, and wait with another
//! future instead. That one finds it among the called, by the identity of the task, and the two change
//! places: the permits go to the future that is polled, what is too many goes to the line, and the called
//! one waits where the other did, with its waker. So nobody else's place changes. The wake of a called one
//! takes along those of its task that it might not reach: if somebody in line has a waker that is not its
//! task's own, or if the called one was woken before and has not looked since.
//!
//! Limits: a request does not take the turn of a smaller one of its task; one that is more than
//! `KIN_DEPTH` called ones, or places in line, away is not found; and on a foreign executor a task is
//! known by its waker alone, so that two branches with different wakers are two tasks.
//!
//! Rejected: putting the permits of a called waiter into its node, for it to take without the lock. Nobody
//! could take them back from a future that is not polled.
//! Rejected: waking the front and letting it claim free permits, as `Lock` does. With several permits the
//! ones behind it would have to wait for its poll.
//!
//! Rejected: `fetch_add` to put permits back. It cannot stop at the maximum.
//! Rejected: handing the front waiter its permits one by one as they come. What it has hoarded would
//! have to be taken back when it leaves; free permits behind WAITERS are as safe from others.
//! Rejected: counting a bounded semaphore's bound against the free permits alone. Adding three while
//! three are out would be noticed only when they come back, in a `Drop`.
//!
//! Tests: `state.rs`, `sync/tests/semaphore.rs`, `sync/tests/semaphore_kin.rs`,
//! `sync/tests/semaphore_oracle.rs`, `sync/tests/cancel.rs`,
//! `sync/tests/hostile_wakers.rs`, `sync/tests/models/semaphore.rs` (stress: `sync/tests/stress.rs`,
//! model: `loom-tests/tests/semaphore.rs`).

#[expect(
    unsafe_code,
    reason = "pins the waiter inside the futures, and enlists it"
)]
mod acquire;
mod line;
mod owned;
mod permit;
mod state;

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use acquire::{Acquire, AcquireOwned};
pub use permit::{OwnedPermit, Permit};

use crate::error::{OverRelease, TryAcquireError};
use crate::name::Name;
use crate::planted;
use crate::shim::Mutex;
use crate::shim::atomic::{AtomicUsize, Ordering};
use line::Line;
use state::{MAX_PERMITS, Take};

/// Limits how many may do something at once.
///
/// A semaphore holds a number of permits. [`acquire`](Self::acquire) takes one, waiting until one is
/// free, and dropping the [`Permit`] puts it back.
///
/// # Fairness
///
/// Permits go to those who wait in the order in which they began to. While somebody waits nobody
/// else gets one: not `try_acquire`, not a later and smaller request, and not the task that has just
/// put one back. So a large request is served too, as soon as enough permits have come together. A
/// permit handed to a waiting task is reserved for it until it runs.
///
/// Several waits of one task count as one: when permits are due to a wait that the task does not poll,
/// another wait of the same task, for no more permits, takes them. So a task that polls only one of two
/// such futures goes on. (On an executor other than tenter a task is known by its waker.)
///
/// # Examples
///
/// ```
/// use tenter_sync::Semaphore;
///
/// static CONNECTIONS: Semaphore = Semaphore::new(2).named("connections");
///
/// let first = CONNECTIONS.try_acquire().unwrap();
/// let second = CONNECTIONS.try_acquire().unwrap();
/// assert!(CONNECTIONS.try_acquire().is_err());
/// drop(first);
/// assert_eq!(CONNECTIONS.available(), 1);
/// # drop(second);
/// ```
#[doc(alias = "BoundedSemaphore")]
pub struct Semaphore {
    word: AtomicUsize,
    /// The most permits that a bounded semaphore may have.
    bound: Option<usize>,
    line: Mutex<Line>,
    name: Name,
}

/// What a semaphore tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SemaphoreStats {
    /// The name given by [`Semaphore::named`].
    pub name: Option<String>,
    /// Free permits. While somebody waits they are kept for the front of the line.
    pub available: usize,
    /// The most permits that it may have, if it is bounded.
    pub bound: Option<usize>,
    /// How many requests wait.
    pub waiting: usize,
    /// The most requests that ever waited at once.
    pub waiting_max: usize,
    /// Whether it is closed.
    pub is_closed: bool,
}

impl Semaphore {
    /// The most permits that a semaphore can have.
    pub const MAX_PERMITS: usize = MAX_PERMITS;

    crate::const_fn! {
        /// A semaphore with `permits` permits.
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        pub const fn new(permits: usize) -> Self {
            Self::with_bound(permits, None)
        }
    }

    crate::const_fn! {
        /// A semaphore with `permits` permits that can never have more: adding to them is an error
        /// until some have been forgotten.
        ///
        /// # Panics
        ///
        /// If there are more than [`MAX_PERMITS`](Self::MAX_PERMITS).
        #[doc(alias = "BoundedSemaphore")]
        pub const fn bounded(permits: usize) -> Self {
            Self::with_bound(permits, Some(permits))
        }
    }

    crate::const_fn! {
        const fn with_bound(permits: usize, bound: Option<usize>) -> Self {
            assert!(permits <= MAX_PERMITS, "a semaphore holds at most usize::MAX / 8 permits");
            Self {
                word: AtomicUsize::new(permits * state::ONE),
                bound,
                line: Mutex::new(Line::new(permits)),
                name: Name::None,
            }
        }
    }

    /// Gives the semaphore a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name.set_static(name);
        self
    }

    /// Gives the semaphore a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// Takes one permit, waiting until it is this caller's turn and one is free.
    ///
    /// # Fairness
    ///
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. A permit already reserved for it goes to the next one.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::Closed) if the semaphore is closed, before or while waiting.
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
    /// let semaphore = tenter_sync::Semaphore::new(1);
    /// {
    ///     let _permit = semaphore.acquire().await?;
    ///     assert_eq!(semaphore.available(), 0);
    /// }
    /// assert_eq!(semaphore.available(), 1);
    /// # Ok::<(), tenter_sync::Closed>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn acquire(&self) -> Acquire<'_> {
        Acquire::new(self, 1)
    }

    /// Takes `count` permits at once, as [`acquire`](Self::acquire).
    ///
    /// The request waits as one: it gets nothing until it gets all, and smaller requests behind it
    /// wait for it. A request for none waits for its turn too.
    ///
    /// # Cancel safety
    ///
    /// As of [`acquire`](Self::acquire). What was reserved for it goes on as a whole.
    ///
    /// # Errors
    ///
    /// [`Closed`](crate::Closed) if the semaphore is closed, before or while waiting.
    ///
    /// # Panics
    ///
    /// If the semaphore could never have that many: more than the bound of a
    /// [`bounded`](Self::bounded) one, or than [`MAX_PERMITS`](Self::MAX_PERMITS).
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
    /// let memory = tenter_sync::Semaphore::new(1024);
    /// let chunk = memory.acquire_many(256).await?;
    /// assert_eq!((chunk.count(), memory.available()), (256, 768));
    /// # Ok::<(), tenter_sync::Closed>(())
    /// # }).unwrap();
    /// ```
    #[track_caller]
    #[inline]
    pub fn acquire_many(&self, count: usize) -> Acquire<'_> {
        self.assert_possible(count);
        Acquire::new(self, count)
    }

    /// Takes one permit if one is free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] if not, or if the semaphore is closed.
    #[inline]
    pub fn try_acquire(&self) -> Result<Permit<'_>, TryAcquireError> {
        self.try_acquire_many(1)
    }

    /// Takes `count` permits if so many are free and nobody waits.
    ///
    /// # Errors
    ///
    /// [`TryAcquireError`] if not, or if the semaphore is closed.
    #[inline]
    pub fn try_acquire_many(&self, count: usize) -> Result<Permit<'_>, TryAcquireError> {
        self.take(count)?;
        Ok(Permit::new(self, count))
    }

    /// Adds `count` new permits and hands them to those who wait.
    ///
    /// # Errors
    ///
    /// [`OverRelease`] if a bounded semaphore would then have more than its bound, counting those
    /// that are taken, or if more than [`MAX_PERMITS`](Self::MAX_PERMITS) would be free. Nothing is
    /// added then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{OverRelease, Semaphore};
    ///
    /// assert_eq!(Semaphore::new(1).add_permits(1), Ok(()));
    /// assert_eq!(Semaphore::bounded(1).add_permits(1), Err(OverRelease));
    /// ```
    #[doc(alias = "release")]
    pub fn add_permits(&self, count: usize) -> Result<(), OverRelease> {
        if let Some(bound) = self.bound {
            let mut line = self.line.lock();
            if count > bound - line.total {
                return Err(OverRelease);
            }
            line.total += count; // I5; so the sum below fits too
        }
        let seen = self
            .update(|word| state::add(word, count))
            .ok_or(OverRelease)?;
        if seen & state::WAITERS != 0 {
            self.serve_line(0);
        }
        Ok(())
    }

    /// Takes up to `count` free permits out of circulation, and says how many those were. It never
    /// waits; permits that are out stay good.
    ///
    /// Free permits that the front of the line is waiting to see completed are taken too. A bounded
    /// semaphore may be given as many new ones.
    ///
    /// # Examples
    ///
    /// ```
    /// let semaphore = tenter_sync::Semaphore::new(3);
    /// let _permit = semaphore.try_acquire().unwrap();
    /// assert_eq!(semaphore.forget_permits(5), 2);
    /// assert_eq!(semaphore.available(), 0);
    /// ```
    #[doc(alias = "drain_permits")]
    pub fn forget_permits(&self, count: usize) -> usize {
        let mut line = self.line.lock(); // I2
        let seen = self.update(|word| Some(state::forget(word, count)));
        let forgotten = seen.map_or(0, |word| state::permits(word).min(count));
        if self.bound.is_some() {
            line.total -= forgotten; // I5
        }
        forgotten
    }

    /// Closes the semaphore: nothing is handed out any more, and everyone who waits gets
    /// [`Closed`](crate::Closed). Permits that are out, or reserved for a woken waiter, stay good.
    ///
    /// Closing again does nothing. A closed semaphore cannot be opened.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{Semaphore, TryAcquireError};
    ///
    /// let semaphore = Semaphore::new(1);
    /// semaphore.close();
    /// assert_eq!(semaphore.try_acquire().err(), Some(TryAcquireError::Closed));
    /// ```
    pub fn close(&self) {
        let seen = self.update(|word| Some(word | state::CLOSED));
        if seen.is_some_and(|word| word & state::WAITERS != 0)
            && !planted!("semaphore.close_without_serving")
        {
            self.serve_line(0);
        }
    }

    /// Whether [`close`](Self::close) has been called.
    pub fn is_closed(&self) -> bool {
        // ORDERING: Acquire: what the one who closed did before is visible.
        self.word.load(Ordering::Acquire) & state::CLOSED != 0
    }

    /// Free permits, at this moment. While somebody waits they are kept for the front of the line,
    /// so `try_acquire` can fail although some are free.
    #[doc(alias = "available_permits")]
    pub fn available(&self) -> usize {
        // ORDERING: Relaxed. A number that is out of date when it arrives.
        state::permits(self.word.load(Ordering::Relaxed))
    }

    /// Whether [`try_acquire`](Self::try_acquire) would fail at this moment.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        // ORDERING: Relaxed. An answer that is out of date when it arrives.
        !matches!(
            state::take(self.word.load(Ordering::Relaxed), 1),
            Take::Taken(_)
        )
    }

    /// How many wait, how many are free, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> SemaphoreStats {
        let line = self.line.lock();
        SemaphoreStats {
            name: self.name.get().map(str::to_owned),
            available: self.available(),
            bound: self.bound,
            waiting: line.waiters.len(),
            waiting_max: line.peak,
            is_closed: self.is_closed(),
        }
    }

    #[track_caller]
    #[inline]
    fn assert_possible(&self, count: usize) {
        let most = self.bound.unwrap_or(MAX_PERMITS);
        assert!(
            count <= most,
            "a request for {count} permits would wait for ever: this semaphore can have {most}"
        );
    }
}

impl fmt::Debug for Semaphore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Semaphore");
        self.name.describe(&mut out);
        out.field("available", &self.available());
        // Writing is user code, so the line is let go of before.
        match self.line.try_lock().map(|line| line.waiters.len()) {
            Some(waiting) => out.field("waiting", &waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        out.field("is_closed", &self.is_closed()).finish()
    }
}

/// A panic while a permit is out leaves the semaphore whole: the permit comes back by unwinding.
impl UnwindSafe for Semaphore {}
impl RefUnwindSafe for Semaphore {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Semaphore>();
    send_and_sync::<Permit<'static>>();
    send_and_sync::<OwnedPermit>();
    send_and_sync::<Acquire<'static>>();
    send_and_sync::<AcquireOwned>();
    send_and_sync::<SemaphoreStats>();
};
