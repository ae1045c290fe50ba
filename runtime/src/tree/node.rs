//! What a [`TaskTree`](super::TaskTree) is made of: tasks, their waits, and groups.

use core::fmt;
use core::panic::Location;
use core::time::Duration;
use std::sync::Arc;

use tenter_sync::current::{WaitKind, WaitingOn};
use tenter_sync::notes::Note;

use crate::task::{CancelReason, TaskId};

/// What a task did when it was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TaskState {
    /// It has not run yet.
    New,
    /// It is in line to run.
    Ready,
    /// A thread was in it.
    Running,
    /// It waits to be woken.
    Waiting,
    /// Its future is gone; what was deferred in it is being done.
    CleaningUp,
}

impl fmt::Display for TaskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            TaskState::New => "new",
            TaskState::Ready => "ready",
            TaskState::Running => "running",
            TaskState::Waiting => "waiting",
            TaskState::CleaningUp => "cleaning up",
        })
    }
}

/// A task in a [`TaskTree`](super::TaskTree).
///
/// `Display` is `Task-7 "reader"`.
#[derive(Clone, Debug)]
pub struct TaskNode {
    pub(super) id: TaskId,
    pub(super) name: Option<Arc<str>>,
    pub(super) spawned_at: &'static Location<'static>,
    pub(super) state: TaskState,
    pub(super) cancel_requested: Option<CancelReason>,
    pub(super) wait: Option<TaskWait>,
    /// The number of the group that it is in.
    pub(super) group: Option<usize>,
    /// Those who await its handle, by their places.
    pub(super) joined_by: Vec<usize>,
    /// Under whom it is shown, if it is in no group.
    pub(super) under: Option<usize>,
}

impl TaskNode {
    /// The number of the task.
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where it was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// What it did.
    pub fn state(&self) -> TaskState {
        self.state
    }

    /// What it waited for, if it waited for something that tenter knows of.
    pub fn wait(&self) -> Option<&TaskWait> {
        self.wait.as_ref()
    }

    /// Why it is to be cancelled, if somebody has asked for it.
    pub fn cancel_requested(&self) -> Option<&CancelReason> {
        self.cancel_requested.as_ref()
    }
}

impl fmt::Display for TaskNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Task-{}", self.id)?;
        match &self.name {
            // Escaped: a name with the end of a line in it is one line all the same.
            Some(name) => write!(f, " {name:?}"),
            None => Ok(()),
        }
    }
}

/// What a task in a [`TaskTree`](super::TaskTree) waits for.
///
/// `Display` says it in words: `Lock "db", held by task 7 "writer", for 4.2 s`.
#[derive(Clone, Debug)]
pub struct TaskWait {
    pub(super) on: WaitingOn,
    pub(super) note: Option<Note>,
    /// With who has it.
    pub(super) words: String,
    pub(super) whom: Vec<TaskId>,
    pub(super) lasted: Option<Duration>,
}

impl TaskWait {
    /// The kind of thing.
    pub fn kind(&self) -> WaitKind {
        self.on.kind
    }

    /// What it is, and who has it: `Lock "db", held by task 7 "writer"`.
    pub fn what(&self) -> &str {
        &self.words
    }

    /// What the task has said of it.
    pub(crate) fn note(&self) -> Option<&Note> {
        self.note.as_ref()
    }

    /// The tasks that have to do something first, as far as that is known: the one that is awaited, the one
    /// that holds the lock, the children of the group.
    pub fn whom(&self) -> &[TaskId] {
        &self.whom
    }

    /// How long the task has waited without being polled, if its runtime is
    /// [inspected](crate::Builder::inspect).
    pub fn lasted(&self) -> Option<Duration> {
        self.lasted
    }
}

impl fmt::Display for TaskWait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)?;
        match self.lasted {
            Some(lasted) => write!(f, ", for {}", In(lasted)),
            None => Ok(()),
        }
    }
}

/// A task group in a [`TaskTree`](super::TaskTree).
///
/// `Display` is `task_group at src/main.rs:12:9`.
#[derive(Clone, Debug)]
pub struct GroupNode {
    pub(super) opened_at: &'static Location<'static>,
    /// The place of the task whose future has it.
    pub(super) opened_by: Option<usize>,
    /// The number of the group around it in the same task.
    pub(super) within: Option<usize>,
    pub(super) members: Vec<TaskId>,
    /// Where it is.
    pub(super) address: usize,
}

impl GroupNode {
    /// Where it was opened.
    pub fn opened_at(&self) -> &'static Location<'static> {
        self.opened_at
    }

    /// The numbers of its children that have not ended.
    pub fn members(&self) -> &[TaskId] {
        &self.members
    }
}

impl fmt::Display for GroupNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task_group at {}", self.opened_at)
    }
}

/// Who waits for the end of a task.
///
/// `Display` is that of what is in it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Awaiter<'a> {
    /// The group that the task is in.
    Group(&'a GroupNode),
    /// A task that awaits its handle.
    Task(&'a TaskNode),
}

impl fmt::Display for Awaiter<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Awaiter::Group(group) => group.fmt(f),
            Awaiter::Task(task) => task.fmt(f),
        }
    }
}

/// A time that has passed, in the two units that count.
struct In(Duration);

impl fmt::Display for In {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (millis, secs) = (self.0.as_millis(), self.0.as_secs());
        match (millis, secs) {
            (..1_000, _) => write!(f, "{millis} ms"),
            (_, ..60) => write!(f, "{secs}.{} s", millis % 1_000 / 100),
            (_, ..3_600) => write!(f, "{} min {} s", secs / 60, secs % 60),
            _ => write!(f, "{} h {} min", secs / 3_600, secs % 3_600 / 60),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_units_that_count() {
        for (millis, words) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (4_299, "4.2 s"),
            (59_999, "59.9 s"),
            (62_000, "1 min 2 s"),
            (7_380_000, "2 h 3 min"),
        ] {
            assert_eq!(In(Duration::from_millis(millis)).to_string(), words);
        }
    }
}
