//! The end of a oneshot channel that receives.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::channel::Handle;
use super::state::{self, RX, TX};
use super::{RecvError, TryRecvError};
use crate::block_on::block_on;
use crate::budget;
use crate::current::{self, WaitKind};

/// Receives the one value of the [`Sender`](super::Sender): a future of it.
///
/// # Cancel safety
///
/// It may be polled by reference, dropped from one branch of a `select!` and polled again. A value
/// that has been sent stays in the channel until a poll returns it, and is dropped with the receiver.
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
/// use tenter_sync::oneshot::RecvError;
///
/// # block_on(async {
/// let (sender, receiver) = tenter_sync::oneshot();
/// sender.send(1).unwrap();
/// assert_eq!(receiver.await, Ok(1));
///
/// let (sender, receiver) = tenter_sync::oneshot::<u8>();
/// drop(sender);
/// assert_eq!(receiver.await, Err(RecvError));
/// # });
/// ```
#[doc(alias = "Future")]
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct Receiver<T> {
    /// `None` when the outcome has been returned.
    handle: Option<Handle<T>>,
}

// SAFETY: what crosses threads is the value, `T: Send`, and wakers, which may.
unsafe impl<T: Send> Send for Receiver<T> {}
// SAFETY: `&Receiver` reads the word and nothing else.
unsafe impl<T: Send> Sync for Receiver<T> {}

impl<T> Receiver<T> {
    pub(super) fn new(handle: Handle<T>) -> Self {
        Self {
            handle: Some(handle),
        }
    }

    /// Takes the value if it has been sent. Never waits.
    ///
    /// # Errors
    ///
    /// [`TryRecvError::Empty`] if it may still come, [`TryRecvError::Closed`] if it cannot, or has
    /// been taken.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::oneshot::TryRecvError;
    ///
    /// let (sender, mut receiver) = tenter_sync::oneshot();
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    /// sender.send(1).unwrap();
    /// assert_eq!(receiver.try_recv(), Ok(1));
    /// assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed)); // it has been taken
    /// ```
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let Some(handle) = &self.handle else {
            return Err(TryRecvError::Closed);
        };
        // SAFETY: (a): this is the one receiver, which has not left.
        let word = unsafe { handle.get() }.word();
        if word & (state::SENT | state::TX_GONE | state::CLOSED) == 0 {
            return Err(TryRecvError::Empty);
        }
        self.conclude(word).ok_or(TryRecvError::Closed)
    }

    /// Refuses a value that has not been sent yet: from now on [`send`](super::Sender::send) fails.
    /// One that has been sent can still be received.
    pub fn close(&mut self) {
        let Some(handle) = &self.handle else { return };
        // SAFETY: (a): this is the one receiver, which has not left; (b) `close` is its step.
        if let Ok(wakers) = unsafe { handle.get().step(RX, TX, state::close) } {
            wakers.settle();
        }
    }

    /// Whether no value is there to be taken at this moment: it has not been sent yet, never will be, or
    /// has been taken.
    pub fn is_empty(&self) -> bool {
        let Some(handle) = &self.handle else {
            return true;
        };
        // SAFETY: (a): this is the one receiver, which has not left.
        unsafe { handle.get() }.word() & state::SENT == 0
    }

    /// Whether no value can come any more that is not there already: the sender is gone, or this side has
    /// closed the channel.
    pub fn is_closed(&self) -> bool {
        let Some(handle) = &self.handle else {
            return true;
        };
        // SAFETY: (a): this is the one receiver, which has not left.
        unsafe { handle.get() }.word() & (state::TX_GONE | state::CLOSED) != 0
    }

    /// Whether the outcome has been returned, so that polling again would panic.
    pub fn is_terminated(&self) -> bool {
        self.handle.is_none()
    }

    /// Waits for the value, parking the calling thread.
    ///
    /// # Errors
    ///
    /// [`RecvError`] if the sender was dropped, or the channel closed, without a value.
    ///
    /// # Panics
    ///
    /// Inside a task of tenter, which it would stop together with all other tasks of the thread.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter_sync::oneshot::RecvError;
    ///
    /// let (sender, receiver) = tenter_sync::oneshot::<u8>();
    /// std::thread::spawn(move || drop(sender));
    /// assert_eq!(receiver.blocking_recv(), Err(RecvError));
    /// ```
    #[track_caller]
    pub fn blocking_recv(self) -> Result<T, RecvError> {
        block_on(self)
    }

    /// Ends the wait that `word` says is over. The value, if there is one; the channel is freed when
    /// the sender is gone.
    #[inline]
    fn conclude(&mut self, word: u64) -> Option<T> {
        if word & state::TX_GONE == 0 {
            return None; // closed by this side: the sender is still there, and so is the channel
        }
        let handle = self.handle.take()?;
        // SAFETY: (a): this is the one receiver, which has not left; SENT was seen, so the value is
        // the receiver's, and (b) with the handle the right to take it is gone.
        let value = (word & state::SENT != 0).then(|| unsafe { handle.get().take_value() });
        // SAFETY: (a); (b) TX_GONE was seen; (c) the value is out, and the wakers are (I4).
        unsafe { handle.free() };
        value
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(handle) = &self.handle else {
            completed()
        };
        // SAFETY: (a): this is the one receiver, which has not left, borrowed exclusively.
        if unsafe { handle.get().poll_wait(RX, TX, cx) }.is_pending() {
            current::waiting_on(WaitKind::Oneshot, handle.address());
            return Poll::Pending;
        }
        if budget::poll_spend(cx).is_pending() {
            return Poll::Pending; // the value waits in the channel
        }
        // SAFETY: as above.
        let word = unsafe { handle.get() }.word();
        Poll::Ready(self.conclude(word).ok_or(RecvError))
    }
}

#[cold]
fn completed() -> ! {
    panic!("a oneshot receiver was polled again after it had completed: await it once");
}

impl<T> Drop for Receiver<T> {
    #[inline]
    fn drop(&mut self) {
        let Some(handle) = &self.handle else { return };
        // SAFETY: (a): this is the one receiver, which has not left; (b) `leave` is its step.
        match unsafe { handle.get().step(RX, TX, state::leave) } {
            Ok(wakers) => wakers.settle(),
            // TX_GONE: the sender has left, and the channel is the receiver's alone.
            Err(word) => drop(self.conclude(word)), // user code, after all else
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.handle {
            None => "completed",
            // SAFETY: (a): this is the one receiver, which has not left.
            Some(handle) => match unsafe { handle.get() }.word() {
                word if word & state::SENT != 0 => "sent",
                word if word & (state::TX_GONE | state::CLOSED) != 0 => "closed",
                _ => "empty",
            },
        };
        f.debug_struct("Receiver").field("state", &state).finish()
    }
}
