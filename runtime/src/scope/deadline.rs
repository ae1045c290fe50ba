//! Bodies with a deadline that they can move.

use core::fmt;
use core::future::Future;
use core::time::Duration;
use std::sync::Arc;

use tenter_timer::{Elapsed, Instant, now};

use super::node::Node;
use super::scoped::{End, Scoped};
use crate::task::{CancelKind, CancelReason};

/// Runs `body` for at most `duration`, counted from when it begins. `None`: the time was over.
///
/// The body may look at its [`Deadline`] and move it.
///
/// # Cancel safety
///
/// That of the body.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, sleep};
///
/// tenter::run(async {
///     let quick = tenter::move_on_after(Duration::from_secs(5), async |_| 1).await;
///     assert_eq!(quick, Some(1));
///     let slow = tenter::move_on_after(Duration::from_millis(1), async |_| {
///         sleep(Duration::from_secs(60)).await;
///     });
///     assert_eq!(slow.await, None);
/// });
/// ```
pub async fn move_on_after<R>(
    duration: Duration,
    body: impl AsyncFnOnce(&Deadline) -> R,
) -> Option<R> {
    with_deadline(duration, body).await.ok()
}

/// Runs `body` for at most `duration`, counted from when it begins.
///
/// The body may look at its [`Deadline`] and move it.
///
/// # Errors
///
/// [`Elapsed`], if the time was over first.
///
/// # Cancel safety
///
/// That of the body.
///
/// # Examples
///
/// ```
/// use tenter::time::{Duration, now, sleep};
///
/// tenter::run(async {
///     let minute = Duration::from_secs(60);
///     let ended = tenter::fail_after(Duration::from_millis(1), async |deadline| {
///         deadline.reschedule(now() + minute).expect("it has not passed");
///         sleep(Duration::from_millis(2)).await;
///         "in time after all"
///     });
///     assert_eq!(ended.await, Ok("in time after all"));
/// });
/// ```
#[doc(alias = "asyncio.timeout")]
pub fn fail_after<R>(
    duration: Duration,
    body: impl AsyncFnOnce(&Deadline) -> R,
) -> impl Future<Output = Result<R, Elapsed>> {
    with_deadline(duration, body)
}

async fn with_deadline<R>(
    duration: Duration,
    body: impl AsyncFnOnce(&Deadline) -> R,
) -> Result<R, Elapsed> {
    let node = Node::new();
    if duration != Duration::MAX {
        node.set_deadline(Some(now() + duration));
    }
    let deadline = Deadline {
        node: Arc::clone(&node),
    };
    match Scoped::with_node(body(&deadline), node).await {
        End::Ready(output) => Ok(output),
        End::TimedOut | End::Cancelled(_) => Err(Elapsed::after(duration)),
    }
}

/// The deadline of a [`fail_after`] or [`move_on_after`]. Cheap to clone, and usable from other tasks.
#[derive(Clone)]
pub struct Deadline {
    node: Arc<Node>,
}

impl Deadline {
    /// When the time is over. `None`: never.
    pub fn when(&self) -> Option<Instant> {
        self.node.deadline()
    }

    /// Moves the deadline. `None`: it is never over.
    ///
    /// # Errors
    ///
    /// [`RescheduleError`], if the time was over already, or the body has ended.
    pub fn reschedule(&self, when: impl Into<Option<Instant>>) -> Result<(), RescheduleError> {
        self.node.reschedule(when.into())
    }

    /// Whether the time was over before the body ended.
    pub fn expired(&self) -> bool {
        let reason = self.node.own_reason();
        reason.is_some_and(|reason: CancelReason| reason.kind() == CancelKind::Deadline)
    }
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deadline")
            .field("when", &self.when())
            .field("expired", &self.expired())
            .finish()
    }
}

/// A deadline that cannot be moved any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RescheduleError {
    /// The time was over.
    Expired,
    /// The body has ended.
    Ended,
}

impl fmt::Display for RescheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RescheduleError::Expired => "the deadline has passed and cannot be moved any more",
            RescheduleError::Ended => "the body of this deadline has ended",
        })
    }
}

impl std::error::Error for RescheduleError {}
