//! The list of a combinator, made when the first member has to wait.
//!
//! Members that are ready at once need no waker. The waker of the first polls therefore is a note on the
//! stack, which makes the list when it is cloned or woken. It is lent for the poll only, so nobody can
//! keep it without cloning it. Outside of a task of tenter, the address of a waker may be all that tells
//! two tasks apart, and an address on the stack does not; there the list is made at once.
//!
//! Invariant: Z1: the pointer is null until the list is made, and never changes after that. A poll may
//! lend its waker to other threads, so two may make the list at once; the second one takes the first's.
//!
//! Tests: `tests/tests/combine`.

use core::mem::ManuallyDrop;
use core::ptr;
use core::task::{RawWaker, RawWakerVTable, Waker};

use tenter_sync::current;
use tenter_sync::shim::atomic::{AtomicPtr, Ordering};

use super::list::List;

/// The list, once there is one.
pub struct Lazy {
    list: AtomicPtr<()>,
    members: u32,
}

impl Lazy {
    /// None yet, for so many members.
    pub fn new(members: u32) -> Self {
        Self {
            list: AtomicPtr::new(ptr::null_mut()),
            members,
        }
    }

    /// The list, if there is one.
    pub fn get(&self) -> Option<ManuallyDrop<List>> {
        // ORDERING: Acquire, of the exchange in `get_or_make`.
        let list = self.list.load(Ordering::Acquire);
        // SAFETY: made by `into_raw`, and not dropped here; ours lives on, so the borrow does too.
        unsafe { List::from_raw(list) }.map(ManuallyDrop::new)
    }

    fn get_or_make(&self) -> ManuallyDrop<List> {
        if let Some(list) = self.get() {
            return list;
        }
        let fresh = List::new(self.members).into_raw();
        // ORDERING: Release, of the new list; Acquire, of the one that another thread made meanwhile.
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        let made = match self
            .list
            .compare_exchange(ptr::null_mut(), fresh, success, failure)
        {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: ours, just made, and nobody else has seen it.
                drop(unsafe { List::from_raw(fresh) });
                other
            }
        };
        // SAFETY: as in `get`.
        let list = unsafe { List::from_raw(made) };
        ManuallyDrop::new(list.unwrap_or_else(|| unreachable!("it was made above")))
    }

    /// Lends a member's waker.
    pub fn lend<R>(&self, index: u32, use_it: impl FnOnce(&Waker) -> R) -> R {
        if let Some(list) = self.get() {
            return list.waker(index, use_it);
        }
        if current::slot_address().is_null() {
            return self.get_or_make().waker(index, use_it);
        }
        let note = Note { list: self, index };
        // SAFETY: the functions of the table keep the contract of `RawWaker` as long as the note lives,
        // which is longer than this waker; a clone is one of the list's, and needs no note.
        let waker = unsafe { Waker::new(ptr::from_ref(&note).cast(), &NOTE) };
        use_it(&ManuallyDrop::new(waker))
    }
}

impl Drop for Lazy {
    fn drop(&mut self) {
        // ORDERING: Acquire, as in `get`.
        // SAFETY: made by `into_raw`; this is the one that takes it back.
        drop(unsafe { List::from_raw(self.list.load(Ordering::Acquire)) });
    }
}

/// What the waker of a first poll points to.
struct Note<'a> {
    list: &'a Lazy,
    index: u32,
}

/// The functions of the waker of a first poll. It is never dropped, nor woken by value.
static NOTE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        // SAFETY: the waker is lent for the poll, and the note lives on its stack as long.
        let note = unsafe { &*data.cast::<Note<'_>>() };
        let waker = ManuallyDrop::new(note.list.get_or_make().counted(note.index));
        RawWaker::new(waker.data(), waker.vtable())
    },
    |_| unreachable!("nobody owns this waker"),
    |data| {
        // SAFETY: as above.
        let note = unsafe { &*data.cast::<Note<'_>>() };
        note.list
            .get_or_make()
            .waker(note.index, Waker::wake_by_ref);
    },
    |_| {},
);
