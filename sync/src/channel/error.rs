//! How an operation of a channel fails. What could not be sent comes back.

use core::error::Error;
use core::fmt;

use crate::queue::{self, ShutDown, TryGetError, TryPutError};

/// The channel is closed, or all receivers are gone. It holds the value, which is not in the channel.
///
/// `Debug` does not show the value, so it need not be `Debug` for `unwrap` and `?`, and is not in logs by
/// accident.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
#[doc(alias = "BrokenResourceError")]
pub struct SendError<T>(pub T);

impl<T> SendError<T> {
    /// What was not sent.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> From<ShutDown<T>> for SendError<T> {
    fn from(error: ShutDown<T>) -> Self {
        Self(error.0)
    }
}

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SendError(..)")
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sending on a closed channel")
    }
}

impl<T> Error for SendError<T> {}

/// The value cannot be sent without waiting. It comes back.
///
/// `Debug` does not show it; see [`SendError`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum TrySendError<T> {
    /// There is no room, or others wait for it.
    #[doc(alias = "WouldBlock")]
    Full(T),
    /// The channel is closed, or all receivers are gone.
    Closed(T),
}

impl<T> TrySendError<T> {
    /// What was not sent.
    pub fn into_inner(self) -> T {
        match self {
            TrySendError::Full(value) | TrySendError::Closed(value) => value,
        }
    }

    /// Whether a later attempt may succeed.
    pub fn is_full(&self) -> bool {
        matches!(self, TrySendError::Full(_))
    }

    /// Whether no later attempt can succeed.
    pub fn is_closed(&self) -> bool {
        !self.is_full()
    }
}

impl<T> From<TryPutError<T>> for TrySendError<T> {
    fn from(error: TryPutError<T>) -> Self {
        match error {
            TryPutError::Full(value) => TrySendError::Full(value),
            TryPutError::ShutDown(value) => TrySendError::Closed(value),
        }
    }
}

impl<T> From<SendError<T>> for TrySendError<T> {
    fn from(error: SendError<T>) -> Self {
        TrySendError::Closed(error.0)
    }
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() {
            "Full(..)"
        } else {
            "Closed(..)"
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_full() {
            "the channel is full"
        } else {
            "sending on a closed channel"
        })
    }
}

impl<T> Error for TrySendError<T> {}

/// There is no room that could be reserved without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryReserveError {
    /// There is no room, or others wait for it.
    #[doc(alias = "WouldBlock")]
    Full,
    /// The channel is closed, or all receivers are gone.
    Closed,
}

impl From<queue::TryReserveError> for TryReserveError {
    fn from(error: queue::TryReserveError) -> Self {
        match error {
            queue::TryReserveError::Full => TryReserveError::Full,
            queue::TryReserveError::ShutDown => TryReserveError::Closed,
        }
    }
}

impl fmt::Display for TryReserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryReserveError::Full => "the channel is full",
            TryReserveError::Closed => "sending on a closed channel",
        })
    }
}

impl Error for TryReserveError {}

/// The channel has ended: nothing goes in any more, and everything was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[doc(alias = "EndOfChannel")]
pub struct RecvError;

impl From<ShutDown> for RecvError {
    fn from(_: ShutDown) -> Self {
        Self
    }
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel has ended")
    }
}

impl Error for RecvError {}

/// There is no value that could be had without waiting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TryRecvError {
    /// There is none, or others wait for it.
    #[doc(alias = "WouldBlock")]
    Empty,
    /// The channel has ended: nothing goes in any more, and everything was received.
    #[doc(alias = "Disconnected")]
    Ended,
}

impl From<TryGetError> for TryRecvError {
    fn from(error: TryGetError) -> Self {
        match error {
            TryGetError::Empty => TryRecvError::Empty,
            TryGetError::ShutDown => TryRecvError::Ended,
        }
    }
}

impl From<RecvError> for TryRecvError {
    fn from(_: RecvError) -> Self {
        TryRecvError::Ended
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the channel is empty",
            TryRecvError::Ended => "the channel has ended",
        })
    }
}

impl Error for TryRecvError {}
