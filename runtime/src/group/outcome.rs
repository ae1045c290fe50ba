//! How the children of a group ended.

use std::sync::Arc;

use crate::task::TaskId;

/// How a child of a group ended. Its value, if it has one, is its handle's.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskOutcome {
    /// The number of the task.
    pub id: TaskId,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// How it ended.
    pub ended: Ended,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ended {
    /// With an `Ok`.
    Succeeded,
    /// With an `Err`, which is in the group's error.
    Failed,
    /// With a panic, which is in the group's error.
    Panicked,
    /// It was cancelled.
    Cancelled,
}

impl TaskOutcome {
    pub(crate) fn new(id: TaskId, name: Option<Arc<str>>, ended: Ended) -> Self {
        Self { id, name, ended }
    }
}
