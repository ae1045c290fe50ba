//! The one allocation of a task: header, scheduler, and the future or what became of it.
//!
//! ```text
//!  Cell ┌ Header ── first cache line: all that a wake, a poll and a join touch
//!       │          second: owned list, spawn site, rarely used block
//!       ├ scheduler: S
//!       ├ ownership: O          (nothing, or the thread that owns a `!Send` future)
//!       └ stage: future ──► output (Result<T, JoinError>) ──► nothing
//! ```
//!
//! Who may touch a field is written on it; the rights are those of [`state`](super::state).

use core::future::Future;
use core::mem::ManuallyDrop;
use core::panic::Location;
use core::pin::Pin;
use core::ptr::NonNull;
use core::task::{Context, Poll, Waker};
use std::sync::{Arc as StdArc, OnceLock};

use tenter_sync::current::{HEAD_TO_SLOT, TaskSlot};
use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicPtr, Ordering};
use tenter_sync::shim::{Live, Mutex, UnsafeCell, thread};

use super::alive::Alive;
use super::callbacks::Callbacks;
use super::cancel::CancelReason;
use super::context::TaskContext;
use super::error::JoinError;
use super::state::State;
use super::vtable::Vtable;
use crate::scope::node::Node;

/// What every task has, whatever its future.
#[repr(C)]
pub struct Header {
    /// Anyone, atomically.
    pub state: State,
    /// Immutable.
    pub vtable: &'static Vtable,
    /// The holder of the queue place (S1): the next task in the run queue or inbox.
    pub next: UnsafeCell<Option<NonNull<Header>>>,
    /// Immutable, but for the note inside, which is atomic.
    pub slot: TaskSlot,
    /// JOIN_WAKER clear and not COMPLETE: the join handle. JOIN_WAKER and COMPLETE: the finisher.
    pub joiner: UnsafeCell<Option<Waker>>,
    /// Anyone, atomically: null until somebody needs it.
    extras: AtomicPtr<Extras>,
    /// The thread that drives the scheduler.
    pub owned: UnsafeCell<Links>,
    /// Immutable.
    pub spawned_at: &'static Location<'static>,
    /// Touched by every use, ended by the free.
    pub live: Live,
}

const _: () = assert!(
    tenter_sync::shim::MODELLED || core::mem::offset_of!(Header, slot) == HEAD_TO_SLOT,
    "a lock knows a task's own waker by the distance from the header to the slot"
);

/// A task's place in the list of all tasks of its scheduler.
#[derive(Clone, Copy, Debug, Default)]
pub struct Links {
    pub previous: Option<NonNull<Header>>,
    pub next: Option<NonNull<Header>>,
}

/// What few tasks have: allocated when first needed, freed with the task.
#[derive(Debug, Default)]
pub struct Extras {
    pub name: Option<StdArc<str>>,
    /// Why the task was cancelled; the first reason stays. The lock also orders requests with the making
    /// of `root`: one of the two sees the other.
    pub reason: Mutex<Option<CancelReason>>,
    /// A name that was given later, which counts instead.
    pub renamed: Mutex<Option<StdArc<str>>>,
    /// The values of context variables.
    pub context: TaskContext,
    /// What is called when the task has ended.
    pub callbacks: Mutex<Callbacks>,
    /// The task as a scope: made when something in it needs to know.
    pub root: OnceLock<StdArc<Node>>,
}

/// What a task does: a future, or one of the runtime's own that may also end with a [`JoinError`].
pub trait Work {
    /// What it makes.
    type Output;
    /// One poll of `task`.
    fn poll_work(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        task: Alive<'_>,
    ) -> Poll<Result<Self::Output, JoinError>>;
}

impl<F: Future> Work for F {
    type Output = F::Output;

    #[inline(always)]
    fn poll_work(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        _task: Alive<'_>,
    ) -> Poll<Result<F::Output, JoinError>> {
        self.poll(cx).map(Ok)
    }
}

/// The thread that a task belongs to.
pub trait Ownership: 'static {
    /// True: the future is `!Send` and lives and dies on one thread.
    const LOCAL: bool;
    /// The owner, if there is one.
    fn thread(&self) -> Option<thread::ThreadId>;
}

/// A task that any thread may poll and drop.
#[derive(Debug)]
pub struct Shared;

impl Ownership for Shared {
    const LOCAL: bool = false;

    fn thread(&self) -> Option<thread::ThreadId> {
        None
    }
}

/// A task that belongs to the thread that spawned it.
#[derive(Debug)]
pub struct Local(pub thread::ThreadId);

impl Ownership for Local {
    const LOCAL: bool = true;

    fn thread(&self) -> Option<thread::ThreadId> {
        Some(self.0)
    }
}

/// What a scheduler does for its tasks.
pub trait Schedule: 'static {
    /// Queues a task that was woken.
    fn schedule(&self, task: super::Runnable);
    /// A failure that nobody can observe any more.
    fn unobserved(&self, failure: &super::Unobserved<'_>);
}

/// The future, or what became of it. It has no tag, for the word says which it is:
///
/// - not COMPLETE: the future; only the holder of RUNNING who ends it puts the output there before that;
/// - COMPLETE: the output, until the join handle takes it, and remembers that it has, or whoever may drop
///   it does;
/// - LEAKED: the future, for ever.
pub union Stage<F: Work> {
    pub future: ManuallyDrop<F>,
    pub output: ManuallyDrop<Result<F::Output, JoinError>>,
}

/// A task.
#[repr(C)]
pub struct Cell<F: Work, S, O> {
    pub header: Header,
    /// Immutable until the free.
    pub scheduler: S,
    /// Immutable.
    pub ownership: O,
    /// The holder of RUNNING; after COMPLETE the join handle, or without one the finisher.
    pub stage: UnsafeCell<Stage<F>>,
}

impl<F: Work, S, O> Cell<F, S, O> {
    /// Takes the output, and moves no more than that: the stage may be as large as the future was. `None`,
    /// if the task was leaked.
    ///
    /// # Safety
    ///
    /// The task is complete, and the output is the caller's, who takes it once.
    #[inline]
    pub unsafe fn take_output(&self) -> Option<Result<F::Output, JoinError>> {
        if self.header.state.load().is_leaked() {
            return None;
        }
        self.stage.with_mut(|stage| {
            // SAFETY: COMPLETE and not LEAKED: it is the output, which by the caller's right nobody else
            // touches, and nobody takes again.
            Some(unsafe { ManuallyDrop::take(&mut (*stage).output) })
        })
    }
}

impl Header {
    /// The header of a task that is about to be queued for the first time.
    pub fn new(
        id: core::num::NonZeroU64,
        vtable: &'static Vtable,
        extras: Option<Box<Extras>>,
        spawned_at: &'static Location<'static>,
    ) -> Self {
        Self {
            state: State::spawned(),
            vtable,
            next: UnsafeCell::new(None),
            slot: TaskSlot::new(id),
            joiner: UnsafeCell::new(None),
            extras: AtomicPtr::new(extras.map_or(core::ptr::null_mut(), Box::into_raw)),
            owned: UnsafeCell::new(Links::default()),
            spawned_at,
            live: Live::new(),
        }
    }

    /// The rarely used block, if the task has one.
    pub fn extras(&self) -> Option<&Extras> {
        // ORDERING: Acquire pairs with the Release in `extras_or_insert`: the block is visible.
        let extras = self.extras.load(Ordering::Acquire);
        // SAFETY: the pointer is null or comes from `Box::into_raw`, is never replaced once it is
        // set, and is freed only in `drop`, which has the header to itself.
        unsafe { extras.as_ref() }
    }

    /// The rarely used block, made now if need be.
    pub fn extras_or_insert(&self) -> &Extras {
        if let Some(extras) = self.extras() {
            return extras;
        }
        let fresh = Box::into_raw(Box::default());
        // ORDERING: Release publishes the block to `extras`; Acquire, on failure too, makes the
        // winner's block visible.
        let won = self.extras.compare_exchange(
            core::ptr::null_mut(),
            fresh,
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        if won.is_err() {
            // SAFETY: `fresh` came from `Box::into_raw` above and was published to nobody.
            drop(unsafe { Box::from_raw(fresh) });
        }
        self.extras().expect("set by this call or by a faster one")
    }

    /// The task's name, if it was given one.
    pub fn name(&self) -> Option<StdArc<str>> {
        let extras = self.extras()?;
        let renamed = extras.renamed.lock().clone();
        renamed.or_else(|| extras.name.clone())
    }

    /// Whether the task was spawned with a name.
    #[inline]
    pub fn is_named(&self) -> bool {
        self.extras().is_some_and(|extras| extras.name.is_some())
    }

    /// The task as a scope, if something in it needed that.
    #[inline]
    pub fn root(&self) -> Option<&StdArc<Node>> {
        self.extras()?.root.get()
    }

    /// The task as a scope. For the thread that polls it.
    pub fn root_or_insert(&self, waker: impl FnOnce() -> Waker) -> &StdArc<Node> {
        let extras = self.extras_or_insert();
        if let Some(root) = extras.root.get() {
            return root;
        }
        let root = Node::new();
        // So that a shield that ends outside a poll of its task can wake it. Given back in `finish`.
        root.register(&waker());
        let reason = {
            // A request puts its reason here under this lock before it looks for a root.
            let reason = extras.reason.lock();
            let _ = extras.root.set(root);
            reason.clone()
        };
        let root = extras
            .root
            .get()
            .expect("set above, by the one thread that polls");
        if let Some(reason) = reason.filter(|_| !planted!("task.root_without_look")) {
            root.cancel(&reason);
        }
        root
    }

    /// Whether somebody asked for the task's end.
    pub fn cancel_requested(&self) -> bool {
        self.extras()
            .is_some_and(|extras| extras.reason.lock().is_some())
    }

    /// task 7 "name", or task 7.
    pub fn describe(&self) -> String {
        match self.name() {
            Some(name) => format!("task {} \"{name}\"", self.slot.id()),
            None => format!("task {}", self.slot.id()),
        }
    }
}

impl Drop for Header {
    fn drop(&mut self) {
        self.live.end();
        // ORDERING: Relaxed. The last reference was acquired by `State::release`.
        let extras = self.extras.load(Ordering::Relaxed);
        if !extras.is_null() {
            // SAFETY: from `Box::into_raw`, and nobody else has a reference to the task any more.
            drop(unsafe { Box::from_raw(extras) });
        }
    }
}

// The price of a task in memory; a field more and every parked task costs 16 bytes more.
const _: () = assert!(
    tenter_sync::shim::MODELLED || size_of::<usize>() != 8 || size_of::<Header>() == 88,
    "a header has 88 bytes"
);

impl core::fmt::Debug for Header {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Task")
            .field("id", &self.slot.id())
            .field("name", &self.name())
            .field("state", &self.state)
            .field("spawned_at", &format_args!("{}", self.spawned_at))
            .field("waiting_on", &self.slot.waiting_on())
            .finish_non_exhaustive()
    }
}
