//! Row X11 of the guide, locks owned: a lock names the task that holds it, by the number that the task's
//! handle shows too.

use std::sync::Arc;

use tenter::sync::{Lock, RwLock};
use tenter::task::{self, yield_now};
use tenter::{Builder, spawn};
use tenter_tests::support::build;

fn builders() -> [Builder; 3] {
    [
        Builder::deterministic(7),
        Builder::current_thread(),
        Builder::multi_thread().workers(2),
    ]
}

/// Goal: a guard that a task has leaked is found by the number of the task, which has long ended.
#[test]
fn x11_who_ended_without_giving_the_lock_back_is_named() {
    for builder in builders() {
        let lock = Arc::new(Lock::new(0).named("till"));
        let runtime = build(builder);
        runtime.block_on(async {
            let held = Arc::clone(&lock);
            let task = spawn(async move {
                let guard = held.lock().await;
                yield_now().await;
                std::mem::forget(guard);
            });
            let id = task.id();
            task.await.unwrap();
            assert!(lock.try_lock().is_err());
            assert_eq!(lock.stats().owner, Some(id.get()));
            let shown = format!("{lock:?}");
            assert!(shown.contains(&format!("owner: {id}")), "{shown}");
        });
    }
}

/// Goal: whoever has the turn is named, one after the other. Method: many tasks contend, and each looks
/// at the lock whenever it has it.
#[test]
fn x11_each_of_many_is_the_owner_in_its_turn() {
    for builder in builders() {
        let locks = Arc::new((Lock::new(0), Lock::unfair(0), RwLock::new(0)));
        build(builder).block_on(async {
            let body = |locks: Arc<(Lock<i32>, Lock<i32>, RwLock<i32>)>| async move {
                let (fair, unfair, rwlock) = &*locks;
                let me = Some(task::id().get());
                for round in 0..50 {
                    let guards = (fair.lock().await, unfair.lock().await, rwlock.write().await);
                    if round % 8 == 0 {
                        yield_now().await;
                    }
                    assert_eq!((fair.stats().owner, unfair.stats().owner), (me, me));
                    assert_eq!(rwlock.stats().writer, me);
                    drop(guards);
                    drop(rwlock.read().await);
                }
            };
            let tasks: Vec<_> = (0..8).map(|_| spawn(body(Arc::clone(&locks)))).collect();
            for task in tasks {
                task.await.unwrap();
            }
        });
        let (fair, unfair, rwlock) = &*locks;
        assert_eq!((fair.stats().owner, unfair.stats().owner), (None, None));
        assert_eq!(rwlock.stats().writer, None);
    }
}
