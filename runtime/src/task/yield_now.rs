//! Going to the end of the line.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

use crate::context;

/// Lets every other task that is ready run first: the task goes to the end of its queue.
///
/// Never wakes another worker. Outside a task of tenter it wakes the waker at once, which is what
/// foreign executors expect.
///
/// # Cancel safety
///
/// Nothing is lost by dropping it.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     for chunk in [1, 2, 3] {
///         let _work = chunk * chunk;
///         tenter::task::yield_now().await;
///     }
/// });
/// ```
#[doc(alias = "sleep(0)")]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.yielded {
            return Poll::Ready(());
        }
        self.yielded = true;
        // A flag on the thread saves the wake: the end of the poll reads it. It serves only a future
        // that is polled with the task's own waker; a combinator's must be told.
        if !context::yield_current(cx.waker()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}
