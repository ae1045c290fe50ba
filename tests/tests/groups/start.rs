//! Children that say when they are ready: trio's cases NS, and whose failure it is.

use std::future::pending;
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::task::{UnobservedKind, yield_now};
use tenter::time::{now, sleep};
use tenter::{
    Builder, CancelKind, GroupError, StartError, Started, defer_async, spawn, task_group,
};
use tenter_tests::support::{Count, Slot};

use crate::support::{panics, touch, turns, watched};

/// Fails before it is ready.
async fn fails(started: Started<()>) -> Result<(), &'static str> {
    let _started = started;
    Err("no port")
}

const SECOND: Duration = Duration::from_secs(1);

#[tenter::test]
async fn ns1_start_returns_at_ready_and_the_group_waits_on() {
    let start = now();
    let value = task_group(async |group| {
        let (port, service) = group
            .start(|started: Started<u16>| async move {
                sleep(SECOND).await;
                started.ready(80).expect("somebody waits");
                sleep(SECOND).await;
                Ok::<_, ()>("served")
            })
            .await
            .expect("it becomes ready");
        assert_eq!((port, now() - start), (80, SECOND));
        Ok(service)
    })
    .await
    .expect("nothing fails");
    assert_eq!(now() - start, 2 * SECOND);
    assert_eq!(value.await.unwrap(), "served");
}

#[tenter::test]
async fn ns2_a_failure_before_ready_is_the_starters() {
    task_group(async |group| {
        let failed = group.start(fails);
        assert!(matches!(failed.await, Err(StartError::Failed("no port"))));
        let panicked = group.start(|started: Started<()>| async move {
            let _started = started;
            panics().await
        });
        match panicked.await {
            Err(StartError::Panicked(panic)) => assert_eq!(panic.message(), "on purpose"),
            other => panic!("{other:?}"),
        }
        // The group is not affected.
        yield_now().await;
        assert_eq!(group.spawn(async { Ok(1) }).await.unwrap(), 1);
        Ok(())
    })
    .await
    .expect("nothing failed that the starter did not see");
}

#[tenter::test]
async fn ns2_a_failure_after_ready_is_the_groups() {
    let error = task_group(async |group| {
        let (value, _service) = group
            .start(|started| async move {
                started.ready(1).expect("somebody waits");
                Err::<(), _>("crashed")
            })
            .await
            .expect("it was ready");
        assert_eq!(value, 1);
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "crashed");
}

#[tenter::test]
async fn ns3_an_end_without_ready_is_an_error() {
    task_group(async |group| {
        let ended = group.start(|started: Started<()>| async move {
            let _started = started;
            Ok::<_, ()>(())
        });
        assert!(matches!(ended.await, Err(StartError::NeverReady)));
        let let_go = group.start(|started: Started<()>| async move {
            drop(started);
            pending::<Result<(), ()>>().await
        });
        assert!(matches!(let_go.await, Err(StartError::NeverReady)));
        Ok(())
    })
    .await
    .expect("the group is not affected");
    // Ready twice cannot be written: `ready` takes the `Started`.
}

#[tenter::test]
async fn ns3_start_in_a_group_that_has_ended_is_refused() {
    task_group(async |group| {
        group.cancel_children("enough");
        let refused = group.start(|started| async move {
            let _ = started.ready(());
            Ok::<_, ()>(())
        });
        match refused.await {
            Err(StartError::Cancelled(Some(reason))) => {
                assert_eq!(reason.message(), Some("enough"));
            }
            other => panic!("{other:?}"),
        }
        Ok(())
    })
    .await
    .expect("nothing fails");
}

#[tenter::test]
async fn x02_a_start_that_is_cancelled_with_the_group_says_so() {
    let error = task_group(async |group| {
        let handle = group.handle();
        let starter = spawn(async move {
            let never = handle.start(|started: Started<()>| async move {
                let _started = started;
                pending::<Result<(), &str>>().await
            });
            match never.await {
                Err(StartError::Cancelled(Some(reason))) => reason.kind(),
                other => panic!("{other:?}"),
            }
        });
        yield_now().await;
        group.spawn(async { Err::<(), _>("disk full") });
        assert_eq!(
            tenter::shield(starter).await.unwrap(),
            CancelKind::GroupFailed
        );
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "disk full");
}

#[tenter::test]
async fn x02_a_start_that_is_dropped_cancels_the_child() {
    for polls in 0..3 {
        let dropped = Count::new();
        task_group(async |group| {
            let ended = dropped.on_drop();
            let mut start = Box::pin(group.start(|started: Started<()>| async move {
                let _ended = ended;
                turns(10).await;
                assert!(started.ready(()).is_err(), "nobody waits any more");
                pending::<Result<(), ()>>().await
            }));
            for _ in 0..polls {
                assert!(touch(&mut start).await.is_pending());
                turns(1).await;
            }
            drop(start);
            turns(2).await;
            assert_eq!((dropped.get(), group.len()), (1, 0), "after {polls} polls");
            Ok(())
        })
        .await
        .expect("nothing fails");
    }
}

/// Goal: a failure before ready that no starter takes is the group's.
#[tenter::test]
async fn x02_the_failure_of_a_start_that_was_dropped_is_the_groups() {
    for polls in 0..2 {
        let error = task_group(async |group| {
            let mut start = Box::pin(group.start(fails));
            for _ in 0..polls {
                assert!(touch(&mut start).await.is_pending());
            }
            turns(2).await;
            drop(start);
            Ok(())
        })
        .await
        .unwrap_err();
        assert_eq!(error.only().unwrap(), "no port", "after {polls} polls");
    }
}

/// Goal: also one that was dropped as it waited for the end of a child that had failed.
#[tenter::test]
async fn x02_a_start_that_is_dropped_while_the_child_ends() {
    let error = task_group(async |group| {
        let mut start = Box::pin(group.start(|started: Started<()>| async move {
            let _guard = defer_async(turns(5));
            fails(started).await
        }));
        for _ in 0..3 {
            assert!(touch(&mut start).await.is_pending());
            turns(1).await;
        }
        drop(start);
        Ok(())
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "no port");
}

#[test]
fn x02_a_start_that_outlives_its_group_reports_what_it_drops() {
    let (runtime, reports) = watched(Builder::deterministic(1));
    runtime.block_on(async {
        let start = task_group(async |group| {
            let start = Box::pin(group.start(fails));
            Ok(start)
        })
        .await
        .expect("the starter has the failure");
        assert!(reports.take().is_empty());
        drop(start);
        let kinds: Vec<_> = reports.take().into_iter().map(|it| it.0).collect();
        assert_eq!(kinds, [UnobservedKind::GroupChild]);
    });
}

/// Goal: a `Started` that somebody else keeps does not keep the start waiting for a child that has ended.
#[tenter::test]
async fn x02_a_child_that_gave_its_started_away_and_failed() {
    task_group(async |group| {
        let kept = Slot::new();
        let failed = group.start({
            let kept = kept.clone();
            |started: Started<()>| async move {
                kept.put(started);
                Err::<(), _>("no port")
            }
        });
        assert!(matches!(failed.await, Err(StartError::Failed("no port"))));
        assert!(kept.take().ready(()).is_err());
        Ok(())
    })
    .await
    .expect("the starter has the failure");
}

/// Goal: ready after the failure does not make the failure vanish.
#[tenter::test]
async fn x02_ready_by_another_after_the_child_failed() {
    let ended: Result<_, GroupError<&str>> = task_group(async |group| {
        let kept = Slot::new();
        let mut start = Box::pin(group.start({
            let kept = kept.clone();
            |started: Started<()>| async move {
                kept.put(started);
                Err::<(), _>("no port")
            }
        }));
        assert!(touch(&mut start).await.is_pending());
        turns(2).await;
        assert!(kept.take().ready(()).is_err(), "the child is gone");
        assert!(matches!(start.await, Err(StartError::Failed("no port"))));
        Ok(())
    })
    .await;
    assert!(ended.is_ok());
}

#[tenter::test]
async fn x02_two_that_start_each_other() {
    task_group(async |group| {
        let siblings = group.handle();
        let (value, outer) = group
            .start(|started| async move {
                let (inner, task) = siblings
                    .start(|started| async move {
                        sleep(SECOND).await;
                        started.ready(1).expect("somebody waits");
                        Ok::<_, ()>(10)
                    })
                    .await
                    .expect("it becomes ready");
                started.ready(inner + 1).expect("somebody waits");
                Ok(task.await.expect("it does not fail") + 1)
            })
            .await
            .expect("it becomes ready");
        assert_eq!((value, outer.await.unwrap()), (2, 11));
        Ok(())
    })
    .await
    .expect("nothing fails");
}

#[tenter::test]
async fn x02_the_error_says_why() {
    let (tx, rx) = oneshot();
    task_group(async |group| {
        let handle = group.handle();
        let task = spawn(async move {
            let failed = handle
                .start(|started: Started<()>| async move {
                    let _started = started;
                    Err::<(), _>(std::io::Error::other("no port"))
                })
                .await
                .unwrap_err();
            let failed: Box<dyn std::error::Error + Send + Sync> = failed.into();
            let _ = tx.send(failed.to_string());
        });
        task.await.expect("it does not fail");
        Ok(())
    })
    .await
    .expect("nothing fails");
    let said = rx.await.expect("it was sent");
    assert_eq!(said, "failed before it was ready: no port");
}
