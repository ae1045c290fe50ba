//! The instruments of a runtime: each is called in turn, and taken out if it panics.
//!
//! ```text
//!   call: taken out? ─yes─► not called
//!            │ no
//!         further up this stack, or too deep? ─yes─► not called                       (I2)
//!            │ no
//!         call it ── panics ──► taken out, and said
//! ```
//!
//! One that is taken out stays in memory until the runtime is gone: another thread may be in it.
//!
//! Tests: `tests/tests/instruments.rs`, `tests/tests/instruments_audit.rs`.

use core::any::type_name;
use core::cell::Cell;
use core::fmt;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tenter_sync::shim::diagnostic::{AtomicBool, Ordering};
use tenter_sync::shim::local;

use super::{Instrument, TaskEnd, TaskEvent, ThreadEvent};
use crate::hooks::say;
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;
use crate::task::{TaskId, TaskRef};

/// An instrument as the builder got it.
#[derive(Clone)]
pub struct Given {
    instrument: Arc<dyn Instrument>,
    name: &'static str,
}

impl Given {
    /// With the name of its type, for what is said of it.
    pub fn new<I: Instrument>(instrument: I) -> Self {
        Self {
            instrument: Arc::new(instrument),
            name: type_name::<I>(),
        }
    }
}

/// Those of a runtime; at least one.
pub struct Instruments(Vec<Installed>);

struct Installed {
    given: Given,
    /// It has panicked.
    out: AtomicBool,
}

impl Instruments {
    /// `None`: there are none.
    pub fn install(given: Vec<Given>) -> Option<Box<Self>> {
        if given.is_empty() {
            return None;
        }
        let install = |given| Installed {
            given,
            out: AtomicBool::new(false),
        };
        Some(Box::new(Self(given.into_iter().map(install).collect())))
    }

    fn tell(&self, what: &str, of: Option<TaskId>, body: impl Fn(&dyn Instrument)) {
        for installed in &self.0 {
            installed.call(what, of, &body);
        }
    }

    /// A thread begins to run tasks.
    pub fn before_run(&self, worker: usize) {
        let event = ThreadEvent { worker };
        self.tell("before_run", None, |it| it.before_run(&event));
    }

    /// It has stopped.
    pub fn after_run(&self, worker: usize) {
        let event = ThreadEvent { worker };
        self.tell("after_run", None, |it| it.after_run(&event));
    }

    /// A thread is about to sleep; the end is told when the guard goes.
    #[cold]
    pub fn io_wait(&self, worker: usize) -> IoWait<'_> {
        let event = ThreadEvent { worker };
        self.tell("before_io_wait", None, |it| it.before_io_wait(&event));
        IoWait(self, event)
    }

    /// A task was made.
    #[cold]
    pub fn task_spawned(&self, event: &TaskEvent<'_>) {
        let of = Some(event.task.id());
        self.tell("task_spawned", of, |it| it.task_spawned(event));
    }

    /// A task is ready.
    #[cold]
    pub fn task_scheduled(&self, event: &TaskEvent<'_>) {
        let of = Some(event.task.id());
        self.tell("task_scheduled", of, |it| it.task_scheduled(event));
    }

    /// A task is about to be polled.
    #[cold]
    pub fn before_task_step(&self, event: &TaskEvent<'_>) {
        let of = Some(event.task.id());
        self.tell("before_task_step", of, |it| it.before_task_step(event));
    }

    /// It was polled.
    #[cold]
    pub fn after_task_step(&self, event: &TaskEvent<'_>) {
        let of = Some(event.task.id());
        self.tell("after_task_step", of, |it| it.after_task_step(event));
    }

    /// A task has ended.
    #[cold]
    pub fn task_exited(&self, event: &TaskEvent<'_>, end: TaskEnd) {
        let of = Some(event.task.id());
        self.tell("task_exited", of, |it| it.task_exited(event, end));
    }
}

/// Tells when a thread has slept, also if the sleep unwinds: with the report of a deadlock.
pub struct IoWait<'a>(&'a Instruments, ThreadEvent);

impl Drop for IoWait<'_> {
    fn drop(&mut self) {
        let event = self.1;
        self.0
            .tell("after_io_wait", None, |it| it.after_io_wait(&event));
    }
}

impl Installed {
    fn call(&self, what: &str, of: Option<TaskId>, body: &impl Fn(&dyn Instrument)) {
        // ORDERING: Relaxed. A hint: a call on another thread may be under way, and end later.
        if self.out.load(Ordering::Relaxed) {
            return;
        }
        let Some(_called) = Called::enter(core::ptr::from_ref(self).addr()) else {
            return;
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| body(&*self.given.instrument))) {
            self.take_out(what, of, payload);
        }
    }

    fn take_out(&self, what: &str, of: Option<TaskId>, payload: Box<dyn Any + Send>) {
        // ORDERING: Relaxed. As above; the first of several threads says it.
        let is_first = !self.out.swap(true, Ordering::Relaxed);
        let message = payload_message(&*payload).to_owned();
        drop_payload(payload);
        if is_first {
            let of = of.map_or(String::new(), |id| format!(" of task {id}"));
            say(&format!(
                "tenter: the instrument {} panicked in {what}{of}: {message}. It is taken out, and not \
                 called again; the runtime goes on",
                self.given.name
            ));
        }
    }
}

impl Drop for Instruments {
    fn drop(&mut self) {
        // The last reference to a runtime may go in the drop of a waker, which must not unwind.
        for installed in self.0.drain(..) {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(installed))) {
                drop_payload(payload);
            }
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// How many instruments, of whatever runtimes, may be on one stack.
const DEEP: usize = 8;

local! {
    /// The instruments that are called further up this stack, by address. It has no destructor, and so may be
    /// looked at for as long as the thread lives.
    static CALLED: Cell<[usize; DEEP]> = const { Cell::new([0; DEEP]) };
}

/// An instrument is being called on this thread.
struct Called {
    place: usize,
}

impl Called {
    /// `None`: it is, already; or too many others are.
    fn enter(address: usize) -> Option<Self> {
        CALLED.with(|called| {
            let mut all = called.get();
            if all.contains(&address) {
                return None;
            }
            let place = all.iter().position(|place| *place == 0)?;
            all[place] = address;
            called.set(all);
            Some(Self { place })
        })
    }
}

impl Drop for Called {
    fn drop(&mut self) {
        CALLED.with(|called| {
            let mut all = called.get();
            all[self.place] = 0;
            called.set(all);
        });
    }
}

/// An event of a task, from its reference.
pub fn event(task: &TaskRef, worker: Option<usize>) -> TaskEvent<'_> {
    TaskEvent { task, worker }
}
