//! An interval as a stream.

use core::pin::Pin;
use core::task::{Context, Poll};

use futures_core::Stream;
use tenter_timer::{Instant, Interval};

/// The ticks of an interval as a stream, which has no end. Each item is the moment at which its tick was
/// due.
///
/// # Cancel safety
///
/// A tick is taken only when it is returned.
///
/// # Examples
///
/// ```
/// use tenter::stream::{next, ticks};
/// use tenter::time::{Duration, interval};
///
/// # let runtime = tenter::Builder::deterministic(0).build()?;
/// # runtime.block_on(async {
/// let mut ticks = ticks(interval(Duration::from_secs(10)));
/// let first = next(&mut ticks).await.unwrap();
/// let second = next(&mut ticks).await.unwrap();
/// assert_eq!(second - first, Duration::from_secs(10));
/// # });
/// # Ok::<_, std::io::Error>(())
/// ```
#[doc(alias = "IntervalStream")]
pub fn ticks(interval: Interval) -> Ticks {
    Ticks { interval }
}

/// The stream of [`ticks`].
#[must_use = "streams do nothing unless they are polled"]
#[derive(Debug)]
pub struct Ticks {
    interval: Interval,
}

impl Ticks {
    /// The interval.
    #[must_use]
    pub fn into_inner(self) -> Interval {
        self.interval
    }
}

impl Stream for Ticks {
    type Item = Instant;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Instant>> {
        self.interval.poll_tick(cx).map(Some)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (usize::MAX, None)
    }
}
