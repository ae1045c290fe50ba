//! What all threads know of one worker: where its tasks wait, how it sleeps, how it gets on.

use core::panic::Location;
use core::ptr;
use core::time::Duration;

use std::sync::Arc as StdArc;

use tenter_io as io;
use tenter_sync::shim::Mutex;
use tenter_sync::shim::diagnostic::{AtomicU64, AtomicUsize, Ordering};
use tenter_timer::{Clock, Timers};

use super::backlog::Backlog;
use super::deque::Stealer;
use super::lifo::LifoSlot;
use super::metrics::WorkerCounters;
use super::worker::Core;
use crate::metrics::WorkerMetrics;
use crate::scheduler::inbox::Inbox;
use crate::scheduler::owned::OwnedList;
use crate::scheduler::parking::Parking;
use crate::task::cell::Header;

/// See the module's first lines.
pub struct Remote {
    pub lifo: LifoSlot,
    pub stealer: Stealer,
    /// Tasks that other threads woke or spawned. Any worker may take them.
    pub inbox: Inbox,
    pub backlog: Backlog,
    /// The tasks whose first poll this worker did, and which have not ended.
    pub owned: Mutex<OwnedList>,
    pub parking: StdArc<Parking>,
    pub timers: Timers,
    pub progress: Progress,
    pub counters: WorkerCounters,
    /// What its thread takes along, until it is started.
    pub core: Mutex<Option<Box<Core>>>,
}

impl Remote {
    /// The worker `index`, without a thread.
    pub fn new(clock: Clock, index: usize, poller: io::Handle) -> Self {
        let parking = Parking::new();
        parking.set_poller(Some(poller));
        let timers = Timers::new(clock, parking.waker());
        let (core, stealer) = Core::new(index, &timers);
        Self {
            lifo: LifoSlot::default(),
            stealer,
            inbox: Inbox::new(),
            backlog: Backlog::default(),
            owned: Mutex::new(OwnedList::default()),
            parking,
            timers,
            progress: Progress::default(),
            counters: WorkerCounters::default(),
            core: Mutex::new(Some(Box::new(core))),
        }
    }

    /// What it has done so far.
    pub fn metrics(&self) -> WorkerMetrics {
        let counters = &self.counters;
        let steps = self.progress.steps();
        WorkerMetrics {
            polls: steps.div_ceil(2),
            spawned_tasks: counters.spawned.get(),
            completed_tasks: counters.completed.get(),
            steals: counters.steals.get(),
            stolen_tasks: counters.stolen.get(),
            parks: counters.parks.get(),
            rescues: counters.rescues.get(),
            blocks: counters.blocks.get(),
            busy: Duration::from_nanos(counters.busy.get()),
            queued_tasks: self.stealer.len()
                + self.backlog.len()
                + usize::from(!self.lifo.is_empty()),
            is_polling: steps % 2 == 1,
        }
    }

    /// Whether there is a task that any worker may take.
    pub fn has_stealable(&self) -> bool {
        !self.inbox.is_empty() || !self.stealer.is_empty() || !self.backlog.is_empty()
    }
}

/// How far a worker is: odd while it polls a task. For the others to see whether it is stuck, and in
/// what. Statistics: nothing is published by it.
#[derive(Debug, Default)]
pub struct Progress {
    steps: AtomicU64,
    task: AtomicU64,
    spawned_at: AtomicUsize,
}

impl Progress {
    /// A poll begins.
    #[inline]
    pub fn begin(&self, task: &Header) {
        // ORDERING: Relaxed. Statistics, written by one thread.
        self.task.store(task.slot.id().get(), Ordering::Relaxed);
        let place = ptr::from_ref(task.spawned_at).expose_provenance();
        // ORDERING: Relaxed. As above.
        self.spawned_at.store(place, Ordering::Relaxed);
        self.step();
    }

    /// It has ended.
    #[inline]
    pub fn end(&self) {
        self.step();
    }

    #[inline]
    fn step(&self) {
        // ORDERING: Relaxed. As above.
        let steps = self.steps.load(Ordering::Relaxed);
        // ORDERING: Relaxed. As above.
        self.steps.store(steps.wrapping_add(1), Ordering::Relaxed);
    }

    /// Twice the number of polls; odd in a poll.
    #[inline]
    pub fn steps(&self) -> u64 {
        // ORDERING: Relaxed. As above.
        self.steps.load(Ordering::Relaxed)
    }

    /// The number of the task in the poll, and where it was spawned.
    pub fn in_poll(&self) -> Option<(u64, &'static Location<'static>)> {
        let before = self.steps();
        // ORDERING: Relaxed. As above.
        let task = self.task.load(Ordering::Relaxed);
        // ORDERING: Relaxed. As above.
        let place = self.spawned_at.load(Ordering::Relaxed);
        if before % 2 == 0 || self.steps() != before {
            return None;
        }
        let place = ptr::with_exposed_provenance::<Location<'static>>(place);
        // SAFETY: the word holds nothing, or the address of a location with a static life: any value
        // that was ever stored may be read for ever.
        Some((task, unsafe { place.as_ref() }?))
    }
}
