//! The end of a broadcast channel that sends.

use core::fmt;
use std::sync::Arc;

use super::recv::WaitClosed;
use super::ring::Ring;
use super::{BroadcastStats, Receiver, SendError};
use crate::name::Name;

/// Sends to all receivers of the channel, which is closed when the last sender is dropped.
pub struct Sender<T> {
    pub(super) ring: Arc<Ring<T>>,
}

impl<T> Sender<T> {
    /// A channel that keeps `capacity` values, without a receiver as yet.
    ///
    /// # Panics
    ///
    /// If the capacity is 0, or more than 8 388 608.
    #[must_use]
    #[track_caller]
    pub fn new(capacity: usize) -> Self {
        Self {
            ring: Arc::new(Ring::new(capacity, 0)),
        }
    }

    /// Gives the channel a name for reports.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        self.rename(Name::Static(name))
    }

    /// Gives the channel a name that is made at run time.
    #[must_use]
    pub fn named_dyn(self, name: impl Into<String>) -> Self {
        self.rename(Name::Dynamic(name.into().into_boxed_str()))
    }

    fn rename(self, name: Name) -> Self {
        self.ring.line().name = name;
        self
    }

    /// Sends a value to all receivers that there are now. How many that is.
    ///
    /// It never waits for them: a receiver that has `capacity` values before it already loses the
    /// oldest. That a receiver is counted does not say that it will receive: it may be dropped, or fall
    /// behind.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if there is no receiver. A later send, after a
    /// [`subscribe`](Self::subscribe), may succeed.
    ///
    /// # Panics
    ///
    /// If a waker panics, or the drop of the value that this one replaces; the value has been sent, and
    /// all have been woken.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        self.ring.send(value).map_err(SendError)
    }

    /// A receiver of the values that are sent from now on. A channel that has lost all its receivers
    /// goes on with it.
    ///
    /// # Panics
    ///
    /// If there are more than 16 777 214 receivers.
    #[track_caller]
    pub fn subscribe(&self) -> Receiver<T> {
        let next = self.ring.subscribe();
        Receiver::new(Arc::clone(&self.ring), next)
    }

    /// Waits until no receiver is left.
    ///
    /// Ready at once if there is none; otherwise when the last one goes, even if a new one subscribes
    /// before the task runs.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; nothing else happens.
    pub fn closed(&self) -> WaitClosed<'_, T> {
        WaitClosed::new(self)
    }

    /// How many values are kept that some receiver has not had. As of a moment ago.
    pub fn len(&self) -> usize {
        let _line = self.ring.line();
        self.ring.kept()
    }

    /// Whether every receiver has had every value.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How far a receiver may fall behind before it loses values.
    pub fn capacity(&self) -> usize {
        self.ring.capacity()
    }

    /// How many receivers there are.
    pub fn receiver_count(&self) -> usize {
        self.ring.line().receivers
    }

    /// How many senders there are, with this one and without those that are [weak](WeakSender).
    #[doc(alias = "strong_count")]
    pub fn sender_count(&self) -> usize {
        self.ring.senders()
    }

    /// Whether both are of one channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.ring, &other.ring)
    }

    /// A sender that does not keep the channel from being closed.
    pub fn downgrade(&self) -> WeakSender<T> {
        WeakSender {
            ring: Arc::clone(&self.ring),
        }
    }

    /// How many receivers wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> BroadcastStats {
        BroadcastStats::of(&self.ring)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.ring.add_sender();
        Self {
            ring: Arc::clone(&self.ring),
        }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.ring.remove_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ring.describe(&mut f.debug_struct("Sender"))
    }
}

/// A sender that does not keep the channel from being closed: upgrade it to send.
#[must_use = "a weak sender does nothing until it is upgraded"]
pub struct WeakSender<T> {
    ring: Arc<Ring<T>>,
}

impl<T> WeakSender<T> {
    /// A sender, unless the channel is closed. It stays closed then.
    pub fn upgrade(&self) -> Option<Sender<T>> {
        self.ring.add_sender_if_open().then(|| Sender {
            ring: Arc::clone(&self.ring),
        })
    }

    /// How many senders there are that are not weak.
    #[doc(alias = "strong_count")]
    pub fn sender_count(&self) -> usize {
        self.ring.senders()
    }
}

impl<T> Clone for WeakSender<T> {
    fn clone(&self) -> Self {
        Self {
            ring: Arc::clone(&self.ring),
        }
    }
}

impl<T> fmt::Debug for WeakSender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ring.describe(&mut f.debug_struct("WeakSender"))
    }
}
