//! The futures that wait: for the next value, and for the receivers to go.
//!
//! The states of a [`Recv`] are its waiter's: Idle and Dismissed look for the value and line up if
//! there is none, Waiting has nothing to do. Nothing is ever reserved: the value stays in the
//! channel until a poll returns it.
//!
//! Obligations of the wait list's contract: (a) the drop of each future, and of the receiver for
//! the waiter of its stream, takes the waiter out before the waiter is dropped; (b) receivers are
//! given to `waiters` of their channel's line and nothing else, [`WaitClosed`] to `watchers`; (c)
//! the ends own the ring together, in an `Arc`, and whoever can poll or drop the waiter has an end
//! or borrows one.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};

use super::claim::Outlook;
use super::ring::{Line, Ring};
use super::{Receiver, RecvError, Sender, TryRecvError};
use crate::budget;
use crate::current::{self, WaitKind};
use crate::planted;
use crate::wait_list::{Identity, WaitList, WaitState, Waiter};

/// Which of the two lists of a line.
type Choose<T> = fn(&mut Line<T>) -> &mut WaitList;

fn waiters<T>(line: &mut Line<T>) -> &mut WaitList {
    &mut line.waiters
}

fn watchers<T>(line: &mut Line<T>) -> &mut WaitList {
    &mut line.watchers
}

/// Waits for the next value. See [`Receiver::recv`].
///
/// Polled again after it has returned one, it receives the value after that.
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    waiter: Waiter,
}

impl<'a, T> Recv<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a mut Receiver<T>) -> Self {
        Self {
            receiver,
            waiter: Waiter::new(),
        }
    }

    #[inline]
    fn parts(self: Pin<&mut Self>) -> (&mut Receiver<T>, Pin<&mut Waiter>) {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Recv` is not
        // `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above. The borrow beside it may move.
        (this.receiver, unsafe {
            Pin::new_unchecked(&mut this.waiter)
        })
    }
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let (receiver, waiter) = self.parts();
        receiver.ring.poll_receive(&mut receiver.next, waiter, cx)
    }
}

impl<T> Drop for Recv<'_, T> {
    #[inline]
    fn drop(&mut self) {
        if self.waiter.state() == WaitState::Waiting {
            // SAFETY: a future that is dropped is not moved any more.
            let (receiver, waiter) = unsafe { Pin::new_unchecked(self) }.parts();
            receiver.ring.abandon(waiter, waiters);
        }
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

/// Waits until no receiver is left. See [`Sender::closed`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct WaitClosed<'a, T> {
    sender: &'a Sender<T>,
    waiter: Waiter,
}

impl<'a, T> WaitClosed<'a, T> {
    pub(super) fn new(sender: &'a Sender<T>) -> Self {
        Self {
            sender,
            waiter: Waiter::new(),
        }
    }

    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: as in `Recv::parts`.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<T> Future for WaitClosed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let ring = &self.sender.ring;
        let mut waiter = self.waiter();
        match waiter.state() {
            WaitState::Idle => {
                if ring.watch(waiter.as_mut(), cx.waker()) {
                    return ring.waiting();
                }
                waiter.as_mut().secure(); // a new receiver takes nothing away any more
            }
            WaitState::Waiting => {
                if ring.waits_on(waiter.as_mut(), watchers, cx.waker()) {
                    return ring.waiting();
                }
            }
            WaitState::Granted | WaitState::Dismissed => {}
            WaitState::Done => return Poll::Ready(()),
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        waiter.finish();
        Poll::Ready(())
    }
}

impl<T> Drop for WaitClosed<'_, T> {
    fn drop(&mut self) {
        if self.waiter.state() == WaitState::Waiting {
            let ring = &self.sender.ring;
            // SAFETY: a future that is dropped is not moved any more.
            ring.abandon(unsafe { Pin::new_unchecked(self) }.waiter(), watchers);
        }
    }
}

impl<T> fmt::Debug for WaitClosed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitClosed")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl<T> Ring<T> {
    /// Receives the value at `next`, or what happened to it, or waits for it.
    #[inline]
    pub(super) fn poll_receive(
        &self,
        next: &mut u64,
        mut waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, RecvError>>
    where
        T: Clone,
    {
        if waiter.state() == WaitState::Waiting
            && self.waits_on(waiter.as_mut(), waiters, cx.waker())
        {
            return self.waiting();
        }
        // What is there is claimed and paid for in one; when the budget is spent nothing is tried.
        if let Ok(claimed) = budget::spend_on((), |()| self.claim(*next).map_err(drop)) {
            *next += 1;
            return Poll::Ready(Ok(claimed.into_value()));
        }
        self.poll_slowly(next, waiter, cx)
    }

    /// The same when nothing could be claimed, or nothing could be paid for.
    #[inline(never)]
    fn poll_slowly(
        &self,
        next: &mut u64,
        waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<T, RecvError>>
    where
        T: Clone,
    {
        let is_over = self.outlook(*next) != Outlook::Empty;
        if !is_over && self.line_up(waiter, *next, cx.waker()) {
            return self.waiting();
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending; // what there is stays there, or is lost as for any slow receiver
        }
        Poll::Ready(match self.receive(next) {
            Ok(claimed) => Ok(claimed.into_value()),
            Err(TryRecvError::Lagged(lost)) => Err(RecvError::Lagged(lost)),
            Err(TryRecvError::Closed) => Err(RecvError::Closed),
            // What was sent stays sent or is lost, and without a sender nobody becomes one.
            Err(TryRecvError::Empty) => unreachable!("neither a value, nor a loss, nor the end"),
        })
    }

    /// Puts the waiter at the end of the line, if `next` has not been sent and still may be.
    #[inline]
    fn line_up(&self, mut waiter: Pin<&mut Waiter>, next: u64, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line();
        let is_over =
            self.outlook(next) != Outlook::Empty && !planted!("broadcast.line_up_without_recheck");
        if is_over {
            drop(line); // before the waker is dropped
            return false;
        }
        if waiter.state() == WaitState::Dismissed {
            waiter.as_mut().renew();
        }
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe {
            line.waiters
                .enlist(waiter, next as usize, identity, Some(waker));
        }
        line.peak = line.peak.max(line.waiters.len());
        true
    }

    /// Puts the waiter in line for the receivers to go, if there are any.
    fn watch(&self, waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line();
        if line.receivers == 0 {
            drop(line); // before the waker is dropped
            return false;
        }
        let now = line.vacancies;
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { line.watchers.enlist(waiter, now, identity, Some(waker)) };
        true
    }

    /// Waits on, with another waker if need be; false if the wait is over.
    #[cold]
    fn waits_on(&self, mut waiter: Pin<&mut Waiter>, list: Choose<T>, waker: &Waker) -> bool {
        if waiter.as_mut().is_registered(waker) {
            return true;
        }
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let old = list(&mut self.line()).set_waker(waiter.as_mut(), identity, waker);
        drop(old); // outside the lock
        waiter.state() == WaitState::Waiting
    }

    /// Ends a wait of a receiver's stream.
    pub(super) fn abandon_stream(&self, waiter: Pin<&mut Waiter>) {
        if waiter.state() == WaitState::Waiting {
            self.abandon(waiter, waiters);
        }
    }

    /// Ends a wait that nobody wants any more.
    #[cold]
    fn abandon(&self, waiter: Pin<&mut Waiter>, list: Choose<T>) {
        let left = list(&mut self.line()).leave(waiter);
        drop(left); // a waker, outside the lock
    }

    fn waiting<R>(&self) -> Poll<R> {
        current::waiting_on(WaitKind::Queue, self);
        Poll::Pending
    }
}
