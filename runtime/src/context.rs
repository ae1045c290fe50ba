//! What a thread knows about runtimes: the one it drives, and those it has entered.
//!
//! ```text
//!  driving: the scheduler whose run loop is further up this stack, if any
//!  entered: a stack of handles; the top one is what `spawn` uses
//! ```
//!
//! Invariants:
//! - X1: `driving` points to a value borrowed by a [`drive`] further up this stack.
//! - X2: `top` is the address of the scheduler of the last entry of `entered`, or null.
//! - X3: `lent` is a task whose poll or end is further up this stack, but in no run loop.

use core::cell::{Cell, RefCell};
use core::mem::offset_of;
use core::panic::Location;
use core::ptr::{self, NonNull};
use core::task::Waker;

use tenter_sync::current::{TaskSlot, slot_address};
use tenter_sync::shim::alloc::Layout;
use tenter_sync::shim::local;

use crate::handle::Handle;
use crate::scheduler::current_thread::Core;
use crate::scheduler::multi_thread::Worker;
use crate::scheduler::shared::{Bank, Kind, Scheduler, SchedulerRef};
use crate::task::Runnable;
use crate::task::alive::Alive;
use crate::task::cell::Header;
use crate::task::memory::{Magazine, Source};
use crate::task::raw::YieldFlag;
use crate::task::waker::WAKER;

/// The run loop that a thread is in.
pub struct Driving<'a> {
    pub scheduler: &'a SchedulerRef,
    pub place: Place<'a>,
    /// Set by the task that is polled when it yields.
    pub yielded: YieldFlag,
    /// The task that is polled.
    pub task: Cell<Option<NonNull<Header>>>,
    /// References to the scheduler for the tasks that are spawned here.
    pub bank: Bank,
    /// Memory for them.
    magazine: Magazine,
}

/// What the thread has of its scheduler.
#[derive(Clone, Copy)]
pub enum Place<'a> {
    /// The core of a single-threaded one.
    Thread(&'a Core),
    /// It is one of many workers.
    Worker(&'a Worker<'a>),
}

impl<'a> Driving<'a> {
    /// A run loop that is about to begin.
    pub fn new(scheduler: &'a SchedulerRef, place: Place<'a>) -> Self {
        Self {
            scheduler,
            place,
            yielded: Cell::new(false),
            task: Cell::new(None),
            bank: Bank::default(),
            magazine: Magazine::default(),
        }
    }

    /// Where tasks that are spawned here get their memory.
    #[inline]
    pub fn source(&self) -> Source<'_> {
        Source::Magazine(&self.magazine, &self.scheduler.depot)
    }

    /// Takes the memory of a task back.
    ///
    /// # Safety
    ///
    /// As [`Magazine::free`].
    #[inline]
    pub unsafe fn free(&self, block: *mut u8, layout: Layout, class: Option<usize>) {
        // SAFETY: the caller's.
        unsafe {
            self.magazine
                .free(&self.scheduler.depot, block, layout, class);
        }
    }

    /// The scheduler, counted.
    #[inline]
    pub fn shared(&self) -> SchedulerRef {
        self.bank.take(self.scheduler)
    }

    /// Runs a task once that was just made on this thread, in the middle of another one or of none.
    pub fn run_eagerly(&self, task: Runnable) {
        self.scheduler.tell_spawned(&task, false);
        match (self.place, &self.scheduler.kind) {
            (Place::Thread(core), Kind::CurrentThread(scheduler)) => {
                scheduler.run_eagerly(self, core, task);
            }
            (Place::Worker(worker), _) => worker.run_eagerly(self, task),
            (Place::Thread(_), Kind::MultiThread(_)) => {
                unreachable!("a core belongs to a single-threaded scheduler")
            }
        }
    }

    /// Takes in a task that was spawned on this thread.
    #[inline(always)]
    pub fn adopt(&self, task: Runnable) {
        match self.place {
            Place::Thread(core) => {
                self.scheduler.tell_spawned(&task, true);
                core.adopt(self.scheduler, task);
            }
            Place::Worker(worker) => {
                if worker.scheduler.config.instruments.is_some() {
                    self.scheduler.tell_spawned(&task, true);
                }
                worker.adopt(task);
            }
        }
    }
}

impl Drop for Driving<'_> {
    fn drop(&mut self) {
        self.magazine.empty(&self.scheduler.depot);
        self.bank.close(self.scheduler);
    }
}

/// A task without a run loop.
#[derive(Clone, Copy)]
struct Lent {
    task: NonNull<Header>,
    /// It is polled, and goes on in a run loop: what it defers finds its turn there.
    goes_on: bool,
}

struct Context {
    driving: Cell<*const Driving<'static>>,
    /// Where a `block_on` that does not drive waits, further up this stack.
    blocking: Cell<Option<&'static Location<'static>>>,
    /// And that it waits to drive.
    in_line: Cell<bool>,
    top: Cell<*const Scheduler>,
    /// A task that is polled or ended here by others than a run loop.
    lent: Cell<Option<Lent>>,
}

local! {
    static CONTEXT: Context = const {
        Context {
            driving: Cell::new(ptr::null()),
            blocking: Cell::new(None),
            in_line: Cell::new(false),
            top: Cell::new(ptr::null()),
            lent: Cell::new(None),
        }
    };
}

local! {
    static ENTERED: RefCell<Vec<(u64, Handle)>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` as the run loop of a scheduler.
pub fn drive<R>(driving: &Driving<'_>, body: impl FnOnce() -> R) -> R {
    struct Restore(*const Driving<'static>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.driving.set(self.0));
        }
    }
    // X1: taken away again before the borrow ends, also when `body` panics. The lifetime is erased;
    // `with_driving` lends the value no longer than a call.
    let pointer: *const Driving<'_> = driving;
    let pointer = pointer.cast::<Driving<'static>>();
    let _restore = Restore(CONTEXT.with(|context| context.driving.replace(pointer)));
    body()
}

/// Runs `body` as if this thread were in no run loop: what it spawns and wakes goes where other threads
/// leave it, and it may block.
pub fn undriven<R>(body: impl FnOnce() -> R) -> R {
    struct Restore(*const Driving<'static>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.driving.set(self.0));
        }
    }
    let task = driven_header();
    let _restore = Restore(CONTEXT.with(|context| context.driving.replace(ptr::null())));
    match task {
        Some(task) => lend(task, body),
        None => body(),
    }
}

/// Runs `body`, in which `task` is polled or ended, and which is no run loop. It may be freed in there, after
/// its slot was taken away again.
pub fn lend<R>(task: NonNull<Header>, body: impl FnOnce() -> R) -> R {
    let outer = CONTEXT.with(|context| context.lent.get());
    // The future is dropped in the poll in which it was cancelled.
    let goes_on = outer.is_some_and(|outer| outer.goes_on && outer.task == task);
    with_lent(Lent { task, goes_on }, body)
}

/// [`lend`] for a poll of a task that goes on in a run loop.
pub fn lend_poll<R>(task: NonNull<Header>, body: impl FnOnce() -> R) -> R {
    let goes_on = true;
    with_lent(Lent { task, goes_on }, body)
}

fn with_lent<R>(lent: Lent, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<Lent>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.lent.set(self.0));
        }
    }
    // X3: taken away again also when `body` panics.
    let _restore = Restore(CONTEXT.with(|context| context.lent.replace(Some(lent))));
    body()
}

/// Shows the task that this thread polls or ends, wherever that is: in a run loop, on a thread for
/// blocking jobs, inside `block_in_place`, at the end of its runtime.
pub fn with_current_task<R>(body: impl FnOnce(Option<Alive<'_>>) -> R) -> R {
    let lent = CONTEXT.with(|context| context.lent.get());
    let slot = slot_address();
    let lent = lent.map(|lent| lent.task);
    let header = driven_header().into_iter().chain(lent).find_map(|task| {
        // SAFETY: the slot is in use, so by I1 of `tenter_sync::current` the task's poll or end is further
        // up this stack, and the task outlives this call. A task that was freed is not looked at.
        is_slot_of(slot, task).then(|| unsafe { Alive::new(task) })
    });
    body(header)
}

/// Whether the slot of the poll that this thread is in is that of a task. Further down the stack may be a
/// poll of another one, or the future of a `block_on`.
fn is_slot_of(slot: *const TaskSlot, task: NonNull<Header>) -> bool {
    let own = task.as_ptr().wrapping_byte_add(offset_of!(Header, slot));
    ptr::eq(own.cast(), slot)
}

/// Shows the run loop that this thread is in.
#[inline(always)]
pub fn with_driving<R>(body: impl FnOnce(Option<&Driving<'_>>) -> R) -> R {
    let driving = CONTEXT.with(|context| context.driving.get());
    // SAFETY: X1: borrowed further up this stack, so it lives longer than this call. Were the pointer
    // left behind after `drive` returned, this would read a dead stack frame.
    body(unsafe { driving.as_ref() })
}

/// Asks the run loop to send the current task to the end of the line. False: `waker` is not the
/// current task's own, so the caller has to wake it.
#[inline]
pub fn yield_current(waker: &Waker) -> bool {
    with_driving(|driving| match driving {
        Some(driving) if is_waker_of(waker, driving.task.get()) => {
            driving.yielded.set(true);
            true
        }
        _ => false,
    })
}

fn is_waker_of(waker: &Waker, task: Option<NonNull<Header>>) -> bool {
    task.is_some_and(|task| ptr::eq(waker.data(), task.as_ptr().cast()))
        && ptr::eq(waker.vtable(), &raw const WAKER)
}

/// Whether the runtime whose loop this thread is in still takes tasks. True in no loop.
pub fn takes_tasks() -> bool {
    with_driving(|driving| match driving.map(|driving| &driving.place) {
        Some(Place::Thread(core)) => core.takes_tasks(),
        Some(Place::Worker(worker)) => worker.takes_tasks(),
        None => true,
    })
}

/// The task that the run loop of this thread polls.
fn driven_header() -> Option<NonNull<Header>> {
    with_driving(|driving| driving.and_then(|driving| driving.task.get()))
}

/// Notes that this thread waits in a `block_on` called at `place`, which does not drive.
pub fn block<R>(place: &'static Location<'static>, body: impl FnOnce() -> R) -> R {
    struct Restore(Option<&'static Location<'static>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.blocking.set(self.0));
        }
    }
    let _restore = Restore(CONTEXT.with(|context| context.blocking.replace(Some(place))));
    body()
}

/// [`block`] of a thread that waits to drive: its own `!Send` tasks may wait for it.
pub fn block_in_line<R>(place: &'static Location<'static>, body: impl FnOnce() -> R) -> R {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            CONTEXT.with(|context| context.in_line.set(self.0));
        }
    }
    let _restore = Restore(CONTEXT.with(|context| context.in_line.replace(true)));
    block(place, body)
}

/// The `block_on` in which this thread runs, or may have to run, tasks that no other thread can.
pub fn is_needed_by_tasks() -> Option<Blocked> {
    let in_line = || CONTEXT.with(|context| context.in_line.get());
    blocked_at().filter(|_| {
        with_driving(|driving| match driving {
            Some(driving) => matches!(driving.place, Place::Thread(_)),
            None => in_line(),
        })
    })
}

/// Why this thread may not block, if it may not.
pub fn blocked_at() -> Option<Blocked> {
    let driving = with_driving(|driving| {
        driving.map(|driving| match driving.place {
            Place::Thread(core) => Blocked::At(core.driven_at()),
            Place::Worker(_) => Blocked::Worker,
        })
    });
    driving.or_else(|| CONTEXT.with(|context| context.blocking.get().map(Blocked::At)))
}

/// Why a thread may not block.
#[derive(Clone, Copy, Debug)]
pub enum Blocked {
    /// It is in the `block_on` that was called there.
    At(&'static Location<'static>),
    /// It is a worker of a runtime.
    Worker,
}

/// Makes `handle` the one that `spawn` uses on this thread. The number is for [`leave`].
///
/// A thread that is ending has dropped its stack of handles already: a runtime in a thread-local may
/// still be ended there, in no runtime.
pub fn enter(handle: Handle) -> u64 {
    let entered = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let number = entered.last().map_or(1, |(number, _)| number + 1);
        CONTEXT.with(|context| context.top.set(handle.scheduler_address()));
        entered.push((number, handle));
        number
    });
    entered.unwrap_or(0)
}

/// Ends an entry, in whatever order guards are dropped.
pub fn leave(number: u64) {
    // A thread that is ending may have dropped its stack of handles already.
    let left = ENTERED.try_with(|entered| {
        let mut entered = entered.borrow_mut();
        let index = entered.iter().rposition(|(entry, _)| *entry == number)?;
        let (_, handle) = entered.remove(index);
        let top = entered
            .last()
            .map_or(ptr::null(), |(_, handle)| handle.scheduler_address());
        CONTEXT.with(|context| context.top.set(top));
        Some(handle)
    });
    // Dropped outside the borrow: the last handle of a runtime runs destructors.
    drop(left);
}

/// The handle that `spawn` uses on this thread.
pub fn current_handle() -> Option<Handle> {
    ENTERED
        .try_with(|entered| entered.borrow().last().map(|(_, handle)| handle.clone()))
        .ok()?
}

/// Lends the run loop that this thread is in, if it is that of the runtime that `spawn` uses.
#[inline]
pub fn with_local_spawner<R>(body: impl FnOnce(Option<&Driving<'_>>) -> R) -> R {
    let top = CONTEXT.with(|context| context.top.get());
    with_driving(|driving| {
        body(driving.filter(|driving| ptr::eq(driving.scheduler.address(), top)))
    })
}
