//! Row A101: whoever leaves a resource, on whichever way out, and who does it where no scope is left to.

use std::future::pending;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{CancelScope, Outcome, defer_async, select, spawn};
use tenter_tests::support::{Count, Log, OnDrop, assert_says, build, every};

use crate::support::{SECOND, deferred, settle};

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
            assert_says(&report, &["undone", "resources.rs"]);
        }
    });
}
