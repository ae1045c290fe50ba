//! Tokens that have been lent. Dropping one gives it back.

use core::fmt;
use std::sync::Arc;

use super::{Borrower, CapacityLimiter};

/// What a [`CapacityLimiter`] has lent. Dropping it gives it back.
#[must_use = "the token is given back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct Token<'a> {
    limiter: &'a CapacityLimiter,
    borrower: Borrower,
}

/// What a [`CapacityLimiter`] that it keeps alive has lent. Dropping it gives it back.
#[must_use = "the token is given back at once unless this is kept"]
#[clippy::has_significant_drop]
pub struct OwnedToken {
    limiter: Arc<CapacityLimiter>,
    borrower: Borrower,
}

impl<'a> Token<'a> {
    /// For a borrower that is in the book as Borrowing.
    pub(super) fn new(limiter: &'a CapacityLimiter, borrower: Borrower) -> Self {
        Self { limiter, borrower }
    }

    /// Who borrows it.
    pub fn borrower(&self) -> &Borrower {
        &self.borrower
    }

    /// The limiter that has lent it.
    pub fn limiter(&self) -> &'a CapacityLimiter {
        self.limiter
    }
}

impl OwnedToken {
    /// For a borrower that is in the book as Borrowing.
    pub(super) fn new(limiter: Arc<CapacityLimiter>, borrower: Borrower) -> Self {
        Self { limiter, borrower }
    }

    /// Who borrows it.
    pub fn borrower(&self) -> &Borrower {
        &self.borrower
    }

    /// The limiter that has lent it.
    pub fn limiter(&self) -> &Arc<CapacityLimiter> {
        &self.limiter
    }
}

impl Drop for Token<'_> {
    fn drop(&mut self) {
        self.limiter.give_back(&self.borrower);
    }
}

impl Drop for OwnedToken {
    fn drop(&mut self) {
        self.limiter.give_back(&self.borrower);
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("Token", self.limiter, &self.borrower, f)
    }
}

impl fmt::Debug for OwnedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe("OwnedToken", &self.limiter, &self.borrower, f)
    }
}

fn describe(
    what: &str,
    limiter: &CapacityLimiter,
    borrower: &Borrower,
    f: &mut fmt::Formatter<'_>,
) -> fmt::Result {
    let mut out = f.debug_struct(what);
    limiter.name.describe(&mut out);
    out.field("borrower", borrower).finish_non_exhaustive()
}
