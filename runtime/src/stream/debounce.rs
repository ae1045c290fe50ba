//! The last item of those that come close together.

use core::task::{Context, Poll, ready};
use core::time::Duration;

use futures_core::Stream;
use tenter_sync::budget;
use tenter_timer::{now, poll_deadline};

use super::helpers::{Parts, Timing};

/// The last item, until it has been quiet for long enough.
#[derive(Debug)]
pub struct Latest<T> {
    quiet: Duration,
    item: Option<T>,
}

impl<T> Latest<T> {
    pub fn new(quiet: Duration) -> Self {
        Self { quiet, item: None }
    }
}

impl<S: Stream> Timing<S> for Latest<S::Item> {
    type Item = S::Item;

    fn poll(&mut self, parts: &mut Parts<'_, S>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        loop {
            match parts.poll_stream(cx) {
                Poll::Ready(Some(item)) => {
                    parts.set_timer(now() + self.quiet);
                    self.item = Some(item);
                    // A stream that always has one must not keep the others from running.
                    ready!(budget::poll_spend(cx));
                }
                Poll::Ready(None) => return Poll::Ready(self.item.take()),
                Poll::Pending if self.item.is_none() => return Poll::Pending,
                Poll::Pending => {
                    ready!(poll_deadline(parts.timer(), cx));
                    return Poll::Ready(self.item.take());
                }
            }
        }
    }

    fn size_hint(&self, (_, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        let kept = usize::from(self.item.is_some());
        let most = most.and_then(|most| most.checked_add(kept));
        (kept, most)
    }
}
