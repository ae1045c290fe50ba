//! Keeps a virtual clock still while blocking jobs are at work, and lets it go when the last of them waits.
//!
//! A [`Brake`] counts holds; its clock jumps only while there is none. Each blocking job has one hold from the
//! time that it is handed in until it has ended, except while its thread sleeps in a [`Sleeper`]:
//!
//! ```text
//!             handed in                 park: announced, then released
//!   (no job) ───────────► AT WORK ──────────────────────────────────────► WAITING
//!       ▲       hold      one hold                                        no hold
//!       │                  │    ▲                                            │
//!       └──────────────────┘    └──────────────── WOKEN ◄────────────────────┘
//!          ended: released        goes on        one hold   unpark: hold, then the token
//! ```
//!
//! The three places of a thread are the three states of its [`Parker`]: empty, parked, notified. So there is no
//! word to be kept in step with it: whoever unparks takes a hold first, and leaves it to the thread if it was
//! parked, as exactly one of those who unpark it finds.
//!
//! Invariants:
//! - B1: a thread that is at work or woken has one hold, a thread that waits has none; in between there may be
//!   one too many for a moment, never one too few.
//! - B2: a sleep that was announced and has ended was ended by exactly one unpark that found it parked, and that
//!   one left its hold.
//! - B3: whoever releases the last hold wakes the run loop afterwards.
//! - B4: the run loop looks for what was left to it after it has seen no hold, and jumps if there is nothing.
//!
//! # The clock does not jump over a woken job
//!
//! Who wakes a job is the run loop, which looks at the count afterwards; or another job, which has a hold of its
//! own until after it has taken one for the job that it wakes, so that the count does not touch zero in between.
//! All changes of the count are read-modify-writes of one word: a run loop that reads zero reads the end of such
//! a chain, and acquires whatever those who released had written before.
//!
//! A token that is there before the thread parks ends the park before it is announced, with the hold where it
//! was. One that comes between the announcement and the release takes a second hold first.
//!
//! # The run loop does not sleep on
//!
//! The run loop looks at the count, then parks; who releases the last hold counts, then unparks the run loop,
//! whether it sleeps or not. That is the protocol of [`Parker`], and needs no fence.
//!
//! # Who is not counted
//!
//! A thread that is no job, such as one that the program has started, holds nothing, wherever it waits: to the
//! clock it is the outside world, and whoever it wakes is counted from that wake on. A job that sleeps in anything
//! but a [`Sleeper`], such as a lock of the standard library, counts as being at work. For both the run loop
//! has a grace of real time.
//!
//! Rejected: two counts of the blocking pool, of jobs that run and of jobs that wait. They changed when a thread
//! got to run, not when it was woken, and the clock jumped in between.
//!
//! Tests: `sync/src/brake/tests.rs`; `tests/tests/virtual_jobs.rs`; `loom-tests/tests/brake.rs`.

use core::cell::RefCell;
use core::fmt;
use core::task::Waker;
use core::time::Duration;
use std::sync::Arc;
use std::task::Wake;

use crate::parker::{Kick, Parker, Unparked};
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::local;

/// What holds a virtual clock back.
pub struct Brake {
    holds: AtomicUsize,
    /// Wakes the run loop. Ours: it runs no user code.
    run_loop: Waker,
}

impl Brake {
    /// A brake that nobody holds. `run_loop` is woken when the last hold is released.
    #[must_use]
    pub fn new(run_loop: Waker) -> Arc<Self> {
        Arc::new(Self {
            holds: AtomicUsize::new(0),
            run_loop,
        })
    }

    /// Takes a hold. Only by the run loop, by who has a hold, or by the outside world: then no run loop that
    /// should know of it reads an older count.
    pub fn hold(&self) {
        // ORDERING: Relaxed. It publishes nothing, and being a read-modify-write it carries on the releases
        // before it.
        self.holds.fetch_add(1, Ordering::Relaxed);
    }

    /// Gives a hold up.
    pub fn release(&self) {
        if planted!("brake.wake_before_the_count") {
            self.run_loop.wake_by_ref();
        }
        let order = if planted!("brake.relaxed_release") {
            Ordering::Relaxed
        } else {
            // ORDERING: Release publishes what this thread has woken, armed and queued to the Acquire in
            // `is_free`.
            Ordering::Release
        };
        let before = self.holds.fetch_sub(1, order);
        assert!(before > 0, "B1: a hold is released once");
        if before == 1 && !planted!("brake.wake_before_the_count") {
            self.run_loop.wake_by_ref(); // B3
        }
    }

    /// Whether nobody holds it.
    pub fn is_free(&self) -> bool {
        // ORDERING: Acquire pairs with the Release of everyone who released.
        self.holds.load(Ordering::Acquire) == 0
    }

    /// Whether nobody holds it and nobody who did has left anything, as `anything_left` finds.
    pub fn is_still(&self, anything_left: impl Fn() -> bool) -> bool {
        if planted!("brake.look_before_the_count") {
            return !anything_left() && self.is_free();
        }
        self.is_free() && !anything_left() // B4
    }
}

impl fmt::Debug for Brake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // ORDERING: Relaxed. A snapshot for people.
        let holds = self.holds.load(Ordering::Relaxed);
        f.debug_struct("Brake").field("holds", &holds).finish()
    }
}

local! {
    /// What the job of this thread holds.
    static HELD: RefCell<Option<Arc<Brake>>> = const { RefCell::new(None) };
}

/// What the job of this thread holds, if it is one on a virtual clock.
fn held() -> Option<Arc<Brake>> {
    // A thread that is ending runs no job.
    HELD.try_with(|held| held.borrow().clone()).ok()?
}

fn replace(brake: Option<Arc<Brake>>) -> Option<Arc<Brake>> {
    HELD.with(|held| held.replace(brake))
}

/// Whether this thread runs a job that holds a virtual clock.
pub fn is_held() -> bool {
    HELD.try_with(|held| held.borrow().is_some())
        .unwrap_or(false)
}

/// This thread is at work: what waits on it meanwhile gives the hold up. Dropped when the job has ended.
#[derive(Debug)]
#[must_use = "dropping it releases the hold"]
pub struct AtWork(Arc<Brake>);

impl AtWork {
    /// Takes over a hold.
    pub fn begin(brake: &Arc<Brake>) -> Self {
        let outer = replace(Some(Arc::clone(brake)));
        assert!(outer.is_none(), "a thread runs one job at a time");
        Self(Arc::clone(brake))
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        drop(replace(None));
        self.0.release();
    }
}

/// While this thread, if it is at work, runs the loop of the same clock: it is no job then, or it would wait for
/// itself.
#[derive(Debug)]
#[must_use = "dropping it takes the hold again"]
pub struct Aside(Option<Arc<Brake>>);

impl Aside {
    /// Gives up the hold of this thread on `brake`, if it has one.
    pub fn begin(brake: &Arc<Brake>) -> Self {
        let own = held().filter(|held| Arc::ptr_eq(held, brake));
        if let Some(brake) = &own {
            drop(replace(None));
            brake.release();
        }
        Self(own)
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(brake) = self.0.take() {
            // The run loop itself: see `Brake::hold`.
            brake.hold();
            drop(replace(Some(brake)));
        }
    }
}

/// The sleeping place of one thread, which may be at work on a job.
#[derive(Debug)]
pub struct Sleeper {
    parker: Parker,
    brake: Option<Arc<Brake>>,
}

impl Sleeper {
    /// For a thread that is no job.
    #[must_use]
    pub fn new() -> Self {
        Self::of(None)
    }

    /// For a wait of the calling thread; it must not be longer than the job, if it runs one.
    #[must_use]
    pub fn here() -> Self {
        Self::of(held())
    }

    /// For a wait of a thread that has a hold on this brake, or is no job.
    #[must_use]
    pub fn of(brake: Option<Arc<Brake>>) -> Self {
        Self {
            parker: Parker::new(),
            brake,
        }
    }

    /// Sleeps until woken.
    pub fn park(&self) {
        match &self.brake {
            None => {
                let _ = self.parker.park(None);
            }
            Some(brake) => self.park_released(brake),
        }
    }

    /// Sleeps until woken, but not longer than `timeout`. To a clock that it holds, the thread is at work
    /// meanwhile: real time is the outside world's.
    pub fn park_timeout(&self, timeout: Option<Duration>) -> Unparked {
        assert!(self.brake.is_none(), "a job's thread would be left a hold");
        self.parker.park(timeout)
    }

    /// Wakes the thread, or keeps it from its next sleep.
    #[inline]
    pub fn unpark(&self) {
        match &self.brake {
            None => {
                let _ = self.parker.unpark();
            }
            Some(brake) => self.unpark_held(brake),
        }
    }

    fn park_released(&self, brake: &Brake) {
        if planted!("brake.release_before_announce") {
            brake.release();
            let _ = self.parker.park(None);
            return;
        }
        if !self.parker.prepare_park() {
            return;
        }
        brake.release();
        let _ = self.parker.commit_park(None); // B2
        if planted!("brake.woken_counts_as_waiting") {
            brake.hold();
        }
    }

    #[cold]
    fn unpark_held(&self, brake: &Brake) {
        if planted!("brake.woken_counts_as_waiting") {
            let _ = self.parker.unpark();
            return;
        }
        if planted!("brake.hold_after_unpark") {
            if self.parker.unpark() == Kick::Woken {
                brake.hold();
            }
            return;
        }
        brake.hold();
        if self.parker.unpark() != Kick::Woken {
            brake.release();
        }
    }
}

impl Default for Sleeper {
    fn default() -> Self {
        Self::new()
    }
}

impl Wake for Sleeper {
    fn wake(self: Arc<Self>) {
        self.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.unpark();
    }
}

#[cfg(test)]
mod tests;
