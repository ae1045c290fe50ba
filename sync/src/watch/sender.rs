//! The end of a watch channel that sends.

use core::fmt;
use std::sync::Arc;

use super::channel::Channel;
use super::reading::Ref;
use super::wait::WaitClosed;
use super::{Receiver, SendError, state};
use crate::name::Name;

/// Sends values to the [`Receiver`]s, of which each sees the latest. May be cloned; the channel closes
/// when the last one is dropped.
pub struct Sender<T> {
    channel: Arc<Channel<T>>,
}

/// What a watch channel tells about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WatchStats {
    /// The name given by [`Sender::named`].
    pub name: Option<String>,
    /// How many senders there are.
    pub senders: usize,
    /// How many receivers there are.
    pub receivers: usize,
    /// How many receivers wait for a change.
    pub waiting: usize,
    /// The most that ever waited at once.
    pub waiting_max: usize,
}

impl<T> Sender<T> {
    pub(super) fn from_channel(channel: Arc<Channel<T>>) -> Self {
        Self { channel }
    }

    /// The sender of a new channel, without a receiver yet: see [`subscribe`](Self::subscribe).
    pub fn new(init: T) -> Self {
        Self::from_channel(Arc::new(Channel::new(init, 0)))
    }

    /// Gives the channel a name for reports.
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        self.channel.line.lock().name.set_static(name);
        self
    }

    /// Gives the channel a name that is made at run time.
    #[must_use]
    pub fn named_dyn(self, name: impl Into<String>) -> Self {
        let name = Name::Dynamic(name.into().into_boxed_str());
        self.channel.line.lock().name = name;
        self
    }

    /// Sends a value: it becomes the latest one, and all receivers are told.
    ///
    /// Does not wait for those who hold a [`Ref`] of the last value, which is theirs until they drop
    /// it. Waits, with its thread, for a change in place that another thread is in the middle of.
    ///
    /// # Errors
    ///
    /// With the value, if there is no receiver. [`send_replace`](Self::send_replace) does not mind.
    ///
    /// # Panics
    ///
    /// Inside the closure of [`send_modify`](Self::send_modify) and those like it, on the same channel.
    /// If a waker panics, after all others have been woken; the value is sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = tenter_sync::watch(1);
    /// let seen = receiver.borrow();
    /// sender.send(2).unwrap(); // the borrowed value stays as it is
    /// assert_eq!((*seen, *receiver.borrow()), (1, 2));
    /// ```
    #[track_caller]
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        self.channel.send(value)
    }

    /// Changes the value in place, and tells all receivers.
    ///
    /// Waits, with its thread, until nobody holds a [`Ref`] of the value. While the closure runs, others
    /// who want to borrow or to send wait for it, so let it be short.
    ///
    /// # Panics
    ///
    /// If this thread holds a [`Ref`] of the value, or is inside such a closure of this channel: it would
    /// wait for ever. If the closure panics: the receivers are not told, the channel stays usable, and the
    /// value is as the closure left it. If a waker panics, as with [`send`](Self::send).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, mut receiver) = tenter_sync::watch(vec![1]);
    /// sender.send_modify(|list| list.push(2));
    /// assert_eq!(*receiver.borrow_and_update(), [1, 2]);
    /// ```
    #[track_caller]
    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.channel.change(change, |()| true);
    }

    /// Changes the value in place, and tells all receivers if the closure returns true. Returns what it
    /// returned.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = tenter_sync::watch(3);
    /// let raise = |value: &mut u8, to| if to > *value { *value = to; true } else { false };
    /// assert!(!sender.send_if_modified(|value| raise(value, 2)));
    /// assert_eq!(receiver.has_changed(), Ok(false));
    /// ```
    #[track_caller]
    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        self.channel.change(change, |is_modified| *is_modified)
    }

    /// Sends a value, and returns the last one. Works without receivers too.
    ///
    /// Waits as [`send_modify`](Self::send_modify) does.
    ///
    /// # Panics
    ///
    /// As [`send_modify`](Self::send_modify).
    #[track_caller]
    pub fn send_replace(&self, value: T) -> T {
        self.channel
            .change(|place| core::mem::replace(place, value), |_| true)
    }

    /// Borrows the latest value. See [`Receiver::borrow`].
    ///
    /// # Panics
    ///
    /// As [`Receiver::borrow`].
    #[track_caller]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::new(&self.channel, &self.channel.begin_read(), None)
    }

    /// Another receiver. It has seen the latest value.
    pub fn subscribe(&self) -> Receiver<T> {
        let mut line = self.channel.line.lock();
        line.receivers += 1;
        let seen = state::version(self.channel.word());
        drop(line);
        Receiver::from_channel(Arc::clone(&self.channel), seen)
    }

    /// Waits until no receiver is left.
    ///
    /// It is over once there was a moment without one; another may have been made since.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; nothing else happens.
    pub fn closed(&self) -> WaitClosed<'_, T> {
        WaitClosed::new(&self.channel)
    }

    /// Whether there is no receiver now.
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// How many receivers there are now.
    pub fn receiver_count(&self) -> usize {
        self.channel.line.lock().receivers
    }

    /// How many senders there are now.
    pub fn sender_count(&self) -> usize {
        self.channel.line.lock().senders
    }

    /// Whether both send to the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// How many wait, and the like.
    #[doc(alias = "statistics")]
    pub fn stats(&self) -> WatchStats {
        let line = self.channel.line.lock();
        let (waiting, waiting_max) = line.waiting();
        WatchStats {
            name: line.name.get().map(str::to_owned),
            senders: line.senders,
            receivers: line.receivers,
            waiting,
            waiting_max,
        }
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.channel.line.lock().senders += 1;
        Self::from_channel(Arc::clone(&self.channel))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        let mut line = self.channel.line.lock();
        line.senders -= 1;
        if line.senders == 0 {
            self.channel.close(line);
        }
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "Sender", &self.channel)
    }
}

/// Both ends, without waiting.
pub(super) fn describe<T>(
    f: &mut fmt::Formatter<'_>,
    end: &str,
    channel: &Channel<T>,
) -> fmt::Result {
    let mut out = f.debug_struct(end);
    // Writing is user code, so the line is let go of before.
    let line = channel.line.try_lock().map(|line| {
        let counts = (line.senders, line.receivers, line.waiting().0);
        (line.name.clone(), counts, line.is_being_changed())
    });
    match line {
        Some((name, (senders, receivers, waiting), is_being_changed)) => {
            name.describe(&mut out);
            out.field("senders", &senders)
                .field("receivers", &receivers)
                .field("waiting", &waiting)
                .field("is_being_changed", &is_being_changed);
        }
        None => {
            out.field("waiting", &format_args!("<locked>"));
        }
    }
    out.finish()
}
