//! Row X15 of the guide, held to account: on every flavour each event has its counterpart and each task its events
//! in order, also beside instruments that panic, spawn, or drop the runtime.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;

use parking_lot::Mutex;
use tenter::instrument::{Instrument, TaskEnd, TaskEvent, ThreadEvent};
use tenter::task::{self, TaskId, yield_now};
use tenter::time::{Duration, sleep};
use tenter::{Builder, Handle, Runtime, spawn, spawn_eager};
use tenter_tests::support::{alone_with, build, every, never, thread};

/// Where a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Spawned,
    Ready,
    /// In a step; and whether it has exited in there.
    Step(bool),
    Asleep,
}

/// Holds each task to the order of its events, and counts what has to be as often as its counterpart.
#[derive(Default)]
struct Auditor {
    tasks: Mutex<HashMap<TaskId, At>>,
    wrong: Mutex<Vec<String>>,
    spawned: AtomicU64,
    exited: AtomicU64,
    steps: [AtomicU64; 2],
    runs: [AtomicU64; 2],
    waits: [AtomicU64; 2],
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Auditor {
    fn step(&self, what: &str, event: &TaskEvent<'_>, next: impl Fn(Option<At>) -> Option<At>) {
        let (id, mut tasks) = (event.task.id(), self.tasks.lock());
        let at = tasks.get(&id).copied();
        match next(at) {
            Some(next) => drop(tasks.insert(id, next)),
            None => self.wrong.lock().push(format!("{what} of {id} at {at:?}")),
        }
    }

    fn judge(&self) {
        assert_eq!(*self.wrong.lock(), Vec::<String>::new());
        for [before, after] in [&self.steps, &self.runs, &self.waits] {
            assert_eq!(
                before.load(Ordering::Relaxed),
                after.load(Ordering::Relaxed)
            );
        }
        let spawned = self.spawned.load(Ordering::Relaxed);
        assert_eq!(spawned, self.exited.load(Ordering::Relaxed));
        assert!(self.tasks.lock().is_empty());
    }
}

impl Instrument for Auditor {
    fn before_run(&self, _: &ThreadEvent) {
        count(&self.runs[0]);
    }
    fn after_run(&self, _: &ThreadEvent) {
        count(&self.runs[1]);
    }
    fn task_spawned(&self, event: &TaskEvent<'_>) {
        count(&self.spawned);
        self.step("spawned", event, |at| at.is_none().then_some(At::Spawned));
    }
    fn task_scheduled(&self, event: &TaskEvent<'_>) {
        self.step("scheduled", event, |at| {
            matches!(at, Some(At::Spawned | At::Asleep)).then_some(At::Ready)
        });
    }
    fn before_task_step(&self, event: &TaskEvent<'_>) {
        count(&self.steps[0]);
        self.step("before", event, |at| {
            matches!(at, Some(At::Spawned | At::Ready)).then_some(At::Step(false))
        });
    }
    fn task_exited(&self, event: &TaskEvent<'_>, _: TaskEnd) {
        count(&self.exited);
        let in_step = self.tasks.lock().get(&event.task.id()) == Some(&At::Step(false));
        if in_step {
            self.step("exited", event, |_| Some(At::Step(true)));
        } else if self.tasks.lock().remove(&event.task.id()).is_none() {
            self.wrong.lock().push("an exit of nobody".to_owned());
        }
    }
    fn after_task_step(&self, event: &TaskEvent<'_>) {
        count(&self.steps[1]);
        let exited = self.tasks.lock().get(&event.task.id()) == Some(&At::Step(true));
        if exited {
            self.tasks.lock().remove(&event.task.id());
        } else {
            self.step("after", event, |at| {
                (at == Some(At::Step(false))).then_some(At::Asleep)
            });
        }
    }
    fn before_io_wait(&self, _: &ThreadEvent) {
        count(&self.waits[0]);
    }
    fn after_io_wait(&self, _: &ThreadEvent) {
        count(&self.waits[1]);
    }
}

/// How many tasks [`all_sorts`] makes.
const SORTS: u64 = 40 + 40 + 60 + 20;

/// Tasks that yield, wake each other, panic, are cancelled, begin eagerly and come from other threads; some are
/// left to the end of the runtime.
async fn all_sorts() {
    let runtime = Handle::current();
    let threads = [(); 2].map(|()| {
        let runtime = runtime.clone();
        thread(move || {
            for _ in 0..20 {
                drop(runtime.spawn(yield_now()));
                let _entered = runtime.enter();
                drop(spawn_eager(async {
                    yield_now().await;
                    yield_now().await;
                }));
            }
        })
    });
    let mut joined = Vec::new();
    for index in 0..60_u64 {
        joined.push(spawn(async move {
            yield_now().await;
            match index % 6 {
                0 => resume_unwind(Box::new("on purpose")), // Without a word.
                1 => spawn(yield_now()).await.unwrap(),
                2 => sleep(Duration::from_nanos(1)).await,
                3 => never().await,
                4 => spawn_eager(yield_now()).await.unwrap(),
                _ => task::current()
                    .unwrap()
                    .canceller()
                    .cancel()
                    .then_some(())
                    .unwrap(),
            }
        }));
    }
    for (index, task) in joined.into_iter().enumerate() {
        if index % 12 == 9 {
            drop(task);
            continue;
        }
        if index % 6 == 3 {
            task.cancel();
        }
        drop(task.await);
    }
    for thread in threads {
        thread.join();
    }
}

/// Goal: on every flavour each event has its counterpart, and each task its events in order.
#[test]
fn x15_every_event_has_its_counterpart_in_order() {
    every(|builder| {
        let auditor = Arc::new(Auditor::default());
        let silent = builder.on_unobserved(|_| ());
        let runtime = build(silent.instrument(Arc::clone(&auditor)));
        runtime.block_on(all_sorts());
        drop(runtime);
        auditor.judge();
        assert!(auditor.spawned.load(Ordering::Relaxed) >= SORTS);
    });
}

/// An instrument that is told the names of its methods.
macro_rules! told {
    ($instrument:ty) => {
        told! { $instrument:
            before_run(&ThreadEvent) after_run(&ThreadEvent) task_spawned(&TaskEvent<'_>)
            task_scheduled(&TaskEvent<'_>) before_task_step(&TaskEvent<'_>)
            after_task_step(&TaskEvent<'_>) task_exited(&TaskEvent<'_>, TaskEnd)
            before_io_wait(&ThreadEvent) after_io_wait(&ThreadEvent)
        }
    };
    ($instrument:ty: $($method:ident($event:ty $(, $end:ty)?))*) => {
        impl Instrument for $instrument {
            $(fn $method(&self, _: $event $(, _: $end)?) {
                self.told(stringify!($method));
            })*
        }
    };
}

/// An instrument that panics in one of its methods.
struct Crashes(&'static str, Arc<AtomicU64>);

impl Crashes {
    fn told(&self, what: &str) {
        if what == self.0 {
            count(&self.1);
            panic!("crashed in {what}");
        }
    }
}

told!(Crashes);

const METHODS: [&str; 9] = [
    "before_run",
    "after_run",
    "task_spawned",
    "task_scheduled",
    "before_task_step",
    "after_task_step",
    "task_exited",
    "before_io_wait",
    "after_io_wait",
];

/// Goal: wherever an instrument panics, it is taken out, its neighbours miss nothing, and all tasks run.
#[test]
fn x15_an_instrument_that_panics_is_taken_out_and_the_runtime_goes_on() {
    for method in METHODS {
        let (auditor, crashes) = (Arc::new(Auditor::default()), Arc::default());
        let builder = Builder::deterministic(1).on_unobserved(|_| ());
        let runtime = build(
            builder
                .instrument(Crashes(method, Arc::clone(&crashes)))
                .instrument(Arc::clone(&auditor)),
        );
        runtime.block_on(all_sorts());
        drop(runtime);
        auditor.judge();
        assert_eq!(crashes.load(Ordering::Relaxed), 1, "{method}");
    }
}

/// Goal: as above with many workers, where several calls may be under way when the first one panics.
#[test]
fn x15_workers_take_out_an_instrument_that_panics() {
    for method in METHODS {
        let (auditor, crashes) = (Arc::new(Auditor::default()), Arc::<AtomicU64>::default());
        let builder = Builder::multi_thread().workers(2).on_unobserved(|_| ());
        let runtime = build(
            builder
                .instrument(Crashes(method, Arc::clone(&crashes)))
                .instrument(Arc::clone(&auditor)),
        );
        runtime.block_on(all_sorts());
        drop(runtime);
        auditor.judge();
        let crashes = crashes.load(Ordering::Relaxed);
        // A worker that is never without work never waits.
        let least = u64::from(!method.ends_with("io_wait"));
        assert!((least..=8).contains(&crashes), "{method}: {crashes}");
    }
}

/// Goal: that it was taken out is said once, with the name of its type.
#[test]
fn x15_what_is_taken_out_is_named_once() {
    let name = "x15_what_is_taken_out_is_named_once";
    let captured = |command: &mut std::process::Command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    };
    if alone_with(name, captured, |child| {
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let line =
            "tenter: the instrument instruments_audit::Crashes panicked in task_exited of task ";
        assert_eq!(said.matches(line).count(), 1, "{said}");
        assert!(
            said.contains(": crashed in task_exited. It is taken out"),
            "{said}"
        );
    }) {
        let crashes = Crashes("task_exited", Arc::default());
        let runtime = build(Builder::deterministic(1).instrument(crashes));
        runtime.block_on(async { spawn(async {}).await.unwrap() });
    }
}

/// An instrument that spawns a task at each event of a task, and wakes and posts as well.
#[derive(Default)]
struct Busybody {
    home: OnceLock<Handle>,
    spawned: AtomicU64,
}

impl Busybody {
    fn told(&self, _: &str) {
        let Some(home) = self.home.get() else { return };
        if self.spawned.fetch_add(1, Ordering::Relaxed) < 500 {
            drop(home.spawn(async {}));
            let task = home.spawn(never());
            task.cancel();
            let mut once = false;
            drop(home.spawn(std::future::poll_fn(move |cx| {
                cx.waker().wake_by_ref();
                if std::mem::replace(&mut once, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })));
        }
    }
}

told!(Busybody);

/// Goal: an instrument may spawn, cancel and wake, also in answer to spawns and wakes; a neighbour sees all of
/// it, and nothing is left lying.
#[test]
fn x15_an_instrument_may_spawn_and_wake() {
    every(|builder| {
        let (busybody, auditor) = (Arc::new(Busybody::default()), Arc::new(Auditor::default()));
        let silent = builder.on_unobserved(|_| ());
        let runtime = build(
            silent
                .instrument(Arc::clone(&auditor))
                .instrument(Arc::clone(&busybody)),
        );
        busybody.home.set(runtime.handle().clone()).unwrap();
        runtime.block_on(all_sorts());
        drop(runtime);
        auditor.judge();
        assert!(busybody.spawned.load(Ordering::Relaxed) > 500);
        assert!(auditor.spawned.load(Ordering::Relaxed) > 1_500);
    });
}

/// An instrument that drops a runtime, its own or another, at an event.
#[derive(Clone, Default)]
struct Dropper(Arc<Mutex<Option<Runtime>>>, &'static str);

impl Dropper {
    fn told(&self, what: &str) {
        if what == self.1 {
            let runtime = self.0.lock().take();
            drop(runtime);
        }
    }
}

told!(Dropper);

/// Goal: a runtime may be dropped inside one of its own instruments, on a worker and on the thread that spawns.
#[test]
fn x15_a_runtime_may_be_dropped_inside_its_instrument() {
    every(|builder| {
        for event in [
            "task_spawned",
            "task_scheduled",
            "before_task_step",
            "task_exited",
        ] {
            let (dropper, auditor) = (Dropper(Arc::default(), event), Arc::new(Auditor::default()));
            let builder = builder.clone().on_unobserved(|_| ());
            let runtime = build(
                builder
                    .instrument(Arc::clone(&auditor))
                    .instrument(dropper.clone()),
            );
            let handle = runtime.handle().clone();
            *dropper.0.lock() = Some(runtime);
            let tasks: Vec<_> = (0..3).map(|_| handle.spawn(yield_now())).collect();
            // On one thread nobody drives any more: who has not ended now is dropped with the runtime.
            let left = dropper.0.lock().take();
            drop(left);
            handle.block_on(async {
                for task in tasks {
                    drop(task.await);
                }
            });
            assert_eq!(*auditor.wrong.lock(), Vec::<String>::new(), "{event}");
        }
    });
}

/// Goal: the wait that ends with the report of a deadlock is told to have ended, and so is the run.
#[test]
fn x15_a_deadlock_leaves_no_wait_open() {
    let auditor = Arc::new(Auditor::default());
    let runtime = build(Builder::deterministic(1).instrument(Arc::clone(&auditor)));
    let hangs = catch_unwind(AssertUnwindSafe(|| runtime.block_on(never())));
    assert!(hangs.is_err());
    drop(runtime);
    auditor.judge();
}
