//! Sections that cancellation does not interrupt.
//!
//! A shield in progress counts itself in its task's rarely used block; the end of each poll reads the
//! count. It holds a reference to the task that it counted in, because a future may be moved to
//! another task between two polls; then it counts itself out there and in here.
//!
//! ```text
//!  new ──first poll──► raised in task A ──ready, or dropped──► lowered
//!                        │        ▲
//!                        └─polled in task B: lowered in A, raised in B
//! ```
//!
//! Tests: `tests/tests/cancel.rs`.

use core::fmt;
use core::future::Future;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};

use tenter_sync::shim::atomic::Ordering;

use super::cell::Header;
use super::raw;
use super::state::AfterWake;
use crate::context;

/// Runs `future` so that a cancellation of the task waits until it is done.
///
/// The shield protects from the first poll on, and in place: no task is spawned. It protects against
/// cancellation only. Whoever owns the future can still drop it, and so does a shutdown of the runtime.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// tenter::run(async {
///     let task = tenter::spawn(async {
///         tenter::shield(sleep(Duration::from_millis(2))).await; // not interrupted
///         sleep(Duration::from_secs(3_600)).await; // interrupted
///     });
///     tenter::task::yield_now().await;
///     assert!(task.cancel_and_wait().await.is_err());
/// });
/// ```
pub fn shield<F: Future>(future: F) -> Shield<F> {
    Shield {
        raised: None,
        future,
    }
}

/// The future of [`shield`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct Shield<F> {
    /// Dropped after `future` would be too late: fields are dropped in order, so the future is
    /// dropped in `poll` or with the struct while the shield still counts.
    future: F,
    raised: Option<Raised>,
}

/// One count in a task's block, and the reference that keeps the block.
struct Raised(NonNull<Header>);

// SAFETY: a counted reference; all that is reached through it is atomic.
unsafe impl Send for Raised {}
// SAFETY: as above.
unsafe impl Sync for Raised {}

impl Raised {
    fn new(task: NonNull<Header>) -> Self {
        // SAFETY: the caller is inside a poll of the task.
        let header = unsafe { task.as_ref() };
        header.state.retain();
        // ORDERING: Relaxed. Read at the end of this poll, by this thread; later polls come after it.
        header
            .extras_or_insert()
            .shields
            .fetch_add(1, Ordering::Relaxed);
        Self(task)
    }
}

impl Drop for Raised {
    fn drop(&mut self) {
        // SAFETY: we have a reference.
        let header = unsafe { self.0.as_ref() };
        // ORDERING: Release pairs with the acquire of the poll that the wake below leads to.
        header
            .extras_or_insert()
            .shields
            .fetch_sub(1, Ordering::Release);
        if context::current_header() != Some(self.0) && header.state.wake() == AfterWake::Submit {
            // The shield ended outside a poll of its task, which may have a cancellation to see to.
            // SAFETY: our reference lives on; the place in the queue is passed on.
            unsafe { raw::submit(self.0) };
        }
        // SAFETY: our reference, not used again.
        unsafe { raw::release(self.0) };
    }
}

impl<F: Future> Future for Shield<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `future` is not moved out of the pinned struct.
        let this = unsafe { self.get_unchecked_mut() };
        let current = context::current_header();
        if this.raised.as_ref().map(|raised| raised.0) != current {
            let old = this.raised.take();
            this.raised = current.map(Raised::new);
            drop(old);
        }
        // SAFETY: `future` stays where it is until it is dropped.
        let polled = unsafe { Pin::new_unchecked(&mut this.future) }.poll(cx);
        if polled.is_ready() {
            this.raised = None;
        }
        polled
    }
}

impl<F: fmt::Debug> fmt::Debug for Shield<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shield")
            .field("future", &self.future)
            .field("in_progress", &self.raised.is_some())
            .finish()
    }
}
