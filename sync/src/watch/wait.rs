//! The futures of a watch channel: a change, a value that fits, the departure of the receivers.
//!
//! Obligations of the wait list's contract: (a) the drop of each future takes the waiter out before the
//! waiter inside it is dropped; (b) a waiter is given to one of the channel's two lists and stays with
//! it; (c) the channel is behind an `Arc` that the end keeps alive from which the future is borrowed.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, Waker, ready};

use super::channel::Channel;
use super::reading::Ref;
use super::state::{self, Outlook};
use super::{Receiver, RecvError};
use crate::budget;
use crate::current::{self, WaitKind};
use crate::planted;
use crate::wait_list::{Identity, WaitState, Waiter};

/// Waits for a value that the receiver has not seen. See [`Receiver::changed`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Changed<'a, T> {
    channel: &'a Channel<T>,
    seen: &'a mut usize,
    waiter: Waiter,
}

/// Waits for a value that fits. See [`Receiver::wait_for`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct WaitFor<'a, T, F> {
    channel: &'a Channel<T>,
    seen: &'a mut usize,
    waiter: Waiter,
    fits: F,
    /// Whether the latest value has to be looked at.
    looks: bool,
}

/// Waits until no receiver is left. See [`Sender::closed`](super::Sender::closed).
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct WaitClosed<'a, T> {
    channel: &'a Channel<T>,
    waiter: Waiter,
}

impl<'a, T> Changed<'a, T> {
    #[inline]
    pub(super) fn new(receiver: &'a mut Receiver<T>) -> Self {
        let (channel, seen) = receiver.parts();
        Self {
            channel,
            seen,
            waiter: Waiter::new(),
        }
    }
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the waiter is never moved out: it is pinned with its future, which is not `Unpin`.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: as above.
        let mut waiter = unsafe { Pin::new_unchecked(&mut this.waiter) };
        let result = ready!(this.channel.poll_wait(*this.seen, waiter.as_mut(), cx));
        ready!(budget::poll_spend(cx)); // nothing is marked as seen, so nothing is lost
        if result.is_ok() {
            *this.seen = state::version(this.channel.word());
        }
        Poll::Ready(result)
    }
}

impl<T> Drop for Changed<'_, T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        self.channel
            .abandon(unsafe { Pin::new_unchecked(&mut self.waiter) });
    }
}

impl<'a, T, F> WaitFor<'a, T, F> {
    pub(super) fn new(receiver: &'a mut Receiver<T>, fits: F) -> Self {
        let (channel, seen) = receiver.parts();
        Self {
            channel,
            seen,
            waiter: Waiter::new(),
            fits,
            looks: true,
        }
    }
}

impl<'a, T, F: FnMut(&T) -> bool> Future for WaitFor<'a, T, F> {
    type Output = Result<Ref<'a, T>, RecvError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: the waiter is never moved out: it is pinned with its future, which is not `Unpin`
        // either way. `fits` is not pinned.
        let this = unsafe { self.get_unchecked_mut() };
        loop {
            if this.looks {
                ready!(budget::poll_spend(cx)); // before the look: what fits is returned
                this.looks = false;
                let reading = this.channel.begin_read();
                let value = Ref::new(this.channel, &reading, Some(*this.seen));
                *this.seen = reading.version;
                if (this.fits)(&value) {
                    return Poll::Ready(Ok(value));
                }
            }
            // SAFETY: as above.
            let waiter = unsafe { Pin::new_unchecked(&mut this.waiter) };
            match ready!(this.channel.poll_wait(*this.seen, waiter, cx)) {
                Ok(()) => this.looks = true,
                Err(gone) => return Poll::Ready(Err(gone)),
            }
        }
    }
}

impl<T, F> Drop for WaitFor<'_, T, F> {
    fn drop(&mut self) {
        // SAFETY: a future that is dropped is not moved any more.
        self.channel
            .abandon(unsafe { Pin::new_unchecked(&mut self.waiter) });
    }
}

impl<'a, T> WaitClosed<'a, T> {
    pub(super) fn new(channel: &'a Channel<T>) -> Self {
        Self {
            channel,
            waiter: Waiter::new(),
        }
    }

    fn waiter(self: Pin<&mut Self>) -> Pin<&mut Waiter> {
        // SAFETY: the waiter is pinned with its future, which is not `Unpin` and never moves it out.
        unsafe { self.map_unchecked_mut(|future| &mut future.waiter) }
    }
}

impl<T> Future for WaitClosed<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let channel = self.channel;
        let mut waiter = self.waiter();
        match waiter.state() {
            WaitState::Idle | WaitState::Waiting => {
                if waiter.as_mut().is_registered(cx.waker())
                    || channel.line_up_sender(waiter.as_mut(), cx.waker())
                {
                    return waiting(channel);
                }
            }
            WaitState::Granted | WaitState::Dismissed => {}
            WaitState::Done => return Poll::Ready(()),
        }
        ready!(budget::poll_spend(cx));
        waiter.finish();
        Poll::Ready(())
    }
}

impl<T> Drop for WaitClosed<'_, T> {
    fn drop(&mut self) {
        if self.waiter.state() == WaitState::Waiting {
            let channel = self.channel;
            // SAFETY: a future that is dropped is not moved any more.
            let waiter = unsafe { Pin::new_unchecked(&mut self.waiter) };
            let left = channel.line.lock().senders_waiting().0.leave(waiter);
            drop(left); // a waker, outside the lock
        }
    }
}

fn waiting<R, T>(channel: &Channel<T>) -> Poll<R> {
    current::waiting_on(WaitKind::Watch, channel);
    Poll::Pending
}

impl<T> Channel<T> {
    /// Waits for a version other than `seen`. When it is ready the waiter is in no list, and new.
    #[inline]
    pub(super) fn poll_wait(
        &self,
        seen: usize,
        mut waiter: Pin<&mut Waiter>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), RecvError>> {
        let mut outlook = state::outlook(self.word(), seen);
        if outlook == Outlook::Nothing {
            if waiter.as_mut().is_registered(cx.waker()) {
                return waiting(self);
            }
            outlook = self.line_up(seen, waiter.as_mut(), cx.waker());
            if outlook == Outlook::Nothing {
                return waiting(self);
            }
        }
        self.settle(waiter);
        Poll::Ready(match outlook {
            Outlook::Gone => Err(RecvError),
            Outlook::Unseen | Outlook::Nothing => Ok(()),
        })
    }

    /// Lines a receiver up, or gives it another waker, unless there is something for it after all.
    #[cold]
    fn line_up(&self, seen: usize, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> Outlook {
        self.renew(waiter.as_mut());
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        let outlook = state::outlook(self.word(), seen); // changes with the lock in hand only
        if outlook != Outlook::Nothing && !planted!("watch.line_up_without_look") {
            drop(line);
            return outlook; // the waker is dropped outside the lock
        }
        let unused = if waiter.state() == WaitState::Waiting {
            line.receivers_waiting().set_waker(waiter, identity, waker)
        } else {
            let list = line.receivers_waiting();
            // SAFETY: (a), (b) and (c) as the head of this file says.
            unsafe { list.enlist(waiter, seen, identity, Some(waker)) };
            line.note_peak();
            None
        };
        drop(line);
        drop(unused); // user code, outside the lock
        Outlook::Nothing
    }

    /// Lines a sender up, or gives it another waker; false if its wait is over.
    #[cold]
    fn line_up_sender(&self, mut waiter: Pin<&mut Waiter>, waker: &Waker) -> bool {
        let (waker, identity) = (waker.clone(), Identity::of(waker));
        let mut line = self.line.lock();
        if waiter.state() == WaitState::Waiting {
            let unused = line
                .senders_waiting()
                .0
                .set_waker(waiter.as_mut(), identity, waker);
            drop(line);
            drop(unused); // user code, outside the lock
            return waiter.state() == WaitState::Waiting;
        }
        if waiter.state() != WaitState::Idle {
            drop(line); // dismissed meanwhile
            return false;
        }
        if line.receivers == 0 {
            drop(line);
            waiter.secure();
            return false;
        }
        let (list, departures) = line.senders_waiting();
        // SAFETY: (a), (b) and (c) as the head of this file says.
        unsafe { list.enlist(waiter, departures, identity, Some(waker)) };
        true
    }

    /// The wait is over: the waiter leaves its list, if it is still in it, and may begin again.
    #[inline]
    fn settle(&self, mut waiter: Pin<&mut Waiter>) {
        if waiter.state() == WaitState::Waiting {
            self.abandon(waiter.as_mut());
        }
        self.renew(waiter);
    }

    #[inline]
    fn renew(&self, mut waiter: Pin<&mut Waiter>) {
        if !matches!(waiter.state(), WaitState::Idle | WaitState::Waiting) {
            waiter.set(Waiter::new());
        }
    }

    /// Ends the wait of a receiver that nobody wants any more.
    #[inline]
    pub(super) fn abandon(&self, waiter: Pin<&mut Waiter>) {
        if waiter.state() == WaitState::Waiting {
            self.take_out(waiter);
        }
    }

    #[cold]
    fn take_out(&self, waiter: Pin<&mut Waiter>) {
        let left = self.line.lock().receivers_waiting().leave(waiter);
        drop(left); // a waker, outside the lock
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "Changed", &self.waiter)
    }
}

impl<T, F> fmt::Debug for WaitFor<'_, T, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "WaitFor", &self.waiter)
    }
}

impl<T> fmt::Debug for WaitClosed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "WaitClosed", &self.waiter)
    }
}

fn describe(f: &mut fmt::Formatter<'_>, name: &str, waiter: &Waiter) -> fmt::Result {
    f.debug_struct(name)
        .field("state", &waiter.state())
        .finish_non_exhaustive()
}
