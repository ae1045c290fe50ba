//! Notices an initialiser that waits for the very cell that it initialises.
//!
//! While a cell's initialiser is polled, the thread keeps a note of the cell and of the task. A wait for
//! that cell, in that task, while the note is there, comes from inside the initialiser: it would never
//! end. Tasks are told apart as the wait list does it: by tenter's number, elsewhere by the waker. So an
//! executor that runs inside an initialiser may poll other tasks that wait for the cell, and two
//! branches of one task may wait for it, of which one runs the initialiser: neither is a mistake.
//!
//! What is not noticed: an initialiser that waits for another task, which waits for the cell, and one
//! that polls with a waker of its own on a foreign executor. They hang, as two locks would.
//!
//! Rejected: a note in the cell. It would say which task runs the initialiser, but not whether a wait
//! comes from inside it or from beside it.

use core::cell::RefCell;
use core::task::Waker;

use crate::shim::local;
use crate::wait_list::Identity;

/// An initialiser that this thread is polling.
struct Note {
    cell: usize,
    task: Identity,
}

local! {
    static INITIALISING: RefCell<Vec<Note>> = const { RefCell::new(Vec::new()) };
}

/// The initialiser of the cell at this address runs until the guard is dropped.
pub(crate) struct Inside(());

/// Notes that the initialiser of the cell at this address is polled with `waker`.
pub(crate) fn enter(cell: usize, waker: &Waker) -> Inside {
    let task = Identity::of(waker);
    // A thread whose locals are gone keeps no notes, and the last one to be dropped finds none.
    let _ = INITIALISING.try_with(|notes| notes.borrow_mut().push(Note { cell, task }));
    Inside(())
}

impl Drop for Inside {
    fn drop(&mut self) {
        let _ = INITIALISING.try_with(|notes| notes.borrow_mut().pop());
    }
}

/// Whether a poll with `waker` comes from inside the initialiser of the cell at this address.
pub(crate) fn is_inside(cell: usize, waker: &Waker) -> bool {
    let task = Identity::of(waker);
    INITIALISING
        .try_with(|notes| {
            let notes = notes.borrow();
            notes
                .iter()
                .any(|note| note.cell == cell && note.task.same_task(&task))
        })
        .unwrap_or(false)
}
