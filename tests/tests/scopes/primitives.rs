//! Cases of the primitives that need scopes: E03, C12, C16, L17 and M09.

use std::future::pending;
use std::sync::Arc;

use tenter::sync::{Condition, Event, Lock, channel};
use tenter::task::yield_now;
use tenter::{CancelScope, Outcome, gather, spawn, task_group};
use tenter_tests::support::{Count, Slot};

use crate::support::settle;

#[tenter::test]
async fn e03_a_cancelled_waiter_leaves_nothing_behind() {
    let event = Event::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (ended, ()) = gather!(scope.run(event.wait()), async {
        yield_now().await;
        assert_eq!(event.stats().waiting, 1);
        handle.cancel("enough");
    })
    .await;
    assert!(ended.is_cancelled());
    assert_eq!(event.stats().waiting, 0);
}

#[tenter::test]
async fn c12_the_reason_of_a_cancelled_wait_is_seen_by_who_awaits() {
    let shared = Arc::new((Lock::new(()), Condition::new()));
    let task = spawn({
        let shared = Arc::clone(&shared);
        async move {
            let guard = shared.0.lock().await;
            drop(shared.1.wait(guard).await);
        }
    });
    yield_now().await;
    assert_eq!(shared.1.stats().waiting, 1);
    assert!(task.cancel_with("foo"));
    let error = task.await.unwrap_err();
    assert_eq!(error.reason().unwrap().message(), Some("foo"));
    assert_eq!(shared.1.stats().waiting, 0);
    assert!(!shared.0.is_locked());
}

#[tenter::test]
async fn c16_a_notification_is_handed_on_by_a_waiter_that_is_cancelled() {
    let shared = Arc::new((Lock::new(()), Condition::new()));
    let wait = |shared: Arc<(Lock<()>, Condition)>| async move {
        let guard = shared.0.lock().await;
        drop(shared.1.wait(guard).await);
    };
    let scope = CancelScope::new();
    let handle = scope.handle();
    let first = spawn(scope.run(wait(Arc::clone(&shared))));
    yield_now().await;
    let second = spawn(wait(Arc::clone(&shared)));
    yield_now().await;
    assert_eq!(shared.1.stats().waiting, 2);
    let guard = shared.0.lock().await;
    handle.cancel("enough");
    shared.1.notify(&guard, 1);
    assert!(
        first.await.unwrap().is_cancelled(),
        "it cannot have the lock"
    );
    drop(guard);
    second.await.unwrap();
}

/// The lock is held outside the group, and released by hand.
async fn l17(released_first: bool) {
    let lock = Arc::new(Lock::new(()));
    let held = Slot::new();
    held.put(Arc::clone(&lock).lock_owned().await);
    let entered = Count::new();
    let ended = task_group(async |group| {
        let (child, entered) = (Arc::clone(&lock), entered.clone());
        group.spawn(async move {
            let _guard = child.lock().await;
            entered.add();
            pending::<Result<(), ()>>().await
        });
        settle().await;
        if released_first {
            drop(held.take());
        }
        group.cancel("enough");
        pending::<Result<(), ()>>().await
    });
    drop(ended.await.unwrap_err());
    if !released_first {
        drop(held.take());
    }
    settle().await;
    assert!(entered.get() <= usize::from(released_first));
    assert!(!lock.is_locked());
}

#[tenter::test]
async fn l17_a_cancelled_child_never_enters_and_the_lock_ends_free() {
    l17(false).await;
}

#[tenter::test]
async fn l17_a_child_that_was_let_in_before_the_cancellation_may_enter_once() {
    l17(true).await;
}

#[tenter::test]
async fn m09_a_scope_that_was_cancelled_before_it_began_transfers_nothing() {
    let (sender, receiver) = channel::rendezvous();
    let receiving = spawn({
        let receiver = receiver.clone();
        async move { receiver.recv().await }
    });
    settle().await;
    let scope = CancelScope::new();
    scope.handle().cancel("early");
    assert!(scope.run(sender.send(1)).await.is_cancelled());
    settle().await;
    assert!(!receiving.is_finished());
    sender.send(2).await.unwrap();
    assert_eq!(receiving.await.unwrap(), Ok(2));
    let sending = spawn({
        let sender = sender.clone();
        async move { sender.send(3).await }
    });
    settle().await;
    let scope = CancelScope::new();
    scope.handle().cancel("early");
    assert!(scope.run(receiver.recv()).await.is_cancelled());
    settle().await;
    assert!(!sending.is_finished());
    // A body that runs already transfers: what is ready counts.
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run(async {
            handle.cancel("while it runs");
            receiver.recv().await
        })
        .await;
    assert_eq!(ended, Outcome::Done(Ok(3)));
    sending.await.unwrap().unwrap();
}
