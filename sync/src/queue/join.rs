//! Counting what is done with, and waiting until that is everything.
//!
//! Nothing is counted when an item is put: the store numbers its items anyway. So the unfinished are
//! the pushed less the done, two words that different people change, and the question is what "zero"
//! means when both move.
//!
//! ```text
//!   done: | how many are done with | JOINERS |      JOINERS: somebody waits in `line.joiners`
//! ```
//!
//! # A joiner is released exactly when the count touches zero
//!
//! `task_done` reads the word, then how many were pushed (*p*), then exchanges the word for *d* done. If
//! *p* is *d*, the count was zero for it: a push that it has not seen is concurrent, and comes after.
//! But a joiner may have lined up after that push, and is not to be released by an older zero. So
//! each joiner notes how many were pushed when it lined up (*born*), and the zero at *d* releases those
//! with *born* not above *d*. They are at the front: *born* grows along the line.
//!
//! A joiner sets JOINERS in an exchange of the very word in which it found the count above zero, with
//! the lock in hand. A `task_done` before that exchange makes it fail, and the joiner looks again; one
//! after it finds JOINERS, and locks. JOINERS is cleared under the lock when nobody is left.
//!
//! Whoever is done with an item finds its push counted: it got the item from the push. And it finds
//! the pushes of the others who are done counted, because it acquires the word that they released. So
//! `TooMany` is told to nobody who has an item that is not done with.
//!
//! Rejected: a counter that `put` increments. It would be a second contended read-modify-write for each
//! item, and a join is rare.
//!
//! Tests: `sync/tests/queue_join.rs`, `sync/tests/models/queue.rs`.

use core::fmt;
use core::future::Future;
use core::marker::PhantomData;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::core::Core;
use super::error::TooMany;
use super::line::Line;
use super::store::Store;
use super::{AnyQueue, Queue};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::shim::Guess;
use crate::shim::atomic::{Ordering, fence};
use crate::wait_list::{Identity, Left, WaitState, Waiter};
use crate::wake_batch::{Progress, wake_in_batches};

const JOINERS: u64 = 1;
const ONE: u64 = 2;

/// Waits until every item that was put is done with. See [`Queue::join`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Join<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    waiter: Waiter,
    _items: PhantomData<fn() -> T>,
}

impl<'a, T, Q: AnyQueue<T>> Join<'a, T, Q> {
    #[inline]
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self {
            queue,
            waiter: Waiter::new(),
            _items: PhantomData,
        }
    }

    #[inline]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Join` is not `Unpin`
        // because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<T, Q: AnyQueue<T>> Future for Join<'_, T, Q> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let core = self.queue.core();
        let mut waiter = self.waiter();
        loop {
            match waiter.state() {
                WaitState::Idle => {
                    if core.line_up_joiner(waiter.as_mut(), cx.waker()) {
                        break;
                    }
                    waiter.as_mut().secure();
                }
                WaitState::Waiting => {
                    if core.change_waker(|line| &mut line.joiners, waiter.as_mut(), cx.waker()) {
                        break;
                    }
                }
                WaitState::Granted | WaitState::Dismissed => {
                    if budget::poll_spend(cx).is_pending() {
                        return Poll::Pending;
                    }
                    waiter.finish();
                    return Poll::Ready(());
                }
                WaitState::Done => super::completed(),
            }
        }
        notes::waiting_on(WaitKind::Queue, core, &core.name, Wants::AllDone);
        Poll::Pending
    }
}

impl<T, Q: AnyQueue<T>> Drop for Join<'_, T, Q> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.state() == WaitState::Waiting {
            let core = self.queue.core();
            // SAFETY: a future that is dropped is not moved any more.
            core.abandon_joiner(unsafe { Pin::new_unchecked(self) }.waiter());
        }
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for Join<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Join")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

/// A zero that was counted under the lock. Dropped without it, also by a panic, it lets the joiners go.
pub(super) struct Zero<'a, T, S: Store<T>> {
    core: &'a Core<T, S>,
    /// With so many done.
    pub(super) touched: Option<u64>,
}

impl<'a, T, S: Store<T>> Zero<'a, T, S> {
    pub(super) fn new(core: &'a Core<T, S>) -> Self {
        Self {
            core,
            touched: None,
        }
    }
}

impl<T, S: Store<T>> Drop for Zero<'_, T, S> {
    fn drop(&mut self) {
        if !planted!("queue.shutdown_tells_no_joiner") {
            self.core.release_joiners(self.touched);
        }
    }
}

impl<T, S: Store<T>> Core<T, S> {
    /// How many were put and are not done with, at some moment not long ago.
    pub(crate) fn unfinished(&self) -> usize {
        // ORDERING: Acquire pairs with the exchange in `try_count_done`: those pushed are not fewer.
        let done = self.done.load(Ordering::Acquire) / ONE;
        let unfinished = self.store.pushed().saturating_sub(done);
        usize::try_from(unfinished).unwrap_or(usize::MAX)
    }

    /// One item more is done with.
    #[inline]
    pub(crate) fn task_done(&self) -> Result<(), TooMany> {
        let touched = self.try_count_done()?;
        self.release_joiners(touched);
        Ok(())
    }

    /// As [`task_done`](Self::task_done), of an item that the caller took out; the joiners of the zero
    /// that it returns are still to be released.
    pub(super) fn count_done(&self) -> Option<u64> {
        self.try_count_done().unwrap_or(None)
    }

    /// Counts one. `Some`: joiners wait, and the count touched zero with so many done.
    #[inline]
    fn try_count_done(&self) -> Result<Option<u64>, TooMany> {
        let mut seen = self.done.guess();
        loop {
            // ORDERING: the fence makes the guess, or the failed exchange, an Acquire: it pairs with the
            // exchange below by others, so that `pushed` counts what they were done with.
            fence(Ordering::Acquire);
            let pushed = self.store.pushed();
            let done = seen / ONE + 1;
            if pushed < done {
                return Err(TooMany);
            }
            let release = if planted!("queue.relaxed_done") {
                Ordering::Relaxed
            } else {
                Ordering::AcqRel
            };
            // ORDERING: AcqRel. Release pairs with the fence above and the load in `line_up_joiner`: what
            // was done with the item is visible to the joiner. Acquire takes over what others released,
            // for the joiners that this one may release. Failure is Relaxed because of the fence.
            match self
                .done
                .compare_exchange_weak(seen, seen + ONE, release, Ordering::Relaxed)
            {
                Ok(_) => {
                    let touched = seen & JOINERS != 0 && pushed == done;
                    return Ok(touched.then_some(done));
                }
                Err(actual) => seen = actual,
            }
        }
    }

    /// Lets those joiners go that were there when the count touched zero with so many done.
    #[inline]
    fn release_joiners(&self, touched: Option<u64>) {
        if let Some(done) = touched {
            self.release_joiners_of(done);
        }
    }

    #[cold]
    fn release_joiners_of(&self, done: u64) {
        wake_in_batches(|batch| {
            let mut line = self.lock();
            while let Some(born) = line.joiners.front_payload() {
                let later = (born as isize).wrapping_sub(done as isize) > 0;
                if later && !planted!("queue.old_zero_releases_new_joiners") {
                    break;
                }
                if batch.is_full() {
                    return Progress::More;
                }
                let waker = line.joiners.dismiss_front().flatten();
                waker.into_iter().for_each(|waker| batch.push(waker));
            }
            self.clear_joiners(&line);
            Progress::Finished
        });
    }

    /// Clears the flag if nobody is left, with the lock in hand.
    fn clear_joiners<I>(&self, line: &Line<I>) {
        if line.joiners.is_empty() {
            // ORDERING: AcqRel keeps the chain from one `task_done` to the next whole.
            self.done.fetch_and(!JOINERS, Ordering::AcqRel);
        }
    }

    /// Puts a joiner in line; false if there is nothing to wait for.
    #[cold]
    fn line_up_joiner(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.lock();
        let _newest = self.done.guess();
        let pushed = loop {
            // ORDERING: Acquire pairs with the exchange in `try_count_done`, so the joiner sees what was
            // done with the items. Not older than the guess, or what the failed exchange saw; a load and
            // not a fence, so that a sanitizer sees it.
            let seen = self.done.load(Ordering::Acquire);
            let pushed = self.store.pushed();
            if pushed <= seen / ONE {
                return false; // the waker goes after the lock
            }
            if planted!("queue.join_without_recheck") {
                // ORDERING: AcqRel as below; what is wrong is that nothing is compared.
                self.done.fetch_or(JOINERS, Ordering::AcqRel);
                break pushed;
            }
            // ORDERING: AcqRel keeps the chain whole. Failure is Relaxed because of the load.
            let marked = self.done.compare_exchange_weak(
                seen,
                seen | JOINERS,
                Ordering::AcqRel,
                Ordering::Relaxed,
            );
            if marked.is_ok() {
                break pushed;
            }
        };
        // SAFETY: (a) `abandon_joiner` runs in the drop of the future; (b) the waiter is given to the
        // joiners of this line and nothing else; (c) the future borrows the queue.
        unsafe {
            line.joiners
                .enlist(waiter, pushed as usize, identity, Some(waker));
        };
        true
    }

    #[cold]
    fn abandon_joiner(&self, waiter: Pin<&mut Waiter>) {
        let left: Left;
        {
            let mut line = self.lock();
            left = line.joiners.leave(waiter);
            self.clear_joiners(&line);
        }
        drop(left); // a waker, outside the lock
    }
}
