//! A race whose members begin one after the other.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::ops::ControlFlow;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use tenter_timer::{Sleep, now, sleep};

use super::gather::All;

/// Begins with the first future, and with each of the others when the one before it has failed, or after
/// `delay`; the first that succeeds wins, and its index and value are returned.
///
/// This is how *Happy Eyeballs* connects (RFC 8305). With a delay of `None`, the next one begins only when
/// the last one has failed. Futures do nothing until they are polled, so those whose turn does not come
/// never begin. All of them run in the caller's task, and may borrow. When one wins, all others are
/// dropped, in order, before this returns. Without a future, `Err` of an empty list.
///
/// # Errors
///
/// If all of them fail, their errors, in the order of the arguments.
///
/// # Cancel safety
///
/// If the returned future is dropped, all of them are dropped with it, in order, and errors that are there
/// already are lost.
///
/// # Panics
///
/// A panic of one of the futures goes on through this one, and the others are dropped.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// # tenter::run(async {
/// let connect = |takes: u64, works: bool| async move {
///     sleep(Duration::from_millis(takes)).await;
///     if works { Ok(takes) } else { Err("refused") }
/// };
/// let addresses = [connect(60_000, true), connect(1, false), connect(2, true)];
/// let winner = tenter::staggered(addresses, Duration::from_millis(10)).await;
/// assert_eq!(winner, Ok((2, 2)));
/// # });
/// ```
#[doc(alias = "staggered_race")]
#[doc(alias = "happy_eyeballs")]
pub fn staggered<I, T, E>(
    futures: I,
    delay: impl Into<Option<Duration>>,
) -> Staggered<<I::Item as IntoFuture>::IntoFuture>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    Staggered {
        all: All::new(futures),
        delay: delay.into(),
        timer: None,
        begun: 0,
        won: None,
    }
}

/// The future of [`staggered`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Staggered<F: Future> {
    all: All<F>,
    delay: Option<Duration>,
    /// When the next one begins, from the first poll on.
    timer: Option<Pin<Box<Sleep>>>,
    begun: u32,
    won: Option<u32>,
}

impl<F: Future<Output = Result<T, E>>, T, E> Staggered<F> {
    /// Polls those that have begun. True: the last of them has failed.
    fn round(&mut self, cx: &mut Context<'_>) -> bool {
        let Staggered {
            all, won, begun, ..
        } = self;
        let mut failed = false;
        all.ready.limit(*begun);
        all.round(cx, |row, index| match row.output(index) {
            Some(Ok(_)) => {
                *won = Some(index);
                ControlFlow::Break(())
            }
            _ => {
                failed |= index + 1 == *begun;
                ControlFlow::Continue(())
            }
        });
        failed
    }

    /// One more begins, and the time for the next one runs.
    fn begin_next(&mut self) {
        self.begun += 1;
        let Some(delay) = self.delay.filter(|_| self.begun < self.all.ready.members()) else {
            self.timer = None;
            return;
        };
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(now() + delay),
            None => self.timer = Some(Box::pin(sleep(delay))),
        }
    }

    /// Until one has won, all have failed, or there is nothing to do for now.
    fn run(&mut self, cx: &mut Context<'_>) {
        let members = self.all.ready.members();
        if self.begun == 0 && members > 0 {
            self.begin_next();
        }
        loop {
            let failed = self.round(cx);
            if self.won.is_some() || self.begun == members {
                return;
            }
            let timer = self.timer.as_mut().filter(|_| !failed);
            let due = timer.is_some_and(|timer| timer.as_mut().poll(cx).is_ready());
            if !failed && !due {
                return;
            }
            self.begin_next();
        }
    }
}

impl<F: Future<Output = Result<T, E>>, T, E> Future for Staggered<F> {
    type Output = Result<(usize, T), Vec<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        this.all.ready.open();
        if this.won.is_none() {
            this.run(cx);
        }
        if this.won.is_none() && this.all.ready.left() > 0 {
            return Poll::Pending;
        }
        ready!(this.all.ready.pay(cx));
        this.all.ready.set_ended();
        Poll::Ready(this.all.first_ok(this.won))
    }
}

impl<F: Future> fmt::Debug for Staggered<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Staggered")
            .field("all", &self.all)
            .field("begun", &self.begun)
            .field("delay", &self.delay)
            .finish()
    }
}
