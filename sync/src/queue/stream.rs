//! The items of a queue as a stream.
//!
//! A stream may be moved between polls, so the waiter cannot be in it. It is in a box that is made when
//! the stream has to wait for the first time, and used again for every later wait.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;

use super::get::Get;
use super::{AnyQueue, Queue};

/// The items, until the queue is shut down and empty. See [`Queue::stream`].
#[must_use = "streams do nothing unless they are polled"]
pub struct Items<'a, T, Q: AnyQueue<T> = Queue<T>> {
    queue: &'a Q,
    /// Waits, or is ready to.
    get: Option<Pin<Box<Get<'a, T, Q>>>>,
}

impl<'a, T, Q: AnyQueue<T>> Items<'a, T, Q> {
    pub(crate) fn new(queue: &'a Q) -> Self {
        Self { queue, get: None }
    }
}

impl<T, Q: AnyQueue<T>> Stream for Items<'_, T, Q> {
    type Item = T;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.get_mut();
        if this.get.as_ref().is_none_or(|get| get.is_idle()) {
            if let Some(item) = this.queue.core().get_fast() {
                return Poll::Ready(Some(item));
            }
        }
        this.poll_slow(cx)
    }
}

impl<T, Q: AnyQueue<T>> Items<'_, T, Q> {
    #[cold]
    fn poll_slow(&mut self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let queue = self.queue;
        let get = self.get.get_or_insert_with(|| Box::pin(Get::new(queue)));
        let next = get.as_mut().poll(cx).map(Result::ok);
        if next.is_ready() {
            get.set(Get::new(queue));
        }
        next
    }
}

impl<T, Q: AnyQueue<T>> fmt::Debug for Items<'_, T, Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items")
            .field("get", &self.get)
            .finish_non_exhaustive()
    }
}
