//! A lock around data, to be held across `await`: fair, and never poisoned.
//!
//! ```text
//!   lock ── take ──► guard ── drop: release ──► the word
//!     │ held, or kept for another                 │ WAITERS
//!     ▼                                           ▼
//!   line up ──► WaitList, FIFO ◄── wake the front (it stays where it is)
//!     ▲              │
//!     └── held ── look, at each poll ── its turn ──► guard
//! ```
//!
//! The word and its steps are in `state.rs`, how they are taken in `core.rs`, the waiting futures in
//! `locking.rs`, the guards in `guard.rs`, and the one place that reaches the data in `data.rs`.
//!
//! Notify and claim: whoever frees the lock wakes the front of the line and leaves it there. The lock is
//! free, and RESERVED keeps others away from it, until the front is polled and claims it. So a wait that
//! its task has stopped polling never holds the lock: another wait of the same task may overtake it
//! (*futurelock*), because the task is known by its identity.
//!
//! Invariants, besides I1 to I3 of the word:
//! - I4: who holds the lock is one guard. (Or one granted waiter, if an old waker panicked when it was
//!   dropped, until it is polled or dropped.)
//! - I5: a lock that is free while somebody is in line has WOKEN set, after each unlock of the line.
//! - I6: the front has a waker in the list, or it was woken and has not looked since.
//!
//! # No turn is lost
//!
//! One who lines up sets WAITERS in the exchange that finds the lock held (or kept), and is in the list
//! before the line's lock is let go. One who frees it either makes that exchange fail, or finds WAITERS
//! and looks at the line, or finds WOKEN. In the last case the front has been woken, and its look clears
//! WOKEN in an exchange that sees the lock free, or precedes the exchange that frees it, which then finds
//! WOKEN clear. A front that leaves passes its wake on (`leave`).
//!
//! Unfair (BARGING): RESERVED is not set when somebody lines up but when the front was woken and found
//! the lock taken. So it loses at most once.
//!
//! # Futurelock
//!
//! A wait that looks, or arrives, while the lock is free for a wait of its own task takes it. It gets to
//! look because the wake of the front wakes the task. If the waits have wakers of their own, in
//! branches of a combinator that polls only what was woken, the wake of the front takes those of the same
//! task along, up to the size of a [`WakeBatch`](crate::wake_batch::WakeBatch) in all. Limits: more waits
//! than that; a wait that was first polled in another task and not since; and on a foreign executor a
//! task is known by its waker alone, so that two branches with different wakers are two tasks.
//!
//! Rejected: handing the lock to the front when it is freed. A future that nobody polls would hold it.
//! Rejected: keeping the lock in a future whose budget is spent, for its next poll. The same.
//! Rejected: looking for waits of the same task at each turn. It touches every waiter of the line, so it
//! is done only while some wait with a waker that is not its task's (`sync/src/foreign.rs`).
//!
//! # Who holds it
//!
//! Whoever takes the lock notes its task's number beside the word (`sync/src/owner.rs`): a plain store, in
//! the access to the thread's slot that pays the budget. Nobody clears it, since it counts only while
//! the word says LOCKED. While somebody waits it is said to the thread's book as well, if there is one
//! (`sync/src/holders.rs`).
//!
//! Tests: `state.rs`, `sync/tests/lock.rs`, `sync/tests/lock_owner.rs`, `sync/tests/lock_oracle.rs`,
//! `sync/tests/lock_wakers.rs`, `sync/tests/attack_locks.rs`, `sync/tests/models/lock.rs`
//! (stress: `sync/tests/lock.rs`, model: `loom-tests/tests/lock.rs`).

#[expect(unsafe_code, reason = "enlists waiters, and moves them between lists")]
pub(crate) mod core;
#[expect(unsafe_code, reason = "lends the data to who holds the lock")]
mod data;
mod guard;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the futures, and enlists it"
)]
mod locking;
mod state;

use ::core::fmt;
use ::core::num::NonZeroU64;
use std::sync::Arc;

pub use data::MappedLockGuard;
pub use guard::{LockGuard, OwnedLockGuard};
pub use locking::{Locking, LockingOwned};

use self::core::Core;
use crate::block_on::block_on;
use crate::current;
use crate::error::TryLockError;
use crate::name::Name;
use data::Data;

/// Guards data, so that one at a time uses it. It may be held across an `await`.
///
/// [`lock`](Self::lock) waits for its turn and gives a guard; dropping the guard frees the lock. A panic
/// while it is held frees it too and leaves the data as they are: there is no poisoning.
///
/// # Fairness
///
/// A lock made by [`new`](Self::new) goes to those who wait in the order in which they began to. While
/// somebody waits nobody else gets it: not `try_lock`, and not the task that has just freed it. A lock
/// made by [`unfair`](Self::unfair) goes to whoever comes first while it is free, which spares a switch
/// of tasks; a waiting task that was woken and came too late gets it the next time, so it loses at most
/// once.
///
/// Several waits of one task count as one: when the lock is due to a wait that the task does not poll,
/// another wait of the same task takes it. So a task that polls only one of two such futures goes on.
/// (On an executor other than tenter a task is known by its waker.)
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
/// use tenter_sync::Lock;
///
/// static NAMES: Lock<Vec<&str>> = Lock::new(Vec::new()).named("names");
///
/// # block_on(async {
/// NAMES.lock().await.push("Ada");
/// assert_eq!(*NAMES.lock().await, ["Ada"]);
/// # });
/// ```
#[doc(alias = "Mutex")]
pub struct Lock<T: ?Sized> {
    core: Core,
    data: Data<T>,
}

/// What a lock tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LockStats {
    /// The name given by [`Lock::named`].
    pub name: Option<String>,
    /// Whether it is held, or kept for one who waits.
    pub is_locked: bool,
    /// Whether it was made by [`Lock::unfair`].
    pub is_unfair: bool,
    /// The number of the task that took it, while it is held: not necessarily the one that has the
    /// guard now, which may be given away. `None` if it is free, or was taken outside the tasks of tenter:
    /// by a thread, or on another executor.
    ///
    /// A note for diagnoses: while the lock changes hands it may be of the moment before. A guard that
    /// was leaked leaves the number of the task that leaked it.
    pub owner: Option<NonZeroU64>,
    /// How many wait.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl<T> Lock<T> {
    crate::const_fn! {
        /// A lock around `value` that goes to those who wait in their order.
        pub const fn new(value: T) -> Self {
            Self { core: Core::new(0), data: Data::new(value) }
        }
    }

    crate::const_fn! {
        /// A lock around `value` that goes to whoever comes first while it is free. A waiting task that
        /// was woken and came too late gets it the next time.
        ///
        /// It is for short turns that many tasks contend for, where the order does not matter.
        ///
        /// # Examples
        ///
        /// ```
        /// static HITS: tenter_sync::Lock<u64> = tenter_sync::Lock::unfair(0);
        ///
        /// *HITS.blocking_lock() += 1;
        /// assert!(HITS.stats().is_unfair);
        /// ```
        pub const fn unfair(value: T) -> Self {
            Self { core: Core::new(state::BARGING), data: Data::new(value) }
        }
    }

    /// Gives the lock a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.core.name.set_static(name);
        self
    }

    /// Gives the lock a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.core.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// The data, without the lock.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T: ?Sized> Lock<T> {
    /// Takes the lock, waiting for this caller's turn.
    ///
    /// # Fairness
    ///
    /// First come, first served, counted from the first poll; for an [`unfair`](Self::unfair) lock, a
    /// waiter that was woken and came too late is served next.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. A turn that was kept for it goes to the next one.
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
    /// let lock = tenter_sync::Lock::new(1);
    /// {
    ///     let mut number = lock.lock().await;
    ///     *number += 1;
    ///     assert!(lock.is_locked());
    /// }
    /// assert_eq!(lock.into_inner(), 2);
    /// # });
    /// ```
    #[doc(alias = "acquire")]
    #[inline]
    pub fn lock(&self) -> Locking<'_, T> {
        Locking::new(self)
    }

    /// Takes the lock with a guard that keeps it alive. See [`lock`](Self::lock).
    ///
    /// # Cancel safety
    ///
    /// As of [`lock`](Self::lock).
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// use std::sync::Arc;
    ///
    /// let lock = Arc::new(tenter_sync::Lock::new(1));
    /// let owned = Arc::clone(&lock).lock_owned(); // `'static`, so it can be spawned
    /// # let Poll::Ready(mut owned) = pin!(owned).poll(&mut Context::from_waker(Waker::noop())) else { panic!() };
    /// *owned += 1;
    /// assert!(lock.is_locked());
    /// ```
    #[inline]
    pub fn lock_owned(self: Arc<Self>) -> LockingOwned<T> {
        LockingOwned::new(self)
    }

    /// Takes the lock if it is free and not kept for one who waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if not.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::{Lock, TryLockError};
    ///
    /// let lock = Lock::new(1);
    /// let guard = lock.try_lock().unwrap();
    /// assert_eq!(lock.try_lock().err(), Some(TryLockError));
    /// drop(guard);
    /// assert!(lock.try_lock().is_ok());
    /// ```
    #[doc(alias = "acquire_nowait")]
    #[inline]
    pub fn try_lock(&self) -> Result<LockGuard<'_, T>, TryLockError> {
        if self.core.take() {
            self.core.own(current::task_number());
            Ok(LockGuard::new(self))
        } else {
            Err(TryLockError)
        }
    }

    /// Takes the lock with a guard that keeps it alive, if it is free and not kept for one who waits.
    ///
    /// # Errors
    ///
    /// [`TryLockError`] if not.
    #[inline]
    pub fn try_lock_owned(self: Arc<Self>) -> Result<OwnedLockGuard<T>, TryLockError> {
        if self.core.take() {
            self.core.own(current::task_number());
            Ok(OwnedLockGuard::new(self))
        } else {
            Err(TryLockError)
        }
    }

    /// Takes the lock, blocking the thread until it is this caller's turn, in the same line as
    /// [`lock`](Self::lock).
    ///
    /// # Panics
    ///
    /// Inside a task of tenter: it would stop every task of its thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::Lock;
    ///
    /// static SUM: Lock<u32> = Lock::new(0);
    ///
    /// let threads = [1, 2, 3].map(|n| std::thread::spawn(move || *SUM.blocking_lock() += n));
    /// threads.map(|thread| thread.join().unwrap());
    /// assert_eq!(*SUM.blocking_lock(), 6);
    /// ```
    #[track_caller]
    pub fn blocking_lock(&self) -> LockGuard<'_, T> {
        block_on(self.lock())
    }

    /// Takes the lock with a guard that keeps it alive, blocking the thread until it is this caller's
    /// turn.
    ///
    /// # Panics
    ///
    /// As [`blocking_lock`](Self::blocking_lock).
    #[track_caller]
    pub fn blocking_lock_owned(self: Arc<Self>) -> OwnedLockGuard<T> {
        block_on(self.lock_owned())
    }

    /// Whether [`try_lock`](Self::try_lock) would fail at this moment.
    #[doc(alias = "locked")]
    pub fn is_locked(&self) -> bool {
        self.core.is_locked()
    }

    /// The data, without locking: `&mut self` says that nobody else is here.
    pub fn get_mut(&mut self) -> &mut T {
        self.data.get_mut()
    }

    /// Whether it is held, how many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> LockStats {
        let line = self.core.line();
        let (is_locked, owner) = self.core.holder();
        LockStats {
            name: self.core.name.get().map(str::to_owned),
            is_locked,
            is_unfair: self.core.is_barging(),
            owner,
            waiting: line.waiters.len(),
            waiting_max: line.peak,
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.core
    }
}

impl<T: Default> Default for Lock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Lock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: ?Sized + fmt::Debug> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Lock");
        self.core.name.describe(&mut out);
        let held = self.core.holder(); // before this call may take it itself
        match self.try_lock() {
            Ok(guard) => out.field("data", &&*guard),
            Err(TryLockError) => out.field("data", &format_args!("<locked>")),
        };
        if let (_, Some(owner)) = held {
            out.field("owner", &owner);
        }
        // Writing is user code, so the line is let go of before.
        match self.core.try_line().map(|line| line.waiters.len()) {
            Some(waiting) => out.field("waiting", &waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        out.finish()
    }
}

const _: () = {
    const fn send<T: Send + ?Sized>() {}
    const fn send_and_sync<T: Send + Sync + ?Sized>() {}
    /// May be sent, but not shared.
    type Moves = ::core::cell::Cell<u8>;
    send_and_sync::<Lock<Moves>>();
    send_and_sync::<Lock<[Moves]>>();
    send_and_sync::<Locking<'static, Moves>>();
    send_and_sync::<LockingOwned<Moves>>();
    send::<LockGuard<'static, Moves>>();
    send::<OwnedLockGuard<Moves>>();
    send::<MappedLockGuard<'static, Moves>>();
    send_and_sync::<LockGuard<'static, str>>();
    send_and_sync::<OwnedLockGuard<str>>();
    send_and_sync::<MappedLockGuard<'static, str>>();
    send_and_sync::<LockStats>();
};
