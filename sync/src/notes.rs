//! What a task waits for, in words: what goes into the [book](crate::book) that a thread has while it is
//! asked to.
//!
//! The word in a task's slot ([`current`]) tells a kind and an address, which is all that a wait may cost
//! in production. Where there is a book, a wait also writes the name of the thing, and what it wants of it.
//!
//! ```text
//!  a wait is pending ──► current: kind, address ──► is a book lent? ──► task ► Note
//! ```
//!
//! Tests: below; `tests/tests/hangs.rs`.

use core::fmt;
use core::num::NonZeroU64;
use std::borrow::Cow;

use crate::book;
use crate::current::{self, WaitKind, WaitingOn};
use crate::name::Name;

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

/// Notes what the current task waits for, and in whose words. For waits outside of this crate.
#[inline]
pub fn waiting_for<T: ?Sized>(
    kind: WaitKind,
    address: *const T,
    words: impl FnOnce() -> Cow<'static, str>,
) {
    current::set_waiting_on(kind, address);
    if book::is_lent() {
        book::write_wait(Some((Wants::Words(words()), None)));
    }
}

/// Notes that the current task waits for the end of another, whose handle it awaits.
#[inline]
pub fn joining<T: ?Sized>(awaited: NonZeroU64, address: *const T) {
    current::waiting_on(WaitKind::Task, address);
    also_joining(awaited);
}

/// Notes that the current task awaits this handle, too.
#[inline]
pub fn also_joining(awaited: NonZeroU64) {
    if book::is_lent() {
        book::write_join(awaited);
    }
}

/// Notes what the current task waits for, and what it wants of that.
#[inline]
pub(crate) fn waiting_on<T: ?Sized>(kind: WaitKind, address: *const T, name: &Name, wants: Wants) {
    current::set_waiting_on(kind, address);
    if book::is_lent() {
        book::write_wait(Some((wants, name.to_cow())));
    }
}

/// The queue that the current task has just begun to wait for is a channel.
#[inline]
pub(crate) fn is_a_channel() {
    if book::is_lent() {
        book::rewrite_wants(|wants| match wants {
            Wants::Item => Wants::Value,
            Wants::Room(places) => Wants::Taker(places),
            other => other,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::book::{Book, forget, lend};
    use crate::current::{TaskSlot, with_task};

    fn said(kind: WaitKind, name: &Name, wants: Wants) -> String {
        let slot = TaskSlot::new(NonZeroU64::MIN);
        let book = Book::of_words();
        lend(Some(&book), || {
            with_task(&slot, 1, || {
                waiting_on(kind, 0x70_usize as *const u8, name, wants);
            });
            let wait = slot.waiting_on().expect("it waits");
            let note = book.note_of(slot.id(), wait).expect("it is in the book");
            let other = WaitingOn { address: 1, ..wait };
            assert_eq!(book.note_of(slot.id(), other), None, "another wait");
            forget(slot.id());
            assert_eq!(book.note_of(slot.id(), wait), None);
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
        assert_eq!(wait.kind, WaitKind::Task);
    }
}
