//! What the rows A10 to A18, A86 and A91 to A94 say about tasks, each under its number. What they imply in
//! detail is in `tasks.rs`, `cancel.rs` and `panics.rs`; the cases are in `tasks_cases.rs`.

use std::future::pending;
use std::rc::Rc;
use std::sync::Arc;

use tenter::sync::{Event, Lock, Shared, oneshot};
use tenter::task::{self, Builder as Task, WaitKind, yield_now};
use tenter::time::{Duration, Instant, sleep};
use tenter::{CancelKind, Handle, JoinError, spawn, spawn_blocking, spawn_local};
use tenter_tests::support::{
    Count, Log, Meeting, OnDrop, assert_says, both, build, every, one_thread, panic_of, settle,
    thread,
};

fn hour() -> Duration {
    Duration::from_secs(3_600)
}

fn is_cancelled(ended: Result<impl Sized, JoinError>) -> bool {
    ended.is_err_and(|error| error.is_cancelled())
}

// ----- rows --------------------------------------------------------------------------------------

/// Goal: a spawned task does not run inside the call; it starts although nobody awaits it, after those that
/// are ready; it may have a name.
#[test]
fn a10_a_task_starts_by_itself_and_not_inside_the_call() {
    both(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            for number in 0..3 {
                let log = log.clone();
                drop(spawn(async move { log.add(number) }));
            }
            assert_eq!(log.take(), []);
            yield_now().await;
            assert_eq!(log.take(), [0, 1, 2]);
            let named = Task::new().name("a name").spawn(async {});
            assert_eq!(named.name().as_deref(), Some("a name"));
            named.await.expect("no panic");
        });
    });
}

/// Goal: a request to cancel is a request: the first is true, the task ends at its next suspension, and the
/// reason travels to whoever awaits it.
#[test]
fn a12_cancel_is_a_request_that_travels() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(sleep(hour()));
            settle().await;
            assert!(task.cancel_with("no longer wanted"));
            assert!(!task.cancel());
            let error = task.await.expect_err("cancelled");
            let reason = error.reason().expect("it was cancelled");
            assert_eq!(reason.kind(), CancelKind::Requested);
            assert_eq!(reason.message(), Some("no longer wanted"));
            assert!(reason.location().is_some());
        });
    });
}

/// Goal: what stands for the stack of a suspended task: where it was spawned, and what it waits for.
#[test]
fn a13_a_suspended_task_says_what_it_waits_for() {
    every(|builder| {
        build(builder).block_on(async {
            let gate = Arc::new(Event::new());
            let waits = Task::new().name("waiter").spawn({
                let gate = Arc::clone(&gate);
                async move { gate.wait().await }
            });
            settle().await;
            let info = task::all().into_iter().find(|info| info.id == waits.id());
            let info = info.expect("it has not ended");
            assert_eq!(info.waiting_on.map(|wait| wait.kind), Some(WaitKind::Event));
            assert!(info.spawned_at.file().ends_with("tasks_surface.rs"));
            let line = info.to_string();
            assert_says(
                &line,
                &["Task-", "\"waiter\"", "tasks_surface.rs", "an Event"],
            );
            gate.set();
            waits.await.expect("no panic");
        });
    });
}

/// Goal: `current` is the task that asks, in a job of `spawn_blocking` too, and none outside; what it says
/// stays true when the task has ended.
#[test]
fn a15_current_is_the_task_that_asks() {
    assert_eq!(task::current(), None);
    every(|builder| {
        build(builder).block_on(async {
            assert_eq!(task::current().is_some(), one_thread());
            let named = Task::new().name("reader");
            let task = named.clone().spawn(async { task::current() });
            let id = task.id();
            let seen = task.await.expect("no panic").expect("a task asks");
            assert_eq!((seen.id(), seen.name().as_deref()), (id, Some("reader")));
            assert!(seen.is_finished());
            assert_eq!(seen.waiting_on(), None);
            assert_eq!(seen.clone(), seen);
            assert_says(&seen.to_string(), &["Task-", "\"reader\""]);
            assert_says(&format!("{seen:?}"), &["TaskRef", "reader"]);

            let job = named.spawn_blocking(|| task::current().map(|job| (job.id(), job.name())));
            let id = job.id();
            let (seen, name) = job.await.expect("no panic").expect("a job asks");
            assert_eq!((seen, name.as_deref()), (id, Some("reader")));

            let inside = spawn(async { tenter::block_in_place(|| (task::id(), task::current())) });
            let (id, seen) = inside.await.expect("no panic");
            assert_eq!(seen.map(|task| task.id()), Some(id));
        });
    });
    assert_eq!(task::current(), None);
}

/// Goal: a task's destructors know whose they are, also when the runtime ends.
#[test]
fn a15_destructors_know_their_task() {
    every(|builder| {
        let log = Log::new();
        let runtime = build(builder);
        let mut ids = Vec::new();
        for _ in 0..2 {
            let log = log.clone();
            let guard = OnDrop(move || log.add(task::current().map(|task| task.id())));
            let task = runtime.spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            ids.push(Some(task.id()));
            runtime.block_on(settle());
            if ids.len() == 1 {
                task.cancel();
                runtime.block_on(settle());
            }
        }
        drop(runtime);
        assert_eq!(log.take(), ids);
    });
}

/// Goal: `all` lists the tasks that have not ended, and no other; also that which asks.
#[test]
fn a15_all_is_a_snapshot_of_what_has_not_ended() {
    every(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let over = spawn(async {});
            let sleeps = spawn(sleep(hour()));
            let named = Task::new().name("named").spawn(pending::<()>());
            let asks = spawn(async { (task::id(), task::all()) });
            settle().await;
            let (own, seen) = asks.await.expect("no panic");
            let has = |id| seen.iter().filter(|info| info.id == id).count();
            assert_eq!(has(own), 1, "that which asks");
            assert_eq!(has(over.id()), 0);
            assert_eq!((has(sleeps.id()), has(named.id())), (1, 1));
            assert!(seen.is_sorted_by_key(|info| info.id));
            sleeps.cancel();
            settle().await;
            let after = task::all();
            assert!(after.iter().all(|info| info.id != sleeps.id()));
            let named = after.iter().find(|info| info.id == named.id());
            assert_eq!(named.and_then(|info| info.name.as_deref()), Some("named"));
        });
        let _entered = runtime.enter();
        assert_eq!(task::all().len(), 1, "the named one; nobody drives");
    });
    let message = panic_of(|| drop(task::all()));
    assert_says(&message, &["tenter::task::all", "tasks_surface.rs"]);
}

/// Goal: another thread can ask, while some thread drives, and after the end.
#[test]
fn a15_another_thread_may_ask_for_all_tasks() {
    every(|builder| {
        let runtime = build(builder);
        let sleeps = runtime.spawn(sleep(hour()));
        runtime.block_on(async {
            settle().await;
            let job = spawn_blocking(task::all);
            let seen = job.await.expect("no panic");
            assert!(seen.iter().any(|info| info.id == sleeps.id()));
            assert_eq!(seen.len(), if one_thread() { 2 } else { 1 }, "{seen:?}");
        });
        let handle = runtime.handle().clone();
        drop(runtime);
        let _entered = handle.enter();
        assert_eq!(task::all(), []);
    });
}

/// Goal: `all` while tasks begin and end on other threads shows tasks that were there, each once.
#[test]
fn a15_all_on_many_threads() {
    let runtime = tenter::Builder::multi_thread().workers(2).build();
    let runtime = runtime.expect("the system has resources left");
    let stop = Arc::new(Event::new());
    let churn: Vec<_> = (0..2)
        .map(|_| {
            let stop = Arc::clone(&stop);
            runtime.spawn(async move {
                while !stop.is_set() {
                    let tasks: Vec<_> = (0..20).map(|_| spawn(yield_now())).collect();
                    for task in tasks {
                        task.await.expect("no panic");
                    }
                }
            })
        })
        .collect();
    let _entered = runtime.enter();
    for _ in 0..500 {
        let seen = task::all();
        assert!(seen.windows(2).all(|pair| pair[0].id < pair[1].id));
    }
    stop.set();
    for task in churn {
        runtime.block_on(task).expect("no panic");
    }
}

/// Goal: a one-shot cell: set once, awaited by many, and whoever waits for one that is gone is told.
#[test]
fn a16_a_promise_is_set_once_and_awaited_by_many() {
    every(|builder| {
        build(builder).block_on(async {
            let (promise, cell) = oneshot();
            let shared = Shared::new(cell);
            let waits: Vec<_> = (0..3).map(|_| spawn(shared.clone())).collect();
            settle().await;
            promise.send(7).expect("they wait");
            for wait in waits {
                assert_eq!(wait.await.expect("no panic"), Ok(7));
            }
            let (promise, cell) = oneshot::<u8>();
            drop(promise);
            assert!(cell.await.is_err(), "nobody hangs");
        });
    });
}

/// Goal: another thread spawns on a runtime, waits for the task, and can cancel it.
#[test]
fn a17_another_thread_spawns_waits_and_cancels() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            let outside = spawn_blocking(move || {
                let task = handle.spawn(async { task::id() });
                let id = task.id();
                assert_eq!(handle.block_on(task).expect("no panic"), id);
                let endless = handle.spawn(pending::<()>());
                assert!(endless.cancel());
                is_cancelled(handle.block_on(endless))
            });
            assert!(outside.await.expect("no panic"));
            assert!(Handle::try_current().is_ok());
        });
    });
}

/// Goal: no sleep ends early, and equal ones end in the order in which they began.
#[test]
fn a18_no_sleep_ends_early_and_equal_ones_end_in_order() {
    let runtime = build(tenter::Builder::deterministic(7));
    runtime.block_on(async {
        let log = Log::new();
        let began = Instant::now();
        let sleeps: Vec<_> = (0..5)
            .map(|number| {
                let log = log.clone();
                spawn(async move {
                    sleep(Duration::from_millis(20)).await;
                    log.add(number);
                    Instant::now()
                })
            })
            .collect();
        for sleep in sleeps {
            let woke = sleep.await.expect("no panic");
            assert_eq!(woke.duration_since(began), Duration::from_millis(20));
        }
        assert_eq!(log.take(), [0, 1, 2, 3, 4]);
    });
}

// ----- what nobody awaits (A86, A91 to A94) ------------------------------------------------------

/// Goal: the handler gets everything that nobody can observe; one that panics itself does not end the
/// program.
#[test]
fn a86_the_handler_gets_what_nobody_awaits() {
    every(|builder| {
        let seen = Count::new();
        let runtime = build(builder.on_unobserved({
            let seen = seen.clone();
            move |_| {
                seen.add();
                panic!("in the handler");
            }
        }));
        runtime.block_on(async {
            drop(spawn(async { panic!("on purpose") }));
            settle().await;
            settle().await;
            assert_eq!(seen.get(), 1);
            assert_eq!(spawn(async { 1 }).await.expect("it goes on"), 1);
        });
        assert_eq!(runtime.metrics().unobserved_failures, 1);
    });
}

/// Goal: a spawned future needs nobody to await it: there is none that "was never awaited".
#[test]
fn a91_a_task_needs_nobody_to_await_it() {
    every(|builder| {
        let ran = Count::new();
        build(builder).block_on(async {
            let ran = ran.clone();
            drop(spawn(async move { ran.add() }));
            settle().await;
        });
        assert_eq!(ran.get(), 1);
    });
}

/// Goal: a failure that nobody retrieves is reported when its handle goes, not at some later collection.
#[test]
fn a92_a_failure_is_reported_when_its_handle_goes() {
    every(|builder| {
        let reports = Count::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |_| {
                reports.add();
            }
        }));
        runtime.block_on(async {
            let failed = spawn(async { panic!("on purpose") });
            settle().await;
            assert_eq!(reports.get(), 0);
            drop(failed);
            assert_eq!(reports.get(), 1);
        });
    });
}

/// Goal: no task goes away in the middle: with its handle gone it lives on, and at the end of the runtime it
/// is cancelled, dropped once, and in the report by name.
#[test]
fn a93_a_pending_task_is_never_lost() {
    every(|builder| {
        let dropped = Count::new();
        let runtime = build(builder);
        let guard = dropped.on_drop();
        drop(runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        }));
        let named = runtime.handle().clone();
        runtime.block_on(async move {
            let _runtime = named;
            drop(Task::new().name("left behind").spawn(pending::<()>()));
            settle().await;
            assert_eq!(task::all().len(), if one_thread() { 3 } else { 2 });
        });
        assert_eq!(dropped.get(), 0);
        let report = runtime.shutdown_timeout(Duration::from_secs(10));
        assert_eq!((dropped.get(), report.cancelled), (1, 2));
        assert_says(&report.to_string(), &["left behind"]);
    });
}

/// Goal: a runtime that is dropped leaves nothing open: its tasks, and what they hold, are gone.
#[test]
fn a94_a_dropped_runtime_leaves_nothing_open() {
    every(|builder| {
        let dropped = Count::new();
        let runtime = build(builder);
        for _ in 0..10 {
            let guard = dropped.on_drop();
            drop(runtime.spawn(async move {
                let _guard = guard;
                sleep(hour()).await;
            }));
        }
        runtime.block_on(settle());
        assert_eq!(runtime.metrics().alive_tasks, 10);
        drop(runtime);
        assert_eq!(dropped.get(), 10);
    });
}

/// Goal: the builder spawns each kind of task with its name.
#[test]
fn a10_the_builder_names_every_kind_of_task() {
    both(|builder| {
        build(builder).block_on(async {
            let shared = Rc::new(Lock::new(1));
            let named = Task::new().name("of all kinds");
            let name = || task::current().and_then(|task| task.name());
            let local = named.clone().spawn_local(async move {
                assert_eq!(*shared.lock().await, 1);
                name()
            });
            let task = named.clone().spawn(async move { name() });
            let job = named.spawn_blocking(name);
            for seen in [local.await, task.await, job.await] {
                assert_eq!(seen.expect("no panic").as_deref(), Some("of all kinds"));
            }
            spawn_local(async {}).await.expect("no panic");
        });
    });
}

/// Goal: a look at a task may outlive its runtime, and be dropped on any thread.
#[test]
fn a15_a_reference_outlives_the_runtime() {
    every(|builder| {
        let runtime = build(builder);
        let task = runtime.spawn(async { task::current() });
        let seen = runtime.block_on(task).expect("no panic").expect("a task");
        drop(runtime);
        let meeting = Meeting::new(2);
        let other = thread({
            let (meeting, seen) = (Arc::clone(&meeting), seen.clone());
            move || {
                meeting.meet();
                drop(seen);
            }
        });
        meeting.meet();
        assert!(seen.is_finished());
        drop(seen);
        other.join();
    });
}
