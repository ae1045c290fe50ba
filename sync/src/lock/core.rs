//! The lock without its data: the word, the line, and how a turn goes from one to the next.
//!
//! The invariants and the proof that no turn is lost are in the module above.

use core::num::NonZeroU64;
use core::pin::Pin;
use core::task::{Poll, Waker};

use super::state::{self, LineUp, Look, Place};
use crate::current;
use crate::foreign::is_foreign;
use crate::holders;
use crate::name::Name;
use crate::owner::Owner;
use crate::planted;
use crate::shim::atomic::{AtomicU8, Ordering};
use crate::shim::{Guess, Mutex, MutexGuard};
use crate::wait_list::{Identity, WaitList, Waiter};
use crate::wake_batch::WakeBatch;

pub(crate) struct Core {
    word: AtomicU8,
    /// Who took it, if it is taken.
    owner: Owner,
    line: Mutex<Line>,
    pub(super) name: Name,
}

/// The lock on its way to a waiter. It is freed if a waker panics meanwhile.
struct Held<'a>(&'a Core);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.release();
    }
}

/// In a waiter's payload: it waits with a waker that is not its task's.
const FOREIGN: usize = 1;

/// What the line keeps of one who waits with this waker: [`FOREIGN`] or nothing.
pub(crate) fn payload(waker: &Waker) -> usize {
    usize::from(is_foreign(waker)) * FOREIGN
}

/// What the line's lock guards.
pub(crate) struct Line {
    pub(crate) waiters: WaitList,
    /// How many of them are [`FOREIGN`].
    foreign: usize,
    /// The most that ever waited at once.
    pub(super) peak: usize,
}

impl Core {
    crate::const_fn! {
        pub(super) const fn new(flags: u8) -> Self {
            Self {
                word: AtomicU8::new(flags),
                owner: Owner::new(),
                line: Mutex::new(Line { waiters: WaitList::new(), foreign: 0, peak: 0 }),
                name: Name::None,
            }
        }
    }

    /// Takes the lock without waiting: one exchange.
    #[inline]
    pub(super) fn take(&self) -> bool {
        let mut seen = self.word.guess();
        while let Some(next) = state::take(seen) {
            // ORDERING: Acquire pairs with the Release in `release`: what was done under the lock is
            // visible. Failure is Relaxed because `state::take` runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return true,
                Err(actual) => seen = actual,
            }
        }
        false
    }

    /// Notes who has taken the lock: a task, or zero.
    #[inline(always)]
    pub(super) fn own(&self, task: u64) {
        self.owner.set(task);
    }

    /// Lets a deadlock report know who holds the lock, while somebody is in line for it.
    #[inline]
    fn say_who_holds(&self, line: &Line) {
        holders::write_down(self, || {
            let is_waited_for = !line.waiters.is_empty();
            is_waited_for.then(|| self.holder().1).flatten()
        });
    }

    /// Frees the lock: one exchange, or if somebody is in line, after a look at it.
    #[inline]
    pub(super) fn release(&self) {
        let release = if planted!("lock.relaxed_release") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        let mut seen = self.word.guess();
        while let Some(next) = state::release(seen) {
            // ORDERING: Release pairs with the Acquire in `take` and in `exchange`: what was done
            // under the lock is visible to the next. Failure is Relaxed because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
        self.release_to_line();
    }

    #[cold]
    fn release_to_line(&self) {
        let mut batch = WakeBatch::new();
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        loop {
            let next = state::release_to_line(seen);
            match self.exchange(seen, next) {
                Ok(()) if next & state::WOKEN != 0 => {
                    line.wake_front(&mut batch);
                    break;
                }
                Ok(()) => break,
                Err(actual) => seen = actual,
            }
        }
        self.say_who_holds(&line);
        drop(line);
        batch.wake_all();
    }

    fn exchange(&self, seen: u8, next: u8) -> Result<(), u8> {
        // ORDERING: AcqRel. Acquire as in `take`, Release as in `release`; on the way of a word that
        // neither takes nor frees it keeps the chain whole. Failure is Relaxed because the caller's
        // step runs again.
        self.word
            .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            .map(drop)
    }

    /// Takes the lock after all (true), or puts the waiter at the end of the line.
    ///
    /// # Safety
    ///
    /// (a), (b) and (c) of the wait list's contract; the list is that of this lock.
    pub(super) unsafe fn line_up(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let payload = payload(&waker);
        let mut line = self.line.lock();
        let place = line.place_of(&identity);
        let mut seen = self.word.guess();
        loop {
            let (next, taken) = match state::line_up(seen, place) {
                LineUp::Taken(next) => (next, true),
                LineUp::Enlist(next) => (next, false),
            };
            if planted!("lock.line_up_without_recheck") && !taken {
                // ORDERING: AcqRel as in `exchange`; what is wrong is that nothing is compared.
                self.word
                    .fetch_or(state::WAITERS | state::RESERVED, Ordering::AcqRel);
                break;
            }
            match self.exchange(seen, next) {
                Ok(()) if taken => {
                    drop(line);
                    let held = Held(self);
                    drop(waker);
                    core::mem::forget(held);
                    return true;
                }
                Ok(()) => break,
                Err(actual) => seen = actual,
            }
        }
        // SAFETY: (a), (b) and (c) by the contract of this function.
        unsafe { line.waiters.enlist(waiter, payload, identity, Some(waker)) };
        line.arrived(payload);
        self.say_who_holds(&line);
        false
    }

    /// Gives back the lock that the caller has just taken, for a place in line: its budget is spent.
    /// Kept, the lock would stop another future of this task for ever, if the task polls only that one
    /// from now on.
    ///
    /// # Safety
    ///
    /// As of [`line_up`](Self::line_up).
    #[cold]
    pub(super) unsafe fn postpone(&self, waiter: Pin<&mut Waiter>, waker: &Waker) {
        let held = Held(self); // a clone of the waker may panic
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let payload = payload(&waker);
        let mut line = self.line.lock();
        // SAFETY: (a), (b) and (c) by the contract of this function.
        unsafe { line.waiters.enlist(waiter, payload, identity, Some(waker)) };
        line.arrived(payload);
        if !planted!("lock.postpone_without_saying") {
            self.say_that_some_came();
        }
        drop(line);
        drop(held); // wakes the front, which may be this one
    }

    /// Sets the flags of a line that is not empty, under its lock, while the lock is held.
    fn say_that_some_came(&self) {
        let mut seen = self.word.guess();
        while let Err(actual) = self.exchange(seen, state::append(seen)) {
            seen = actual;
        }
    }

    /// Looks whether it is the turn of a waiter in line. Ready: it is granted, and holds the lock.
    ///
    /// If it is its turn and the budget is spent, it stays in line and wakes itself: WOKEN is still set,
    /// and it owes its look still.
    pub(crate) fn poll_turn(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Poll<()> {
        let identity = Identity::of(waker);
        let mut spare: Option<Waker> = None;
        let (mut is_paid, mut is_in_place) = (false, false);
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        loop {
            let place = if line.waiters.is_front(waiter.as_mut()) {
                Place::Front
            } else {
                line.place_of(&identity)
            };
            match state::look(seen, place, line.waiters.len() > 1) {
                Look::Claim(next) => {
                    is_paid = is_paid || current::spend();
                    let next = if is_paid {
                        line.planted_claim(next)
                    } else {
                        state::put_off(seen)
                    };
                    match self.exchange(seen, next) {
                        Ok(()) if !is_paid => {
                            drop(line);
                            drop(spare);
                            if !planted!("lock.put_off_without_coming_back") {
                                waker.wake_by_ref();
                            }
                            return Poll::Pending;
                        }
                        Ok(()) => {
                            self.own(current::task_number());
                            line.leaves(waiter.as_mut());
                            let old = line.waiters.claim(waiter);
                            self.say_who_holds(&line);
                            drop(line);
                            drop((old, spare)); // user code, outside the line's lock
                            return Poll::Ready(());
                        }
                        Err(actual) => seen = actual,
                    }
                }
                Look::Wait(next) => {
                    // The waker is in place before the word says that nobody owes a look (I3). It may not
                    // be known again there, if its clone is another waker.
                    is_in_place =
                        is_in_place || line.waiters.has_waker(waiter.as_mut(), waker, &identity);
                    if !is_in_place {
                        let Some(new) = spare.take() else {
                            drop(line);
                            spare = Some(waker.clone());
                            line = self.line.lock();
                            seen = self.word.guess();
                            continue;
                        };
                        spare = line.change_waker(waiter.as_mut(), identity, new);
                        is_in_place = true;
                    }
                    match self.exchange(seen, planted_wait(seen, next)) {
                        Ok(()) => {
                            self.say_who_holds(&line);
                            drop(line);
                            drop(spare);
                            return Poll::Pending;
                        }
                        Err(actual) => seen = actual,
                    }
                }
            }
        }
    }

    /// Takes a waiter out of the line that does not want its turn; the next one is woken if it had it.
    #[cold]
    pub(crate) fn leave_line(&self, mut waiter: Pin<&mut Waiter>) {
        let mut batch = WakeBatch::new();
        let mut line = self.line.lock();
        let was_front = line.waiters.is_front(waiter.as_mut());
        line.leaves(waiter.as_mut());
        let left = line.waiters.leave(waiter);
        let others = !line.waiters.is_empty();
        let mut seen = self.word.guess();
        loop {
            let (next, wakes) = match state::leave(seen, was_front, others) {
                state::Leave::Quiet(next) => (next, false),
                state::Leave::WakeFront(next) => (next, true),
            };
            match self.exchange(seen, next) {
                Ok(()) if wakes && !planted!("lock.cancel_swallows_turn") => {
                    line.wake_front(&mut batch);
                    break;
                }
                Ok(()) => break,
                Err(actual) => seen = actual,
            }
        }
        self.say_who_holds(&line);
        drop(line);
        drop(left); // a waker, outside the line's lock
        batch.wake_all();
    }

    /// Moves up to `count` waiters of another list to the end of the line. Returns how many.
    ///
    /// # Safety
    ///
    /// As of [`WaitList::move_front_to`]; and while this runs the caller holds the lock, or has a waiter
    /// in line, so that whoever frees the lock or leaves the line next looks at those who came.
    pub(crate) unsafe fn append(&self, from: &mut WaitList, count: usize) -> usize {
        let mut line = self.line.lock();
        let mut moved = 0;
        while moved < count {
            let Some(payload) = from.front_payload() else {
                break;
            };
            // SAFETY: by the contract of this function.
            unsafe { from.move_front_to(&mut line.waiters) };
            line.arrived(payload);
            moved += 1;
        }
        if moved > 0 && !planted!("condition.move_without_saying") {
            self.say_that_some_came();
        }
        self.say_who_holds(&line);
        moved
    }

    /// Whether [`take`](Self::take) would fail, at this moment.
    pub(super) fn is_locked(&self) -> bool {
        // ORDERING: Relaxed. An answer that is out of date when it arrives.
        state::take(self.word.load(Ordering::Relaxed)).is_none()
    }

    /// Which task holds the lock, if one does, and [`is_locked`](Self::is_locked) of the same moment.
    pub(super) fn holder(&self) -> (bool, Option<NonZeroU64>) {
        // ORDERING: Relaxed. As `is_locked`.
        let word = self.word.load(Ordering::Relaxed);
        let owner = (word & state::LOCKED != 0).then(|| self.owner.get());
        (state::take(word).is_none(), owner.flatten())
    }

    pub(super) fn is_barging(&self) -> bool {
        // ORDERING: Relaxed. Never changes.
        self.word.load(Ordering::Relaxed) & state::BARGING != 0
    }

    pub(super) fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock()
    }

    pub(super) fn try_line(&self) -> Option<MutexGuard<'_, Line>> {
        self.line.try_lock()
    }
}

impl Line {
    /// Whose turn it is, for one who is not the front.
    fn place_of(&self, identity: &Identity) -> Place {
        match self.waiters.front_identity() {
            Some(front) if front.same_task(identity) => Place::SameTask,
            _ => Place::Behind,
        }
    }

    /// Collects the waker of the front, and of those waits of the same task that it would not reach.
    fn wake_front(&mut self, batch: &mut WakeBatch) {
        let waker = self.waiters.take_front_waker();
        // Without a waker the front was woken before and has not looked since: it is a wait that its
        // task has stopped polling. Then its task's other waits may be all that is polled.
        let unreached = self.foreign > 0 || waker.is_none();
        if let Some(waker) = waker {
            batch.push(waker);
        }
        if unreached && !planted!("lock.only_the_front_is_woken") {
            self.waiters.take_wakers_like_front(batch);
        }
    }

    fn arrived(&mut self, payload: usize) {
        self.foreign += payload & FOREIGN;
        self.peak = self.peak.max(self.waiters.len());
    }

    /// A waiter is about to be taken out.
    fn leaves(&mut self, waiter: Pin<&mut Waiter>) {
        self.foreign -= self.waiters.payload(waiter) & FOREIGN;
    }

    /// Gives a waiter another waker, and returns the old one.
    fn change_waker(
        &mut self,
        mut waiter: Pin<&mut Waiter>,
        identity: Identity,
        waker: Waker,
    ) -> Option<Waker> {
        let payload = payload(&waker);
        self.leaves(waiter.as_mut());
        self.waiters.set_payload(waiter.as_mut(), payload);
        self.foreign += payload & FOREIGN;
        self.waiters.set_waker(waiter, identity, waker)
    }

    fn planted_claim(&self, next: u8) -> u8 {
        if planted!("lock.last_in_line_keeps_flags") {
            next | state::WAITERS | state::RESERVED
        } else {
            next
        }
    }
}

fn planted_wait(seen: u8, next: u8) -> u8 {
    if planted!("lock.a_loser_keeps_the_wake") {
        next | (seen & state::WOKEN)
    } else {
        next
    }
}
