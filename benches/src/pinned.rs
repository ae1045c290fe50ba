//! Many futures of one kind in one block of memory, each of which can be polled.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// A pinned block of futures; none of them ever moves.
#[derive(Debug)]
pub struct Pinned<F>(Pin<Box<[F]>>);

impl<F: Future> Pinned<F> {
    /// Collects them.
    pub fn new(futures: impl Iterator<Item = F>) -> Self {
        Self(Box::into_pin(futures.collect()))
    }

    /// Polls each once, and says how many are ready.
    pub fn poll_each(&mut self, cx: &mut Context<'_>) -> usize {
        // SAFETY: the slice is only iterated, and each element is pinned again before it is touched;
        // an element that was moved out of here would be moved after it had been polled.
        let futures = unsafe { self.0.as_mut().get_unchecked_mut() };
        let ready = futures.iter_mut().filter_map(|future| {
            // SAFETY: the element is part of the pinned slice, which stays where it is until it is
            // dropped in place; a future that moved would leave its links dangling.
            let future = unsafe { Pin::new_unchecked(future) };
            matches!(future.poll(cx), Poll::Ready(_)).then_some(())
        });
        ready.count()
    }
}
