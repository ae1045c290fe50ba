//! Waits, without the lock, until another task under the same lock says that something has changed.
//!
//! ```text
//!   wait(guard) ── enlist, and then free the lock ──► the condition's line
//!                                                          │ notify(&guard, n)
//!   guard ◄── its turn, as for `lock()` ── the lock's line ◄┘ (still asleep)
//! ```
//!
//! The waiting futures are in `wait.rs`. A notification does not wake: it moves waiters from the line of
//! the condition to the end of the line of the lock, which wakes them one by one as it is freed.
//!
//! Invariants:
//! - I1: all who wait in the condition's line wait with one lock, whose address is in `Line`.
//! - I2: a waiter moves from the condition's line to the lock's, once, with both lines in hand; the
//!   condition's is locked first.
//! - I3: whoever moves waiters holds the lock or has a waiter in its line, so that the lock will look at
//!   those who came.
//!
//! # No notification is lost
//!
//! A wait is in the line before it frees the lock, and `notify` needs the lock. So whoever waited before a
//! change is in the line when the change is announced. A wait that is dropped after `notify` moved it
//! gives its notification to the next in the condition's line, before it leaves the lock's. After
//! `notify_all` there is nobody to give it to but later comers, who are not concerned: a wait remembers
//! how many broadcasts there were when it came.
//!
//! Nothing here cannot be cancelled: a wait has given its guard away, and when it is dropped it does not
//! take the lock again.
//!
//! Rejected: binding a condition to its first lock for ever. The lock's address is its identity, and a lock
//! that nobody waits for may move.
//! Rejected: waiting with a mapped guard. What it points to may be gone when the lock comes back.
//!
//! Tests: `sync/tests/condition.rs`, `sync/tests/models/condition.rs` (stress:
//! `sync/tests/condition.rs`, model: `loom-tests/tests/condition.rs`).

#[expect(
    unsafe_code,
    reason = "pins the waiter inside the futures, enlists it and moves it"
)]
mod wait;

use core::fmt;
use core::panic::Location;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use wait::{Wait, WaitFor};

use crate::lock::LockGuard;
use crate::name::Name;
use crate::shim::Mutex;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::wait_list::WaitList;

/// Lets tasks wait for a change of what a [`Lock`](crate::Lock) guards.
///
/// [`wait`](Self::wait) gives the guard away and comes back with it after a notification;
/// [`wait_for`](Self::wait_for) does so until there is something to come back for. To notify takes a
/// guard of the same lock too: without the lock neither compiles.
///
/// A condition is used with one lock at a time, and a lock with any number of conditions.
///
/// # Fairness
///
/// Notifications go to those who wait in the order in which they began to; then they line up for the
/// lock with all others.
///
/// # Examples
///
/// ```
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// use tenter_sync::{Condition, Lock};
///
/// static JOBS: Lock<Vec<u32>> = Lock::new(Vec::new());
/// static ADDED: Condition = Condition::new();
///
/// async fn next() -> u32 {
///     let (_guard, job) = ADDED.wait_for(JOBS.lock().await, |jobs| jobs.pop()).await;
///     job
/// }
///
/// async fn add(job: u32) {
///     let mut guard = JOBS.lock().await;
///     guard.push(job);
///     ADDED.notify(&guard, 1);
/// }
/// # let mut cx = Context::from_waker(Waker::noop());
/// # let mut next = pin!(next());
/// # assert!(next.as_mut().poll(&mut cx).is_pending());
/// # assert!(pin!(add(7)).poll(&mut cx).is_ready());
/// # assert_eq!(next.poll(&mut cx), Poll::Ready(7));
/// ```
#[doc(alias = "Condvar")]
pub struct Condition {
    /// How many are in the line: for a look without locking it.
    waiting: AtomicUsize,
    line: Mutex<Line>,
    name: Name,
}

/// What the line's lock guards.
struct Line {
    waiters: WaitList,
    /// The lock that they wait with (I1): its address, and where the first of them began to wait.
    lock: Option<(usize, &'static Location<'static>)>,
    /// How often `notify_all` found somebody. Wraps; a wait would have to sleep through all of it.
    broadcasts: usize,
    /// The most that ever waited at once.
    peak: usize,
}

/// What a condition tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConditionStats {
    /// The name given by [`Condition::named`].
    pub name: Option<String>,
    /// How many wait for a notification. Those who were notified count as waiting for the lock.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl Condition {
    crate::const_fn! {
        /// Nobody waits.
        pub const fn new() -> Self {
            Self {
                waiting: AtomicUsize::new(0),
                line: Mutex::new(Line {
                    waiters: WaitList::new(),
                    lock: None,
                    broadcasts: 0,
                    peak: 0,
                }),
                name: Name::None,
            }
        }
    }

    /// Gives the condition a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name.set_static(name);
        self
    }

    /// Gives the condition a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// Frees the lock, waits for a notification, and takes the lock again.
    ///
    /// The lock is freed with the first poll. Whatever was waited for may have changed again before this
    /// task gets the lock: look, and wait again if need be, or use [`wait_for`](Self::wait_for).
    ///
    /// # Fairness
    ///
    /// First come, first served, counted from the first poll; and again in the line of the lock.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future ends the wait, without the lock: the guard was given away. A notification of
    /// [`notify`](Self::notify) that it had been given goes to the next who waits.
    ///
    /// # Panics
    ///
    /// When polled, if others wait with another lock.
    #[doc(alias = "notified")]
    #[track_caller]
    #[inline]
    pub fn wait<'a, T: ?Sized>(&'a self, guard: LockGuard<'a, T>) -> Wait<'a, T> {
        Wait::new(self, guard, Location::caller())
    }

    /// Waits until `look` finds something in the data, and comes back with the guard and what it found.
    ///
    /// `look` runs under the lock: at once, and after each notification. If it finds something at once,
    /// the lock is not freed in between.
    ///
    /// # Fairness
    ///
    /// As of [`wait`](Self::wait). A notification for which `look` found nothing is spent.
    ///
    /// # Cancel safety
    ///
    /// As of [`wait`](Self::wait). What `look` found is returned by the same poll.
    ///
    /// # Panics
    ///
    /// When polled, if others wait with another lock. A panic of `look` frees the lock.
    #[doc(alias = "wait_while")]
    #[doc(alias = "wait_until")]
    #[track_caller]
    #[inline]
    pub fn wait_for<'a, T, R, F>(&'a self, guard: LockGuard<'a, T>, look: F) -> WaitFor<'a, T, F>
    where
        T: ?Sized,
        F: FnMut(&mut T) -> Option<R>,
    {
        WaitFor::new(self.wait(guard), look)
    }

    /// Lets up to `count` of those who wait line up for the lock. If fewer wait the rest is not kept.
    ///
    /// They get the lock one after another, once it is free.
    ///
    /// # Panics
    ///
    /// If tasks wait with another lock than that of `guard`.
    #[doc(alias = "notify_one")]
    #[track_caller]
    pub fn notify<T: ?Sized>(&self, guard: &LockGuard<'_, T>, count: usize) {
        if count > 0 && self.is_waited_for() {
            self.move_to_lock(guard, count, Location::caller());
        }
    }

    /// Lets all who wait line up for the lock.
    ///
    /// They get the lock one after another, once it is free.
    ///
    /// # Panics
    ///
    /// If tasks wait with another lock than that of `guard`.
    #[doc(alias = "notify_waiters")]
    #[doc(alias = "broadcast")]
    #[track_caller]
    pub fn notify_all<T: ?Sized>(&self, guard: &LockGuard<'_, T>) {
        if self.is_waited_for() {
            self.move_to_lock(guard, usize::MAX, Location::caller());
        }
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> ConditionStats {
        let line = self.line.lock();
        ConditionStats {
            name: self.name.get().map(str::to_owned),
            waiting: line.waiters.len(),
            waiting_max: line.peak,
        }
    }

    /// Whether the line has to be looked at, by one who holds the lock.
    #[inline]
    fn is_waited_for(&self) -> bool {
        // ORDERING: Relaxed. Whoever began to wait stored the number before it freed the lock, which the
        // caller has taken since; a number that is too large costs a look.
        self.waiting.load(Ordering::Relaxed) > 0
    }

    /// After a change of the line, with the line in hand.
    fn count(&self, line: &mut Line) {
        if line.waiters.is_empty() {
            line.lock = None;
        }
        // ORDERING: Relaxed. Made visible by the lock, see `is_waited_for`.
        self.waiting.store(line.waiters.len(), Ordering::Relaxed);
    }
}

impl Line {
    /// Where those who wait began to, if it was with another lock (I1).
    fn stranger(&self, lock: usize) -> Option<&'static Location<'static>> {
        match self.lock {
            Some((address, since)) if address != lock => Some(since),
            _ => None,
        }
    }
}

#[cold]
fn two_locks(condition: &Condition, what: &str, here: &Location<'_>, since: &Location<'_>) -> ! {
    let name = condition.name.get().unwrap_or("without a name");
    panic!(
        "a Condition ({name}) is used with two locks: {what} at {here} has the guard of one, and tasks \
         wait with another since {since}; guard what is waited for with one lock, or make a Condition \
         for each lock"
    );
}

impl Default for Condition {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Condition");
        self.name.describe(&mut out);
        // Writing is user code, so the line is let go of before.
        match self.line.try_lock().map(|line| line.waiters.len()) {
            Some(waiting) => out.field("waiting", &waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// Nothing is left half done by a panic of a waiting task.
impl UnwindSafe for Condition {}
impl RefUnwindSafe for Condition {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    /// May be sent, but not shared.
    type Moves = core::cell::Cell<u8>;
    const fn send<T: Send>() {}
    send_and_sync::<Condition>();
    send_and_sync::<ConditionStats>();
    send::<Wait<'static, Moves>>();
    send_and_sync::<Wait<'static, u8>>();
    send::<WaitFor<'static, Moves, fn(&mut Moves) -> Option<u8>>>();
};
