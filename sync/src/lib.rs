//! Async synchronisation primitives for any executor: fair, cancel-safe and model-checked.
//!
//! The primitives wait with nothing but a [`core::task::Waker`], so they work on tenter, on any
//! other executor, and between the two. Every protocol in this crate is explored by a model checker
//! in the very source that ships.
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
pub use crate::notify::{Notified, Notify, NotifyStats};
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
mod limiter;
mod lock;
mod name;
mod notify;
#[expect(unsafe_code, reason = "a value that its state word guards")]
mod once_cell;
pub mod oneshot;
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
pub mod watch;
