//! Tasks that begin before their spawn returns.
//!
//! The first poll happens on the caller's stack. What the thread knows about the task that it polls (who, how
//! much it may still do, what it waits for, which values its context variables have) is the new task's
//! meanwhile, and the caller's again afterwards, as after every poll.
//!
//! ```text
//!  spawn_eager ──► the thread is in the runtime's run loop ──► a poll as the loop does it
//!             ├──► many workers, and this is none of them ──► a poll here; if it is not over, then
//!             │                                               through an inbox to a worker
//!             └──► one thread, and it is another ───────────► as `spawn`: only that thread may poll
//! ```
//!
//! Invariant E1: a task that ran on a thread that is no worker is on no list, and its place in a queue is
//! that thread's, until it is in an inbox. So the end of the runtime either finds it in there, or the
//! thread finds the inbox closed and ends it. For this it is polled once more than it was woken.
//!
//! Tests: `tests/tests/eager.rs`.

use core::future::Future;
use core::panic::Location;
use core::ptr;

use super::JoinHandle;
use super::alive::Alive;
use super::cell::{Extras, Ownership, Shared};
use super::context::inherit;
use super::memory::Source;
use super::raw::{self, Ending, Ran, Runnable, YieldFlag};
use super::state::AfterWake;
use crate::context::{self, Driving};
use crate::handle::Handle;
use crate::scheduler::multi_thread::Scheduler;
use crate::scheduler::shared::{Kind, TaskScheduler};

/// Spawns a task and polls it once, on this thread, before it returns.
///
/// A future that is ready at once costs no place in a queue, and its handle is finished when this returns. The
/// code before the first `.await` that has to wait runs before the caller's next line, as in a call of a
/// function. A panic in it is the task's, not the caller's.
///
/// On a thread that is not the one which runs the tasks of a single-threaded runtime, this is
/// [`spawn`](crate::spawn).
///
/// # Panics
///
/// Outside a runtime. The message says what to do.
///
/// # Examples
///
/// ```
/// tenter::run(async {
///     let task = tenter::spawn_eager(async { 6 * 7 });
///     assert!(task.is_finished());
///     assert_eq!(task.await.expect("no panic"), 42);
/// });
/// ```
#[track_caller]
#[doc(alias = "eager_task_factory")]
#[doc(alias = "eager_start")]
pub fn spawn_eager<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let handle = Handle::current_for("tenter::spawn_eager");
    spawn_with(&handle, future, None, Location::caller())
}

pub(crate) fn spawn_with<F>(
    handle: &Handle,
    future: F,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let address = handle.scheduler_address();
    context::with_driving(|driving| match (driving, &handle.scheduler().kind) {
        (Some(driving), _) if ptr::eq(driving.scheduler.address(), address) => {
            spawn_here(driving, future, Shared, extras, spawned_at)
        }
        (_, Kind::MultiThread(scheduler)) => {
            spawn_beside(handle, scheduler, future, extras, spawned_at)
        }
        (_, Kind::CurrentThread(_)) => handle.spawn_with(future, extras, spawned_at),
    })
}

/// In the run loop that this thread is in.
pub(crate) fn spawn_here<F: Future, O: Ownership>(
    driving: &Driving<'_>,
    future: F,
    ownership: O,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<F::Output> {
    let scheduler = TaskScheduler(driving.shared());
    let (extras, source) = (inherit(extras), driving.source());
    let (task, header) = raw::allocate(future, scheduler, ownership, extras, spawned_at, &source);
    let handle = JoinHandle::new(header);
    driving.run_eagerly(task);
    handle
}

/// On a thread that is no worker of the runtime.
fn spawn_beside<F>(
    handle: &Handle,
    scheduler: &Scheduler,
    future: F,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let shared = handle.scheduler();
    let source = Source::Depot(&shared.depot);
    let of_task = TaskScheduler(shared.clone());
    let (task, header) = raw::allocate(
        future,
        of_task,
        Shared,
        inherit(extras),
        spawned_at,
        &source,
    );
    let joined = JoinHandle::new(header);
    if !scheduler.stop.is_open() {
        shared.spawn_remote(task);
        return joined;
    }
    scheduler.counters.spawned.add_shared(1);
    shared.tell_spawned(&task, false);
    let step = shared.tell_step(&task);
    let queue_again = YieldFlag::new(false);
    let enlist = |_: Alive<'_>| {
        // E1.
        queue_again.set(true);
        None
    };
    let unlist = |task: &Ending| {
        scheduler.counters.completed.add_shared(1);
        shared.tell_exited(task);
    };
    // Timers and sockets of the poll are the runtime's, and so is what it spawns.
    let _entered = handle.enter();
    let ran = context::lend_poll(header, || {
        // SAFETY: (a) the task is anybody's.
        unsafe { task.run_telling(&queue_again, enlist, unlist, || shared.tell_pending(&step)) }
    });
    shared.tell_stepped(&step, &ran);
    match ran {
        Ran::Requeue(task) => scheduler.adopt_late(shared, task),
        // It was cancelled in its first poll, and waits for what it left to be cleaned up. E1.
        Ran::Parked if joined.header().state.wake() == AfterWake::Submit => {
            // SAFETY: (a) the place is the one that `wake` has just given.
            let task = unsafe { Runnable::from_raw(header) };
            shared.tell_scheduled(&task);
            scheduler.adopt_late(shared, task);
        }
        Ran::Parked | Ran::Finished => {}
    }
    joined
}
