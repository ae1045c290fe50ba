//! The one allocation of a task: header, scheduler, and the future or what became of it.
//!
//! ```text
//!  Cell ┌ Header ── first cache line: all that a wake, a poll and a join touch
//!       │          second: owned list, spawn site, rarely used block
//!       ├ scheduler: S
//!       ├ ownership: O          (nothing, or the thread that owns a `!Send` future)
//!       └ stage: Future ──► Finished(Result<T, JoinError>) ──► Consumed
//! ```
//!
//! Who may touch a field is written on it; the rights are those of [`state`](super::state).

use core::cell::Cell as PlainCell;
use core::future::Future;
use core::panic::Location;
use core::ptr::{self, NonNull};
use core::task::Waker;
use std::sync::Arc as StdArc;

use tenter_sync::current::TaskSlot;
use tenter_sync::shim::atomic::{AtomicPtr, AtomicU32, Ordering};
use tenter_sync::shim::{Live, Mutex, UnsafeCell, thread};

use super::cancel::CancelReason;
use super::error::JoinError;
use super::raw::Vtable;
use super::state::State;

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
    /// The holder of RUNNING: the innermost scope of the task. Structured concurrency hangs its tree
    /// here; a task that was spawned outside a group has none.
    pub scope: PlainCell<Option<NonNull<()>>>,
    /// Touched by every use, ended by the free.
    pub live: Live,
}

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
    /// Why the task was cancelled; the first reason stays.
    pub reason: Mutex<Option<CancelReason>>,
    /// How many shields are in progress in the task.
    pub shields: AtomicU32,
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

/// The future, or what became of it.
pub enum Stage<F: Future> {
    /// Not ready yet.
    Future(F),
    /// Ready, cancelled or panicked.
    Finished(Result<F::Output, JoinError>),
    /// Taken, or dropped.
    Consumed,
}

/// A task.
#[repr(C)]
pub struct Cell<F: Future, S, O> {
    pub header: Header,
    /// Immutable until the free.
    pub scheduler: S,
    /// Immutable.
    pub ownership: O,
    /// The holder of RUNNING; after COMPLETE the join handle, or without one the finisher.
    pub stage: UnsafeCell<Stage<F>>,
}

/// What became of a future.
pub enum Taken<T> {
    Output(Result<T, JoinError>),
    /// The output was taken before.
    Before,
    /// The task was leaked: the future stays pinned where it is.
    Leaked,
}

impl<F: Future, S, O> Cell<F, S, O> {
    /// Takes the output, and moves no more than that: the stage may be as large as the future was.
    ///
    /// # Safety
    ///
    /// The task is complete, and the output is the caller's.
    #[inline]
    pub unsafe fn take_output(&self) -> Taken<F::Output> {
        self.stage.with_mut(|stage| {
            // SAFETY: by the caller's right nobody else touches the stage.
            match unsafe { &mut *stage } {
                Stage::Future(_) => Taken::Leaked,
                Stage::Consumed => Taken::Before,
                Stage::Finished(output) => {
                    // SAFETY: read once, for it is overwritten below without being dropped.
                    let output = unsafe { ptr::read(output) };
                    // SAFETY: as above.
                    unsafe { ptr::write(stage, Stage::Consumed) };
                    Taken::Output(output)
                }
            }
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
            scope: PlainCell::new(None),
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
        self.extras().and_then(|extras| extras.name.clone())
    }

    /// Whether a shield is in progress.
    #[inline]
    pub fn is_shielded(&self) -> bool {
        // ORDERING: Relaxed. A shield is raised and dropped in a poll of this very task, or, if it is
        // dropped elsewhere, wakes the task after it has counted itself out (`shield.rs`).
        self.extras()
            .is_some_and(|extras| extras.shields.load(Ordering::Relaxed) > 0)
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
