//! Async synchronisation primitives for any executor: fair, cancel-safe and model-checked.
//!
//! The primitives wait with nothing but a [`core::task::Waker`], so they work on tenter, on any
//! other executor, and between the two. Threads without an executor use the methods that begin with
//! `blocking_`, and wait in the same line as the tasks. Every protocol in this crate is explored by a
//! model checker in the very source that ships.
//!
//! ```
//! use tenter_sync::{Lock, Queue};
//!
//! static JOBS: Queue<u64> = Queue::bounded(8).named("jobs");
//! static TOTAL: Lock<u64> = Lock::new(0);
//!
//! async fn worker() {
//!     while let Some(job) = JOBS.next_job().await {
//!         *TOTAL.lock().await += *job;
//!     } // each job counts as done when it is dropped
//! }
//!
//! async fn all() -> u64 {
//!     for number in 1..=8 {
//!         JOBS.put(number).await.expect("nobody shuts it down before");
//!     }
//!     JOBS.join().await; // until the workers have done all
//!     JOBS.shutdown(); // and then the workers end
//!     *TOTAL.lock().await
//! }
//! # use std::{pin::pin, task::{Context, Poll, Waker}};
//! # let cx = &mut Context::from_waker(Waker::noop());
//! # let (mut one, mut other) = (pin!(worker()), pin!(all()));
//! # assert!(one.as_mut().poll(cx).is_pending());
//! # assert!(other.as_mut().poll(cx).is_pending());
//! # assert!(one.as_mut().poll(cx).is_pending());
//! # assert_eq!(other.as_mut().poll(cx), Poll::Ready(36));
//! # assert!(one.as_mut().poll(cx).is_ready());
//! ```
//!
//! # Which one
//!
//! | to | use |
//! |---|---|
//! | let one at a time use data, also across an `await` | [`Lock`] |
//! | let many read, or one write | [`RwLock`] |
//! | let at most so many do something | [`Semaphore`]; [`CapacityLimiter`], which knows who |
//! | tell everybody that something has happened | [`Event`] |
//! | tell one, or all, to look again | [`Notify`]; [`Condition`], with data in a [`Lock`] |
//! | let so many meet | [`Barrier`] |
//! | make a value once, when it is first needed | [`OnceCell`] |
//! | hand work to workers, and wait until it is done | [`Queue`], [`LifoQueue`], [`PriorityQueue`] |
//! | hand values on until one side has gone | [`channel::bounded`], [`channel::unbounded`], [`channel::rendezvous`] |
//! | hand over one value | [`oneshot()`] |
//! | hand every value to everybody | [`broadcast()`] |
//! | let everybody see the latest value | [`watch()`] |
//! | await one future in many places | [`Shared`] |
//!
//! # What holds for all
//!
//! - *Fair.* Who waits longest is served first, and whoever comes while others wait is served after
//!   them, also if it does not want to wait (`try_lock`, `try_get` and the like). A wait begins with its
//!   first poll. The exceptions say so: a lock made by [`Lock::unfair`], the next initialiser of a
//!   [`OnceCell`] after one has failed, and who polls the future of a [`Shared`].
//! - *A wait that is dropped did not happen.* It has left the line; and what had been handed to it, a
//!   permit, an item or a notification, has been passed on. What went in with the wait goes with it: the
//!   item of a [`Queue::put`] (unless it is in the queue already), the guard of a [`Condition::wait`]. In
//!   a [`Barrier`] a task that is dropped when its round has begun counts as gone on.
//! - *A wait that is kept, but not polled,* keeps what it was given. So do not keep a polled future while
//!   the task awaits something else for long. In a [`Lock`], [`RwLock`] or [`Semaphore`] at least its own
//!   task may wait there again: the later wait takes what is due to the earlier one.
//! - *No user code under an internal lock.* Wakers, drops, clones and closures run when no lock of this
//!   crate is held. A waker that panics keeps nobody from being woken; the call that woke it panics
//!   after that. What cannot be so says it: closures that change the value of a [`watch()`] in place, and
//!   [`Ord`] in a [`PriorityQueue`].
//! - *No poisoning.* A panic frees what it held, and leaves the data as they are.
//! - *Statics.* `new`, `bounded`, `unbounded` and `unfair` are `const`. Only what has two ends
//!   ([`channel`], [`oneshot()`], [`broadcast()`], [`watch()`]) and [`Shared`] have to be made at run time.
//! - *Names.* A name given by `named` is in `stats` and in `Debug`. Neither ever waits for a task.
//! - *Co-operation.* In a task of tenter, waits that are always ready let others run after
//!   [`PER_POLL`](budget::PER_POLL) of them. On other executors there is no such limit.
//!
//! # If you know asyncio
//!
//! The last column names the tests in `sync/tests`, whose names begin with it.
//!
//! | asyncio | here | test |
//! |---|---|---|
//! | a primitive belongs to the loop in which it first waited, and to its thread | to nobody: it may be a `static`, and shared by threads and executors | `l14` |
//! | anybody may release a lock, and releasing it twice is an error | the guard releases it, once | `l06` |
//! | an `Event` that is set and cleared at once still lets those go who waited | so it does here | `set_then_clear` |
//! | a cancelled `Condition.wait` takes the lock again first, and nothing can cancel that | it does not, for the guard was given away; every wait can be cancelled | `c02`, `c04` |
//! | `Condition.notify` wakes waiters, which then compete for the lock | it moves them to the line of the lock | `c01`, `c17` |
//! | `Condition.wait` and `notify` without the lock are errors | they do not compile: they take a guard | |
//! | `wait_for` returns what the predicate did | the guard too | `c06` |
//! | a waiter that was woken may find that another took the item | the item is its own; if it is dropped, the item goes on, or back to where it was | `q06` |
//! | a `put` that is cancelled has put nothing | so here, but the item is dropped with it; [`Queue::reserve`] gets the place first | `a_slot` |
//! | `shutdown` fails a `put` that waits | the error gives its item back | `q18` |
//! | `maxsize=0` is without limit | [`Queue::unbounded`]; `bounded(0)` panics, and [`channel::rendezvous`] is the channel without room | |
//! | items that cannot be compared corrupt the count of a `PriorityQueue` | they do not compile; an [`Ord`] that panics costs at most the item that is being put | `a_comparison` |
//! | equal priorities come out in any order | in the order in which they were put | `the_heap` |
//! | a forgotten `task_done` hangs `join` | [`Queue::next_job`] gives a job that says so when it is dropped | `q16` |
//! | `task_done` too often raises `ValueError` | it returns [`TooMany`] | `q15` |
//! | `BoundedSemaphore.release` raises `ValueError` | a [`Permit`] cannot be released twice, and [`Semaphore::add_permits`] of one made by [`Semaphore::bounded`] returns [`OverRelease`] | `s06` |
//!
//! As in asyncio, no lock is re-entrant: a task that waits for a lock which it holds waits for ever.
//!
//! # If you know tokio
//!
//! | tokio | here | test |
//! |---|---|---|
//! | two futures of one task wait for one `Mutex`: if the task polls only the second, it is stuck | it goes on; so with [`RwLock`] and [`Semaphore`] | `futurelock` |
//! | the receiver of `mpsc` is one, and is used by `&mut` | both ends of a [`channel`] may be cloned, and any number may take from a [`Queue`], by shared reference | `q07` |
//! | a cancelled `send` drops its value, and `reserve` is the way round it | so with [`Queue::put`] and [`Queue::reserve`] | `a_slot` |
//! | `Semaphore::add_permits` knows no bound | that of one made by [`Semaphore::bounded`] does | `s06` |
//! | a `watch::Ref` keeps `send` waiting | [`send`](watch::Sender::send) does not wait for it; only changes in place do | `a_ref` |
//! | a receiver of `broadcast` clones under a lock that `send` waits for | [`send`](broadcast::Sender::send) never waits | `a_clone_that_blocks` |
//! | no condition variable, no queue with `join`, no priorities, no barrier that can be reset, no limiter with names | [`Condition`], [`Queue`], [`PriorityQueue`], [`Barrier::reset`], [`CapacityLimiter`] | |
#![deny(unsafe_code)]

pub use crate::barrier::{Barrier, BarrierStats, BarrierWait, Broken, Turn};
pub use crate::broadcast::broadcast;
pub use crate::condition::{Condition, ConditionStats, Wait, WaitFor};
pub use crate::error::{Closed, OverRelease, TryAcquireError, TryLockError};
pub use crate::event::{Event, EventStats, EventWait};
pub use crate::limiter::{
    AlreadyBorrowing, Borrower, Borrowing, BorrowingOwned, CapacityLimiter, LimiterStats,
    OwnedToken, Token, TryBorrowError,
};
pub use crate::lock::{
    Lock, LockGuard, LockStats, Locking, LockingOwned, MappedLockGuard, OwnedLockGuard,
};
pub use crate::notify::{Notified, NotifiedOwned, Notify, NotifyStats};
pub use crate::once_cell::{GetOrInit, GetOrTryInit, OnceCell, OnceCellStats, SetError};
pub use crate::oneshot::oneshot;
pub use crate::queue::{
    Get, GetMany, Items, Job, Join, LifoQueue, NextJob, PriorityQueue, Put, PutMany, Queue,
    QueueStats, Reserve, ShutDown, Slot, TooMany, TryGetError, TryPutError, TryReserveError,
};
pub use crate::rwlock::{
    OwnedRwLockMappedWriteGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock,
    RwLockMappedWriteGuard, RwLockRead, RwLockReadGuard, RwLockReadOwned, RwLockStats, RwLockWrite,
    RwLockWriteGuard, RwLockWriteOwned,
};
pub use crate::semaphore::{Acquire, AcquireOwned, OwnedPermit, Permit, Semaphore, SemaphoreStats};
pub use crate::shared::{Shared, SharedStats, SharedWait, WeakShared};
pub use crate::watch::watch;

mod barrier;
mod block_on;
#[doc(hidden)]
pub mod book;
/// What [`broadcast()`] is made of: its two ends, their futures and errors.
///
/// The rest of this page is for those who change it.
pub mod broadcast;
pub mod budget;
pub mod channel;
mod condition;
#[expect(
    unsafe_code,
    reason = "reads the task that a caller further up the stack lends"
)]
#[doc(hidden)]
pub mod current;
mod error;
mod event;
mod foreign;
mod holders;
mod limiter;
mod lock;
mod name;
#[doc(hidden)]
pub mod notes;
mod notify;
#[expect(unsafe_code, reason = "a value that its state word guards")]
mod once_cell;
/// What [`oneshot()`] is made of: its two ends, their futures and errors.
///
/// The rest of this page is for those who change it.
pub mod oneshot;
mod owner;
#[doc(hidden)]
pub mod parker;
#[doc(hidden)]
pub mod queue;
mod rwlock;
mod semaphore;
mod shared;
#[doc(hidden)]
pub mod shim;
#[expect(unsafe_code, reason = "intrusive list; contract in its head")]
#[doc(hidden)]
pub mod wait_list;
#[expect(unsafe_code, reason = "uninitialised places of the batch")]
#[doc(hidden)]
pub mod wake_batch;
#[expect(unsafe_code, reason = "a slot that its state word guards")]
#[doc(hidden)]
pub mod waker_cell;
/// What [`watch()`] is made of: its two ends, their futures and errors.
///
/// The rest of this page is for those who change it.
pub mod watch;
