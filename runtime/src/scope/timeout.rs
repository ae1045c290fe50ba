//! `timeout` as a scope: it waits for what its future left to be cleaned up.
//!
//! Like that of `tenter_timer`, which knows nothing of scopes, it allocates nothing; the shared part of the
//! scope is made only if something inside needs it.

use core::fmt;
use core::future::{Future, IntoFuture};
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;

use tenter_timer::{Elapsed, Instant, Sleep, now, sleep, sleep_until};

use super::scoped::{End, Scoped};

/// Waits for `future`, but no longer than `duration`, counted from this call.
///
/// If the time is up first, the future is dropped, what was [deferred](crate::defer_async) in it is
/// awaited, and so are the children of its groups; the result is then [`Elapsed`]. Sections of it that are
/// [shielded](crate::shield) are finished first. A future that is ready when it is polled wins, however late
/// it is: with a zero duration, it is polled once. [`Duration::MAX`] is no bound at all.
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
/// use tenter::time::{Duration, sleep, timeout};
///
/// tenter::run(async {
///     let late = timeout(Duration::from_millis(2), sleep(Duration::from_secs(60))).await;
///     assert_eq!(late.unwrap_err().to_string(), "timed out after 2ms");
/// });
/// ```
#[doc(alias = "wait_for")]
#[track_caller]
#[inline(always)]
pub fn timeout<F: IntoFuture>(duration: Duration, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        limit: duration,
        scoped: Scoped::new(future.into_future(), Some(sleep(duration))),
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
/// use tenter::time::{Duration, now, timeout_at};
///
/// tenter::run(async {
///     let deadline = now() + Duration::from_secs(60);
///     assert_eq!(timeout_at(deadline, async { 1 }).await, Ok(1));
/// });
/// ```
#[track_caller]
#[inline]
pub fn timeout_at<F: IntoFuture>(deadline: Instant, future: F) -> Timeout<F::IntoFuture> {
    Timeout {
        limit: deadline - now(),
        scoped: Scoped::new(future.into_future(), Some(sleep_until(deadline))),
    }
}

/// The future of [`timeout`] and [`timeout_at`].
#[must_use = "futures do nothing unless they are awaited"]
pub struct Timeout<F: Future> {
    limit: Duration,
    scoped: Scoped<F>,
}

impl<F: Future> Timeout<F> {
    /// When the time is up; [`Instant::MAX`] if never.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        let timer = self.scoped.timer.as_ref();
        timer.map_or(Instant::MAX, Sleep::deadline)
    }

    /// The future, until it has ended.
    #[must_use]
    pub fn get_ref(&self) -> Option<&F> {
        self.scoped.body.as_ref()
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let limit = self.limit;
        // SAFETY: pinned along with the whole, and not moved.
        let scoped = unsafe { self.map_unchecked_mut(|this| &mut this.scoped) };
        Poll::Ready(match ready!(scoped.poll(cx)) {
            End::Ready(output) => Ok(output),
            End::TimedOut | End::Cancelled(_) => Err(Elapsed::after(limit)),
        })
    }
}

impl<F: Future> fmt::Debug for Timeout<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("limit", &self.limit)
            .field("deadline", &self.deadline())
            .finish_non_exhaustive()
    }
}
