//! All outputs of many futures.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::ready::Ready;
use super::slot::Row;

/// Runs futures concurrently in the caller's task, and returns their outputs in the order of the
/// arguments.
///
/// They are first polled in that order, and then only when they are woken. The futures may borrow, and
/// need not be [`Send`]; but they run one at a time: what computes should be [spawned](crate::spawn), and
/// the handles gathered. A fixed number of futures of different types goes into
/// [`gather!`](crate::gather!).
///
/// Nothing to gather gives an empty [`Vec`], at once.
///
/// # Cancel safety
///
/// If the returned future is dropped, the futures that have not ended are dropped with it, in order, and
/// outputs that are there already are lost.
///
/// # Panics
///
/// A panic of one of the futures goes on through the gathering one, and the others are dropped. Who polls
/// after that gets a panic that says so.
///
/// # If you know futures
///
/// `futures::future::join_all` of more than 30 futures allocates each of them; here all of them are in
/// one allocation, and one more is made if any of them has to wait.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// # tenter::run(async {
/// let pages = ["a", "b", "c"];
/// let lengths = tenter::gather(pages.iter().map(|page| async move {
///     sleep(Duration::from_millis(1)).await; // all at once, not one after the other
///     page.len()
/// }));
/// assert_eq!(lengths.await, [1, 1, 1]);
/// # });
/// ```
#[doc(alias = "join_all")]
#[doc(alias = "amap")]
pub fn gather<I>(futures: I) -> Gather<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    Gather {
        all: All::new(futures),
    }
}

/// Like [`gather`], for futures that may fail: the outputs if all succeed, else the first error.
///
/// At the first error the other futures are dropped, in order, before this returns. In asyncio they would
/// go on running, with nobody to see how they end; what shall go on is spawned.
///
/// # Errors
///
/// The error of the future that fails first. Of several that fail at one moment, it is the one that was
/// woken first, or comes first in the arguments.
///
/// # Cancel safety
///
/// That of [`gather`].
///
/// # Panics
///
/// As [`gather`].
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let parse = |text: &'static str| async move { text.parse::<u8>() };
/// assert_eq!(tenter::try_gather(["1", "2"].map(parse)).await, Ok(vec![1, 2]));
/// assert!(tenter::try_gather(["1", "two"].map(parse)).await.is_err());
/// # });
/// ```
#[doc(alias = "try_join_all")]
pub fn try_gather<I, T, E>(futures: I) -> TryGather<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    TryGather {
        all: All::new(futures),
        failed: None,
    }
}

/// Like [`gather`], for futures that may fail: waits for all of them, and returns every outcome in its
/// place.
///
/// What asyncio calls `return_exceptions=True`. A handle of a task is such a future, so that a task which
/// was cancelled or panicked is a [`JoinError`](crate::JoinError) in its place. A panic of a future
/// itself is no outcome: it goes on through the caller.
///
/// # Cancel safety
///
/// That of [`gather`].
///
/// # Panics
///
/// As [`gather`].
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let tasks = [1, 0].map(|by| tenter::spawn(async move { 1 / by }));
/// let outcomes = tenter::gather_settled(tasks).await;
/// assert_eq!(outcomes[0].as_ref().ok(), Some(&1));
/// assert!(outcomes[1].as_ref().is_err_and(|error| error.is_panic()));
/// # });
/// ```
#[doc(alias = "return_exceptions")]
#[doc(alias = "join_all")]
pub fn gather_settled<I, T, E>(futures: I) -> Gather<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    gather(futures)
}

/// Members and their turns.
pub(super) struct All<F: Future> {
    pub ready: Ready,
    pub row: Row<F>,
}

impl<F: Future> All<F> {
    pub fn new<I>(futures: I) -> Self
    where
        I: IntoIterator,
        I::Item: IntoFuture<IntoFuture = F, Output = F::Output>,
    {
        let row = Row::new(futures);
        Self {
            ready: Ready::new(row.len()),
            row,
        }
    }

    /// Polls those that were woken, until `done` ends the round with one whose output is there.
    pub fn round(
        &mut self,
        cx: &mut Context<'_>,
        mut done: impl FnMut(&mut Row<F>, u32) -> ControlFlow<()>,
    ) {
        let row = &mut self.row;
        self.ready.round(cx, |index, cx| {
            row.slot(index).poll(cx).map(|()| done(row, index))
        });
    }
}

impl<F: Future> fmt::Debug for All<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ready.fmt(f)
    }
}

/// The outside is named; of the futures, it is said how many there are and have ended.
macro_rules! debug {
    ($($name:ident . $field:ident),*) => {$(
        impl<F: ::core::future::Future> ::core::fmt::Debug for $name<F> {
            fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.$field).finish()
            }
        }
    )*};
}
pub(super) use debug;

debug!(Gather.all, TryGather.all);

/// The future of [`gather`] and [`gather_settled`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Gather<F: Future> {
    all: All<F>,
}

impl<F: Future> Future for Gather<F> {
    type Output = Vec<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let all = &mut self.all;
        all.ready.open();
        all.round(cx, |_, _| ControlFlow::Continue(()));
        if all.ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(all.ready.pay(cx));
        all.ready.set_ended();
        Poll::Ready(all.row.take_all(|output| output))
    }
}

/// The future of [`try_gather`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct TryGather<F: Future> {
    all: All<F>,
    failed: Option<u32>,
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for TryGather<F> {
    type Output = Result<Vec<T>, E>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let TryGather { all, failed } = &mut *self;
        all.ready.open();
        if failed.is_none() {
            all.round(cx, |row, index| match row.output(index) {
                Some(Err(_)) => {
                    *failed = Some(index);
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            });
        }
        if failed.is_none() && all.ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(all.ready.pay(cx));
        all.ready.set_ended();
        if let Some(Err(error)) = failed.and_then(|index| all.row.slot(index).take()) {
            all.row.clear();
            return Poll::Ready(Err(error));
        }
        // None of them is an error.
        Poll::Ready(Ok(all
            .row
            .take_all(Result::ok)
            .into_iter()
            .flatten()
            .collect()))
    }
}
