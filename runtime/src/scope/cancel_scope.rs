//! A part of a task that can be cancelled by itself.

use core::fmt;
use core::future::{Future, poll_fn};
use core::pin::{Pin, pin};
use core::task::{Context, Poll, ready};
use std::sync::Arc;

use tenter_timer::{Instant, now};

use super::frame;
use super::node::Node;
use super::scoped::{End, Scoped};
use crate::task::{CancelKind, CancelReason};

/// A part of a task that can be cancelled by itself, by anyone who has its handle, or by a deadline.
///
/// Cancellation ends the future at its next suspension that is not [shielded](crate::shield), and cannot be
/// swallowed. The future is polled once more first, and if it is ready, that counts; if it was never polled,
/// it is dropped unpolled. What was [deferred](crate::defer_async) in it is awaited before the scope
/// returns, and so are the children of the groups in it.
///
/// # Examples
///
/// ```
/// use tenter::{CancelScope, Outcome};
///
/// tenter::run(async {
///     let scope = CancelScope::new();
///     let handle = scope.handle();
///     let task = tenter::spawn(scope.run(std::future::pending::<()>()));
///     handle.cancel("enough");
///     match task.await.expect("no panic") {
///         Outcome::Cancelled(reason) => assert_eq!(reason.message(), Some("enough")),
///         Outcome::Done(()) => unreachable!(),
///     }
/// });
/// ```
#[doc(alias = "CancellationToken")]
#[must_use = "a CancelScope does nothing until `run` is awaited"]
pub struct CancelScope {
    node: Arc<Node>,
}

impl CancelScope {
    /// A scope without a deadline.
    pub fn new() -> Self {
        Self { node: Node::new() }
    }

    /// Cancels the scope at that time. `None`: never.
    pub fn deadline(self, deadline: impl Into<Option<Instant>>) -> Self {
        self.node.set_deadline(deadline.into());
        self
    }

    /// Whether cancellations from around the scope wait until it is done. Its own handle and deadline still
    /// end it. [`CancelHandle::set_shield`] changes it while the scope runs.
    pub fn shield(self, shield: bool) -> Self {
        self.node.set_shield(shield);
        self
    }

    /// The right to cancel the scope.
    pub fn handle(&self) -> CancelHandle {
        CancelHandle {
            node: Arc::clone(&self.node),
        }
    }

    /// Runs a future in the scope, which can be entered once.
    ///
    /// # Cancel safety
    ///
    /// Dropping the returned future drops `future`. What was deferred in it is awaited by the scope around
    /// it, or by the runtime.
    pub fn run<F: Future>(self, future: F) -> InScope<F> {
        InScope {
            scoped: Scoped::with_node(future, self.node),
        }
    }
}

impl Default for CancelScope {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelScope")
            .field("reason", &self.node.own_reason())
            .finish_non_exhaustive()
    }
}

/// How a [`CancelScope`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use = "a cancelled scope has not done its work"]
pub enum Outcome<T> {
    /// The future was ready.
    Done(T),
    /// The scope was cancelled.
    Cancelled(CancelReason),
}

impl<T> Outcome<T> {
    /// What the future returned, unless the scope was cancelled.
    pub fn done(self) -> Option<T> {
        match self {
            Outcome::Done(output) => Some(output),
            Outcome::Cancelled(_) => None,
        }
    }

    /// Whether the scope was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Outcome::Cancelled(_))
    }
}

/// The future of [`CancelScope::run`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct InScope<F: Future> {
    scoped: Scoped<F>,
}

impl<F: Future> Future for InScope<F> {
    type Output = Outcome<F::Output>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Outcome<F::Output>> {
        // SAFETY: pinned along with the whole, and not moved.
        let scoped = unsafe { self.map_unchecked_mut(|this| &mut this.scoped) };
        Poll::Ready(match ready!(scoped.poll(cx)) {
            End::Ready(output) => Outcome::Done(output),
            End::Cancelled(reason) => Outcome::Cancelled(*reason),
            End::TimedOut => Outcome::Cancelled(CancelReason::of(CancelKind::Deadline)),
        })
    }
}

impl<F: Future> fmt::Debug for InScope<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InScope").finish_non_exhaustive()
    }
}

/// The right to cancel a [`CancelScope`]. Cheap to clone; usable from any thread, before, during and after
/// the run.
#[derive(Clone)]
pub struct CancelHandle {
    pub(crate) node: Arc<Node>,
}

impl CancelHandle {
    /// Cancels the scope. True: this was the first request, and its reason stays.
    #[track_caller]
    pub fn cancel(&self, reason: impl Into<CancelReason>) -> bool {
        self.node.cancel(&reason.into())
    }

    /// Whether the scope was cancelled, or a scope around it.
    pub fn is_cancelled(&self) -> bool {
        self.node.reason().is_some()
    }

    /// Waits until the scope is cancelled, or a scope around it.
    pub async fn cancelled(&self) -> CancelReason {
        self.node.told().await
    }

    /// A scope that is cancelled together with this one, wherever it runs, and may be cancelled alone.
    #[doc(alias = "child_token")]
    pub fn child(&self) -> CancelScope {
        CancelScope {
            node: self.node.token(),
        }
    }

    /// Sets the time when the scope is cancelled. `None`: never.
    pub fn set_deadline(&self, deadline: impl Into<Option<Instant>>) {
        self.node.set_deadline(deadline.into());
    }

    /// Whether cancellations from around the scope wait until it is done. Where one waits already, taking
    /// the shield away ends the scope around at once.
    pub fn set_shield(&self, shield: bool) {
        self.node.set_shield(shield);
    }
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHandle")
            .field("reason", &self.node.own_reason())
            .finish_non_exhaustive()
    }
}

/// Waits until the scope that the caller is in is cancelled: the nearest of its scopes, groups and
/// timeouts, or its task, or one around that from which a request reaches here.
///
/// A body that waits for this is polled once more when it is cancelled, and may use that one poll to say
/// so; it is dropped at its next suspension all the same. Outside any scope it waits for ever. Where the
/// future is moved, it is told of the scope that it was polled in last.
///
/// # Examples
///
/// ```
/// # tenter::run(async {
/// // Polled once before this returns: a task that has not begun would be dropped.
/// let task = tenter::spawn_eager(async {
///     let reason = tenter::task::cancelled().await;
///     println!("told to stop: {reason}");
/// });
/// assert!(task.cancel_and_wait().await.is_ok(), "it was ready, and that counts");
/// # });
/// ```
pub async fn cancelled() -> CancelReason {
    loop {
        let around = frame::enclosing();
        let mut told = pin!(async {
            match &around {
                Some(node) => node.told().await,
                None => core::future::pending().await,
            }
        });
        let reason = poll_fn(|cx| {
            let now = frame::enclosing();
            if now.as_ref().map(Arc::as_ptr) != around.as_ref().map(Arc::as_ptr) {
                return Poll::Ready(None); // It was moved.
            }
            told.as_mut().poll(cx).map(Some)
        });
        if let Some(reason) = reason.await {
            return reason;
        }
    }
}

/// The nearest deadline of the scopes that the caller is in: those of its task, and of the groups that the
/// task is a child of. `None`: there is none, or a shield keeps it away. Once one of them is cancelled, it
/// is the present moment.
#[doc(alias = "current_effective_deadline")]
pub fn scope_deadline() -> Option<Instant> {
    frame::nearest_deadline(now())
}
