//! What a task waits for, in words: a book that a thread keeps while it is asked to.
//!
//! The word in a task's slot ([`current`]) tells a kind and an address, which is all that a wait may cost
//! in production. A scheduler that drives all its tasks on one thread, and has to explain why none of them
//! goes on, lends that thread a book; into it each wait writes the name of the thing, and what it wants
//! of it.
//!
//! ```text
//!  a wait is pending ──► current::waiting_on(kind, address) ──► is a book lent? ──► task ► Note
//! ```
//!
//! Invariants:
//! - I1: where no book is lent, nothing is written: one look at a flag of the thread, when a wait is pending.
//! - I2: a note is good only as long as the task's slot has the same kind and address; whoever reads it
//!   compares them.
//!
//! Tests: below; `tests/tests/hangs.rs`.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::hash::{BuildHasherDefault, Hasher};
use core::num::NonZeroU64;
use std::borrow::Cow;
use std::collections::HashMap;

use crate::current::{self, WaitKind, WaitingOn};
use crate::name::Name;
use crate::shim::{MODELLED, local};

/// What a task wants of the thing that it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wants {
    /// The thing itself: a lock.
    It,
    /// An item of a queue.
    Item,
    /// A place in a queue that has so many; `None` is without limit.
    Room(Option<usize>),
    /// All items of a queue to be done with.
    AllDone,
    /// A value of a channel.
    Value,
    /// A place in a channel, or if there are none, somebody who takes the value.
    Taker(Option<usize>),
    /// So many permits.
    Permits(usize),
    /// So many to meet.
    Parties(usize),
    /// To be set.
    Set,
    /// To be notified.
    Notified,
    /// Something that says it in its own words.
    Words(Cow<'static, str>),
}

/// A wait in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about, to be compared with the task's slot.
    pub wait: WaitingOn,
    /// What is wanted.
    pub wants: Wants,
    /// The name of the thing.
    pub name: Option<Cow<'static, str>>,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.wants {
            Wants::It => {}
            Wants::Item => f.write_str("an item of ")?,
            Wants::Room(_) | Wants::Taker(Some(1..)) => f.write_str("room in ")?,
            Wants::AllDone => f.write_str("the last task_done of ")?,
            Wants::Value => f.write_str("a value of ")?,
            Wants::Taker(_) => f.write_str("a receiver of ")?,
            Wants::Permits(1) => f.write_str("a permit of ")?,
            Wants::Permits(count) => write!(f, "{count} permits of ")?,
            Wants::Parties(_) | Wants::Set | Wants::Notified => {}
            Wants::Words(words) => return f.write_str(words),
        }
        let thing = match self.wants {
            Wants::Value | Wants::Taker(_) => "channel",
            _ => self.wait.kind.thing(),
        };
        match &self.name {
            Some(name) => write!(f, "{thing} \"{name}\"")?,
            None => {
                let vowel = thing.starts_with(['A', 'E', 'I', 'O', 'U']);
                let article = if vowel { "an" } else { "a" };
                write!(f, "{article} {thing} at {:#x}", self.wait.address)?;
            }
        }
        match self.wants {
            Wants::Room(Some(places)) | Wants::Taker(Some(places @ 1..)) => {
                write!(f, ", which holds {places}")
            }
            Wants::Parties(parties) => write!(f, ", where {parties} have to meet"),
            Wants::Set => f.write_str(" to be set"),
            Wants::Notified => f.write_str(" to be notified"),
            _ => Ok(()),
        }
    }
}

/// What the tasks that wait have said: a book by the numbers of the tasks.
#[derive(Debug, Default)]
pub struct Notes(HashMap<NonZeroU64, Note, BuildHasherDefault<Spread>>);

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

local! {
    static LENT: Cell<bool> = const { Cell::new(false) };
}

local! {
    static BOOK: RefCell<Option<Notes>> = const { RefCell::new(None) };
}

/// Runs `body`, and this thread keeps that book meanwhile.
pub fn keeping<R>(book: &Cell<Option<Notes>>, body: impl FnOnce() -> R) -> R {
    struct Back<'a> {
        book: &'a Cell<Option<Notes>>,
        outer: Option<Notes>,
    }
    impl Drop for Back<'_> {
        fn drop(&mut self) {
            self.book.set(swap(self.outer.take()));
        }
    }
    /// A thread that is ending has no place for a book any more: it keeps none.
    fn swap(book: Option<Notes>) -> Option<Notes> {
        let lent = book.is_some();
        let outer = BOOK.try_with(|place| place.replace(book));
        LENT.with(|flag| flag.set(lent && outer.is_ok()));
        outer.ok().flatten()
    }
    let outer = swap(Some(book.take().unwrap_or_default()));
    let _back = Back { book, outer };
    body()
}

/// Notes what the current task waits for, and in whose words. For waits outside of this crate.
#[inline]
pub fn waiting_for<T: ?Sized>(
    kind: WaitKind,
    address: *const T,
    words: impl FnOnce() -> Cow<'static, str>,
) {
    current::waiting_on(kind, address);
    if !MODELLED && LENT.with(Cell::get) {
        write(None, Wants::Words(words()));
    }
}

/// Notes what the current task waits for, and what it wants of that.
#[inline]
pub(crate) fn waiting_on<T: ?Sized>(kind: WaitKind, address: *const T, name: &Name, wants: Wants) {
    current::waiting_on(kind, address);
    if !MODELLED && LENT.with(Cell::get) {
        write(name.to_cow(), wants);
    }
}

#[cold]
fn write(name: Option<Cow<'static, str>>, wants: Wants) {
    let Some((task, Some(wait))) = current::with_slot(|slot| (slot.id(), slot.waiting_on())) else {
        return; // no task
    };
    BOOK.with(|book| {
        if let Some(Notes(entries)) = book.borrow_mut().as_mut() {
            entries.insert(task, Note { wait, wants, name });
        }
    });
}

/// The queue that the current task has just begun to wait for is a channel.
#[inline]
pub(crate) fn is_a_channel() {
    if !MODELLED && LENT.with(Cell::get) {
        rename_to_channel();
    }
}

#[cold]
fn rename_to_channel() {
    let Some(task) = current::task_id() else {
        return;
    };
    BOOK.with(|book| {
        let mut book = book.borrow_mut();
        let note = book.as_mut().and_then(|book| book.0.get_mut(&task));
        if let Some(note) = note {
            note.wants = match core::mem::replace(&mut note.wants, Wants::It) {
                Wants::Item => Wants::Value,
                Wants::Room(places) => Wants::Taker(places),
                other => other,
            };
        }
    });
}

/// What the task said of this wait, if this thread's book has it.
pub fn note_of(task: NonZeroU64, wait: WaitingOn) -> Option<Note> {
    let note = BOOK.try_with(|book| {
        let book = book.borrow();
        let note = book.as_ref()?.0.get(&task)?;
        (note.wait == wait).then(|| note.clone()) // I2
    });
    note.ok().flatten()
}

/// The task has ended.
pub fn forget(task: NonZeroU64) {
    let _ = BOOK.try_with(|book| {
        if let Some(book) = book.borrow_mut().as_mut() {
            book.0.remove(&task);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::current::{TaskSlot, with_task};

    fn said(kind: WaitKind, name: &Name, wants: Wants) -> String {
        let slot = TaskSlot::new(NonZeroU64::MIN);
        let book = Cell::new(None);
        keeping(&book, || {
            with_task(&slot, 1, || {
                waiting_on(kind, 0x70_usize as *const u8, name, wants);
            });
            let wait = slot.waiting_on().expect("it waits");
            let note = note_of(slot.id(), wait).expect("it is in the book");
            let other = WaitingOn { address: 1, ..wait };
            assert_eq!(note_of(slot.id(), other), None, "that is another wait");
            forget(slot.id());
            assert_eq!(note_of(slot.id(), wait), None);
            note.to_string()
        })
    }

    #[test]
    fn a_wait_says_what_it_wants_of_what() {
        let (db, none) = (Name::Static("db"), Name::None);
        for (kind, name, wants, words) in [
            (WaitKind::Lock, &db, Wants::It, "Lock \"db\""),
            (WaitKind::Lock, &none, Wants::It, "a Lock at 0x70"),
            (
                WaitKind::Event,
                &none,
                Wants::Set,
                "an Event at 0x70 to be set",
            ),
            (WaitKind::Queue, &db, Wants::Item, "an item of Queue \"db\""),
            (
                WaitKind::Queue,
                &db,
                Wants::Room(Some(3)),
                "room in Queue \"db\", which holds 3",
            ),
            (
                WaitKind::Queue,
                &db,
                Wants::Value,
                "a value of channel \"db\"",
            ),
            (
                WaitKind::Queue,
                &none,
                Wants::Taker(Some(0)),
                "a receiver of a channel at 0x70",
            ),
            (
                WaitKind::Semaphore,
                &db,
                Wants::Permits(2),
                "2 permits of Semaphore \"db\"",
            ),
            (
                WaitKind::Barrier,
                &db,
                Wants::Parties(3),
                "Barrier \"db\", where 3 have to meet",
            ),
            (
                WaitKind::Task,
                &none,
                Wants::Words("an answer".into()),
                "an answer",
            ),
        ] {
            assert_eq!(said(kind, name, wants), words);
        }
    }

    #[test]
    fn nothing_is_written_where_no_book_is_lent() {
        let slot = TaskSlot::new(NonZeroU64::MIN);
        with_task(&slot, 1, || {
            waiting_for(WaitKind::Task, &slot, || unreachable!("there is no book"));
        });
        let wait = slot.waiting_on().expect("it is in the slot all the same");
        assert_eq!(note_of(slot.id(), wait), None);
    }
}
