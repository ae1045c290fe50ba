//! Scopes across threads, runtimes and `block_on`.

use std::future::pending;
use std::rc::Rc;

use tenter::task::yield_now;
use tenter::time::{Duration, sleep, timeout};
use tenter::{CancelScope, defer_async, scope_deadline, shield, spawn, spawn_local};
use tenter_tests::support::{Count, Log, both, build, every, foreign_block_on};

use crate::support::deferred;

/// Goal: a `block_on` that a scope blocks, on a foreign executor, is no part of it: what it runs is not in
/// that scope, and ends by itself.
#[test]
fn a_block_on_inside_a_scope_is_no_part_of_it() {
    every(|builder| {
        let runtime = build(builder);
        let outer = Duration::from_millis(1);
        let ended = foreign_block_on(timeout(outer, async {
            std::thread::sleep(2 * outer);
            runtime.block_on(async {
                assert_eq!(scope_deadline(), None);
                assert!(timeout(outer, pending::<()>()).await.is_err());
            });
            1
        }));
        assert_eq!(ended, Ok(1));
    });
}

/// Goal: what `block_on` runs is a scope: it is cleaned up before `block_on` returns or unwinds.
#[test]
fn block_on_is_a_scope() {
    every(|builder| {
        let runtime = build(builder);
        let log = Log::new();
        let output = runtime.block_on(async {
            let _guard = deferred(&log, "done");
            1
        });
        assert_eq!(output, 1);
        assert_eq!(log.take(), ["done"]);
    });
}

/// Goal: a task that must stay on its thread is cleaned up there.
#[test]
fn a_local_task_is_cleaned_up() {
    both(|builder| {
        let runtime = build(builder);
        let log = Log::new();
        runtime.block_on(async {
            let task = spawn_local({
                let log = log.clone();
                async move {
                    let _guard = deferred(&log, "done");
                    let local = Rc::new(1);
                    pending::<()>().await;
                    drop(local);
                }
            });
            yield_now().await;
            task.cancel_and_wait().await.unwrap_err();
            assert_eq!(log.take(), ["done"]);
        });
    });
}

/// Goal: the same, cancelled from another thread, and with the runtime ended while the clean-up runs.
#[test]
fn a_local_task_is_cleaned_up_or_dropped_with_its_runtime() {
    both(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        let on_drop = dropped.on_drop();
        runtime.block_on(async {
            let task = spawn_local(async move {
                let _guard = defer_async(async move {
                    let _on_drop = on_drop;
                    pending::<()>().await;
                });
                let local = Rc::new(1);
                pending::<()>().await;
                drop(local);
            });
            yield_now().await;
            std::thread::spawn({
                let canceller = task.canceller();
                move || assert!(canceller.cancel())
            })
            .join()
            .unwrap();
            yield_now().await;
            yield_now().await;
            assert!(!task.is_finished());
        });
        assert_eq!(dropped.get(), 0);
        drop(runtime.shutdown_timeout(Duration::ZERO));
        assert_eq!(dropped.get(), 1);
    });
}

/// Goal: whoever cancels from other threads while shields end elsewhere, every task ends.
#[test]
fn requests_and_shields_that_end_elsewhere_meet() {
    every(|builder| {
        let runtime = build(builder);
        for round in 0..200_u32 {
            let scope = CancelScope::new();
            let handle = scope.handle();
            let task = runtime.spawn(async move {
                let inner = async {
                    for _ in 0..round % 7 {
                        shield(yield_now()).await;
                    }
                    pending::<()>().await;
                };
                scope.run(inner).await
            });
            if round % 2 == 0 {
                handle.cancel("the scope");
                runtime.block_on(async { drop(task.await.unwrap()) });
            } else {
                task.cancel();
                runtime.block_on(async { drop(task.await) });
            }
        }
    });
}

/// Goal: a future that moves with its scopes is cancelled where it is now.
#[test]
fn a_scope_moves_with_its_future() {
    both(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let scope = CancelScope::new();
            let handle = scope.handle();
            let token = handle.child();
            let followed = token.handle();
            let mut moved = Box::pin(scope.run(sleep(Duration::MAX)));
            crate::support::touch(&mut moved).await;
            let task = spawn(moved);
            yield_now().await;
            assert!(!handle.is_cancelled());
            let waiter = spawn(async move { handle.cancelled().await });
            yield_now().await;
            assert!(task.cancel_with("the task"));
            assert_eq!(waiter.await.unwrap().message(), Some("the task"));
            assert!(followed.is_cancelled());
            task.await.unwrap_err();
        });
    });
}
