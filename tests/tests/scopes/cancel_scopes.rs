//! Cases CS: what a cancelled scope ends, and when.

use std::future::{pending, ready};

use tenter::sync::{Queue, oneshot};
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{
    CancelKind, CancelScope, Outcome, fail_after, gather, scope_deadline, shield, spawn, task_group,
};
use tenter_tests::support::{Count, Log};

use crate::support::{SECOND, settle};

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
