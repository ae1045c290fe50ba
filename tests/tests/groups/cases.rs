//! Task groups: cases TG of asyncio's suite, NS of trio's, and what differs.

use std::future::pending;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{CancelScope, Outcome, defer_async, spawn, task_group};
use tenter_tests::support::Log;

const SECOND: Duration = Duration::from_secs(1);

#[tenter::test]
async fn tg01_the_block_waits_for_both_and_results_are_had_after_it() {
    let start = now();
    let (one, two) = task_group(async |group| {
        let one = group.spawn(async {
            sleep(SECOND).await;
            Ok::<_, ()>(1)
        });
        let two = group.spawn(async {
            sleep(2 * SECOND).await;
            Ok(2)
        });
        Ok((one, two))
    })
    .await
    .expect("nothing fails");
    assert_eq!(now() - start, 2 * SECOND);
    assert_eq!(one.await.unwrap() + two.await.unwrap(), 3);
}

#[tenter::test]
async fn tg03_the_first_failures_cancel_the_rest() {
    let log = Log::new();
    let start = now();
    let error = task_group(async |group| {
        for code in 1..=3 {
            group.spawn(async move {
                sleep(SECOND).await;
                Err::<(), _>(code)
            });
        }
        let sleeper = log.clone();
        group.spawn(async move {
            let _guard = defer_async(async move {
                sleep(SECOND).await;
                sleeper.add("cleaned up");
            });
            pending::<Result<(), i32>>().await
        });
        pending::<Result<(), i32>>().await
    })
    .await
    .unwrap_err();
    let errors: Vec<_> = error.errors().copied().collect();
    assert!(!errors.is_empty() && errors.is_sorted(), "{error}");
    assert_eq!(now() - start, 2 * SECOND);
    assert_eq!(log.take(), ["cleaned up"]);
}

#[tenter::test]
async fn tg04_an_outer_cancellation_reaches_children_and_body() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn({
        let log = log.clone();
        scope.run(async move {
            let in_group = log.clone();
            let ended = task_group(async |group| {
                for child in 0..5 {
                    let log = in_group.clone();
                    group.spawn(async move {
                        let _guard = defer_async(async move {
                            yield_now().await;
                            log.add(child);
                        });
                        pending::<Result<(), ()>>().await
                    });
                }
                pending::<Result<(), ()>>().await
            })
            .await;
            log.add(100);
            drop(ended);
        })
    });
    for _ in 0..3 {
        yield_now().await;
    }
    handle.cancel("enough");
    match task.await.unwrap() {
        Outcome::Cancelled(reason) => assert_eq!(reason.message(), Some("enough")),
        Outcome::Done(()) => panic!("the group had not ended"),
    }
    assert_eq!(log.take(), [0, 1, 2, 3, 4]);
}
