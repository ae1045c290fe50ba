//! What a stream can do with the clock of the runtime.

use core::panic::Location;
use core::time::Duration;

use futures_core::Stream;

use super::chunks::Chunks;
use super::debounce::Latest;
use super::helpers::{ChunksTimeout, Debounce, Throttle, Timeout, TimeoutRepeating};
use super::throttle::Pace;
use super::timeout::Bound;

/// What a stream can do with the clock of the runtime. Import it with `use tenter::stream::StreamExt as _`,
/// beside that of the crate `futures`, which has the rest.
pub trait StreamExt: Stream {
    /// Bounds how long a reader waits for an item: if it takes longer than `limit`, an [`Elapsed`] comes
    /// in its place, and then the item, however long that takes.
    ///
    /// The time begins when the item is asked for and not there, so what the reader does in between does not
    /// count. An item that is there when it is asked for is never late. [`Duration::MAX`] is no bound.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the wait for the next item is dropped. The time goes on from where it began.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{StreamExt as _, next, stream_fn};
    /// use tenter::time::{Duration, sleep};
    ///
    /// # let runtime = tenter::Builder::deterministic(0).build()?;
    /// # runtime.block_on(async {
    /// let slow = stream_fn(async |y| {
    ///     sleep(Duration::from_secs(3)).await;
    ///     y.send("at last").await;
    /// });
    /// let mut items = pin!(slow.timeout(Duration::from_secs(1)));
    /// assert!(next(&mut items).await.is_some_and(|late| late.is_err()));
    /// assert_eq!(next(&mut items).await, Some(Ok("at last")));
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    ///
    /// [`Elapsed`]: tenter_timer::Elapsed
    #[doc(alias = "wait_for")]
    fn timeout(self, limit: Duration) -> Timeout<Self>
    where
        Self: Sized,
    {
        Timeout::new(self, Bound::new(limit))
    }

    /// Like [`timeout`](Self::timeout), but an [`Elapsed`](tenter_timer::Elapsed) comes for each `limit`
    /// that the item takes: a heartbeat of a stream that is silent. Those that would have come while
    /// nobody asked are left out.
    ///
    /// # Cancel safety
    ///
    /// That of [`timeout`](Self::timeout).
    ///
    /// # Panics
    ///
    /// If `limit` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{StreamExt as _, next, stream_fn};
    /// use tenter::time::{Duration, sleep};
    ///
    /// # let runtime = tenter::Builder::deterministic(0).build()?;
    /// # runtime.block_on(async {
    /// let slow = stream_fn(async |y| {
    ///     sleep(Duration::from_secs(5)).await;
    ///     y.send("at last").await;
    /// });
    /// let mut items = pin!(slow.timeout_repeating(Duration::from_secs(2)));
    /// let mut beats = 0;
    /// while let Some(Err(_)) = next(&mut items).await {
    ///     beats += 1;
    /// }
    /// assert_eq!(beats, 2);
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[track_caller]
    fn timeout_repeating(self, limit: Duration) -> TimeoutRepeating<Self>
    where
        Self: Sized,
    {
        if limit.is_zero() {
            refuse(
                "timeout_repeating",
                "a limit of zero: it would never be silent",
            );
        }
        TimeoutRepeating::new(self, Bound::new(limit))
    }

    /// Keeps a distance of at least `gap` between two items, counted from when the first of them was
    /// returned. The first item of all comes at once. The stream is not asked for an item earlier, so whoever
    /// fills it is held back.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the wait for the next item is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{StreamExt as _, next, stream_fn};
    /// use tenter::time::{Duration, now};
    ///
    /// # let runtime = tenter::Builder::deterministic(0).build()?;
    /// # runtime.block_on(async {
    /// let start = now();
    /// let numbers = stream_fn(async |y| {
    ///     for number in 0..3 {
    ///         y.send(number).await;
    ///     }
    /// });
    /// let mut numbers = pin!(numbers.throttle(Duration::from_secs(1)));
    /// while let Some(number) = next(&mut numbers).await {
    ///     assert_eq!(now() - start, Duration::from_secs(number));
    /// }
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[doc(alias = "rate_limit")]
    fn throttle(self, gap: Duration) -> Throttle<Self>
    where
        Self: Sized,
    {
        Throttle::new(self, Pace::new(gap))
    }

    /// Collects items in chunks. A chunk is returned when it has `size` items, or `limit` after its first
    /// item came, or at the end; so it is never empty.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the wait for the next chunk is dropped. If the stream is dropped, the items of a
    /// chunk that is not complete are dropped with it;
    /// [`take_remainder`](ChunksTimeout::take_remainder) has them.
    ///
    /// # Panics
    ///
    /// If `size` is zero.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{StreamExt as _, next, stream_fn};
    /// use tenter::time::{Duration, sleep};
    ///
    /// # let runtime = tenter::Builder::deterministic(0).build()?;
    /// # runtime.block_on(async {
    /// let lines = stream_fn(async |y| {
    ///     for line in ["a", "b", "c"] {
    ///         y.send(line).await;
    ///     }
    ///     sleep(Duration::from_secs(60)).await;
    ///     y.send("d").await;
    /// });
    /// let mut batches = pin!(lines.chunks_timeout(2, Duration::from_secs(1)));
    /// assert_eq!(next(&mut batches).await, Some(vec!["a", "b"]));
    /// assert_eq!(next(&mut batches).await, Some(vec!["c"])); // after a second
    /// assert_eq!(next(&mut batches).await, Some(vec!["d"]));
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    #[doc(alias = "batch")]
    #[track_caller]
    fn chunks_timeout(self, size: usize, limit: Duration) -> ChunksTimeout<Self>
    where
        Self: Sized,
    {
        if size == 0 {
            refuse(
                "chunks_timeout",
                "a size of 0: a chunk has at least one item",
            );
        }
        ChunksTimeout::new(self, Chunks::new(size, limit))
    }

    /// Returns an item when no other has come for `quiet` after it. Those that are followed more closely
    /// are dropped. At the end the last item is returned at once.
    ///
    /// # Cancel safety
    ///
    /// If the wait for the next item is dropped, the item that might be the next one is kept.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{StreamExt as _, next, stream_fn};
    /// use tenter::time::{Duration, sleep};
    ///
    /// # let runtime = tenter::Builder::deterministic(0).build()?;
    /// # runtime.block_on(async {
    /// let typed = stream_fn(async |y| {
    ///     for text in ["t", "te", "ten"] {
    ///         y.send(text).await;
    ///         sleep(Duration::from_millis(50)).await;
    ///     }
    ///     sleep(Duration::from_secs(1)).await;
    ///     y.send("tenter").await;
    /// });
    /// let mut searches = pin!(typed.debounce(Duration::from_millis(200)));
    /// assert_eq!(next(&mut searches).await, Some("ten"));
    /// assert_eq!(next(&mut searches).await, Some("tenter"));
    /// # });
    /// # Ok::<_, std::io::Error>(())
    /// ```
    fn debounce(self, quiet: Duration) -> Debounce<Self>
    where
        Self: Sized,
    {
        Debounce::new(self, Latest::new(quiet))
    }
}

impl<S: Stream + ?Sized> StreamExt for S {}

#[cold]
#[track_caller]
fn refuse(method: &str, why: &str) -> ! {
    panic!(
        "StreamExt::{method} was called at {} with {why}",
        Location::caller()
    )
}
