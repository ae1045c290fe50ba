//! The panic matrix: wherever user code may panic, whatever becomes of the task, on each flavour.
//!
//! Every case asserts that the process lives, that the other tasks finish and the runtime goes on, that
//! everything is dropped once, and that what nobody can observe is reported once and counted. The table
//! of what is expected is [`expected`]; it is the written fate of `runtime/src/task/raw.rs`.

use std::cell::Cell;
use std::future::Future;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::panic::panic_any;
use std::pin::Pin;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use tenter::task::yield_now;
use tenter::{JoinError, JoinHandle, Runtime, UnobservedKind, spawn};
use tenter_tests::support::hostile::{Act, HOSTILE, waker_that_panics_at};
use tenter_tests::support::{
    Count, CountOnDrop, Log, Slot, alone_with, build, every, foreign_block_on, forget, panic_of,
    poll_once, poll_with, settle, text_of,
};

/// Where user code panics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Poll,
    /// The future's destructor, on a cancellation before it is ready.
    DropPending,
    DropAfterReady,
    DropAfterPanic,
    DropOnShutdown,
    /// The destructor of the output.
    Output,
    /// The destructor of a payload.
    Payload,
    JoinerWake,
    JoinerClone,
    JoinerDrop,
    /// The hook that unobserved failures are reported to.
    Hook,
}

/// What becomes of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Somebody waits for it.
    Joined,
    /// Nobody does: its handle is dropped before it ends.
    Detached,
    /// Its handle is dropped after it has ended.
    Abandoned,
    /// It is cancelled, and waited for.
    Cancelled,
}

/// What the joiner must see, if there is one, and what must be reported.
fn expected(place: Place, fate: Fate) -> (Option<&'static str>, Vec<UnobservedKind>) {
    use Fate::{Cancelled, Joined};
    use UnobservedKind::{FutureDrop, JoinerWake, OutputDrop, Panic};
    let watched = matches!(fate, Joined | Cancelled);
    let cancelled = fate == Cancelled;
    let (ends, mut reports) = match place {
        Place::Poll | Place::Hook => ("panicked: poll", vec![]),
        Place::DropPending | Place::DropOnShutdown => ("panicked: drop", vec![]),
        Place::DropAfterReady => ("value", vec![FutureDrop]),
        Place::DropAfterPanic => ("panicked: poll", vec![FutureDrop]),
        Place::Output => ("value", vec![]),
        Place::Payload => ("panicked: (not text)", vec![]),
        Place::JoinerWake if fate != Fate::Detached => ("value", vec![JoinerWake]),
        Place::JoinerDrop if fate == Fate::Detached => ("value", vec![JoinerWake]),
        Place::JoinerWake | Place::JoinerClone | Place::JoinerDrop => ("value", vec![]),
    };
    let never_ready = matches!(
        place,
        Place::JoinerWake | Place::JoinerClone | Place::JoinerDrop
    );
    let ends = if cancelled && never_ready {
        "cancelled"
    } else {
        ends
    };
    if !watched {
        match place {
            Place::Output => reports.push(OutputDrop),
            _ if ends.starts_with("panicked") => reports.push(Panic),
            _ => {}
        }
    }
    (watched.then_some(ends), reports)
}

/// Panics in its destructor while it is armed.
struct Bomb {
    armed: Cell<bool>,
    says: &'static str,
    _alive: CountOnDrop,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if self.armed.get() {
            panic_any(self.says);
        }
    }
}

/// What the cases make, and how often it was dropped.
#[derive(Clone, Default)]
struct Census {
    made: Count,
    dropped: Count,
}

impl Census {
    fn bomb(&self, armed: bool, says: &'static str) -> Bomb {
        self.made.add();
        Bomb {
            armed: Cell::new(armed),
            says,
            _alive: self.dropped.on_drop(),
        }
    }
}

/// The task that panics: pending at its first poll, and whatever the case wants at the second.
struct Victim {
    place: Place,
    fate: Fate,
    polled: bool,
    waker: Slot<Waker>,
    census: Census,
    /// Dropped last.
    bomb: Bomb,
}

impl Victim {
    fn new(place: Place, fate: Fate, waker: &Slot<Waker>, census: &Census) -> Self {
        let in_drop = [
            Place::DropPending,
            Place::DropAfterReady,
            Place::DropAfterPanic,
            Place::DropOnShutdown,
        ];
        Self {
            place,
            fate,
            polled: false,
            waker: waker.clone(),
            census: census.clone(),
            bomb: census.bomb(in_drop.contains(&place), "drop"),
        }
    }
}

impl Future for Victim {
    type Output = Bomb;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Bomb> {
        assert_eq!(self.bomb.says, "drop");
        if !core::mem::replace(&mut self.polled, true) {
            self.waker.put(cx.waker().clone());
            return Poll::Pending;
        }
        match self.place {
            Place::Poll | Place::DropAfterPanic | Place::Hook => panic_any("poll"),
            Place::Payload => panic_any(self.census.bomb(true, "payload")),
            Place::DropPending | Place::DropOnShutdown => Poll::Pending,
            Place::DropAfterReady => Poll::Ready(self.census.bomb(false, "output")),
            Place::Output => Poll::Ready(self.census.bomb(true, "output")),
            Place::JoinerWake | Place::JoinerClone | Place::JoinerDrop => match self.fate {
                Fate::Cancelled => Poll::Pending,
                _ => Poll::Ready(self.census.bomb(false, "output")),
            },
        }
    }
}

/// What a joiner sees. Disarms what it is given.
fn seen(ended: Result<Bomb, JoinError>) -> String {
    match ended {
        Ok(output) => {
            output.armed.set(false);
            "value".to_owned()
        }
        Err(error) if error.is_cancelled() => "cancelled".to_owned(),
        Err(error) => {
            let payload = error.into_panic();
            if let Some(bomb) = payload.downcast_ref::<Bomb>() {
                bomb.armed.set(false);
            }
            format!("panicked: {}", text_of(&*payload))
        }
    }
}

/// Polls the handle with the hostile waker of the case, if it has one.
fn register(place: Place, handle: &mut JoinHandle<Bomb>) {
    match place {
        Place::JoinerWake => {
            let (waker, _) = waker_that_panics_at(Act::Wake);
            assert!(poll_with(&waker, handle).is_pending());
        }
        Place::JoinerClone => {
            let (waker, seen) = waker_that_panics_at(Act::Clone);
            assert_eq!(panic_of(|| poll_with(&waker, handle)), HOSTILE);
            assert_eq!(seen.alive(), 1);
            assert!(poll_once(handle).is_pending());
        }
        Place::JoinerDrop => {
            let (waker, seen) = waker_that_panics_at(Act::Drop);
            assert!(poll_with(&waker, handle).is_pending());
            // Replacing it drops it, in the poller's hands.
            assert_eq!(panic_of(|| poll_once(handle)), HOSTILE);
            assert_eq!(seen.alive(), 1);
            assert!(poll_with(&waker, handle).is_pending());
            forget(waker);
        }
        _ => {}
    }
}

/// Runs the case on a runtime that is dropped at the end. Returns what the joiner saw.
fn run(runtime: Runtime, place: Place, fate: Fate, census: &Census) -> Option<String> {
    let others = Count::new();
    let left = runtime.block_on(async {
        let given = Slot::new();
        let mut handle = spawn(Victim::new(place, fate, &given, census));
        let canceller = handle.canceller();
        let bystander = || {
            let others = others.clone();
            spawn(async move {
                for _ in 0..5 {
                    yield_now().await;
                }
                others.add();
            })
        };
        let bystanders = [bystander(), bystander()];
        settle().await;
        register(place, &mut handle);
        let waker = given.take();
        let mut handle = Some(handle);
        if fate == Fate::Detached {
            handle = None;
        }
        if fate == Fate::Cancelled || place == Place::DropPending {
            assert!(canceller.cancel());
        } else if place != Place::DropOnShutdown {
            waker.wake_by_ref();
        }
        let at_shutdown = place == Place::DropOnShutdown;
        if !at_shutdown {
            while !canceller.is_finished() {
                yield_now().await;
            }
        }
        if fate == Fate::Abandoned && !at_shutdown {
            handle = None;
        }
        for bystander in bystanders {
            bystander.await.expect("it does not panic");
        }
        handle
    });
    assert_eq!(others.get(), 2);
    assert_eq!(
        runtime.block_on(async { spawn(async { 9 }).await }).ok(),
        Some(9)
    );
    drop(runtime);
    match (left, fate) {
        (Some(handle), Fate::Abandoned) => {
            drop(handle);
            None
        }
        (left, _) => left.map(|handle| seen(foreign_block_on(handle))),
    }
}

fn case(place: Place, fate: Fate) {
    every(move |builder| {
        let reports = Log::new();
        let census = Census::default();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| {
                reports.add(failure.kind());
                assert!(place != Place::Hook, "the hook");
            }
        }));
        let handle = runtime.handle().clone();
        let joined = run(runtime, place, fate, &census);
        let reports = reports.take();
        let seen = (joined.as_deref(), reports);
        assert_eq!(seen, expected(place, fate));
        let metrics = handle.metrics();
        assert_eq!(metrics.unobserved_failures, seen.1.len() as u64);
        assert_eq!((metrics.alive_tasks, metrics.leaked_tasks), (0, 0));
        assert_eq!(census.dropped.get(), census.made.get());
    });
}

macro_rules! matrix {
    ($($name:ident: $place:ident;)*) => { $(
        mod $name {
            use super::{Fate, Place, case};

            #[test]
            fn joined() {
                case(Place::$place, Fate::Joined);
            }

            #[test]
            fn detached() {
                case(Place::$place, Fate::Detached);
            }

            #[test]
            fn abandoned() {
                case(Place::$place, Fate::Abandoned);
            }

            #[test]
            fn cancelled() {
                case(Place::$place, Fate::Cancelled);
            }
        }
    )* };
}

matrix! {
    poll: Poll;
    drop_pending: DropPending;
    drop_after_ready: DropAfterReady;
    drop_after_panic: DropAfterPanic;
    drop_on_shutdown: DropOnShutdown;
    output_drop: Output;
    payload_drop: Payload;
    joiner_wake: JoinerWake;
    joiner_clone: JoinerClone;
    joiner_drop: JoinerDrop;
    unobserved_hook: Hook;
}

/// Goal: the report names the task, its place, what happened and what was said, and gives the payload.
#[test]
fn a_report_says_who_where_and_what() {
    every(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| {
                assert_eq!(failure.message(), "on purpose");
                assert_eq!(text_of(failure.payload()), "on purpose");
                reports.add((
                    failure.task_id(),
                    failure.name(),
                    failure.spawned_at().line(),
                    failure.to_string(),
                ));
            }
        }));
        runtime.block_on(async {
            let line = line!() + 1;
            let task = tenter::task::Builder::new().name("lost").spawn(async {
                panic!("on {}", "purpose");
            });
            let id = task.id();
            drop(task);
            settle().await;
            let reports = reports.take();
            assert_eq!(reports.len(), 1);
            let (who, name, at, text) = &reports[0];
            assert_eq!((*who, name.as_deref(), *at), (id, Some("lost"), line));
            let parts = [
                "\"lost\"",
                "panics.rs",
                "nobody holds its handle",
                "on purpose",
            ];
            tenter_tests::support::assert_says(text, &parts);
        });
    });
}

/// Goal: the hook may use the runtime: it may spawn what the failure calls for.
#[test]
fn the_hook_may_spawn() {
    every(|builder| {
        let restarted = Count::new();
        let runtime = build(builder.on_unobserved({
            let restarted = restarted.clone();
            move |_| {
                let restarted = restarted.clone();
                drop(spawn(async move { restarted.add() }));
            }
        }));
        runtime.block_on(async {
            drop(spawn(async { panic!("on purpose") }));
            for _ in 0..3 {
                settle().await;
            }
        });
        assert_eq!(restarted.get(), 1);
    });
}

/// Goal: the main future's panic comes out of `block_on` as it is, once, and the runtime goes on.
#[test]
fn the_panic_of_the_main_future_is_the_callers() {
    every(|builder| {
        let reports = Log::new();
        let census = Census::default();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| reports.add(failure.kind())
        }));
        let (tx, mut rx) = tenter::sync::oneshot();
        let task = runtime.spawn(async move { tx.send(1).is_ok() });
        let bomb = census.bomb(false, "local of main");
        let message = panic_of(|| {
            runtime.block_on(async {
                let _bomb = bomb;
                yield_now().await;
                panic_any("main");
            })
        });
        assert_eq!(message, "main");
        assert_eq!(census.dropped.get(), 1);
        assert!(runtime.block_on(task).expect("no panic"));
        assert_eq!(poll_once(&mut rx), Poll::Ready(Ok(1)));
        assert_eq!(reports.take(), []);
    });
}

/// Goal: payloads that throw each other when they are dropped come to an end.
/// Method: the payload takes no memory, so the last one, which is leaked, is not missed.
#[test]
fn payloads_that_throw_each_other_end() {
    static HEADS: AtomicUsize = AtomicUsize::new(0);
    struct Hydra;
    impl Drop for Hydra {
        fn drop(&mut self) {
            HEADS.fetch_add(1, Ordering::Relaxed);
            panic_any(Hydra);
        }
    }
    every(|builder| {
        let before = HEADS.load(Ordering::Relaxed);
        let runtime = build(builder.on_unobserved(|_| ()));
        runtime.block_on(async {
            drop(spawn(async { panic_any(Hydra) }));
            settle().await;
        });
        assert!(HEADS.load(Ordering::Relaxed) > before + 1);
        assert_eq!(runtime.metrics().unobserved_failures, 1);
    });
}

/// Goal: a report is one line of standard error, though others write there past its lock.
#[test]
fn a_report_is_whole_among_the_lines_of_others() {
    const COUNT: usize = 50;
    const REPORT: &str = " panicked and nobody holds its handle: number ";
    let name = "a_report_is_whole_among_the_lines_of_others";
    let mut said = String::new();
    let arrange = |command: &mut Command| {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command.env("RUST_BACKTRACE", "0");
    };
    let is_inside = alone_with(name, arrange, |child| {
        let output = child.wait_with_output().expect("it ends");
        said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
    });
    if is_inside {
        let runtime = build(tenter::Builder::multi_thread().workers(4));
        let has_ended = AtomicBool::new(false);
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    let stderr = std::io::stderr().as_fd().try_clone_to_owned();
                    let mut stderr = std::fs::File::from(stderr.unwrap());
                    while !has_ended.load(Ordering::Relaxed) {
                        stderr.write_all(b"noise\n").unwrap();
                    }
                });
            }
            let (ends, all_ended) = std::sync::mpsc::channel::<()>();
            for number in 0..COUNT {
                let ends = ends.clone();
                drop(runtime.spawn(async move {
                    let _ends = ends;
                    panic!("number {number}");
                }));
            }
            drop(ends);
            assert!(all_ended.recv().is_err());
            drop(runtime); // All that is to be reported is.
            has_ended.store(true, Ordering::Relaxed);
        });
        return;
    }
    let reports = said.split("tenter: task ").skip(1).map(|rest| {
        let (line, _) = rest.split_once('\n').expect("a line has an end");
        let number = line.split_once(REPORT).map(|(_, number)| number.parse());
        assert!(matches!(number, Some(Ok(_))), "torn: {line:?} in {said}");
        number.and_then(Result::ok)
    });
    let mut numbers: Vec<usize> = reports.flatten().collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..COUNT).collect::<Vec<_>>(), "{said}");
}
