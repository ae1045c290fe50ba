//! Sections that cancellation does not interrupt.
//!
//! ```text
//!  new ──first poll──► counts in the scope around it ──ready, or dropped──► does not
//!                        │        ▲
//!                        └─polled elsewhere: counts there instead
//! ```
//!
//! A shield in progress counts itself in the scope around it, which is not dropped as long as it does. The
//! end of a shield is where a request that had to wait is carried out: if the scope ends now, the shield is
//! not ready, and is dropped with the rest.
//!
//! Tests: `tests/tests/shields.rs`, `tests/tests/cancel.rs`, `tests/tests/scopes`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::sync::{Arc, OnceLock};

use super::frame::{self, Frame, Kind};
use super::node::Node;

/// Runs `future` so that a cancellation of the scopes around it waits until it is done.
///
/// The shield protects from the first poll on, and in place: no task is spawned. It protects against
/// cancellation only: of the task, and of every scope, group and timeout around it. Whoever owns the future
/// can still drop it, and so does a forced end of the runtime.
///
/// If a cancellation had to wait for it, the code behind the shield does not run: the scope ends with the
/// shield.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// tenter::run(async {
///     let task = tenter::spawn(async {
///         tenter::shield(sleep(Duration::from_millis(2))).await; // not interrupted
///         unreachable!("the task was cancelled");
///     });
///     tenter::task::yield_now().await;
///     assert!(task.cancel_and_wait().await.is_err());
/// });
/// ```
pub fn shield<F: Future>(future: F) -> Shield<F> {
    Shield {
        future: Some(future),
        counted: None,
        node: OnceLock::new(),
        waited: false,
        output: None,
    }
}

/// The future of [`shield`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Shield<F: Future> {
    /// Structurally pinned. Dropped while the shield still counts.
    future: Option<F>,
    counted: Option<Counted>,
    node: OnceLock<Arc<Node>>,
    /// Whether it was not ready at once.
    waited: bool,
    output: Option<F::Output>,
}

/// One count in a scope.
struct Counted(Arc<Node>);

impl Counted {
    fn new(scope: Arc<Node>) -> Self {
        scope.raise();
        Self(scope)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.lower();
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is not moved: it is pinned again before it is used, and dropped in place.
        let this = unsafe { self.get_unchecked_mut() };
        let around = frame::enclosing();
        let known = this.counted.as_ref().map(|counted| Arc::as_ptr(&counted.0));
        if this.future.is_some() && known != around.as_ref().map(Arc::as_ptr) {
            let old = this.counted.take();
            this.counted = around.clone().map(Counted::new);
            drop(old);
            if let Some(node) = this.node.get() {
                node.settle(around.as_ref());
            }
        }
        // SAFETY: pinned along with the whole.
        let mut future = unsafe { Pin::new_unchecked(&mut this.future) };
        if let Some(running) = future.as_mut().as_pin_mut() {
            let frame = Frame::new(Kind::Shield(&this.node));
            let waited = core::mem::replace(&mut this.waited, true);
            let output = ready!(frame::enter(&frame, || running.poll(cx)));
            future.set(None);
            if let Some(node) = this.node.get() {
                node.leave();
            }
            this.counted = None;
            this.waited = waited;
            this.output = Some(output);
        }
        if this.waited && around.is_some_and(|scope| scope.ends_now()) {
            return Poll::Pending;
        }
        Poll::Ready(
            this.output
                .take()
                .expect("a Shield was polled after it was ready"),
        )
    }
}

impl<F: Future> Drop for Shield<F> {
    fn drop(&mut self) {
        if let Some(node) = self.node.get() {
            node.leave();
        }
    }
}

impl<F: Future + fmt::Debug> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield")
            .field("future", &self.future)
            .field("in_progress", &self.counted.is_some())
            .finish_non_exhaustive()
    }
}
