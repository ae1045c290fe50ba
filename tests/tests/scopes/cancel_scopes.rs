//! Cases CS, and rows X03, X07 and X20: what a cancelled scope ends, when, and who is told why.

use std::future::{Future, pending, ready};

use tenter::sync::{Notify, Queue, Semaphore, oneshot};
use tenter::task::{cancelled, yield_now};
use tenter::time::{now, sleep, timeout};
use tenter::{
    CancelKind, CancelScope, Outcome, fail_after, gather, scope_deadline, shield, spawn, task_group,
};
use tenter_tests::support::{Count, Log, assert_says, every};

use crate::support::{SECOND, deferred, settle, touch};

#[tenter::test]
async fn cs1_a_clean_up_that_suspends_unshielded_does_not_hang() {
    let start = now();
    let scope = CancelScope::new();
    scope.handle();
    let handle = scope.handle();
    let log = Log::new();
    let ended = scope
        .run({
            let log = log.clone();
            async move {
                handle.cancel("enough");
                // As close to a swallowed cancellation as it gets: all of it in one scope, with no
                // branch that ends.
                loop {
                    let waited = gather!(sleep(SECOND), timeout(SECOND, pending::<()>())).await;
                    log.add(waited);
                }
            }
        })
        .await;
    let ended: Outcome<()> = ended;
    assert!(ended.is_cancelled());
    assert_eq!((now(), log.take().len()), (start, 0));
}

#[tenter::test]
async fn cs1_a_loop_that_is_always_ready_is_cancelled() {
    let queue = Queue::unbounded();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let rounds = Count::new();
    let ended = scope
        .run(async {
            loop {
                queue.put(()).await.expect("it is open");
                queue.get().await.expect("it is open");
                if rounds.add() == 1_000 {
                    handle.cancel("enough");
                }
            }
        })
        .await;
    let ended: Outcome<()> = ended;
    assert!(ended.is_cancelled());
    assert!(rounds.get() <= 1_200, "{}", rounds.get());
}

#[tenter::test]
async fn cs2_a_shield_in_a_cancelled_scope_works_until_it_ends() {
    let start = now();
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope
        .run(async {
            handle.cancel("enough");
            CancelScope::new()
                .shield(true)
                .run(async {
                    sleep(SECOND).await;
                    sleep(SECOND).await;
                    log.add("in the shield");
                })
                .await
                .done();
            log.add("behind it");
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!(now() - start, 2 * SECOND);
    assert_eq!(log.take(), ["in the shield"]);
}

#[tenter::test]
async fn cs3_a_shielded_scope_obeys_its_own_handle_and_deadline() {
    let start = now();
    let scope = CancelScope::new().shield(true);
    let handle = scope.handle();
    drop(spawn(async move {
        sleep(SECOND).await;
        handle.cancel("its own");
    }));
    let ended = scope.run(pending::<()>()).await;
    let Outcome::Cancelled(reason) = ended else {
        panic!("it is never ready")
    };
    assert_eq!(reason.message(), Some("its own"));
    let scope = CancelScope::new().shield(true).deadline(now() + SECOND);
    let Outcome::Cancelled(reason) = scope.run(pending::<()>()).await else {
        panic!("it is never ready")
    };
    assert_eq!(reason.kind(), CancelKind::Deadline);
    assert_eq!(now() - start, 2 * SECOND);
}

#[tenter::test]
async fn cs6_unshielding_ends_what_waited_for_it_at_once() {
    let start = now();
    let outer = CancelScope::new();
    let cancel_outer = outer.handle();
    let inner = CancelScope::new().shield(true);
    let handle = inner.handle();
    let token = handle.child();
    let token_handle = token.handle();
    let elsewhere = spawn(token.run(pending::<()>()));
    let task = spawn(outer.run(async move { inner.run(sleep(100 * SECOND)).await }));
    settle().await;
    cancel_outer.cancel("enough");
    settle().await;
    assert!(!task.is_finished() && !handle.is_cancelled() && !token_handle.is_cancelled());
    let told = spawn({
        let handle = handle.clone();
        async move { handle.cancelled().await }
    });
    settle().await;
    handle.set_shield(false);
    assert!(token_handle.is_cancelled(), "it is cancelled together");
    assert!(task.await.unwrap().is_cancelled());
    assert!(elsewhere.await.unwrap().is_cancelled());
    assert_eq!(told.await.unwrap().message(), Some("enough"));
    assert_eq!(now(), start);
}

#[tenter::test]
async fn cs7_a_scope_that_is_cancelled_before_it_is_entered_never_begins() {
    let dropped = Count::new();
    let polled = Count::new();
    let scope = CancelScope::new();
    assert!(scope.handle().cancel("too early"));
    let ended = scope
        .run({
            let (on_drop, polled) = (dropped.on_drop(), polled.clone());
            async move {
                let _on_drop = on_drop;
                polled.add();
            }
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!((polled.get(), dropped.get()), (0, 1));
}

#[tenter::test]
async fn cs7_a_deadline_that_has_passed_ends_the_body_at_its_first_suspension() {
    let log = Log::new();
    let past = CancelScope::new().deadline(now());
    let ended = past
        .run(async {
            log.add("begun");
            yield_now().await;
            log.add("went on");
        })
        .await;
    assert!(ended.is_cancelled());
    assert_eq!(log.take(), ["begun"]);
    let ended = CancelScope::new().deadline(now()).run(ready(1)).await;
    assert_eq!(ended, Outcome::Done(1));
}

#[tenter::test]
async fn cs8_a_deadline_does_not_reach_a_child_of_a_group_around_it() {
    let start = now();
    let child = task_group(async |group| {
        let child = fail_after(SECOND, async |_| {
            group.spawn(async {
                sleep(5 * SECOND).await;
                Ok::<_, ()>("lived on")
            })
        })
        .await
        .expect("it does not wait");
        Ok(child)
    })
    .await
    .unwrap();
    assert_eq!(child.await.unwrap(), "lived on");
    assert_eq!(now() - start, 5 * SECOND);
}

#[tenter::test]
async fn cs9_the_deadline_of_nested_scopes_is_the_nearest() {
    assert_eq!(scope_deadline(), None);
    let start = now();
    let scope = CancelScope::new().deadline(start + 5 * SECOND);
    let handle = scope.handle();
    let ended = scope
        .run(async {
            assert_eq!(scope_deadline(), Some(start + 5 * SECOND));
            let inner = timeout(SECOND, async { scope_deadline() }).await.unwrap();
            assert_eq!(inner, Some(start + SECOND));
            let outer = timeout(10 * SECOND, async { scope_deadline() }).await;
            assert_eq!(outer.unwrap(), Some(start + 5 * SECOND));
            let behind = shield(async { scope_deadline() }).await;
            assert_eq!(behind, None, "it does not reach into a shield");
            let in_shield = CancelScope::new()
                .shield(true)
                .deadline(start + 9 * SECOND)
                .run(async { scope_deadline() })
                .await;
            assert_eq!(in_shield.done().flatten(), Some(start + 9 * SECOND));
            let in_child =
                task_group(async |group| Ok::<_, ()>(group.spawn(async { Ok(scope_deadline()) })))
                    .await
                    .unwrap();
            assert_eq!(in_child.await.unwrap(), Some(start + 5 * SECOND));
            let in_task = spawn(async { scope_deadline() });
            assert_eq!(in_task.await.unwrap(), None, "it is in no scope of ours");
            handle.set_deadline(start + 2 * SECOND);
            assert_eq!(scope_deadline(), Some(start + 2 * SECOND));
            handle.cancel("enough");
            assert_eq!(scope_deadline(), Some(start));
            1
        })
        .await;
    assert_eq!(ended, Outcome::Done(1));
}

#[tenter::test]
async fn cs9_a_bound_without_an_end_is_no_deadline() {
    let forever = std::time::Duration::MAX;
    let inner = timeout(forever, async { scope_deadline() }).await;
    assert_eq!(inner.unwrap(), None);
    let inner = timeout(forever, async {
        shield(async {}).await; // The scope's shared part is made.
        CancelScope::new().run(async {}).await.done();
        scope_deadline()
    });
    assert_eq!(inner.await.unwrap(), None);
    let scoped = fail_after(forever, async |deadline| {
        (deadline.when(), scope_deadline())
    });
    assert_eq!(scoped.await.unwrap(), (None, None));
}

#[tenter::test]
async fn cs9_a_task_that_is_cancelled_has_no_time_left() {
    let (give, canceller) = oneshot::<tenter::Canceller>();
    let task = spawn(async move {
        let canceller = canceller.await.unwrap();
        assert_eq!(scope_deadline(), None);
        canceller.cancel();
        scope_deadline() == Some(now())
    });
    assert!(give.send(task.canceller()).is_ok());
    assert!(task.await.unwrap());
}

#[tenter::test]
async fn cs10_the_clock_of_fail_after_starts_at_its_entry() {
    let late = fail_after(2 * SECOND, async |deadline| {
        let when = deadline.when();
        pending::<()>().await;
        when
    });
    sleep(3 * SECOND).await;
    let start = now();
    late.await.unwrap_err();
    assert_eq!(now() - start, 2 * SECOND);
}

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
    assert!(place.file().ends_with("cancel_scopes.rs"));
    let text = reason.to_string();
    assert_says(&text, &["too slow", &id.to_string(), "cancel_scopes.rs"]);
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
