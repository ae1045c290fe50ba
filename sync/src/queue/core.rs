//! The waiting machine over any store: who waits for an item or for room, and what each is handed.
//!
//! The picture, the invariants (Q1 to Q7) and the proofs are in the module above. This file has the
//! line and the one way to act on it; the futures are in `get.rs`, `put.rs`, `reserve.rs` and `join.rs`.

use core::mem;
use core::pin::Pin;
use core::task::Waker;

use super::compare::{SendOn, SettleAgain};
use super::join::Zero;
use super::line::Line;
use super::node::Node;
use super::reentry;
use super::store::{Store, give_way};
use crate::name::Name;
use crate::planted;
use crate::shim::atomic::AtomicU64;
use crate::shim::diagnostic::AtomicUsize;
use crate::shim::{MODELLED, Mutex, MutexGuard, thread};
use crate::wait_list::{Identity, WaitList, WaitState, Waiter};
use crate::wake_batch::{Progress, WakeBatch, wake_in_batches};

/// How often a lock that somebody has is looked at before the thread waits for it.
const LOCK_LOOKS: usize = 6;

/// A store, and those who wait for it.
pub struct Core<T, S: Store<T>> {
    pub(crate) store: S,
    /// How many items are done with, above the flag `JOINERS` (`join.rs`).
    pub(super) done: AtomicU64,
    line: Mutex<Line<S::Inner>>,
    /// The thread that has the line, while a store that compares is at work. See `reentry.rs`.
    pub(super) owner: AtomicUsize,
    pub(crate) name: Name,
}

/// The line's lock, held.
pub(super) struct Locked<'a, T, S: Store<T>> {
    core: &'a Core<T, S>,
    line: MutexGuard<'a, Line<S::Inner>>,
}

/// How an attempt under the lock went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Attempt {
    /// Done: it has what it wanted.
    Served,
    /// Not now.
    Refused,
    /// Never again.
    Shut,
}

impl<T, S: Store<T>> Core<T, S> {
    crate::const_fn! {
        /// Nobody waits.
        pub(crate) const fn new(store: S, inner: S::Inner) -> Self {
            Self {
                store,
                done: AtomicU64::new(0),
                line: Mutex::new(Line::new(inner)),
                owner: AtomicUsize::new(0),
                name: Name::None,
            }
        }
    }

    /// Takes the lock of the line; the store is as it was.
    pub(super) fn lock(&self) -> Locked<'_, T, S> {
        if S::COMPARES {
            reentry::assert_outside(&self.owner);
        }
        let line = if MODELLED {
            self.line.lock()
        } else {
            self.line.try_lock().unwrap_or_else(|| self.lock_later())
        };
        if S::COMPARES {
            reentry::enter(&self.owner);
        }
        Locked { core: self, line }
    }

    /// Somebody has the lock: stays away for a moment, so that one thread does several turns while the
    /// line is in its cache. It has an end: whoever has the lock may have lost its processor.
    #[cold]
    #[inline(never)]
    fn lock_later(&self) -> MutexGuard<'_, Line<S::Inner>> {
        for _ in 0..LOCK_LOOKS {
            give_way();
            if let Some(line) = self.line.try_lock() {
                return line;
            }
        }
        self.line.lock()
    }

    /// How many wait for an item and for room, if that can be told without blocking.
    pub(crate) fn try_waiting(&self) -> Option<(usize, usize)> {
        let line = self.try_lock()?;
        Some((line.getters.len(), line.putters.len()))
    }

    /// For a look that must not block.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Line<S::Inner>>> {
        self.line.try_lock()
    }

    /// The one way to change anything but by a fast operation: holds the store, runs `first`, gives
    /// everybody what they are due, lets go of the store if it can, and wakes.
    ///
    /// `first` may push one waker. It runs once. What it returns is dropped if a waker panics: whoever
    /// takes an item puts it where a drop finds it.
    #[cold]
    pub(super) fn act<R>(&self, first: impl FnOnce(&mut Line<S::Inner>, &mut WakeBatch) -> R) -> R {
        let _again = S::COMPARES.then(|| SettleAgain(self));
        let mut batch = WakeBatch::new();
        let (answer, progress) = {
            let mut line = self.lock();
            self.hold(&mut line);
            let answer = first(&mut line, &mut batch);
            let progress = if S::COMPARES && thread::panicking() {
                Progress::Finished // by `SettleAgain`, since a second panic would end the process
            } else {
                self.settle(&mut line, &mut batch)
            };
            (answer, progress)
        };
        match progress {
            Progress::Finished => batch.wake(),
            Progress::More => self.go_on(&mut batch),
        }
        answer
    }

    /// Wakes a full batch, and then those who did not fit into it, also if a waker panics.
    #[cold]
    fn go_on(&self, full: &mut WakeBatch) {
        let mut is_first = true;
        wake_in_batches(|batch| {
            if mem::take(&mut is_first) {
                mem::swap(batch, full);
                return Progress::More;
            }
            let mut line = self.lock();
            self.hold(&mut line);
            self.settle(&mut line, batch)
        });
    }

    /// Gives everybody what they are due. The store is held (Q1).
    #[inline(always)]
    pub(super) fn settle(&self, line: &mut Line<S::Inner>, batch: &mut WakeBatch) -> Progress {
        // What is left of most acts: a getter that just has lined up, or nobody.
        let nobody_is_due = line.putters.is_empty()
            && (line.getters.is_empty()
                || !line.is_shut && !self.store.has_items_held(&line.inner));
        if nobody_is_due {
            self.release(line);
            return Progress::Finished;
        }
        self.settle_those_who_wait(line, batch)
    }

    #[inline(never)]
    fn settle_those_who_wait(&self, line: &mut Line<S::Inner>, batch: &mut WakeBatch) -> Progress {
        loop {
            if batch.is_full() {
                return Progress::More; // still held, so nobody gets in between but by the lock
            }
            let served = self.serve_getter(line, batch)
                || !line.putters.is_empty()
                    && !line.is_shut
                    && self.has_room(line)
                    && !planted!("queue.get_admits_nobody")
                    && self.admit_putter(line, batch);
            if !served {
                break;
            }
        }
        while line.is_shut {
            if batch.is_full() {
                return Progress::More;
            }
            // Whoever is dismissed looks again by itself.
            let Some(waker) = line
                .putters
                .dismiss_front()
                .or_else(|| line.getters.dismiss_front())
            else {
                break;
            };
            waker.into_iter().for_each(|waker| batch.push(waker));
            if planted!("queue.shutdown_tells_one") {
                break;
            }
        }
        self.release(line);
        Progress::Finished
    }

    /// Hands an item to the front getter. False if there is none of either.
    fn serve_getter(&self, line: &mut Line<S::Inner>, batch: &mut WakeBatch) -> bool {
        let Some(address) = line.getters.front_payload() else {
            return false;
        };
        if !self.store.has_items_held(&line.inner) {
            return false;
        }
        let sends_on = SendOn::<S, T>::new(&mut line.getters, batch);
        let Some(item) = self.store.pop_held(&mut line.inner) else {
            sends_on.forget();
            return false;
        };
        sends_on.forget();
        // SAFETY: the payload of a getter in this list is the address of its place (see `enlist_getter`),
        // and the list is in hand.
        let before =
            unsafe { Node::<(u64, T)>::with_place_at(address, |place| place.replace(item)) };
        debug_assert!(before.is_none(), "a getter that waits has nothing yet");
        push(batch, line.getters.grant_front());
        line.is_lively = true;
        true
    }

    /// Lets the front putter in: its value, or the slot that it waits for. There is room. False if
    /// nobody waits for it.
    fn admit_putter(&self, line: &mut Line<S::Inner>, batch: &mut WakeBatch) -> bool {
        match line.putters.front_payload() {
            None => return false,
            Some(0) => line.reserved += 1,
            Some(address) => {
                let sends_on = SendOn::<S, T>::new(&mut line.putters, batch);
                // SAFETY: the payload of a putter with a value is the address of its place (see
                // `enlist_putter`), and the list is in hand.
                let pushed = unsafe {
                    Node::<T>::with_place_at(address, |place| {
                        self.store.push_held(&mut line.inner, place)
                    })
                };
                assert!(pushed.is_ok(), "there is room for a putter that is let in");
                sends_on.forget();
            }
        }
        push(batch, line.putters.grant_front());
        line.is_lively = true;
        true
    }

    /// Whether one more may come in (Q4).
    fn has_room(&self, line: &Line<S::Inner>) -> bool {
        self.store
            .has_room_held(&line.inner, line.reserved, line.getters.len())
    }

    /// Takes the next item, for one who does not wait. Nobody who waits is passed by (Q5).
    #[inline(always)]
    pub(super) fn take(
        &self,
        line: &mut Line<S::Inner>,
        batch: &mut WakeBatch,
    ) -> Option<(u64, T)> {
        if !line.getters.is_empty() {
            return None;
        }
        if self.store.has_items_held(&line.inner) {
            return self.store.pop_held(&mut line.inner);
        }
        if line.putters.is_empty() {
            return None;
        }
        self.take_from_putter(line, batch)
    }

    /// The same, if there is no item but somebody who waits for room.
    #[inline(never)]
    fn take_from_putter(
        &self,
        line: &mut Line<S::Inner>,
        batch: &mut WakeBatch,
    ) -> Option<(u64, T)> {
        // Without a place of its own the queue is fed by the taker: by one with a value, since who
        // wants a slot has nothing to give yet, and waits for a getter that waits.
        let has_value = line
            .putters
            .front_payload()
            .is_some_and(|address| address != 0);
        let feeds = has_value && self.store.capacity() == Some(0) && !line.is_shut;
        if feeds && self.admit_putter(line, batch) {
            return self.store.pop_held(&mut line.inner);
        }
        None
    }

    /// Puts a value in, for one who does not wait. Nobody who waits is passed by (Q5).
    #[inline(always)]
    pub(super) fn admit(
        &self,
        line: &mut Line<S::Inner>,
        value: &mut Option<T>,
        batch: &mut WakeBatch,
    ) -> Attempt {
        if line.is_shut {
            return Attempt::Shut;
        }
        if self.hand_over(line, value, batch) {
            return Attempt::Served;
        }
        self.admit_to_store(line, value)
    }

    /// The same, if nobody takes it from hand to hand.
    #[inline(never)]
    fn admit_to_store(&self, line: &mut Line<S::Inner>, value: &mut Option<T>) -> Attempt {
        let pushed = line.putters.is_empty()
            && self.has_room(line)
            && self.store.push_held(&mut line.inner, value).is_ok();
        if pushed {
            Attempt::Served
        } else {
            Attempt::Refused
        }
    }

    /// Gives a value to the front getter, past the store, which is empty while somebody waits for an item
    /// (Q2). False if nobody does, or if others come before: a putter in line, a slot.
    #[inline(always)]
    fn hand_over(
        &self,
        line: &mut Line<S::Inner>,
        value: &mut Option<T>,
        batch: &mut WakeBatch,
    ) -> bool {
        let Some(address) = line.getters.front_payload() else {
            return false;
        };
        if !line.putters.is_empty() || line.reserved > 0 || batch.is_full() {
            return false;
        }
        let Some(value) = value.take() else {
            return false;
        };
        let number = self.store.pass(&mut line.inner);
        // SAFETY: as in `serve_getter`.
        let before = unsafe {
            Node::<(u64, T)>::with_place_at(address, |place| place.replace((number, value)))
        };
        debug_assert!(before.is_none(), "a getter that waits has nothing yet");
        push(batch, line.getters.grant_front());
        line.is_lively = true;
        true
    }

    /// Takes a place for a slot.
    pub(super) fn take_place(&self, line: &mut Line<S::Inner>) -> Attempt {
        if line.is_shut {
            return Attempt::Shut;
        }
        if !line.putters.is_empty() || !self.has_room(line) {
            return Attempt::Refused;
        }
        line.reserved += 1;
        Attempt::Served
    }

    /// An item of somebody who does not want it any more: it stands where it stood.
    pub(super) fn give_back(&self, item: (u64, T)) {
        if planted!("queue.cancel_swallows_item") {
            return;
        }
        self.act(|line, _| self.store.put_back(&mut line.inner, item.0, item.1));
    }

    pub(super) fn hold(&self, line: &mut Line<S::Inner>) {
        if !line.is_held && !planted!("queue.act_without_hold") {
            self.store.hold();
        }
        line.is_held = true;
    }

    /// Back to the fast mode, if nothing speaks against it (Q1), and nobody was served just now: whoever
    /// was is likely to wait again soon, and to hold and release the store costs more than the lock.
    #[inline]
    fn release(&self, line: &mut Line<S::Inner>) {
        if mem::take(&mut line.is_lively) {
            return;
        }
        let somebody_waits = !line.getters.is_empty() || !line.putters.is_empty();
        let must_stay = line.is_shut
            || (somebody_waits && !planted!("queue.release_while_somebody_waits"))
            || (line.reserved > 0 && !planted!("queue.release_while_reserved"))
            || self.store.must_stay_held(&line.inner);
        if !must_stay && line.is_held {
            line.is_held = false;
            self.store.release();
        }
    }

    /// Nothing goes in any more. Returns at once; putters get their values back, getters drain.
    pub(crate) fn shut_down(&self) {
        self.act(|line, _| line.is_shut = true);
    }

    /// Nothing goes in any more, and what is there is taken out and counts as done.
    ///
    /// Two acts: if a waker panics in the first, the items are still there.
    pub(crate) fn shut_down_now(&self) -> Vec<T> {
        self.shut_down();
        let mut items = Vec::new();
        let mut zero = Zero::new(self);
        self.act(|line, _| {
            while let Some((_, item)) = self.store.pop_held(&mut line.inner) {
                items.push(item);
                zero.touched = self.count_done().or(zero.touched);
            }
        });
        drop(zero);
        items
    }

    pub(crate) fn is_shut_down(&self) -> bool {
        self.lock().is_shut
    }

    /// Whether [`take`](Self::take) and [`admit`](Self::admit) would refuse for want of room.
    pub(crate) fn is_full(&self) -> bool {
        let Some(capacity) = self.store.capacity() else {
            return false;
        };
        self.store.len() >= capacity || {
            // Fast operations may go on meanwhile: `len_held` would not be exact.
            let reserved = self.lock().reserved;
            reserved > 0 && self.store.len() + reserved >= capacity
        }
    }

    /// Waits on with another waker; false if the wait is over.
    pub(super) fn change_waker(
        &self,
        list: impl FnOnce(&mut Line<S::Inner>) -> &mut WaitList,
        mut waiter: Pin<&mut Waiter>,
        waker: &Waker,
    ) -> bool {
        if waiter.as_mut().is_registered(waker) {
            return true;
        }
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let old = list(&mut self.lock()).set_waker(waiter.as_mut(), identity, waker);
        drop(old); // outside the lock
        waiter.state() == WaitState::Waiting
    }
}

/// Collects the waker of one who was taken out of a list.
pub(super) fn push(batch: &mut WakeBatch, granted: Option<Option<Waker>>) {
    granted
        .flatten()
        .into_iter()
        .for_each(|waker| batch.push(waker));
}

impl<T, S: Store<T>> core::ops::Deref for Locked<'_, T, S> {
    type Target = Line<S::Inner>;

    fn deref(&self) -> &Self::Target {
        &self.line
    }
}

impl<T, S: Store<T>> core::ops::DerefMut for Locked<'_, T, S> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.line
    }
}

impl<T, S: Store<T>> Drop for Locked<'_, T, S> {
    fn drop(&mut self) {
        if S::COMPARES {
            reentry::leave(&self.core.owner);
        }
    }
}
