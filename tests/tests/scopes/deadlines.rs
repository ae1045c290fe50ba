//! Cases TO, and rows A23, X05 and X06: deadlines of scopes, and how they are moved.

use std::future::pending;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{
    CancelScope, Deadline, Outcome, RescheduleError, defer_async, fail_after, move_on_after,
    scope_deadline, spawn, task_group,
};
use tenter_tests::support::{Log, Slot, every};

use crate::support::{SECOND, deferred, settle};

#[tenter::test]
async fn to1_a_deadline_ends_the_body() {
    let start = now();
    let given = Slot::new();
    let late = fail_after(SECOND, async |deadline| {
        given.put(deadline.clone());
        sleep(10 * SECOND).await;
    })
    .await;
    assert_eq!(late.unwrap_err().limit(), SECOND);
    assert_eq!(now() - start, SECOND);
    assert!(given.take().expired());
}

#[tenter::test]
async fn to3_none_never_fires_and_zero_fires_at_the_first_suspension() {
    let start = now();
    let patient = fail_after(SECOND, async |deadline| {
        deadline.reschedule(None).unwrap();
        assert_eq!((deadline.when(), scope_deadline()), (None, None));
        sleep(60 * SECOND).await;
        deadline.expired()
    });
    assert_eq!(patient.await, Ok(false));
    assert_eq!(now() - start, 60 * SECOND);
    for duration in [Duration::ZERO, Duration::from_nanos(1)] {
        let log = Log::new();
        let late = move_on_after(duration, async |_| {
            log.add("begun");
            sleep(Duration::ZERO).await;
            sleep(duration).await;
            yield_now().await;
            log.add("went on");
        });
        assert_eq!(late.await, None);
        assert_eq!(log.take(), ["begun"]);
    }
    let past = CancelScope::new().deadline(start);
    assert!(past.run(yield_now()).await.is_cancelled());
    let forever = move_on_after(Duration::MAX, async |_| sleep(SECOND).await);
    assert_eq!(forever.await, Some(()));
}

#[tenter::test]
async fn to4_a_failure_of_the_body_itself_passes() {
    let given = Slot::new();
    let failed = fail_after(SECOND, async |deadline| {
        given.put(deadline.clone());
        yield_now().await;
        Err::<(), _>("its own")
    });
    assert_eq!(failed.await, Ok(Err("its own")));
    assert!(!given.take().expired());
}

#[test]
fn to5_a_clean_up_that_fails_after_the_deadline_is_reported_with_its_place() {
    let reports = Log::new();
    let runtime = tenter::Builder::deterministic(1)
        .on_unobserved({
            let reports = reports.clone();
            move |it| reports.add(it.to_string())
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        let task = spawn(async {
            let late = fail_after(SECOND, async |_| {
                let _guard = defer_async(async { panic!("the disk is full") });
                pending::<()>().await;
            });
            late.await.unwrap_err().limit()
        });
        assert_eq!(
            task.await.unwrap(),
            SECOND,
            "the deadline is not hidden by it"
        );
    });
    let reports = reports.take();
    assert_eq!(reports.len(), 1);
    tenter_tests::support::assert_says(&reports[0], &["the disk is full", "deadlines.rs"]);
}

#[tenter::test]
async fn to6_a_cancellation_before_the_deadline_is_a_cancellation() {
    let given = Slot::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let task = spawn(scope.run({
        let given = given.clone();
        async move {
            fail_after(10 * SECOND, async |deadline| {
                given.put(deadline.clone());
                pending::<()>().await;
            })
            .await
        }
    }));
    sleep(SECOND).await;
    handle.cancel("from outside");
    let Outcome::Cancelled(reason) = task.await.unwrap() else {
        panic!("it is never ready")
    };
    assert_eq!(reason.message(), Some("from outside"));
    assert!(!given.take().expired());
}

/// Moves a deadline from another task, and from another thread.
#[test]
fn to8_a_deadline_is_moved_from_elsewhere() {
    every(|builder| {
        let builder = match tenter_tests::support::one_thread() {
            true => builder.virtual_clock(),
            false => builder,
        };
        let runtime = tenter_tests::support::build(builder);
        runtime.block_on(async {
            let short = Duration::from_millis(50);
            let given: Slot<Deadline> = Slot::new();
            let start = now();
            let task = spawn({
                let given = given.clone();
                async move {
                    fail_after(60 * SECOND, async |deadline| {
                        given.put(deadline.clone());
                        pending::<()>().await;
                    })
                    .await
                }
            });
            let deadline = loop {
                match given.is_full() {
                    true => break given.take(),
                    false => yield_now().await,
                }
            };
            let when = start + short;
            std::thread::spawn({
                let deadline = deadline.clone();
                move || deadline.reschedule(when).unwrap()
            })
            .join()
            .unwrap();
            assert_eq!(deadline.when(), Some(when));
            task.await.unwrap().unwrap_err();
            assert!(now() >= when && now() - start < 30 * SECOND);
            assert!(deadline.expired());
        });
    });
}

#[tenter::test]
async fn to8_later_and_never_do_not_fire() {
    let start = now();
    let given: Slot<Deadline> = Slot::new();
    let task = spawn({
        let given = given.clone();
        async move {
            fail_after(SECOND, async |deadline| {
                given.put(deadline.clone());
                sleep(5 * SECOND).await;
                1
            })
            .await
        }
    });
    settle().await;
    let deadline = given.take();
    deadline.reschedule(start + 2 * SECOND).unwrap();
    sleep(3 * SECOND / 2).await;
    assert!(!task.is_finished());
    deadline.reschedule(None).unwrap();
    assert_eq!(task.await.unwrap(), Ok(1));
    assert_eq!(now() - start, 5 * SECOND);
    assert!(!deadline.expired());
}

#[tenter::test]
async fn to9_a_deadline_that_is_over_cannot_be_moved() {
    let given: Slot<Deadline> = Slot::new();
    let body = fail_after(SECOND, async |deadline| given.put(deadline.clone()));
    body.await.unwrap();
    let ended = given.take();
    assert_eq!(
        ended.reschedule(now() + SECOND),
        Err(RescheduleError::Ended)
    );
    assert!(!ended.expired());
    let late = fail_after(SECOND, async |deadline| {
        let _guard = defer_async({
            let deadline = deadline.clone();
            async move {
                let moved = deadline.reschedule(now() + SECOND);
                assert_eq!(moved, Err(RescheduleError::Expired), "while it ends");
            }
        });
        given.put(deadline.clone());
        pending::<()>().await;
    });
    late.await.unwrap_err();
    let expired = given.take();
    assert_eq!(
        expired.reschedule(now() + SECOND),
        Err(RescheduleError::Expired)
    );
    let texts = [RescheduleError::Ended, RescheduleError::Expired].map(|it| it.to_string());
    assert!(texts[0] != texts[1] && !texts[0].is_empty());
}

#[tenter::test]
async fn to11_a_failing_end_of_a_child_is_in_the_error_of_its_group() {
    struct Fails;
    impl Drop for Fails {
        fn drop(&mut self) {
            panic!("the end of a child");
        }
    }
    let child = task_group(async |group| {
        let child = group.spawn(async {
            let _fails = Fails;
            pending::<Result<(), ()>>().await
        });
        pending::<Result<(), ()>>().await.map(|()| child)
    });
    let ended = timeout(SECOND, child).await;
    match ended {
        // What failed on the way out wins over the time.
        Ok(Err(error)) => assert!(error.has_panic()),
        Ok(Ok(_)) => panic!("it does not end by itself"),
        Err(elapsed) => assert_eq!(elapsed.limit(), SECOND),
    }
}

#[tenter::test]
async fn a23_of_two_deadlines_at_one_moment_the_outer_one_says_so() {
    let log = Log::new();
    let outer = fail_after(SECOND, async |outer| {
        let inner = fail_after(SECOND, async |_| {
            let _guard = deferred(&log, "cleaned up");
            pending::<()>().await;
        });
        let _ = inner.await;
        log.add("the inner one was handled");
        outer.expired()
    });
    outer.await.unwrap_err();
    assert_eq!(log.take(), ["cleaned up"]);
}

/// Goal: an inner scope that left its end to an outer deadline is not left waiting when somebody wants to
/// move that one: at one moment it has passed or not, for all.
#[tenter::test]
async fn a23_a_deadline_that_was_seen_to_pass_cannot_be_moved() {
    let start = now();
    let outer = fail_after(SECOND, async |deadline| {
        task_group(async |group| {
            group.spawn(async {
                // Ends at the very moment of the outer one, in a task of its own.
                let ended = timeout(SECOND, pending::<()>()).await;
                ended.map_err(|_| "in the child")
            });
            sleep(SECOND).await;
            yield_now().await;
            match deadline.reschedule(start + 60 * SECOND) {
                Ok(()) => {
                    sleep(5 * SECOND).await;
                    Ok("moved")
                }
                Err(_) => Ok("too late"),
            }
        })
        .await
    });
    let ended = outer.await;
    assert!(
        now() - start <= 6 * SECOND,
        "{ended:?}, {:?}",
        now() - start
    );
}

#[tenter::test]
async fn a23_a_body_that_is_ready_in_the_poll_of_its_deadline_is_in_time() {
    let given: Slot<Deadline> = Slot::new();
    let ended = fail_after(SECOND, async |deadline| {
        given.put(deadline.clone());
        sleep(SECOND).await;
        1
    });
    assert_eq!(ended.await, Ok(1));
}

#[tenter::test]
async fn x05_move_on_after_and_fail_after_bound_what_is_in_them() {
    let start = now();
    assert_eq!(move_on_after(SECOND, async |_| 1).await, Some(1));
    assert_eq!(
        move_on_after(SECOND, async |_| pending::<()>().await).await,
        None
    );
    assert!(
        fail_after(SECOND, async |_| pending::<()>().await)
            .await
            .is_err()
    );
    assert_eq!(now() - start, 2 * SECOND);
}

#[tenter::test]
async fn x06_a_function_without_a_timeout_parameter_sees_its_callers() {
    async fn library_call() -> Option<Duration> {
        scope_deadline().map(|deadline| deadline - now())
    }
    let seen = fail_after(7 * SECOND, async |_| {
        move_on_after(9 * SECOND, async |_| library_call().await).await
    });
    assert_eq!(seen.await, Ok(Some(Some(7 * SECOND))));
}
