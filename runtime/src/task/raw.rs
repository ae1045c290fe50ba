//! What is done with a task known by its header: running it, ending it, waking who waits for it.
//!
//! A task is known to the rest of the runtime as a pointer that stands for a counted reference, a
//! [`Runnable`] (its place in a queue, S1) or a borrowed [`Header`]. The type of the future is known
//! only to the functions in the [`Vtable`] (`vtable.rs`).
//!
//! # Panics in user code
//!
//! | where | fate |
//! |---|---|
//! | poll | the future is dropped, the payload becomes the task's `JoinError` |
//! | drop of the future after it was ready | the output stands; the payload is reported |
//! | drop of the future after a panic in poll | the first payload stands; the second is reported |
//! | drop of the future on cancellation | the payload becomes the task's `JoinError` |
//! | drop of an output that nobody takes | the payload is reported |
//! | drop of a payload | swallowed; after 16 payloads that throw each other the next one is leaked |
//! | drop of a joiner's waker, or its wake | the payload is reported |
//! | drop of the value of a context variable when the task ends | the payload is reported |
//! | a callback of `on_done` | the payload is reported; the next one is called |
//!
//! "Reported" is [`Schedule::unobserved`]. None of these unwinds into the scheduler.

use core::mem::ManuallyDrop;
use core::ops::Deref;
use core::panic::Location;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tenter_sync::budget;
use tenter_sync::current::with_task;
use tenter_sync::shim::alloc::{Layout, handle_alloc_error};
use tenter_sync::shim::thread::ThreadId;

use crate::context;
use crate::instrument::TaskEnd;

use super::alive::Alive;
use super::callbacks;
use super::cell::{Cell, Extras, Header, Ownership, Schedule, Stage, Work};
use super::error::{JoinError, UnobservedKind};
use super::id;
use super::memory::{self, Source};
use super::payload::drop_payload;
use super::state::{BeginPoll, Claim, EndCleanUp, EndPoll, Finish};
use super::task_ref::TaskRef;
use super::vtable::{TableOf, Vtable};
use super::waker;

/// Makes a task: its place in a queue, and the pointer for the join handle, which owns the second
/// reference.
///
/// The caller answers for what the ownership promises: with [`super::cell::Shared`] the future may be
/// polled and dropped on any thread; with [`super::cell::Local`] only on the owner.
#[inline]
pub fn allocate<F: Work, S: Schedule, O: Ownership>(
    future: F,
    scheduler: S,
    ownership: O,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
    source: &Source<'_>,
) -> (Runnable, NonNull<Header>) {
    allocate_with(|_| future, scheduler, ownership, extras, spawned_at, source)
}

/// [`allocate`] of work that knows its task: `make` gets it before anybody can poll it, and may count
/// references to it. If `make` panics, the memory is kept for ever.
#[inline(always)]
pub fn allocate_with<F: Work, S: Schedule, O: Ownership>(
    make: impl FnOnce(NonNull<Header>) -> F,
    scheduler: S,
    ownership: O,
    extras: Option<Box<Extras>>,
    spawned_at: &'static Location<'static>,
    source: &Source<'_>,
) -> (Runnable, NonNull<Header>) {
    let vtable: &'static Vtable = const { &TableOf::<F, S, O>::TABLE };
    let layout = const { Layout::new::<Cell<F, S, O>>() };
    let class = const { memory::class_of(Layout::new::<Cell<F, S, O>>()) };
    // SAFETY: (a) the class is that of the layout, which is not empty, for a cell has a header.
    let memory = unsafe { source.allocate(layout, class) }.cast::<Cell<F, S, O>>();
    let Some(cell) = NonNull::new(memory) else {
        handle_alloc_error(layout)
    };
    let header = cell.cast::<Header>();
    let cell = cell.as_ptr();
    // SAFETY: freshly allocated with the layout of the cell, and nobody else knows the address. Whoever
    // learns it from `make` has no right but to the header, which is complete by then: the stage belongs
    // to whoever polls, and the place in a queue is returned at the end.
    unsafe {
        (&raw mut (*cell).header).write(Header::new(id::next(), vtable, extras, spawned_at));
        (&raw mut (*cell).scheduler).write(scheduler);
        (&raw mut (*cell).ownership).write(ownership);
        let stage = Stage {
            future: ManuallyDrop::new(make(header)),
        };
        (&raw mut (*cell).stage).write(tenter_sync::shim::UnsafeCell::new(stage));
    }
    (Runnable(header), header)
}

/// The right that comes with a task's place in a queue (S1). It does not count as a reference: until
/// the task is complete, the scheduler's own keeps it alive.
#[derive(Debug)]
pub struct Runnable(NonNull<Header>);

// SAFETY: the place in a queue may be handed to any thread; whether that thread may also poll is
// asked of the task (`owner`) by the scheduler before it does. The header is atomic or guarded.
unsafe impl Send for Runnable {}

/// Set by a task that is being polled and wants to go to the end of the line; kept by the thread.
pub type YieldFlag = core::cell::Cell<bool>;

/// What became of a task that was run.
#[must_use]
#[derive(Debug)]
pub enum Ran {
    /// It goes to the end of the queue.
    Requeue(Runnable),
    /// It sleeps, and somebody else may have its place already.
    Parked,
    /// It is complete.
    Finished,
}

/// A task that ends: its output is in place, and nobody knows of it yet. RUNNING is the lender's.
#[derive(Debug)]
pub struct Ending(NonNull<Header>);

impl Ending {
    /// The task, to be looked at.
    pub fn alive(&self) -> Alive<'_> {
        // SAFETY: (a) `finish` has the pointer to the whole, and (b) holds RUNNING for as long as it lends this.
        unsafe { Alive::new(self.0) }
    }

    /// How it ends.
    pub fn end(&self) -> TaskEnd {
        // SAFETY: the table is the task's own; `finish` lends this with RUNNING and the output in place.
        unsafe { (self.vtable.end)(self.0) }
    }
}

impl Deref for Ending {
    type Target = Header;

    #[inline]
    fn deref(&self) -> &Header {
        // SAFETY: `finish` holds RUNNING for as long as it lends this, which keeps the task alive.
        unsafe { self.0.as_ref() }
    }
}

impl Runnable {
    /// Takes a place in a queue back out of its pointer.
    ///
    /// # Safety
    ///
    /// (a) The pointer came from [`Runnable::into_raw`], and the place is the caller's.
    pub unsafe fn from_raw(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// Gives the place to a queue.
    pub fn into_raw(self) -> NonNull<Header> {
        self.0
    }

    /// The task, without its place.
    #[inline]
    pub fn pointer(&self) -> NonNull<Header> {
        self.0
    }

    /// The task's header.
    #[inline]
    pub fn header(&self) -> Alive<'_> {
        // SAFETY: until the task is complete the scheduler's reference keeps it alive, and only the
        // holder of this place can complete it.
        unsafe { Alive::new(self.0) }
    }

    /// The thread that a `!Send` task belongs to.
    #[inline]
    pub fn owner(&self) -> Option<ThreadId> {
        // SAFETY: (a) until the task is complete, its place in a queue keeps it alive.
        unsafe { owner_of(self.0) }
    }

    /// Runs the task once. `yielded` is where the poll says that it yields. `enlist` puts it on a list of
    /// the scheduler if it goes on after its first poll, and says which one; `unlist` takes it off if it
    /// ends here, and the scheduler's reference goes with it.
    ///
    /// # Safety
    ///
    /// (a) If the task has an owner, this is its thread.
    #[inline]
    pub unsafe fn run(
        self,
        yielded: &YieldFlag,
        enlist: impl FnOnce(Alive<'_>) -> Option<usize>,
        unlist: impl FnOnce(&Ending),
    ) -> Ran {
        // SAFETY: (a).
        unsafe { self.run_telling(yielded, enlist, unlist, || ()) }
    }

    /// [`run`](Self::run) that calls `pending` when the poll is over and the task is not, while nobody else
    /// can run it yet.
    ///
    /// # Safety
    ///
    /// (a) If the task has an owner, this is its thread.
    #[inline]
    pub unsafe fn run_telling(
        self,
        yielded: &YieldFlag,
        enlist: impl FnOnce(Alive<'_>) -> Option<usize>,
        unlist: impl FnOnce(&Ending),
        pending: impl FnOnce(),
    ) -> Ran {
        let task = self.0;
        // SAFETY: S1: alive until complete.
        let header = unsafe { Alive::new(task) };
        header.live.touch();
        let first = match header.state.begin_poll() {
            BeginPoll::Poll => false,
            BeginPoll::PollFirst => true,
            BeginPoll::Discard => {
                // SAFETY: `begin_poll` gave RUNNING and CLEANING; on the right thread by (a).
                unsafe { discard_future(task) };
                // SAFETY: the output is in place, and RUNNING is ours.
                return unsafe { clean_up_or_finish(task, yielded, Some(enlist), unlist, pending) };
            }
            BeginPoll::CleanUp => {
                // SAFETY: the output is in place since the task is CLEANING (S8), and RUNNING is ours.
                return unsafe { poll_clean_ups(task, yielded, unlist, pending) };
            }
        };
        header.slot.clear_waiting_on();
        // SAFETY: (a) S1 and then S2 keep the task alive during the poll; (b) never dropped.
        let waker = unsafe { waker::lend(task) };
        let mut cx = Context::from_waker(&waker);
        let polled = with_task(&header.slot, budget::PER_POLL, || {
            // SAFETY: the table is the task's own; RUNNING is ours; on the right thread by (a).
            unsafe { (header.vtable.poll)(task, &mut cx) }
        });
        if polled.is_ready() {
            // A yield that the task began and did not wait for is not the next task's.
            yielded.set(false);
            let enlist = first.then_some(enlist);
            // SAFETY: the output is in place and RUNNING is ours.
            return unsafe { clean_up_or_finish(task, yielded, enlist, unlist, pending) };
        }
        pending();
        if first {
            // While RUNNING is ours: after `end_poll` another thread may run the task, and end it.
            if let Some(list) = enlist(header) {
                header.state.enlist(list);
            }
        }
        let held = header.root().is_some_and(|root| {
            root.register(&waker);
            let held = root.is_held();
            if held || !root.is_cancelled() {
                // Else the task ends here, and does what was left to it.
                root.reap();
            }
            held
        });
        let yielded_now = yielded.replace(false);
        match header.state.end_poll(held, yielded_now) {
            EndPoll::Requeue => Ran::Requeue(Runnable(task)),
            EndPoll::Release => Ran::Parked,
            EndPoll::Discard => {
                // SAFETY: RUNNING stays ours together with CLEANING; on the right thread by (a).
                unsafe { discard_future(task) };
                // SAFETY: the output is in place and RUNNING is ours.
                unsafe { clean_up_or_finish(task, yielded, None::<NoList>, unlist, || ()) }
            }
        }
    }
}

/// What puts a task on a list that is on one already.
type NoList = fn(Alive<'_>) -> Option<usize>;

/// The future is gone. What it left to be cleaned up is polled before the task is complete.
///
/// # Safety
///
/// (a) The caller holds RUNNING, and (b) the stage holds the output.
#[inline]
unsafe fn clean_up_or_finish(
    task: NonNull<Header>,
    yielded: &YieldFlag,
    enlist: Option<impl FnOnce(Alive<'_>) -> Option<usize>>,
    unlist: impl FnOnce(&Ending),
    pending: impl FnOnce(),
) -> Ran {
    // SAFETY: RUNNING keeps the scheduler's reference in place.
    let header = unsafe { Alive::new(task) };
    if header.root().is_none_or(|root| !root.has_clean_ups()) {
        // SAFETY: (a) and (b).
        unsafe { finish(task, unlist) };
        return Ran::Finished;
    }
    header.state.begin_clean_up();
    if let Some(list) = enlist.and_then(|enlist| enlist(header)) {
        header.state.enlist(list);
    }
    // SAFETY: (a) and (b).
    unsafe { poll_clean_ups(task, yielded, unlist, pending) }
}

/// Polls what the future left. Nothing cancels it; it bounds itself.
///
/// # Safety
///
/// (a) The caller holds RUNNING and CLEANING, and (b) the stage holds the output.
#[cold]
unsafe fn poll_clean_ups(
    task: NonNull<Header>,
    yielded: &YieldFlag,
    unlist: impl FnOnce(&Ending),
    pending: impl FnOnce(),
) -> Ran {
    // SAFETY: RUNNING keeps the scheduler's reference in place.
    let header = unsafe { Alive::new(task) };
    header.slot.clear_waiting_on();
    // SAFETY: (a) S2 keeps the task alive during the poll; (b) never dropped.
    let waker = unsafe { waker::lend(task) };
    let mut cx = Context::from_waker(&waker);
    let polled = with_task(&header.slot, budget::PER_POLL, || match header.root() {
        Some(root) => root.poll_clean_ups(&mut cx),
        None => Poll::Ready(()),
    });
    let yielded = yielded.replace(false);
    if polled.is_ready() {
        // SAFETY: (a) and (b).
        unsafe { finish(task, unlist) };
        return Ran::Finished;
    }
    pending();
    match header.state.end_clean_up(yielded) {
        EndCleanUp::Requeue => Ran::Requeue(Runnable(task)),
        EndCleanUp::Release => Ran::Parked,
    }
}

/// The thread that a `!Send` task belongs to.
///
/// # Safety
///
/// (a) The task is alive.
#[inline]
pub unsafe fn owner_of(task: NonNull<Header>) -> Option<ThreadId> {
    // SAFETY: alive by (a).
    let header = unsafe { Alive::new(task) };
    if !header.vtable.local {
        return None;
    }
    // SAFETY: the table is the task's own.
    unsafe { (header.vtable.owner)(task) }
}

/// Ends a task at shutdown, whatever it is queued in. Its scheduler has stopped: no queue holds it any
/// more, and a late wake finds the queues closed.
///
/// # Safety
///
/// (a) The scheduler's reference to `task` is the caller's; (b) if the task has an owner, this is its
/// thread.
pub unsafe fn shut_down(task: NonNull<Header>, unlist: impl FnOnce(&Ending)) {
    // SAFETY: alive by (a).
    let header = unsafe { Alive::new(task) };
    let claim = header.state.claim_for_shutdown();
    debug_assert!(
        claim != Claim::Nothing,
        "a task on the list is neither complete nor running: {header:?}"
    );
    // SAFETY: RUNNING and CLEANING are ours if it is a claim; on the right thread by (b).
    unsafe { end_claimed(task, claim, unlist) };
}

/// Ends a task for which there is a claim.
///
/// # Safety
///
/// (a) The claim is the caller's, and used once; (b) if the task has an owner, this is its thread.
pub unsafe fn end_claimed(task: NonNull<Header>, claim: Claim, unlist: impl FnOnce(&Ending)) {
    match claim {
        Claim::Nothing => return,
        // SAFETY: RUNNING and CLEANING are ours by (a); on the right thread by (b).
        Claim::Future => unsafe { discard_future(task) },
        Claim::CleanUps => {}
    }
    // SAFETY: RUNNING keeps the scheduler's reference in place.
    let header = unsafe { Alive::new(task) };
    if let Some(root) = header.root() {
        // There is nobody left to poll them.
        context::lend(task, || {
            with_task(&header.slot, budget::PER_POLL, || {
                root.abandon_clean_ups(|line| {
                    report(task, UnobservedKind::CleanUp, Box::new(line));
                });
            });
        });
    }
    // SAFETY: the output is in place: `discard_future` left it there, or S8 says so. RUNNING by (a).
    unsafe { finish(task, unlist) };
}

/// Ends a `!Send` task away from its owner: whoever joins it learns that it was cancelled, but the
/// future stays where it is, undropped, and its memory is kept for ever.
///
/// # Safety
///
/// (a) The scheduler's reference to `task` is the caller's, who gives it to nobody.
pub unsafe fn leak(task: NonNull<Header>) {
    // SAFETY: alive by (a).
    let header = unsafe { Alive::new(task) };
    if header.state.claim_for_leak() != Claim::Nothing {
        match header.state.finish() {
            Finish::WakeJoiner => wake_joiner(task),
            // `take_output` and `drop_output` find the future, and leave it alone.
            Finish::LeaveOutput | Finish::DropOutput => {}
        }
    }
}

/// Drops the future of a task that is cancelled, and leaves that as its output.
///
/// # Safety
///
/// (a) The caller holds RUNNING and CLEANING, (b) on the right thread, and (c) the stage is the future.
#[cold]
unsafe fn discard_future(task: NonNull<Header>) {
    // SAFETY: RUNNING keeps the scheduler's reference in place.
    let header = unsafe { Alive::new(task) };
    let error = JoinError::cancelled(&header);
    // Destructors are the task's own code, and may ask whose.
    let discard = || {
        // SAFETY: the table is the task's own; RUNNING by (a).
        unsafe { (header.vtable.discard)(task, error) };
    };
    context::lend(task, || with_task(&header.slot, budget::PER_POLL, discard));
}

/// # Safety
///
/// (a) The caller holds RUNNING, and (b) the stage holds the output.
#[inline]
unsafe fn finish(task: NonNull<Header>, unlist: impl FnOnce(&Ending)) {
    // SAFETY: RUNNING keeps the scheduler's reference in place.
    let header = unsafe { Alive::new(task) };
    unlist(&Ending(task));
    if let Some(root) = header.root() {
        // It holds a waker, and so a reference.
        root.leave();
    }
    if !header.state.load().has_join() {
        // SAFETY: nobody can come to want the output any more (S4), so it is ours by (a).
        unsafe { (header.vtable.drop_output)(task) };
        let kept = header.extras().map(|_| TaskRef::new(header));
        if header.state.finish_detached() {
            // SAFETY: that was the last reference.
            unsafe { (header.vtable.dealloc)(task) };
        }
        if let Some(kept) = kept {
            callbacks::after_end(kept.header());
        }
        return;
    }
    match header.state.finish() {
        Finish::WakeJoiner => wake_joiner(task),
        Finish::LeaveOutput => {}
        // SAFETY: COMPLETE without a join handle makes the output the finisher's.
        Finish::DropOutput => unsafe { (header.vtable.drop_output)(task) },
    }
    if header.extras().is_some() {
        callbacks::after_end(header);
    }
    // SAFETY: this is the scheduler's reference, not used again.
    unsafe { release(task) };
}

/// The finisher's duty after `WakeJoiner`.
#[inline]
fn wake_joiner(task: NonNull<Header>) {
    // SAFETY: the finisher has the scheduler's reference.
    let header = unsafe { Alive::new(task) };
    let take = |waker: *mut Option<Waker>| {
        // SAFETY: JOIN_WAKER and COMPLETE make the waker the finisher's alone.
        unsafe { (*waker).take() }
    };
    let waker = header.joiner.with_mut(take);
    debug_assert!(waker.is_some(), "S4: JOIN_WAKER without a waker");
    guarded(task, UnobservedKind::JoinerWake, move || {
        if let Some(waker) = waker {
            waker.wake();
        }
    });
}

/// Drops one reference.
///
/// # Safety
///
/// (a) The reference is the caller's, who does not use the task again.
pub unsafe fn release(task: NonNull<Header>) {
    // SAFETY: alive by (a).
    let header = unsafe { Alive::new(task) };
    header.live.touch();
    if header.state.release() {
        // SAFETY: that was the last reference.
        unsafe { (header.vtable.dealloc)(task) };
    }
}

/// Somebody wants the task polled, or has just cancelled it into a queue.
///
/// # Safety
///
/// (a) The caller has a reference to the task until this returns, and (b) it got `Submit`.
pub unsafe fn submit(task: NonNull<Header>) {
    // SAFETY: alive by (a).
    let header = unsafe { Alive::new(task) };
    // SAFETY: the table is the task's own; the place is passed on by (b).
    unsafe { (header.vtable.schedule)(task) };
}

/// Runs user code that nobody waits for; its panic is reported, not unwound.
pub fn guarded(task: NonNull<Header>, kind: UnobservedKind, body: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(body)) {
        report(task, kind, payload);
    }
}

#[cold]
pub fn report(task: NonNull<Header>, kind: UnobservedKind, payload: Box<dyn Any + Send>) {
    // SAFETY: the callers are inside the life of a reference or of RUNNING.
    let header = unsafe { Alive::new(task) };
    // SAFETY: the table is the task's own.
    unsafe { (header.vtable.unobserved)(task, kind, &*payload) };
    drop_payload(payload);
}
