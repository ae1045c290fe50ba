//! What can go wrong: one small type for each way of failing.

use core::error::Error;
use core::fmt;

/// The primitive is closed: nothing is handed out any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("closed")
    }
}

impl Error for Closed {}

/// No permit without waiting.
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
            TryAcquireError::NoPermits => "no permits available",
            TryAcquireError::Closed => "semaphore closed",
        })
    }
}

impl Error for TryAcquireError {}

/// More permits were added than the semaphore may have. Nothing was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OverRelease;

impl fmt::Display for OverRelease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("more permits than the semaphore may have")
    }
}

impl Error for OverRelease {}

/// The lock cannot be had without waiting: somebody has it, or waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TryLockError;

impl fmt::Display for TryLockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the lock is taken, or others wait for it")
    }
}

impl Error for TryLockError {}
