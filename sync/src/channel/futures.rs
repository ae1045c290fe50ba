//! The futures of a channel: those of its queue, with the channel's errors.
//!
//! Tests: `sync/tests/channel.rs`, `sync/tests/drops/channel.rs`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use super::error::{RecvError, SendError};
use super::shared::Shared;
use crate::event::EventWait;
use crate::notes;
use crate::queue;

/// A future around another one, which maps what comes out.
macro_rules! around {
    (
        $(#[$meta:meta])*
        $future:ident($inner:ty) -> $output:ty, $map:expr
    ) => {
        $(#[$meta])*
        #[must_use = "futures do nothing unless they are awaited or polled"]
        pub struct $future<'a, T> {
            inner: $inner,
        }

        impl<'a, T> $future<'a, T> {
            #[inline]
            pub(super) fn new(inner: $inner) -> Self {
                Self { inner }
            }
        }

        impl<'a, T> Future for $future<'a, T> {
            type Output = $output;

            #[inline]
            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
                // SAFETY: the inner future is pinned with this one: it is never moved out, and this
                // is `Unpin` only if the inner future is.
                let inner = unsafe { self.map_unchecked_mut(|future| &mut future.inner) };
                let polled = inner.poll(cx);
                if polled.is_pending() {
                    notes::is_a_channel();
                }
                polled.map($map)
            }
        }

        impl<T> fmt::Debug for $future<'_, T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($future)).field(&self.inner).finish()
            }
        }
    };
}

around! {
    /// Waits for room, and sends a value. See [`Sender::send`](super::Sender::send).
    Sending(queue::Put<'a, T, Shared<T>>) -> Result<(), SendError<T>>,
    |sent| sent.map_err(SendError::from)
}

around! {
    /// Waits for room as often as it takes to send all values. See
    /// [`Sender::send_many`](super::Sender::send_many).
    SendMany(queue::PutMany<'a, T, Shared<T>>) -> Result<(), SendError<Vec<T>>>,
    |sent| sent.map_err(SendError::from)
}

around! {
    /// Waits for a place. See [`Sender::reserve`](super::Sender::reserve).
    Reserve(queue::Reserve<'a, T, Shared<T>>) -> Result<Slot<'a, T>, SendError<()>>,
    |place| match place {
        Ok(place) => Ok(Slot::new(place)),
        Err(shut) => Err(SendError::from(shut)),
    }
}

around! {
    /// Waits for a value. See [`Receiver::recv`](super::Receiver::recv).
    Recv(queue::Get<'a, T, Shared<T>>) -> Result<T, RecvError>,
    |received| received.map_err(RecvError::from)
}

around! {
    /// Waits for a value, and takes those that are there then. See
    /// [`Receiver::recv_many`](super::Receiver::recv_many).
    RecvMany(queue::GetMany<'a, T, Shared<T>>) -> Result<usize, RecvError>,
    |received| received.map_err(RecvError::from)
}

/// Waits until the channel is closed. See [`Sender::closed`](super::Sender::closed).
#[must_use = "futures do nothing unless they are awaited or polled"]
pub struct WaitClosed<'a> {
    inner: EventWait<'a>,
}

impl<'a> WaitClosed<'a> {
    pub(super) fn new(inner: EventWait<'a>) -> Self {
        Self { inner }
    }
}

impl Future for WaitClosed<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: as above, of all the futures around another one.
        unsafe { self.map_unchecked_mut(|future| &mut future.inner) }.poll(cx)
    }
}

impl fmt::Debug for WaitClosed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WaitClosed").field(&self.inner).finish()
    }
}

/// A place in a channel, kept for one value. See [`Sender::reserve`](super::Sender::reserve).
///
/// Dropping it gives the place to the next who waits for one.
#[must_use = "a slot that is dropped gives the place back"]
#[doc(alias = "Permit")]
pub struct Slot<'a, T> {
    place: queue::Slot<'a, T, Shared<T>>,
}

impl<'a, T> Slot<'a, T> {
    pub(super) fn new(place: queue::Slot<'a, T, Shared<T>>) -> Self {
        Self { place }
    }

    /// Sends the value that the place is for, without waiting.
    ///
    /// # Errors
    ///
    /// [`SendError`] with the value if the channel was closed meanwhile, or all receivers are gone.
    /// There is always room.
    ///
    /// # Panics
    ///
    /// If the waker of the receiver that is served panics; the value is sent then.
    pub fn send(self, value: T) -> Result<(), SendError<T>> {
        self.place.put(value).map_err(SendError::from)
    }
}

impl<T> fmt::Debug for Slot<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slot").finish_non_exhaustive()
    }
}
