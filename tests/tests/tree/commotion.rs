//! A tree that is asked for while everything changes.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use tenter::sync::Lock;
use tenter::task::{TaskTree, yield_now};
use tenter::{Builder, task_group};
use tenter_tests::support::{build, ends};

use crate::{spawn, tree_when};

/// Tasks that spawn, nest, await, lock, end and are cancelled, until they are told to stop.
async fn commotion(stop: Arc<AtomicBool>, lock: Arc<Lock<u64>>) {
    while !stop.load(Ordering::Relaxed) {
        let result = task_group(async |group| {
            for number in 0..4_u64 {
                let lock = Arc::clone(&lock);
                let child = group.spawn(async move {
                    let inner = spawn("inner", async move {
                        *lock.lock().await += number;
                        yield_now().await;
                    });
                    if number % 2 == 0 {
                        let _ = task_group(async |deeper| {
                            deeper.spawn(async {
                                yield_now().await;
                                Ok::<_, ()>(())
                            });
                            yield_now().await;
                            Ok(())
                        })
                        .await;
                    }
                    inner.await.map_err(drop)
                });
                if number == 3 {
                    child.cancel();
                }
            }
            yield_now().await;
            if *lock.lock().await % 3 == 0 {
                group.cancel("enough");
            }
            Ok::<_, ()>(())
        });
        let _ = result.await;
    }
}

/// Whether each task is there once, and each way up ends.
fn check(tree: &TaskTree) {
    let ids: HashSet<_> = tree.tasks().iter().map(|task| task.id()).collect();
    assert_eq!(ids.len(), tree.tasks().len());
    let mut drawn = 0;
    for line in tree.to_string().lines() {
        drawn += usize::from(line.contains("(T) Task-"));
    }
    assert_eq!(drawn, tree.tasks().len(), "{tree}");
    for task in tree.tasks() {
        let mut up = Some(task.id());
        for steps in 0.. {
            let Some(id) = up else { break };
            assert!(steps <= ids.len());
            up = tree.parent(id).map(|it| it.id());
        }
        assert!(tree.awaited_by(task.id()).count() <= 1 + ids.len());
    }
    for cycle in tree.cycles() {
        assert!(cycle.iter().all(|id| ids.contains(id)));
    }
    // Two of the head, and that the main future is not shown.
    assert_eq!(
        tree.table().to_string().lines().count(),
        ids.len() + 3 + tree.cycles().len()
    );
}

/// Goal: a tree that is asked for while tasks are spawned, end and are cancelled on all workers.
#[test]
fn a95_the_tree_of_a_commotion_has_nobody_twice() {
    for inspect in [false, true] {
        ends("commotion", move || {
            let runtime = build(Builder::multi_thread().workers(4).inspect(inspect));
            let stop = Arc::new(AtomicBool::new(false));
            let lock = Arc::new(Lock::new(0));
            let tasks: Vec<_> = (0..4)
                .map(|_| {
                    let commotion = commotion(Arc::clone(&stop), Arc::clone(&lock));
                    runtime.spawn(commotion)
                })
                .collect();
            let lookers: Vec<_> = (0..2)
                .map(|_| {
                    let handle = runtime.handle().clone();
                    thread::spawn(move || (0..200).for_each(|_| check(&handle.tree())))
                })
                .collect();
            for looker in lookers {
                looker.join().expect("no panic");
            }
            stop.store(true, Ordering::Relaxed);
            for task in tasks {
                runtime.block_on(task).expect("no panic");
            }
            let left = tree_when(runtime.handle(), |tree| tree.tasks().is_empty());
            assert!(left.groups().is_empty(), "{left}");
        });
    }
}
