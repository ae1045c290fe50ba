//! Clean-ups: what is deferred is done before the scope returns, once, by whoever is left to do it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{
    CancelScope, Outcome, UnobservedKind, defer_async, move_on_after, select, shield, spawn,
};
use tenter_tests::support::{Count, Log, OnDrop, assert_says, both, build, every};

use crate::support::{SECOND, deferred, settle};

#[tenter::test]
async fn t07_a_cancelled_task_is_cleaned_up_before_whoever_awaits_it_knows() {
    let start = now();
    let task = spawn(async {
        let _guard = defer_async(async { sleep(SECOND).await });
        shield(sleep(SECOND)).await;
        pending::<()>().await;
    });
    yield_now().await;
    task.cancel_and_wait().await.unwrap_err();
    assert_eq!(now() - start, 2 * SECOND);
}

#[test]
fn t07_every_flavour_cleans_up_before_the_joiner_is_told() {
    every(|builder| {
        let runtime = build(builder);
        for _ in 0..50 {
            let log = Log::new();
            let task = runtime.spawn({
                let log = log.clone();
                async move {
                    let _first = deferred(&log, "dropped last");
                    let _second = deferred(&log, "dropped first");
                    pending::<()>().await;
                }
            });
            runtime.block_on(async {
                tenter_tests::support::settle().await;
                task.cancel_and_wait().await.unwrap_err();
            });
            assert_eq!(log.take(), ["dropped first", "dropped last"]);
        }
    });
}

#[tenter::test]
async fn t07_a_task_that_returns_is_cleaned_up_too() {
    let log = Log::new();
    let task = spawn({
        let log = log.clone();
        async move {
            let _guard = deferred(&log, "cleaned up");
            7
        }
    });
    assert_eq!(task.await.unwrap(), 7);
    assert_eq!(log.take(), ["cleaned up"]);
}

#[tenter::test]
async fn t07_a_task_that_panics_is_cleaned_up_too() {
    let log = Log::new();
    let task = spawn({
        let log = log.clone();
        async move {
            let _guard = deferred(&log, "cleaned up");
            yield_now().await;
            panic!("on purpose");
        }
    });
    let ended: Result<(), _> = task.await;
    assert!(ended.unwrap_err().is_panic());
    assert_eq!(log.take(), ["cleaned up"]);
}

#[tenter::test]
async fn t07_nothing_cancels_a_clean_up() {
    let start = now();
    let task = spawn(async {
        let _guard = defer_async(async { sleep(SECOND).await });
        pending::<()>().await;
    });
    yield_now().await;
    assert!(task.cancel_with("first"));
    yield_now().await;
    assert!(!task.cancel_with("second"), "it ends already");
    let error = task.await.unwrap_err();
    assert_eq!(error.reason().unwrap().message(), Some("first"));
    assert_eq!(now() - start, SECOND);
}

#[tenter::test]
async fn t07_a_clean_up_in_a_clean_up_is_done_before_the_scope_returns() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run({
            let log = log.clone();
            async move {
                let _outer = defer_async(async move {
                    let _inner = deferred(&log, "inner");
                    yield_now().await;
                    log.add("outer");
                });
                handle.cancel("enough");
                pending::<()>().await;
            }
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!(log.take(), ["outer", "inner"]);
}

#[tenter::test]
async fn t07_a_clean_up_that_is_dropped_for_its_grace_leaves_its_own_to_the_scope() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run({
            let log = log.clone();
            async move {
                let _outer = defer_async(async move {
                    let _inner = deferred(&log, "inner");
                    pending::<()>().await;
                })
                .grace(SECOND);
                handle.cancel("enough");
                pending::<()>().await;
            }
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!(log.take(), ["inner"]);
}

#[tenter::test]
async fn t07_a_clean_up_with_scopes_in_it_leaves_no_count() {
    let start = now();
    let task = spawn(async {
        {
            let inner = CancelScope::new();
            let handle = inner.handle();
            let ended = inner
                .run(async move {
                    let _guard = defer_async(async {
                        let scope = CancelScope::new();
                        drop(scope.run(shield(yield_now())).await);
                        move_on_after(SECOND, async |_| yield_now().await).await;
                    });
                    handle.cancel("enough");
                    pending::<()>().await;
                })
                .await;
            assert!(ended.is_cancelled());
        }
        pending::<()>().await;
    });
    settle().await;
    settle().await;
    task.cancel_and_wait().await.unwrap_err();
    assert_eq!(now(), start, "nothing in it is in progress any more");
}

#[tenter::test]
async fn t07_what_is_dropped_in_the_last_poll_is_done_by_the_scope() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run({
            let log = log.clone();
            async move {
                handle.cancel("enough");
                drop(deferred(&log, "cleaned up"));
                pending::<()>().await;
            }
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!(log.take(), ["cleaned up"], "the scope does not go on");
}

#[tenter::test]
async fn t07_what_is_dropped_in_the_last_poll_is_done_by_the_task() {
    let log = Log::new();
    let task = spawn({
        let log = log.clone();
        async move {
            yield_now().await;
            drop(deferred(&log, "cleaned up"));
            pending::<()>().await;
        }
    });
    yield_now().await;
    task.cancel_and_wait().await.unwrap_err();
    assert_eq!(log.take(), ["cleaned up"], "the task does not go on");
}

/// A future that is ready at once, and panics when it is dropped.
struct DropsBadly;

impl Future for DropsBadly {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

impl Drop for DropsBadly {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped badly");
        }
    }
}

/// Goal: whatever a clean-up does, its task ends, the others are done, and it is told of.
#[test]
fn wf5_a_clean_up_that_fails_is_reported_and_the_rest_is_done() {
    both(|builder| {
        let reports = Log::new();
        let runtime = build(builder.virtual_clock().on_unobserved({
            let reports = reports.clone();
            move |it| reports.add((it.kind(), it.message().to_owned()))
        }));
        let log = Log::new();
        runtime.block_on(async {
            let task = spawn({
                let log = log.clone();
                async move {
                    let _last = deferred(&log, "the last");
                    let _drops = defer_async(DropsBadly);
                    let _late = defer_async(async {
                        let _bad = DropsBadly;
                        pending::<()>().await;
                    })
                    .grace(SECOND);
                    let _panics = defer_async(async { panic!("panics") });
                    pending::<()>().await;
                }
            });
            yield_now().await;
            assert!(task.cancel_and_wait().await.unwrap_err().is_cancelled());
        });
        assert_eq!(log.take(), ["the last"]);
        let reports = reports.take();
        let said = ["panics", "grace", "dropped badly", "dropped badly"];
        for part in said {
            let found = reports.iter().filter(|(_, line)| {
                line.contains(part) || (part == "grace" && line.contains("had not ended after"))
            });
            assert!(found.count() > 0, "{part} is missing in {reports:?}");
        }
        assert_eq!(reports.len(), 4, "{reports:?}");
        assert!(reports.iter().all(|it| it.0 == UnobservedKind::CleanUp));
    });
}

#[tenter::test]
async fn wf5_a_panic_of_the_dropped_body_wins_over_the_deadline() {
    let task = spawn(timeout(SECOND, async {
        let _bad = DropsBadly;
        pending::<()>().await;
    }));
    assert!(task.await.unwrap_err().is_panic());
}

#[tenter::test]
async fn a101_a_branch_that_lost_is_cleaned_up_by_the_runtime() {
    let log = Log::new();
    let won = select! {
        () = async {
            let _guard = deferred(&log, "the loser");
            pending::<()>().await;
        } => 1,
        () = yield_now() => 2,
    };
    assert_eq!(won, 2);
    assert_eq!(log.take(), [] as [&str; 0]);
    settle().await;
    assert_eq!(log.take(), ["the loser"]);
}

#[tenter::test]
async fn a101_a_resource_is_left_in_reverse_order_on_every_way_out() {
    async fn with_two(log: &Log<&'static str>, cancel: bool) -> Option<i32> {
        let scope = CancelScope::new();
        let handle = scope.handle();
        scope
            .run(async {
                log.add("enter 1");
                let _one = deferred(log, "leave 1");
                log.add("enter 2");
                let _two = deferred(log, "leave 2");
                if cancel {
                    handle.cancel("enough");
                    yield_now().await;
                }
                3
            })
            .await
            .done()
    }
    let log = Log::new();
    assert_eq!(with_two(&log, false).await, Some(3));
    assert_eq!(log.take(), ["enter 1", "enter 2", "leave 2", "leave 1"]);
    assert_eq!(with_two(&log, true).await, None);
    assert_eq!(log.take(), ["enter 1", "enter 2", "leave 2", "leave 1"]);
}

#[tenter::test]
async fn a101_a_guard_that_is_disarmed_does_nothing() {
    let log = Log::new();
    let dropped = Count::new();
    let guard = defer_async({
        let (log, dropped) = (log.clone(), dropped.on_drop());
        async move {
            let _dropped = dropped;
            log.add("never");
        }
    });
    guard.disarm();
    settle().await;
    assert_eq!((log.take().len(), dropped.get()), (0, 1));
}

/// Goal: a guard that is dropped where there is no task and no scope is done by its runtime.
#[test]
fn a_guard_that_is_dropped_elsewhere_is_done_by_its_runtime() {
    every(|builder| {
        let runtime = build(builder);
        let log = Log::new();
        let (give, guard) = oneshot();
        drop(runtime.spawn({
            let log = log.clone();
            async move { give.send(deferred(&log, "done")).unwrap() }
        }));
        let guard = runtime.block_on(guard).unwrap();
        std::thread::spawn(move || drop(guard)).join().unwrap();
        runtime.block_on(async {
            while log.take() != ["done"] {
                yield_now().await;
            }
        });
    });
}

/// Goal: what has no runtime any more is dropped, in no dead scope and on no dead queue, and no more
/// than once.
#[test]
fn a_guard_that_outlives_its_runtime_is_dropped() {
    every(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        let on_drop = dropped.on_drop();
        let guard = runtime.block_on(async move {
            defer_async(async move {
                let _on_drop = on_drop;
                pending::<()>().await;
            })
        });
        drop(runtime);
        assert_eq!(dropped.get(), 0);
        drop(guard);
        assert_eq!(dropped.get(), 1);
    });
}

#[test]
fn a_scope_without_a_runtime_does_its_clean_ups() {
    let log = Log::new();
    let scope = CancelScope::new();
    scope.handle().cancel("too late");
    let unpolled = tenter_tests::support::foreign_block_on(scope.run(async { 1 }));
    assert!(unpolled.is_cancelled());
    let ended = tenter_tests::support::foreign_block_on(CancelScope::new().run({
        let log = log.clone();
        async move {
            drop(defer_async(async move { log.add("done") }));
            2
        }
    }));
    assert_eq!(ended, Outcome::Done(2));
    assert_eq!(log.take(), ["done"]);
}

/// Goal: taking a shield away does not interrupt a clean-up that is in progress.
#[tenter::test]
async fn x04_unshielding_does_not_interrupt_a_clean_up() {
    let start = now();
    let outer = CancelScope::new();
    let cancel_outer = outer.handle();
    let inner = CancelScope::new().shield(true);
    let handle = inner.handle();
    let dropped = Count::new();
    let task = spawn(outer.run({
        let (handle, dropped) = (handle.clone(), dropped.clone());
        async move {
            let ended = inner
                .run(async move {
                    let _guard = defer_async(async { sleep(SECOND).await });
                    handle.cancel("enough");
                    pending::<()>().await;
                })
                .await;
            drop(ended);
            let _count = OnDrop(|| {
                dropped.add();
            });
        }
    }));
    settle().await;
    cancel_outer.cancel("both");
    handle.set_shield(false);
    settle().await;
    assert!(!task.is_finished());
    drop(task.await.unwrap());
    assert_eq!(now() - start, SECOND);
    assert_eq!(dropped.get(), 0, "the scope around it ended with it");
}

/// Goal: what is left undone at a forced end is told of, also what was left by what is dropped then.
#[test]
fn a_forced_end_reports_every_clean_up_that_is_not_done() {
    every(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |it| reports.add(it.message().to_owned())
        }));
        runtime.block_on(async {
            let task = spawn(async {
                let _first = defer_async(async {
                    let _inner = defer_async(async {});
                    pending::<()>().await;
                });
                pending::<()>().await;
            });
            tenter_tests::support::settle().await;
            assert!(task.cancel());
            tenter_tests::support::settle().await;
            assert!(!task.is_finished());
            // This one is dropped by the end of the runtime.
            drop(spawn(async {
                let _third = defer_async(async {});
                pending::<()>().await;
            }));
            tenter_tests::support::settle().await;
        });
        // Not waited for: the clean-up would take its whole grace.
        drop(runtime);
        let reports = reports.take();
        assert_eq!(reports.len(), 3, "{reports:?}");
        for report in reports {
            assert_says(&report, &["undone", "clean_ups.rs"]);
        }
    });
}
