//! What senders and receivers share: the cells, the places of the ring, the line.
//!
//! A position is the number of a value, counted from the first that was sent. The place of a
//! position is its low bits; the place holds a pointer to a cell. The pointer changes only when the
//! sender comes round to a cell that somebody is reading: the cell is left to its readers, the
//! place gets a spare one, and the last reader brings the cell back. So there are at most as many
//! cells as places and reads at one time, and all of them are freed with the ring.
//!
//! Invariants:
//! - I4: `tail` is written under the lock, after the value of the position before it.
//! - I5: every cell that a place points to, and whose position is not one of the last `capacity`,
//!   is free.
//! - I6: the payload of a receiver in line is the position that it waits for; those in front that
//!   do not wait for `tail` have been told. The payload of one that waits for the receivers to go
//!   is the number of times that they had gone; those in front that have another number have been
//!   told.
//! - I7: each value published while a receiver is counted is claimed or skipped by it once, and so
//!   `remaining` is right; a receiver skips what it has not had when it goes.

use core::ptr::NonNull;

use super::cell::{Cell, Retired};
use super::state::{MAX_RECEIVERS, STAMPS};
use crate::name::Name;
use crate::planted;
use crate::shim::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::shim::{CachePadded, Guess, Mutex, MutexGuard};
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, WakeBatch, wake_in_batches};

/// The most values that a channel can keep.
pub(super) const MAX_CAPACITY: usize = (STAMPS / 2) as usize;

/// What the ends of a channel share.
pub(super) struct Ring<T> {
    places: Box<[AtomicPtr<Cell<T>>]>,
    /// How many values are kept.
    capacity: usize,
    /// The cells that the ring began with. Ours, by `Box::leak`.
    cells: NonNull<[Cell<T>]>,
    /// The position that the next value gets.
    tail: CachePadded<AtomicU64>,
    senders: CachePadded<AtomicUsize>,
    line: CachePadded<Mutex<Line<T>>>,
}

/// What the lock guards.
pub(super) struct Line<T> {
    pub(super) waiters: WaitList,
    /// The most that ever waited at once.
    pub(super) peak: usize,
    pub(super) receivers: usize,
    /// Those that wait for the receivers to go.
    pub(super) watchers: WaitList,
    /// How often the last receiver has gone.
    pub(super) vacancies: usize,
    pub(super) name: Name,
    /// Cells without a place.
    spare: Vec<NonNull<Cell<T>>>,
    /// The cells that were added. Ours, by `Box::leak`.
    added: Vec<NonNull<Cell<T>>>,
}

// SAFETY: a value goes to another thread (Send) and several threads clone it at once (Sync); all
// else in a cell is guarded as `cell.rs` says, and the pointers are to cells that live as long as
// the ring.
unsafe impl<T: Send + Sync> Send for Ring<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for Ring<T> {}

impl<T> Ring<T> {
    #[track_caller]
    pub(super) fn new(capacity: usize, receivers: usize) -> Self {
        assert!(
            capacity > 0,
            "a broadcast channel needs room for one value at least: broadcast(1) keeps the latest"
        );
        assert!(
            capacity <= MAX_CAPACITY,
            "a broadcast channel keeps {MAX_CAPACITY} values at most, not {capacity}: choose how far \
             a receiver may fall behind, which is what the number is for"
        );
        let cells: Box<[Cell<T>]> = (0..capacity.next_power_of_two())
            .map(|_| Cell::new())
            .collect();
        let count = cells.len();
        // All pointers come from the exclusive borrow: through a shared one nothing may be freed.
        let cells = NonNull::from(Box::leak(cells));
        let first = cells.as_ptr().cast::<Cell<T>>();
        Self {
            places: (0..count)
                .map(|place| AtomicPtr::new(first.wrapping_add(place)))
                .collect(),
            capacity,
            cells,
            tail: CachePadded::new(AtomicU64::new(0)),
            senders: CachePadded::new(AtomicUsize::new(1)),
            line: CachePadded::new(Mutex::new(Line {
                waiters: WaitList::new(),
                peak: 0,
                receivers,
                watchers: WaitList::new(),
                vacancies: 0,
                name: Name::None,
                spare: Vec::new(),
                added: Vec::new(),
            })),
        }
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn line(&self) -> MutexGuard<'_, Line<T>> {
        self.line.lock()
    }

    pub(super) fn try_line(&self) -> Option<MutexGuard<'_, Line<T>>> {
        self.line.try_lock()
    }

    #[inline]
    pub(super) fn tail(&self) -> u64 {
        // ORDERING: Acquire pairs with the Release in `put`: the values before it are there.
        self.tail.load(Ordering::Acquire)
    }

    pub(super) fn senders(&self) -> usize {
        // ORDERING: Acquire pairs with the Release of a sender that goes: all that was sent is
        // there.
        self.senders.load(Ordering::Acquire)
    }

    #[inline]
    pub(super) fn cell(&self, position: u64) -> &Cell<T> {
        let place = position as usize & (self.places.len() - 1);
        // ORDERING: Acquire pairs with the Release in `put`: a new cell is whole.
        let cell = self.places[place].load(Ordering::Acquire);
        // SAFETY: places point to cells, and no cell is freed before the ring.
        unsafe { &*cell }
    }

    /// Puts a value in the ring and wakes those that wait for it. How many are to have it, or the
    /// value if nobody is.
    ///
    /// # Panics
    ///
    /// If a waker panics, or the drop of the value that is forgotten, after all have been woken.
    pub(super) fn send(&self, value: T) -> Result<usize, T> {
        let mut value = Some(value);
        let mut receivers = 0;
        let mut forgotten = None;
        wake_in_batches(|batch| {
            let mut line = self.line();
            if let Some(new) = value.take() {
                receivers = line.receivers;
                if receivers == 0 {
                    value = Some(new);
                    return Progress::Finished;
                }
                forgotten = self.put(&mut line, new);
            }
            // ORDERING: Relaxed. Written under the lock (I4).
            line.tell(self.tail.load(Ordering::Relaxed), batch)
        });
        drop(forgotten); // user code, after all else and without the lock
        value.map_or(Ok(receivers), Err)
    }

    /// Returns the value that is forgotten for it.
    #[inline]
    fn put(&self, line: &mut Line<T>, value: T) -> Option<T> {
        // ORDERING: Relaxed. Written under the lock (I4).
        let position = self.tail.load(Ordering::Relaxed);
        let forgotten = position
            .checked_sub(self.capacity as u64)
            .and_then(|oldest| self.retire(line, oldest));
        let early = planted!("broadcast.tail_before_value");
        if early {
            self.tail.store(position + 1, Ordering::Release);
        }
        // SAFETY: the caller holds the line; the place's last position is too old to be kept, so
        // its cell is free (I5).
        unsafe { self.cell(position).publish(position, line.receivers, value) };
        if !early {
            // ORDERING: Release pairs with the Acquire in `tail` (I4).
            self.tail.store(position + 1, Ordering::Release);
        }
        forgotten
    }

    /// Forgets a position.
    #[inline]
    fn retire(&self, line: &mut Line<T>, position: u64) -> Option<T> {
        // SAFETY: the caller holds the line, and the cell is in the ring.
        match unsafe { self.cell(position).retire() } {
            Retired::Free(value) => value,
            Retired::InUse => {
                let place = position as usize & (self.places.len() - 1);
                // ORDERING: Release pairs with the Acquire in `cell`.
                self.places[place].store(line.spare_cell().as_ptr(), Ordering::Release);
                None
            }
        }
    }

    /// Counts one more receiver. The first position that it is to have.
    ///
    /// # Panics
    ///
    /// If there are more than can be counted.
    #[track_caller]
    pub(super) fn subscribe(&self) -> u64 {
        let mut line = self.line();
        if line.receivers == MAX_RECEIVERS {
            drop(line);
            panic!("a broadcast channel has {MAX_RECEIVERS} receivers at most: drop some first");
        }
        line.receivers += 1;
        self.tail()
    }

    /// Counts one receiver less. The position after the last that counts it, and whether nobody is
    /// left.
    pub(super) fn unsubscribe(&self) -> (u64, bool) {
        let mut line = self.line();
        line.receivers -= 1;
        let is_vacant = line.receivers == 0;
        if is_vacant && !planted!("broadcast.vacancy_is_not_counted") {
            line.vacancies = line.vacancies.wrapping_add(1);
        }
        (self.tail(), is_vacant)
    }

    /// Tells those that wait for the receivers to go.
    pub(super) fn tell_watchers(&self) {
        wake_in_batches(|batch| {
            let mut line = self.line();
            let now = line.vacancies;
            tell_all_but(&mut line.watchers, now, batch)
        });
    }

    /// Counts one more sender.
    pub(super) fn add_sender(&self) {
        // ORDERING: Relaxed. The caller has one already, so the channel is not closed.
        self.senders.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts one more sender, unless there is none any more.
    pub(super) fn add_sender_if_open(&self) -> bool {
        let mut seen = self.senders.guess();
        while seen > 0 {
            // ORDERING: Relaxed. Nothing is read that another sender wrote. Failure runs again.
            match self.senders.compare_exchange_weak(
                seen,
                seen + 1,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return true,
                Err(actual) => seen = actual,
            }
        }
        false
    }

    /// Counts one sender less; after the last, all receivers in line are told.
    pub(super) fn remove_sender(&self) {
        // ORDERING: AcqRel. Release pairs with the Acquire in `senders`: what this one sent is
        // there for who sees none left. Acquire keeps the chain of all of them whole.
        if self.senders.fetch_sub(1, Ordering::AcqRel) > 1
            || planted!("broadcast.close_tells_nobody")
        {
            return;
        }
        wake_in_batches(|batch| {
            let mut line = self.line();
            tell_while(&mut line.waiters, |_| true, batch)
        });
    }

    /// Gives back a cell that its last reader has left.
    #[cold]
    pub(super) fn recycle(&self, cell: &Cell<T>) {
        if planted!("broadcast.cell_is_lost") {
            return;
        }
        let mut line = self.line();
        line.spare.push(NonNull::from(cell)); // there is room: see `spare_cell`
    }

    /// How many values somebody still wants. The caller holds the line.
    pub(super) fn kept(&self) -> usize {
        let tail = self.tail();
        // Receivers go from old to new, so those that nobody wants any more are the oldest.
        let (mut low, mut high) = (tail.saturating_sub(self.capacity as u64), tail);
        while low < high {
            let middle = low.midpoint(high);
            if self.cell(middle).is_full() {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        (tail - low) as usize
    }
}

impl<T> Line<T> {
    /// Lets those go that wait for a position before `tail` (I6).
    #[inline]
    fn tell(&mut self, tail: u64, batch: &mut WakeBatch) -> Progress {
        tell_all_but(&mut self.waiters, tail as usize, batch)
    }

    /// How many cells there are besides those that it began with.
    pub(super) fn added(&self) -> usize {
        self.added.len()
    }

    /// A cell for a place whose own is being read.
    #[cold]
    fn spare_cell(&mut self) -> NonNull<Cell<T>> {
        self.spare.pop().unwrap_or_else(|| {
            let cell = NonNull::from(Box::leak(Box::new(Cell::new())));
            self.added.push(cell);
            // No more cells are without a place than have been added: `recycle` does not allocate.
            self.spare.reserve(self.added.len());
            cell
        })
    }
}

/// Lets those in front go whose payload is another one.
fn tell_all_but(list: &mut WaitList, now: usize, batch: &mut WakeBatch) -> Progress {
    tell_while(list, |payload| payload != now, batch)
}

fn tell_while(
    list: &mut WaitList,
    is_told: impl Fn(usize) -> bool,
    batch: &mut WakeBatch,
) -> Progress {
    while list.front_payload().is_some_and(&is_told) {
        if batch.is_full() {
            return Progress::More;
        }
        if let Some(waker) = list.dismiss_front().flatten() {
            batch.push(waker);
        }
    }
    Progress::Finished
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        let line = self.line.lock();
        // Values are gone with the last receiver (I7), so the cells have nothing to drop.
        // SAFETY: leaked in `new`, and freed once, here: no end of the channel is left.
        drop(unsafe { Box::from_raw(self.cells.as_ptr()) });
        for cell in &line.added {
            // SAFETY: leaked in `spare_cell`; as above.
            drop(unsafe { Box::from_raw(cell.as_ptr()) });
        }
    }
}
