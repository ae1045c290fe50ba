//! Looking at tasks: the one that calls, and all of a runtime.
//!
//! A [`TaskRef`] is a counted reference to a task's cell, and no right but to look. The list of all tasks is
//! where the scheduler keeps it for its end: one list for each worker, under its lock, or one that only the
//! driving thread touches. Under a lock only references are counted; what is read of a task is read
//! afterwards.
//!
//! ```text
//!  all() ── many workers ──► lists of the workers, one after the other
//!        ├─ this thread drives ──► its list
//!        ├─ nobody drives ──► the core from its seat, its list, and the core back
//!        └─ another thread drives ──► a task that looks, between two of that thread's polls
//! ```
//!
//! Tests: `tests/tests/tasks_surface.rs`.

use core::fmt;
use core::panic::Location;
use core::ptr::NonNull;
use core::time::Duration;
use std::sync::Arc;

use tenter_sync::current::WaitingOn;
use tenter_sync::parker::Parker;
use tenter_sync::shim::Mutex;
use tenter_timer::Clock;

use super::alive::Alive;
use super::cancel::{CancelReason, Canceller};
use super::cell::Header;
use super::id::TaskId;
use super::raw;
use crate::context::{self, Place};
use crate::handle::Handle;
use crate::scheduler::shared::Kind;

/// How long another thread gets to answer what its tasks are.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

/// A task, to be looked at. It keeps what the runtime knows of the task, and nothing that the task has.
///
/// `Display` is `Task-7`, with the name if it has one: `Task-7 "reader"`.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     let task = tenter::task::Builder::new().name("reader").spawn(async {
///         let this = tenter::task::current().expect("a task asks");
///         this.name()
///     });
///     assert_eq!(task.await.expect("no panic").as_deref(), Some("reader"));
/// });
/// ```
pub struct TaskRef(NonNull<Header>);

// SAFETY: a counted reference; all that is reached through it is atomic, immutable or locked.
unsafe impl Send for TaskRef {}
// SAFETY: as above.
unsafe impl Sync for TaskRef {}

// What is behind it changes in single steps: a panic leaves nothing half done.
impl core::panic::UnwindSafe for TaskRef {}
impl core::panic::RefUnwindSafe for TaskRef {}

impl TaskRef {
    /// Counts a reference to a task that the caller keeps alive.
    pub(crate) fn new(task: Alive<'_>) -> Self {
        task.state.retain();
        Self(task.pointer())
    }

    pub(crate) fn header(&self) -> Alive<'_> {
        // SAFETY: we have a reference.
        unsafe { Alive::new(self.0) }
    }

    /// The task's number.
    pub fn id(&self) -> TaskId {
        TaskId(self.header().slot.id())
    }

    /// The task's name, if it was given one.
    #[doc(alias = "get_name")]
    pub fn name(&self) -> Option<Arc<str>> {
        self.header().name()
    }

    /// Gives the task a name, instead of the one it may have.
    pub fn set_name(&self, name: impl Into<Arc<str>>) {
        set_name(&self.header(), name.into());
    }

    /// Where the task was spawned.
    pub fn spawned_at(&self) -> &'static Location<'static> {
        self.header().spawned_at
    }

    /// What the task waits for, if it waits for something that tenter knows of.
    #[doc(alias = "get_stack")]
    pub fn waiting_on(&self) -> Option<WaitingOn> {
        if self.is_finished() {
            return None;
        }
        self.header().slot.waiting_on()
    }

    /// Why the task is to be cancelled, if somebody has asked for it.
    #[doc(alias = "cancelling")]
    pub fn cancel_requested(&self) -> Option<CancelReason> {
        self.header().extras()?.reason.lock().clone()
    }

    /// Whether the task has ended.
    #[doc(alias = "done")]
    pub fn is_finished(&self) -> bool {
        self.header().state.load().is_complete()
    }

    /// The right to cancel the task.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(self.0)
    }

    /// What there is to know about the task now.
    pub fn info(&self) -> TaskInfo {
        TaskInfo {
            id: self.id(),
            name: self.name(),
            spawned_at: self.spawned_at(),
            waiting_on: self.waiting_on(),
            cancel_requested: self.cancel_requested(),
        }
    }
}

/// Gives a task another name.
pub(crate) fn set_name(header: &Header, name: Arc<str>) {
    let old = header.extras_or_insert().renamed.lock().replace(name);
    drop(old);
}

impl Clone for TaskRef {
    fn clone(&self) -> Self {
        Self::new(self.header())
    }
}

impl Drop for TaskRef {
    fn drop(&mut self) {
        // SAFETY: our reference, not used again.
        unsafe { raw::release(self.0) };
    }
}

impl PartialEq for TaskRef {
    /// The same task.
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for TaskRef {}

impl fmt::Display for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        label(f, self.id(), self.name().as_deref())
    }
}

impl fmt::Debug for TaskRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TaskRef").field(&*self.header()).finish()
    }
}

fn label(f: &mut fmt::Formatter<'_>, id: TaskId, name: Option<&str>) -> fmt::Result {
    write!(f, "Task-{id}")?;
    match name {
        Some(name) => write!(f, " \"{name}\""),
        None => Ok(()),
    }
}

/// What was known about a task when it was looked at.
///
/// `Display` is a line for a log: the task, where it was spawned, what it waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The number of the task.
    pub id: TaskId,
    /// Its name, if it was given one.
    pub name: Option<Arc<str>>,
    /// Where it was spawned.
    pub spawned_at: &'static Location<'static>,
    /// What it waited for, if it was something that tenter knows of.
    pub waiting_on: Option<WaitingOn>,
    /// Why it was to be cancelled, if somebody had asked for it.
    pub cancel_requested: Option<CancelReason>,
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        label(f, self.id, self.name.as_deref())?;
        write!(f, " spawned at {}", self.spawned_at)?;
        if let Some(wait) = self.waiting_on {
            write!(f, " waits for {}", wait.kind.describe())?;
        }
        if let Some(reason) = &self.cancel_requested {
            write!(f, ", to be cancelled: {reason}")?;
        }
        Ok(())
    }
}

/// The task that calls, if a task of tenter does.
///
/// A job of `spawn_blocking` is one, too. The main future of `block_on` is one on a single-threaded runtime,
/// and none beside many workers.
#[doc(alias = "current_task")]
pub fn current() -> Option<TaskRef> {
    context::with_current_task(|header| header.map(TaskRef::new))
}

/// All tasks of the runtime that this thread is in which have not ended, in the order of their numbers.
///
/// It is a snapshot: tasks begin and end while it is taken. Not in it are jobs of `spawn_blocking`; tasks
/// that another thread spawned and the runtime has not taken in yet; and with many workers, tasks without a
/// name that have not run yet. For a single-threaded runtime that another thread drives, that thread is asked,
/// and answers between two polls; if it does not within a second, the answer is empty.
///
/// # Panics
///
/// Outside a runtime. The message says what to do.
///
/// # Examples
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// use tenter::{sync::Event, task};
///
/// static GATE: Event = Event::new();
///
/// let runtime = tenter::Builder::current_thread().build()?;
/// runtime.block_on(async {
///     let task = task::Builder::new().name("waiter").spawn(GATE.wait());
///     task::yield_now().await;
///     let waiter = task::all().into_iter().find(|info| info.id == task.id());
///     println!("{}", waiter.expect("it has not ended")); // … waits for an Event
/// });
/// # Ok(())
/// # }
/// ```
#[track_caller]
#[doc(alias = "all_tasks")]
pub fn all() -> Vec<TaskInfo> {
    let handle = Handle::current_for("tenter::task::all");
    let mut tasks = references(&handle);
    if let Some(own) = context::with_current_task(|header| header.map(TaskRef::new)) {
        let here = context::with_local_spawner(|driving| driving.is_some());
        if here && !tasks.contains(&own) {
            // It is in its first poll.
            tasks.push(own);
        }
    }
    let mut tasks: Vec<TaskInfo> = tasks.iter().map(TaskRef::info).collect();
    tasks.sort_by_key(|task| task.id);
    tasks
}

fn references(handle: &Handle) -> Vec<TaskRef> {
    let mut tasks = Vec::new();
    let mut count = |task: Alive<'_>| tasks.push(TaskRef::new(task));
    match &handle.scheduler().kind {
        Kind::MultiThread(scheduler) => {
            for remote in scheduler.crew.remotes() {
                remote.owned.lock().for_each(&mut count);
            }
            tasks
        }
        Kind::CurrentThread(scheduler) => {
            if let Some(tasks) = of_this_thread(handle) {
                return tasks;
            }
            if scheduler.seat.look(|core| core.owned.for_each(&mut count)) {
                return tasks;
            }
            of_another_thread(handle)
        }
    }
}

/// `None`: this thread does not drive that runtime.
fn of_this_thread(handle: &Handle) -> Option<Vec<TaskRef>> {
    context::with_driving(|driving| {
        let driving = driving?;
        if !core::ptr::eq(driving.scheduler.address(), handle.scheduler_address()) {
            return None;
        }
        let Place::Thread(core) = driving.place else {
            return None;
        };
        let mut tasks = Vec::new();
        core.owned
            .for_each(|header| tasks.push(TaskRef::new(header)));
        Some(tasks)
    })
}

/// What became of a question to the thread that drives.
enum Answer {
    Awaited,
    Given(Vec<TaskRef>),
    /// The runtime has ended.
    Never,
}

struct Question(Arc<(Mutex<Answer>, Parker)>);

impl Question {
    fn settle(&self, answer: Answer) {
        let mut place = self.0.0.lock();
        if matches!(*place, Answer::Awaited) {
            *place = answer;
            drop(place);
            let _ = self.0.1.unpark();
        }
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.settle(Answer::Never);
    }
}

/// Has the thread that drives look, and waits for its answer.
fn of_another_thread(handle: &Handle) -> Vec<TaskRef> {
    let place = Arc::new((Mutex::new(Answer::Awaited), Parker::new()));
    let question = Question(Arc::clone(&place));
    let runtime = handle.clone();
    let asked = handle.spawn(async move {
        let own = super::try_id();
        let mut tasks = of_this_thread(&runtime).unwrap_or_default();
        tasks.retain(|task| Some(task.id()) != own);
        question.settle(Answer::Given(tasks));
    });
    let clock = Clock::real();
    let deadline = clock.now() + ANSWER_WITHIN;
    loop {
        match core::mem::replace(&mut *place.0.lock(), Answer::Awaited) {
            Answer::Given(tasks) => return tasks,
            Answer::Never => return Vec::new(),
            Answer::Awaited => {}
        }
        let left = deadline.duration_since(clock.now());
        if left.is_zero() {
            asked.cancel();
            return Vec::new();
        }
        let _ = place.1.park(Some(left));
    }
}
