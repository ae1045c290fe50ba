//! Running a future to its end on the calling thread.
//!
//! The thread that has the core drives: the future becomes the main task of the run loop. Its cell holds
//! a proxy; the future itself stays on this stack, so it may borrow and need not be `Send`.
//!
//! ```text
//!  stack:  Main { future, output } ◄──────────┐
//!  heap:   cell of the main task: Proxy ──► Rc<Cell<Option<pointer>>> (emptied before `Main` goes)
//! ```
//!
//! A thread that finds the core taken polls its future by itself, and drives as soon as the core is put
//! back. So does a thread that drives when another one waits whose own `!Send` tasks are ready: it hands
//! the core over, and goes on with its future where it stands.

use core::cell::Cell;
use core::future::Future;
use core::panic::Location;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc as StdArc;

use tenter_sync::book;
use tenter_sync::brake;
use tenter_sync::current::without_task;
use tenter_sync::planted;
use tenter_sync::shim::local;
use tenter_sync::shim::thread::ThreadId;

use crate::context::{self, Driving, Place};
use crate::handle::Handle;
use crate::scheduler::current_thread::{Core, RunEnded, Scheduler, poll_parked};
use crate::scheduler::parking::ThreadParker;
use crate::scheduler::seat::{Seat, Taken};
use crate::scheduler::shared::{Kind, SchedulerRef, TaskScheduler};
use crate::scope::frame;
use crate::scope::scoped::{End, Scoped};
use crate::task::cell::{Extras, Shared};
use crate::task::context::TaskContext;
use crate::task::{self, JoinError, JoinHandle, raw};

local! {
    /// The parker of this thread, for when it waits without driving.
    static PARKER: StdArc<ThreadParker> = ThreadParker::new();
}

fn thread_parker() -> (StdArc<ThreadParker>, Waker) {
    let parker = if brake::is_held() {
        // The thread may run many jobs, and what a waker does for one that it wakes ends with that one.
        ThreadParker::here()
    } else {
        // A thread that is ending has no thread-locals any more; it gets a parker of its own.
        PARKER
            .try_with(StdArc::clone)
            .unwrap_or_else(|_| ThreadParker::new())
    };
    let waker = Waker::from(StdArc::clone(&parker));
    (parker, waker)
}

/// Runs `body` as no task and in no scope, whatever is further up this stack.
fn apart<R>(body: impl FnOnce() -> R) -> R {
    without_task(|| frame::apart(body))
}

/// Runs a future on a thread that drives nothing.
pub fn wait<F: Future>(at: &'static Location<'static>, future: F) -> F::Output {
    wait_with(thread_parker(), at, future)
}

/// [`wait`] with a parker of its own, so that it may be inside another one.
pub fn wait_apart<F: Future>(at: &'static Location<'static>, future: F) -> F::Output {
    let parker = ThreadParker::here();
    let waker = Waker::from(StdArc::clone(&parker));
    wait_with((parker, waker), at, future)
}

fn wait_with<F: Future>(
    (parker, waker): (StdArc<ThreadParker>, Waker),
    at: &'static Location<'static>,
    future: F,
) -> F::Output {
    let _values = task::context::Main::enter();
    let mut future = pin!(future);
    context::block(at, || {
        apart(|| {
            loop {
                let polled = poll_parked(&parker, &waker, &mut |cx| future.as_mut().poll(cx));
                if let Some(output) = polled {
                    return output;
                }
            }
        })
    })
}

/// Runs a future in a runtime: with many workers beside them, with one thread as that thread. It is a scope
/// of its own: what was deferred in it is done before this returns.
pub fn run<F: Future>(
    shared: &SchedulerRef,
    at: &'static Location<'static>,
    future: F,
) -> F::Output {
    match run_scoped(shared, at, Scoped::new(future, None)) {
        End::Ready(output) => output,
        End::Cancelled(_) | End::TimedOut => unreachable!("nobody has the handle of this scope"),
    }
}

/// [`run`] of a future in a scope that others may cancel.
pub fn run_scoped<F: Future>(
    shared: &SchedulerRef,
    at: &'static Location<'static>,
    future: Scoped<F>,
) -> End<F::Output> {
    // Before the future, so that its destructors are in the runtime too, however it ends.
    let _entered = Entered(context::enter(Handle::new(shared.clone())));
    match &shared.kind {
        Kind::CurrentThread(scheduler) => drive(shared, scheduler, at, future),
        Kind::MultiThread(scheduler) => {
            let _drivers = scheduler.enter_drivers();
            book::lend(scheduler.book.as_ref(), || wait(at, future))
        }
    }
}

/// Runs a future on `scheduler`, driving it as soon as no other thread does.
fn drive<F: Future>(
    shared: &SchedulerRef,
    scheduler: &Scheduler,
    at: &'static Location<'static>,
    future: F,
) -> F::Output {
    let _values = task::context::Main::enter();
    let mut future = pin!(future);
    if let Some(core) = scheduler.seat.take() {
        if let Some(output) = drive_core(shared, scheduler, core, at, future.as_mut()) {
            return output;
        }
    }
    let (parker, waker) = thread_parker();
    let handle = Handle::new(shared.clone());
    let _line = InLine(&scheduler.seat);
    loop {
        match scheduler.seat.take_or_join(&parker) {
            Taken::Core(core) => {
                if let Some(output) = drive_core(shared, scheduler, core, at, future.as_mut()) {
                    return output;
                }
                continue;
            }
            Taken::Joined if planted!("current_thread.join_without_interrupt") => {}
            Taken::Joined => scheduler.parking.interrupt(),
            Taken::Waiting => {}
        }
        let polled = context::block_in_line(at, || {
            let _entered = handle.enter();
            apart(|| poll_parked(&parker, &waker, &mut |cx| future.as_mut().poll(cx)))
        });
        if let Some(output) = polled {
            return output;
        }
    }
}

/// Ends the entry of a `block_on`.
struct Entered(u64);

impl Drop for Entered {
    fn drop(&mut self) {
        context::leave(self.0);
    }
}

/// Leaves the line for the core, also when the future unwinds.
struct InLine<'a>(&'a Seat);

impl Drop for InLine<'_> {
    fn drop(&mut self) {
        self.0.leave_line();
    }
}

/// Puts the core back and calls the hook, also when another hook or the deadlock report unwinds.
struct Seated<'a> {
    scheduler: &'a Scheduler,
    core: Option<Box<Core>>,
    /// Who gets the core, if it is not for anybody.
    wanted_by: Cell<Option<ThreadId>>,
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        if let Some(instruments) = &self.scheduler.config.instruments {
            instruments.after_run(0);
        }
        self.scheduler.config.hooks.stop();
        if let Some(core) = self.core.take() {
            match self.wanted_by.get() {
                Some(thread) => self.scheduler.seat.hand_over(core, thread),
                None => self.scheduler.seat.put_back(core),
            }
        }
    }
}

/// `None`: the core was handed over before the future was ready.
fn drive_core<F: Future>(
    shared: &SchedulerRef,
    scheduler: &Scheduler,
    core: Box<Core>,
    at: &'static Location<'static>,
    future: Pin<&mut F>,
) -> Option<F::Output> {
    core.set_driven_at(at);
    let seated = Seated {
        scheduler,
        core: Some(core),
        wanted_by: Cell::new(None),
    };
    let _timers = scheduler.timers.enter();
    let _io = scheduler.io.enter();
    let core = seated.core.as_deref().expect("taken only by the drop");
    // What became ready before is in the line before the main future.
    core.take_aside();
    scheduler.take_inbox(core);
    if let Some(instruments) = &scheduler.config.instruments {
        instruments.before_run(0);
    }
    scheduler.config.hooks.start();
    let driving = Driving::new(shared, Place::Thread(core));
    context::drive(&driving, || {
        let main = Main {
            future,
            output: None,
        };
        run_main(&driving, scheduler, core, main, at)
            .map_err(|thread| seated.wanted_by.set(Some(thread)))
            .ok()
    })
}

/// The main future, on the stack of `block_on`.
struct Main<'a, F: Future> {
    future: Pin<&'a mut F>,
    output: Option<F::Output>,
}

/// What the proxy needs of the main future, whatever its type.
trait PollMain {
    fn poll_main(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

impl<F: Future> PollMain for Main<'_, F> {
    fn poll_main(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.future
            .as_mut()
            .poll(cx)
            .map(|output| self.output = Some(output))
    }
}

/// The future of the main task.
struct Proxy {
    /// Emptied before the main future goes; a proxy without one is never ready.
    main: Rc<Cell<Option<NonNull<dyn PollMain>>>>,
}

impl Future for Proxy {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(mut main) = self.main.get() else {
            return Poll::Pending;
        };
        // SAFETY: `run_main` empties the cell before the main future goes, also on a panic, and before
        // another thread can drive; nobody else uses the future while it is in there.
        unsafe { main.as_mut() }.poll_main(cx)
    }
}

/// `Err`: this thread wants the core, and the main future is not ready.
fn run_main<F: Future>(
    driving: &Driving<'_>,
    scheduler: &Scheduler,
    core: &Core,
    mut main: Main<'_, F>,
    at: &'static Location<'static>,
) -> Result<F::Output, ThreadId> {
    struct Emptied(Rc<Cell<Option<NonNull<dyn PollMain>>>>);
    impl Drop for Emptied {
        fn drop(&mut self) {
            self.0.set(None);
        }
    }
    let pointer: NonNull<dyn PollMain + '_> = NonNull::from(&mut main);
    // SAFETY: only the lifetime changes; the pointer is used only by the proxy, and `Emptied` takes it
    // away before `main` goes.
    let pointer: NonNull<dyn PollMain + 'static> = unsafe { core::mem::transmute(pointer) };
    let link = Rc::new(Cell::new(Some(pointer)));
    let emptied = Emptied(Rc::clone(&link));
    // Cancelled if it is dropped before it is ready: by unwinding, or when the core is wanted.
    let mut joined = spawn_main(driving, Proxy { main: link }, at).cancel_on_drop();
    let run = scheduler.run_until(driving, core, || joined.is_finished());
    drop(emptied);
    if let RunEnded::Wanted(thread) = run {
        return Err(thread);
    }
    let ended = match Pin::new(&mut joined).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ended) => ended,
        Poll::Pending => unreachable!("the run loop ended because the main task has"),
    };
    Ok(finish_main(ended, main.output))
}

fn spawn_main(
    driving: &Driving<'_>,
    proxy: Proxy,
    at: &'static Location<'static>,
) -> JoinHandle<()> {
    let extras = Extras {
        name: Some("main".into()),
        context: TaskContext::of_thread(),
        ..Extras::default()
    };
    let scheduler = TaskScheduler(driving.shared());
    // The proxy is not `Send`, yet any thread may end it: once another one drives, the cell in it is
    // empty, and what was done with it here came before the core was put back.
    let (task, header) = raw::allocate(
        proxy,
        scheduler,
        Shared,
        Some(Box::new(extras)),
        at,
        &driving.source(),
    );
    driving.adopt(task);
    JoinHandle::new(header)
}

fn finish_main<T>(ended: Result<(), JoinError>, output: Option<T>) -> T {
    match (ended, output) {
        (Ok(()), Some(output)) => output,
        (Ok(()), None) => unreachable!("a main task that is ready has left its output"),
        (Err(error), _) if error.is_panic() => resume_unwind(error.into_panic()),
        (Err(error), _) => panic!("tenter: the main future of block_on was cancelled: {error}"),
    }
}
