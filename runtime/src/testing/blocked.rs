//! [`wait_all_tasks_blocked`]: until nothing moves.
//!
//! The run loop does the work, see `scheduler/quiet.rs`; this is the future that stands in its line.
//!
//! Tests: `tests/tests/testing.rs`.

use core::fmt;
use core::future::Future;
use core::panic::Location;
use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use crate::context;
use crate::handle::Handle;
use crate::scheduler::current_thread::Scheduler;
use crate::scheduler::shared::Kind;

/// Waits until every other task of the runtime is blocked: none is ready, no due timer and no socket is
/// about to wake one. Instead of a short sleep in a test.
///
/// On a virtual clock it is ready before the clock jumps, so no time passes. If several wait, all of them
/// are told at the same moment (those with the shortest [`cushion`](AllTasksBlocked::cushion) first). A task
/// that waits for a job on a blocking thread is blocked too.
///
/// A task that goes on yielding is never blocked, so this would wait for ever.
///
/// # Cancel safety
///
/// A wait that is dropped leaves nothing behind.
///
/// # Panics
///
/// When polled: outside a runtime, and in a multi-threaded one, where other workers move at any time.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tenter::testing::wait_all_tasks_blocked;
///
/// # let runtime = tenter::Builder::deterministic(0).build().expect("no thread is needed");
/// # runtime.block_on(async {
/// let task = tenter::spawn(async {
///     tenter::task::yield_now().await;
///     tenter::time::sleep(Duration::from_secs(1)).await;
/// });
/// wait_all_tasks_blocked().await; // the task sleeps by now, and has not woken up
/// assert!(!task.is_finished());
/// # });
/// ```
#[track_caller]
#[doc(alias = "wait_until_idle")]
#[doc(alias = "sleep(0)")]
pub fn wait_all_tasks_blocked() -> AllTasksBlocked {
    AllTasksBlocked {
        cushion: Duration::ZERO,
        stage: Stage::New(Location::caller()),
    }
}

/// The future of [`wait_all_tasks_blocked`].
#[must_use = "futures do nothing unless you `.await` or poll them"]
pub struct AllTasksBlocked {
    cushion: Duration,
    stage: Stage,
}

enum Stage {
    /// Made there.
    New(&'static Location<'static>),
    /// In the line of this runtime, under this number.
    Waiting(Handle, u64),
    Done,
}

impl AllTasksBlocked {
    /// Waits until everything has been blocked for so long without a break. For tests in which other
    /// threads, processes or sockets have a part; the time is real on every clock. Default: none.
    pub fn cushion(mut self, cushion: Duration) -> Self {
        self.cushion = cushion;
        self
    }
}

/// The runtime that this thread is in, if its tasks can be waited for.
fn runtime(called_at: &'static Location<'static>) -> Handle {
    const WHAT: &str = "tenter::testing::wait_all_tasks_blocked";
    let handle = Handle::current_at(WHAT, called_at);
    assert!(
        matches!(handle.scheduler().kind, Kind::CurrentThread(_)),
        "{WHAT} was called at {called_at} in a multi-threaded runtime, where workers move at any time: use \
         #[tenter::test], or flavor = \"current_thread\""
    );
    handle
}

fn scheduler(handle: &Handle) -> &Scheduler {
    match &handle.scheduler().kind {
        Kind::CurrentThread(scheduler) => scheduler,
        Kind::MultiThread(_) => unreachable!("refused at the first poll"),
    }
}

/// If another thread than that of the run loop waits, the loop has to notice.
fn interrupt_if_elsewhere(handle: &Handle) {
    let address = handle.scheduler_address();
    let drives = context::with_driving(|driving| {
        driving.is_some_and(|driving| core::ptr::eq(driving.scheduler.address(), address))
    });
    if !drives {
        scheduler(handle).parking.interrupt();
    }
}

impl Future for AllTasksBlocked {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match &self.stage {
            Stage::New(called_at) => {
                let handle = runtime(called_at);
                let waker = cx.waker().clone();
                let key = scheduler(&handle).quiet.join(self.cushion, waker);
                interrupt_if_elsewhere(&handle);
                self.stage = Stage::Waiting(handle, key);
                Poll::Pending
            }
            Stage::Waiting(handle, key) => {
                if scheduler(handle).quiet.waits(*key, cx.waker()) {
                    return Poll::Pending;
                }
                self.stage = Stage::Done;
                Poll::Ready(())
            }
            Stage::Done => panic!("an AllTasksBlocked was polled after it was ready"),
        }
    }
}

impl Drop for AllTasksBlocked {
    fn drop(&mut self) {
        if let Stage::Waiting(handle, key) = &self.stage {
            scheduler(handle).quiet.leave(*key);
        }
    }
}

impl fmt::Debug for AllTasksBlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AllTasksBlocked")
            .field("cushion", &self.cushion)
            .field("is_waiting", &matches!(self.stage, Stage::Waiting(..)))
            .finish_non_exhaustive()
    }
}
