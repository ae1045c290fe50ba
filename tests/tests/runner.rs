//! The graceful end of a run, and several runs on one runtime.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one run to the next"
)]

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tenter::sync::{Notify, Semaphore};
use tenter::task::{self, yield_now};
use tenter::time::sleep;
use tenter::{Builder, CancelKind, CancelReason, Runner, Runtime, shield, spawn};
use tenter_tests::support::{
    Count, Log, OnDrop, assert_says, both, build, ends, every, foreign_block_on, one_thread,
    panic_of, settle, thread,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn kind(error: &tenter::JoinError) -> Option<CancelKind> {
    error.reason().map(CancelReason::kind)
}

fn runner(builder: Builder) -> Runner {
    Runner::from(build(builder))
}

/// Goal: a leftover task is cancelled, and what it shields has ended when the end returns.
#[test]
fn r01_a_leftover_is_cancelled_and_has_stopped() {
    every(|builder| {
        let mut runner = runner(builder.shutdown_timeout(HOUR));
        let (log, begun, dropped) = (Log::new(), Count::new(), Count::new());
        let task = runner.run(async {
            let task = spawn({
                let (log, begun, guard) = (log.clone(), begun.clone(), dropped.on_drop());
                async move {
                    let _guard = guard;
                    shield(async {
                        begun.add();
                        for step in 0..100 {
                            yield_now().await;
                            log.add(step);
                        }
                    })
                    .await;
                    pending::<()>().await;
                }
            });
            while begun.get() == 0 {
                yield_now().await;
            }
            task
        });
        let report = runner.close();
        assert_eq!((report.cancelled, report.overdue), (1, 0), "{report}");
        assert!(report.stuck_tasks.is_empty());
        assert_eq!(log.take().len(), 100);
        assert_eq!(dropped.get(), 1);
        let error = foreign_block_on(task.unwrap()).unwrap_err();
        assert_eq!(kind(&error), Some(CancelKind::Shutdown));
    });
}

/// Goal: `run` returns what main returned, and not before everything has stopped; and so it does when main
/// panics.
#[test]
fn a01_run_returns_the_value_when_all_have_stopped() {
    ends("run", || {
        let stopped = Arc::new(AtomicBool::new(false));
        let leftover = |stopped: &Arc<AtomicBool>| {
            let stopped = Arc::clone(stopped);
            async move {
                shield(async {
                    for _ in 0..1_000 {
                        yield_now().await;
                    }
                    stopped.store(true, Ordering::Release);
                })
                .await;
                pending::<()>().await;
            }
        };
        let value = tenter::run(async {
            let _detached = spawn(leftover(&stopped));
            yield_now().await;
            7
        });
        assert_eq!(value, 7);
        // Shielded to its end if it was polled at all.
        let first = stopped.swap(false, Ordering::AcqRel);
        let message = panic_of(|| {
            tenter::run(async {
                let started = Arc::new(Notify::new());
                let _detached = spawn({
                    let (started, rest) = (Arc::clone(&started), leftover(&stopped));
                    async move {
                        started.notify_one();
                        rest.await;
                    }
                });
                started.notified().await;
                panic!("main gave up");
            });
        });
        assert_eq!(message, "main gave up");
        assert!(stopped.load(Ordering::Acquire), "{first}");
    });
}

/// Goal: what a leftover raises while it is cancelled is reported once, by name, and the value stands.
#[test]
fn r02_a_leftover_that_fails_while_it_stops_is_reported() {
    every(|builder| {
        let told = Log::new();
        let mut runner = runner(builder.on_unobserved({
            let told = told.clone();
            move |failure| told.add(failure.to_string())
        }));
        let value = runner.run(async {
            let task = task::Builder::new().name("the last").spawn(async {
                let _broken = OnDrop(|| panic!("no way out"));
                pending::<()>().await;
            });
            settle().await;
            drop(task);
            7
        });
        assert_eq!(value, Ok(7));
        let report = runner.close();
        assert_eq!((report.cancelled, report.overdue), (1, 0));
        let told = told.take();
        assert_eq!(told.len(), 1);
        assert_says(&told[0], &["the last", "no way out"]);
    });
}

/// Goal: what does not stop is named when the time is up, and dropped; on a virtual clock at once.
#[test]
fn a01_what_does_not_stop_is_named_when_the_time_is_up() {
    every(|builder| {
        let limit = Duration::from_millis(500);
        let runtime = build(builder);
        let dropped = Count::new();
        runtime.block_on(async {
            let guard = dropped.on_drop();
            drop(task::Builder::new().name("obstinate").spawn(async move {
                let _guard = guard;
                shield(pending::<()>()).await;
            }));
            drop(spawn(pending::<()>()));
            settle().await;
        });
        let report = runtime.shutdown_timeout(limit);
        assert_eq!((report.cancelled, report.overdue), (2, 1), "{report}");
        let names: Vec<_> = report.overdue_tasks.iter().map(|task| &task.name).collect();
        assert_eq!(names[0].as_deref(), Some("obstinate"));
        assert!(report.to_string().contains("1 not stopped in time"));
        assert!(!report.is_clean());
        // A worker that was kept from it does it when it can.
        while dropped.get() == 0 {
            assert!(!one_thread(), "on one thread it is done");
            std::thread::yield_now();
        }
    });
}

/// Goal: what a task has deferred is done before the end is over, and so is what main has.
#[test]
fn a01_what_was_deferred_is_done() {
    every(|builder| {
        let mut runner = runner(builder.shutdown_timeout(HOUR));
        let (log, begun) = (Log::new(), Arc::new(Notify::new()));
        let clean_up = |who: &'static str| {
            let log = log.clone();
            async move {
                for _ in 0..50 {
                    yield_now().await;
                }
                log.add(who);
            }
        };
        runner
            .run(async {
                let _main = tenter::defer_async(clean_up("main"));
                let (of_task, begun_too) = (clean_up("task"), Arc::clone(&begun));
                drop(spawn(async move {
                    let _task = tenter::defer_async(of_task);
                    begun_too.notify_one();
                    pending::<()>().await;
                }));
                begun.notified().await;
            })
            .unwrap();
        assert_eq!(log.take(), ["main"]);
        let report = runner.close();
        assert_eq!((report.cancelled, report.overdue), (1, 0), "{report}");
        assert_eq!(log.take(), ["task"]);
    });
}

/// Goal: leftovers are given time on the clock of the runtime, which jumps if it is virtual.
#[test]
fn a01_a_virtual_clock_gives_virtual_time() {
    for (limit, overdue) in [(HOUR, 1), (3 * HOUR, 0)] {
        ends("virtual", move || {
            let builder = Builder::deterministic(0).shutdown_timeout(limit);
            let mut runner = runner(builder);
            let done = Count::new();
            runner
                .run(async {
                    let done = done.clone();
                    drop(spawn(async move {
                        shield(async {
                            sleep(2 * HOUR).await;
                            done.add();
                        })
                        .await;
                    }));
                    yield_now().await;
                })
                .unwrap();
            assert_eq!(runner.close().overdue, overdue);
            assert_eq!(done.get(), 1 - overdue);
        });
    }
}

/// Goal: a task that is spawned while the others stop is cancelled unpolled, and a blocking job is run.
#[test]
fn a01_clean_ups_may_use_the_runtime() {
    every(|builder| {
        let mut runner = runner(builder.shutdown_timeout(HOUR));
        let log = Log::new();
        let main = runner.run(async {
            let begun = Arc::new(Notify::new());
            drop(spawn({
                let (log, begun) = (log.clone(), Arc::clone(&begun));
                async move {
                    shield(async {
                        begun.notify_one();
                        loop {
                            match spawn(yield_now()).await {
                                Ok(()) => yield_now().await,
                                Err(error) => break log.add(format!("{:?}", kind(&error))),
                            }
                        }
                        let job = tenter::spawn_blocking(|| 6 * 7);
                        log.add(format!("{:?}", job.await.ok()));
                        sleep(Duration::from_millis(1)).await;
                        log.add("slept".to_owned());
                    })
                    .await;
                }
            }));
            begun.notified().await;
        });
        assert_eq!(main, Ok(()));
        let report = runner.close();
        assert_eq!(report.overdue, 0, "{report}");
        assert_eq!(log.take(), ["Some(Shutdown)", "Some(42)", "slept"]);
    });
}

/// Goal: tasks that were never polled, that belong to this thread, that wait for each other, that were
/// cancelled before: all are gone afterwards, and nobody waits for what is over.
#[test]
fn a01_tasks_in_every_state_stop() {
    every(|builder| {
        let mut runner = runner(builder.shutdown_timeout(HOUR));
        let dropped = Count::new();
        runner
            .run(async {
                let hold = || {
                    let guard = dropped.on_drop();
                    async move {
                        let _guard = guard;
                        pending::<()>().await;
                    }
                };
                let sleeper = spawn(hold());
                let joiner = spawn(async move { drop(sleeper.await) });
                let cancelled = spawn(hold());
                settle().await;
                cancelled.cancel();
                drop(task::Builder::new().name("never polled").spawn(hold()));
                if one_thread() {
                    drop(tenter::spawn_local(hold()));
                }
                drop((joiner, cancelled));
            })
            .unwrap();
        let others = runner.handle().clone();
        drop(others.spawn(pending::<()>()));
        let report = runner.close();
        assert_eq!(report.overdue, 0, "{report}");
        assert_eq!(dropped.get(), if one_thread() { 4 } else { 3 });
        let metrics = others.metrics();
        assert_eq!(metrics.alive_tasks, 0, "{metrics}");
        let late = foreign_block_on(others.spawn(async {}));
        assert_eq!(kind(&late.unwrap_err()), Some(CancelKind::Shutdown));
    });
}

/// Goal: the end comes, however tasks hand work to each other meanwhile.
/// Method: webs of tasks that wake each other in shields; a lost wake hangs.
#[test]
fn a01_the_end_is_seen_whoever_stops_last() {
    every(|builder| {
        for round in 0..if one_thread() { 4 } else { 60 } {
            let mut runner = Runner::from(builder.clone().build().expect("it is built"));
            let (begun, stopped) = (Count::new(), Count::new());
            runner
                .run(async {
                    let bells: Arc<[Semaphore]> = (0..4).map(|_| Semaphore::new(0)).collect();
                    for number in 0..bells.len() {
                        let bells = Arc::clone(&bells);
                        let (begun, stopped) = (begun.clone(), stopped.clone());
                        drop(spawn(async move {
                            shield(async {
                                begun.add();
                                for _ in 0..20 + round {
                                    bells[(number + 1) % bells.len()].add_permits(1).unwrap();
                                    bells[number].acquire().await.unwrap().forget();
                                }
                                bells[(number + 1) % bells.len()].add_permits(1).unwrap();
                                stopped.add();
                            })
                            .await;
                        }));
                    }
                    // One that is cancelled before it has begun leaves the others waiting.
                    while begun.get() < bells.len() {
                        yield_now().await;
                    }
                })
                .unwrap();
            let other = thread({
                let handle = runner.handle().clone();
                move || {
                    for _ in 0..20 {
                        drop(handle.spawn(yield_now()));
                    }
                }
            });
            let report = runner.close();
            other.join();
            assert_eq!(report.overdue, 0, "{report}");
            assert_eq!(stopped.get(), 4, "round {round}");
        }
    });
}

/// Goal: where waiting would be for oneself, nothing is waited for.
#[test]
fn a01_a_runtime_that_ends_inside_a_task_drops_at_once() {
    every(|builder| {
        let inner = builder.clone().build().expect("it is built");
        let dropped = Count::new();
        inner.block_on(async {
            let guard = dropped.on_drop();
            drop(spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
            settle().await;
        });
        let outer = build(builder);
        let report = outer
            .block_on(async { spawn(async move { inner.shutdown_timeout(SECOND) }).await })
            .unwrap();
        assert_eq!((report.cancelled, report.overdue), (1, 0), "{report}");
        assert_eq!(dropped.get(), 1);
    });
}

/// Goal: several runs share the runtime: tasks, their names, and what they wait for.
#[test]
fn a02_runs_share_a_runtime() {
    every(|builder| {
        let mut runner = runner(builder);
        let task = runner.run(async { spawn(async { 20 + 1 }) }).unwrap();
        let between = runner.handle().spawn(async { 1 });
        let sum = runner.run(async { task.await.unwrap() + between.await.unwrap() });
        assert_eq!(sum, Ok(22));
        let message = panic_of(|| runner.run(async { panic!("once") }));
        assert_eq!(message, "once");
        assert_eq!(runner.run(async { 7 }), Ok(7));
        let report = runner.close();
        assert!(report.is_clean(), "{report}");
    });
}

/// Goal: a runner is made of default settings, of a builder's, and is closed or just dropped.
#[test]
fn a02_a_runner_is_made_and_dropped() {
    let mut runner = Runner::new().unwrap();
    assert_eq!(runner.run(async { 1 }), Ok(1));
    assert!(runner.close().is_clean());
    let builder = Runner::builder().workers(1).name("mine");
    let mut runner = Runner::from(builder.build().unwrap());
    let dropped = Count::new();
    let guard = dropped.on_drop();
    runner
        .run(async {
            drop(spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
        })
        .unwrap();
    assert!(format!("{:?}", runner.runtime()).contains("mine"));
    drop(runner);
    assert_eq!(dropped.get(), 1);
}

/// Goal: a run inside a run fails at once, and says what to do instead.
#[test]
fn r03_a_run_inside_a_run_names_the_alternative() {
    both(|builder| {
        let mut outer = runner(builder);
        outer
            .run(async {
                let message = panic_of(|| tenter::run(async {}));
                let parts = ["tenter::run", "runner.rs", ".await", "block_on_nested"];
                assert_says(&message, &parts);
                let mut inner = Runner::from(Runtime::new().unwrap());
                let message = panic_of(|| inner.run(async {}));
                assert_says(&message, &["Runner::run", "block_on_nested"]);
            })
            .unwrap();
    });
}

tenter::context_var! {
    static VISITS: u32 = 0;
}

/// Goal: what one run sets the next one sees, and so do the blocking jobs of both and what they run.
#[test]
fn r04_runs_share_one_context() {
    let mut runner = Runner::new().expect("nothing is refused");
    let visit = async || {
        VISITS.set(VISITS.get() + 1);
        let seen = tenter::spawn_blocking(|| {
            let inside = tenter::from_thread::run(async { VISITS.get() });
            (VISITS.get(), inside.expect("it is not cancelled"))
        });
        seen.await.expect("no panic")
    };
    assert_eq!(runner.run(visit()), Ok((1, 1)));
    assert_eq!(runner.run(visit()), Ok((2, 2)));
    assert_eq!(VISITS.get(), 0, "the thread itself has values of its own");
}
