//! The end of a watch channel that sees.

use core::fmt;
use std::sync::Arc;

use super::RecvError;
use super::channel::Channel;
use super::reading::Ref;
use super::sender::describe;
use super::state::{self, Outlook};
use super::stream::Values;
use super::wait::{Changed, WaitFor};

/// Sees the latest value that was sent, and waits for the next.
///
/// Each receiver knows which value it has seen. A clone has seen what its original had.
///
/// # Fairness
///
/// Those that wait are woken in the order in which they began to.
pub struct Receiver<T> {
    channel: Arc<Channel<T>>,
    /// The version that was seen last.
    seen: usize,
}

impl<T> Receiver<T> {
    /// The caller has counted it.
    pub(super) fn from_channel(channel: Arc<Channel<T>>, seen: usize) -> Self {
        Self { channel, seen }
    }

    #[inline]
    pub(super) fn parts(&mut self) -> (&Channel<T>, &mut usize) {
        (&self.channel, &mut self.seen)
    }

    /// Borrows the latest value. It does not count as seen.
    ///
    /// Waits, with its thread, while a closure changes the value ([`send_modify`] and those like it);
    /// a change that only waits to begin goes first too, unless this thread holds a [`Ref`] already.
    ///
    /// # Panics
    ///
    /// Inside such a closure, on the same channel: it would wait for ever.
    ///
    /// [`send_modify`]: super::Sender::send_modify
    #[track_caller]
    #[inline]
    pub fn borrow(&self) -> Ref<'_, T> {
        Ref::new(&self.channel, &self.channel.begin_read(), Some(self.seen))
    }

    /// Borrows the latest value. It counts as seen.
    ///
    /// Waits as [`borrow`](Self::borrow) does.
    ///
    /// # Panics
    ///
    /// As [`borrow`](Self::borrow).
    #[track_caller]
    #[inline]
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let reading = self.channel.begin_read();
        let seen = core::mem::replace(&mut self.seen, reading.version);
        Ref::new(&self.channel, &reading, Some(seen))
    }

    /// Waits until there is a value that this receiver has not seen, and counts it as seen. One load if
    /// there is one already.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if no sender is left and the last value has been seen. A last value that has not
    /// been seen comes first.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; a value that it was woken for stays unseen.
    #[inline]
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed::new(self)
    }

    /// Waits until the latest value is one that `fits`, and borrows it. Every value looked at counts as
    /// seen. The one that is there now is looked at first, seen or not.
    ///
    /// Values that are replaced before this task runs are not looked at.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if no sender is left and the last value does not fit.
    ///
    /// # Panics
    ///
    /// If `fits` does; the channel stays as it is. Borrowing waits, and panics, as
    /// [`borrow`](Self::borrow) does.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves the line; values looked at stay seen.
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
    /// let (sender, mut receiver) = tenter_sync::watch(0);
    /// std::thread::spawn(move || (1..=10).try_for_each(|n| sender.send(n)));
    /// # block_on(async {
    /// let value = *receiver.wait_for(|n| *n >= 10).await?;
    /// assert_eq!(value, 10);
    /// # Ok::<(), tenter_sync::watch::RecvError>(())
    /// # }).unwrap();
    /// ```
    #[inline]
    pub fn wait_for<F: FnMut(&T) -> bool>(&mut self, fits: F) -> WaitFor<'_, T, F> {
        WaitFor::new(self, fits)
    }

    /// Whether there is a value that this receiver has not seen. One load.
    ///
    /// # Errors
    ///
    /// [`RecvError`] when [`changed`](Self::changed) would return it: if no sender is left and the last
    /// value has been seen.
    #[inline]
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        match state::outlook(self.channel.word(), self.seen) {
            Outlook::Unseen => Ok(true),
            Outlook::Nothing => Ok(false),
            Outlook::Gone => Err(RecvError),
        }
    }

    /// Counts the latest value as not seen, so that [`changed`](Self::changed) returns at once.
    pub fn mark_changed(&mut self) {
        self.seen = state::before(state::version(self.channel.word()));
    }

    /// Counts the latest value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = state::version(self.channel.word());
    }

    /// The values that this receiver has not seen, as they come, as a stream. It ends when no sender is
    /// left and the last value has been seen.
    ///
    /// A new receiver has seen the value that is there: call [`mark_changed`](Self::mark_changed) first
    /// to begin with it. The stream may be moved; it allocates a place to wait in, once.
    #[doc(alias = "stream")]
    #[doc(alias = "WatchStream")]
    pub fn into_stream(self) -> Values<T> {
        Values::new(self)
    }

    /// Whether both see the same channel.
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.channel.line.lock().receivers += 1;
        Self::from_channel(Arc::clone(&self.channel), self.seen)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        let mut line = self.channel.line.lock();
        line.receivers -= 1;
        if line.receivers == 0 {
            self.channel.last_receiver_left(line);
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        describe(f, "Receiver", &self.channel)
    }
}
