//! The values of a watch channel as a stream.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::stream::FusedStream;

use super::Receiver;
use crate::budget;
use crate::wait_list::Waiter;

/// The values that a receiver has not seen, as they come; the latest one only. See
/// [`Receiver::into_stream`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Values<T> {
    receiver: Receiver<T>,
    /// In a place of its own, so that the stream may be moved.
    waiter: Pin<Box<Waiter>>,
    has_ended: bool,
}

impl<T> Values<T> {
    pub(super) fn new(receiver: Receiver<T>) -> Self {
        Self {
            receiver,
            waiter: Box::pin(Waiter::new()),
            has_ended: false,
        }
    }

    /// The receiver again, which has seen what the stream has returned.
    pub fn into_inner(self) -> Receiver<T> {
        self.receiver.clone()
    }
}

impl<T: Clone> Stream for Values<T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if this.has_ended {
            return Poll::Ready(None);
        }
        let (channel, seen) = this.receiver.parts();
        let result = ready!(channel.poll_wait(*seen, this.waiter.as_mut(), cx));
        ready!(budget::poll_spend(cx)); // nothing is marked as seen, so nothing is lost
        if result.is_err() {
            this.has_ended = true;
            return Poll::Ready(None);
        }
        let value = T::clone(&this.receiver.borrow_and_update());
        Poll::Ready(Some(value))
    }
}

impl<T: Clone> FusedStream for Values<T> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

impl<T> Drop for Values<T> {
    fn drop(&mut self) {
        self.receiver.parts().0.abandon(self.waiter.as_mut());
    }
}

impl<T> fmt::Debug for Values<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Values")
            .field("receiver", &self.receiver)
            .field("has_ended", &self.has_ended)
            .finish()
    }
}
