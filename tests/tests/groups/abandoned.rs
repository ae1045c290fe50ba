//! A group whose future is dropped: its children are cancelled, and no failure is lost.

use std::future::pending;

use tenter::task::UnobservedKind;
use tenter::{Builder, spawn, task_group};
use tenter_tests::support::{Count, settle};

use crate::support::{panics, touch, turns, watched};

#[test]
fn a26_failures_of_an_abandoned_group_are_reported_once() {
    let (runtime, reports) = watched(Builder::deterministic(1));
    let ended = Count::new();
    runtime.block_on(async {
        let mut group = Box::pin(task_group(async |group| {
            group.spawn(async {
                turns(1).await;
                Err::<(), _>(1)
            });
            group.spawn(async {
                turns(1).await;
                panics().await
            });
            for _ in 0..2 {
                let ended = ended.on_drop();
                group.spawn(async move {
                    let _ended = ended;
                    tenter::task::cancelled().await;
                    Err::<(), _>(2)
                });
            }
            let ended = ended.on_drop();
            group.spawn(async move {
                let _ended = ended;
                tenter::shield(turns(5)).await;
                Ok(())
            });
            pending::<Result<(), i32>>().await
        }));
        assert!(touch(&mut group).await.is_pending());
        turns(3).await;
        drop(group);
        turns(10).await;
        assert_eq!(ended.get(), 3, "the runtime waits for the children");
    });
    let mut reports = reports.take();
    reports.sort_by_key(|(kind, _)| format!("{kind:?}"));
    let kinds: Vec<_> = reports.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(
        kinds,
        [
            UnobservedKind::GroupChild,
            UnobservedKind::GroupChild,
            UnobservedKind::GroupChild,
            UnobservedKind::Panic
        ],
        "{reports:?}"
    );
}

#[test]
fn a26_a_failure_after_the_group_was_dropped_is_reported_once() {
    let (runtime, reports) = watched(Builder::deterministic(1));
    runtime.block_on(async {
        let mut group = Box::pin(task_group(async |group| {
            let handle = group.spawn(async {
                tenter::task::cancelled().await;
                Err::<(), _>("too late")
            });
            let told = spawn(async move { handle.await.unwrap_err().is_in_group_error() });
            group.spawn(async {
                tenter::task::cancelled().await;
                panics().await
            });
            drop(told);
            pending::<Result<(), &str>>().await
        }));
        assert!(touch(&mut group).await.is_pending());
        settle().await;
        drop(group);
        turns(5).await;
    });
    let kinds: Vec<_> = reports.take().into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds, [UnobservedKind::GroupChild, UnobservedKind::Panic]);
}
