//! Rows X03, X07 and X20: how a request goes through scopes in one another, what it leaves of a wait, and what
//! its reason says.

use std::future::{Future, pending};

use tenter::sync::{Notify, Queue, Semaphore};
use tenter::task::cancelled;
use tenter::time::now;
use tenter::{CancelKind, CancelScope, Outcome, spawn};
use tenter_tests::support::{Log, assert_says, every};

use crate::support::{deferred, settle, touch};

#[test]
fn x03_an_inner_scope_ends_alone_and_an_outer_one_with_it() {
    every(|builder| {
        let runtime = tenter_tests::support::build(builder);
        runtime.block_on(async {
            let ended = CancelScope::new()
                .run(async {
                    let inner = CancelScope::new();
                    let handle = inner.handle();
                    let canceller = spawn(async move {
                        assert!(handle.cancel("inner"));
                        assert!(!handle.cancel("again"));
                    });
                    let ended = inner.run(pending::<()>()).await;
                    canceller.await.unwrap();
                    ended
                })
                .await;
            let Outcome::Done(Outcome::Cancelled(reason)) = ended else {
                panic!("{ended:?}")
            };
            assert_eq!(reason.message(), Some("inner"));
            let outer = CancelScope::new();
            let handle = outer.handle();
            let log = Log::new();
            let both = outer.run({
                let (log, handle) = (log.clone(), handle.clone());
                async move {
                    let inner = CancelScope::new();
                    let in_inner = inner.handle();
                    drop(spawn(async move {
                        in_inner.cancel("inner");
                        handle.cancel("outer");
                    }));
                    let _guard = deferred(&log, "cleaned up");
                    drop(inner.run(pending::<()>()).await);
                    pending::<()>().await;
                }
            });
            let Outcome::Cancelled(reason) = both.await else {
                panic!("it is never ready")
            };
            assert_eq!(reason.message(), Some("outer"));
            assert_eq!(log.take(), ["cleaned up"]);
        });
    });
}

#[tenter::test]
async fn x03_a_token_is_cancelled_with_its_scope_and_alone() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (one, two) = (handle.child(), handle.child());
    let (cancel_one, cancel_two) = (one.handle(), two.handle());
    let below = cancel_two.child();
    let deepest = below.handle();
    let tasks = [one, two, below].map(|scope| spawn(scope.run(pending::<()>())));
    settle().await;
    assert!(cancel_one.cancel("alone"));
    assert!(!handle.is_cancelled() && !cancel_two.is_cancelled());
    assert!(handle.cancel("all"));
    assert!(cancel_two.is_cancelled() && deepest.is_cancelled());
    for (task, said) in tasks.into_iter().zip(["alone", "all", "all"]) {
        let Outcome::Cancelled(reason) = task.await.unwrap() else {
            panic!("it is never ready")
        };
        assert_eq!(reason.message(), Some(said));
    }
    let late = handle.child();
    assert!(late.handle().is_cancelled(), "also one that comes later");
    drop(scope);
}

/// A scope that is moved into a cancelled one takes what hangs on it along.
#[tenter::test]
async fn x03_a_scope_that_moves_into_a_cancelled_one_is_reached() {
    let inner = CancelScope::new();
    let handle = inner.handle();
    let token = handle.child();
    let token_handle = token.handle();
    let mut moved = Box::pin(inner.run(pending::<()>()));
    touch(&mut moved).await;
    let told = spawn({
        let handle = handle.clone();
        async move { handle.cancelled().await }
    });
    settle().await;
    let outer = CancelScope::new();
    let cancel_outer = outer.handle();
    let ended = outer
        .run(async {
            cancel_outer.cancel("outer");
            moved.await
        })
        .await;
    assert!(ended.is_cancelled());
    assert!(token_handle.is_cancelled());
    assert_eq!(told.await.unwrap().message(), Some("outer"));
}

/// Whoever waits for `cancelled` is told of the scope that it is in now.
#[tenter::test]
async fn x03_waiting_to_be_cancelled_moves_with_its_future() {
    let mut told = Box::pin(cancelled());
    let first = CancelScope::new();
    let left = first.handle();
    let ended = first.run(touch(&mut told)).await;
    assert_eq!(ended, Outcome::Done(()));
    left.cancel("nobody is in it");
    let second = CancelScope::new();
    let handle = second.handle();
    let task = spawn(second.run(told));
    settle().await;
    assert!(!task.is_finished());
    handle.cancel("second");
    let Outcome::Done(reason) = task.await.unwrap() else {
        panic!("it was ready, and that counts")
    };
    assert_eq!(reason.message(), Some("second"));
}

#[tenter::test]
async fn x03_waiting_to_be_cancelled_outside_any_scope_takes_for_ever() {
    let mut told = Box::pin(cancelled());
    assert!(tenter_tests::support::poll_once(&mut told).is_pending());
    // Begun outside, it is told of the task that it is in by then.
    let task = spawn(told);
    settle().await;
    assert_eq!(
        task.cancel_and_wait().await.unwrap().kind(),
        CancelKind::Requested
    );
}

/// Every wait, cancelled before it was granted, did not happen; and what was granted before the
/// cancellation is used.
#[tenter::test]
async fn x07_a_cancelled_wait_did_not_happen() {
    async fn cancelled_wait<F: Future>(wait: F) {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let ended = scope
            .run(async {
                let mut wait = Box::pin(wait);
                touch(&mut wait).await;
                handle.cancel("enough");
                wait.await;
            })
            .await;
        assert!(ended.is_cancelled());
    }
    let queue = Queue::bounded(1);
    cancelled_wait(queue.get()).await;
    queue.put(1).await.unwrap();
    cancelled_wait(queue.put(2)).await;
    assert_eq!(queue.get().await.unwrap(), 1);
    assert_eq!(queue.len(), 0, "the second was not put");
    let semaphore = Semaphore::new(0);
    cancelled_wait(semaphore.acquire()).await;
    semaphore.add_permits(1).unwrap();
    assert_eq!(semaphore.available(), 1);
    let notify = Notify::new();
    cancelled_wait(notify.notified()).await;
    notify.notify_one();
    notify.notified().await;
}

#[tenter::test]
async fn x07_what_was_delivered_before_the_cancellation_is_used() {
    let queue = Queue::bounded(1);
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run(async {
            let mut get = Box::pin(queue.get());
            touch(&mut get).await;
            queue.put(5).await.unwrap();
            handle.cancel("after the item came");
            get.await.unwrap()
        })
        .await;
    assert_eq!(ended, Outcome::Done(5));
}

#[tenter::test]
async fn x20_a_reason_says_who_asked_where_and_why() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let canceller = spawn(async move { handle.cancel("too slow") });
    let id = canceller.id();
    let Outcome::Cancelled(reason) = scope.run(pending::<()>()).await else {
        panic!("it is never ready")
    };
    assert_eq!(reason.kind(), CancelKind::Requested);
    assert_eq!(
        (reason.message(), reason.by()),
        (Some("too slow"), Some(id))
    );
    let place = reason.location().expect("a place in this file");
    assert!(place.file().ends_with("tree.rs"));
    let text = reason.to_string();
    assert_says(&text, &["too slow", &id.to_string(), "tree.rs"]);
    let Outcome::Cancelled(reason) = CancelScope::new()
        .deadline(now())
        .run(pending::<()>())
        .await
    else {
        panic!("it is never ready")
    };
    assert_eq!(reason.kind(), CancelKind::Deadline);
    let owner = spawn(pending::<()>());
    let owned = owner.canceller();
    drop(owner.cancel_on_drop());
    settle().await;
    assert!(owned.is_finished());
}
