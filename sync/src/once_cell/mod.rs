//! A value that is made once, by whoever needs it first, while the others wait.
//!
//! ```text
//!            claim                  publish
//!    empty ─────────► BUSY ────────────────────► SET ──► get: one load
//!      ▲               │  ▲                       │ WAITERS
//!      │   give_up     │  │ line up (lock)        └─► all in line go on
//!      └───────────────┘  └── WaitList, FIFO
//!          │ WAITERS
//!          └─► the front of the line is told to try
//! ```
//!
//! The word and its steps are in `state.rs`, the futures in `init.rs`, their line in `line.rs`, the watch
//! over initialisers that wait for themselves in `reentry.rs`. User code runs in `init.rs`, and wakers
//! do in the line, all of it under no lock.
//!
//! Invariants, besides I1 and I2 of the word:
//! - I3: the value is written by whoever has claimed, before SET; from SET on it is only read.
//! - I4: a claim ends in `publish` or `give_up`, also when the initialiser panics or is dropped.
//! - I5: while somebody is in line the word is busy or set, or a waiter has been told to try, or whoever
//!   made it empty is about to lock and tell one. A waiter that was told and is dropped, or that finds
//!   somebody else busy, leaves that to the next: the dropped one tells another, the other lines up
//!   again.
//! - I6: an initialiser is gone before another one begins.
//!
//! # Nobody waits for nothing
//!
//! A waiter sets WAITERS in an exchange that finds BUSY, and both ends of a claim change the same word.
//! So either the waiter's exchange fails and sees the end, or the end sees WAITERS and locks; the waiter
//! is in the list by then, because it held the lock from before its exchange.
//!
//! To be told to try reserves nothing: whoever is polled first claims. A task that holds a waiter that
//! was told, and polls only another one, goes on with that other one.
//!
//! Rejected: a semaphore of one permit, closed when the value is there. The permit of a waiter that is
//! not polled would keep the cell empty and everybody else waiting.
//! Rejected: waking all when an initialiser fails. A thousand that wait would be woken a thousand times.
//!
//! Tests: `state.rs`, `sync/tests/once_cell.rs`, `sync/tests/once_cell_property.rs`,
//! `sync/tests/models/once_cell.rs` (model: `loom-tests/tests/once_cell.rs`).

mod init;
mod line;
pub(crate) mod reentry;
mod set_error;
mod state;

use core::fmt;
use core::future::Future;
use core::panic::Location;
use std::panic::{RefUnwindSafe, UnwindSafe};

pub use init::{GetOrInit, GetOrTryInit};
pub use set_error::SetError;

use crate::name::Name;
use crate::planted;
use crate::shim::atomic::{AtomicUsize, Ordering};
use crate::shim::{Guess, Mutex, UnsafeCell};
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, wake_in_batches};
use init::Init;
use state::Claim;

/// A place for a value that is made at most once, when somebody first needs it.
///
/// # Fairness
///
/// When an initialiser fails, the task that has waited longest is woken to try its own; one that comes
/// by before it runs may be faster.
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
/// use tenter_sync::OnceCell;
///
/// static ADDRESS: OnceCell<String> = OnceCell::new();
///
/// async fn look_up() -> String {
///     // … some slow request …
///     String::from("10.0.0.1")
/// }
/// # block_on(async {
/// assert_eq!(ADDRESS.get_or_init(look_up).await, "10.0.0.1");
/// assert_eq!(ADDRESS.get_or_init(look_up).await, "10.0.0.1"); // at once
/// # });
/// ```
#[doc(alias = "AsyncOnceCell")]
#[doc(alias = "OnceLock")]
#[doc(alias = "SetOnce")]
pub struct OnceCell<T> {
    word: AtomicUsize,
    /// I3.
    value: UnsafeCell<Option<T>>,
    line: Mutex<Line>,
    name: Name,
}

// SAFETY: a shared cell lends `&T` to many threads, and takes a `T` from one thread to give it to another
// one, so `T` has to be `Send` and `Sync`. Accesses to the value exclude one another by I3.
unsafe impl<T: Send + Sync> Sync for OnceCell<T> {}

/// What the lock guards.
struct Line {
    waiters: WaitList,
    /// The most that ever waited at once.
    peak: usize,
}

/// What a [`OnceCell`] tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct OnceCellStats {
    /// The name given by [`OnceCell::named`].
    pub name: Option<String>,
    /// Whether the value is there.
    pub is_set: bool,
    /// Whether an initialiser has begun and not ended.
    pub is_initializing: bool,
    /// How many wait for the initialiser of somebody else.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl<T> OnceCell<T> {
    crate::const_fn! {
        /// A cell without a value.
        pub const fn new() -> Self {
            Self {
                word: AtomicUsize::new(0),
                value: UnsafeCell::new(None),
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

    /// The value, if it is there. One load.
    #[inline]
    pub fn get(&self) -> Option<&T> {
        // ORDERING: Acquire pairs with the Release of `publish`.
        if self.word.load(Ordering::Acquire) & state::SET == 0 {
            return None;
        }
        self.value.with(|value| {
            // SAFETY: set, and seen so by an Acquire: it was written before, and nobody writes any
            // more (I3). Without SET the one who has claimed might be writing.
            unsafe { &*value }.as_ref()
        })
    }

    /// The value, if it is there, to be changed.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        self.value.with_mut(|value| {
            // SAFETY: `&mut self` excludes everybody else.
            unsafe { &mut *value }.as_mut()
        })
    }

    /// Takes the value out of a cell that is not needed any more.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// Gives the cell its value.
    ///
    /// # Errors
    ///
    /// With the value, if there is one already or an initialiser is at work.
    ///
    /// # Panics
    ///
    /// If a waker panics, after all others have been woken. The value is set then.
    pub fn set(&self, value: T) -> Result<(), SetError<T>> {
        match self.claim() {
            Claim::Yours(_) => {
                self.publish(value);
                Ok(())
            }
            Claim::Busy => Err(SetError::Initializing(value)),
            Claim::Set => Err(SetError::AlreadySet(value)),
        }
    }

    /// The value; if it is not there, `init` makes it.
    ///
    /// One initialiser runs at a time. If another one is at work, this waits for it; if that panics, or
    /// is dropped before it is done, the next one tries its own.
    ///
    /// # Panics
    ///
    /// The future panics if it comes to wait inside the initialiser of the very cell, which would never
    /// end. It is noticed in one task; an initialiser that waits for another task that waits for the cell
    /// hangs. A panic of `init` goes on to the caller, and the cell stays empty.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future drops the initialiser, if it is this one's turn, and the next one tries. A
    /// future that is kept with its initialiser begun, neither polled nor dropped, keeps the others
    /// waiting.
    #[track_caller]
    #[inline]
    pub fn get_or_init<F, Fut>(&self, init: F) -> GetOrInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = T>,
    {
        GetOrInit::new(Init::new(self, init, Location::caller()))
    }

    /// The value; if it is not there, `init` makes it, or fails.
    ///
    /// As [`get_or_init`](Self::get_or_init), but for this:
    ///
    /// # Errors
    ///
    /// That of this call's own `init`. The cell stays empty, and the next one that waits tries its own.
    ///
    /// # Panics
    ///
    /// As [`get_or_init`](Self::get_or_init).
    ///
    /// # Cancel safety
    ///
    /// As [`get_or_init`](Self::get_or_init).
    #[track_caller]
    #[inline]
    pub fn get_or_try_init<E, F, Fut>(&self, init: F) -> GetOrTryInit<'_, T, F, Fut>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<T, E>>,
    {
        GetOrTryInit::new(Init::new(self, init, Location::caller()))
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> OnceCellStats {
        let line = self.line.lock();
        // ORDERING: Relaxed. An answer that is out of date when it arrives.
        let word = self.word.load(Ordering::Relaxed);
        OnceCellStats {
            name: self.name.get().map(str::to_owned),
            is_set: word & state::SET != 0,
            is_initializing: word & state::BUSY != 0,
            waiting: line.waiters.len(),
            waiting_max: line.peak,
        }
    }

    /// Asks for the right to make the value. After `Yours` the caller owes `publish` or `give_up` (I4).
    #[inline]
    fn claim(&self) -> Claim {
        let mut seen = self.word.guess();
        loop {
            let claim = state::claim(seen);
            let Claim::Yours(next) = claim else {
                return claim;
            };
            // ORDERING: Acquire pairs with the Release of `give_up`: what the last initialiser did is
            // visible to the next. Failure is Relaxed because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return claim,
                Err(actual) => seen = actual,
            }
        }
    }

    /// A claim ends with a value: all in line go on.
    fn publish(&self, value: T) {
        self.value.with_mut(|place| {
            // SAFETY: the caller has claimed, so nobody else writes, and nobody reads before SET (I3).
            unsafe { *place = Some(value) };
        });
        let order = if planted!("once_cell.relaxed_publish") {
            Ordering::Relaxed
        } else {
            Ordering::Release
        };
        // ORDERING: Release publishes the value to the Acquire of `get`.
        let before = self.word.fetch_add(state::PUBLISH, order);
        if before & state::WAITERS != 0 {
            wake_in_batches(|batch| {
                let mut line = self.line.lock();
                while !line.waiters.is_empty() {
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
    }

    /// A claim ends without a value: the next one may try.
    fn give_up(&self) {
        // ORDERING: Release pairs with the Acquire of `claim`.
        let before = self.word.fetch_and(!state::BUSY, Ordering::Release);
        if before & state::WAITERS != 0 && !planted!("once_cell.failure_tells_nobody") {
            self.tell_next();
        }
    }

    /// Tells the front of the line to try, unless somebody is at it already, who will (I5).
    #[cold]
    fn tell_next(&self) {
        wake_in_batches(|batch| {
            let mut line = self.line.lock();
            // ORDERING: Relaxed. At least as new as what this thread did to the word or was told about
            // it; a claim that is seen ends later, and its end tells the next.
            let word = self.word.load(Ordering::Relaxed);
            if word & (state::BUSY | state::SET) == 0 {
                if let Some(waker) = line.waiters.grant_front().flatten() {
                    batch.push(waker);
                }
                self.close_empty_line(&line);
            }
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

impl<T> Default for OnceCell<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// A cell that is set already.
impl<T> From<T> for OnceCell<T> {
    fn from(value: T) -> Self {
        Self {
            word: AtomicUsize::new(state::SET),
            value: UnsafeCell::new(Some(value)),
            ..Self::new()
        }
    }
}

impl<T: fmt::Debug> fmt::Debug for OnceCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("OnceCell");
        self.name.describe(&mut out);
        match self.get() {
            Some(value) => out.field("value", value),
            None => out.field("value", &format_args!("<unset>")),
        };
        out.finish()
    }
}

/// A panic leaves the cell empty or set; only the value itself may be half changed.
impl<T: UnwindSafe> UnwindSafe for OnceCell<T> {}
impl<T: RefUnwindSafe + UnwindSafe> RefUnwindSafe for OnceCell<T> {}

const _: () = {
    const fn send<T: Send>() {}
    const fn send_and_sync<T: Send + Sync>() {}
    type Made = core::future::Ready<u8>;
    type Tried = core::future::Ready<Result<u8, ()>>;
    send_and_sync::<OnceCell<u8>>();
    send::<OnceCell<core::cell::Cell<u8>>>();
    send_and_sync::<GetOrInit<'static, u8, fn() -> Made, Made>>();
    send_and_sync::<GetOrTryInit<'static, u8, fn() -> Tried, Tried>>();
    send_and_sync::<OnceCellStats>();
    send_and_sync::<SetError<u8>>();
};
