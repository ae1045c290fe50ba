//! The places that the children of a group have in it.
//!
//! ```text
//!  Free(next) ── take ──► Member(task) ── free ──► Free(next)
//! ```
//!
//! A place knows its child's task by an address that is not counted. Invariant:
//! - P1: the task of a Member is alive. Its place is freed by whoever ends the child, who has a reference
//!   to the task meanwhile: the scheduler's, or one that is kept with the seat. All this is under the
//!   group's lock, so whoever finds a Member there can take a reference of its own.

use core::mem;
use core::ptr::{self, NonNull};

use tenter_sync::planted;

use crate::task::Canceller;
use crate::task::cell::Header;

/// The end of the list of free places.
const NONE: usize = usize::MAX / 2;

/// All places.
pub struct Seats {
    places: Vec<Place>,
    /// The first free one, which knows the next. `NONE`: none is.
    free: usize,
    live: usize,
}

/// The task of a Member, or twice the number of the next free place, plus one: no address of a task.
#[derive(Clone, Copy)]
struct Place(*mut Header);

const _: () = assert!(align_of::<Header>() > 1, "an address of a task is even");

// SAFETY: the address is only used to take a counted reference, which P1 allows on any thread: all that is
// touched of the header is atomic. Were the task gone by then, this would count in freed memory.
unsafe impl Send for Place {}

impl Place {
    const fn free(next: usize) -> Self {
        Self(ptr::without_provenance_mut(next * 2 + 1))
    }

    /// The next free place of one that is free.
    #[inline]
    fn next_free(self) -> usize {
        self.0.addr() / 2
    }

    fn member(self) -> Option<NonNull<Header>> {
        let is_free = self.0.addr() % 2 == 1;
        NonNull::new(self.0).filter(|_| !is_free)
    }
}

impl Seats {
    /// Nobody.
    pub const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: NONE,
            live: 0,
        }
    }

    /// How many are taken.
    #[inline]
    pub fn live(&self) -> usize {
        self.live
    }

    /// A place for a task that lives as long as it has it (P1).
    #[inline]
    pub fn take(&mut self, task: NonNull<Header>) -> usize {
        self.live += 1;
        let member = Place(task.as_ptr());
        let place = self.free;
        match self.places.get_mut(place) {
            Some(free) => {
                self.free = mem::replace(free, member).next_free();
                place
            }
            None => {
                self.places.push(member);
                self.places.len() - 1
            }
        }
    }

    /// The place is given up.
    #[inline]
    pub fn free(&mut self, place: usize) {
        self.live -= 1;
        if !planted!("group.place_outlives_its_child") {
            self.places[place] = Place::free(self.free);
            self.free = place;
        }
    }

    /// A reference to the one who has the place.
    pub fn member(&self, place: usize) -> Option<Canceller> {
        self.places.get(place)?.member().map(Canceller::new) // P1
    }

    /// References to all that have a place.
    pub fn members(&self) -> Vec<Canceller> {
        let members = self.places.iter().filter_map(|place| place.member());
        members.map(Canceller::new).collect() // P1
    }
}
