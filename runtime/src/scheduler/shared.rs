//! A scheduler of whatever flavour, and the counted references to it.
//!
//! ```text
//!  SchedulerRef ─┐
//!  a task's own ─┼─► Scheduler { refs, kind: CurrentThread(..) | MultiThread(..) }
//!  a Bank of n  ─┘
//! ```
//!
//! Every task has a reference, because a waker may outlive the runtime. Counting each one in `refs`
//! would make every spawn and every end of a task write a cache line that all workers share. So each
//! run loop has a [`Bank`]: references that it has counted in advance. A spawn takes one out, the end of
//! a task puts one back, and `refs` is touched once in [`BATCH`] times.
//!
//! Invariants:
//! - R1: `refs` is the number of `SchedulerRef` plus the sum of all banks.
//! - R2: a bank lives no longer than the `SchedulerRef` that its run loop borrows, so the references in
//!   it are never the last ones.
//!
//! Rejected: `Arc`. It has no way to count many references in one step.
//!
//! Tests: `loom-tests/tests/current_thread.rs`, `loom-tests/tests/multi_thread.rs`.

use core::cell::Cell;
use core::ops::Deref;
use core::ptr::NonNull;
use std::sync::Arc as StdArc;

use tenter_sync::book::Book;
use tenter_sync::brake::Brake;
use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::diagnostic::AtomicBool;
use tenter_sync::shim::{Live, size};
use tenter_timer::Instant;

use super::{current_thread, multi_thread};
use crate::blocking::{Pool, Settings};
use crate::builder::Config;
use crate::context;
use crate::metrics::Counters;
use crate::post::Line;
use crate::task::cell::Schedule;
use crate::task::memory::Depot;
use crate::task::{Runnable, Unobserved};
use crate::tree::outside::Outside;

/// How many references a bank counts at a time.
const BATCH: usize = size(1_024, 2);

/// A scheduler.
pub struct Scheduler {
    refs: AtomicUsize,
    pub kind: Kind,
    /// The threads for jobs that block: none before the first job.
    pub blocking: Pool,
    /// Memory that tasks have left behind.
    pub depot: Depot,
    /// Groups that no task is in.
    pub outside: Outside,
    /// Functions that it is to call.
    pub posted: Line,
    /// Whether it has begun to end. A hint for those who ask: nothing depends on it.
    ending: AtomicBool,
    live: Live,
}

/// The flavours.
pub enum Kind {
    CurrentThread(current_thread::Scheduler),
    MultiThread(multi_thread::Scheduler),
}

impl Kind {
    fn config(&self) -> &Config {
        match self {
            Kind::CurrentThread(scheduler) => &scheduler.config,
            Kind::MultiThread(scheduler) => &scheduler.config,
        }
    }

    /// What the blocking jobs of a virtual clock hold.
    fn brake(&self) -> Option<StdArc<Brake>> {
        match self {
            Kind::CurrentThread(scheduler) if scheduler.config.is_virtual() => {
                Some(Brake::new(scheduler.parking.waker()))
            }
            _ => None,
        }
    }
}

impl Scheduler {
    /// Its settings.
    pub fn config(&self) -> &Config {
        self.kind.config()
    }

    /// What its threads write of waits, if they are asked to.
    pub fn book(&self) -> Option<&StdArc<Book>> {
        match &self.kind {
            Kind::CurrentThread(scheduler) => scheduler.book.as_ref(),
            Kind::MultiThread(scheduler) => scheduler.book.as_ref(),
        }
    }

    /// The runtime begins to end: what was posted is not called any more.
    pub fn begin_end(&self) {
        // ORDERING: Relaxed. A hint.
        self.ending.store(true, Ordering::Relaxed);
        self.posted.close();
    }

    /// Whether the runtime has begun to end.
    pub fn is_ending(&self) -> bool {
        // ORDERING: Relaxed. A hint.
        self.ending.load(Ordering::Relaxed)
    }

    /// The time on its clock.
    pub fn now(&self) -> Instant {
        let timers = match &self.kind {
            Kind::CurrentThread(scheduler) => &scheduler.timers,
            Kind::MultiThread(scheduler) => &scheduler.crew.remote(0).timers,
        };
        timers.clock().now()
    }

    /// The counts of all threads that are not its workers.
    pub fn counters(&self) -> &Counters {
        match &self.kind {
            Kind::CurrentThread(scheduler) => &scheduler.counters,
            Kind::MultiThread(scheduler) => &scheduler.counters,
        }
    }
}

impl Drop for Scheduler {
    fn drop(&mut self) {
        self.live.end();
    }
}

/// A counted reference to a scheduler.
pub struct SchedulerRef(NonNull<Scheduler>);

// SAFETY: a counted reference to a value that is `Send` and `Sync`; the count is atomic.
unsafe impl Send for SchedulerRef {}
// SAFETY: as above.
unsafe impl Sync for SchedulerRef {}

const _: () = {
    const fn send_and_sync<T: Send + Sync>() {}
    send_and_sync::<Scheduler>();
};

impl SchedulerRef {
    /// The first reference to a new scheduler.
    pub fn new(kind: Kind) -> Self {
        let blocking = Pool::new(Settings {
            brake: kind.brake(),
            ..kind.config().pool_settings()
        });
        let scheduler = Box::new(Scheduler {
            refs: AtomicUsize::new(1),
            kind,
            blocking,
            depot: Depot::new(),
            outside: Outside::default(),
            posted: Line::default(),
            ending: AtomicBool::new(false),
            live: Live::new(),
        });
        Self(NonNull::from(Box::leak(scheduler)))
    }

    /// The address that tells two schedulers apart.
    pub fn address(&self) -> *const Scheduler {
        self.0.as_ptr()
    }

    /// Takes a task in that a thread spawned which is not in the run loop.
    pub fn spawn_remote(&self, task: Runnable) {
        self.tell_spawned(&task, true);
        match &self.kind {
            Kind::CurrentThread(scheduler) => scheduler.spawn_remote(self, task),
            Kind::MultiThread(scheduler) => scheduler.spawn_remote(self, task),
        }
    }

    /// The scheduler of many threads, if it is that.
    pub fn multi_thread(&self) -> Option<&multi_thread::Scheduler> {
        match &self.kind {
            Kind::MultiThread(scheduler) => Some(scheduler),
            Kind::CurrentThread(_) => None,
        }
    }
}

impl Deref for SchedulerRef {
    type Target = Scheduler;

    #[inline]
    fn deref(&self) -> &Scheduler {
        // SAFETY: R1: the reference that we count keeps it alive.
        unsafe { self.0.as_ref() }
    }
}

impl Clone for SchedulerRef {
    fn clone(&self) -> Self {
        self.live.touch();
        // ORDERING: Relaxed. The clone comes from a reference that keeps the scheduler alive.
        self.refs.fetch_add(1, Ordering::Relaxed);
        Self(self.0)
    }
}

impl Drop for SchedulerRef {
    #[inline]
    fn drop(&mut self) {
        self.live.touch();
        let banked = context::with_driving(|driving| match driving {
            Some(driving) if core::ptr::eq(driving.scheduler.address(), self.address()) => {
                driving.bank.put(self);
                true
            }
            _ => false,
        });
        if !banked {
            // SAFETY: the one reference that this value counts.
            unsafe { release(self.0, 1) };
        }
    }
}

/// Gives up `count` references.
///
/// # Safety
///
/// (a) The references are the caller's, who does not use them again.
unsafe fn release(scheduler: NonNull<Scheduler>, count: usize) {
    // SAFETY: alive by (a).
    let refs = &unsafe { scheduler.as_ref() }.refs;
    // ORDERING: Release orders this thread's uses before the free; pairs with the load below.
    if refs.fetch_sub(count, Ordering::Release) != count {
        return;
    }
    // ORDERING: Acquire pairs with the Release of all others, whose uses therefore come before the
    // free. A load and not a fence, because ThreadSanitizer does not see fences.
    if !planted!("multi_thread.scheduler_freed_without_acquire") {
        refs.load(Ordering::Acquire);
    }
    // SAFETY: from `Box::leak`, and by R1 nobody else has a reference.
    drop(unsafe { Box::from_raw(scheduler.as_ptr()) });
}

/// References that a run loop has counted in advance.
#[derive(Debug, Default)]
pub struct Bank(Cell<usize>);

impl Bank {
    /// Takes a reference to `scheduler` out.
    #[inline]
    pub fn take(&self, scheduler: &SchedulerRef) -> SchedulerRef {
        let mut count = self.0.get();
        if count == 0 {
            // ORDERING: Relaxed. As in `clone`.
            scheduler.refs.fetch_add(BATCH, Ordering::Relaxed);
            count = BATCH;
        }
        self.0.set(count - 1);
        SchedulerRef(scheduler.0)
    }

    /// Puts the reference of a value in that is being dropped.
    #[inline]
    fn put(&self, reference: &SchedulerRef) {
        let count = self.0.get() + 1;
        if count < 4 * BATCH {
            self.0.set(count);
        } else {
            self.0.set(count - 2 * BATCH);
            // SAFETY: by R1 and R2 these are ours, and not the last ones.
            unsafe { release(reference.0, 2 * BATCH) };
        }
    }

    /// Gives all of them up, before the run loop ends.
    pub fn close(&self, scheduler: &SchedulerRef) {
        let count = self.0.replace(0);
        if count > 0 {
            // SAFETY: by R1 and R2 these are ours, and not the last ones.
            unsafe { release(scheduler.0, count) };
        }
    }
}

/// What a task keeps of its scheduler.
pub struct TaskScheduler(pub SchedulerRef);

impl Schedule for TaskScheduler {
    #[inline]
    fn schedule(&self, task: Runnable) {
        match &self.0.kind {
            Kind::CurrentThread(scheduler) => {
                if scheduler.config.instruments.is_some() {
                    self.0.tell_scheduled(&task);
                }
                scheduler.schedule(self.0.address(), task);
            }
            Kind::MultiThread(scheduler) => {
                if scheduler.config.instruments.is_some() {
                    self.0.tell_scheduled(&task);
                }
                scheduler.schedule(&self.0, task);
            }
        }
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        self.0.counters().unobserved.add_shared(1);
        self.0.config().report_unobserved(failure);
    }
}
