//! What the cases T01 to T23 say about tasks, each under its number, but for those of context variables
//! (`context.rs`), eager tasks (`eager.rs`), callbacks (`callbacks.rs`) and groups.

use std::future::pending;

use tenter::task::{self, Builder as Task, yield_now};
use tenter::time::{Duration, sleep};
use tenter::{JoinError, spawn};
use tenter_tests::support::{
    Count, Log, assert_says, both, build, every, foreign_block_on, settle,
};

fn hour() -> Duration {
    Duration::from_secs(3_600)
}

fn is_cancelled(ended: Result<impl Sized, JoinError>) -> bool {
    ended.is_err_and(|error| error.is_cancelled())
}

/// Goal: a sleeping task that is cancelled ends as cancelled; a second request is refused.
#[test]
fn t01_a_cancelled_sleeper_is_cancelled_once() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(sleep(hour()));
            settle().await;
            assert!(task.cancel());
            assert!(!task.cancel());
            assert!(is_cancelled(task.await));
        });
    });
}

/// Goal: cancelled before its first poll, a task never runs, and what it holds is dropped.
#[test]
fn t02_cancelled_before_its_first_poll_a_task_never_runs() {
    both(|builder| {
        build(builder).block_on(async {
            let (ran, dropped) = (Count::new(), Count::new());
            let task = spawn({
                let (ran, guard) = (ran.clone(), dropped.on_drop());
                async move {
                    let _guard = guard;
                    ran.add()
                }
            });
            task.cancel();
            assert!(is_cancelled(task.await));
            assert_eq!((ran.get(), dropped.get()), (0, 1));
        });
    });
}

/// Goal: a task that cancels itself ends where it next suspends.
#[test]
fn t04_a_task_that_cancels_itself_ends_when_it_suspends() {
    every(|builder| {
        build(builder).block_on(async {
            let reached = Count::new();
            let task = spawn({
                let reached = reached.clone();
                async move {
                    task::current().expect("a task").canceller().cancel();
                    reached.add();
                    sleep(Duration::from_secs(100)).await;
                    reached.add();
                }
            });
            assert!(is_cancelled(task.await));
            assert_eq!(reached.get(), 1);
        });
    });
}

/// Goal: a task that cancels itself and returns without suspending has its output.
#[test]
fn t05_readiness_beats_the_tasks_own_cancellation() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(async {
                task::current().expect("a task").canceller().cancel();
                12
            });
            assert_eq!(task.await.expect("it was ready"), 12);
        });
    });
}

/// Goal: cancelled while it runs, a task takes the task that it owns along at its next suspension, and what
/// that one waits for is given up.
#[test]
fn t06_an_owned_task_is_cancelled_with_its_owner() {
    both(|builder| {
        build(builder).block_on(async {
            let dropped = Count::new();
            let outer = spawn({
                let guard = dropped.on_drop();
                async move {
                    let inner = spawn(async move {
                        let _guard = guard;
                        sleep(hour()).await;
                    });
                    yield_now().await;
                    task::current().expect("a task").canceller().cancel();
                    inner.cancel_on_drop().await
                }
            });
            assert!(is_cancelled(outer.await));
            settle().await;
            assert_eq!(dropped.get(), 1);
        });
    });
}

/// Goal: of two requests the first reason stays.
#[test]
fn t08_the_first_reason_stays() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(pending::<()>());
            assert!(task.cancel_with("first"));
            assert!(!task.cancel_with("second"));
            let seen = task.await.expect_err("cancelled");
            assert_eq!(
                seen.reason().and_then(|reason| reason.message()),
                Some("first")
            );
        });
    });
}

/// Goal: the message is in the error, whether the request came before or after the start, and a look at the
/// task shows it in between.
#[test]
fn t09_the_message_reaches_whoever_awaits() {
    every(|builder| {
        build(builder).block_on(async {
            for started in [false, true] {
                let looks = Task::new().name("looks").spawn(pending::<()>());
                if started {
                    settle().await;
                }
                assert!(looks.cancel_with("my message"));
                let error = looks.await.expect_err("cancelled");
                assert_says(&error.to_string(), &["my message", "looks"]);
                let outer: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
                assert_says(&outer.to_string(), &["my message"]);
            }
            let seen = spawn(async {
                let own = task::current().expect("a task");
                assert_eq!(own.cancel_requested(), None);
                own.canceller().cancel_with("my message");
                let reason = own.cancel_requested().expect("it was asked for");
                reason.message().map(str::to_owned)
            });
            let seen = seen.await.expect("it was ready");
            assert_eq!(seen.as_deref(), Some("my message"));
        });
    });
}

/// Goal: tasks without a name are called by their numbers, which increase; a name that is given later is
/// seen in every list, report and error.
#[test]
fn t13_unnamed_tasks_are_numbered_and_names_can_be_given() {
    both(|builder| {
        build(builder).block_on(async {
            let tasks: Vec<_> = (0..3).map(|_| spawn(pending::<()>())).collect();
            yield_now().await;
            let lines: Vec<_> = task::all().iter().map(ToString::to_string).collect();
            let known: Vec<_> = tasks
                .iter()
                .map(|task| format!("Task-{} ", task.id()))
                .collect();
            assert!(tasks.windows(2).all(|pair| pair[0].id() < pair[1].id()));
            for name in &known {
                assert!(lines.iter().any(|line| line.starts_with(name)), "{lines:?}");
            }
            assert_eq!(tasks[0].name(), None);
            tasks[0].set_name("renamed");
            assert_eq!(tasks[0].name().as_deref(), Some("renamed"));
            let listed = task::all();
            let listed = listed.iter().find(|info| info.id == tasks[0].id());
            assert_says(&listed.expect("it sleeps").to_string(), &["\"renamed\""]);
            let named = Task::new().name("first").spawn(async {
                let own = task::current().expect("a task");
                own.set_name("second");
                pending::<()>().await;
            });
            yield_now().await;
            let error = named.cancel_and_wait().await.expect_err("cancelled");
            assert_eq!(error.name(), Some("second"));
        });
    });
}

/// Goal: with tasks that take turns, `current` is right after each suspension, and none outside.
#[test]
fn t14_current_is_right_after_each_suspension() {
    every(|builder| {
        assert_eq!(task::current(), None);
        build(builder).block_on(async {
            let tasks: Vec<_> = (0..10)
                .map(|_| {
                    spawn(async {
                        let own = task::current().expect("a task");
                        for _ in 0..10 {
                            yield_now().await;
                            assert_eq!(task::current().as_ref(), Some(&own));
                            assert_eq!(task::id(), own.id());
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        assert_eq!(task::current(), None);
    });
    foreign_block_on(async { assert_eq!(task::current(), None) });
}

/// Goal: a task that fails while nobody holds its handle is reported once, when it ends; a handle that is
/// dropped later, unawaited, reports then; one that is awaited, never.
#[test]
fn t15_a_failure_that_nobody_awaits_is_reported_once() {
    every(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| reports.add((failure.task_id(), failure.message().to_owned()))
        }));
        runtime.block_on(async {
            let failing = || async {
                yield_now().await;
                panic!("on purpose")
            };
            let detached = spawn(failing());
            let id = detached.id();
            drop(detached);
            for _ in 0..3 {
                settle().await;
            }
            assert_eq!(reports.take(), [(id, "on purpose".to_owned())]);
            let held = spawn(failing());
            let id = held.id();
            for _ in 0..3 {
                settle().await;
            }
            assert_eq!(reports.take(), []);
            drop(held);
            assert_eq!(reports.take(), [(id, "on purpose".to_owned())]);
            let awaited = spawn(failing());
            assert!(awaited.await.is_err());
        });
        drop(runtime);
        assert_eq!(reports.take(), []);
    });
}

/// Goal: a panic reaches whoever awaits the task, with its payload; other tasks go on.
#[test]
fn t23_a_panic_is_the_awaiters_and_nobody_elses() {
    every(|builder| {
        build(builder).block_on(async {
            let other = spawn(async {
                for _ in 0..10 {
                    yield_now().await;
                }
                7
            });
            let failing = spawn(async { std::panic::panic_any(42_u8) });
            let error = failing.await.expect_err("it panicked");
            assert!(error.is_panic() && !error.is_cancelled());
            assert_eq!(error.into_panic().downcast_ref(), Some(&42_u8));
            assert_eq!(other.await.expect("no panic"), 7);
        });
    });
}
