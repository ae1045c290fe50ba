//! What can go wrong: one small type for each way of failing.

use core::error::Error;
use core::fmt;

/// The [`Semaphore`](crate::Semaphore) is closed: nothing is handed out any more.
#[doc(alias = "AcquireError")]
#[doc(alias = "ClosedResourceError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the semaphore was closed")
    }
}

impl Error for Closed {}

/// No permit of a [`Semaphore`](crate::Semaphore) without waiting.
#[doc(alias = "WouldBlock")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryAcquireError {
    /// Too few permits are free, or others wait for them.
    NoPermits,
    /// The semaphore is closed.
    Closed,
}

impl fmt::Display for TryAcquireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryAcquireError::NoPermits => "too few permits are free, or others wait for them",
            TryAcquireError::Closed => "the semaphore was closed",
        })
    }
}

impl Error for TryAcquireError {}

/// More permits were added than the [`Semaphore`](crate::Semaphore) may have. Nothing was added.
///
/// A [`Permit`](crate::Permit) that is dropped comes back by itself, so there is nothing to add for it.
#[doc(alias = "ValueError")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OverRelease;

impl fmt::Display for OverRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "more permits were added than the semaphore may have, so none was: a permit that is \
             dropped comes back by itself, add only what was forgotten",
        )
    }
}

impl Error for OverRelease {}

/// The lock cannot be had without waiting: somebody has it, or waits for it.
#[doc(alias = "WouldBlock")]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TryLockError;

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is taken, or others wait for it")
    }
}

impl Error for TryLockError {}
