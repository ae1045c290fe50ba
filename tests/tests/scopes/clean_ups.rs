//! Clean-ups: what is deferred is done before the scope returns, once, by whoever is left to do it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::task::{Context, Poll};

use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{CancelScope, UnobservedKind, defer_async, move_on_after, shield, spawn};
use tenter_tests::support::{Log, both, build, every};

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
