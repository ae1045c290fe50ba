//! A function as a task.
//!
//! A job is never idle: it is queued, it runs, or it has ended. So it is never submitted again, and needs
//! no way back to its pool; what it keeps of its runtime keeps neither alive for longer than the job.

use core::cell::{Cell, RefCell};
use core::future::Future;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll};
use std::io;

use tenter_sync::book;
use tenter_sync::current;
use tenter_sync::shim::local;

use crate::context;
use crate::handle::Handle;
use crate::scheduler::shared::TaskScheduler;
use crate::scope::frame;
use crate::task::cell::{Header, Schedule};
use crate::task::raw::{self, Ran, YieldFlag};
use crate::task::{CancelReason, Runnable, Unobserved, cancel};

/// Where a job is at home: the runtime that it spawns on, and that hears of its failures.
pub trait Home: Clone + Send + Sync + 'static {
    /// Calls `body` in the runtime.
    fn run<R>(&self, body: impl FnOnce() -> R) -> R;
    /// A failure that nobody can observe any more.
    fn unobserved(&self, failure: &Unobserved<'_>);
}

impl Home for Handle {
    fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        let _entered = self.enter();
        book::lend(self.scheduler().book(), || {
            let done = body();
            // A job that panics leaves behind what it has noted of its last wait, if anything.
            if let Some(job) = current::task_id() {
                book::forget(job);
            }
            done
        })
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        TaskScheduler(self.scheduler().clone()).unobserved(failure);
    }
}

/// The future of a job.
pub struct Job<F, H: Home> {
    function: Option<F>,
    home: H,
}

impl<F, H: Home> Job<F, H> {
    /// A job that has not run.
    pub fn new(function: F, home: H) -> Self {
        Self {
            function: Some(function),
            home,
        }
    }
}

// The function is moved out before it is called, so nothing in here is pinned.
impl<F, H: Home> Unpin for Job<F, H> {}

impl<F: FnOnce() -> R, R, H: Home> Future for Job<F, H> {
    type Output = R;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<R> {
        let function = self.function.take();
        let function = function.expect("a job is ready after its only poll");
        let run = || self.home.run(function);
        Poll::Ready(current::blocking(|| frame::job(run)))
    }
}

impl<F, H: Home> Drop for Job<F, H> {
    fn drop(&mut self) {
        if let Some(function) = self.function.take() {
            self.home.run(|| frame::job(|| drop(function)));
        }
    }
}

/// What the task of a job keeps of its runtime.
pub struct Scheduler<H>(pub H);

impl<H: Home> Schedule for Scheduler<H> {
    fn schedule(&self, task: Runnable) {
        unreachable!("a job is never idle, so nothing can submit it again: {task:?}")
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        self.0.unobserved(failure);
    }
}

local! {
    /// The job that this thread runs.
    static CURRENT: Cell<Option<NonNull<Header>>> = const { Cell::new(None) };
}

/// Shows the job that this thread runs. `None`: it runs none.
pub fn with_current<R>(body: impl FnOnce(&Header) -> R) -> Option<R> {
    let current = CURRENT.try_with(Cell::get).ok()??;
    // SAFETY: `run` is further up this stack, whose place in the queue keeps the task alive until its
    // poll, in which we are, has ended.
    Some(body(unsafe { current.as_ref() }))
}

/// Runs a job on the calling thread, or ends it if it was cancelled while it was queued.
pub fn run(task: Runnable) {
    struct Restore(Option<NonNull<Header>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.with(|current| current.set(self.0));
        }
    }
    let _restore = Restore(CURRENT.with(|current| current.replace(Some(task.pointer()))));
    let ran = context::lend(task.pointer(), || {
        // SAFETY: (a) a job has no owner: it is made with `cell::Shared`.
        unsafe { task.run(&YieldFlag::new(false), |_| None, |_| ()) }
    });
    debug_assert!(
        matches!(ran, Ran::Finished),
        "a job is ready after its only poll"
    );
}

/// Ends a job because the pool has no thread and the system gives it none.
pub fn end_refused(task: Runnable, error: &io::Error) {
    let reason = CancelReason::no_thread(format!(
        "the system refused to start a thread for the blocking pool ({error}), and the pool has no \
         other that could run the job. Raise the limit on threads (ulimit -u, pids.max of the control \
         group, memory), or lower max_blocking_threads"
    ));
    // The first reason stays: a job that was cancelled before keeps its own.
    cancel::cancel(task.pointer(), reason);
    end(task);
}

/// How many jobs may be ended in a row, each spawned by the destructors of those before it.
const LATE_MAX: usize = 10_000;

#[derive(Default)]
struct Late {
    jobs: Vec<Runnable>,
    ended: usize,
}

local! {
    /// Present while this thread ends a job.
    static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
}

/// Ends a job that is in no queue, unrun. Its destructors may spawn further jobs into a pool that is
/// closed: these are ended one after the other, not one inside the other, and after `LATE_MAX` of them
/// the next one is leaked.
pub fn end(task: Runnable) {
    let Some(mut task) = begin_or_queue(task) else {
        return;
    };
    loop {
        // SAFETY: (a) the place in a queue is ours, and with it the scheduler's reference, which is on
        // no list; (b) a job has no owner.
        unsafe { raw::shut_down(task.into_raw(), |_| ()) };
        match next_late() {
            Turn::Done => return,
            Turn::End(next) => task = next,
            Turn::Leak(jobs) => {
                for job in jobs {
                    // SAFETY: (a) as above; the reference is kept for ever.
                    unsafe { raw::leak(job.into_raw()) };
                }
                return;
            }
        }
    }
}

/// What comes after a job that was ended.
enum Turn {
    Done,
    End(Runnable),
    Leak(Vec<Runnable>),
}

/// The job, if it is to be ended here; `None` if a call further up the stack sees to it.
fn begin_or_queue(task: Runnable) -> Option<Runnable> {
    let mut task = Some(task);
    // A thread that is ending has no thread-locals any more, and ends the job without the list.
    let _ = LATE.try_with(|late| {
        let mut late = late.borrow_mut();
        match &mut *late {
            None => *late = Some(Late::default()),
            Some(late) => late.jobs.extend(task.take()),
        }
    });
    task
}

fn next_late() -> Turn {
    let turn = LATE.try_with(|late| {
        let mut slot = late.borrow_mut();
        let Some(late) = slot.as_mut() else {
            return Turn::Done;
        };
        late.ended += 1;
        if late.ended > LATE_MAX {
            return Turn::Leak(slot.take().map(|late| late.jobs).unwrap_or_default());
        }
        match late.jobs.pop() {
            Some(job) => Turn::End(job),
            None => {
                *slot = None;
                Turn::Done
            }
        }
    });
    turn.unwrap_or(Turn::Done)
}
