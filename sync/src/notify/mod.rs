//! Tells one waiting task, or all of them, that something has happened.
//!
//! ```text
//!   notify_one ── store ──► the word ◄── claim ── notified().await
//!      │ WAITERS               ▲                      │ nothing
//!      ▼                       │ generation + 1       ▼
//!   the front of the line   notify_waiters         line up (lock) ──► WaitList, FIFO
//! ```
//!
//! The word and its steps are in `state.rs`, the waiting future in `notified.rs`. A waiter's payload
//! in the list is the generation that it was born in.
//!
//! Invariants, besides I1 and I2 of the word:
//! - I3: the generations in the line never fall from front to back; those in front that are not the
//!   word's belong to waiters that `notify_waiters` has told and that wait to be let go.
//! - I4: a notification of `notify_one` is stored, or granted to a waiter of the word's generation,
//!   until a future returns it; a granted waiter that is dropped passes it on.
//!
//! # No notification is lost
//!
//! A waiter sets WAITERS in the exchange that finds nothing stored and the generation unchanged, and
//! notifiers exchange the same word. So either the waiter's exchange sees the notification, or the
//! notifier's sees WAITERS and locks; the waiter is in the list by then, because it held the lock
//! from before its exchange. A `Notified` made before `notify_waiters` read the word before that
//! call changed it, so the generations differ, polled or not.
//!
//! Rejected: taking the list out to wake it. What is out has to be able to leave, and a
//! `notify_one` meanwhile must not be spent on a waiter that has been told already: it lets those go
//! itself, and grants the first of the new generation.
//! Rejected: skipping the exchange when a notification is stored already. What was done before the
//! second `notify_one` would not be visible to the one who takes the first.
//!
//! Tests: `state.rs`, `sync/tests/notify.rs`, `sync/tests/cancel.rs`, `sync/tests/hostile_wakers.rs`,
//! `sync/tests/models/notify.rs` (stress: `sync/tests/stress.rs`, model:
//! `loom-tests/tests/notify.rs`).

#[expect(
    unsafe_code,
    reason = "pins the waiter inside the future, and enlists it"
)]
mod notified;
mod state;

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use notified::Notified;

use crate::name::Name;
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Guess, Mutex};
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, WakeBatch, wake_in_batches};

/// Tells tasks that something has happened. It carries no data.
///
/// [`notify_one`](Self::notify_one) lets one waiting task go on, or the next one to come if nobody
/// waits; it keeps at most one such notification. [`notify_waiters`](Self::notify_waiters) lets all
/// tasks go on that wait, or have called [`notified`](Self::notified), and keeps nothing.
///
/// # Fairness
///
/// `notify_one` reaches the task that has waited longest, counted from the first poll.
///
/// # Examples
///
/// ```
/// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
/// # fn block_on<F: Future>(f: F) -> F::Output {
/// #     let mut f = pin!(f);
/// #     loop {
/// #         if let Poll::Ready(r) = f.as_mut().poll(&mut Context::from_waker(Waker::noop())) { return r; }
/// #     }
/// # }
/// static CHANGED: tenter_sync::Notify = tenter_sync::Notify::new();
///
/// CHANGED.notify_one(); // kept until somebody comes
/// # block_on(async {
/// CHANGED.notified().await;
/// # });
/// ```
pub struct Notify {
    word: AtomicUsize,
    line: Mutex<Line>,
    name: Name,
}

/// What the lock guards.
struct Line {
    waiters: WaitList,
    /// The most that ever waited at once.
    peak: usize,
}

/// What a [`Notify`] tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotifyStats {
    /// The name given by [`Notify::named`].
    pub name: Option<String>,
    /// Whether a notification is kept for the next to come.
    pub is_stored: bool,
    /// How many wait.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl Notify {
    crate::const_fn! {
        /// Nobody waits, and nothing has happened.
        pub const fn new() -> Self {
            Self {
                word: AtomicUsize::new(0),
                line: Mutex::new(Line { waiters: WaitList::new(), peak: 0 }),
                name: Name::None,
            }
        }
    }

    /// Gives it a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name.set_static(name);
        self
    }

    /// Gives it a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// Waits for a notification.
    ///
    /// A `notify_waiters` reaches this future from the moment it exists; a place in the line for
    /// `notify_one` it has from its first poll, or from [`Notified::enable`].
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. A notification of `notify_one` that it had been given
    /// goes to the next one.
    #[inline]
    pub fn notified(&self) -> Notified<'_> {
        // ORDERING: Relaxed. A `notify_waiters` that follows this call changes the word after this
        // load has read it, whatever the ordering (read-write coherence).
        Notified::new(self, state::generation(self.word.load(Ordering::Relaxed)))
    }

    /// Lets one task go on: the one that has waited longest, or the next to come.
    ///
    /// At most one notification is kept. What was done before is visible to that task.
    #[doc(alias = "set")]
    #[inline]
    pub fn notify_one(&self) {
        let mut seen = self.word.guess();
        while let Some(next) = state::store(seen) {
            if planted!("notify.store_without_exchange") && next == seen {
                return;
            }
            // ORDERING: Release publishes what the caller did to the Acquire of the claim; the
            // line's lock does it if somebody waits. An exchange also when STORED is set already,
            // so that the publication joins the chain. Failure is Relaxed: `store` runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => return,
                Err(actual) => seen = actual,
            }
        }
        self.notify_front();
    }

    /// Lets all tasks go on that wait, and all [`Notified`] futures that exist, polled or not.
    ///
    /// Nothing is kept for those that come later. A notification that `notify_one` has stored stays.
    pub fn notify_waiters(&self) {
        // ORDERING: AcqRel. Release publishes what the caller did to whoever sees the generation;
        // Acquire as in `notify_one`'s chain.
        let seen = self.word.fetch_add(state::ONE, Ordering::AcqRel);
        debug_assert_ne!(
            state::generation(state::next_generation(seen)),
            state::generation(seen)
        );
        if seen & state::WAITERS != 0 {
            wake_in_batches(|batch| {
                let mut line = self.line.lock();
                let progress = self.let_go(&mut line, batch);
                self.close_empty_line(&line);
                progress
            });
        }
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> NotifyStats {
        let line = self.line.lock();
        NotifyStats {
            name: self.name.get().map(str::to_owned),
            is_stored: self.is_stored(),
            waiting: line.waiters.len(),
            waiting_max: line.peak,
        }
    }

    fn is_stored(&self) -> bool {
        // ORDERING: Relaxed. An answer that is out of date when it arrives.
        self.word.load(Ordering::Relaxed) & state::STORED != 0
    }

    /// `notify_one` when somebody waits, or did a moment ago.
    #[cold]
    fn notify_front(&self) {
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            if self.let_go(&mut line, batch) == Progress::More || batch.is_full() {
                return Progress::More;
            }
            // The front, if there is one, is of the word's generation (I3, I4).
            match line.waiters.grant_front() {
                Some(waker) => {
                    if let Some(waker) = waker {
                        batch.push(waker);
                    }
                    self.close_empty_line(&line);
                }
                None => {
                    self.close_empty_line(&line);
                    // ORDERING: Release as in `notify_one`. WAITERS is clear now, and cannot come
                    // back while the line is locked.
                    self.word.fetch_or(state::STORED, Ordering::Release);
                }
            }
            Progress::Finished
        });
    }

    /// Takes those out of the line that `notify_waiters` has told.
    fn let_go(&self, line: &mut Line, batch: &mut WakeBatch) -> Progress {
        // ORDERING: Acquire takes over what the callers of `notify_waiters` did; the waiters get it
        // through their own state.
        let now = state::generation(self.word.load(Ordering::Acquire));
        while line.waiters.front_payload().is_some_and(|born| born != now) {
            if batch.is_full() {
                return Progress::More;
            }
            if let Some(waker) = line.waiters.dismiss_front().flatten() {
                batch.push(waker);
            }
        }
        Progress::Finished
    }

    /// Keeps I1 after waiters have left.
    fn close_empty_line(&self, line: &Line) {
        if line.waiters.is_empty() {
            // ORDERING: AcqRel keeps the chain of publications in the word whole.
            self.word.fetch_and(!state::WAITERS, Ordering::AcqRel);
        }
    }
}

impl Default for Notify {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Notify");
        self.name.describe(&mut out);
        out.field("is_stored", &self.is_stored());
        // Writing is user code, so the line is let go of before.
        match self.line.try_lock().map(|line| line.waiters.len()) {
            Some(waiting) => out.field("waiting", &waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// Nothing is left half done by a panic of a waiting task.
impl UnwindSafe for Notify {}
impl RefUnwindSafe for Notify {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Notify>();
    send_and_sync::<Notified<'static>>();
    send_and_sync::<NotifyStats>();
};
