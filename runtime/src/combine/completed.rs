//! The outputs of many futures, as they come.

use core::fmt;
use core::future::{Future, IntoFuture, Pending, pending};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::collections::VecDeque;

use futures_core::{FusedStream, Stream};
use tenter_timer::{Elapsed, Timeout, timeout};

use super::gather::{All, debug};

/// Runs futures concurrently in the caller's task, and yields their outputs as they end, each with its
/// index in the arguments.
///
/// All of them begin with the first output that is asked for, in order, and are then polled only when they
/// are woken, and only while the next output is awaited. (What shall go on while the caller does something
/// else is [spawned](crate::spawn), and the handles go in here.) Those that end at one moment come in the
/// order in which they were woken.
///
/// The stream can be left and gone on with at any time. It ends when each output has been yielded; without
/// futures, at once.
///
/// # Cancel safety
///
/// No output is lost when the wait for the next one is dropped. If the stream is dropped, the futures that
/// have not ended are dropped with it, in order, where asyncio lets them run on.
///
/// # Panics
///
/// A panic of one of the futures goes on through the stream. Who polls it after that gets a panic that
/// says so.
///
/// # If you know futures
///
/// A `FuturesUnordered` allocates for each future; here all of them are in one allocation, and one more is
/// made if any of them has to wait.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// # tenter::run(async {
/// let mut answers = tenter::as_completed([3, 1, 2].map(|after| async move {
///     sleep(Duration::from_millis(after)).await;
///     after
/// }));
/// while let Some((index, after)) = answers.next().await {
///     println!("number {index} took {after} ms");
/// }
/// # });
/// ```
#[doc(alias = "FuturesUnordered")]
pub fn as_completed<I>(futures: I) -> AsCompleted<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    AsCompleted {
        all: All::new(futures),
        done: VecDeque::new(),
    }
}

debug!(AsCompleted.all);

/// The stream of [`as_completed`].
#[must_use = "streams do nothing unless they are polled"]
pub struct AsCompleted<F: Future> {
    all: All<F>,
    /// Those whose outputs have not been yielded, in the order in which they ended.
    done: VecDeque<u32>,
}

impl<F: Future> AsCompleted<F> {
    /// The next output, with the index of its future; `None` if there are no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the returned future is dropped.
    #[expect(
        clippy::should_implement_trait,
        reason = "the word for it, of a stream"
    )]
    pub fn next(&mut self) -> NextCompleted<'_, Self> {
        NextCompleted { stream: self }
    }

    /// How many outputs have not been yielded.
    pub fn remaining(&self) -> usize {
        self.all.ready.left() as usize + self.done.len()
    }

    /// Bounds how long all the outputs may take, counted from this call: when the time is up, the stream
    /// yields one [`Elapsed`], and ends. An output that is there by then comes first.
    ///
    /// The futures that have not ended are kept: [`into_inner`](AsCompletedTimeout::into_inner) goes on
    /// with them.
    ///
    /// # Examples
    ///
    /// ```
    /// use tenter::time::{Duration, sleep};
    ///
    /// # tenter::run(async {
    /// let waits = [1, 60_000].map(|ms| sleep(Duration::from_millis(ms)));
    /// let mut waits = tenter::as_completed(waits).timeout(Duration::from_millis(20));
    /// assert_eq!(waits.next().await, Some(Ok((0, ()))));
    /// assert!(waits.next().await.is_some_and(|late| late.is_err()));
    /// assert_eq!(waits.next().await, None);
    /// # });
    /// ```
    #[track_caller]
    pub fn timeout(self, duration: Duration) -> AsCompletedTimeout<F> {
        AsCompletedTimeout {
            stream: self,
            limit: Some(Box::pin(timeout(duration, pending()))),
        }
    }

    /// One that has ended, and whose output is there.
    fn poll_done(&mut self, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        let AsCompleted { all, done } = self;
        all.ready.open();
        // A round that has begun all of them may end several at once. After that, one at a time.
        if done.is_empty() && all.ready.left() > 0 {
            let first = all.ready.polled() == 0;
            all.round(cx, |_, index| {
                done.push_back(index);
                match first {
                    true => ControlFlow::Continue(()),
                    false => ControlFlow::Break(()),
                }
            });
        }
        if !done.is_empty() {
            ready!(all.ready.pay(cx));
            return Poll::Ready(done.pop_front());
        }
        match all.ready.left() {
            0 => Poll::Ready(None),
            _ => Poll::Pending,
        }
    }
}

impl<F: Future> Stream for AsCompleted<F> {
    type Item = (usize, F::Output);

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(index) = ready!(self.poll_done(cx)) else {
            return Poll::Ready(None);
        };
        let output = self.all.row.slot(index).take();
        Poll::Ready(output.map(|output| (index as usize, output)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.remaining(), Some(self.remaining()))
    }
}

impl<F: Future> FusedStream for AsCompleted<F> {
    fn is_terminated(&self) -> bool {
        self.remaining() == 0
    }
}

/// The stream of [`AsCompleted::timeout`].
#[must_use = "streams do nothing unless they are polled"]
pub struct AsCompletedTimeout<F: Future> {
    stream: AsCompleted<F>,
    /// None: the time is up, and that has been yielded.
    limit: Option<Pin<Box<Timeout<Pending<()>>>>>,
}

impl<F: Future> AsCompletedTimeout<F> {
    /// The next output, with the index of its future, or that the time is up; `None` if there are no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost if the returned future is dropped.
    #[expect(
        clippy::should_implement_trait,
        reason = "the word for it, of a stream"
    )]
    pub fn next(&mut self) -> NextCompleted<'_, Self> {
        NextCompleted { stream: self }
    }

    /// The stream without the bound, with what has not been yielded.
    pub fn into_inner(self) -> AsCompleted<F> {
        self.stream
    }
}

impl<F: Future> Stream for AsCompletedTimeout<F> {
    type Item = Result<(usize, F::Output), Elapsed>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let AsCompletedTimeout { stream, limit } = &mut *self;
        let Some(timer) = limit else {
            return Poll::Ready(None);
        };
        if let Poll::Ready(next) = Pin::new(stream).poll_next(cx) {
            return Poll::Ready(next.map(Ok));
        }
        let elapsed = ready!(timer.as_mut().poll(cx)).err();
        *limit = None;
        Poll::Ready(elapsed.map(Err))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self.limit {
            Some(_) => (
                usize::from(self.stream.remaining() > 0),
                Some(self.stream.remaining() + 1),
            ),
            None => (0, Some(0)),
        }
    }
}

impl<F: Future> FusedStream for AsCompletedTimeout<F> {
    fn is_terminated(&self) -> bool {
        self.limit.is_none() || self.stream.is_terminated()
    }
}

impl<F: Future> fmt::Debug for AsCompletedTimeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsCompletedTimeout")
            .field("remaining", &self.stream.remaining())
            .field(
                "deadline",
                &self.limit.as_ref().map(|limit| limit.deadline()),
            )
            .finish()
    }
}

/// The future of [`AsCompleted::next`] and [`AsCompletedTimeout::next`].
#[must_use = "futures do nothing unless they are awaited"]
#[derive(Debug)]
pub struct NextCompleted<'a, S> {
    stream: &'a mut S,
}

impl<S: Stream + Unpin> Future for NextCompleted<'_, S> {
    type Output = Option<S::Item>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.stream).poll_next(cx)
    }
}
