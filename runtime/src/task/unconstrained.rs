//! A future that does not share its budget.

use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll};

/// Polls `future` without a co-operative budget: its leaf futures never make it wait for its turn.
///
/// A future that is always ready then keeps its worker for as long as it likes; use it where
/// something else bounds the work.
pub fn unconstrained<F: Future>(future: F) -> Unconstrained<F> {
    Unconstrained { future }
}

/// The future of [`unconstrained`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
#[derive(Debug)]
pub struct Unconstrained<F> {
    future: F,
}

impl<F: Future> Future for Unconstrained<F> {
    type Output = F::Output;

    #[expect(unsafe_code, reason = "projects the pin to the only field")]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is pinned with the struct: it is never moved out, and there is no `Drop` or
        // `Unpin` implementation that could.
        let future = unsafe { self.map_unchecked_mut(|this| &mut this.future) };
        tenter_sync::current::without_budget(|| future.poll(cx))
    }
}
