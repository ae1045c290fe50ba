//! Task groups: cases TG of asyncio's suite, NS of trio's, and what differs.

use std::future::pending;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{
    CancelScope, Ended, GroupError, GroupHandle, Outcome, defer_async, spawn, task_group,
};
use tenter_tests::support::{Count, Log};

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

#[tenter::test]
async fn tg02_a_child_that_is_cancelled_by_its_handle_is_no_failure() {
    let done = task_group(async |group| {
        let one = group.spawn(pending::<Result<(), ()>>());
        let two = group.spawn(async {
            sleep(SECOND).await;
            Ok(2)
        });
        yield_now().await;
        one.cancel_with("not needed");
        let error = one.await.unwrap_err();
        assert_eq!(error.reason().unwrap().message(), Some("not needed"));
        Ok(two)
    })
    .await
    .expect("nothing failed");
    assert_eq!(done.await.unwrap(), 2);
}

#[tenter::test]
async fn tg07_an_inner_group_is_one_failure_of_the_outer() {
    let outer = task_group(async |group| {
        group.spawn(async {
            task_group(async |group| {
                for code in [1, 2] {
                    group.spawn(async move {
                        yield_now().await;
                        Err::<(), _>(code)
                    });
                }
                Ok(())
            })
            .await
        });
        pending::<Result<(), GroupError<i32>>>().await
    })
    .await
    .unwrap_err();
    let inner = outer.only().expect("one group");
    assert_eq!(inner.errors().copied().collect::<Vec<_>>(), [1, 2]);
}

#[tenter::test]
async fn tg07_an_inner_group_that_is_cancelled_with_the_outer_adds_nothing() {
    let log = Log::new();
    let outer = task_group(async |group| {
        let inner = log.clone();
        group.spawn(async move {
            let ended = task_group(async |group| {
                let log = inner.clone();
                group.spawn(async move {
                    let _guard = defer_async(async move { log.add("cleaned up") });
                    pending::<Result<(), i32>>().await
                });
                Ok(())
            })
            .await;
            inner.add("not reached");
            ended.map_err(|_| -1)
        });
        group.spawn(async {
            sleep(SECOND).await;
            Err::<(), _>(1)
        });
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(outer.only().unwrap(), 1);
    assert_eq!(log.take(), ["cleaned up"]);
}

#[tenter::test]
async fn tg09_siblings_of_children_are_waited_for_too() {
    let start = now();
    let log = Log::new();
    task_group(async |group| {
        let (handle, log) = (group.handle(), log.clone());
        group.spawn(async move {
            sleep(SECOND).await;
            handle.clone().spawn(async move {
                sleep(SECOND).await;
                handle.spawn(async move {
                    sleep(SECOND).await;
                    log.add("the last");
                    Ok::<_, ()>(())
                });
                Ok(())
            });
            Ok(())
        });
        Ok(())
    })
    .await
    .expect("nothing fails");
    assert_eq!((now() - start, log.take()), (3 * SECOND, vec!["the last"]));
}

/// A child with two more of its kind.
fn hydra(group: &GroupHandle<&'static str>, born: &Count) {
    let (heads, born) = (group.clone(), born.clone());
    group.spawn::<(), _>(async move {
        born.add();
        loop {
            sleep(SECOND).await;
            hydra(&heads, &born);
            hydra(&heads, &born);
        }
    });
}

#[tenter::test]
async fn tg10_a_hydra_ends_with_the_first_failure() {
    let born = Count::new();
    let error = task_group(async |group| {
        hydra(&group.handle(), &born);
        group.spawn(async {
            sleep(5 * SECOND).await;
            Err::<(), _>("Hercules")
        });
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "Hercules");
    assert!(born.get() > 50);
}

#[tenter::test]
async fn tg18_children_that_have_ended_are_let_go_of() {
    let live = Count::new();
    task_group(async |group| {
        for _ in 0..10_000 {
            let dropped = live.on_drop();
            group.spawn(async move {
                let _dropped = dropped;
                Ok::<_, ()>(())
            });
            yield_now().await;
            assert!(group.len() <= 1);
        }
        // Nobody has asked for their ends: some are kept.
        let mut kept = 0;
        while let Some(outcome) = group.join_next().await {
            assert_eq!(outcome.ended, Ended::Succeeded);
            kept += 1;
        }
        assert_eq!(kept, 1_024);
        Ok(())
    })
    .await
    .expect("nothing fails");
    assert_eq!(live.get(), 10_000);
}

#[tenter::test]
async fn tg20_a_return_in_the_body_waits_for_the_children() {
    let start = now();
    let ended = task_group(async |group| {
        group.spawn(async {
            sleep(SECOND).await;
            Ok::<_, ()>(())
        });
        if group.len() == 1 {
            return Ok("early");
        }
        Ok("late")
    });
    assert_eq!(ended.await.unwrap(), "early");
    assert_eq!(now() - start, SECOND);
}

/// Goal: rows Y01 and A26: a handle gives a child's result, and the right to cancel it.
#[tenter::test]
async fn y01_a_handle_says_how_its_child_ended() {
    let mut failed = None;
    let error = task_group(async |group| {
        let child = group.named("reader").spawn(async { Ok(1) });
        assert_eq!(child.name().as_deref(), Some("reader"));
        assert!(!child.is_finished());
        assert_eq!(child.await.unwrap(), 1);
        failed = Some(group.spawn(async { Err::<(), _>("disk full") }));
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    let told = failed.unwrap().await.unwrap_err();
    assert!(told.is_in_group_error() && told.reason().is_none());
    assert_eq!(error.first().task_id(), Some(told.task_id()));
    assert_eq!(error.only().unwrap(), "disk full");
}

#[tenter::test]
async fn x01_join_next_tells_of_each_child_once_in_the_order_of_their_ends() {
    let seen = task_group(async |group| {
        for delay in [3, 1, 2] {
            group.named(delay.to_string()).spawn(async move {
                sleep(delay * SECOND).await;
                Ok::<_, ()>(())
            });
        }
        let never = group.spawn(pending::<Result<(), ()>>());
        never.cancel_and_wait().await.unwrap_err();
        let mut seen = Vec::new();
        while let Some(outcome) = group.join_next().await {
            seen.push(
                outcome
                    .name
                    .map_or_else(|| "-".to_owned(), |name| name.to_string()),
            );
        }
        Ok(seen)
    })
    .await
    .unwrap();
    assert_eq!(seen, ["-", "1", "2", "3"]);
}

/// Goal: row X18: always a group, its failures in the order of their ends, the body's own last.
#[tenter::test]
async fn x18_the_error_is_always_a_group() {
    let error = task_group(async |_| Err::<(), _>("the body"))
        .await
        .unwrap_err();
    assert_eq!((error.len(), error.first().task_id()), (1, None));
    assert_eq!(error.to_string(), "the body failed: the body");
    let error = task_group(async |group| {
        group.spawn(async { Err::<(), _>("first") });
        group.spawn(async {
            tenter::task::cancelled().await;
            Err::<(), _>("second")
        });
        tenter::task::cancelled().await;
        yield_now().await;
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "first");
    let error = task_group(async |group| {
        group.spawn(async {
            yield_now().await;
            Err::<(), _>("first")
        });
        group.spawn(async {
            tenter::task::cancelled().await;
            Err::<(), _>("second")
        });
        tenter::task::cancelled().await;
        Err::<(), _>("the body")
    })
    .await
    .unwrap_err();
    let errors: Vec<_> = error.errors().copied().collect();
    assert_eq!(errors, ["first", "second", "the body"]);
    assert_eq!(error.iter().last().unwrap().task_id(), None);
    let whole = error.only().unwrap_err();
    assert_eq!(whole.into_vec().len(), 3);
}
