//! Groups that are cancelled: by themselves, with a scope around them, and with clean-ups.

use std::future::pending;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{
    Builder, CancelKind, CancelScope, Ended, Outcome, defer_async, fail_after, scope_deadline,
    shield, spawn, task_group,
};
use tenter_tests::support::{Count, Log, build};

use crate::support::turns;

const SECOND: Duration = Duration::from_secs(1);

/// Goal: a group is not ready as long as a child lives, so a cancellation that ends the children is no `Ok`.
#[tenter::test]
async fn tg04_a_cancellation_while_the_group_waits_for_children_ends_the_scope() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let after = Count::new();
    let task = spawn({
        let after = after.clone();
        scope.run(async move {
            let ended = task_group(async |group| {
                group.spawn(pending::<Result<(), ()>>());
                Ok("all children have done their work")
            })
            .await;
            after.add();
            drop(ended);
        })
    });
    turns(2).await;
    handle.cancel("enough");
    assert!(task.await.unwrap().is_cancelled());
    assert_eq!(after.get(), 0);
}

#[tenter::test]
async fn tg04_the_cancellation_of_a_group_that_waits_for_children_is_its_error() {
    let error = task_group(async |group| {
        let handle = group.handle();
        group.spawn(async move {
            handle.cancel("enough");
            pending::<Result<(), ()>>().await
        });
        Ok("all children have done their work")
    })
    .await
    .unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(error.reason().unwrap().message(), Some("enough"));
}

#[tenter::test]
async fn tg04_a_group_that_is_ready_as_it_is_cancelled_is_ready() {
    let ended = task_group(async |group| {
        group.cancel("at the end");
        Ok::<_, ()>(1)
    })
    .await;
    assert_eq!(ended.unwrap(), 1);
}

#[tenter::test]
async fn tg04_a_failure_wins_over_the_cancellation_from_around() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn(scope.run(async {
        task_group(async |group| {
            group.spawn(async {
                tenter::task::cancelled().await;
                Err::<(), _>("could not say goodbye".to_owned())
            });
            pending::<Result<(), _>>().await
        })
        .await
    }));
    turns(2).await;
    handle.cancel("enough");
    match task.await.unwrap() {
        Outcome::Done(Err(error)) => assert_eq!(error.only().unwrap(), "could not say goodbye"),
        other => panic!("{other:?}"),
    }
}

#[tenter::test]
async fn to11_a_timeout_around_a_group_with_a_failing_clean_up() {
    let late = timeout(SECOND, async {
        task_group(async |group| {
            group.spawn(async {
                tenter::task::cancelled().await;
                Err::<(), _>("could not say goodbye")
            });
            pending::<Result<(), _>>().await
        })
        .await
    });
    let error = late.await.expect("its error wins").unwrap_err();
    assert_eq!(error.only().unwrap(), "could not say goodbye");
}

#[tenter::test]
async fn to11_a_timeout_around_a_group_waits_for_clean_ups() {
    let start = now();
    let log = Log::new();
    let late = timeout(SECOND, async {
        task_group(async |group| {
            let log = log.clone();
            group.spawn(async move {
                let _guard = defer_async(async move {
                    sleep(SECOND).await;
                    log.add("child");
                });
                pending::<Result<(), ()>>().await
            });
            pending::<Result<(), _>>().await
        })
        .await
    });
    late.await.unwrap_err();
    assert_eq!((now() - start, log.take()), (2 * SECOND, vec!["child"]));
}

#[tenter::test]
async fn cs8_a_timeout_does_not_reach_a_child_of_a_group_around_it() {
    let start = now();
    task_group(async |group| {
        let inside = fail_after(SECOND, async |_| {
            group.spawn(async {
                assert_eq!(scope_deadline(), None);
                sleep(2 * SECOND).await;
                Ok::<_, ()>(())
            });
            pending::<()>().await;
        });
        inside.await.unwrap_err();
        Ok(())
    })
    .await
    .expect("the child is not cancelled");
    assert_eq!(now() - start, 2 * SECOND);
}

#[tenter::test]
async fn cs9_a_child_has_the_deadline_of_its_group() {
    let deadline = now() + SECOND;
    let inside = fail_after(SECOND, async |_| {
        task_group(async |group| {
            let seen = group.spawn(async { Ok::<_, ()>(scope_deadline()) });
            assert_eq!(seen.await.unwrap(), Some(deadline));
            Ok(())
        })
        .await
    });
    inside.await.unwrap().unwrap();
}

/// Goal: what a clean-up defers is a clean-up too, and the group waits for it.
#[tenter::test]
async fn a26_a_clean_up_of_a_clean_up_ends_before_the_group() {
    let log = Log::new();
    task_group(async |group| {
        let log = log.clone();
        group.spawn(async move {
            let _guard = defer_async(async move {
                yield_now().await;
                let _inner = defer_async(async move {
                    sleep(SECOND).await;
                    log.add("inner");
                });
                yield_now().await;
            });
            Ok::<_, ()>(())
        });
        Ok(())
    })
    .await
    .expect("nothing fails");
    assert_eq!(log.take(), ["inner"]);
}

#[tenter::test]
async fn tg19_cancel_children_by_a_child_by_the_body_before_any_spawn_twice_and_after_the_end() {
    // By a child.
    let one = task_group(async |group| {
        let handle = group.handle();
        group.spawn(async move {
            handle.cancel_children("by a child");
            pending::<Result<(), ()>>().await
        });
        group.spawn(pending::<Result<(), ()>>());
        Ok(1)
    });
    assert_eq!(one.await.unwrap(), 1);
    // By the body, twice; and after the end.
    let mut kept = None;
    let two = task_group(async |group| {
        let child = group.spawn(pending::<Result<(), ()>>());
        group.cancel_children("by the body");
        group.cancel_children("again");
        let error = child.await.unwrap_err();
        assert_eq!(error.reason().unwrap().message(), Some("by the body"));
        kept = Some(group.handle());
        yield_now().await;
        Ok(2)
    });
    assert_eq!(two.await.unwrap(), 2);
    kept.unwrap().cancel_children("after the end");
    // Before any spawn.
    let three = task_group(async |group| {
        group.cancel_children("before");
        let error = group.spawn(async { Ok::<_, ()>(()) }).await.unwrap_err();
        assert_eq!(error.reason().unwrap().message(), Some("before"));
        Ok(3)
    });
    assert_eq!(three.await.unwrap(), 3);
}

#[tenter::test]
async fn tg11_spawn_after_the_first_failure_is_refused() {
    let dropped = Count::new();
    let polled = Count::new();
    let error = task_group(async |group| {
        group.spawn(async { Err::<(), _>("first") });
        shield(async {
            turns(3).await;
            let (dropped, polled) = (dropped.on_drop(), polled.clone());
            let refused = group.spawn(async move {
                let _dropped = dropped;
                polled.add();
                Ok(())
            });
            let error = refused.await.unwrap_err();
            assert_eq!(error.reason().unwrap().kind(), CancelKind::GroupFailed);
        })
        .await;
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "first");
    assert_eq!((dropped.get(), polled.get()), (1, 0));
}

#[tenter::test]
async fn tg12_spawn_in_a_group_that_has_returned_is_refused() {
    let group = task_group(async |group| Ok::<_, ()>(group.handle()))
        .await
        .unwrap();
    let dropped = Count::new();
    let ended = dropped.on_drop();
    let refused = group.spawn(async move {
        drop(ended);
        Ok(())
    });
    let at = refused.await.unwrap_err();
    let reason = at.reason().expect("it was cancelled");
    assert_eq!(reason.message(), Some("its group had ended"));
    assert_eq!(reason.location().unwrap().file(), file!());
    assert_eq!((dropped.get(), group.len()), (1, 0));
    assert!(group.join_next().await.is_none());
    group.cancel("after the end");
}

#[tenter::test]
async fn tg16_after_the_error_is_handled_all_is_as_before() {
    let failed = task_group(async |group| {
        group.spawn(async { Err::<(), _>(()) });
        pending::<Result<(), ()>>().await
    });
    failed.await.unwrap_err();
    let start = now();
    sleep(SECOND).await;
    yield_now().await;
    assert_eq!(now() - start, SECOND);
    assert_eq!(task_group(async |_| Ok::<_, ()>(1)).await.unwrap(), 1);
}

#[tenter::test]
async fn a26_children_inside_a_shield_are_not_reached() {
    let log = Log::new();
    let task = spawn({
        let log = log.clone();
        async move {
            shield(task_group(async |group| {
                group.spawn(async move {
                    sleep(SECOND).await;
                    log.add("child");
                    Ok::<_, ()>(())
                });
                Ok(())
            }))
            .await
            .unwrap();
            unreachable!("the task was cancelled");
        }
    });
    turns(2).await;
    assert!(task.cancel_and_wait().await.unwrap_err().is_cancelled());
    assert_eq!(log.take(), ["child"]);
}

#[tenter::test]
async fn a26_a_group_in_a_child_ends_with_the_child() {
    let log = Log::new();
    task_group(async |group| {
        let inner = log.clone();
        let child = group.spawn(async move {
            task_group(async |group| {
                let log = inner.clone();
                group.spawn(async move {
                    let _guard = defer_async(async move {
                        sleep(SECOND).await;
                        log.add("grandchild");
                    });
                    pending::<Result<(), ()>>().await
                });
                Ok(())
            })
            .await
            .map_err(drop)
        });
        turns(3).await;
        child.cancel();
        while let Some(outcome) = group.join_next().await {
            assert_eq!(outcome.ended, Ended::Cancelled);
            log.add("child");
        }
        Ok::<_, ()>(())
    })
    .await
    .unwrap();
    assert_eq!(log.take(), ["grandchild", "child"]);
}

/// Goal: the children of a group are of the runtime that the group was made in, wherever they are spawned.
#[test]
fn a26_a_handle_in_another_runtime_spawns_in_the_groups_own() {
    let home = build(Builder::multi_thread().workers(1).name("home"));
    let away = build(Builder::current_thread());
    let group = std::sync::Mutex::new(None);
    let ended = home.block_on(async {
        let ended = task_group(async |tasks| {
            *group.lock().unwrap() = Some(tasks.handle());
            let away = &away;
            let group = &group;
            let name = std::thread::scope(|threads| {
                threads
                    .spawn(move || {
                        let group = group.lock().unwrap().take().unwrap();
                        away.block_on(async move {
                            let name = || std::thread::current().name().map(str::to_owned);
                            group.spawn(async move { Ok::<_, ()>(name()) }).await
                        })
                    })
                    .join()
                    .unwrap()
            });
            Ok(name)
        });
        ended.await
    });
    let name = ended.unwrap().unwrap().unwrap();
    assert!(name.contains("home"), "{name}");
}
