//! A distance in time between items.
//!
//! The stream is not asked for an item before it may be returned, so whoever fills it is held back too.

use core::future::Future;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use futures_core::Stream;
use tenter_timer::now;

use super::helpers::{Parts, Timing};

/// The distance.
#[derive(Debug)]
pub struct Pace {
    gap: Duration,
    /// The timer is set, and the next item waits for it.
    rests: bool,
}

impl Pace {
    pub fn new(gap: Duration) -> Self {
        Self { gap, rests: false }
    }
}

impl<S: Stream> Timing<S> for Pace {
    type Item = S::Item;

    fn poll(&mut self, parts: &mut Parts<'_, S>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if self.rests {
            ready!(parts.timer().poll(cx));
            self.rests = false;
        }
        let next = ready!(parts.poll_stream(cx));
        if next.is_some() && !self.gap.is_zero() {
            parts.set_timer(now() + self.gap);
            self.rests = true;
        }
        Poll::Ready(next)
    }

    fn size_hint(&self, left: (usize, Option<usize>)) -> (usize, Option<usize>) {
        left
    }
}
