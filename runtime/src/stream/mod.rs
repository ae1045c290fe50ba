//! Streams: asynchronous iterators, and what needs a clock or a scope to make or to change them.
//!
//! What gives many items one after the other is a [`Stream`] here as everywhere in Rust: the receiving
//! end of a [channel](crate::sync::channel), [`Queue::stream`](crate::sync::Queue::stream),
//! [`as_completed`](crate::as_completed), a listener's connections, [signals](crate::signal). Two things
//! are left for this module:
//!
//! - Making one: [`stream_fn()`] and [`try_stream_fn`] are what asyncio calls an asynchronous generator.
//!   [`ticks()`] is an interval as a stream, [`merge()`] many streams as one.
//! - Time: [`StreamExt`] has what needs the clock of the runtime, so that it is exact in a test with a
//!   virtual one: [`timeout`](StreamExt::timeout), [`throttle`](StreamExt::throttle),
//!   [`chunks_timeout`](StreamExt::chunks_timeout), [`debounce`](StreamExt::debounce).
//!
//! `map`, `filter`, `take` and their like need nothing of a runtime: they are in `StreamExt` of the crate
//! `futures`, and work on all of these streams. Both traits can be imported (`use … as _`); they have no
//! method in common.
//!
//! [`next`] waits for the next item of any stream:
//!
//! ```
//! use std::pin::pin;
//! use tenter::stream::{next, stream_fn};
//!
//! tenter::run(async {
//!     let mut numbers = pin!(stream_fn(async |y| {
//!         for number in 1..=3 {
//!             y.send(number).await;
//!         }
//!     }));
//!     let mut sum = 0;
//!     while let Some(number) = next(&mut numbers).await {
//!         sum += number;
//!     }
//!     assert_eq!(sum, 6);
//! });
//! ```

#[expect(unsafe_code, reason = "pins the body")]
mod body;
mod chunks;
mod debounce;
mod ext;
#[expect(unsafe_code, reason = "pins a stream and its timer")]
mod helpers;
#[expect(unsafe_code, reason = "pins the streams of a row")]
mod merge;
#[expect(unsafe_code, reason = "pins the machine inside the streams")]
mod stream_fn;
mod throttle;
mod ticks;
mod timeout;
mod yielder;

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

#[doc(no_inline)]
pub use futures_core::{FusedStream, Stream};

pub use ext::StreamExt;
pub use helpers::{ChunksTimeout, Debounce, Throttle, Timeout, TimeoutRepeating};
pub use merge::{Merge, merge};
pub use stream_fn::{Close, StreamFn, TryClose, TryStreamFn, stream_fn, try_stream_fn};
pub use ticks::{Ticks, ticks};
pub use yielder::{Sending, Yielder};

/// Waits for the next item of a stream; `None` is its end.
///
/// A stream that must not move is pinned first, with `pin!` or `Box::pin`.
///
/// # Cancel safety
///
/// Nothing is lost if the returned future is dropped: the stream is where it was.
///
/// # Examples
///
/// ```
/// use tenter::stream::next;
/// use tenter::sync::channel;
///
/// # tenter::run(async {
/// let (sender, mut receiver) = channel::unbounded();
/// sender.send("one").await?;
/// drop(sender);
/// while let Some(word) = next(&mut receiver).await {
///     assert_eq!(word, "one");
/// }
/// # Ok::<_, channel::SendError<&str>>(())
/// # }).unwrap();
/// ```
#[doc(alias = "anext")]
#[doc(alias = "__anext__")]
pub fn next<S: Stream + Unpin + ?Sized>(stream: &mut S) -> Next<'_, S> {
    Next { stream }
}

/// The future of [`next`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct Next<'a, S: ?Sized> {
    stream: &'a mut S,
}

impl<S: Stream + Unpin + ?Sized> Future for Next<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut *self.stream).poll_next(cx)
    }
}
