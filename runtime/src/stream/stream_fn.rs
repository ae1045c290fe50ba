//! Generators: streams that are written as a function. The machine is in `body.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};

use super::body::{Body, Given, Phase};
use super::yielder::Yielder;

/// A stream whose items are sent by an async function: what asyncio calls an asynchronous generator.
///
/// The body is a part of whoever reads the stream: it runs in the poll of the reader's task, and only while
/// an item is waited for. It begins with the first item that is asked for. `y.send(item).await` gives an
/// item to the reader, and goes on when the reader asks for the next one. It may borrow, and need not be
/// [`Send`]; if it is, so is the stream. When it returns, the stream ends, and says so from then on.
///
/// One allocation is made, with the stream; none for an item.
///
/// # Cancel safety
///
/// Nothing is lost when the wait for the next item is dropped. Dropping the stream drops the body where it
/// stands. What was [deferred](crate::defer_async) in it is awaited by the scope that the reader is in, or
/// by the runtime if that scope goes on; [`close`](StreamFn::close) does it there and then. There is no
/// finalizer that does something later and elsewhere. (The children of a group that is open in the body are
/// cancelled, as ever when a group is dropped.)
///
/// # Scopes in the body
///
/// A timeout or a group in the body may be open at a `send`. It never ends the code of the reader, and
/// the reader can be cancelled meanwhile. But its deadline is a moment, also while the reader has an item: if
/// it has passed when the next one is asked for, the `send` is ready all the same, and the scope ends at the
/// next suspension in it. A bound that is for the work and not for the reader goes around the work:
/// `let page = timeout(limit, fetch()).await?; y.send(page).await`.
///
/// As with every group that was polled and left, a wait for an item that is given up while a group in the body
/// is at work holds back the end of the reader, until the stream is asked again or dropped.
///
/// # Panics
///
/// A panic of the body goes on through the reader, and so does that of a body that is asked for an item
/// after it panicked.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use tenter::stream::{next, stream_fn};
/// use tenter::time::{Duration, sleep};
///
/// # tenter::run(async {
/// let steps = vec![1, 2, 4];
/// let mut waits = pin!(stream_fn(async |y| {
///     for ms in &steps {
///         sleep(Duration::from_millis(*ms)).await;
///         y.send(ms).await;
///     }
/// }));
/// while let Some(ms) = next(&mut waits).await {
///     println!("waited for {ms} ms");
/// }
/// # });
/// ```
#[doc(alias = "yield")]
#[doc(alias = "asyncgen")]
#[doc(alias = "async_stream")]
#[doc(alias = "as_safe_channel")]
#[doc(alias = "unfold")]
#[track_caller]
pub fn stream_fn<T, F>(body: impl FnOnce(Yielder<T>) -> F) -> StreamFn<T, F>
where
    F: Future<Output = ()>,
{
    StreamFn {
        body: Body::new(body, Location::caller()),
    }
}

/// A stream whose items are sent by an async function that may fail: `?` in the body makes its error the
/// last item.
///
/// Otherwise like [`stream_fn`]. The error comes when what was deferred in the body is done.
///
/// # Examples
///
/// ```
/// use std::pin::pin;
/// use tenter::stream::{next, try_stream_fn};
///
/// # tenter::run(async {
/// let mut numbers = pin!(try_stream_fn(async |y| {
///     for word in ["1", "two", "3"] {
///         y.send(word.parse::<u8>()?).await;
///     }
///     Ok::<_, std::num::ParseIntError>(())
/// }));
/// assert_eq!(next(&mut numbers).await, Some(Ok(1)));
/// assert!(next(&mut numbers).await.is_some_and(|item| item.is_err()));
/// assert_eq!(next(&mut numbers).await, None);
/// # });
/// ```
#[doc(alias = "try_stream")]
#[track_caller]
pub fn try_stream_fn<T, E, F>(body: impl FnOnce(Yielder<T>) -> F) -> TryStreamFn<T, F>
where
    F: Future<Output = Result<(), E>>,
{
    TryStreamFn {
        body: Body::new(body, Location::caller()),
    }
}

/// The stream of [`stream_fn`].
#[must_use = "streams do nothing unless they are polled"]
pub struct StreamFn<T, F: Future> {
    body: Body<T, F>,
}

/// The stream of [`try_stream_fn`].
#[must_use = "streams do nothing unless they are polled"]
pub struct TryStreamFn<T, F: Future> {
    body: Body<T, F>,
}

impl<T, F: Future> StreamFn<T, F> {
    fn body(self: Pin<&mut Self>) -> Pin<&mut Body<T, F>> {
        // SAFETY: pinned along with the whole, and not moved: the body inside counts on it.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }
    }

    /// Ends the stream: drops the body where it stands, and awaits what was
    /// [deferred](crate::defer_async) in it. Afterwards the stream says that it has ended.
    ///
    /// For who leaves a stream before its end, and wants it cleaned up before going on.
    ///
    /// # Cancel safety
    ///
    /// If the returned future is dropped, what is left to be done is done when the stream is dropped, or
    /// closed again.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::pin::pin;
    /// use tenter::stream::{next, stream_fn};
    ///
    /// # tenter::run(async {
    /// let mut numbers = pin!(stream_fn(async |y| {
    ///     let _clean_up = tenter::defer_async(async { println!("cleaned up") });
    ///     for number in 0.. {
    ///         y.send(number).await;
    ///     }
    /// }));
    /// assert_eq!(next(&mut numbers).await, Some(0));
    /// numbers.as_mut().close().await;
    /// assert_eq!(next(&mut numbers).await, None);
    /// # });
    /// ```
    #[doc(alias = "aclose")]
    #[doc(alias = "aclosing")]
    pub fn close(self: Pin<&mut Self>) -> Close<'_, T, F> {
        Close { body: self.body() }
    }
}

impl<T, F: Future> TryStreamFn<T, F> {
    fn body(self: Pin<&mut Self>) -> Pin<&mut Body<T, F>> {
        // SAFETY: as in `StreamFn::body`.
        unsafe { self.map_unchecked_mut(|this| &mut this.body) }
    }

    /// Ends the stream. See [`StreamFn::close`].
    ///
    /// # Errors
    ///
    /// That of a body which had failed already, and whose error was not yet read.
    #[doc(alias = "aclose")]
    #[doc(alias = "aclosing")]
    pub fn close(self: Pin<&mut Self>) -> TryClose<'_, T, F> {
        TryClose { body: self.body() }
    }
}

impl<T, F: Future<Output = ()>> Stream for StreamFn<T, F> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        Poll::Ready(match ready!(self.body().poll_given(cx)) {
            Some(Given::Item(item)) => Some(item),
            Some(Given::Output(())) | None => None,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        hint(self.body.phase(), 0)
    }
}

impl<T, E, F: Future<Output = Result<(), E>>> Stream for TryStreamFn<T, F> {
    type Item = Result<T, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<T, E>>> {
        Poll::Ready(match ready!(self.body().poll_given(cx)) {
            Some(Given::Item(item)) => Some(Ok(item)),
            Some(Given::Output(output)) => output.err().map(Err),
            None => None,
        })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        hint(self.body.phase(), 1)
    }
}

/// Of a body that has ended, no more than `last` can come.
fn hint(phase: Phase, last: usize) -> (usize, Option<usize>) {
    match phase {
        Phase::Done => (0, Some(0)),
        Phase::CleanUps => (0, Some(last + 1)),
        Phase::Body => (0, None),
    }
}

impl<T, F: Future<Output = ()>> FusedStream for StreamFn<T, F> {
    fn is_terminated(&self) -> bool {
        self.body.phase() == Phase::Done
    }
}

impl<T, E, F: Future<Output = Result<(), E>>> FusedStream for TryStreamFn<T, F> {
    fn is_terminated(&self) -> bool {
        self.body.phase() == Phase::Done
    }
}

/// The future of [`StreamFn::close`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Close<'a, T, F: Future> {
    body: Pin<&'a mut Body<T, F>>,
}

impl<T, F: Future<Output = ()>> Future for Close<'_, T, F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.body.as_mut().poll_close(cx).map(drop)
    }
}

/// The future of [`TryStreamFn::close`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct TryClose<'a, T, F: Future> {
    body: Pin<&'a mut Body<T, F>>,
}

impl<T, E, F: Future<Output = Result<(), E>>> Future for TryClose<'_, T, F> {
    type Output = Result<(), E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        let output = ready!(self.body.as_mut().poll_close(cx));
        Poll::Ready(output.unwrap_or(Ok(())))
    }
}

// What is being cleaned up keeps the scope around from nothing while nobody polls it.
macro_rules! leave {
    ($($name:ident),*) => {$(
        impl<T, F: Future> Drop for $name<'_, T, F> {
            fn drop(&mut self) {
                self.body.leave();
            }
        }
    )*};
}

leave!(Close, TryClose);

macro_rules! debug {
    ($($name:ident$(<$life:lifetime>)?),*) => {$(
        impl<T, F: Future> fmt::Debug for $name<$($life,)? T, F> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("phase", &self.body.phase())
                    .finish_non_exhaustive()
            }
        }
    )*};
}

debug!(StreamFn, TryStreamFn, Close<'_>, TryClose<'_>);
