//! How an operation of a queue fails. What could not be put comes back.

use core::error::Error;
use core::fmt;

/// The queue was shut down. Of a put it holds the value, which is not in the queue.
///
/// `Debug` does not show the value, so it need not be `Debug` for `unwrap` and `?`, and is not in logs by
/// accident.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[doc(alias = "QueueShutDown")]
pub struct ShutDown<T = ()>(pub T);

impl<T> ShutDown<T> {
    /// What was not put.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for ShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShutDown(..)")
    }
}

impl<T> fmt::Display for ShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue was shut down")
    }
}

impl<T> Error for ShutDown<T> {}

/// The value cannot be put without waiting. It comes back.
///
/// `Debug` does not show it; see [`ShutDown`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum TryPutError<T> {
    /// There is no room, or others wait for it.
    #[doc(alias = "QueueFull")]
    Full(T),
    /// The queue was shut down.
    ShutDown(T),
}

impl<T> TryPutError<T> {
    /// What was not put.
    pub fn into_inner(self) -> T {
        match self {
            TryPutError::Full(value) | TryPutError::ShutDown(value) => value,
        }
    }

    /// Whether a later attempt may succeed.
    pub fn is_full(&self) -> bool {
        matches!(self, TryPutError::Full(_))
    }
}

impl<T> fmt::Debug for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() {
            "Full(..)"
        } else {
            "ShutDown(..)"
        })
    }
}

impl<T> fmt::Display for TryPutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() {
            "the queue is full"
        } else {
            "the queue was shut down"
        })
    }
}

impl<T> Error for TryPutError<T> {}

/// There is no room that could be reserved without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryReserveError {
    /// There is no room, or others wait for it.
    Full,
    /// The queue was shut down.
    ShutDown,
}

impl fmt::Display for TryReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryReserveError::Full => "the queue is full",
            TryReserveError::ShutDown => "the queue was shut down",
        })
    }
}

impl Error for TryReserveError {}

/// There is no item that could be had without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryGetError {
    /// There is none, or others wait for it.
    #[doc(alias = "QueueEmpty")]
    Empty,
    /// The queue was shut down, and there is none left.
    ShutDown,
}

impl fmt::Display for TryGetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryGetError::Empty => "the queue is empty",
            TryGetError::ShutDown => "the queue was shut down",
        })
    }
}

impl Error for TryGetError {}

/// [`task_done`](crate::Queue::task_done) was called more often than items were put. Nothing was counted.
///
/// Call it once for each item that was taken out, and never beside [`next_job`](crate::Queue::next_job),
/// whose jobs count themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TooMany;

impl fmt::Display for TooMany {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "task_done was called more often than items were put: call it once for each item, and \
             not beside next_job, whose jobs count themselves",
        )
    }
}

impl Error for TooMany {}
