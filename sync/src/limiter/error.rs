//! Why nothing was lent.

use core::error::Error;
use core::fmt;

use super::Borrower;

/// The borrower has a token already, or waits for one. Nothing was lent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlreadyBorrowing {
    borrower: Borrower,
}

impl AlreadyBorrowing {
    pub(super) fn new(borrower: Borrower) -> Self {
        Self { borrower }
    }

    /// Who asked a second time.
    pub fn borrower(&self) -> &Borrower {
        &self.borrower
    }
}

impl fmt::Display for AlreadyBorrowing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} already borrows from this limiter, or waits to: drop that token first, or borrow \
             for another key with `acquire_for`",
            self.borrower
        )
    }
}

impl Error for AlreadyBorrowing {}

/// Nothing was lent without waiting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TryBorrowError {
    /// All tokens are borrowed, or others wait for them.
    NoneAvailable,
    /// The borrower has one already, or waits for one.
    AlreadyBorrowing(AlreadyBorrowing),
}

impl fmt::Display for TryBorrowError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TryBorrowError::NoneAvailable => f.write_str("no tokens available"),
            TryBorrowError::AlreadyBorrowing(error) => error.fmt(f),
        }
    }
}

impl Error for TryBorrowError {}

impl From<AlreadyBorrowing> for TryBorrowError {
    fn from(error: AlreadyBorrowing) -> Self {
        TryBorrowError::AlreadyBorrowing(error)
    }
}
