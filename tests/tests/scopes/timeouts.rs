//! Cases WF, and row A22: `timeout` around a future, which is a scope.

use std::future::{pending, ready};
use std::time::Duration;

use tenter::sync::Notify;
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout, timeout_at};
use tenter::{CancelScope, gather, shield, spawn};
use tenter_tests::support::{Count, Log};

use crate::support::{SECOND, deferred};

#[tenter::test]
async fn wf1_control_returns_when_what_resists_has_ended() {
    let start = now();
    let late = timeout(SECOND / 10, async {
        shield(sleep(SECOND / 5)).await;
        pending::<()>().await;
    });
    assert!(late.await.is_err());
    assert_eq!(now() - start, SECOND / 5);
    let log = Log::new();
    let late = timeout(SECOND, async {
        let _guard = deferred(&log, "cleaned up");
        pending::<()>().await;
    });
    assert!(late.await.is_err());
    assert_eq!(log.take(), ["cleaned up"]);
}

#[tenter::test]
async fn wf2_a_ready_future_wins_over_no_time_at_all() {
    assert_eq!(timeout(Duration::ZERO, ready(1)).await, Ok(1));
    assert_eq!(timeout_at(now(), ready(2)).await, Ok(2));
}

#[tenter::test]
async fn wf3_a_running_task_is_cancelled_and_cleaned_up_with_no_time_at_all() {
    let log = Log::new();
    let task = spawn({
        let log = log.clone();
        async move {
            let _guard = deferred(&log, "cleaned up");
            pending::<()>().await;
        }
    });
    yield_now().await;
    let canceller = task.canceller();
    let late = timeout(Duration::ZERO, task.cancel_on_drop()).await;
    assert!(late.is_err());
    while !canceller.is_finished() {
        yield_now().await;
    }
    assert_eq!(log.take(), ["cleaned up"]);
}

#[tenter::test]
async fn wf6_a_value_at_the_very_moment_is_in_time() {
    let notify = Notify::new();
    let notifier = async {
        sleep(SECOND).await;
        notify.notify_one();
    };
    let ((), ended) = gather!(notifier, timeout(SECOND, notify.notified())).await;
    assert_eq!(ended, Ok(()));
    assert_eq!(timeout(SECOND, sleep(SECOND)).await, Ok(()));
}

#[tenter::test]
async fn a22_a_waiter_that_is_cancelled_does_not_say_that_its_time_was_over() {
    let start = now();
    let dropped = Count::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn(scope.run({
        let on_drop = dropped.on_drop();
        timeout(10 * SECOND, async move {
            let _on_drop = on_drop;
            pending::<()>().await;
        })
    }));
    sleep(SECOND).await;
    handle.cancel("from outside");
    assert!(task.await.unwrap().is_cancelled());
    assert_eq!((now() - start, dropped.get()), (SECOND, 1));
}

#[tenter::test]
async fn a22_no_limit_is_no_limit() {
    let start = now();
    assert_eq!(timeout(Duration::MAX, sleep(SECOND)).await, Ok(()));
    assert_eq!(now() - start, SECOND);
}

#[tenter::test]
async fn a22_timeouts_in_one_another() {
    let start = now();
    let nested = timeout(3 * SECOND, async {
        let first = timeout(SECOND, pending::<()>()).await;
        assert!(first.is_err());
        timeout(SECOND, timeout(5 * SECOND, pending::<()>())).await
    });
    assert_eq!(nested.await.unwrap().unwrap_err().limit(), SECOND);
    assert_eq!(now() - start, 2 * SECOND);
}
