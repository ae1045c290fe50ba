//! What failed in a group.

use core::fmt;
use core::panic::Location;
use std::any::Any;
use std::error::Error;
use std::sync::Arc;

use tenter_sync::shim::Mutex;

use crate::task::cell::Header;
use crate::task::error::{payload_message, write_task};
use crate::task::{CancelReason, JoinError, TaskId};

/// What failed in a group: never empty, in the order in which the children ended, the body's own error
/// last.
///
/// Always a group, also for one failure; [`only`](Self::only) takes that one out. `Display` has all of them,
/// each with the name of its task and the place where that was spawned.
#[doc(alias = "ExceptionGroup")]
pub struct GroupError<E> {
    failures: Vec<Failure<E>>,
}

/// One failure in a group.
///
/// `Display` names the task and the place where it was spawned.
#[non_exhaustive]
pub enum Failure<E> {
    /// A child, or the body, returned an `Err`.
    Error {
        /// What it returned.
        error: E,
        /// The child's task; `None` for the body.
        task: Option<TaskId>,
        /// The name of the task, if it had one.
        name: Option<Arc<str>>,
        /// Where the task was spawned; `None` for the body.
        spawned_at: Option<&'static Location<'static>>,
    },
    /// A child panicked.
    Panic(Panic),
    /// The group was cancelled with [`TaskGroup::cancel`](crate::TaskGroup::cancel), and nothing failed.
    Cancelled(CancelReason),
}

/// The panic of a child.
pub struct Panic {
    task: TaskId,
    name: Option<Arc<str>>,
    spawned_at: &'static Location<'static>,
    message: String,
    /// The lock only makes a payload that is `Send` shareable.
    payload: Mutex<Box<dyn Any + Send>>,
}

impl Panic {
    pub(crate) fn of_child(header: &Header, payload: Box<dyn Any + Send>) -> Self {
        let task = TaskId(header.slot.id());
        Self::new(task, header.name(), header.spawned_at, payload)
    }

    /// The panic that a task was joined with.
    pub(crate) fn joined(error: JoinError) -> Self {
        let (task, name) = (error.task_id(), error.shared_name());
        Self::new(task, name, error.spawned_at(), error.into_panic())
    }

    fn new(
        task: TaskId,
        name: Option<Arc<str>>,
        spawned_at: &'static Location<'static>,
        payload: Box<dyn Any + Send>,
    ) -> Self {
        Self {
            task,
            name,
            spawned_at,
            message: payload_message(&*payload).to_owned(),
            payload: Mutex::new(payload),
        }
    }

    /// The child's task.
    pub fn task_id(&self) -> TaskId {
        self.task
    }

    /// The name of the task, if it had one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.spawned_at
    }

    /// What the panic said.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The payload, to be raised again with [`std::panic::resume_unwind`].
    pub fn into_payload(self) -> Box<dyn Any + Send> {
        self.payload.into_inner()
    }
}

impl fmt::Debug for Panic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Panic")
            .field("task", &self.task)
            .field("name", &self.name)
            .field("spawned_at", &format_args!("{}", self.spawned_at))
            .field("message", &self.message)
            .finish_non_exhaustive()
    }
}

impl<E> Failure<E> {
    pub(crate) fn of_child(header: &Header, error: E) -> Self {
        Failure::Error {
            error,
            task: Some(TaskId(header.slot.id())),
            name: header.name(),
            spawned_at: Some(header.spawned_at),
        }
    }

    pub(crate) fn of_body(error: E) -> Self {
        Failure::Error {
            error,
            task: None,
            name: None,
            spawned_at: None,
        }
    }

    /// The error, if it was one.
    pub fn error(&self) -> Option<&E> {
        match self {
            Failure::Error { error, .. } => Some(error),
            Failure::Panic(_) | Failure::Cancelled(_) => None,
        }
    }

    /// The task that failed; `None` for the body and for a cancelled group.
    pub fn task_id(&self) -> Option<TaskId> {
        match self {
            Failure::Error { task, .. } => *task,
            Failure::Panic(panic) => Some(panic.task),
            Failure::Cancelled(_) => None,
        }
    }

    /// The name of the task that failed, if it had one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Failure::Error { name, .. } => name.as_deref(),
            Failure::Panic(panic) => panic.name(),
            Failure::Cancelled(_) => None,
        }
    }

    /// Where the task that failed was spawned; `None` for the body and for a cancelled group.
    pub fn spawned_at(&self) -> Option<&'static Location<'static>> {
        match self {
            Failure::Error { spawned_at, .. } => *spawned_at,
            Failure::Panic(panic) => Some(panic.spawned_at),
            Failure::Cancelled(_) => None,
        }
    }
}

impl<E> GroupError<E> {
    pub(crate) fn new(failures: Vec<Failure<E>>) -> Self {
        debug_assert!(
            !failures.is_empty(),
            "a group without failures has no error"
        );
        Self { failures }
    }

    /// The failures, in the order in which the children ended; the body's own is the last.
    pub fn iter(&self) -> core::slice::Iter<'_, Failure<E>> {
        self.failures.iter()
    }

    /// How many failures there are: at least one.
    #[expect(clippy::len_without_is_empty, reason = "it never is")]
    pub fn len(&self) -> usize {
        self.failures.len()
    }

    /// What failed first.
    pub fn first(&self) -> &Failure<E> {
        &self.failures[0]
    }

    /// The failures.
    pub fn into_vec(self) -> Vec<Failure<E>> {
        self.failures
    }

    /// The errors among the failures.
    pub fn errors(&self) -> impl Iterator<Item = &E> {
        self.failures.iter().filter_map(Failure::error)
    }

    /// The one error, if there is exactly one failure and it is an error.
    ///
    /// # Errors
    ///
    /// The whole, if it is anything else.
    pub fn only(mut self) -> Result<E, Self> {
        match (self.failures.pop(), self.failures.is_empty()) {
            (Some(Failure::Error { error, .. }), true) => Ok(error),
            (last, _) => {
                self.failures.extend(last);
                Err(self)
            }
        }
    }

    /// Whether a child panicked.
    pub fn has_panic(&self) -> bool {
        self.failures
            .iter()
            .any(|it| matches!(it, Failure::Panic(_)))
    }

    /// Whether nothing failed, but the group was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.first(), Failure::Cancelled(_))
    }

    /// Why the group was cancelled, if nothing failed.
    pub fn reason(&self) -> Option<&CancelReason> {
        match self.first() {
            Failure::Cancelled(reason) => Some(reason),
            Failure::Error { .. } | Failure::Panic(_) => None,
        }
    }
}

impl<E> IntoIterator for GroupError<E> {
    type Item = Failure<E>;
    type IntoIter = std::vec::IntoIter<Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.failures.into_iter()
    }
}

impl<'a, E> IntoIterator for &'a GroupError<E> {
    type Item = &'a Failure<E>;
    type IntoIter = core::slice::Iter<'a, Failure<E>>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<E: fmt::Display> fmt::Display for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error {
                error,
                task,
                name,
                spawned_at,
            } => {
                match task {
                    Some(task) => write_task(f, *task, name.as_deref(), *spawned_at)?,
                    None => f.write_str("the body")?,
                }
                f.write_str(" failed: ")?;
                error.fmt(f)
            }
            Failure::Panic(panic) => {
                write_task(f, panic.task, panic.name(), Some(panic.spawned_at))?;
                write!(f, " panicked: {}", panic.message)
            }
            Failure::Cancelled(reason) => write!(f, "the group was cancelled: {reason}"),
        }
    }
}

impl<E: fmt::Debug> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Error {
                error,
                task,
                name,
                spawned_at,
            } => f
                .debug_struct("Error")
                .field("error", error)
                .field("task", task)
                .field("name", name)
                .field("spawned_at", &spawned_at.map(ToString::to_string))
                .finish(),
            Failure::Panic(panic) => panic.fmt(f),
            Failure::Cancelled(reason) => f.debug_tuple("Cancelled").field(reason).finish(),
        }
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.failures.len() > 1 {
            write!(f, "{} failures in a task group: ", self.failures.len())?;
        }
        for (index, failure) in self.failures.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            failure.fmt(f)?;
        }
        Ok(())
    }
}

impl<E: fmt::Debug> fmt::Debug for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("GroupError").field(&self.failures).finish()
    }
}

// Its text has all failures, so it names no source. That asks no more of `E` than that it can be shown, and
// boxed errors and texts, which are no `Error` themselves, can be the errors of a group.
impl<E: fmt::Debug + fmt::Display> Error for GroupError<E> {}
