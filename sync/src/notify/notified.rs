//! The future that waits for a notification.
//!
//! Its states are the waiter's: Idle looks at the word and lines up, Waiting has nothing to do,
//! Granted holds a notification of `notify_one` that the drop passes on, Dismissed was let go by
//! `notify_waiters`, Done has returned and stays ready.
//!
//! Obligations of the wait list's contract: (a) the drop of the future takes the waiter out before
//! the waiter inside it is dropped; (b) the waiter is given to `notify.line` and nothing else;
//! (c) the future borrows the `Notify`, so that cannot move or go while the future can still be
//! polled or dropped.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use super::state::{Claim, LineUp};
use super::{Notify, state};
use crate::budget;
use crate::current::WaitKind;
use crate::notes::{self, Wants};
use crate::planted;
use crate::shim::Guess;
use crate::shim::atomic::Ordering;
use crate::wait_list::{Identity, WaitState, Waiter};

/// Waits for a notification. See [`Notify::notified`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Notified<'a> {
    notify: &'a Notify,
    /// The generation in which it was made.
    born: usize,
    waiter: Waiter,
}

/// Waits for a notification of a shared [`Notify`]. See [`Notify::notified_owned`].
#[doc(alias = "OwnedNotified")]
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct NotifiedOwned {
    notify: Arc<Notify>,
    /// The generation in which it was made.
    born: usize,
    waiter: Waiter,
}

impl<'a> Notified<'a> {
    #[inline]
    pub(super) fn new(notify: &'a Notify, born: usize) -> Self {
        Self {
            notify,
            born,
            waiter: Waiter::new(),
        }
    }

    /// Gets in line without polling. True if the notification is there already, so that the future
    /// is ready.
    ///
    /// Use it to get in line *before* checking a condition, so that a `notify_one` between the
    /// check and the `await` goes to this future.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::pin::pin;
    /// let notify = tenter_sync::Notify::new();
    /// let mut notified = pin!(notify.notified());
    /// assert!(!notified.as_mut().enable());
    /// // … check the condition here, and then `notified.await` …
    /// notify.notify_one();
    /// assert!(notified.enable());
    /// ```
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let (notify, born) = (self.notify, self.born);
        notify.enlist(self.waiter(), born)
    }

    #[inline]
    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future: it is never moved out, and `Notified` is
        // not `Unpin` because `Waiter` is not. Were it moved, the list would point to where it was.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (notify, born) = (self.notify, self.born);
        notify.poll_wait(self.waiter(), born, cx)
    }
}

impl Drop for Notified<'_> {
    #[inline]
    fn drop(&mut self) {
        let notify = self.notify;
        // SAFETY: a future that is dropped is not moved any more.
        notify.end(unsafe { Pin::new_unchecked(self) }.waiter());
    }
}

impl NotifiedOwned {
    #[inline]
    pub(super) fn new(notify: Arc<Notify>, born: usize) -> Self {
        Self {
            notify,
            born,
            waiter: Waiter::new(),
        }
    }

    /// Gets in line without polling. See [`Notified::enable`].
    pub fn enable(self: Pin<&mut Self>) -> bool {
        let (notify, born, waiter) = self.project();
        notify.enlist(waiter, born)
    }

    #[inline]
    fn project(self: Pin<&mut Self>) -> (&Notify, usize, Pin<&mut Waiter>) {
        // SAFETY: as in `Notified::waiter` for the waiter; nothing depends on where the fields beside
        // it are.
        unsafe {
            let this = self.get_unchecked_mut();
            (
                &this.notify,
                this.born,
                Pin::new_unchecked(&mut this.waiter),
            )
        }
    }
}

impl Future for NotifiedOwned {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let (notify, born, waiter) = self.project();
        notify.poll_wait(waiter, born, cx)
    }
}

impl Drop for NotifiedOwned {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        let (notify, _, waiter) = unsafe { Pin::new_unchecked(self) }.project();
        notify.end(waiter);
    }
}

impl fmt::Debug for NotifiedOwned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NotifiedOwned")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Notified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Notified")
            .field("state", &self.waiter.state())
            .finish_non_exhaustive()
    }
}

impl Notify {
    fn poll_wait(
        &self,
        mut waiter: Pin<&mut Waiter>,
        born: usize,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        loop {
            match waiter.state() {
                WaitState::Idle => match self.find(born) {
                    Claim::Told => break,
                    Claim::Stored(_) => waiter.as_mut().secure(),
                    Claim::Nothing => {
                        let (waker, identity) = (cx.waker().clone(), Identity::of(cx.waker()));
                        match self.line_up(waiter.as_mut(), born, identity, Some(waker)) {
                            Claim::Told => break,
                            Claim::Stored(_) => {}
                            Claim::Nothing => return self.waiting(),
                        }
                    }
                },
                WaitState::Waiting => {
                    if waiter.as_mut().is_registered(cx.waker())
                        || self.change_waker(waiter.as_mut(), cx.waker())
                    {
                        return self.waiting();
                    }
                }
                WaitState::Granted | WaitState::Dismissed => break,
                WaitState::Done => return Poll::Ready(()),
            }
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending;
        }
        waiter.finish();
        Poll::Ready(())
    }

    /// Gets in line without a waker. True if the wait is over.
    fn enlist(&self, mut waiter: Pin<&mut Waiter>, born: usize) -> bool {
        if waiter.state() != WaitState::Idle {
            return waiter.state() != WaitState::Waiting;
        }
        match self.line_up(waiter.as_mut(), born, Identity::of(Waker::noop()), None) {
            Claim::Stored(_) | Claim::Told => true,
            Claim::Nothing => false,
        }
    }

    /// The future is dropped.
    #[inline]
    fn end(&self, waiter: Pin<&mut Waiter>) {
        match waiter.state() {
            WaitState::Idle | WaitState::Dismissed | WaitState::Done => {}
            WaitState::Waiting | WaitState::Granted => self.abandon(waiter),
        }
    }

    /// Looks for a notification, and takes the stored one.
    #[inline]
    fn find(&self, born: usize) -> Claim {
        let mut seen = self.word.guess();
        loop {
            let claim = state::claim(seen, born);
            let Claim::Stored(next) = claim else {
                self.acquire_told();
                return claim;
            };
            // ORDERING: Acquire pairs with the Release of `notify_one`. Failure is Relaxed because
            // the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::Acquire, Ordering::Relaxed)
            {
                Ok(_) => return claim,
                Err(actual) => seen = actual,
            }
        }
    }

    /// After a look that said Told: makes visible what was done before `notify_waiters`.
    fn acquire_told(&self) {
        // ORDERING: Acquire pairs with the Release of `notify_waiters`: the word is at least as new
        // as the one that said Told. A load and not a fence, because ThreadSanitizer does not see
        // fences.
        let _ = self.word.load(Ordering::Acquire);
    }

    /// Finds a notification after all, which is the waiter's then, or puts it at the end of the line
    /// (`Nothing`).
    fn line_up(
        &self,
        mut waiter: Pin<&mut Waiter>,
        born: usize,
        identity: Identity,
        waker: Option<Waker>,
    ) -> Claim {
        let mut line = self.line.lock();
        let mut seen = self.word.guess();
        loop {
            let (next, settled) = match state::line_up(seen, born) {
                LineUp::Settled(Claim::Stored(next)) => (next, Some(Claim::Stored(next))),
                LineUp::Settled(told) => {
                    self.acquire_told();
                    return told;
                }
                LineUp::Enlist(next) => (next, None),
            };
            if planted!("notify.line_up_without_recheck") {
                self.word.fetch_or(state::WAITERS, Ordering::AcqRel);
                break;
            }
            // ORDERING: AcqRel. Acquire as in `find`; Release keeps the chain whole.
            // Failure is Relaxed because the step runs again.
            match self
                .word
                .compare_exchange_weak(seen, next, Ordering::AcqRel, Ordering::Relaxed)
            {
                Ok(_) => match settled {
                    Some(claim) => {
                        waiter.as_mut().secure(); // before the waker goes: its drop may panic
                        return claim;
                    }
                    None => break,
                },
                Err(actual) => seen = actual,
            }
        }
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { line.waiters.enlist(waiter, born, identity, waker) };
        line.peak = line.peak.max(line.waiters.len());
        Claim::Nothing
    }

    /// Waits on with another waker; false if the wait is over.
    fn change_waker(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let old = self
            .line
            .lock()
            .waiters
            .set_waker(waiter.as_mut(), identity, waker);
        drop(old); // outside the lock
        waiter.state() == WaitState::Waiting
    }

    fn waiting(&self) -> Poll<()> {
        notes::waiting_on(WaitKind::Notify, self, &self.name, Wants::Notified);
        Poll::Pending
    }

    /// Ends a wait that nobody wants any more.
    #[cold]
    fn abandon(&self, mut waiter: Pin<&mut Waiter>) {
        let left = {
            let mut line = self.line.lock();
            let left = line.waiters.leave(waiter.as_mut());
            self.close_empty_line(&line);
            left
        };
        drop(left); // a waker, outside the lock
        if waiter.state() == WaitState::Granted && !planted!("notify.cancel_swallows_grant") {
            self.notify_one(); // I4
        }
    }
}
