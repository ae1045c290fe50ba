//! How a task ended without a value, and what happens when nobody looks.

use core::fmt;
use core::panic::Location;
use std::any::Any;
use std::error::Error;
use std::sync::Arc;
use tenter_sync::shim::Mutex;

use super::cancel::{CancelKind, CancelReason};
use super::cell::Header;
use super::id::TaskId;

/// A task ended without a value: it was cancelled, it panicked, or its failure is in the error of its group.
///
/// `Display` names the task and the place where it was spawned.
pub struct JoinError(Box<Inner>);

struct Inner {
    id: TaskId,
    name: Option<Arc<str>>,
    spawned_at: &'static Location<'static>,
    end: End,
}

enum End {
    Cancelled(CancelReason),
    /// What became of it is in the error of its group.
    InGroup {
        panicked: bool,
    },
    /// The lock only makes a payload that is `Send` shareable; nobody waits for it.
    Panicked {
        message: String,
        payload: Mutex<Option<Box<dyn Any + Send>>>,
    },
}

impl JoinError {
    fn new(header: &Header, end: End) -> Self {
        Self(Box::new(Inner {
            id: TaskId(header.slot.id()),
            name: header.name(),
            spawned_at: header.spawned_at,
            end,
        }))
    }

    pub(crate) fn cancelled(header: &Header) -> Self {
        let reason = header
            .extras()
            .and_then(|extras| extras.reason.lock().clone());
        let reason = reason.unwrap_or_else(|| CancelReason::of(CancelKind::Shutdown));
        Self::new(header, End::Cancelled(reason))
    }

    /// The main future was cancelled, and its task was not.
    pub(crate) fn cancelled_main(header: &Header, reason: CancelReason) -> Self {
        Self::new(header, End::Cancelled(reason))
    }

    pub(crate) fn panicked(header: &Header, payload: Box<dyn Any + Send>) -> Self {
        let message = payload_message(&*payload).to_owned();
        Self::new(
            header,
            End::Panicked {
                message,
                payload: Mutex::new(Some(payload)),
            },
        )
    }

    /// The task was the child of a group, which has its error, or its panic.
    pub(crate) fn in_group(header: &Header, panicked: bool) -> Self {
        Self::new(header, End::InGroup { panicked })
    }

    pub(crate) fn into_panic_payload(self) -> Option<Box<dyn Any + Send>> {
        match &self.0.end {
            End::Cancelled(_) | End::InGroup { .. } => None,
            End::Panicked { payload, .. } => payload.lock().take(),
        }
    }

    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        matches!(self.0.end, End::Cancelled(_))
    }

    /// Whether the task panicked, and the payload is here.
    pub fn is_panic(&self) -> bool {
        matches!(self.0.end, End::Panicked { .. })
    }

    /// Whether the task was the child of a group, and failed: its error, or its panic, is in the
    /// [`GroupError`](crate::GroupError).
    pub fn is_in_group_error(&self) -> bool {
        matches!(self.0.end, End::InGroup { .. })
    }

    /// Why the task was cancelled, if it was.
    pub fn reason(&self) -> Option<&CancelReason> {
        match &self.0.end {
            End::Cancelled(reason) => Some(reason),
            End::Panicked { .. } | End::InGroup { .. } => None,
        }
    }

    /// The payload of the panic, to be looked at or raised again with
    /// [`std::panic::resume_unwind`].
    ///
    /// # Panics
    ///
    /// If the task did not panic; ask [`is_panic`](Self::is_panic) first.
    #[track_caller]
    pub fn into_panic(self) -> Box<dyn Any + Send> {
        assert!(
            self.is_panic(),
            "JoinError::into_panic was called on {self}, which is no panic"
        );
        self.into_panic_payload()
            .expect("a payload is taken once, by value")
    }

    /// The number of the task.
    pub fn task_id(&self) -> TaskId {
        self.0.id
    }

    /// The name of the task, if it had one.
    pub fn name(&self) -> Option<&str> {
        self.0.name.as_deref()
    }

    pub(crate) fn shared_name(&self) -> Option<Arc<str>> {
        self.0.name.clone()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.0.spawned_at
    }
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_task(f, self.0.id, self.name(), Some(self.0.spawned_at))?;
        match &self.0.end {
            End::Cancelled(reason) => write!(f, " was cancelled: {reason}"),
            End::Panicked { message, .. } => write!(f, " panicked: {message}"),
            End::InGroup { panicked: true } => f.write_str(" panicked: see the error of its group"),
            End::InGroup { panicked: false } => f.write_str(" failed: see the error of its group"),
        }
    }
}

impl fmt::Debug for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JoinError({self})")
    }
}

impl Error for JoinError {}

impl From<JoinError> for std::io::Error {
    fn from(error: JoinError) -> Self {
        let kind = if error.is_cancelled() {
            std::io::ErrorKind::Interrupted
        } else {
            std::io::ErrorKind::Other
        };
        Self::new(kind, error)
    }
}

/// How an error names a task: `task 5 "fetch" spawned at src/main.rs:24:19`.
pub(crate) fn write_task(
    f: &mut fmt::Formatter<'_>,
    id: TaskId,
    name: Option<&str>,
    spawned_at: Option<&Location<'_>>,
) -> fmt::Result {
    write!(f, "task {id}")?;
    if let Some(name) = name {
        write!(f, " \"{name}\"")?;
    }
    match spawned_at {
        Some(place) => write!(f, " spawned at {place}"),
        None => Ok(()),
    }
}

/// What a panic said.
pub(crate) fn payload_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(message) = payload.downcast_ref::<&'static str>() {
        message
    } else if let Some(message) = payload.downcast_ref::<String>() {
        message
    } else {
        "(a payload that is not text)"
    }
}

/// What kind of failure nobody could observe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnobservedKind {
    /// The task panicked, and its handle is gone.
    Panic,
    /// The future's destructor panicked after the future was ready or had panicked.
    FutureDrop,
    /// The destructor of an output that nobody took panicked.
    OutputDrop,
    /// A clean-up that was deferred panicked, or did not end within its grace.
    CleanUp,
    /// A child of a group failed after the group's future was dropped.
    GroupChild,
    /// The waker of whoever joins the task panicked when it was woken, or dropped with the handle.
    JoinerWake,
    /// The destructor of a context variable's value panicked when the task ended.
    ContextDrop,
    /// A callback of [`JoinHandle::on_done`](crate::JoinHandle::on_done) panicked.
    Callback,
}

/// A failure that nobody can observe any more, given to `Builder::on_unobserved` when it happens.
///
/// `Display` is the one line that the default hook prints.
pub struct Unobserved<'a> {
    header: &'a Header,
    kind: UnobservedKind,
    payload: &'a (dyn Any + Send),
}

impl<'a> Unobserved<'a> {
    pub(crate) fn new(
        header: &'a Header,
        kind: UnobservedKind,
        payload: &'a (dyn Any + Send),
    ) -> Self {
        Self {
            header,
            kind,
            payload,
        }
    }

    /// What happened.
    pub fn kind(&self) -> UnobservedKind {
        self.kind
    }

    /// The number of the task.
    pub fn task_id(&self) -> TaskId {
        TaskId(self.header.slot.id())
    }

    /// The name of the task, if it has one.
    pub fn name(&self) -> Option<Arc<str>> {
        self.header.name()
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.header.spawned_at
    }

    /// What the panic said.
    pub fn message(&self) -> &str {
        payload_message(self.payload)
    }

    /// What was thrown.
    pub fn payload(&self) -> &(dyn Any + Send) {
        self.payload
    }
}

impl fmt::Display for Unobserved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.kind {
            UnobservedKind::Panic => "panicked and nobody holds its handle",
            UnobservedKind::FutureDrop => "panicked while its future was dropped",
            UnobservedKind::OutputDrop => "panicked while its output was dropped",
            UnobservedKind::GroupChild => "was a child of a group",
            UnobservedKind::CleanUp => "left a clean-up",
            UnobservedKind::JoinerWake => "had a joiner whose waker panicked",
            UnobservedKind::ContextDrop => "panicked while its context was dropped",
            UnobservedKind::Callback => "had a callback that panicked",
        };
        let (task, at) = (self.header.describe(), self.header.spawned_at);
        write!(
            f,
            "tenter: {task} spawned at {at} {what}: {}",
            self.message()
        )
    }
}

impl fmt::Debug for Unobserved<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unobserved({self})")
    }
}
