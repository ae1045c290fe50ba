//! What these tests share.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tenter::stream::{Stream, next};
use tenter::time::{Instant, Sleep, now, sleep_until};

pub const SECOND: Duration = Duration::from_secs(1);

pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

pub fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// All items until the end.
pub async fn all<S: Stream + Unpin>(stream: &mut S) -> Vec<S::Item> {
    let mut items = Vec::new();
    while let Some(item) = next(stream).await {
        items.push(item);
    }
    items
}

/// All items until the end, each with how long after `start` it came.
pub async fn timed<S: Stream + Unpin>(start: Instant, stream: &mut S) -> Vec<(u64, S::Item)> {
    let mut items = Vec::new();
    while let Some(item) = next(stream).await {
        items.push((((now() - start).as_millis()) as u64, item));
    }
    items
}

/// Items that come at given times, whoever waits for them, and must not be asked for after the end.
pub struct Script<T> {
    items: VecDeque<(Instant, T)>,
    timer: Option<Pin<Box<Sleep>>>,
    ended: bool,
}

impl<T> Script<T> {
    /// The times are milliseconds from now.
    pub fn new(items: impl IntoIterator<Item = (u64, T)>) -> Self {
        let start = now();
        let items = items.into_iter();
        Self {
            items: items.map(|(at, item)| (start + ms(at), item)).collect(),
            timer: None,
            ended: false,
        }
    }
}

impl<T> Unpin for Script<T> {}

impl<T> Stream for Script<T> {
    type Item = T;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        assert!(!self.ended, "asked for an item after the end");
        let Some((due, _)) = self.items.front() else {
            self.ended = true;
            return Poll::Ready(None);
        };
        let due = *due;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if timer.deadline() != due {
            timer.as_mut().reset(due);
        }
        if timer.as_mut().poll(cx).is_pending() {
            return Poll::Pending;
        }
        let item = self.items.pop_front();
        Poll::Ready(item.map(|(_, item)| item))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.items.len(), Some(self.items.len()))
    }
}

/// A small generator of numbers, for tests that run by seed.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}
