//! The waker of the shared future: it remembers the wake, and tells all who wait.
//!
//! It is apart from the future, so that the future may keep its waker: the two do not keep one another
//! alive.

use core::pin::Pin;
use core::task::Waker;
use std::sync::Arc;
use std::task::Wake;

use super::state::{self, Claim, POLLED, WOKEN};
use crate::name::Name;
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Guess, Mutex};
use crate::wait_list::{Identity, WaitList, WaitState, Waiter};
use crate::wake_batch::{Progress, wake_in_batches};

pub(super) struct Bell {
    word: AtomicUsize,
    pub(super) line: Mutex<Line>,
}

/// What the lock guards.
pub(super) struct Line {
    /// The payload is the generation in which the wait began.
    waiters: WaitList,
    /// How often all have been told.
    generation: usize,
    peak: usize,
    pub(super) name: Name,
}

impl Line {
    /// How many wait, and the most that ever did.
    pub(super) fn waiting(&self) -> (usize, usize) {
        (self.waiters.len(), self.peak)
    }
}

impl Bell {
    pub(super) fn new() -> Self {
        Self {
            word: AtomicUsize::new(WOKEN),
            line: Mutex::new(Line {
                waiters: WaitList::new(),
                generation: 0,
                peak: 0,
                name: Name::None,
            }),
        }
    }

    /// How far the future has come. What it left is visible when it is over.
    #[inline]
    pub(super) fn word(&self) -> usize {
        // ORDERING: Acquire pairs with the Release of `finish`.
        self.word.load(Ordering::Acquire)
    }

    /// Asks for the right to poll. After `Yours` the caller owes `release` or `finish`.
    #[inline]
    pub(super) fn claim(&self) -> Claim {
        let mut seen = self.word();
        loop {
            let claim = match state::claim(seen) {
                Claim::Wait if seen & WOKEN != 0 && planted!("shared.claim_while_polled") => {
                    Claim::Yours(seen & !WOKEN)
                }
                claim => claim,
            };
            let Claim::Yours(next) = claim else {
                return claim;
            };
            // ORDERING: Acquire pairs with the Release of `release`, so the future is as the last
            // poll left it, and with that of `ring`: what was done before a wake is visible to the
            // poll that comes of it. So it does when it fails, for an end that came meanwhile.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Acquire)
            {
                Ok(_) => return claim,
                Err(actual) => seen = actual,
            }
        }
    }

    /// A poll ends without an outcome. All who wait are told if the future was woken meanwhile.
    pub(super) fn release(&self) {
        // ORDERING: Release pairs with the Acquire of `claim`.
        let before = self.word.fetch_and(!POLLED, Ordering::Release);
        if state::tells(before) && !planted!("shared.release_tells_nobody") {
            self.tell_all();
        }
    }

    /// A poll ends with an outcome: all who wait are told.
    pub(super) fn finish(&self, end: usize) {
        let order = if planted!("shared.relaxed_finish") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release publishes the outcome to the Acquire of `word` and `claim`.
        self.word.fetch_add(state::finish(end), order);
        if !planted!("shared.finish_tells_nobody") {
            self.tell_all();
        }
    }

    /// The future is woken. The word is exchanged whether WOKEN is set or not, so that what was done
    /// before any of the wakes is visible to the poll.
    fn ring(&self) {
        // ORDERING: Release pairs with the Acquire of `claim`.
        let before = self.word.fetch_or(WOKEN, Ordering::Release);
        if state::is_news(before) {
            self.tell_all();
        }
    }

    /// Lets all go who wait now, and wakes them without the lock.
    fn tell_all(&self) {
        let mut begins = true;
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            if core::mem::take(&mut begins) {
                line.generation = line.generation.wrapping_add(1);
            }
            let now = line.generation;
            while line.waiters.front_payload().is_some_and(|born| born != now) {
                if batch.is_full() {
                    return Progress::More;
                }
                if let Some(waker) = line.waiters.dismiss_front().flatten() {
                    batch.push(waker);
                }
                if planted!("shared.tell_one") {
                    return Progress::Finished;
                }
            }
            Progress::Finished
        });
    }

    /// Puts the waiter in line, or gives it another waker, whatever the word says: by one who has the
    /// right to poll, and tells all if that is needed.
    pub(super) fn line_up(&self, waiter: Pin<&mut Waiter>, waker: &Waker) {
        let _ = self.line_up_unless(waiter, waker, |_| false);
    }

    /// Puts the waiter in line, or gives it another waker; false if there is something for it after all.
    pub(super) fn line_up_to_wait(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        self.line_up_unless(waiter, waker, |word| state::claim(word) != Claim::Wait)
    }

    fn line_up_unless(
        &self,
        mut waiter: Pin<&mut Waiter>,
        waker: &Waker,
        is_vain: impl FnOnce(usize) -> bool,
    ) -> bool {
        if waiter.as_mut().is_registered(waker) {
            return true; // it is told of all that has happened since
        }
        if !matches!(waiter.state(), WaitState::Idle | WaitState::Waiting) {
            waiter.set(Waiter::new());
        }
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        // A step that tells all is taken before it locks; so the word shows it now, or it finds this
        // waiter in line.
        if is_vain(self.word.guess()) && !planted!("shared.line_up_without_look") {
            drop(line);
            return false; // the waker is dropped outside the lock
        }
        if waiter.state() == WaitState::Waiting {
            let old = line.waiters.set_waker(waiter, identity, waker);
            drop(line);
            drop(old); // user code, outside the lock
            return true;
        }
        if waiter.state() != WaitState::Idle {
            drop(line);
            return false; // told meanwhile
        }
        let generation = line.generation;
        // SAFETY: (a), (b) and (c) as the head of `wait.rs` says.
        unsafe {
            line.waiters
                .enlist(waiter, generation, identity, Some(waker));
        };
        line.peak = line.peak.max(line.waiters.len());
        true
    }

    /// Ends a wait.
    #[inline]
    pub(super) fn abandon(&self, waiter: Pin<&mut Waiter>) {
        if waiter.state() == WaitState::Waiting {
            let left = self.line.lock().waiters.leave(waiter);
            drop(left); // a waker, outside the lock
        }
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.ring();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.ring();
    }
}
