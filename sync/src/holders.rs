//! Which task holds a lock that others wait for: what goes into the book (`book.rs`) that a thread has
//! while it is asked to.
//!
//! ```text
//!  line up, look, hand over, free ──► is a book lent? ──► address of the lock → number of its task
//! ```
//!
//! Invariant:
//! - H1: an entry is there only while somebody waits and a task holds the lock. So nothing is said of a
//!   lock that is free but kept for one who does not come, and an address that is used again starts afresh.
//!
//! Tests: `sync/tests/lock_owner.rs`; `book.rs`.

use core::num::NonZeroU64;

use crate::book;

/// Writes down who holds the lock at this address, which somebody waits for; `None` if no task does, or
/// nobody waits any more (H1). `who` is asked only if there is a book.
#[inline]
pub(crate) fn write_down<T>(lock: *const T, who: impl FnOnce() -> Option<NonZeroU64>) {
    if book::is_lent() {
        book::write_holder(lock.addr(), who());
    }
}
