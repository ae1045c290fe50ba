//! What looks for slow polls: an instrument that notes who is in a poll since when, and a thread that looks.
//!
//! ```text
//!  Seat of a worker: polls, the innermost last
//!    before_task_step ──► [.., {task, began, reported: false}] ──► after_task_step: long and unreported? report
//!                               │  ▲ in_place: the clock stands for it
//!                               ▼  │
//!                         the watcher: long and unreported? mark it, report
//! ```
//!
//! Invariants:
//! - W1: `reported` is set under the lock of the seat by whoever reports: so each poll is reported once.
//! - W2: no report is made, and no reference to a task dropped, under a lock.
//! - W3: a poll inside another one (`spawn_eager`) is not the outer one's time.
//!
//! Tests: `debug/tests.rs`, on a clock that is moved by hand; `tests/tests/debug_mode.rs`.

use core::time::Duration;
use std::io;
use std::panic::{AssertUnwindSafe, RefUnwindSafe, UnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_sync::parker::Parker;
use tenter_sync::shim::diagnostic::{AtomicBool, Ordering};
use tenter_sync::shim::{CachePadded, Mutex, thread};
use tenter_timer::{Clock, Instant};

use super::DebugOptions;
use super::slow_poll::{Printed, SlowPoll};
use crate::hooks::say;
use crate::instrument::{Instrument, TaskEvent, ThreadEvent};
use crate::task::TaskRef;
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;

/// The watcher looks so many times in the longest time that a poll may last.
const LOOKS: u32 = 4;

/// But not more often than this, nor more seldom.
const PERIOD: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(50));

/// The instrument; a counted reference.
#[derive(Clone)]
pub struct Watch(Arc<Shared>);

struct Shared {
    options: DebugOptions,
    clock: Clock,
    /// By the number of the worker.
    seats: Box<[CachePadded<Mutex<Seat>>]>,
    printed: Mutex<Printed>,
    /// The function of the program has panicked.
    silent: AtomicBool,
    ended: AtomicBool,
    parker: Parker,
}

/// What a worker is at.
#[derive(Default)]
struct Seat {
    /// The name of its thread.
    thread: Option<Arc<str>>,
    polls: Vec<Polled>,
}

struct Polled {
    task: TaskRef,
    began: Instant,
    /// How much of it is not its own: it was in place, or another poll inside it.
    excused: Duration,
    reported: bool,
    /// It blocks in place since then: nobody waits for it.
    in_place: Option<Instant>,
}

impl Polled {
    fn lasted(&self, now: Instant) -> Duration {
        now.duration_since(self.began).saturating_sub(self.excused)
    }
}

impl Watch {
    /// For a runtime of so many threads.
    pub fn new(options: DebugOptions, threads: usize) -> Self {
        Self::on_clock(options, threads, Clock::real())
    }

    fn on_clock(options: DebugOptions, threads: usize, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            options,
            clock,
            seats: (0..threads).map(|_| CachePadded::default()).collect(),
            printed: Mutex::new(Printed::default()),
            silent: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            parker: Parker::new(),
        }))
    }

    /// Starts the thread that looks. It ends soon after what is returned is dropped.
    pub fn start(&self, thread_name: &str) -> io::Result<Watcher> {
        let shared = Arc::clone(&self.0);
        let name = format!("{thread_name}-debug");
        drop(thread::spawn_named_with_stack(&name, None, move || {
            shared.watch();
        })?);
        Ok(Watcher(Arc::clone(&self.0)))
    }

    /// The poll of this worker blocks in place until the guard goes.
    pub fn in_place(&self, worker: usize) -> InPlace<'_> {
        let now = self.0.clock.now();
        if let Some(poll) = self.0.seat(worker).polls.last_mut() {
            poll.in_place.get_or_insert(now);
        }
        InPlace(&self.0, worker)
    }
}

/// See [`Watch::in_place`].
pub struct InPlace<'a>(&'a Shared, usize);

impl Drop for InPlace<'_> {
    fn drop(&mut self) {
        let now = self.0.clock.now();
        if let Some(poll) = self.0.seat(self.1).polls.last_mut() {
            if let Some(since) = poll.in_place.take() {
                poll.excused += now.duration_since(since);
            }
        }
    }
}

impl Instrument for Watch {
    fn before_run(&self, event: &ThreadEvent) {
        let name = std::thread::current().name().map(Arc::from);
        self.0.seat(event.worker).thread = name;
    }

    fn before_task_step(&self, event: &TaskEvent<'_>) {
        let Some(worker) = event.worker else {
            return; // It keeps no other task waiting.
        };
        let poll = Polled {
            task: event.task.clone(),
            began: self.0.clock.now(),
            excused: Duration::ZERO,
            reported: false,
            in_place: None,
        };
        self.0.seat(worker).polls.push(poll);
    }

    fn after_task_step(&self, event: &TaskEvent<'_>) {
        let Some(worker) = event.worker else {
            return;
        };
        let now = self.0.clock.now();
        let mut seat = self.0.seat(worker);
        // Were the begin not told, the last one would be another task's.
        let last = seat.polls.last().map(|poll| &poll.task);
        if last != Some(event.task) {
            return;
        }
        let Some(poll) = seat.polls.pop() else {
            return;
        };
        let lasted = poll.lasted(now);
        if let Some(outer) = seat.polls.last_mut() {
            outer.excused += now.duration_since(poll.began); // W3
        }
        let thread = seat.thread.clone();
        drop(seat);
        if !poll.reported && lasted > self.0.options.slow_poll {
            self.0.report(&SlowPoll {
                task: poll.task.info(),
                worker,
                thread,
                lasted,
                ended: true,
            });
        }
    }
}

impl Shared {
    fn seat(&self, worker: usize) -> impl core::ops::DerefMut<Target = Seat> + '_ {
        self.seats[worker].lock()
    }

    /// Looks until the runtime has ended.
    fn watch(&self) {
        let (shortest, longest) = PERIOD;
        let period = (self.options.slow_poll / LOOKS).clamp(shortest, longest);
        // ORDERING: Relaxed. Who sets it unparks this thread afterwards.
        while !self.ended.load(Ordering::Relaxed) {
            for worker in 0..self.seats.len() {
                self.look(worker);
            }
            let _ = self.parker.park(Some(period));
        }
    }

    fn look(&self, worker: usize) {
        let now = self.clock.now();
        let mut seat = self.seat(worker);
        let Some(poll) = seat.polls.last_mut() else {
            return;
        };
        let lasted = poll.lasted(now);
        if poll.reported || poll.in_place.is_some() || lasted <= self.options.slow_poll {
            return;
        }
        poll.reported = true;
        let task = poll.task.clone();
        let thread = seat.thread.clone();
        drop(seat);
        self.report(&SlowPoll {
            task: task.info(),
            worker,
            thread,
            lasted,
            ended: false,
        });
    }

    fn report(&self, slow: &SlowPoll) {
        let Some(report) = &self.options.on_slow_poll else {
            self.print(slow);
            return;
        };
        // ORDERING: Relaxed. A hint.
        if self.silent.load(Ordering::Relaxed) {
            return;
        }
        let Err(payload) = catch_unwind(AssertUnwindSafe(|| report(slow))) else {
            return;
        };
        // ORDERING: Relaxed. As above; the first of several threads says it.
        let is_first = !self.silent.swap(true, Ordering::Relaxed);
        let message = payload_message(&*payload).to_owned();
        drop_payload(payload);
        if is_first {
            say(&format!(
                "tenter: the on_slow_poll function given to DebugOptions panicked: {message}. It is not \
                 called again"
            ));
        }
    }

    fn print(&self, slow: &SlowPoll) {
        let now = self.clock.now();
        let before = self.printed.lock().may(slow.task.spawned_at, now);
        match before {
            Some(0) => say(&format!("tenter: {slow}")),
            Some(1) => say(&format!(
                "tenter: {slow}. 1 more slow poll of a task that was spawned there was not printed"
            )),
            Some(more) => say(&format!(
                "tenter: {slow}. {more} more slow polls of tasks that were spawned there were not printed"
            )),
            None => {}
        }
    }
}

/// The thread looks until this is dropped.
pub struct Watcher(Arc<Shared>);

impl Drop for Watcher {
    fn drop(&mut self) {
        // ORDERING: Relaxed. The unpark orders it.
        self.0.ended.store(true, Ordering::Relaxed);
        let _ = self.0.parker.unpark();
    }
}

// Behind it is what single steps change under locks: a panic leaves nothing half done.
impl UnwindSafe for Watcher {}
impl RefUnwindSafe for Watcher {}

#[cfg(all(test, not(tenter_loom)))]
#[path = "tests.rs"]
mod tests;
