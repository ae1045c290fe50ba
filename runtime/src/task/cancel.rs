//! Why and by what right a task is cancelled.

use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;
use std::borrow::Cow;

use tenter_sync::planted;

use super::alive::Alive;
use super::cell::Header;
use super::id::TaskId;
use super::raw;
use super::state::AfterCancel;

/// Who asked for a cancellation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CancelKind {
    /// A program called `cancel`.
    Requested,
    /// The runtime shut down.
    Shutdown,
    /// A [`CancelOnDrop`](crate::CancelOnDrop) was dropped.
    OwnerDropped,
    /// The system refused a thread to run a blocking job on.
    NoThread,
    /// The time that a scope was given was over.
    Deadline,
    /// A sibling in the same task group failed.
    GroupFailed,
    /// The scope or group that it was part of was cancelled.
    ParentCancelled,
    /// Somebody interrupted the program from the terminal.
    CtrlC,
}

/// Why a task was cancelled: carried to whoever joins it. The first reason stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CancelReason {
    kind: CancelKind,
    message: Option<Cow<'static, str>>,
    by: Option<TaskId>,
    at: Option<&'static Location<'static>>,
}

impl CancelReason {
    #[track_caller]
    pub(crate) fn requested(message: Option<Cow<'static, str>>) -> Self {
        Self {
            kind: CancelKind::Requested,
            message,
            by: super::try_id(),
            at: Some(Location::caller()),
        }
    }

    pub(crate) fn of(kind: CancelKind) -> Self {
        Self {
            kind,
            message: None,
            by: None,
            at: None,
        }
    }

    pub(crate) fn no_thread(message: String) -> Self {
        Self {
            message: Some(Cow::Owned(message)),
            ..Self::of(CancelKind::NoThread)
        }
    }

    /// Of what was spawned in a group that had returned.
    pub(crate) fn group_had_ended(spawned_at: &'static Location<'static>) -> Self {
        Self {
            message: Some(Cow::Borrowed("its group had ended")),
            by: super::try_id(),
            at: Some(spawned_at),
            ..Self::of(CancelKind::ParentCancelled)
        }
    }

    /// The same, for what is part of what was cancelled.
    pub(crate) fn passed_on(&self) -> Self {
        Self {
            kind: CancelKind::ParentCancelled,
            ..self.clone()
        }
    }

    /// Who asked.
    pub fn kind(&self) -> CancelKind {
        self.kind
    }

    /// What they said.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The task that asked, if a task did.
    pub fn by(&self) -> Option<TaskId> {
        self.by
    }

    /// Where it was asked for.
    pub fn location(&self) -> Option<&'static Location<'static>> {
        self.at
    }
}

impl From<&'static str> for CancelReason {
    #[track_caller]
    fn from(message: &'static str) -> Self {
        Self::requested(Some(Cow::Borrowed(message)))
    }
}

impl From<String> for CancelReason {
    #[track_caller]
    fn from(message: String) -> Self {
        Self::requested(Some(Cow::Owned(message)))
    }
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            CancelKind::Requested => f.write_str("cancelled on request")?,
            CancelKind::Shutdown => f.write_str("the runtime shut down")?,
            CancelKind::OwnerDropped => f.write_str("its owner was dropped")?,
            CancelKind::NoThread => f.write_str("there was no thread to run it")?,
            CancelKind::Deadline => f.write_str("its time was over")?,
            CancelKind::GroupFailed => f.write_str("another child of its group failed")?,
            CancelKind::ParentCancelled => f.write_str("what it was part of was cancelled")?,
            CancelKind::CtrlC => f.write_str("interrupted (ctrl-c)")?,
        }
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        if let Some(by) = self.by {
            write!(f, ", by task {by}")?;
        }
        if let Some(at) = self.at {
            write!(f, ", at {at}")?;
        }
        Ok(())
    }
}

/// Requests cancellation. True: this was the first request, and its reason stays.
pub(crate) fn cancel(task: NonNull<Header>, reason: CancelReason) -> bool {
    // SAFETY: the callers are methods of handles that have a reference.
    let header = unsafe { task.as_ref() };
    header.live.touch();
    if header.state.load().is_complete() {
        return false;
    }
    let mut slot = header.extras_or_insert().reason.lock();
    if slot.is_some() && !planted!("task.second_reason_counts") {
        return false;
    }
    // The reason is in place before the request can be seen, and the lock keeps a second request
    // from putting its own there in between.
    let kept = slot.insert(reason).clone();
    let after = header.state.cancel();
    if after == AfterCancel::TooLate {
        let reason = slot.take();
        drop(slot);
        drop(reason);
        return false;
    }
    drop(slot);
    let submit = after == AfterCancel::Submit && !planted!("task.cancel_without_submit");
    // Also if the waker of a scope panics.
    let _submit = Submit(submit.then_some(task));
    if let Some(root) = header
        .root()
        .filter(|_| !planted!("task.cancel_skips_root"))
    {
        // Groups and scopes inside the task see to their own.
        root.cancel(&kept);
    }
    true
}

/// A place in the queue that is passed on.
struct Submit(Option<NonNull<Header>>);

impl Drop for Submit {
    fn drop(&mut self) {
        if let Some(task) = self.0 {
            // SAFETY: made by `cancel`, whose caller's reference lives on; the place is passed on once.
            unsafe { raw::submit(task) };
        }
    }
}

/// The right to cancel a task, without the right to its output. Cheap to clone; keeps the memory of
/// the task, not the task.
#[must_use = "a Canceller does nothing until `cancel` is called"]
pub struct Canceller(NonNull<Header>);

// SAFETY: a counted reference; everything reached through it is atomic or locked, and a `!Send`
// future is only ever dropped by its owner, whoever cancels.
unsafe impl Send for Canceller {}
// SAFETY: as above.
unsafe impl Sync for Canceller {}
impl core::panic::UnwindSafe for Canceller {}
impl core::panic::RefUnwindSafe for Canceller {}

impl Canceller {
    pub(crate) fn new(task: NonNull<Header>) -> Self {
        // SAFETY: the caller has a reference.
        unsafe { task.as_ref() }.state.retain();
        Self(task)
    }

    /// The task, to be reported of.
    pub(crate) fn task(&self) -> NonNull<Header> {
        self.0
    }

    pub(crate) fn header(&self) -> Alive<'_> {
        // SAFETY: we have a reference.
        unsafe { Alive::new(self.0) }
    }

    /// Requests cancellation: the task's future is dropped at its next suspension that is not
    /// shielded. True if this was the first request and the task had not ended.
    #[track_caller]
    pub fn cancel(&self) -> bool {
        cancel(self.0, CancelReason::requested(None))
    }

    /// [`cancel`](Self::cancel) with a reason that whoever joins the task gets to see.
    #[track_caller]
    pub fn cancel_with(&self, reason: impl Into<CancelReason>) -> bool {
        cancel(self.0, reason.into())
    }

    /// Whether the task has ended.
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        TaskId(self.header().slot.id())
    }
}

impl Clone for Canceller {
    fn clone(&self) -> Self {
        Self::new(self.0)
    }
}

impl Drop for Canceller {
    fn drop(&mut self) {
        // SAFETY: our reference, not used again.
        unsafe { raw::release(self.0) };
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Canceller").field(&*self.header()).finish()
    }
}
