//! The end of a broadcast channel that receives.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::recv::Recv;
use super::ring::Ring;
use super::{BroadcastStats, Lagged, RecvError, TryRecvError};
use crate::block_on::block_on;
use crate::wait_list::Waiter;

/// Receives every value that is sent after it subscribed, in order, unless it falls too far behind.
///
/// It is a [`Stream`] too, of values and of [`Lagged`] where values were lost; the stream ends when the
/// channel is closed. The first time that the stream has to wait it allocates its place in the line,
/// which it keeps.
///
/// # Fairness
///
/// Those that wait are woken in the order in which they began to, counted from the first poll.
///
/// # Cancel safety
///
/// A value stays in the channel until a poll returns it: dropping a [`Recv`], or leaving the stream,
/// loses nothing. A receiver that is leaked keeps the values that it has not had until they are
/// overwritten.
#[must_use = "a receiver that is dropped receives nothing"]
pub struct Receiver<T> {
    pub(super) ring: Arc<Ring<T>>,
    /// The position of the next value.
    pub(super) next: u64,
    /// The place in line of the stream, since it first waited.
    waiter: Option<Pin<Box<Waiter>>>,
}

impl<T> Receiver<T> {
    pub(super) fn new(ring: Arc<Ring<T>>, next: u64) -> Self {
        Self {
            ring,
            next,
            waiter: None,
        }
    }

    /// Another receiver, of the values that are sent from now on. What this one has not had yet, the new
    /// one does not get.
    ///
    /// # Panics
    ///
    /// If there are more than 16 777 214 receivers.
    #[track_caller]
    pub fn resubscribe(&self) -> Self {
        let next = self.ring.subscribe();
        Self::new(Arc::clone(&self.ring), next)
    }

    /// How many values are there for this receiver.
    ///
    /// Values that it has [missed](Self::missed) do not count.
    pub fn len(&self) -> usize {
        let behind = self.ring.tail().saturating_sub(self.next);
        (behind - self.ring.lost(behind)) as usize
    }

    /// Whether there is no value for this receiver.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many values this receiver has lost since it last received: what the next receive reports as
    /// lagged.
    pub fn missed(&self) -> u64 {
        self.ring.lost(self.ring.tail().saturating_sub(self.next))
    }

    /// Whether all senders are gone. Values may be left to receive.
    pub fn is_closed(&self) -> bool {
        self.ring.senders() == 0
    }

    /// How many senders there are, without those that are [weak](super::WeakSender).
    #[doc(alias = "sender_strong_count")]
    pub fn sender_count(&self) -> usize {
        self.ring.senders()
    }

    /// How many receivers there are, with this one.
    pub fn receiver_count(&self) -> usize {
        self.ring.line().receivers
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring)
    }

    /// How many receivers wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> BroadcastStats {
        BroadcastStats::of(&self.ring)
    }
}

impl<T: Clone> Receiver<T> {
    /// Waits for the next value.
    ///
    /// A value that is there is taken without a lock. The last receiver that wants it gets the value
    /// itself, the others get clones.
    ///
    /// # Errors
    ///
    /// [`RecvError::Lagged`] if the receiver fell behind and values were lost: once, with their number;
    /// the next receive goes on with the oldest value that is kept. [`RecvError::Closed`] if all senders
    /// are gone and everything has been received.
    ///
    /// # Panics
    ///
    /// If the clone of the value panics, or the drop of a value whose last reader this is. The value
    /// counts as received, and the channel goes on.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses no value.
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
    /// use tenter_sync::broadcast::{self, RecvError};
    ///
    /// let (sender, mut receiver) = tenter_sync::broadcast(2);
    /// for number in 0..5 {
    ///     sender.send(number).unwrap();
    /// }
    /// drop(sender);
    /// # block_on(async {
    /// assert_eq!(receiver.recv().await, Err(RecvError::Lagged(3)));
    /// assert_eq!(receiver.recv().await, Ok(3));
    /// assert_eq!(receiver.recv().await, Ok(4));
    /// assert_eq!(receiver.recv().await, Err(RecvError::Closed));
    /// # });
    /// ```
    #[inline]
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv::new(self)
    }

    /// Takes the next value if it is there. Never waits.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if there is none yet; the others as with [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// As [`recv`](Self::recv).
    #[doc(alias = "recv_nowait")]
    #[inline]
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        Ok(self.ring.receive(&mut self.next)?.into_value())
    }

    /// Waits for the next value, parking the calling thread.
    ///
    /// # Errors
    ///
    /// As [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread; and as
    /// [`recv`](Self::recv).
    #[track_caller]
    pub fn blocking_recv(&mut self) -> Result<T, RecvError> {
        block_on(self.recv())
    }
}

impl<T: Clone> Stream for Receiver<T> {
    type Item = Result<T, Lagged>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        let waiter = this.waiter.get_or_insert_with(|| Box::pin(Waiter::new()));
        let outcome = this.ring.poll_receive(&mut this.next, waiter.as_mut(), cx);
        outcome.map(|received| match received {
            Ok(value) => Some(Ok(value)),
            Err(RecvError::Lagged(lost)) => Some(Err(Lagged(lost))),
            Err(RecvError::Closed) => None,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (0, None)
    }
}

impl<T: Clone> FusedStream for Receiver<T> {
    fn is_terminated(&self) -> bool {
        self.ring.outlook(self.next) == super::claim::Outlook::Closed
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        /// Tells also when the drop of a value panics.
        struct Tell<'a, T>(&'a Ring<T>, bool);
        impl<T> Drop for Tell<'_, T> {
            fn drop(&mut self) {
                if self.1 {
                    self.0.tell_watchers();
                }
            }
        }
        let (end, is_vacant) = self.ring.unsubscribe();
        let _tell = Tell(&self.ring, is_vacant);
        if let Some(waiter) = &mut self.waiter {
            self.ring.abandon_stream(waiter.as_mut());
        }
        if !crate::planted!("broadcast.leaver_skips_nothing") {
            self.ring.skip(self.next, end);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ring
            .describe(f.debug_struct("Receiver").field("len", &self.len()))
    }
}
