//! Plain functions that a runtime calls: soon and in order, or later.
//!
//! Each test runs on every flavour, or on the deterministic one if it is about the clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tenter::sync::{Event, oneshot};
use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{Finished, Handle, spawn};
use tenter_tests::support::{Count, Log, OnDrop, assert_says, build, every, settle, thread};

/// Goal: each is called once, in order, whichever thread posts, on a thread of the runtime.
#[test]
fn r08_functions_are_called_in_the_order_of_their_posts() {
    every(|builder| {
        let runtime = build(builder);
        let (log, end) = (Log::new(), Arc::new(Event::new()));
        let other = thread({
            let (handle, log, end) = (runtime.handle().clone(), log.clone(), Arc::clone(&end));
            move || {
                for number in 0..1_000 {
                    let log = log.clone();
                    handle.post(move || log.add(number)).unwrap();
                }
                handle.post(move || end.set()).unwrap();
            }
        });
        runtime.block_on(end.wait());
        other.join();
        assert_eq!(log.take(), (0..1_000).collect::<Vec<_>>());
    });
}

/// Goal: what a posted function posts is called after all that were posted before, and in a task.
#[test]
fn a85_a_function_may_post_and_spawn() {
    every(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let (sender, receiver) = oneshot();
            let (end, ended) = oneshot();
            let posts = log.clone();
            // From a function in line, so that none of these is called before all are in line.
            let all = move || {
                let handle = Handle::current();
                for name in ["a", "b"] {
                    let log = posts.clone();
                    handle
                        .post(move || {
                            log.add(name);
                            let again = log.clone();
                            Handle::current().post(move || again.add("again")).unwrap();
                        })
                        .unwrap();
                }
                handle
                    .post(|| {
                        drop(spawn(async move { sender.send(7).unwrap() }));
                        // Behind the two that were posted meanwhile.
                        Handle::current().post(|| end.send(()).unwrap()).unwrap();
                    })
                    .unwrap();
            };
            Handle::current().post(all).unwrap();
            assert_eq!(receiver.await.unwrap(), 7);
            ended.await.unwrap();
            assert_eq!(log.take(), ["a", "b", "again", "again"]);
        });
    });
}

/// Goal: functions that post themselves without end keep no task, no timer and no other function waiting.
#[test]
fn r08_a_storm_starves_nobody() {
    fn storm(handle: &Handle, calls: &Arc<AtomicUsize>) -> Result<(), Finished> {
        let (again, counted) = (handle.clone(), Arc::clone(calls));
        handle.post(move || {
            counted.fetch_add(1, Ordering::Relaxed);
            // Refused when the runtime ends, and then it is over.
            let _ = storm(&again, &counted);
        })
    }
    every(|builder| {
        let calls = Arc::new(AtomicUsize::new(0));
        let runtime = build(builder);
        runtime.block_on(async {
            let handle = Handle::current();
            for _ in 0..10 {
                storm(&handle, &calls).unwrap();
            }
            for _ in 0..100 {
                spawn(yield_now()).await.unwrap();
            }
            let (sender, receiver) = oneshot();
            handle.post(move || sender.send(7).unwrap()).unwrap();
            assert_eq!(receiver.await.unwrap(), 7);
        });
        assert!(calls.load(Ordering::Relaxed) > 0);
        drop(runtime);
    });
}

/// Goal: after the end they are refused, and those that were in line are dropped uncalled.
#[test]
fn r08_after_the_end_functions_are_refused() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let (called, dropped) = (Count::new(), Count::new());
        let function = |called: &Count| {
            let (called, guard) = (called.clone(), dropped.on_drop());
            move || {
                let _guard = guard;
                called.add();
            }
        };
        handle.post(function(&called)).unwrap();
        drop(runtime);
        let refused = handle.post(function(&called)).unwrap_err();
        assert_says(&refused.to_string(), &["ended", "posted"]);
        assert_eq!(dropped.get(), 2);
        assert!(called.get() <= 1);
        let late = handle.call_later(Duration::ZERO, function(&called));
        assert!(late.is_finished());
        assert_eq!(dropped.get(), 3);
    });
}

/// Goal: a function that panics is reported once, and those behind it are called.
#[test]
fn a85_a_panic_is_reported_and_the_next_are_called() {
    every(|builder| {
        let told = Log::new();
        let runtime = build(builder.on_unobserved({
            let told = told.clone();
            move |failure| told.add(failure.to_string())
        }));
        let log = Log::new();
        runtime.block_on(async {
            let handle = Handle::current();
            let (sender, receiver) = oneshot();
            for number in 0..3 {
                let log = log.clone();
                handle
                    .post(move || {
                        log.add(number);
                        assert_ne!(number, 1, "one does not please");
                    })
                    .unwrap();
            }
            handle.post(move || sender.send(()).unwrap()).unwrap();
            receiver.await.unwrap();
            settle().await;
        });
        assert_eq!(log.take(), [0, 1, 2]);
        let told = told.take();
        assert_eq!(told.len(), 1);
        assert_says(&told[0], &["\"post\"", "one does not please"]);
    });
}

/// Goal: functions are called at their time, in the order of their times, and not at all if cancelled.
#[tenter::test]
async fn a85_later_functions_are_called_at_their_time() {
    let (log, handle, began) = (Log::new(), Handle::current(), now());
    let at = |seconds: u64| {
        let log = log.clone();
        let call = move || log.add((seconds, now().duration_since(began).as_secs()));
        handle.call_later(Duration::from_secs(seconds), call)
    };
    let (third, first, second) = (at(3), at(1), at(2));
    assert_eq!(second.when(), began + Duration::from_secs(2));
    sleep(Duration::from_millis(1_500)).await;
    assert!(first.is_finished() && !third.is_finished());
    assert!(!first.cancel(), "it was called");
    assert!(second.cancel() && second.is_cancelled() && !second.cancel());
    sleep(Duration::from_secs(10)).await;
    assert_eq!(log.take(), [(1, 1), (3, 3)]);
    drop(third);
}

/// Goal: cancelled when it is due already, but not called yet, it is not called.
#[tenter::test]
async fn a85_a_function_that_is_due_may_still_be_cancelled() {
    let called = Count::new();
    let dropped = Count::new();
    let timer = {
        let (called, guard) = (called.clone(), dropped.on_drop());
        Handle::current().call_at(now() + Duration::from_secs(1), move || {
            let _guard = guard;
            called.add();
        })
    };
    // Armed later for the same time, and so woken after it, or before: both are ready at once.
    yield_now().await;
    let at_once = Handle::current().call_at(now() + Duration::from_millis(999), {
        let timer = timer.clone();
        move || assert!(timer.cancel())
    });
    sleep(Duration::from_secs(2)).await;
    assert!(timer.is_cancelled() && timer.is_finished() && at_once.is_finished());
    assert_eq!((called.get(), dropped.get()), (0, 1));
}

/// Goal: it works from destructors, in the middle of the runtime's own work.
#[test]
fn x22_a_destructor_may_post() {
    every(|builder| {
        build(builder).block_on(async {
            let (sender, receiver) = oneshot();
            let (handle, mut sender) = (Handle::current(), Some(sender));
            let task = spawn(async move {
                let _late = OnDrop(move || {
                    let sender = sender.take().unwrap();
                    handle.post(move || sender.send(7).unwrap()).unwrap();
                });
                std::future::pending::<()>().await;
            });
            settle().await;
            assert!(task.cancel_and_wait().await.is_err());
            assert_eq!(receiver.await.unwrap(), 7);
        });
    });
}
