//! The first output of many futures.

use core::future::{Future, IntoFuture};
use core::ops::ControlFlow;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll, ready};

use super::gather::{All, debug};

/// Runs futures concurrently in the caller's task until the first of them ends, and returns its index and
/// its output.
///
/// The others are dropped, in order, before this returns. Of several that end at one moment, it is the one
/// that was woken first, or comes first in the arguments. Branches of different types, with something to
/// do for each, are what [`select!`](crate::select!) is for; where the tasks shall go on, use the handles
/// by reference.
///
/// # Cancel safety
///
/// If the returned future is dropped, all of them are dropped with it, in order.
///
/// # Panics
///
/// If there is no future, as none would ever end. A panic of one of the futures goes on through this one,
/// and the others are dropped.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// # tenter::run(async {
/// let answers = [30, 1, 20].map(|after| async move {
///     sleep(Duration::from_millis(after)).await;
///     after
/// });
/// assert_eq!(tenter::race(answers).await, (1, 1));
/// # });
/// ```
#[doc(alias = "select_all")]
#[doc(alias = "FIRST_COMPLETED")]
#[track_caller]
pub fn race<I>(futures: I) -> Race<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture,
{
    let all = All::new(futures);
    if all.ready.members() == 0 {
        panic!(
            "tenter::race was called at {} without a future: nothing would ever end; race_ok returns an \
             empty list of errors",
            Location::caller()
        );
    }
    Race { all, won: None }
}

/// Runs futures concurrently in the caller's task until the first of them succeeds, and returns its index
/// and its value.
///
/// Like [`race`], but a future that fails is out, and the others go on. Without a future there are no
/// errors either: `Err` of an empty list.
///
/// # Errors
///
/// If all of them fail, their errors, in the order of the arguments.
///
/// # Cancel safety
///
/// If the returned future is dropped, those that have not ended are dropped with it, in order, and errors
/// that are there already are lost.
///
/// # Panics
///
/// A panic of one of the futures goes on through this one, and the others are dropped.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// let parse = |text: &'static str| async move { text.parse::<u8>() };
/// assert_eq!(tenter::race_ok(["one", "2", "3"].map(parse)).await, Ok((1, 2)));
/// assert_eq!(tenter::race_ok(["one", "two"].map(parse)).await.unwrap_err().len(), 2);
/// # });
/// ```
#[doc(alias = "select_ok")]
pub fn race_ok<I, T, E>(futures: I) -> RaceOk<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    RaceOk {
        all: All::new(futures),
        won: None,
    }
}

debug!(Race.all, RaceOk.all);

/// The future of [`race`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Race<F: Future> {
    all: All<F>,
    won: Option<u32>,
}

impl<F: Future> Future for Race<F> {
    type Output = (usize, F::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Race { all, won } = &mut *self;
        all.ready.open();
        if won.is_none() {
            all.round(cx, |_, index| {
                *won = Some(index);
                ControlFlow::Break(())
            });
        }
        let Some(index) = *won else {
            return Poll::Pending;
        };
        ready!(all.ready.pay(cx));
        all.ready.set_ended();
        let Some(output) = all.row.slot(index).take() else {
            unreachable!("it has ended, and its output has not been taken")
        };
        all.row.clear();
        Poll::Ready((index as usize, output))
    }
}

/// The future of [`race_ok`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct RaceOk<F: Future> {
    all: All<F>,
    won: Option<u32>,
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for RaceOk<F> {
    type Output = Result<(usize, T), Vec<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let RaceOk { all, won } = &mut *self;
        all.ready.open();
        if won.is_none() {
            all.round(cx, |row, index| match row.output(index) {
                Some(Ok(_)) => {
                    *won = Some(index);
                    ControlFlow::Break(())
                }
                _ => ControlFlow::Continue(()),
            });
        }
        if won.is_none() && all.ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(all.ready.pay(cx));
        all.ready.set_ended();
        Poll::Ready(all.first_ok(*won))
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> All<F> {
    /// The value of the winner, or else the errors. The rest is dropped.
    pub fn first_ok(&mut self, won: Option<u32>) -> Result<(usize, T), Vec<E>> {
        if let Some(index) = won {
            if let Some(Ok(value)) = self.row.slot(index).take() {
                self.row.clear();
                return Ok((index as usize, value));
            }
        }
        Err(self
            .row
            .take_all(Result::err)
            .into_iter()
            .flatten()
            .collect())
    }
}
