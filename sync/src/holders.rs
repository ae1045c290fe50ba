//! Which task holds a lock that others wait for: a book that a thread keeps while it is asked to.
//!
//! What a task notes about its wait is an address that nobody may follow, for what was there may be
//! gone. A scheduler that drives all its tasks on one thread, and has to explain why none of them goes
//! on, lends that thread a book; into it the slow paths of the locks write who holds what is waited for.
//!
//! ```text
//!  line up, look, hand over, free ──► is a book lent? ──► address of the lock → number of its task
//!  TaskSlot::waiting_for ──► waiting_on: kind, address ──► the book
//! ```
//!
//! Invariants:
//! - I1: where no book is lent nothing is written: one look at a flag of the thread, and on slow paths only.
//! - I2: an entry is there only while somebody waits and a task holds the lock. So nothing is said of a
//!   lock that is free but kept for one who does not come, and an address that is used again starts afresh.
//!
//! Limit: what another thread does with a lock is not in the book of this one. If it takes over a lock
//! here that others wait for, the entry stays as it was until one of those looks again.
//!
//! Rejected: the number of the holder in the task that waits. A word more in each task, and it goes
//! stale when the lock changes hands, since those further back in line do not look then.

use core::cell::{Cell, RefCell};
use core::num::NonZeroU64;
use std::collections::HashMap;

use crate::shim::{MODELLED, local};

/// The locks that somebody waits for and a task holds: their addresses, and its number.
#[derive(Debug, Default)]
pub struct Holders(HashMap<usize, NonZeroU64>);

local! {
    static LENT: Cell<bool> = const { Cell::new(false) };
}

local! {
    static BOOK: RefCell<Option<Holders>> = const { RefCell::new(None) };
}

/// Runs `body`, and this thread keeps that book meanwhile.
pub fn keeping<R>(book: &Cell<Option<Holders>>, body: impl FnOnce() -> R) -> R {
    struct Back<'a> {
        book: &'a Cell<Option<Holders>>,
        outer: Option<Holders>,
    }
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            self.book.set(swap(self.outer.take()));
        }
    }
    /// A thread that is ending has no place for a book any more: it keeps none.
    fn swap(book: Option<Holders>) -> Option<Holders> {
        let lent = book.is_some();
        let outer = BOOK.try_with(|place| place.replace(book));
        LENT.with(|flag| flag.set(lent && outer.is_ok()));
        outer.ok().flatten()
    }
    let outer = swap(Some(book.take().unwrap_or_default()));
    let _back = Back { book, outer };
    body()
}

/// Writes down who holds the lock at this address, which somebody waits for; `None` if no task does, or
/// nobody waits any more. `who` is asked only if there is a book.
#[inline]
pub(crate) fn write_down<T>(lock: *const T, who: impl FnOnce() -> Option<NonZeroU64>) {
    if !MODELLED && LENT.with(Cell::get) {
        write(lock.addr(), who());
    }
}

#[cold]
fn write(lock: usize, holder: Option<NonZeroU64>) {
    BOOK.with(|book| {
        let mut book = book.borrow_mut();
        let Some(Holders(entries)) = book.as_mut() else {
            return;
        };
        match holder {
            Some(task) => drop(entries.insert(lock, task)),
            None => drop(entries.remove(&lock)),
        }
    });
}

/// Who holds the lock at this address, if this thread's book says so.
pub(crate) fn holder_of(lock: usize) -> Option<NonZeroU64> {
    let holder = BOOK.try_with(|book| book.borrow().as_ref()?.0.get(&lock).copied());
    holder.ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn task(number: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(number)
    }

    #[test]
    fn nothing_is_asked_where_no_book_is_lent() {
        let lock = 0_u8;
        write_down(&lock, || unreachable!("there is no book"));
        assert_eq!(holder_of(core::ptr::from_ref(&lock).addr()), None);
    }

    #[test]
    fn a_book_is_kept_while_it_is_lent_and_goes_back_also_after_a_panic() {
        let (mine, other) = (Cell::new(None), Cell::new(None));
        let lock = 0_u8;
        let address = core::ptr::from_ref(&lock).addr();
        keeping(&mine, || {
            write_down(&lock, || task(7));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                keeping(&other, || {
                    assert_eq!(holder_of(address), None, "another book");
                    panic!("inside");
                });
            }));
            assert!(panicked.is_err());
            assert_eq!(holder_of(address), task(7));
        });
        assert_eq!(holder_of(address), None);
        keeping(&mine, || {
            assert_eq!(holder_of(address), task(7), "it is the same book");
            write_down(&lock, || None);
            assert_eq!(holder_of(address), None);
        });
        assert!(mine.take().is_some_and(|book| book.0.is_empty()));
    }
}
