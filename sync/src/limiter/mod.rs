//! A limit of how many borrow at once, that knows who does and can be changed while it is in use.
//!
//! ```text
//!   acquire ── ask the book (lock) ──► Token ── drop: give_back ──┐
//!                  │ none, or others wait                         ▼
//!                  ▼                                      serve the front while
//!               line up ──► WaitList, FIFO ◄───────────── there are tokens (lock)
//!                                  ▲                              ▲
//!                                  └── a future that is dropped   └── set_total
//! ```
//!
//! Everything is under one lock: it limits threads, connections and the like, which cost more than a
//! lock does. Who borrows and who waits is in `book.rs`, which has neither threads nor waiting in it;
//! the waiting futures are in `borrowing.rs`, the tokens in `token.rs`.
//!
//! Invariants, besides I1 and I2 of the book:
//! - I3: after each unlock nobody waits, or as many are borrowed as there are, or more, or whoever
//!   unlocked is about to lock again.
//! - I4: the line of the book and the wait list have the same members in the same order.
//! - I5: a borrower is in the book as Borrowing exactly as long as one token, or one future that is
//!   Granted, has its name.
//!
//! # No token is left lying while somebody waits
//!
//! The book is asked, and the waiter put in line, under one lock; tokens come back, and the total is
//! changed, under the same one, and whoever does it serves the line before he goes (I3).
//!
//! No user code runs under the lock: a borrower is a number or a text, and compares without any; wakers
//! are cloned before and woken or dropped after.
//!
//! Two futures of one task cannot wait here for one another (*futurelock*): the second is refused. With
//! keys they can, because each key is a borrower of its own.
//!
//! Rejected: keys of any type that can be hashed. Their `Hash` and `Eq` would run under the lock, or
//! there would be two of it.
//! Rejected: a semaphore with a list of owners beside it. The two would have to change in one step.
//!
//! Tests: `book.rs`, `sync/tests/limiter.rs`, `sync/tests/models/limiter.rs` (stress:
//! `sync/tests/limiter.rs`, model: `loom-tests/tests/limiter.rs`).

mod book;
mod borrower;
#[expect(
    unsafe_code,
    reason = "pins the waiter inside the futures, and enlists it"
)]
mod borrowing;
mod error;
mod token;

use core::fmt;
use std::panic::{RefUnwindSafe, UnwindSafe};
use std::sync::Arc;

pub use borrower::Borrower;
pub use borrowing::{Borrowing, BorrowingOwned};
pub use error::{AlreadyBorrowing, TryBorrowError};
pub use token::{OwnedToken, Token};

use crate::block_on::block_on;
use crate::name::Name;
use crate::planted;
use crate::shim::Mutex;
use crate::wait_list::WaitList;
use crate::wake_batch::{Progress, wake_in_batches};
use book::{Ask, Book};

/// Limits how many borrow at once. It knows who they are, and can be made larger or smaller meanwhile.
///
/// Each borrower has at most one token. [`acquire`](Self::acquire) borrows for the task that awaits it,
/// and is an error, not a deadlock, if that task borrows already;
/// [`acquire_for`](Self::acquire_for) borrows for whatever the key stands for. Dropping the [`Token`]
/// gives it back, whoever drops it.
///
/// On an executor other than tenter a task is known by its waker, taken at the first poll: two that wake
/// the same are one borrower. Where that does not tell tasks apart, use `acquire_for`.
///
/// # Fairness
///
/// Tokens go to those who wait in the order in which they began to. While somebody waits nobody else
/// gets one.
///
/// # Examples
///
/// ```
/// use tenter_sync::CapacityLimiter;
///
/// static THREADS: CapacityLimiter = CapacityLimiter::new(2).named("threads");
///
/// let token = THREADS.try_acquire_for("resize").unwrap();
/// assert!(THREADS.try_acquire_for("resize").is_err()); // borrows already
/// assert_eq!((THREADS.total(), THREADS.available()), (2, 1));
/// assert_eq!(THREADS.stats().borrowers[0].to_string(), "\"resize\"");
/// drop(token);
/// ```
pub struct CapacityLimiter {
    desk: Mutex<Desk>,
    name: Name,
}

/// What the lock guards.
struct Desk {
    book: Book,
    line: WaitList,
}

/// What a limiter tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LimiterStats {
    /// The name given by [`CapacityLimiter::named`].
    pub name: Option<String>,
    /// How many may borrow at once; `usize::MAX` is without limit.
    pub total: usize,
    /// How many borrow. More than the total after it has been lowered.
    pub borrowed: usize,
    /// How many more may borrow now.
    pub available: usize,
    /// Who borrows, in no particular order. The token of one that was just woken counts.
    pub borrowers: Vec<Borrower>,
    /// Who waits, in their order.
    pub waiting: Vec<Borrower>,
    /// The most that ever borrowed at once.
    pub borrowed_max: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl CapacityLimiter {
    crate::const_fn! {
        /// A limiter of which `total` may borrow at once: `usize::MAX` is without limit, and of none
        /// everyone waits until [`set_total`](Self::set_total) allows some.
        pub const fn new(total: usize) -> Self {
            Self {
                desk: Mutex::new(Desk { book: Book::new(total), line: WaitList::new() }),
                name: Name::None,
            }
        }
    }

    /// Gives the limiter a name for reports.
    #[must_use]
    pub const fn named(mut self, name: &'static str) -> Self {
        self.name.set_static(name);
        self
    }

    /// Gives the limiter a name that is made at run time.
    #[must_use]
    pub fn named_dyn(mut self, name: impl Into<String>) -> Self {
        self.name = Name::Dynamic(name.into().into_boxed_str());
        self
    }

    /// Borrows a token for the task that awaits this, waiting until it is its turn and there is one.
    ///
    /// # Fairness
    ///
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and nothing is kept of the request. A token that was
    /// reserved for it goes to the next one.
    ///
    /// # Errors
    ///
    /// [`AlreadyBorrowing`] if the task has a token of this limiter, or waits for one in another future.
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
    /// # block_on(async {
    /// let limiter = tenter_sync::CapacityLimiter::new(2);
    /// let token = limiter.acquire().await?;
    /// assert!(limiter.acquire().await.is_err()); // one is enough
    /// drop(token);
    /// let _token = limiter.acquire().await?;
    /// # Ok::<(), tenter_sync::AlreadyBorrowing>(())
    /// # }).unwrap();
    /// ```
    pub fn acquire(&self) -> Borrowing<'_> {
        Borrowing::new(self, None)
    }

    /// Borrows a token for what the key stands for: a number, or a name. See
    /// [`acquire`](Self::acquire) for fairness and cancel safety.
    ///
    /// # Errors
    ///
    /// [`AlreadyBorrowing`] if there is a token, or a request that waits, for an equal key.
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
    /// # block_on(async {
    /// let limiter = tenter_sync::CapacityLimiter::new(2);
    /// let (_one, _two) = (limiter.acquire_for(1_u64).await?, limiter.acquire_for(2_u64).await?);
    /// # Ok::<(), tenter_sync::AlreadyBorrowing>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "acquire_on_behalf_of")]
    pub fn acquire_for(&self, key: impl Into<Borrower>) -> Borrowing<'_> {
        Borrowing::new(self, Some(key.into()))
    }

    /// Borrows a token if there is one and nobody waits, for the task of tenter that calls this.
    ///
    /// Outside of one nothing tells the caller from others, so it borrows as one without a name, as
    /// often as it likes: use [`try_acquire_for`](Self::try_acquire_for) there.
    ///
    /// # Errors
    ///
    /// [`TryBorrowError`] if there is none, others wait, or the task borrows or waits already.
    #[doc(alias = "acquire_nowait")]
    pub fn try_acquire(&self) -> Result<Token<'_>, TryBorrowError> {
        let borrower = self.borrow_now(Borrower::current_task())?;
        Ok(Token::new(self, borrower))
    }

    /// Borrows a token if there is one and nobody waits, for what the key stands for.
    ///
    /// # Errors
    ///
    /// [`TryBorrowError`] if there is none, others wait, or there is a token or a waiting request for an
    /// equal key.
    #[doc(alias = "acquire_on_behalf_of_nowait")]
    pub fn try_acquire_for(&self, key: impl Into<Borrower>) -> Result<Token<'_>, TryBorrowError> {
        let borrower = self.borrow_now(Some(key.into()))?;
        Ok(Token::new(self, borrower))
    }

    /// Borrows a token that keeps the limiter alive. See [`acquire`](Self::acquire).
    ///
    /// # Errors
    ///
    /// As of [`acquire`](Self::acquire).
    pub fn acquire_owned(self: Arc<Self>) -> BorrowingOwned {
        BorrowingOwned::new(self, None)
    }

    /// Borrows a token that keeps the limiter alive, for what the key stands for. See
    /// [`acquire_for`](Self::acquire_for).
    ///
    /// # Errors
    ///
    /// As of [`acquire_for`](Self::acquire_for).
    pub fn acquire_for_owned(self: Arc<Self>, key: impl Into<Borrower>) -> BorrowingOwned {
        BorrowingOwned::new(self, Some(key.into()))
    }

    /// Borrows a token that keeps the limiter alive, without waiting. See
    /// [`try_acquire`](Self::try_acquire).
    ///
    /// # Errors
    ///
    /// As of [`try_acquire`](Self::try_acquire).
    pub fn try_acquire_owned(self: Arc<Self>) -> Result<OwnedToken, TryBorrowError> {
        let borrower = self.borrow_now(Borrower::current_task())?;
        Ok(OwnedToken::new(self, borrower))
    }

    /// Borrows a token that keeps the limiter alive, without waiting, for what the key stands for.
    ///
    /// # Errors
    ///
    /// As of [`try_acquire_for`](Self::try_acquire_for).
    pub fn try_acquire_for_owned(
        self: Arc<Self>,
        key: impl Into<Borrower>,
    ) -> Result<OwnedToken, TryBorrowError> {
        let borrower = self.borrow_now(Some(key.into()))?;
        Ok(OwnedToken::new(self, borrower))
    }

    /// Borrows a token for what the key stands for, parking the calling thread until there is one. It
    /// waits in the same line as the tasks.
    ///
    /// # Errors
    ///
    /// As of [`acquire_for`](Self::acquire_for).
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
    #[track_caller]
    pub fn blocking_acquire_for(
        &self,
        key: impl Into<Borrower>,
    ) -> Result<Token<'_>, AlreadyBorrowing> {
        block_on(self.acquire_for(key))
    }

    /// Changes how many may borrow at once: `usize::MAX` is without limit, and 0 lends nothing more.
    ///
    /// Tokens that are new go to those who wait. If more are borrowed than that, nobody loses his, and
    /// nobody gets one until enough have come back.
    #[doc(alias = "total_tokens")]
    pub fn set_total(&self, total: usize) {
        let mut change = Some(total);
        self.serve(|book| {
            if let Some(total) = change.take() {
                book.set_total(total);
            }
            !planted!("limiter.raise_without_serving")
        });
    }

    /// How many may borrow at once; `usize::MAX` is without limit.
    #[doc(alias = "total_tokens")]
    pub fn total(&self) -> usize {
        self.desk.lock().book.total()
    }

    /// How many more may borrow at this moment; `usize::MAX` is without limit. None while somebody
    /// waits.
    #[doc(alias = "available_tokens")]
    pub fn available(&self) -> usize {
        self.desk.lock().book.available()
    }

    /// How many borrow at this moment. More than [`total`](Self::total) after it has been lowered.
    #[doc(alias = "borrowed_tokens")]
    pub fn borrowed(&self) -> usize {
        self.desk.lock().book.borrowed()
    }

    /// Who borrows and who waits, by name, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> LimiterStats {
        let desk = self.desk.lock();
        let (borrowed_max, waiting_max) = desk.book.peaks();
        LimiterStats {
            name: self.name.get().map(str::to_owned),
            total: desk.book.total(),
            borrowed: desk.book.borrowed(),
            available: desk.book.available(),
            borrowers: desk.book.borrowers(),
            waiting: desk.book.waiting(),
            borrowed_max,
            waiting_max,
        }
    }

    /// Borrows without waiting; for a borrower without a name if there is none.
    fn borrow_now(&self, borrower: Option<Borrower>) -> Result<Borrower, TryBorrowError> {
        let mut desk = self.desk.lock();
        let borrower = borrower.unwrap_or_else(|| desk.book.next_nameless());
        match desk.book.ask(&borrower) {
            Ask::Lend => desk.book.lend(borrower.clone()),
            Ask::Queue => return Err(TryBorrowError::NoneAvailable),
            Ask::Refuse => return Err(AlreadyBorrowing::new(borrower).into()),
        }
        Ok(borrower)
    }

    /// A token comes back.
    fn give_back(&self, borrower: &Borrower) {
        let mut is_back = false;
        self.serve(|book| {
            if !core::mem::replace(&mut is_back, true) {
                book.give_back(borrower);
            }
            true
        });
    }

    /// Makes a change and then serves the line (I3), in as many turns as it takes. `change` runs in each
    /// turn; it is false if the line is not to be served.
    fn serve(&self, mut change: impl FnMut(&mut Book) -> bool) {
        wake_in_batches(|batch| {
            let Desk { book, line } = &mut *self.desk.lock();
            if !change(book) {
                return Progress::Finished;
            }
            loop {
                if batch.is_full() {
                    return Progress::More;
                }
                if !book.lend_to_front() {
                    return Progress::Finished;
                }
                if let Some(waker) = line.grant_front().flatten() {
                    batch.push(waker); // I4
                }
            }
        });
    }
}

impl fmt::Debug for CapacityLimiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("CapacityLimiter");
        self.name.describe(&mut out);
        match self.desk.try_lock() {
            Some(desk) => out
                .field("total", &desk.book.total())
                .field("borrowed", &desk.book.borrowed())
                .field("waiting", &desk.line.len()),
            None => out.field("total", &format_args!("<locked>")),
        };
        out.finish()
    }
}

/// A panic while a token is out leaves the limiter whole: the token comes back by unwinding.
impl UnwindSafe for CapacityLimiter {}
impl RefUnwindSafe for CapacityLimiter {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<CapacityLimiter>();
    send_and_sync::<Borrower>();
    send_and_sync::<Token<'static>>();
    send_and_sync::<OwnedToken>();
    send_and_sync::<Borrowing<'static>>();
    send_and_sync::<BorrowingOwned>();
    send_and_sync::<LimiterStats>();
    send_and_sync::<AlreadyBorrowing>();
    send_and_sync::<TryBorrowError>();
};
