//! Items in chunks, each complete when it is full or its time is up.
//!
//! The time of a chunk begins with its first item. What is there when the time is up is taken along, as far
//! as there is room; a chunk is never empty. A stream that always has more ends neither the time nor the
//! turns of other tasks: each item is paid for, and when the budget is spent the time is looked at.

use core::mem;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use futures_core::Stream;
use tenter_sync::budget;
use tenter_timer::{now, poll_deadline};

use super::helpers::{Parts, Timing};

/// A chunk.
#[derive(Debug)]
pub struct Chunks<T> {
    size: usize,
    limit: Duration,
    items: Vec<T>,
}

impl<T> Chunks<T> {
    pub fn new(size: usize, limit: Duration) -> Self {
        Self {
            size,
            limit,
            items: Vec::new(),
        }
    }

    /// The items that are there.
    pub fn take(&mut self) -> Vec<T> {
        mem::take(&mut self.items)
    }
}

impl<S: Stream> Timing<S> for Chunks<S::Item> {
    type Item = Vec<S::Item>;

    fn poll(
        &mut self,
        parts: &mut Parts<'_, S>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Vec<S::Item>>> {
        loop {
            match parts.poll_stream(cx) {
                Poll::Ready(Some(item)) => {
                    if self.items.is_empty() {
                        parts.set_timer(now() + self.limit);
                    }
                    self.items.push(item);
                    if self.items.len() < self.size {
                        if budget::poll_spend(cx).is_pending() {
                            ready!(poll_deadline(parts.timer(), cx));
                        } else {
                            continue;
                        }
                    }
                }
                Poll::Ready(None) if self.items.is_empty() => return Poll::Ready(None),
                Poll::Ready(None) => {}
                Poll::Pending if self.items.is_empty() => return Poll::Pending,
                Poll::Pending => ready!(poll_deadline(parts.timer(), cx)),
            }
            return Poll::Ready(Some(self.take()));
        }
    }

    fn size_hint(&self, (least, most): (usize, Option<usize>)) -> (usize, Option<usize>) {
        let begun = usize::from(!self.items.is_empty());
        let items = least.saturating_add(self.items.len());
        (
            items.div_ceil(self.size),
            most.and_then(|most| most.checked_add(begun)),
        )
    }
}
