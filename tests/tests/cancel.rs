//! Cancellation: what it does to a task and when, who hears of it, and what it loses (nothing).
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order. Shields: `shields.rs`; threads against each
//! other: `stress_runtime.rs`.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::sync::{Semaphore, oneshot};
use tenter::task::{self, yield_now};
use tenter::time::sleep;
use tenter::{CancelKind, CancelReason, JoinHandle, spawn};
use tenter_tests::support::{
    Count, Log, OnDrop, assert_says, both, build, every, one_thread, panic_of, settle, thread,
};

fn kind(ended: &Result<impl Sized, tenter::JoinError>) -> Option<CancelKind> {
    ended.as_ref().err()?.reason().map(CancelReason::kind)
}

/// Goal: a sleeping task ends when it is cancelled; a second request is not needed and says so.
#[test]
fn a_sleeping_task_ends_and_the_second_request_is_refused() {
    every(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let dropped = Count::new();
            let guard = dropped.on_drop();
            let task = spawn(async move {
                let _guard = guard;
                sleep(Duration::from_secs(3_600)).await;
            });
            settle().await;
            assert_eq!(runtime.metrics().armed_timers, 1);
            assert!(task.cancel());
            assert!(!task.cancel());
            if one_thread() {
                assert!(!task.is_finished(), "it ends when it is its turn");
            }
            let ended = task.await;
            assert_eq!(kind(&ended), Some(CancelKind::Requested));
            assert_eq!(dropped.get(), 1);
            assert_eq!(runtime.metrics().armed_timers, 0);
        });
    });
}

/// Goal: a task that is cancelled before its first poll never runs, and what it holds is dropped.
/// Method: spawned on the driving thread, and on another.
#[test]
fn a_task_cancelled_before_its_first_poll_never_runs() {
    both(|builder| {
        let runtime = build(builder);
        let (ran, dropped) = (Count::new(), Count::new());
        let task = || {
            let (ran, guard) = (ran.clone(), dropped.on_drop());
            async move {
                let _guard = guard;
                ran.add();
            }
        };
        runtime.block_on(async {
            let here = spawn(task());
            assert!(here.cancel());
            assert_eq!(kind(&here.await), Some(CancelKind::Requested));

            let (handle, future) = (runtime.handle().clone(), task());
            let there = thread(move || {
                let task = handle.spawn(future);
                assert!(task.cancel());
                task
            })
            .join();
            assert_eq!(kind(&there.await), Some(CancelKind::Requested));
        });
        assert_eq!((ran.get(), dropped.get()), (0, 2));
    });
}

/// Goal: a task that cancels itself ends at its next suspension.
#[test]
fn a_task_that_cancels_itself_ends_when_it_suspends() {
    every(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let (give, me) = oneshot::<tenter::Canceller>();
            let task = spawn({
                let log = log.clone();
                async move {
                    let me = me.await.expect("it is sent");
                    assert!(me.cancel());
                    log.add("cancelled");
                    yield_now().await;
                    log.add("resumed");
                }
            });
            give.send(task.canceller()).expect("it waits");
            assert_eq!(kind(&task.await), Some(CancelKind::Requested));
            assert_eq!(log.take(), ["cancelled"]);
        });
    });
}

/// Goal: a task that is ready without another suspension keeps its output, cancelled or not.
#[test]
fn readiness_beats_cancellation_by_the_task_itself() {
    every(|builder| {
        build(builder).block_on(async {
            let (give, me) = oneshot::<tenter::Canceller>();
            let task = spawn(async move {
                assert!(me.await.expect("it is sent").cancel());
                12
            });
            give.send(task.canceller()).expect("it waits");
            assert_eq!(task.await.expect("it was ready"), 12);
        });
    });
}

/// Goal: what was delivered is used: a value and a cancellation that arrive before the same poll, in
/// either order, make an output.
#[test]
fn readiness_beats_cancellation_from_outside() {
    both(|builder| {
        build(builder).block_on(async {
            for cancel_first in [false, true] {
                let (give, value) = oneshot();
                let task = spawn(async move { value.await.expect("it is sent") });
                yield_now().await;
                if cancel_first {
                    assert!(task.cancel());
                }
                give.send(7).expect("it waits");
                if !cancel_first {
                    assert!(task.cancel());
                }
                assert_eq!(task.await.expect("it was ready"), 7);
            }
        });
    });
}

/// Goal: a task that was woken and cancelled is polled once more, then dropped.
#[test]
fn a_cancelled_task_is_polled_once_more() {
    both(|builder| {
        build(builder).block_on(async {
            let polls = Count::new();
            let task = spawn({
                let polls = polls.clone();
                poll_fn(move |cx| {
                    polls.add();
                    cx.waker().wake_by_ref();
                    Poll::<()>::Pending
                })
            });
            yield_now().await;
            assert_eq!(polls.get(), 1);
            task.cancel_and_wait().await.expect_err("it is never ready");
            assert_eq!(polls.get(), 2);
        });
    });
}

/// Goal: a task whose every wait is over at once can be cancelled: its budget makes it suspend.
#[test]
fn a_task_that_never_waits_can_be_cancelled() {
    every(|builder| {
        build(builder).block_on(async {
            let permits = Arc::new(Semaphore::new(1));
            let task = spawn({
                let permits = Arc::clone(&permits);
                async move {
                    loop {
                        drop(permits.acquire().await.expect("it is open"));
                    }
                }
            });
            yield_now().await;
            assert!(task.cancel());
            let ended: Result<std::convert::Infallible, _> = task.await;
            assert_eq!(kind(&ended), Some(CancelKind::Requested));
            assert_eq!(permits.available(), 1);
        });
    });
}

/// Goal: a cancelled wait did not happen: its place in the line, and what was kept for it, go on.
#[test]
fn a_cancelled_wait_gives_its_turn_to_the_next() {
    every(|builder| {
        build(builder).block_on(async {
            let permits = Arc::new(Semaphore::new(1));
            let held = permits.try_acquire().expect("it is free");
            let waiter = || {
                let permits = Arc::clone(&permits);
                spawn(async move {
                    let _permit = permits.acquire().await.expect("it is open");
                    task::id()
                })
            };
            let (first, second) = (waiter(), waiter());
            settle().await;
            assert!(first.cancel());
            drop(held);
            // Cancelled, and granted before its turn came: ready beats cancelled, or the permit moves on.
            let ended = first.await;
            let next = second.id();
            assert_eq!(second.await.expect("it is its turn"), next);
            assert!(ended.is_ok() || kind(&ended) == Some(CancelKind::Requested));
            assert_eq!(permits.available(), 1);
        });
    });
}

/// Goal: of several requests the first counts, with its reason.
#[test]
fn the_first_reason_stays() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(pending::<()>());
            settle().await;
            assert!(task.cancel_with("the first"));
            assert!(!task.cancel_with("the second"));
            assert!(!task.canceller().cancel());
            drop(task.canceller());
            let error = task.cancel_and_wait().await.expect_err("it is never ready");
            let reason = error.reason().expect("it was cancelled");
            assert_eq!(reason.message(), Some("the first"));
        });
    });
}

/// Goal: the reason tells who, why and where, before the first poll and after it, and is in the text
/// of the error, also as an `io::Error`.
#[test]
fn the_reason_is_in_the_error() {
    both(|builder| {
        build(builder).block_on(async {
            for started in [false, true] {
                let task = task::Builder::new().name("patient").spawn(pending::<()>());
                if started {
                    yield_now().await;
                }
                let line = line!() + 1;
                assert!(task.cancel_with(format!("no {}", "time")));
                let error = task.await.expect_err("it is never ready");
                assert!(error.is_cancelled() && !error.is_panic());
                let reason = error.reason().expect("it was cancelled").clone();
                assert_eq!(reason.kind(), CancelKind::Requested);
                assert_eq!(reason.message(), Some("no time"));
                assert_eq!(reason.by(), Some(task::id()));
                let at = reason.location().expect("a program asked");
                assert_eq!((at.line(), at.file().ends_with("cancel.rs")), (line, true));

                let by = format!("by task {}", task::id());
                let parts = [
                    "\"patient\"",
                    "spawned at",
                    "cancelled on request: no time",
                    &by,
                ];
                assert_says(&error.to_string(), &parts);
                let error = std::io::Error::from(error);
                assert_eq!(error.kind(), std::io::ErrorKind::Interrupted);
                let inner = error.get_ref().expect("it wraps the JoinError");
                assert_says(&inner.to_string(), &parts);
            }
        });
    });
}

/// Goal: each way to ask notes the place of the call.
#[test]
fn every_request_notes_its_place() {
    every(|builder| {
        let runtime = build(builder);
        let asked = |ask: fn(JoinHandle<()>) -> JoinHandle<()>| {
            let task = runtime.spawn(pending());
            let ended = runtime.block_on(ask(task));
            let error = ended.expect_err("it is never ready");
            let reason = error.reason().expect("it was cancelled");
            assert_eq!(reason.by(), None, "asked outside tasks");
            let at = reason.location().expect("a program asked");
            assert!(at.file().ends_with("cancel.rs"), "{at}");
            at.line()
        };
        let line = line!();
        let lines = [
            asked(|task| {
                task.cancel();
                task
            }),
            asked(|task| {
                task.cancel_with("a reason");
                task
            }),
            asked(|task| {
                task.canceller().cancel();
                task
            }),
            asked(|task| {
                task.canceller().cancel_with(String::from("a reason"));
                task
            }),
            asked(|task| task.cancel_and_wait()),
        ];
        assert_eq!(lines, [3, 7, 11, 15, 18].map(|offset| line + offset));
    });
}

/// Goal: a request to a task that has ended is refused, whoever makes it.
#[test]
fn a_task_that_has_ended_cannot_be_cancelled() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(async { 1 });
            let canceller = task.canceller();
            settle().await;
            assert!(task.is_finished() && canceller.is_finished());
            assert!(!task.cancel() && !task.cancel_with("late") && !canceller.cancel());
            assert_eq!(canceller.id(), task.id());
            assert_eq!(task.cancel_and_wait().await.expect("it was ready"), 1);
            assert!(!canceller.clone().cancel());
        });
    });
}

/// Goal: `cancel_and_wait` returns when the future is dropped, not before.
#[test]
fn cancel_and_wait_waits_for_the_destructors() {
    every(|builder| {
        build(builder).block_on(async {
            let dropped = Count::new();
            let guard = dropped.on_drop();
            let task = spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            });
            settle().await;
            let waits = task.cancel_and_wait();
            if one_thread() {
                assert_eq!(dropped.get(), 0);
            }
            let ended = waits.await;
            assert_eq!(
                (dropped.get(), kind(&ended)),
                (1, Some(CancelKind::Requested))
            );
        });
    });
}

/// Goal: an owner that is cancelled takes the tasks that it owns along.
/// Method: a chain of three, of which the outermost is cancelled while it runs.
#[test]
fn owned_tasks_are_cancelled_with_their_owner() {
    every(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let dropped = |name| {
                let log = log.clone();
                OnDrop(move || log.add(name))
            };
            let (a, b, c) = (dropped("a"), dropped("b"), dropped("c"));
            let outer = spawn(async move {
                let _a = a;
                let middle = spawn(async move {
                    let _b = b;
                    let inner = spawn(async move {
                        let _c = c;
                        pending::<()>().await;
                    });
                    inner.cancel_on_drop().await
                });
                middle.cancel_on_drop().await
            });
            for _ in 0..3 {
                settle().await;
            }
            let ended = outer.cancel_and_wait().await.map(drop);
            assert_eq!(kind(&ended), Some(CancelKind::Requested));
            for _ in 0..3 {
                settle().await;
            }
            let mut ends = log.take();
            if !one_thread() {
                // The owner asks before its own destructors have run, and others may be faster.
                ends.sort_unstable();
            }
            assert_eq!(ends, ["a", "b", "c"]);
        });
    });
}

/// Goal: a handle with a string attached is a handle: it derefs, can be awaited, and can be let go of.
#[test]
fn a_string_can_be_attached_to_a_handle_and_taken_off() {
    every(|builder| {
        build(builder).block_on(async {
            let owned = spawn(async { 5 }).cancel_on_drop();
            assert!(!one_thread() || !owned.is_finished());
            assert_eq!(owned.await.expect("nobody dropped it"), 5);

            let dropped = spawn(pending::<()>()).cancel_on_drop();
            let canceller = dropped.canceller();
            drop(dropped);
            assert!(!canceller.cancel(), "it was the second request");
            settle().await;
            assert!(canceller.is_finished());

            let freed = spawn(async { 6 }).cancel_on_drop().into_inner();
            assert_eq!(freed.await.expect("nobody dropped it"), 6);
        });
    });
}

/// Goal: the destructors that a cancellation runs are in the runtime: they may spawn and wake.
#[test]
fn destructors_may_use_the_runtime() {
    every(|builder| {
        build(builder).block_on(async {
            let (give, value) = oneshot();
            let mut give = Some(give);
            let spawns = OnDrop(move || {
                let give = give.take().expect("dropped once");
                drop(spawn(async move { give.send(3).expect("main waits") }));
            });
            let task = spawn(async move {
                let _spawns = spawns;
                pending::<()>().await;
            });
            settle().await;
            assert!(task.cancel());
            drop(task);
            assert_eq!(value.await, Ok(3));
        });
    });
}

/// Goal: the destructors of a task know whose they are, however it ends.
#[test]
fn destructors_know_their_task() {
    every(|builder| {
        let runtime = build(builder);
        let log = Log::new();
        let task = |waits: bool| {
            let log = log.clone();
            let notes = OnDrop(move || log.add(task::try_id()));
            runtime.spawn(async move {
                let _notes = notes;
                if waits {
                    pending::<()>().await;
                }
            })
        };
        let (ended, cancelled, unpolled, left) = (task(false), task(true), task(true), task(true));
        let ids = [&unpolled, &ended, &cancelled, &left].map(|task| Some(task.id()));
        assert!(unpolled.cancel());
        runtime.block_on(async {
            settle().await;
            cancelled
                .cancel_and_wait()
                .await
                .expect_err("it is never ready");
        });
        drop(runtime);
        let mut seen = log.take();
        seen.sort_unstable();
        assert_eq!(seen, {
            let mut ids = ids;
            ids.sort_unstable();
            ids
        });
    });
}

/// Goal: asking a cancelled task for its panic is a mistake that is named.
#[test]
fn a_cancelled_task_has_no_panic_to_give() {
    every(|builder| {
        build(builder).block_on(async {
            let task = task::Builder::new().name("calm").spawn(pending::<()>());
            let error = task.cancel_and_wait().await.expect_err("it never ran");
            let message = panic_of(|| error.into_panic());
            assert_says(&message, &["into_panic", "\"calm\"", "no panic"]);
        });
    });
}
