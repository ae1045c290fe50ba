//! Panics in and around a group.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tenter::task::UnobservedKind;
use tenter::time::sleep;
use tenter::{Builder, CancelScope, defer_async, spawn, task_group};
use tenter_tests::support::hostile::{Act, waker_that_panics_at};
use tenter_tests::support::{Count, Log, OnDrop, text_of};

use crate::support::{turns, watched};

const SECOND: Duration = Duration::from_secs(1);

#[tenter::test]
async fn a26_a_panic_of_a_child_is_in_the_groups_error() {
    let mut kept = None;
    let error = task_group(async |group| {
        kept = Some(group.named("bad").spawn(async {
            if true {
                panic!("on purpose");
            }
            Ok::<_, ()>(())
        }));
        pending::<Result<(), ()>>().await
    })
    .await
    .unwrap_err();
    assert!(error.has_panic());
    let child = kept.unwrap();
    let id = child.id();
    let told = child.await.unwrap_err();
    assert!(told.is_in_group_error() && !told.is_panic() && !told.is_cancelled());
    match error.into_vec().pop() {
        Some(tenter::Failure::Panic(panic)) => {
            assert_eq!((panic.task_id(), panic.message()), (id, "on purpose"));
            assert_eq!(text_of(&*panic.into_payload()), "on purpose");
        }
        other => panic!("{other:?}"),
    }
}

/// Goal: a clean-up that fails is a failure of the group, also while the child is cancelled.
#[test]
fn a26_a_panic_in_the_drop_of_a_cancelled_child_is_in_the_groups_error() {
    let (runtime, reports) = watched(Builder::deterministic(1));
    let error = runtime
        .block_on(task_group(async |group| {
            group.spawn(async {
                let _bad = OnDrop(|| panic!("on purpose"));
                pending::<Result<(), &str>>().await
            });
            turns(1).await;
            group.spawn(async { Err::<(), _>("first") });
            pending::<Result<(), &str>>().await
        }))
        .unwrap_err();
    assert_eq!((error.len(), error.has_panic()), (2, true), "{error}");
    assert!(reports.take().is_empty());
}

#[test]
fn a26_a_panic_in_the_drop_of_a_child_that_is_ready_is_reported() {
    let (runtime, reports) = watched(Builder::deterministic(1));
    runtime
        .block_on(task_group(async |group| {
            struct Bad;
            impl Future for Bad {
                type Output = Result<i32, ()>;
                fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
                    Poll::Ready(Ok(1))
                }
            }
            impl Drop for Bad {
                fn drop(&mut self) {
                    panic!("on purpose");
                }
            }
            assert_eq!(group.spawn(Bad).await.unwrap(), 1);
            Ok(())
        }))
        .unwrap();
    let kinds: Vec<_> = reports.take().into_iter().map(|it| it.0).collect();
    assert_eq!(kinds, [UnobservedKind::FutureDrop]);
}

/// Goal: a group ends after its children, also if its body panics.
#[test]
fn a26_a_panic_of_the_body_waits_for_the_children() {
    let (runtime, reports) = watched(Builder::deterministic(1));
    runtime.block_on(async {
        let log = Log::new();
        let task = spawn({
            let log = log.clone();
            async move {
                let inner = log.clone();
                let _behind = OnDrop(move || log.add("behind"));
                task_group(async |group| {
                    let log = inner.clone();
                    group.spawn(async move {
                        let _guard = defer_async(async move {
                            sleep(SECOND).await;
                            log.add("child");
                        });
                        pending::<Result<(), ()>>().await
                    });
                    group.spawn(async {
                        tenter::task::cancelled().await;
                        Err::<(), _>(())
                    });
                    turns(1).await;
                    if true {
                        panic!("on purpose");
                    }
                    Ok(())
                })
                .await
            }
        });
        let payload = task.await.unwrap_err().into_panic();
        assert_eq!(text_of(&*payload), "on purpose");
        assert_eq!(log.take(), ["child", "behind"]);
    });
    // The error of the group went with the panic.
    let kinds: Vec<_> = reports.take().into_iter().map(|it| it.0).collect();
    assert_eq!(kinds, [UnobservedKind::GroupChild]);
}

/// Goal: an output that panics when it is dropped does not keep the scope around waiting.
#[tenter::test]
async fn a26_a_panic_in_the_drop_of_the_bodys_output() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn(scope.run(async {
        let group = task_group(async |group| {
            group.spawn(async { Err::<(), _>(()) });
            Ok(OnDrop(|| panic!("on purpose")))
        });
        let mut group = Box::pin(group);
        std::future::poll_fn(|cx| {
            let polled = catch_unwind(AssertUnwindSafe(|| group.as_mut().poll(cx).is_ready()));
            match polled {
                Ok(false) => Poll::Pending,
                Ok(true) => panic!("the drop of the output panics"),
                Err(_) => Poll::Ready(()),
            }
        })
        .await;
        pending::<()>().await;
        drop(group);
    }));
    turns(5).await;
    handle.cancel("enough");
    assert!(task.await.unwrap().is_cancelled());
}

/// Goal: the waker of whoever awaits the group cannot harm the child that wakes it.
#[test]
fn a26_a_group_under_a_waker_that_panics() {
    for deferred in [false, true] {
        let (runtime, reports) = watched(Builder::deterministic(1));
        let (waker, _seen) = waker_that_panics_at(Act::Wake);
        let kept = Count::new();
        let mut handle = None;
        let mut group = Box::pin(task_group(async |group| {
            handle = Some(group.spawn(async move {
                turns(2).await;
                let _guard = deferred.then(|| defer_async(turns(1)));
                Ok::<_, ()>(1)
            }));
            Ok(2)
        }));
        {
            let _entered = runtime.handle().enter();
            assert!(
                group
                    .as_mut()
                    .poll(&mut Context::from_waker(&waker))
                    .is_pending()
            );
        }
        runtime.block_on(turns(6));
        let kinds: Vec<_> = reports.take().into_iter().map(|it| it.0).collect();
        assert_eq!(kinds, [UnobservedKind::JoinerWake], "deferred: {deferred}");
        match group.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(ended) => assert_eq!(ended.unwrap(), 2),
            Poll::Pending => panic!("the child has ended"),
        }
        drop(group);
        let one = runtime.block_on(handle.unwrap());
        assert_eq!(one.expect("its output is there"), 1);
        drop(kept);
    }
}
