//! A futex made of a lock and a condition variable: for the model, and for systems without one.
//!
//! The lock plays the part of the kernel's bucket lock: a sleeper compares the word under it, and a
//! waker, who has already changed the word, takes it before waking. So a waker either comes before
//! the comparison, which then fails, or finds the sleeper asleep.

use core::time::Duration;

use super::atomic::{AtomicU32, Ordering};
use super::{Condvar, FutexWait, Mutex};

/// A word that a thread can sleep on until another thread changes it and says so.
#[derive(Debug)]
pub struct Futex {
    word: AtomicU32,
    /// Whether a clock thread said that the time is up ([`Futex::expire`]).
    expired: Mutex<bool>,
    changed: Condvar,
}

impl Futex {
    crate::const_fn! {
        /// A futex whose word is `value`.
        pub const fn new(value: u32) -> Self {
            Self { word: AtomicU32::new(value), expired: Mutex::new(false), changed: Condvar::new() }
        }
    }

    /// The word.
    pub fn word(&self) -> &AtomicU32 {
        &self.word
    }

    /// Sleeps while the word is `expected`, at most for `timeout`. May return early.
    pub fn wait(&self, expected: u32, timeout: Option<Duration>) -> FutexWait {
        let mut expired = self.expired.lock();
        if timeout.is_some() && core::mem::take(&mut *expired) {
            return FutexWait::TimedOut;
        }
        // ORDERING: Relaxed. The lock orders this load against the waker, who changed the word
        // before it took the lock in `wake_one`.
        if self.word.load(Ordering::Relaxed) != expected {
            return FutexWait::Returned;
        }
        self.sleep(&mut expired, timeout);
        if timeout.is_some() && core::mem::take(&mut *expired) {
            return FutexWait::TimedOut;
        }
        FutexWait::Returned
    }

    #[cfg(tenter_loom)]
    fn sleep(&self, guard: &mut super::MutexGuard<'_, bool>, _timeout: Option<Duration>) {
        self.changed.wait(guard);
    }

    #[cfg(not(tenter_loom))]
    fn sleep(&self, guard: &mut super::MutexGuard<'_, bool>, timeout: Option<Duration>) {
        match timeout {
            Some(timeout) => {
                if self.changed.wait_for(guard, timeout).timed_out() {
                    **guard = true;
                }
            }
            None => self.changed.wait(guard),
        }
    }

    /// Wakes one sleeper, if there is one.
    pub fn wake_one(&self) {
        drop(self.expired.lock());
        self.changed.notify_one();
    }

    /// Says that the time of a sleeper with a timeout is up: what the clock thread of a model calls.
    pub fn expire(&self) {
        *self.expired.lock() = true;
        self.changed.notify_one();
    }
}
