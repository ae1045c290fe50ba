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
///
/// # Panics
///
/// Sending, closing and dropping may wake somebody, and a waker is code of an executor, which may panic. If
/// one does, all others are woken all the same, and the call panics after that; each says what has happened
/// then.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = tenter_sync::channel::bounded(2);
/// let other = sender.clone();
/// sender.try_send(1).unwrap();
/// drop(sender);
/// other.try_send(2).unwrap();
/// assert!(other.is_full() && !other.is_closed());
/// drop(receiver);
/// assert!(other.is_closed(), "nobody will receive it");
/// ```
#[doc(alias = "MemoryObjectSendStream")]
#[doc(alias = "MemorySendChannel")]
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
    /// # Panics
    ///
    /// If the waker of the receiver that is served panics; the value is sent then, and the next poll says so.
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
    ///
    /// # Panics
    ///
    /// If the waker of the receiver that is served panics; the value is sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// assert_eq!(sender.try_send(1), Ok(()));
    /// assert_eq!(sender.try_send(2), Err(channel::TrySendError::Full(2)));
    /// drop(receiver);
    /// assert_eq!(sender.try_send(3), Err(channel::TrySendError::Closed(3)));
    /// ```
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
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread. If a waker
    /// panics, as with [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::rendezvous();
    /// let thread = std::thread::spawn(move || sender.blocking_send("news"));
    /// assert_eq!(receiver.blocking_recv(), Ok("news"));
    /// assert_eq!(thread.join().unwrap(), Ok(()));
    /// ```
    #[track_caller]
    pub fn blocking_send(&self, value: T) -> Result<(), SendError<T>> {
        match self.try_send(value) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(value)) => Err(SendError(value)),
            Err(TrySendError::Full(value)) => block_on(self.send(value)),
        }
    }

    /// Sends values in their order, waiting for room as often as it takes.
    ///
    /// The iterator is read to its end at once, before the first poll. As many as there is room for go in
    /// together, which is cheaper than one `send` for each.
    ///
    /// # Fairness
    ///
    /// First come, first served, but for each value that has to wait anew: when it was let in, the next one
    /// lines up behind those who came meanwhile. So others may send theirs in between, and a long batch
    /// keeps nobody waiting for its end.
    ///
    /// # Cancel safety
    ///
    /// Those that are sent stay sent, and the rest is dropped. How many are sent is not told; if that matters,
    /// send them one by one, or get places first, with [`reserve`](Self::reserve).
    ///
    /// # Errors
    ///
    /// [`SendError`] with what was not sent, in its order.
    ///
    /// # Panics
    ///
    /// If the waker of a receiver that is served panics, after all others have been woken. What is sent
    /// stays sent, and the next poll goes on with the rest.
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
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::bounded(8);
    /// sender.send_many(1..=3).await?;
    /// assert_eq!(receiver.len(), 3);
    /// drop(receiver);
    /// let late = sender.send_many([4, 5]).await.unwrap_err();
    /// assert_eq!(late.into_inner(), [4, 5]);
    /// # Ok::<(), channel::SendError<Vec<i32>>>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "send_all")]
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
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// let slot = sender.reserve().await?; // before the value is made, or taken from elsewhere
    /// assert!(sender.try_send("junk").is_err(), "the place is kept");
    /// slot.send("news").expect("the receiver is there");
    /// assert_eq!(receiver.recv().await, Ok("news"));
    /// # Ok::<(), channel::SendError<()>>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn reserve(&self) -> Reserve<'_, T> {
        Reserve::new(queue::Reserve::new(self.end.shared()))
    }

    /// Gets a place for a value, if there is one and nobody waits for it.
    ///
    /// # Errors
    ///
    /// [`TryReserveError`] if not, or if the channel is closed or all receivers are gone.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::channel;
    ///
    /// let (sender, _receiver) = channel::bounded::<u8>(1);
    /// let slot = sender.try_reserve()?;
    /// assert_eq!(sender.try_reserve().err(), Some(channel::TryReserveError::Full));
    /// drop(slot); // the place is free again
    /// assert!(sender.try_reserve().is_ok());
    /// # Ok::<(), channel::TryReserveError>(())
    /// ```
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
    ///
    /// # Fairness
    ///
    /// All who wait are told at once.
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
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::bounded::<u8>(1);
    /// drop(receiver);
    /// sender.closed().await; // nobody listens: stop making values
    /// # });
    /// ```
    #[inline]
    pub fn closed(&self) -> WaitClosed<'_> {
        WaitClosed::new(self.end.shared().closed().wait())
    }

    /// A reference that does not keep the channel open.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::unbounded::<u8>();
    /// let weak = sender.downgrade();
    /// assert!(weak.upgrade().is_some());
    /// drop(sender);
    /// assert!(weak.upgrade().is_none() && receiver.is_closed());
    /// ```
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            hold: self.end.hold(),
        }
    }
}

each_end!(Sender, "sender.close();");

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
