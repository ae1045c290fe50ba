//! The side that receives.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::panic::{RefUnwindSafe, UnwindSafe};

use futures_core::Stream;

use super::error::{RecvError, TryRecvError};
use super::futures::{Recv, RecvMany};
use super::shared::{End, Receivers, Senders};
use super::stream::Wait;
use super::{ChannelStats, each_end};
use crate::block_on::block_on;
use crate::queue::{self, AnyQueue};

/// Receives from a channel. Clones receive from the same one, each value going to one of them; when the
/// last is gone the channel closes, and what is left in it is dropped.
///
/// It is also a stream, which ends with the channel.
///
/// # Fairness
///
/// Receivers are served in the order in which they began to wait, through whichever clone. A value is handed
/// to the one that has waited longest: nobody gets in between, not even [`try_recv`](Self::try_recv).
///
/// # One task, two waits
///
/// A value is handed to a *future*. A task that waits in two `recv`s and polls only one of them leaves the
/// other's value where nobody sees it until that other one is polled or dropped: `select!` drops the losers,
/// which is enough. So do not keep a `recv` that has been polled while you await something else.
///
/// With a receiver that is polled as a stream and then left there is no such danger: every other call on
/// the same receiver takes its place in the line back, and what it was handed.
///
/// # Panics
///
/// Receiving, closing and dropping may wake somebody, and a waker is code of an executor, which may panic. If
/// one does, all others are woken all the same, and the call panics after that. The last receiver drops what
/// is left in the channel; if the drop of a value panics the others are dropped all the same.
///
/// # Examples
///
/// ```
/// let (sender, receiver) = tenter_sync::channel::bounded(4);
/// let other = receiver.clone();
/// sender.try_send(1).unwrap();
/// sender.try_send(2).unwrap();
/// assert_eq!((receiver.try_recv(), other.try_recv()), (Ok(1), Ok(2)));
/// ```
#[doc(alias = "MemoryObjectReceiveStream")]
#[doc(alias = "MemoryReceiveChannel")]
pub struct Receiver<T> {
    /// Before the end, which keeps the channel for it.
    stream: Wait<T>,
    end: End<T, Receivers>,
}

impl<T> Receiver<T> {
    #[inline]
    pub(super) fn new(end: End<T, Receivers>) -> Self {
        Self {
            stream: Wait::new(),
            end,
        }
    }

    /// Receives the next value, waiting for it if there is none.
    ///
    /// # Fairness
    ///
    /// First come, first served, counted from the first poll.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line. A value already handed to it goes to the next who waits, or
    /// back to where it was: first in the channel. It counts there again, even in a channel without room,
    /// where its sender has gone on already.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the channel has ended, before or while waiting: all senders are gone, or somebody has
    /// closed it, and everything was received.
    ///
    /// # Panics
    ///
    /// If the waker of a sender that is let in panics; the value is the future's then, and the next poll
    /// returns it, or the drop gives it back.
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
    /// sender.send("news").await?;
    /// drop(sender);
    /// assert_eq!(receiver.recv().await, Ok("news"));
    /// assert_eq!(receiver.recv().await, Err(channel::RecvError), "and that was all");
    /// # Ok::<(), channel::SendError<&str>>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "get")]
    #[inline]
    pub fn recv(&self) -> Recv<'_, T> {
        let shared = self.end.shared();
        self.stream.step_back(shared);
        Recv::new(queue::Get::new(shared))
    }

    /// Receives the next value, if there is one and nobody waits for it. In a rendezvous channel: if a sender
    /// waits with it.
    ///
    /// # Errors
    ///
    /// [`TryRecvError`] if not; it says whether the channel has ended.
    ///
    /// # Panics
    ///
    /// If the waker of a sender that is let in panics; the value is where it was then.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::unbounded();
    /// assert_eq!(receiver.try_recv(), Err(channel::TryRecvError::Empty));
    /// sender.try_send("news").unwrap();
    /// drop(sender);
    /// assert_eq!(receiver.try_recv(), Ok("news"));
    /// assert_eq!(receiver.try_recv(), Err(channel::TryRecvError::Ended));
    /// ```
    #[doc(alias = "receive_nowait")]
    #[doc(alias = "get_nowait")]
    #[inline]
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        let shared = self.end.shared();
        self.stream.give_way(shared);
        shared.core().try_get().map_err(TryRecvError::from)
    }

    /// Receives the next value, parking the calling thread until there is one. It waits in the same line as
    /// the tasks.
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread. If a waker
    /// panics, as with [`recv`](Self::recv).
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::channel;
    ///
    /// let (sender, receiver) = channel::bounded(1);
    /// std::thread::spawn(move || (1..=3).try_for_each(|number| sender.blocking_send(number)));
    /// let mut sum = 0;
    /// while let Ok(number) = receiver.blocking_recv() {
    ///     sum += number;
    /// }
    /// assert_eq!(sum, 6);
    /// ```
    #[track_caller]
    pub fn blocking_recv(&self) -> Result<T, RecvError> {
        match self.try_recv() {
            Ok(value) => Ok(value),
            Err(TryRecvError::Ended) => Err(RecvError),
            Err(TryRecvError::Empty) => block_on(self.recv()),
        }
    }

    /// Waits until there is a value, and then receives up to `max` onto the end of `into`. Returns how many:
    /// at least one, unless `max` is 0.
    ///
    /// # Fairness
    ///
    /// First come, first served. It takes what is there when its turn comes, and does not wait for more; nor
    /// does it take more than the first as long as others wait for a value.
    ///
    /// # Cancel safety
    ///
    /// As of [`recv`](Self::recv): nothing is in `into` before the future completes.
    ///
    /// # Errors
    ///
    /// As of [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// If the waker of a sender that is let in panics; what was received is in `into` then, or still in the
    /// future, as with [`recv`](Self::recv).
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
    /// let (sender, receiver) = channel::unbounded();
    /// sender.send_many([1, 2, 3]).await?;
    /// let mut batch = Vec::with_capacity(16); // may be used again, so that nothing is allocated
    /// assert_eq!(receiver.recv_many(&mut batch, 16).await, Ok(3));
    /// assert_eq!(batch, [1, 2, 3]);
    /// # Ok::<(), channel::SendError<Vec<i32>>>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn recv_many<'a>(&'a self, into: &'a mut Vec<T>, max: usize) -> RecvMany<'a, T> {
        let shared = self.end.shared();
        self.stream.step_back(shared);
        RecvMany::new(queue::GetMany::new(shared, into, max))
    }
}

each_end!(Receiver, "receiver.close();");

impl<T> Stream for Receiver<T> {
    type Item = T;

    /// The next value, or `None` when the channel has ended.
    ///
    /// Allocates once, if it has to wait. A value that was handed to a receiver which is dropped before it is
    /// polled goes to the next.
    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        this.stream.poll_next(this.end.shared(), cx)
    }
}

impl<T> Clone for Receiver<T> {
    #[inline]
    fn clone(&self) -> Self {
        Self::new(self.end.clone())
    }
}

impl<T> Drop for Receiver<T> {
    #[inline]
    fn drop(&mut self) {
        self.stream.leave(self.end.shared());
    }
}
