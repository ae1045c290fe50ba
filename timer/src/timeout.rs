//! A bound on how long a future may take.
//!
//! Each poll of a [`Timeout`] polls the future first: what is ready is delivered, however late it
//! is. Only when the future waits is the timer looked at, and only then armed.
//!
//! # When the time begins
//!
//! At the call of `timeout`, as with `sleep`; that is the one reading of the clock. Rejected:
//! beginning when the future first waits, which would save that reading for futures that never do.
//! A timeout would then not cover what the future computes before it first waits, and one that is
//! created early and awaited late would begin late.
//!
//! # The budget
//!
//! A future that is always ready to go on spends the whole budget of each poll of its task. If the
//! timer had to spend from the same budget, nothing would ever be left for it, and the timeout
//! would never come. So a timer that has fired, by the time it is looked at, costs nothing. One
//! that turns out to have passed at that very moment costs one operation, or one trip to the end of
//! the line where none is left; without that a loop around timeouts of zero would never let go of
//! its worker.
//!
//! Tests: `tests/timeout.rs`, `tests/others.rs`.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io;

use tenter_sync::budget;

use crate::ambient;
use crate::entry::State;
use crate::instant::{self, Instant};
use crate::sleep::Sleep;

/// Waits for `future`, but no longer than `duration`, counted from this call.
///
/// If the time is up first, the result is [`Elapsed`], and the future is dropped with the
/// [`Timeout`]. A future that is ready when it is polled wins, however late it is: with a zero
/// duration, it is polled once. [`Duration::MAX`] is no bound at all.
///
/// # Errors
///
/// [`Elapsed`], if the future is not ready in time.
///
/// # Cancel safety
///
/// That of `future`.
///
/// # Panics
///
/// The returned future panics when it has to wait after its runtime was shut down.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{sleep, timeout};
///
/// # tenter_timer::on_virtual_time(async {
/// let second = Duration::from_secs(1);
/// assert!(timeout(2 * second, sleep(second)).await.is_ok());
///
/// let late = timeout(3 * second, sleep(5 * second)).await.unwrap_err();
/// assert_eq!(late.to_string(), "timed out after 3s");
/// # });
/// ```
#[doc(alias = "wait_for")]
#[doc(alias = "fail_after")]
#[track_caller]
#[inline]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    let timers = ambient::timers();
    let deadline = timers.clock().now() + duration;
    let state = if duration.is_zero() {
        State::Set
    } else {
        State::Ahead
    };
    Timeout {
        sleep: Sleep::new(timers, deadline, state),
        limit: instant::nanos(duration).unwrap_or(u64::MAX),
        future: future.into_future(),
    }
}

/// Waits for `future`, but not past `deadline`. Otherwise like [`timeout`].
///
/// # Errors
///
/// [`Elapsed`], if the future is not ready in time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter_timer::{now, sleep, timeout_at};
///
/// # tenter_timer::on_virtual_time(async {
/// let deadline = now() + Duration::from_secs(1);
/// assert!(timeout_at(deadline, sleep(Duration::from_secs(2))).await.is_err());
/// assert_eq!(now(), deadline);
/// # });
/// ```
#[track_caller]
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    let timers = ambient::timers();
    let limit = deadline - timers.clock().now();
    let state = if limit.is_zero() {
        State::Set
    } else {
        State::Ahead
    };
    Timeout {
        sleep: Sleep::new(timers, deadline, state),
        limit: instant::nanos(limit).unwrap_or(u64::MAX),
        future: future.into_future(),
    }
}

/// The future of [`timeout`] and [`timeout_at`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Timeout<F> {
    sleep: Sleep,
    /// The length of the bound, in nanoseconds, for the error.
    limit: u64,
    future: F,
}

impl<F> Timeout<F> {
    /// When the time is up; [`Instant::MAX`] if never.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.sleep.deadline()
    }

    /// The future.
    #[must_use]
    pub fn get_ref(&self) -> &F {
        &self.future
    }

    /// The future.
    #[must_use]
    pub fn get_mut(&mut self) -> &mut F {
        &mut self.future
    }

    /// The future, without its bound.
    #[must_use]
    pub fn into_inner(self) -> F {
        self.future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        // SAFETY: nothing is moved out of the reference: both fields that are used go on pinned,
        // and `get_mut` and `into_inner` need a `Timeout` that is not pinned. A moved `sleep` would
        // leave the wheel with a pointer to where it was.
        let this = unsafe { self.get_unchecked_mut() };
        // SAFETY: pinned along with the whole, as above.
        let future = unsafe { Pin::new_unchecked(&mut this.future) };
        if let Poll::Ready(output) = future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // SAFETY: pinned along with the whole, as above.
        let sleep = unsafe { Pin::new_unchecked(&mut this.sleep) };
        ready!(poll_deadline(sleep, cx));
        Poll::Ready(Err(Elapsed { limit: this.limit }))
    }
}

/// Looks at the timer of a bound whose future waits. What it costs of the budget is said above.
#[doc(hidden)]
#[inline]
pub fn poll_deadline(mut sleep: Pin<&mut Sleep>, cx: &mut Context<'_>) -> Poll<()> {
    let fired = sleep.has_fired();
    ready!(sleep.as_mut().poll_passed(cx));
    if !fired {
        // From here on it has fired: the next poll finds it so.
        ready!(budget::poll_spend(cx));
    }
    Poll::Ready(())
}

impl<F> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("sleep", &self.sleep)
            .finish_non_exhaustive()
    }
}

/// The time was up before the future was ready.
///
/// # Examples
///
/// It becomes an [`io::Error`] of the kind `TimedOut` with `?`:
///
/// ```
/// use std::{future, io, time::Duration};
/// use tenter_timer::timeout;
///
/// async fn bounded() -> io::Result<()> {
///     timeout(Duration::from_millis(20), future::pending()).await?
/// }
///
/// # tenter_timer::on_virtual_time(async {
/// let error = bounded().await.unwrap_err();
/// assert_eq!(error.kind(), io::ErrorKind::TimedOut);
/// assert_eq!(error.to_string(), "timed out after 20ms");
/// # });
/// ```
#[doc(alias = "TimeoutError")]
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Elapsed {
    limit: u64,
}

impl Elapsed {
    /// After a bound of that length.
    #[doc(hidden)]
    #[must_use]
    pub fn after(limit: Duration) -> Self {
        Self {
            limit: instant::nanos(limit).unwrap_or(u64::MAX),
        }
    }

    /// How long the future was given.
    #[must_use]
    pub fn limit(&self) -> Duration {
        Duration::from_nanos(self.limit)
    }
}

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "timed out after {:?}", self.limit())
    }
}

impl fmt::Debug for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Elapsed")
            .field("limit", &self.limit())
            .finish()
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for io::Error {
    fn from(elapsed: Elapsed) -> io::Error {
        io::Error::new(io::ErrorKind::TimedOut, elapsed)
    }
}

const _: () = {
    const fn send_and_sync<T: Send + Sync + 'static>() {}
    send_and_sync::<Timeout<()>>();
    send_and_sync::<Elapsed>();
};
