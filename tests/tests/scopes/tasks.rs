//! Cases T04 to T09 and T22, and row A12: tasks are scopes.

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tenter::sync::{Event, oneshot};
use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{CancelKind, Canceller, JoinHandle, gather, spawn, task_group};
use tenter_tests::support::{Count, Log};

use crate::support::{SECOND, settle};

/// Spawns a task that gets the right to cancel itself.
fn spawn_own<F: Future<Output = T> + Send, T: Send + 'static>(
    body: impl FnOnce(Canceller) -> F + Send + 'static,
) -> JoinHandle<T> {
    let (give, canceller) = oneshot();
    let task = spawn(async move { body(canceller.await.unwrap()).await });
    assert!(give.send(task.canceller()).is_ok());
    task
}

#[tenter::test]
async fn t04_a_task_that_cancels_itself_ends_at_its_next_suspension() {
    let start = now();
    let task = spawn_own(|own| async move {
        assert!(own.cancel());
        sleep(100 * SECOND).await;
    });
    assert!(task.await.unwrap_err().is_cancelled());
    assert_eq!(now(), start);
}

#[tenter::test]
async fn t05_a_task_that_cancels_itself_and_does_not_suspend_returns() {
    let task = spawn_own(|own| async move {
        assert!(own.cancel());
        12
    });
    assert_eq!(task.await.unwrap(), 12);
}

#[tenter::test]
async fn t06_what_a_task_owns_and_waits_for_is_cancelled_with_it() {
    let event = Arc::new(Event::new());
    let waited = Arc::clone(&event);
    let dropped = Count::new();
    let on_drop = dropped.on_drop();
    let task = spawn_own(|own| async move {
        let inner = spawn(async move {
            let _on_drop = on_drop;
            waited.wait().await;
        });
        let inner = inner.cancel_on_drop();
        assert!(own.cancel(), "not while it is suspended");
        inner.await.unwrap();
    });
    assert!(task.await.unwrap_err().is_cancelled());
    settle().await;
    assert_eq!(dropped.get(), 1);
    assert_eq!(event.stats().waiting, 0);
}

#[tenter::test]
async fn t08_of_two_requests_the_first_reason_stays() {
    let task = spawn(pending::<()>());
    yield_now().await;
    assert!(task.cancel_with("first"));
    assert!(!task.cancel_with("second"));
    let error = task.await.unwrap_err();
    assert_eq!(error.reason().unwrap().message(), Some("first"));
}

#[tenter::test]
async fn t09_the_message_is_in_the_error_and_survives_a_chain() {
    for started in [false, true] {
        let task = spawn(pending::<()>());
        if started {
            yield_now().await;
        }
        task.cancel_with("my message");
        let error: Box<dyn Error> = Box::new(task.await.unwrap_err());
        assert!(error.to_string().contains("my message"), "{error}");
        let outer = std::io::Error::other(error.to_string());
        assert!(outer.to_string().contains("my message"));
    }
}

#[tenter::test]
async fn t22_a_child_spawned_into_a_cancelled_group_is_never_polled() {
    let (polled, dropped) = (Count::new(), Count::new());
    let ended = task_group(async |group| {
        group.cancel("early");
        let (polled, on_drop) = (polled.clone(), dropped.on_drop());
        group.spawn(async move {
            let _on_drop = on_drop;
            polled.add();
            Ok::<_, ()>(())
        });
        pending::<Result<(), ()>>().await
    });
    drop(ended.await.unwrap_err());
    settle().await;
    assert_eq!((polled.get(), dropped.get()), (0, 1));
}

#[tenter::test]
async fn a12_a_request_to_a_task_that_has_ended_says_so() {
    let task = spawn(async { 1 });
    yield_now().await;
    assert!(task.is_finished());
    assert!(!task.cancel());
    assert_eq!(task.await.unwrap(), 1);
}

#[tenter::test]
async fn a12_a_task_that_was_never_polled_never_begins() {
    let (polled, dropped) = (Count::new(), Count::new());
    let task = spawn({
        let (polled, on_drop) = (polled.clone(), dropped.on_drop());
        async move {
            let _on_drop = on_drop;
            polled.add();
        }
    });
    assert!(task.cancel());
    let error = task.await.unwrap_err();
    assert_eq!(error.reason().unwrap().kind(), CancelKind::Requested);
    assert_eq!((polled.get(), dropped.get()), (0, 1));
}

#[tenter::test]
async fn a12_whoever_waits_for_a_task_does_not_cancel_it() {
    let log = Log::new();
    let inner = spawn({
        let log = log.clone();
        async move {
            sleep(SECOND).await;
            log.add("went on");
        }
    });
    let outer = spawn(inner);
    yield_now().await;
    outer.cancel_and_wait().await.unwrap_err();
    sleep(2 * SECOND).await;
    assert_eq!(log.take(), ["went on"]);
}

#[tenter::test]
async fn a12_a_cancelled_task_ends_all_that_it_polls() {
    let dropped = Count::new();
    let guards = [dropped.on_drop(), dropped.on_drop()];
    let task = spawn(async move {
        let [one, two] = guards.map(|guard| async move {
            let _guard = guard;
            sleep(Duration::MAX).await;
        });
        gather!(one, two).await;
    });
    yield_now().await;
    task.cancel_and_wait().await.unwrap_err();
    assert_eq!(dropped.get(), 2);
}
