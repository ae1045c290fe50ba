//! What tasks have said of their waits, and who holds what is waited for: a book that a runtime lends its
//! threads.
//!
//! What a task notes in its slot ([`current`](crate::current)) is a kind and an address that nobody may
//! follow, for what was there may be gone. A runtime that is to explain who waits for whom, and why nobody
//! goes on, lends its threads a book; into it go
//!
//! | table | from | to | written by |
//! |---|---|---|---|
//! | waits | a task | what it waits for, in words, and since when | a wait that is pending: [`notes`](crate::notes) |
//! | holders | the address of a lock | the task that holds it | the slow paths of locks: `holders.rs` |
//! | joins | a task | the task that awaits its handle | the handle: when it is pending, and when it is dropped |
//!
//! ```text
//!  the runtime ──► lend(book) ──► a thread: LENT, BOOK ──► pending wait, lock with a line ──► tables (a lock)
//!                                                                         whoever looks ◄────────┘
//! ```
//!
//! Invariants:
//! - B1: where no book is lent, nothing is written and nothing asked: one look at a flag of the thread.
//! - B2: no code of the program runs under the lock: words are made before it is taken, and what is taken
//!   out of a table is text.
//! - B3: the lock of the book is the innermost: nothing else is locked while it is held.
//! - B4: what is read is good only as long as the slot of the task says the same; [`Book::note_of`] and
//!   [`Book::lasted`] compare.
//!
//! Limit: what a thread without the book does with a lock is not in it. If it takes over a lock that others
//! wait for, the entry stays as it was until one of those looks again.
//!
//! Rejected: the number of the holder in the task that waits. A word more in each task, and it goes stale
//! when the lock changes hands, since those further back in line do not look then.
//!
//! Tests: below; `sync/tests/lock_owner.rs`, `tests/tests/hangs.rs`, `tests/tests/tree`.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::{BuildHasherDefault, Hasher};
use core::num::NonZeroU64;
use core::time::Duration;
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use crate::current::{self, WaitingOn};
use crate::notes::{Note, Wants};
use crate::shim::{MODELLED, Mutex, local};

/// The book of a runtime.
pub struct Book {
    tables: Mutex<Tables>,
    /// What stamps entries with the time, and with it every wait, named or not.
    now: Option<Now>,
}

/// The time since whenever its clock began.
type Now = Box<dyn Fn() -> Duration + Send + Sync>;

#[derive(Default)]
struct Tables {
    waits: Map<Entry>,
    holders: HashMap<usize, NonZeroU64>,
    joins: Map<NonZeroU64>,
}

type Map<T> = HashMap<NonZeroU64, T, BuildHasherDefault<Spread>>;

struct Entry {
    wait: WaitingOn,
    since: Option<Duration>,
    /// What is wanted of what, if it was said.
    said: Option<Said>,
}

type Said = (Wants, Option<Cow<'static, str>>);

/// Numbers of tasks are given out one after the other, and chosen by nobody: a product spreads them.
#[derive(Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, _: &[u8]) {
        unreachable!("a task's number is hashed as one word");
    }

    #[inline]
    fn write_u64(&mut self, number: u64) {
        self.0 = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

/// What a thread has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lent {
    Nothing,
    /// A book of what tasks say.
    Words,
    /// One that every wait is written into, with the time.
    Times,
}

local! {
    static LENT: Cell<Lent> = const { Cell::new(Lent::Nothing) };
}

local! {
    static BOOK: RefCell<Option<Arc<Book>>> = const { RefCell::new(None) };
}

/// Runs `body` on a thread that has this book meanwhile; `None` takes away the one it has.
pub fn lend<R>(book: Option<&Arc<Book>>, body: impl FnOnce() -> R) -> R {
    struct Back(Option<Arc<Book>>);
    impl Drop for Back {
        fn drop(&mut self) {
            drop(swap(self.0.take()));
        }
    }
    if book.is_none() && !is_lent() {
        return body();
    }
    let _back = Back(swap(book.map(Arc::clone)));
    body()
}

/// A thread that is ending has no place for a book any more: it has none.
fn swap(book: Option<Arc<Book>>) -> Option<Arc<Book>> {
    let lent = match &book {
        None => Lent::Nothing,
        Some(book) if book.now.is_none() => Lent::Words,
        Some(_) => Lent::Times,
    };
    let outer = BOOK.try_with(|place| place.replace(book));
    LENT.with(|flag| flag.set(if outer.is_ok() { lent } else { Lent::Nothing }));
    outer.ok().flatten()
}

/// Whether this thread has a book (B1).
#[inline]
pub fn is_lent() -> bool {
    !MODELLED && LENT.with(Cell::get) != Lent::Nothing
}

/// Whether this thread has a book into which every wait is written.
#[inline]
pub(crate) fn is_stamping() -> bool {
    !MODELLED && LENT.with(Cell::get) == Lent::Times
}

/// Shows the book that this thread has.
fn with<R>(body: impl FnOnce(&Book) -> R) -> Option<R> {
    let done = BOOK.try_with(|book| Some(body(book.borrow().as_deref()?)));
    done.ok().flatten()
}

/// The current task waits for what is in its slot.
#[cold]
pub(crate) fn write_wait(said: Option<Said>) {
    let Some((task, Some(wait))) = current::with_slot(|slot| (slot.id(), slot.waiting_on())) else {
        return; // no task
    };
    with(|book| {
        let since = book.now.as_ref().map(|now| now());
        let entry = Entry { wait, since, said };
        book.tables.lock().waits.insert(task, entry)
    });
}

/// What the current task wants is something else than it said.
#[cold]
pub(crate) fn rewrite_wants(change: fn(Wants) -> Wants) {
    let Some(task) = current::task_id() else {
        return;
    };
    with(|book| {
        let mut tables = book.tables.lock();
        let said = tables.waits.get_mut(&task).and_then(|it| it.said.as_mut());
        if let Some((wants, _)) = said {
            *wants = change(core::mem::replace(wants, Wants::It));
        }
    });
}

/// Who holds the lock at this address: `None`, if no task does, or nobody waits for it.
#[cold]
pub(crate) fn write_holder(lock: usize, holder: Option<NonZeroU64>) {
    with(|book| {
        let holders = &mut book.tables.lock().holders;
        match holder {
            Some(task) => drop(holders.insert(lock, task)),
            None => drop(holders.remove(&lock)),
        }
    });
}

/// The current task awaits the handle of that one.
#[cold]
pub(crate) fn write_join(awaited: NonZeroU64) {
    if let Some(task) = current::task_id() {
        with(|book| book.tables.lock().joins.insert(awaited, task));
    }
}

/// Nobody awaits the handle of that task any more.
#[cold]
pub(crate) fn strike_join(awaited: NonZeroU64) {
    with(|book| book.tables.lock().joins.remove(&awaited));
}

/// The task has ended.
#[inline]
pub fn forget(task: NonZeroU64) {
    if is_lent() {
        with(|book| book.strike_out(task));
    }
}

impl Book {
    /// An empty book of what tasks say.
    pub fn of_words() -> Arc<Self> {
        Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            now: None,
        })
    }

    /// An empty book of all waits, with the time.
    pub fn of_all(now: impl Fn() -> Duration + Send + Sync + 'static) -> Arc<Self> {
        Arc::new(Self {
            tables: Mutex::new(Tables::default()),
            now: Some(Box::new(now)),
        })
    }

    #[cold]
    fn strike_out(&self, task: NonZeroU64) {
        let mut tables = self.tables.lock();
        let entry = tables.waits.remove(&task);
        tables.joins.remove(&task);
        drop(tables);
        drop(entry);
    }

    /// What the task said of this wait.
    pub fn note_of(&self, task: NonZeroU64, wait: WaitingOn) -> Option<Note> {
        let tables = self.tables.lock();
        let entry = tables.waits.get(&task).filter(|it| it.wait == wait)?; // B4
        let (wants, name) = entry.said.clone()?;
        Some(Note { wait, wants, name })
    }

    /// How long the task has waited like this, at least: since it last said so.
    pub fn lasted(&self, task: NonZeroU64, wait: WaitingOn) -> Option<Duration> {
        let now = self.now.as_ref()?();
        let tables = self.tables.lock();
        let entry = tables.waits.get(&task).filter(|it| it.wait == wait)?; // B4
        Some(now.saturating_sub(entry.since?))
    }

    /// Who holds the lock at this address, which somebody waits for.
    pub fn holder_of(&self, lock: usize) -> Option<NonZeroU64> {
        self.tables.lock().holders.get(&lock).copied()
    }

    /// Who awaited the handle of this task last.
    pub fn joiner_of(&self, task: NonZeroU64) -> Option<NonZeroU64> {
        self.tables.lock().joins.get(&task).copied()
    }
}

impl fmt::Debug for Book {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Book")
            .field("with_times", &self.now.is_some())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::current::{TaskSlot, WaitKind, with_task};
    use crate::holders::write_down;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    fn task(number: u64) -> Option<NonZeroU64> {
        NonZeroU64::new(number)
    }

    #[test]
    fn nothing_is_asked_where_no_book_is_lent() {
        write_down(&0_u8, || unreachable!("there is no book"));
        lend(None, || write_down(&0_u8, || unreachable!("nor here")));
    }

    #[test]
    fn a_book_is_lent_for_a_call_and_comes_back_also_after_a_panic() {
        let (mine, other) = (Book::of_words(), Book::of_words());
        let lock = 0_u8;
        let address = core::ptr::from_ref(&lock).addr();
        lend(Some(&mine), || {
            write_down(&lock, || task(7));
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                lend(Some(&other), || {
                    write_down(&lock, || task(8));
                    panic!("inside");
                });
            }));
            assert!(panicked.is_err());
            lend(None, || write_down(&lock, || unreachable!("taken away")));
            assert_eq!(mine.holder_of(address), task(7));
            assert_eq!(other.holder_of(address), task(8), "another book");
            write_down(&lock, || None);
        });
        assert!(!is_lent());
        assert_eq!(mine.holder_of(address), None);
        assert_eq!(
            (Arc::strong_count(&mine), Arc::strong_count(&other)),
            (1, 1)
        );
    }

    /// Goal: several threads write into one book, each of its own tasks.
    #[test]
    fn threads_share_a_book_and_entries_go_with_their_tasks() {
        let book = Book::of_all(|| Duration::from_secs(5));
        std::thread::scope(|scope| {
            for number in 1..=4_u64 {
                let book = &book;
                scope.spawn(move || {
                    let slot = TaskSlot::new(task(number).expect("not zero"));
                    let next = task(number % 4 + 1).expect("not zero");
                    lend(Some(book), || {
                        with_task(&slot, 1, || {
                            current::waiting_on(WaitKind::Sleep, &slot);
                            write_join(next);
                        });
                        let wait = slot.waiting_on().expect("it waits");
                        assert_eq!(book.lasted(slot.id(), wait), Some(Duration::ZERO));
                        assert_eq!(book.note_of(slot.id(), wait), None, "it said no words");
                        assert_eq!(book.joiner_of(next), Some(slot.id()));
                        let other = WaitingOn { address: 1, ..wait };
                        assert_eq!(book.lasted(slot.id(), other), None, "another wait");
                        forget(slot.id());
                        strike_join(next);
                        assert_eq!(book.lasted(slot.id(), wait), None);
                    });
                });
            }
        });
        let tables = book.tables.lock();
        assert!(tables.waits.is_empty() && tables.joins.is_empty());
    }
}
