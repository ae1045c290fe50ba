//! The error of `OnceCell::set`, which gives the value back.

use core::error::Error;
use core::fmt;

/// A value was not taken by [`OnceCell::set`](super::OnceCell::set).
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetError<T> {
    /// There is a value already. This is the refused one.
    AlreadySet(T),
    /// An initialiser has begun and not ended. This is the refused value.
    Initializing(T),
}

impl<T> SetError<T> {
    /// The value that was refused.
    pub fn into_inner(self) -> T {
        match self {
            SetError::AlreadySet(value) | SetError::Initializing(value) => value,
        }
    }
}

impl<T> fmt::Debug for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadySet(_) => "AlreadySet(..)",
            SetError::Initializing(_) => "Initializing(..)",
        })
    }
}

impl<T> fmt::Display for SetError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SetError::AlreadySet(_) => "the cell is set already",
            SetError::Initializing(_) => "the cell is being initialised",
        })
    }
}

impl<T> Error for SetError<T> {}
