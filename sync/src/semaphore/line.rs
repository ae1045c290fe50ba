//! How permits leave the word, come home to it, and reach those in line.
//!
//! The invariants (I1 to I5) and the proof that no permit is left lying are in the module above.

use core::task::Waker;

use super::Semaphore;
use super::state::{self, Serve, Take};
use crate::error::TryAcquireError;
use crate::planted;
use crate::shim::Guess;
use crate::shim::atomic::Ordering;
use crate::wait_list::WaitList;
use crate::wake_batch::{CAPACITY, Progress, WakeBatch, wake_in_batches};

/// How far a waiter looks for others of its task.
pub(super) const KIN_DEPTH: usize = 16;

const _: () = assert!(
    KIN_DEPTH < CAPACITY,
    "a batch has room for one grant and its kin"
);

/// What the lock guards.
pub(super) struct Line {
    /// Those who wait for permits; a payload is the number wanted.
    pub(super) waiters: WaitList,
    /// Those who have been called: their permits are out of the word, and theirs when they come.
    pub(super) called: WaitList,
    /// Somebody has lined up, since the line was empty, with a waker that is not its task's own.
    pub(super) foreign: bool,
    /// The most that ever waited at once.
    pub(super) peak: usize,
    /// I5. Kept up for bounded semaphores only.
    pub(super) total: usize,
}

impl Line {
    crate::const_fn! {
        /// Nobody in line, and `permits` permits in the world.
        pub(super) const fn new(permits: usize) -> Self {
            Self {
                waiters: WaitList::new(),
                called: WaitList::new(),
                foreign: false,
                peak: 0,
                total: permits,
            }
        }
    }
}

impl Line {
    /// Tells the front that its permits are there. If that wake may not reach the wait that its task
    /// polls, others of the task are woken along.
    fn call_front(&mut self, wanted: usize, batch: &mut WakeBatch) {
        let Some(passed) = self.waiters.pass_front(&mut self.called, wanted) else {
            return;
        };
        // Without a waker it was woken before and has not looked since.
        let unreached = self.foreign || passed.waker.is_none();
        if let Some(waker) = passed.waker {
            batch.push(waker);
        }
        if unreached && !planted!("semaphore.only_the_front_is_woken") {
            self.waiters
                .wakers_of_task(&passed.identity, KIN_DEPTH, batch);
        }
    }

    /// Somebody lines up, or waits on, with this waker.
    pub(super) fn heed(&mut self, waker: &Waker) {
        self.foreign |= crate::lock::core::payload(waker) != 0;
    }
}

impl Semaphore {
    /// Takes permits without waiting: one exchange.
    #[inline]
    pub(super) fn take(&self, count: usize) -> Result<(), TryAcquireError> {
        let mut seen = self.word.guess();
        loop {
            let next = match state::take(seen, count) {
                Take::Taken(next) => next,
                Take::Short => return Err(TryAcquireError::NoPermits),
                Take::Closed => return Err(TryAcquireError::Closed),
            };
            // ORDERING: Acquire pairs with the Release in `put`: what was done under the permit
            // is visible. Failure is Relaxed because `state::take` runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return Ok(()),
                Err(actual) => seen = actual,
            }
        }
    }

    /// Puts permits back: one exchange, or if there is a line, into the hands of its front.
    #[inline]
    pub(super) fn put(&self, count: usize) {
        let release = if planted!("semaphore.relaxed_put") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        let mut seen = self.word.guess();
        while seen & state::WAITERS == 0 {
            let next = state::put(seen, count);
            // ORDERING: Release pairs with the Acquire in `take` and in `serve_some`: what was
            // done under the permit is visible to the next one to hold it. Failure is Relaxed
            // because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
        self.serve_line(count);
    }

    /// One exchange on the word; `None` if `step` refuses. Returns the word before.
    pub(super) fn update(&self, step: impl Fn(usize) -> Option<usize>) -> Option<usize> {
        let mut seen = self.word.guess();
        loop {
            let next = step(seen)?;
            // ORDERING: AcqRel takes over and passes on what others did under the permits in the
            // word. Failure is Relaxed because `step` runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => return Some(seen),
                Err(actual) => seen = actual,
            }
        }
    }

    /// Hands out what the line is due, with `count` permits that come home, and wakes without the
    /// lock.
    #[cold]
    pub(super) fn serve_line(&self, mut count: usize) {
        wake_in_batches(|batch| {
            let count = core::mem::take(&mut count);
            self.serve_some(&mut self.line.lock(), count, batch)
        });
    }

    /// Calls the front of the line as often as permits and batch allow. `count` permits come home
    /// first.
    pub(super) fn serve_some(
        &self,
        line: &mut Line,
        count: usize,
        batch: &mut WakeBatch,
    ) -> Progress {
        // ORDERING: Acquire takes over what was done under the permits that are granted here; the
        // waiter gets it through its own state. WAITERS is what it was under the last lock (I1).
        let before = self.word.load(Ordering::Acquire);
        if before & state::WAITERS == 0 {
            // The line has gone since somebody saw it, and the fast paths are at work.
            if count > 0 {
                self.update(|word| Some(state::put(word, count)));
            }
            return Progress::Finished;
        }
        let mut word = state::put(before, count);
        let mut progress = Progress::Finished;
        while let Some(wanted) = line.waiters.front_payload() {
            if batch.len() + 1 + KIN_DEPTH > CAPACITY {
                progress = Progress::More;
                break;
            }
            match state::serve(word, wanted) {
                Serve::Wait => break,
                Serve::Dismiss => {
                    if let Some(waker) = line.waiters.dismiss_front().flatten() {
                        batch.push(waker);
                    }
                }
                Serve::Grant(next) => {
                    word = next;
                    line.call_front(wanted, batch);
                }
            }
        }
        if line.waiters.is_empty() {
            line.foreign = false;
            if !planted!("semaphore.keep_waiters_bit") {
                word &= !state::WAITERS; // I1
            }
        }
        if word != before {
            // WAITERS was set, so permits were only added meanwhile, and CLOSED may be (I2): the
            // difference is good for the newer word too.
            // ORDERING: AcqRel keeps the chain from `put` to `take` whole.
            self.word
                .fetch_add(word.wrapping_sub(before), Ordering::AcqRel);
        }
        progress
    }

    /// A forgotten permit makes room under the bound (I5).
    pub(super) fn forget(&self, count: usize) {
        if self.bound.is_some() {
            self.line.lock().total -= count;
        }
    }
}
