//! The streams of [`StreamExt`](super::StreamExt): each is a stream, a timer, and a state that says what
//! to do with the two.
//!
//! The timer is inside, so none of them allocates for it. What they do is in `timeout.rs`, `throttle.rs`,
//! `chunks.rs` and `debounce.rs`, each a [`Timing`]; here is what they share, and the only unsafe code.
//!
//! All of them are fused: once the stream has said that it has ended, it is not polled again.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use tenter_timer::{Elapsed, Instant, Sleep, sleep_until};

use super::chunks::Chunks;
use super::debounce::Latest;
use super::throttle::Pace;
use super::timeout::{Bound, Once, Repeating};

/// What to do with a stream and a timer.
pub trait Timing<S: Stream> {
    type Item;

    /// The next item, from a stream that has not ended.
    fn poll(&mut self, parts: &mut Parts<'_, S>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>>;

    /// How many items there may be, if the stream has so many left.
    fn size_hint(&self, left: (usize, Option<usize>)) -> (usize, Option<usize>);
}

/// The stream and the timer.
pub struct Parts<'a, S> {
    stream: Pin<&'a mut S>,
    timer: Pin<&'a mut Option<Sleep>>,
    ended: &'a mut bool,
}

impl<S: Stream> Parts<'_, S> {
    /// The next item of the stream, which is fused.
    pub fn poll_stream(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        if *self.ended {
            return Poll::Ready(None);
        }
        let next = ready!(self.stream.as_mut().poll_next(cx));
        *self.ended = next.is_none();
        Poll::Ready(next)
    }

    /// Sets the timer.
    pub fn set_timer(&mut self, deadline: Instant) {
        match self.timer.as_mut().as_pin_mut() {
            Some(timer) => timer.reset(deadline),
            None => self.timer.set(Some(sleep_until(deadline))),
        }
    }

    /// The timer, which was set.
    pub fn timer(&mut self) -> Pin<&mut Sleep> {
        let timer = self.timer.as_mut().as_pin_mut();
        timer.expect("set before it is looked at")
    }
}

/// A stream with a timing.
pub struct Timed<S, K> {
    /// Structurally pinned.
    stream: S,
    /// Structurally pinned.
    timer: Option<Sleep>,
    ended: bool,
    timing: K,
}

impl<S: Stream, K: Timing<S>> Timed<S, K> {
    pub fn new(stream: S, timing: K) -> Self {
        Self {
            stream,
            timer: None,
            ended: false,
            timing,
        }
    }

    fn parts(self: Pin<&mut Self>) -> (Parts<'_, S>, &mut K) {
        // SAFETY: nothing is moved out of the reference, and what is pinned is handed on pinned. A moved
        // timer would leave the wheel with a pointer to where it was.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: both pinned along with the whole.
        let (stream, timer) = unsafe {
            (
                Pin::new_unchecked(&mut this.stream),
                Pin::new_unchecked(&mut this.timer),
            )
        };
        let ended = &mut this.ended;
        let parts = Parts {
            stream,
            timer,
            ended,
        };
        (parts, &mut this.timing)
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<K::Item>> {
        let (mut parts, timing) = self.parts();
        timing.poll(&mut parts, cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match self.ended {
            true => (0, Some(0)),
            false => self.stream.size_hint(),
        };
        self.timing.size_hint(left)
    }
}

macro_rules! helper {
    ($(#[$meta:meta])* $name:ident, $timing:ty, $item:ty) => {
        $(#[$meta])*
        #[must_use = "streams do nothing unless they are polled"]
        pub struct $name<S: Stream> {
            timed: Timed<S, $timing>,
        }

        impl<S: Stream> $name<S> {
            pub(super) fn new(stream: S, timing: $timing) -> Self {
                Self {
                    timed: Timed::new(stream, timing),
                }
            }

            /// The stream inside.
            pub fn get_ref(&self) -> &S {
                &self.timed.stream
            }

            /// The stream inside. Items that were taken from it and not returned are dropped.
            pub fn into_inner(self) -> S {
                self.timed.stream
            }

            fn timed(self: Pin<&mut Self>) -> Pin<&mut Timed<S, $timing>> {
                // SAFETY: pinned along with the whole, and not moved: `parts` counts on it.
                unsafe { self.map_unchecked_mut(|this| &mut this.timed) }
            }
        }

        impl<S: Stream> Stream for $name<S> {
            type Item = $item;

            fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<$item>> {
                self.timed().poll_next(cx)
            }

            fn size_hint(&self) -> (usize, Option<usize>) {
                self.timed.size_hint()
            }
        }

        impl<S: Stream> FusedStream for $name<S> {
            fn is_terminated(&self) -> bool {
                self.timed.ended && self.timed.size_hint().1 == Some(0)
            }
        }

        impl<S: Stream + fmt::Debug> fmt::Debug for $name<S> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("stream", &self.timed.stream)
                    .field("ended", &self.timed.ended)
                    .finish_non_exhaustive()
            }
        }
    };
}

helper! {
    /// The stream of [`StreamExt::timeout`](super::StreamExt::timeout).
    Timeout, Bound<Once>, Result<S::Item, Elapsed>
}
helper! {
    /// The stream of [`StreamExt::timeout_repeating`](super::StreamExt::timeout_repeating).
    TimeoutRepeating, Bound<Repeating>, Result<S::Item, Elapsed>
}
helper! {
    /// The stream of [`StreamExt::throttle`](super::StreamExt::throttle).
    Throttle, Pace, S::Item
}
helper! {
    /// The stream of [`StreamExt::chunks_timeout`](super::StreamExt::chunks_timeout).
    ChunksTimeout, Chunks<S::Item>, Vec<S::Item>
}
helper! {
    /// The stream of [`StreamExt::debounce`](super::StreamExt::debounce).
    Debounce, Latest<S::Item>, S::Item
}

impl<S: Stream> ChunksTimeout<S> {
    /// Takes the items of the chunk that is not complete.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{StreamExt as _, next};
    /// use tenter::sync::channel;
    /// use tenter::time::{Duration, timeout};
    ///
    /// # tenter::run(async {
    /// let (sender, receiver) = channel::unbounded();
    /// let mut chunks = pin!(receiver.chunks_timeout(10, Duration::from_secs(60)));
    /// sender.send("kept").await.unwrap();
    /// assert!(timeout(Duration::from_millis(1), next(&mut chunks)).await.is_err());
    /// assert_eq!(chunks.as_mut().take_remainder(), ["kept"]);
    /// # });
    /// ```
    #[doc(alias = "into_remainder")]
    pub fn take_remainder(self: Pin<&mut Self>) -> Vec<S::Item> {
        self.timed().parts().1.take()
    }
}
