//! The end of a oneshot channel that sends.

use core::fmt;
use core::future::Future;
use core::mem::ManuallyDrop;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::channel::Handle;
use super::state::{self, RX, TX};
use crate::budget;
use crate::current::{self, WaitKind};

/// Sends one value to the [`Receiver`](super::Receiver).
///
/// Dropping it without sending tells the receiver that nothing will come.
pub struct Sender<T> {
    handle: Handle<T>,
}

// SAFETY: what crosses threads is the value, `T: Send`, and wakers, which may.
unsafe impl<T: Send> Send for Sender<T> {}
// SAFETY: `&Sender` reads the word and nothing else.
unsafe impl<T: Send> Sync for Sender<T> {}

impl<T> Sender<T> {
    pub(super) fn new(handle: Handle<T>) -> Self {
        Self { handle }
    }

    /// Sends the value. Never waits.
    ///
    /// # Errors
    ///
    /// The value, if the receiver is gone or has closed the channel. `Ok` means that the receiver
    /// can get it, not that it will: it may be dropped first.
    ///
    /// # Panics
    ///
    /// If the waker of the receiver panics. The value is sent then.
    ///
    /// # Examples
    ///
    /// ```
    /// let (sender, receiver) = tenter_sync::oneshot();
    /// drop(receiver);
    /// assert_eq!(sender.send("late"), Err("late"));
    /// ```
    #[doc(alias = "set_result")]
    #[inline]
    pub fn send(self, value: T) -> Result<(), T> {
        let this = ManuallyDrop::new(self);
        let handle = &this.handle;
        // SAFETY: (a): this is the one sender, which has not left; (b) `finish` is its step.
        let sent = unsafe {
            let channel = handle.get();
            channel.put_value(value);
            channel.step(TX, RX, |word| state::finish(word, true))
        };
        match sent {
            Ok(wakers) => {
                wakers.settle();
                Ok(())
            }
            // SAFETY: (a) refused, so SENT is not set and never will be (I1), and the sender has
            // not left; the value was put above. Then the sender leaves, once.
            Err(_) => Err(unsafe {
                let value = handle.get().take_value();
                leave(handle);
                value
            }),
        }
    }

    /// Whether the receiver is gone or has closed the channel, so that nothing can be sent.
    #[inline]
    pub fn is_closed(&self) -> bool {
        // SAFETY: (a): this is the one sender, which has not left.
        unsafe { self.handle.get() }.word() & state::CLOSED != 0
    }

    /// Waits until the receiver is gone or has closed the channel: then the work for the value can
    /// stop.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// # use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// let (mut sender, receiver) = tenter_sync::oneshot::<u8>();
    /// drop(receiver);
    /// let mut cx = Context::from_waker(Waker::noop());
    /// assert_eq!(pin!(sender.closed()).poll(&mut cx), Poll::Ready(()));
    /// ```
    pub fn closed(&mut self) -> WaitClosed<'_, T> {
        WaitClosed { sender: self }
    }

    /// Low-level form of [`closed`](Self::closed). The last waker is woken.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: (a): this is the one sender, which has not left, borrowed exclusively.
        if unsafe { self.handle.get().poll_wait(TX, RX, cx) }.is_pending() {
            current::waiting_on(WaitKind::Oneshot, self.handle.address());
            return Poll::Pending;
        }
        budget::poll_spend(cx)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        // SAFETY: (a): this is the one sender, which has not left and leaves now.
        unsafe { leave(&self.handle) };
    }
}

/// Leaves without a value.
///
/// # Safety
///
/// (a) for the sender.
unsafe fn leave<T>(handle: &Handle<T>) {
    // SAFETY: (a); (b) `finish` is the sender's step.
    match unsafe { handle.get().step(TX, RX, |word| state::finish(word, false)) } {
        Ok(wakers) => wakers.settle(),
        // SAFETY: (a); (b) unchanged means that RX_GONE was seen; (c) nothing was sent.
        Err(_) => unsafe { handle.free() },
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_closed", &self.is_closed())
            .finish()
    }
}

/// Waits until nobody wants a value. See [`Sender::closed`].
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct WaitClosed<'a, T> {
    sender: &'a mut Sender<T>,
}

impl<T> Future for WaitClosed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.sender.poll_closed(cx)
    }
}

impl<T> fmt::Debug for WaitClosed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WaitClosed")
            .field("sender", &self.sender)
            .finish()
    }
}
