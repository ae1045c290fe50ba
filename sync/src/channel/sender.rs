//! The side that sends.

use core::fmt;
use std::collections::VecDeque;
use std::panic::{RefUnwindSafe, UnwindSafe};

use super::error::{SendError, TryReserveError, TrySendError};
use super::futures::{Reserve, SendMany, Sending, Slot, WaitClosed};
use super::shared::{End, Hold, Receivers, Senders};
use super::{ChannelStats, each_end};
use crate::block_on::block_on;
use crate::queue::{self, AnyQueue};

/// Sends into a channel. Clones send into the same one; when the last is gone the channel closes.
///
/// # Fairness
///
/// Senders are served in the order in which they began to wait, through whichever clone: a receiver that
/// frees a place lets the value of the longest-waiting sender in. Nobody gets in between, not even
/// [`try_send`](Self::try_send).
pub struct Sender<T> {
    end: End<T, Senders>,
}

/// Keeps neither the channel open nor the values in it, only the right to ask for a [`Sender`].
pub struct WeakSender<T> {
    hold: Hold<T>,
}

impl<T> Sender<T> {
    #[inline]
    pub(super) fn new(end: End<T, Senders>) -> Self {
        Self { end }
    }

    /// Sends a value, waiting for room if there is none. In a rendezvous channel it waits for a receiver.
    ///
    /// If there is room and nobody waits for it, the value is sent in the first poll.
    ///
    /// # Fairness
    ///
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line, and drops the value with it. But the place of one who
    /// waits may have come between the last poll and the drop: then the value is sent. It is never lost,
    /// and never there twice. If the value must not be dropped, get a place first, with
    /// [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the channel is closed or all receivers are gone, before or while
    /// waiting.
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
    /// let (sender, receiver) = tenter_sync::channel::bounded(1);
    /// sender.send("news").await?;
    /// assert_eq!(receiver.recv().await, Ok("news"));
    /// # Ok::<(), tenter_sync::channel::SendError<&str>>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "put")]
    #[inline]
    pub fn send(&self, value: T) -> Sending<'_, T> {
        Sending::new(queue::Put::new(self.end.shared(), value))
    }

    /// Sends a value if there is room, and nobody waits for it. In a rendezvous channel: if a receiver waits
    /// that nobody else is due to.
    ///
    /// # Errors
    ///
    /// [`TrySendError`] with the value if not, or if the channel is closed or all receivers are gone.
    #[doc(alias = "send_nowait")]
    #[doc(alias = "put_nowait")]
    #[inline]
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        let sent = self.end.shared().core().try_put(value);
        sent.map_err(TrySendError::from)
    }

    /// Sends a value, parking the calling thread until there is room. It waits in the same line as the
    /// tasks.
    ///
    /// # Errors
    ///
    /// As of [`send`](Self::send).
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => block_on(self.send(value)),
        }
    }

    /// Sends values in their order, waiting for room as often as it takes. Others may send theirs in
    /// between.
    ///
    /// # Cancel safety
    ///
    /// Those that are sent stay sent, and the rest is dropped.
    ///
    /// # Errors
    ///
    /// [`SendError`] with what was not sent, in its order.
    pub fn send_many(&self, values: impl IntoIterator<Item = T>) -> SendMany<'_, T> {
        let values = values.into_iter().collect::<VecDeque<_>>();
        SendMany::new(queue::PutMany::new(self.end.shared(), values))
    }

    /// Gets a place for a value that may not exist yet, waiting for it if there is none.
    ///
    /// The place counts as a value. As long as slots are out every operation of the channel takes a
    /// lock; one that is leaked is never given back.
    ///
    /// In a rendezvous channel it waits for a receiver that waits, which is then kept for the slot. That
    /// receiver may leave all the same: then the value that is sent through the slot stands in the channel
    /// until the next receiver comes.
    ///
    /// # Fairness
    ///
    /// First come, first served, in one line with those who send.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. A place already kept for it goes to the next.
    ///
    /// # Errors
    ///
    /// [`SendError`] if the channel is closed or all receivers are gone, before or while waiting.
    #[inline]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(queue::Reserve::new(self.end.shared()))
    }

    /// Gets a place for a value, if there is one and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TryReserveError`] if not, or if the channel is closed or all receivers are gone.
    pub fn try_reserve(&self) -> Result<Slot<'_, T>, TryReserveError> {
        let shared = self.end.shared();
        shared.core().try_reserve()?;
        Ok(Slot::new(queue::Slot::new(shared)))
    }

    /// Waits until nothing can be sent any more: all receivers are gone, or somebody has closed the
    /// channel.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; nothing else happens.
    #[inline]
    pub fn closed(&self) -> WaitClosed<'_> {
        WaitClosed::new(self.end.shared().closed().wait())
    }

    /// A reference that does not keep the channel open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            hold: self.end.hold(),
        }
    }
}

each_end!(Sender);

impl<T> WeakSender<T> {
    /// A sender, unless all senders are gone. The channel may be closed for another reason.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.hold.upgrade::<Senders>().map(Sender::new)
    }

    /// How many senders there are.
    #[doc(alias = "strong_count")]
    pub fn sender_count(&self) -> usize {
        self.hold.shared().count::<Senders>()
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.hold.shared().count::<Receivers>()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        self.hold.same_channel(&other.hold)
    }
}

impl<T> Clone for Sender<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self {
            end: self.end.clone(),
        }
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            hold: self.hold.clone(),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        super::describe("WeakSender", self.hold.shared(), f)
    }
}

/// A panic with a value in hand leaves the channel whole.
impl<T> UnwindSafe for WeakSender<T> {}
impl<T> RefUnwindSafe for WeakSender<T> {}
