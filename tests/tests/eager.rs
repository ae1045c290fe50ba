//! Tasks that begin before their spawn returns: row A14, cases T20 and T21.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;

use tenter::task::{self, Builder as Task, yield_now};
use tenter::time::{Duration, sleep};
use tenter::{context_var, spawn, spawn_eager};
use tenter_tests::support::{
    Count, Log, both, build, every, one_thread, poll_once, settle, thread,
};

context_var! { static DEPTH: u32 = 0; }

/// Goal: a future that is ready at once is done when the spawn returns: it was never queued, a cancellation
/// comes too late, and no list of tasks has it.
#[test]
fn t20_an_eager_task_that_never_suspends_is_done_at_once() {
    every(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let (polls, before) = (runtime.metrics().polls, runtime.metrics());
            let done = spawn_eager(async { 5 });
            assert!(done.is_finished());
            assert!(!done.cancel());
            assert!(task::all().iter().all(|info| info.id != done.id()));
            assert_eq!(done.await.expect("it had ended"), 5);
            let after = runtime.metrics();
            if one_thread() {
                assert_eq!(after.polls, polls + 1, "its only poll");
            }
            assert_eq!(after.spawned_tasks, before.spawned_tasks + 1);
            assert_eq!(after.completed_tasks, before.completed_tasks + 1);
        });
    });
}

/// Goal: during the first poll the child is the current task, with its own values; after it, the creator
/// is again what it was. Also for what the child spawns eagerly itself, and in its later polls.
#[test]
fn t21_current_and_context_are_the_childs_during_the_step_and_restored() {
    every(|builder| {
        build(builder).block_on(async {
            // Main is no task beside many workers, so the creator is a task of its own.
            let creator = spawn(async {
                let own = task::id();
                DEPTH.set(1);
                let child = spawn_eager(async move {
                    let id = task::id();
                    assert_ne!(id, own);
                    assert_eq!(task::current().map(|task| task.id()), Some(id));
                    assert_eq!(DEPTH.get(), 1);
                    DEPTH.set(2);
                    let inner = spawn_eager(async move {
                        assert_ne!(task::id(), id);
                        assert_eq!(DEPTH.get(), 2);
                        DEPTH.set(3);
                    });
                    assert!(inner.is_finished());
                    assert_eq!((task::id(), DEPTH.get()), (id, 2));
                    yield_now().await;
                    assert_eq!((task::id(), DEPTH.get()), (id, 2));
                    id
                });
                assert!(!child.is_finished());
                assert_eq!(task::current().map(|task| task.id()), Some(own));
                assert_eq!((task::id(), DEPTH.get()), (own, 1));
                let id = child.id();
                assert_eq!(child.await.expect("no panic"), id);
                assert_eq!((task::id(), DEPTH.get()), (own, 1));
            });
            creator.await.expect("no panic");
        });
    });
}

/// Goal: the child runs before the creator's next line, up to its first suspension, and later as any task.
#[test]
fn a14_an_eager_task_runs_before_the_next_line() {
    both(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let say = |text: &'static str| {
                let log = log.clone();
                move || log.add(text)
            };
            let lazy = spawn({
                let say = say("lazy");
                async move { say() }
            });
            let eager = spawn_eager({
                let (first, second) = (say("eager: first step"), say("eager: second step"));
                async move {
                    first();
                    yield_now().await;
                    second();
                }
            });
            log.add("creator");
            lazy.await.expect("no panic");
            eager.await.expect("no panic");
            assert_eq!(
                log.take(),
                ["eager: first step", "creator", "lazy", "eager: second step"]
            );
        });
    });
}

/// Goal: a panic in the first poll is the task's; one that nobody joins is reported once.
#[test]
fn a14_a_panic_in_the_first_step_is_the_tasks() {
    every(|builder| {
        let reports = Count::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |_| {
                reports.add();
            }
        }));
        runtime.block_on(async {
            let failed = spawn_eager(async { panic!("on purpose") });
            assert!(failed.is_finished());
            let error = failed.await.expect_err("it panicked");
            assert!(error.is_panic());
            drop(spawn_eager(async { panic!("on purpose") }));
            assert_eq!(reports.get(), 1);
        });
    });
}

/// Goal: an eager task that suspends is an ordinary task: woken, cancelled and dropped as others.
#[test]
fn a14_an_eager_task_that_suspends_is_a_task_like_any_other() {
    every(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        runtime.block_on(async {
            let slept = spawn_eager(async {
                sleep(Duration::from_millis(1)).await;
                7
            });
            assert!(!slept.is_finished());
            assert_eq!(slept.await.expect("no panic"), 7);

            let (tx, rx) = tenter::sync::oneshot();
            let waits = spawn_eager(async move { rx.await.expect("it is sent") });
            settle().await;
            tx.send(8).expect("it waits");
            assert_eq!(waits.await.expect("no panic"), 8);

            let guard = dropped.on_drop();
            let cancelled = spawn_eager(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            settle().await;
            assert!(cancelled.cancel());
            assert!(cancelled.await.expect_err("cancelled").is_cancelled());
            assert_eq!(dropped.get(), 1);

            let itself = spawn_eager(async {
                let own = task::current().expect("a task").canceller();
                assert!(own.cancel_with("by itself"));
                pending::<()>().await;
            });
            assert!(itself.is_finished(), "it ended when it suspended");
            assert!(itself.await.expect_err("cancelled").is_cancelled());

            let guard = dropped.on_drop();
            drop(spawn_eager(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
        });
        drop(runtime);
        assert_eq!(dropped.get(), 2, "the end of the runtime ends it");
    });
}

/// Goal: an eager task that is cancelled in its first poll does what it has deferred before it is done.
#[test]
fn a14_an_eager_task_that_is_cancelled_at_once_cleans_up() {
    every(|builder| {
        build(builder).block_on(async {
            let cleaned = Count::new();
            let task = spawn_eager({
                let cleaned = cleaned.clone();
                async move {
                    let _clean_up = tenter::defer_async(async move {
                        yield_now().await;
                        cleaned.add();
                    });
                    let own = task::current().expect("a task").canceller();
                    own.cancel();
                    pending::<()>().await;
                }
            });
            let ended = task.await;
            assert!(ended.expect_err("cancelled").is_cancelled());
            assert_eq!(cleaned.get(), 1);
        });
    });
}

/// Goal: the builder spawns eagerly too, with name and all, and local futures.
#[test]
fn a14_the_builder_is_eager_on_request() {
    both(|builder| {
        build(builder).block_on(async {
            let eager = Task::new().name("early").eager(true);
            let named = eager.clone().spawn(async { task::current()?.name() });
            assert!(named.is_finished());
            let name = named.await.expect("no panic");
            assert_eq!(name.as_deref(), Some("early"));
            let shared = std::rc::Rc::new(3);
            let local = eager.clone().spawn_local(async move {
                yield_now().await;
                *shared
            });
            assert!(!local.is_finished());
            assert_eq!(local.await.expect("no panic"), 3);
            let lazy = eager.eager(false).spawn(async {});
            assert!(!lazy.is_finished());
            lazy.await.expect("no panic");
        });
    });
}

/// Goal: on a thread that is none of the runtime's, an eager task of many workers begins there; one of a
/// single-threaded runtime waits for its thread.
#[test]
fn a14_on_another_thread_only_workers_tasks_begin_early() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let begun = thread({
            let (runtime, many) = (Arc::clone(&runtime), !one_thread());
            move || {
                let here = std::thread::current().id();
                let _entered = runtime.enter();
                let task = spawn_eager(async move {
                    let first = std::thread::current().id();
                    sleep(Duration::from_millis(1)).await;
                    let child = spawn(async { 1 });
                    (first, child.await.expect("no panic"))
                });
                (here, many, task)
            }
        });
        let (here, many, task) = begun.join();
        let (first, one) = runtime.block_on(task).expect("no panic");
        assert_eq!(first == here, many);
        assert_eq!(one, 1);
    });
}

/// Goal: after the end of the runtime an eager task is cancelled unpolled, as any other.
#[test]
fn a14_after_the_end_nothing_begins() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        drop(runtime);
        let polled = Count::new();
        let _entered = handle.enter();
        let mut late = spawn_eager({
            let polled = polled.clone();
            async move { polled.add() }
        });
        let Poll::Ready(ended) = poll_once(&mut late) else {
            panic!("it has ended")
        };
        assert!(ended.expect_err("the runtime has ended").is_cancelled());
        assert_eq!(polled.get(), 0);
    });
}

/// Goal: the creator's own yield, and its budget, are its own.
/// Method: the creator polls a yield, spawns eagerly a task that is ready, and returns: it must be polled
/// again.
#[test]
fn a14_the_creators_yield_is_not_lost() {
    both(|builder| {
        build(builder).block_on(async {
            let mut yielding = Box::pin(yield_now());
            let mut first = true;
            poll_fn(|cx| {
                let polled = yielding.as_mut().poll(cx);
                if std::mem::take(&mut first) {
                    assert!(polled.is_pending());
                    assert!(spawn_eager(async {}).is_finished());
                }
                polled
            })
            .await;
        });
    });
}

/// Goal: many eager tasks on many threads, some of which end at once, some later, while the runtime ends:
/// each is polled to its end or cancelled, and dropped once.
#[test]
fn a14_eager_tasks_from_everywhere_end_with_their_runtime() {
    for round in 0..20_u32 {
        let runtime = tenter::Builder::multi_thread()
            .workers(2)
            .build()
            .expect("the system has resources left");
        let (made, dropped) = (Count::new(), Count::new());
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let handle = runtime.handle().clone();
                let (made, dropped) = (made.clone(), dropped.clone());
                thread(move || {
                    let _entered = handle.enter();
                    for index in 0..200_u32 {
                        made.add();
                        let guard = dropped.on_drop();
                        drop(spawn_eager(async move {
                            let _guard = guard;
                            match index % 3 {
                                0 => {}
                                1 => yield_now().await,
                                _ => pending::<()>().await,
                            }
                        }));
                    }
                })
            })
            .collect();
        for _ in 0..round * 10 {
            std::thread::yield_now();
        }
        drop(runtime);
        for thread in threads {
            thread.join();
        }
        assert_eq!(made.get(), dropped.get());
    }
}
