//! Cases SH, and rows A24 and X04, in scopes. Shields in tasks: `tests/tests/shields.rs`.

use std::future::pending;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{CancelScope, Outcome, gather, shield, spawn};
use tenter_tests::support::{Log, both, build, every};

use crate::support::{SECOND, settle, touch};

#[tenter::test]
async fn sh1_a_shielded_step_is_finished_and_what_is_behind_it_does_not_run() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn(scope.run({
        let log = log.clone();
        async move {
            shield(async {
                sleep(SECOND).await;
                log.add("finished");
            })
            .await;
            log.add("behind it");
        }
    }));
    yield_now().await;
    handle.cancel("enough");
    assert!(task.await.unwrap().is_cancelled());
    assert_eq!(log.take(), ["finished"]);
}

#[tenter::test]
async fn sh2_a_shared_task_outlives_who_waits_for_it() {
    let task = spawn(async {
        sleep(2 * SECOND).await;
        "done"
    });
    let mut task = task;
    assert!(timeout(SECOND, &mut task).await.is_err());
    assert!(!task.is_finished());
    assert_eq!(task.await.unwrap(), "done");
}

#[tenter::test]
async fn sh4_a_cancelled_gather_of_shields_ends_with_them_and_the_tasks_survive() {
    let start = now();
    let slow = [1, 2].map(|seconds| {
        spawn(async move {
            sleep(seconds * SECOND).await;
            seconds
        })
    });
    let [mut one, mut two] = slow;
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (ended, ()) = gather!(
        scope.run(async { gather!(shield(&mut one), shield(&mut two)).await }),
        async {
            yield_now().await;
            handle.cancel("enough");
        }
    )
    .await;
    assert!(ended.is_cancelled());
    assert_eq!(now() - start, 2 * SECOND);
    assert!(one.is_finished() && two.is_finished());
}

#[tenter::test]
async fn a24_who_did_not_have_to_wait_goes_on() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run(async {
            handle.cancel("enough");
            shield(async {}).await;
            let own = CancelScope::new().shield(true).run(async { 1 }).await;
            log.add(own);
            2
        })
        .await;
    assert_eq!(ended, Outcome::Done(2));
    assert_eq!(log.take(), [Outcome::Done(1)]);
}

#[tenter::test]
async fn a24_shields_nest_across_scopes() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run(async {
            handle.cancel("enough");
            shield(async {
                let inner = CancelScope::new();
                let cancel_inner = inner.handle();
                let ended = inner
                    .run(async {
                        cancel_inner.cancel("inner");
                        shield(sleep(SECOND)).await;
                        log.add("never");
                    })
                    .await;
                assert!(ended.is_cancelled(), "its own cancellation reaches it");
                shield(sleep(SECOND)).await;
                log.add("in the outer shield");
                yield_now().await;
                log.add("still in it");
            })
            .await;
            log.add("behind it");
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!(log.take(), ["in the outer shield", "still in it"]);
}

#[test]
fn x04_a_shield_that_ends_elsewhere_lets_the_cancellation_in() {
    every(|builder| {
        let runtime = build(builder);
        for _ in 0..50 {
            runtime.block_on(async {
                let (give, half) = oneshot();
                let scope = CancelScope::new();
                let handle = scope.handle();
                let task = spawn(scope.run(async move {
                    let mut half = Box::pin(shield(pending::<()>()));
                    touch(&mut half).await;
                    assert!(give.send(half).is_ok());
                    pending::<()>().await;
                }));
                let half = half.await.unwrap();
                let dropping = std::thread::spawn(move || drop(half));
                handle.cancel("enough");
                assert!(task.await.unwrap().is_cancelled());
                dropping.join().unwrap();
            });
        }
    });
}

#[test]
fn x04_a_shield_moves_between_scopes() {
    both(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let old = CancelScope::new();
            let old_handle = old.handle();
            let mut half = Box::pin(shield(pending::<()>()));
            let ended = old.run(touch(&mut half)).await;
            assert_eq!(ended, Outcome::Done(()));
            assert!(!old_handle.cancel("late"), "it has ended");
            let new = CancelScope::new();
            let handle = new.handle();
            let task = spawn(new.run(async move {
                touch(&mut half).await;
                yield_now().await;
                drop(half);
                yield_now().await;
                pending::<()>().await;
            }));
            yield_now().await;
            handle.cancel("enough");
            assert!(task.await.unwrap().is_cancelled());
        });
    });
}

#[tenter::test]
async fn x04_a_panic_in_a_shield_leaves_no_count() {
    let start = now();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn(scope.run(async {
        let caught = tenter::spawn(async {}).await;
        caught.unwrap();
        let half = Box::pin(shield(async {
            yield_now().await;
            panic!("inside");
        }));
        let caught = catch(half).await;
        assert!(caught);
        pending::<()>().await;
    }));
    settle().await;
    handle.cancel("enough");
    assert!(task.await.unwrap().is_cancelled());
    assert_eq!(now(), start);
    settle().await;
}

/// Whether the future panicked.
async fn catch<F: Future<Output = ()> + Unpin>(mut future: F) -> bool {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    std::future::poll_fn(move |cx| {
        let polled = catch_unwind(AssertUnwindSafe(|| {
            std::pin::Pin::new(&mut future).poll(cx)
        }));
        match polled {
            Ok(polled) => polled.map(|()| false),
            Err(_) => std::task::Poll::Ready(true),
        }
    })
    .await
}
