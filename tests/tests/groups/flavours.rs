//! Groups on every flavour, from other threads, and on executors that are not ours.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tenter::task::yield_now;
use tenter::{Builder, CancelScope, Ended, GroupHandle, defer_async, spawn, task_group};
use tenter_tests::support::{Count, Slot, build, every, foreign_block_on, panic_of, thread};

use crate::support::turns;

#[test]
fn a26_many_children_on_every_flavour() {
    every(|builder| {
        let runtime = build(builder);
        let sum = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&sum);
        let ended = runtime.block_on(task_group(async |group| {
            for child in 0..300 {
                let (sum, siblings) = (Arc::clone(&counted), group.handle());
                group.spawn(async move {
                    yield_now().await;
                    let sibling = Arc::clone(&sum);
                    siblings.spawn(async move {
                        sibling.fetch_add(1, Ordering::Relaxed);
                        Ok::<_, ()>(())
                    });
                    sum.fetch_add(child, Ordering::Relaxed);
                    Ok(())
                });
            }
            Ok(1)
        }));
        assert_eq!(ended.unwrap(), 1);
        assert_eq!(sum.load(Ordering::Relaxed), 300 * 299 / 2 + 300);
    });
}

#[test]
fn a26_the_first_failure_ends_all_on_every_flavour() {
    every(|builder| {
        let runtime = build(builder);
        for round in 0..50 {
            let (alive, cleaned) = (Count::new(), Count::new());
            let error = runtime
                .block_on(task_group(async |group| {
                    for child in 0..20 {
                        let (dropped, cleaned) = (alive.on_drop(), cleaned.clone());
                        group.spawn(async move {
                            let _dropped = dropped;
                            let _guard = defer_async(async move {
                                yield_now().await;
                                cleaned.add();
                            });
                            turns(child % 3).await;
                            if child == round % 20 {
                                return Err(child);
                            }
                            pending::<Result<(), _>>().await
                        });
                    }
                    pending::<Result<(), usize>>().await
                }))
                .unwrap_err();
            assert_eq!(error.only().unwrap(), round % 20);
            assert_eq!(alive.get(), 20, "all have ended");
            assert!(cleaned.get() <= 20);
        }
    });
}

#[test]
fn a26_cancelled_on_every_flavour() {
    every(|builder| {
        let runtime = build(builder);
        for _ in 0..50 {
            let alive = Count::new();
            let scope = CancelScope::new();
            let handle = scope.handle();
            let dropped: Vec<_> = (0..10).map(|_| alive.on_drop()).collect();
            let task = runtime.spawn(scope.run(async move {
                task_group(async |group| {
                    for dropped in dropped {
                        group.spawn(async move {
                            let _dropped = dropped;
                            pending::<Result<(), ()>>().await
                        });
                    }
                    Ok(())
                })
                .await
            }));
            let canceller = thread(move || handle.cancel("from outside"));
            let ended = runtime.block_on(task).unwrap();
            assert!(ended.is_cancelled(), "{ended:?}");
            assert_eq!(alive.get(), 10);
            canceller.join();
        }
    });
}

/// Goal: a handle works from a thread that is in no runtime.
#[test]
fn x01_a_handle_on_a_plain_thread() {
    every(|builder| {
        let runtime = build(builder);
        let slot = Slot::<GroupHandle<&'static str>>::new();
        let outside = thread({
            let slot = slot.clone();
            move || {
                let group = slot.take();
                let child = group.spawn(async { Ok(1) });
                group.spawn(async { Err::<(), _>("from outside") });
                child
            }
        });
        let error = runtime
            .block_on(task_group(async |group| {
                slot.put(group.handle());
                pending::<Result<(), _>>().await
            }))
            .unwrap_err();
        assert_eq!(error.only().unwrap(), "from outside");
        let ended = runtime.block_on(outside.join());
        assert!(ended.is_ok_and(|one| one == 1) || runtime.metrics().workers > 1);
    });
}

#[test]
fn a26_awaited_on_a_foreign_executor() {
    let runtime = build(Builder::multi_thread().workers(2));
    let _entered = runtime.handle().enter();
    let ended = foreign_block_on(task_group(async |group| {
        let one = group.spawn(async {
            yield_now().await;
            Ok::<_, ()>(1)
        });
        group.spawn(async { Ok(()) });
        Ok(one.await.expect("it does not fail"))
    }));
    assert_eq!(ended.unwrap(), 1);
    let error = foreign_block_on(task_group(async |group| {
        group.spawn(async { Err::<(), _>("first") });
        group.spawn(pending::<Result<(), _>>());
        pending::<Result<(), _>>().await
    }));
    assert_eq!(error.unwrap_err().only().unwrap(), "first");
}

#[test]
fn a26_outside_a_runtime_a_group_has_no_children() {
    let alone = foreign_block_on(task_group(async |_| Ok::<_, ()>(1)));
    assert_eq!(alone.unwrap(), 1);
    let says = panic_of(|| {
        foreign_block_on(task_group(async |group| {
            group.spawn(async { Ok::<_, ()>(()) });
            Ok(())
        }))
    });
    assert!(says.contains("TaskGroup::spawn"), "{says}");
}

/// Goal: a group that ends with its runtime.
#[test]
fn a26_a_runtime_that_ends_ends_groups() {
    every(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        let (one, two) = (dropped.on_drop(), dropped.on_drop());
        let begun = Slot::new();
        let task = runtime.spawn({
            let begun = begun.clone();
            async move {
                let _one = one;
                task_group(async |group| {
                    group.spawn(async move {
                        let _two = two;
                        begun.put(());
                        pending::<Result<(), ()>>().await
                    });
                    Ok(())
                })
                .await
            }
        });
        runtime.block_on(async {
            while !begun.is_full() {
                yield_now().await;
            }
        });
        drop(runtime);
        assert!(task.is_finished());
        assert_eq!(dropped.get(), 2);
    });
}

#[test]
fn x01_join_next_on_every_flavour() {
    every(|builder| {
        let runtime = build(builder);
        let ended = runtime.block_on(task_group(async |group| {
            for _ in 0..100 {
                group.spawn(async {
                    yield_now().await;
                    Ok::<_, ()>(())
                });
            }
            let other = group.handle();
            let counter = spawn(async move {
                let mut seen = 0;
                while let Some(outcome) = other.join_next().await {
                    assert_eq!(outcome.ended, Ended::Succeeded);
                    seen += 1;
                }
                seen
            });
            let mut seen = 0;
            while group.join_next().await.is_some() {
                seen += 1;
            }
            Ok(seen + counter.await.expect("it does not fail"))
        }));
        assert_eq!(ended.unwrap(), 100);
    });
}
