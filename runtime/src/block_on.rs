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
//! back.

use core::cell::Cell;
use core::future::Future;
use core::panic::Location;
use core::pin::{Pin, pin};
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::sync::Arc as StdArc;

use tenter_sync::current::without_task;
use tenter_sync::shim::{Arc, local, thread};

use crate::context::{self, Driving};
use crate::handle::Handle;
use crate::scheduler::current_thread::{Core, Scheduler, TaskScheduler, poll_parked};
use crate::scheduler::parking::ThreadParker;
use crate::task::cell::{Extras, Local};
use crate::task::{JoinError, JoinHandle, raw};

local! {
    /// The parker of this thread, for when it waits without driving.
    static PARKER: StdArc<ThreadParker> = ThreadParker::new();
}

fn thread_parker() -> (StdArc<ThreadParker>, Waker) {
    // A thread that is ending has no thread-locals any more; it gets a parker of its own.
    let parker = PARKER
        .try_with(StdArc::clone)
        .unwrap_or_else(|_| ThreadParker::new());
    let waker = Waker::from(StdArc::clone(&parker));
    (parker, waker)
}

/// Runs a future on a thread that drives nothing.
pub fn wait<F: Future>(at: &'static Location<'static>, future: F) -> F::Output {
    let mut future = pin!(future);
    let (parker, waker) = thread_parker();
    context::block(at, || {
        without_task(|| {
            loop {
                let polled = poll_parked(&parker, &waker, &mut |cx| future.as_mut().poll(cx));
                if let Some(output) = polled {
                    return output;
                }
            }
        })
    })
}

/// Runs a future on `scheduler`, driving it as soon as no other thread does.
pub fn drive<F: Future>(
    scheduler: &Arc<Scheduler>,
    at: &'static Location<'static>,
    future: F,
) -> F::Output {
    let mut future = pin!(future);
    if let Some(core) = scheduler.take_core(None) {
        return drive_core(scheduler, core, at, future);
    }
    let (parker, waker) = thread_parker();
    let handle = Handle::new(Arc::clone(scheduler));
    loop {
        if let Some(core) = scheduler.take_core(Some(&parker)) {
            return drive_core(scheduler, core, at, future);
        }
        let polled = context::block(at, || {
            let _entered = handle.enter();
            without_task(|| poll_parked(&parker, &waker, &mut |cx| future.as_mut().poll(cx)))
        });
        if let Some(output) = polled {
            return output;
        }
    }
}

/// Puts the core back, calls the hook and leaves the context, also when a hook or the deadlock report
/// unwinds.
struct Seated<'a> {
    scheduler: &'a Arc<Scheduler>,
    core: Option<Box<Core>>,
    entered: u64,
}

impl Drop for Seated<'_> {
    fn drop(&mut self) {
        self.scheduler.config.hooks.stop();
        if let Some(core) = self.core.take() {
            self.scheduler.put_core(core);
        }
        context::leave(self.entered);
    }
}

fn drive_core<F: Future>(
    scheduler: &Arc<Scheduler>,
    core: Box<Core>,
    at: &'static Location<'static>,
    future: Pin<&mut F>,
) -> F::Output {
    core.set_driven_at(at);
    let entered = context::enter(Handle::new(Arc::clone(scheduler)));
    let seated = Seated {
        scheduler,
        core: Some(core),
        entered,
    };
    let _timers = scheduler.timers.enter();
    let _io = scheduler.io.enter();
    let core = seated.core.as_deref().expect("taken only by the drop");
    core.take_aside();
    scheduler.config.hooks.start();
    let driving = Driving::new(scheduler, core);
    context::drive(&driving, || {
        let main = Main {
            future,
            output: None,
        };
        run_main(&driving, main, at)
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
        // SAFETY: `run_main` empties the cell before the main future goes, also on a panic; nobody else
        // uses the future while it is in there. The task is local to this thread.
        unsafe { main.as_mut() }.poll_main(cx)
    }
}

fn run_main<F: Future>(
    driving: &Driving<'_>,
    mut main: Main<'_, F>,
    at: &'static Location<'static>,
) -> F::Output {
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
    let mut joined = spawn_main(driving, Proxy { main: link }, at);
    driving
        .scheduler
        .run_until(driving, || joined.is_finished());
    drop(emptied);
    let ended = match Pin::new(&mut joined).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(ended) => ended,
        Poll::Pending => unreachable!("the run loop ended because the main task has"),
    };
    finish_main(ended, main.output)
}

fn spawn_main(
    driving: &Driving<'_>,
    proxy: Proxy,
    at: &'static Location<'static>,
) -> JoinHandle<()> {
    let extras = Extras {
        name: Some("main".into()),
        ..Extras::default()
    };
    let scheduler = TaskScheduler(driving.shared());
    let ownership = Local(thread::current_id());
    let (task, header) = raw::allocate(proxy, scheduler, ownership, Some(Box::new(extras)), at);
    driving.core.adopt(driving.scheduler, task);
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
