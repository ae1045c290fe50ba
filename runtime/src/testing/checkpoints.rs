//! Whether a future can be cancelled, and lets others run, where it should.
//!
//! A checkpoint is a suspension: the one place where a task can be cancelled and others run. A future that
//! is ready at its first poll has none.
//!
//! Tests: `tests/tests/testing.rs`.

use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Fails if the future ends without having been suspended once: then nobody could have cancelled it, and
/// nobody ran meanwhile.
///
/// # Cancel safety
///
/// That of the future.
///
/// # Panics
///
/// When the future is ready at its first poll, with the place of the call.
///
/// # Examples
///
/// ```
/// use tenter::testing::assert_checkpoints;
///
/// tenter::run(async {
///     assert_checkpoints(tenter::task::yield_now()).await;
/// });
/// ```
#[track_caller]
pub fn assert_checkpoints<F: Future>(future: F) -> AssertCheckpoints<F> {
    AssertCheckpoints {
        watched: Watched::new(future),
    }
}

/// Fails as soon as the future is suspended: from its begin to its end nobody else runs, and nobody can
/// cancel it.
///
/// # Cancel safety
///
/// That of the future.
///
/// # Panics
///
/// When the future is not ready at its first poll, with the place of the call.
///
/// # Examples
///
/// ```
/// use tenter::sync::Lock;
/// use tenter::testing::assert_no_checkpoints;
///
/// tenter::run(async {
///     let lock = Lock::new(0);
///     *assert_no_checkpoints(lock.lock()).await += 1; // it is free
/// });
/// ```
#[track_caller]
pub fn assert_no_checkpoints<F: Future>(future: F) -> AssertNoCheckpoints<F> {
    AssertNoCheckpoints {
        watched: Watched::new(future),
    }
}

#[derive(Debug)]
struct Watched<F> {
    /// On the heap, so that the pin needs no unsafe code; a test has the time.
    future: Pin<Box<F>>,
    suspended: bool,
    called_at: &'static Location<'static>,
}

impl<F: Future> Watched<F> {
    #[track_caller]
    fn new(future: F) -> Self {
        Self {
            future: Box::pin(future),
            suspended: false,
            called_at: Location::caller(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.future.as_mut().poll(cx);
        self.suspended |= polled.is_pending();
        polled
    }
}

/// The future of [`assert_checkpoints`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct AssertCheckpoints<F> {
    watched: Watched<F>,
}

impl<F: Future> Future for AssertCheckpoints<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.watched.poll(cx);
        assert!(
            polled.is_pending() || self.watched.suspended,
            "assert_checkpoints at {}: the future ended without a suspension, so it could not be \
             cancelled, and no other task ran meanwhile; let it await tenter::task::yield_now()",
            self.watched.called_at
        );
        polled
    }
}

/// The future of [`assert_no_checkpoints`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct AssertNoCheckpoints<F> {
    watched: Watched<F>,
}

impl<F: Future> Future for AssertNoCheckpoints<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let polled = self.watched.poll(cx);
        assert!(
            polled.is_ready(),
            "assert_no_checkpoints at {}: the future was suspended, so it can be cancelled half-way, and \
             others run meanwhile",
            self.watched.called_at
        );
        polled
    }
}
