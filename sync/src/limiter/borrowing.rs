//! The futures that wait for a token.
//!
//! Both hold a [`Wait`]. The states are the waiter's: Idle asks the book and lines up, Waiting has
//! nothing to do, Granted has a token that the drop gives back, Done has returned.
//!
//! Obligations of the wait list's contract: (a) `abandon` runs in the drop of both futures, before the
//! waiter inside them is dropped; (b) the waiter is given to `limiter.desk` and nothing else; (c) the
//! future borrows or owns the limiter, so the limiter cannot move or go while the future can still be
//! polled or dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use super::book::Ask;
use super::{AlreadyBorrowing, Borrower, CapacityLimiter, OwnedToken, Token};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::wait_list::{Identity, Left, WaitState, Waiter};

/// Waits for a token of a borrowed limiter. See [`CapacityLimiter::acquire`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Borrowing<'a> {
    limiter: &'a CapacityLimiter,
    wait: Wait,
}

/// Waits for a token of a shared limiter. See [`CapacityLimiter::acquire_owned`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct BorrowingOwned {
    /// `None` when it has moved into the token.
    limiter: Option<Arc<CapacityLimiter>>,
    wait: Wait,
}

/// What both are made of, besides the limiter.
struct Wait {
    /// `None` until the first poll if it is the task that borrows, and when the wait has returned.
    borrower: Option<Borrower>,
    /// Its place in line, while Waiting.
    ticket: usize,
    waiter: Waiter,
}

impl Wait {
    fn new(borrower: Option<Borrower>) -> Self {
        Self {
            borrower,
            ticket: 0,
            waiter: Waiter::new(),
        }
    }

    fn project(self: Pin<&mut Self>) -> (&mut Option<Borrower>, &mut usize, Pin<&mut Waiter>) {
        // SAFETY: the waiter is pinned with what holds it: it is never moved out, and `Wait` is not
        // `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        // Nothing depends on where the other fields are.
        unsafe {
            let this = self.get_unchecked_mut();
            (
                &mut this.borrower,
                &mut this.ticket,
                Pin::new_unchecked(&mut this.waiter),
            )
        }
    }

    /// Polls for a token. After `Ready(Ok)` it is the caller's, and this borrower's.
    fn poll(
        self: Pin<&mut Self>,
        limiter: &CapacityLimiter,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Borrower, AlreadyBorrowing>> {
        let (place, ticket, mut waiter) = self.project();
        if waiter.state() == WaitState::Idle {
            let borrower = place.get_or_insert_with(|| Borrower::task(cx.waker()));
            if let Ask::Refuse = limiter.ask(waiter.as_mut(), borrower, ticket, cx.waker()) {
                if budget::poll_spend(cx).is_pending() {
                    return Poll::Pending;
                }
                waiter.finish();
                return Poll::Ready(Err(AlreadyBorrowing::new(take(place))));
            }
        }
        let waits = match waiter.state() {
            WaitState::Waiting => {
                waiter.as_mut().is_registered(cx.waker())
                    || limiter.change_waker(waiter.as_mut(), cx.waker())
            }
            WaitState::Granted => false,
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => completed(),
        };
        if waits {
            // To a diagnosis a limiter is a semaphore.
            notes::waiting_on(
                WaitKind::Semaphore,
                limiter,
                &limiter.name,
                Wants::Permits(1),
            );
            return Poll::Pending;
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending; // the book says whose the token is
        }
        waiter.finish();
        Poll::Ready(Ok(take(place)))
    }

    /// Ends a wait that nobody wants any more.
    fn abandon(self: Pin<&mut Self>, limiter: &CapacityLimiter) {
        let (borrower, ticket, mut waiter) = self.project();
        match waiter.state() {
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => return,
            WaitState::Waiting => limiter.leave(waiter.as_mut(), *ticket),
            WaitState::Granted => {}
        }
        if waiter.state() == WaitState::Granted && !planted!("limiter.cancel_swallows_grant") {
            if let Some(borrower) = borrower {
                limiter.give_back(borrower);
            }
        }
    }

    fn describe(&self, what: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(what)
            .field("borrower", &self.borrower)
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

fn take(place: &mut Option<Borrower>) -> Borrower {
    match place.take() {
        Some(borrower) => borrower,
        None => completed(),
    }
}

#[cold]
fn completed() -> ! {
    panic!("a limiter future was polled again after it had completed: await it once");
}

impl<'a> Borrowing<'a> {
    pub(super) fn new(limiter: &'a CapacityLimiter, borrower: Option<Borrower>) -> Self {
        Self {
            limiter,
            wait: Wait::new(borrower),
        }
    }

    fn wait(self: Pin<&mut Self>) -> Pin<&mut Wait> {
        // SAFETY: the wait is pinned with its future: it is never moved out, and `Borrowing` is not
        // `Unpin` because `Wait` is not.
        unsafe { self.map_unchecked_mut(|future| &mut future.wait) }
    }
}

impl<'a> Future for Borrowing<'a> {
    type Output = Result<Token<'a>, AlreadyBorrowing>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let limiter = self.limiter;
        self.wait()
            .poll(limiter, cx)
            .map_ok(|borrower| Token::new(limiter, borrower))
    }
}

impl Drop for Borrowing<'_> {
    fn drop(&mut self) {
        let limiter = self.limiter;
        // SAFETY: a future that is dropped is not moved any more.
        unsafe { Pin::new_unchecked(self) }.wait().abandon(limiter);
    }
}

impl fmt::Debug for Borrowing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wait.describe("Borrowing", f)
    }
}

impl BorrowingOwned {
    pub(super) fn new(limiter: Arc<CapacityLimiter>, borrower: Option<Borrower>) -> Self {
        Self {
            limiter: Some(limiter),
            wait: Wait::new(borrower),
        }
    }

    fn project(self: Pin<&mut Self>) -> (&mut Option<Arc<CapacityLimiter>>, Pin<&mut Wait>) {
        // SAFETY: as in `Borrowing::wait` for the wait; the `Arc` beside it is not pinned, and nothing
        // depends on where it is.
        unsafe {
            let this = self.get_unchecked_mut();
            (&mut this.limiter, Pin::new_unchecked(&mut this.wait))
        }
    }
}

impl Future for BorrowingOwned {
    type Output = Result<OwnedToken, AlreadyBorrowing>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (place, wait) = self.project();
        let Some(limiter) = place else { completed() };
        match wait.poll(limiter, cx) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Ready(Ok(borrower)) => match place.take() {
                Some(limiter) => Poll::Ready(Ok(OwnedToken::new(limiter, borrower))),
                None => completed(),
            },
        }
    }
}

impl Drop for BorrowingOwned {
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        let (limiter, wait) = unsafe { Pin::new_unchecked(self) }.project();
        if let Some(limiter) = limiter {
            wait.abandon(limiter);
        }
    }
}

impl fmt::Debug for BorrowingOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wait.describe("BorrowingOwned", f)
    }
}

impl CapacityLimiter {
    /// Asks for a token: afterwards the waiter is Granted, or Waiting, or as it was (Refuse).
    fn ask(
        &self,
        waiter: Pin<&mut Waiter>,
        borrower: &Borrower,
        ticket: &mut usize,
        waker: &Waker,
    ) -> Ask {
        let mut spare: Option<Waker> = None;
        loop {
            let mut desk = self.desk.lock();
            let says = if spare.is_some() && planted!("limiter.line_up_without_recheck") {
                Ask::Queue
            } else {
                desk.book.ask(borrower)
            };
            match says {
                Ask::Refuse => {}
                Ask::Lend => {
                    desk.book.lend(borrower.clone());
                    waiter.secure(); // before the spare waker goes: its drop may panic
                }
                Ask::Queue => {
                    let Some(new) = spare.take() else {
                        drop(desk);
                        spare = Some(waker.clone()); // user code, outside the lock
                        continue;
                    };
                    *ticket = desk.book.queue(borrower.clone());
                    let identity = Identity::of(&new);
                    // SAFETY: (a), (b) and (c) as the head of this file says.
                    unsafe { desk.line.enlist(waiter, 0, identity, Some(new)) };
                }
            }
            drop(desk);
            drop(spare);
            return says;
        }
    }

    /// Waits on with another waker; false if the wait is over.
    fn change_waker(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut desk = self.desk.lock();
        let old = desk.line.set_waker(waiter.as_mut(), identity, waker);
        drop(desk);
        drop(old); // outside the lock
        waiter.state() == WaitState::Waiting
    }

    /// Leaves the line and the book, unless a token has come meanwhile.
    fn leave(&self, waiter: Pin<&mut Waiter>, ticket: usize) {
        let mut desk = self.desk.lock();
        let left = desk.line.leave(waiter);
        if matches!(left, Left::Waiting(_)) && !planted!("limiter.leave_keeps_the_name") {
            desk.book.withdraw(ticket);
        }
        drop(desk);
        drop(left); // a waker, outside the lock
    }
}
