//! What this thread holds of watch channels: notes that turn a wait for oneself into a panic.
//!
//! A `Ref` cannot leave its thread, and neither can the closure of a `send_modify`, so what a thread
//! holds is known on that thread alone, and no other one could let go of it.
//!
//! A `Ref` that is forgotten leaves its note behind. The note is only asked when somebody has to wait,
//! so what it can do, after the channel is gone and another one has taken its very place in memory, is
//! to let a reader pass a waiting sender, or to end a wait of that sender with the panic.

use core::cell::RefCell;

use crate::shim::local;

/// A value that this thread reads or changes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Note {
    channel: usize,
    /// Where the value is that it reads; `None` is the closure that changes the value.
    reads: Option<usize>,
}

local! {
    static NOTES: RefCell<Vec<Note>> = const { RefCell::new(Vec::new()) };
}

/// This thread reads a value.
#[inline]
pub(super) fn begin_read(channel: usize, value: usize) {
    add(Note {
        channel,
        reads: Some(value),
    });
}

/// A read is over.
#[inline]
pub(super) fn end_read(channel: usize, value: usize) {
    remove(Note {
        channel,
        reads: Some(value),
    });
}

/// This thread changes the value of a channel.
pub(super) fn begin_change(channel: usize) {
    add(Note {
        channel,
        reads: None,
    });
}

/// The change is over.
pub(super) fn end_change(channel: usize) {
    remove(Note {
        channel,
        reads: None,
    });
}

/// Whether this thread reads the value at this address.
pub(super) fn reads(channel: usize, value: usize) -> bool {
    any(|note| {
        *note
            == Note {
                channel,
                reads: Some(value),
            }
    })
}

/// Whether this thread reads some value of the channel.
pub(super) fn reads_any(channel: usize) -> bool {
    any(|note| note.channel == channel && note.reads.is_some())
}

/// Whether this thread changes the value of the channel.
pub(super) fn changes(channel: usize) -> bool {
    any(|note| {
        *note
            == Note {
                channel,
                reads: None,
            }
    })
}

#[inline]
fn add(note: Note) {
    // A thread whose locals are gone keeps no notes.
    let _ = NOTES.try_with(|notes| notes.borrow_mut().push(note));
}

#[inline]
fn remove(note: Note) {
    let _ = NOTES.try_with(|notes| {
        let mut notes = notes.borrow_mut();
        if let Some(place) = notes.iter().rposition(|other| *other == note) {
            notes.swap_remove(place);
        }
    });
}

fn any(is_it: impl Fn(&Note) -> bool) -> bool {
    NOTES
        .try_with(|notes| notes.borrow().iter().any(is_it))
        .unwrap_or(false)
}
