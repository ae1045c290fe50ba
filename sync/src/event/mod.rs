//! A flag that tasks wait for: all of them go on when it is set.
//!
//! ```text
//!              set: generation + 1
//!    clear ◄──────────────────────► set          wait().await
//!      │           clear             │              │ clear
//!      │                             │ WAITERS      ▼
//!      │                             │           line up (lock) ──► WaitList, FIFO
//!      └─ new ones line up           └─► let those of older generations go (lock, in batches)
//! ```
//!
//! The word and its steps are in `state.rs`, the waiting future in `wait.rs`. A waiter's payload in the
//! list is the generation in which it began to wait.
//!
//! Invariants, besides I1 and I2 of the word:
//! - I3: the generations in the line never fall from front to back. Those in front that are not the
//!   word's belong to waiters that have been told and wait to be let go; nobody of the word's
//!   generation is in line while SET is set.
//! - I4: a wait that is over reserves nothing, so a dropped one has nothing to pass on.
//!
//! # No set is missed
//!
//! A waiter sets WAITERS in an exchange that finds the generation in which it saw the event clear, and
//! `set` exchanges the same word. So either the waiter's exchange fails and sees the generation move,
//! or `set` sees WAITERS and locks; the waiter is in the list by then, because it held the lock from
//! before its exchange. A `clear` in between takes SET away but not the generation, which is why *set
//! and clear at once* still lets everybody go who was waiting.
//!
//! What was done before a `set` is visible to whoever sees it: to a wait that ends, to `is_set`, and to
//! `clear`. The last is what the loop "clear, look, wait" lives on: a producer that makes an item and
//! sets an event that is set already must not have its item missed by the look after the `clear` that
//! undoes both sets. So `set` exchanges the word also when nothing changes in it, and `clear` acquires.
//!
//! Rejected: a flag without a generation. Waking goes in batches, and between two of them somebody may
//! clear the event and somebody else begin to wait, who must not be let go by the earlier `set`.
//! Rejected: `fetch_or` to set. It cannot count generations.
//!
//! Tests: `state.rs`, `sync/tests/event.rs`, `sync/tests/models/event.rs` (model:
//! `loom-tests/tests/event.rs`).

mod state;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the future, and enlists it"
)]
mod wait;

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use wait::EventWait;

use crate::name::Name;
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Guess, Mutex};
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, wake_in_batches};

/// A flag that is set and cleared, and that tasks wait for.
///
/// [`set`](Self::set) lets all tasks go on that wait, and those that come later do not wait at all,
/// until [`clear`](Self::clear).
///
/// # Fairness
///
/// Those that wait are woken in the order in which they began to, counted from the first poll.
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
/// static READY: tenter_sync::Event = tenter_sync::Event::new().named("ready");
///
/// READY.set();
/// # block_on(async {
/// READY.wait().await; // at once
/// # });
/// READY.clear();
/// assert!(!READY.is_set());
/// ```
#[doc(alias = "ManualResetEvent")]
pub struct Event {
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

/// What an [`Event`] tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventStats {
    /// The name given by [`Event::named`].
    pub name: Option<String>,
    /// Whether it is set.
    pub is_set: bool,
    /// How many wait.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl Event {
    crate::const_fn! {
        /// An event that is not set.
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

    /// Whether it is set.
    ///
    /// If so, what was done before [`set`](Self::set) is visible.
    #[inline]
    pub fn is_set(&self) -> bool {
        // ORDERING: Acquire pairs with the Release of `set`.
        self.word.load(Ordering::Acquire) & state::SET != 0
    }

    /// Sets it: all tasks that wait go on, and later ones do not wait, until it is cleared.
    ///
    /// A [`clear`](Self::clear) that follows at once takes nothing away from those that were waiting.
    /// What was done before is visible to whoever sees the event set, and to whoever clears it.
    ///
    /// # Panics
    ///
    /// If a waker panics, after all others have been woken.
    #[inline]
    pub fn set(&self) {
        let mut seen = self.word.guess();
        loop {
            let next = state::set(seen);
            if planted!("event.set_without_exchange") && next == seen {
                return;
            }
            // ORDERING: Release publishes what the caller did to the Acquire of a wait, of `is_set`
            // and of `clear`, also when the event is set already. Failure is Relaxed because the
            // step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Release, Ordering::Relaxed)
            {
                Ok(_) => break,
                Err(actual) => seen = actual,
            }
        }
        if seen & state::WAITERS != 0 {
            self.let_go();
        }
    }

    /// Clears it: tasks that come from now on wait.
    ///
    /// Clear before you look for work, and wait after it, so that no work is missed:
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, sync::Mutex, task::{Context, Poll, Waker}};
    /// # use tenter_sync::Event;
    /// async fn work(queue: &Mutex<Vec<u32>>, changed: &Event) -> u32 {
    ///     loop {
    ///         changed.clear();
    ///         if let Some(item) = queue.lock().unwrap().pop() {
    ///             return item;
    ///         }
    ///         changed.wait().await;
    ///     }
    /// }
    /// # let (queue, changed) = (Mutex::new(vec![7]), Event::new());
    /// # let mut work = pin!(work(&queue, &changed));
    /// # assert_eq!(work.as_mut().poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(7));
    /// ```
    #[doc(alias = "reset")]
    #[inline]
    pub fn clear(&self) {
        let order = if planted!("event.relaxed_clear") {
            Ordering::Relaxed
        } else {
            Ordering::AcqRel
        };
        // ORDERING: AcqRel. Acquire pairs with the Release of every `set` that is undone here: what
        // was done before them is visible to the caller. Release keeps the chain whole.
        self.word.fetch_and(!state::SET, order);
    }

    /// Waits until it is set: not at all if it is set already, which one load tells.
    ///
    /// The wait begins with the first poll. If the event is set after that, the future becomes ready,
    /// even if the event is cleared before the task runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; nothing else happens.
    #[inline]
    pub fn wait(&self) -> EventWait<'_> {
        EventWait::new(self)
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> EventStats {
        let line = self.line.lock();
        EventStats {
            name: self.name.get().map(str::to_owned),
            is_set: self.is_set(),
            waiting: line.waiters.len(),
            waiting_max: line.peak,
        }
    }

    /// Lets those go that have been told, and wakes them without the lock.
    #[cold]
    fn let_go(&self) {
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            // ORDERING: Acquire takes over what the callers of `set` did; the waiters get it through
            // their own state.
            let word = self.word.load(Ordering::Acquire);
            if planted!("event.let_go_only_while_set") && word & state::SET == 0 {
                return Progress::Finished;
            }
            let now = state::generation(word);
            while line.waiters.front_payload().is_some_and(|born| born != now) {
                if batch.is_full() {
                    return Progress::More;
                }
                if let Some(waker) = line.waiters.dismiss_front().flatten() {
                    batch.push(waker);
                }
            }
            self.close_empty_line(&line);
            Progress::Finished
        });
    }

    /// Keeps I1 after waiters have left.
    fn close_empty_line(&self, line: &Line) {
        if line.waiters.is_empty() {
            // ORDERING: AcqRel keeps the chain of publications in the word whole.
            self.word.fetch_and(!state::WAITERS, Ordering::AcqRel);
        }
    }
}

impl Default for Event {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Event");
        self.name.describe(&mut out);
        out.field("is_set", &self.is_set());
        // Writing is user code, so the line is let go of before.
        match self.line.try_lock().map(|line| line.waiters.len()) {
            Some(waiting) => out.field("waiting", &waiting),
            None => out.field("waiting", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// Nothing is left half done by a panic of a waiting task.
impl UnwindSafe for Event {}
impl RefUnwindSafe for Event {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Event>();
    send_and_sync::<EventWait<'static>>();
    send_and_sync::<EventStats>();
};
