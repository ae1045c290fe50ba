//! `run` and `block_on`: who drives, who waits, who may not, and what a thread has entered.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order. Texts of errors: `errors.rs`.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::future::{pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{Builder, NestedRuntime, spawn};
use tenter_tests::support::{
    Count, Log, Meeting, OnDrop, Slot, assert_says, both, build, ends, every, panic_of, settle,
    thread,
};

/// Goal: the main future may borrow from the stack and need not be `Send`.
#[test]
fn the_main_future_may_borrow() {
    every(|builder| {
        let mut numbers = vec![std::rc::Rc::new(1)];
        let length = build(builder).block_on(async {
            numbers.push(std::rc::Rc::new(2));
            settle().await;
            numbers.push(std::rc::Rc::new(3));
            numbers.len()
        });
        assert_eq!((length, numbers.len()), (3, 3));
    });
}

/// Goal: tasks run in `block_on` only, and go on in the next one.
#[test]
fn tasks_go_on_in_the_next_block_on() {
    both(|builder| {
        let runtime = build(builder);
        let steps = Count::new();
        let task = runtime.spawn({
            let steps = steps.clone();
            async move {
                for _ in 0..10 {
                    steps.add();
                    yield_now().await;
                }
            }
        });
        assert_eq!(steps.get(), 0);
        for round in 1..5 {
            runtime.block_on(yield_now());
            assert_eq!(steps.get(), 2 * round, "before and after main yields");
        }
        runtime.block_on(task).expect("no panic");
        assert_eq!(steps.get(), 10);
    });
}

/// Goal: each way to block inside a task is refused, with both places, and does no harm.
#[test]
fn blocking_inside_a_task_is_refused() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let other = build(Builder::current_thread());
        let outer = line!() + 1;
        runtime.block_on(async {
            let outer = format!("block_on.rs:{outer}:");
            let refused = [
                ("Runtime::block_on", panic_of(|| runtime.block_on(async {}))),
                ("Runtime::block_on", panic_of(|| other.block_on(async {}))),
                (
                    "Handle::block_on",
                    panic_of(|| other.handle().block_on(async {})),
                ),
                ("tenter::run", panic_of(|| tenter::run(async {}))),
            ];
            for (what, message) in refused {
                assert_says(&message, &[what, &outer, "`.await`", "thread of its own"]);
                assert_eq!(message.matches("tests/tests/block_on.rs:").count(), 2);
            }
            let nested = |result: Result<(), NestedRuntime>| {
                assert_says(
                    &result.expect_err("it is nested").to_string(),
                    &["block_on", &outer],
                );
            };
            nested(runtime.try_block_on(async {}));
            nested(runtime.handle().try_block_on(async {}));
            let task = spawn({
                let other = Arc::clone(&runtime);
                async move { other.try_block_on(async {}).is_err() }
            });
            assert!(task.await.expect("no panic"));
        });
        assert_eq!(other.block_on(async { 1 }), 1);
        assert!(runtime.try_block_on(async {}).is_ok());
    });
}

/// Goal: a thread that waits without driving is in a `block_on` like any other.
#[test]
fn blocking_inside_a_future_that_waits_is_refused() {
    every(|builder| {
        let runtime = build(builder);
        let line = line!() + 1;
        runtime.handle().block_on(async {
            let message = panic_of(|| tenter::run(async {}));
            assert_says(&message, &["tenter::run", &format!("block_on.rs:{line}")]);
        });
        assert_eq!(tenter::run(async { 2 }), 2);
    });
}

/// Goal: the future that `try_block_on` refuses is dropped unpolled.
#[test]
fn a_refused_future_is_dropped_unpolled() {
    every(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let (polled, dropped) = (Count::new(), Count::new());
            let (poll, guard) = (polled.clone(), dropped.on_drop());
            let refused = runtime.try_block_on(async move {
                let _guard = guard;
                poll.add();
            });
            assert!(refused.is_err());
            assert_eq!((polled.get(), dropped.get()), (0, 1));
        });
    });
}

/// Goal: `Handle::block_on` runs its future and none of the runtime's tasks.
#[test]
fn a_handle_drives_nothing() {
    both(|builder| {
        let runtime = build(builder);
        let ran = Count::new();
        let handle = runtime.handle().clone();
        let task = thread({
            let ran = ran.clone();
            move || {
                handle.block_on(async {
                    // In the runtime all the same: `spawn` knows where.
                    let task = spawn(async move { ran.add() });
                    yield_now().await;
                    task
                })
            }
        })
        .join();
        assert_eq!(ran.get(), 0);
        assert!(!task.is_finished());
        runtime.block_on(task).expect("no panic");
        assert_eq!(ran.get(), 1);
    });
}

/// Goal: `Handle::block_on` waits for a task that another thread runs.
#[test]
fn a_handle_waits_for_what_others_drive() {
    every(|builder| {
        let runtime = build(builder);
        let (give, value) = oneshot();
        let (done, waits) = oneshot();
        let handle = runtime.handle().clone();
        let other = thread(move || {
            let sum = handle.block_on(async move {
                let task = spawn(async move { 1 + value.await.expect("it is sent") });
                task.await.expect("no panic")
            });
            done.send(sum).expect("main waits");
        });
        let sum = runtime.block_on(async {
            give.send(41).expect("the task waits");
            waits.await
        });
        assert_eq!(sum, Ok(42));
        other.join();
    });
}

/// Goal: a second thread in `block_on` goes on with its own future, and is in the runtime.
/// Method: the first thread's future ends only when the second's has.
#[test]
fn a_second_thread_runs_its_own_future_meanwhile() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let (done, waits) = oneshot();
        let second = Arc::clone(&runtime);
        let mut started = None;
        let mut waits = pin!(waits);
        let mut second = Some((second, done));
        let sum = runtime.block_on(poll_fn(|cx| {
            if let Some((second, done)) = second.take() {
                // Started here, so the first thread drives already.
                started = Some(thread(move || {
                    let sum = second.block_on(async {
                        let task = spawn(async { 20 });
                        yield_now().await;
                        task.await.expect("the first thread runs it") + 1
                    });
                    done.send(sum).expect("the first waits");
                }));
            }
            waits.as_mut().poll(cx)
        }));
        assert_eq!(sum, Ok(21));
        started.expect("it was started").join();
    });
}

/// Goal: the thread that waits takes over when the one that drives leaves, and runs the tasks.
#[test]
fn a_waiting_thread_takes_over() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let (start, started) = oneshot::<()>();
        let (leave, left) = oneshot::<()>();
        let task = runtime.spawn(async move {
            left.await.expect("it is sent");
            settle().await;
            5
        });
        let waits = Slot::new();
        let second = thread({
            let (runtime, waits) = (Arc::clone(&runtime), waits.clone());
            move || {
                waits.take();
                let mut start = Some(start);
                let mut task = pin!(task);
                runtime.block_on(poll_fn(|cx| {
                    let polled = task.as_mut().poll(cx);
                    if let Some(start) = start.take() {
                        start.send(()).expect("the first waits");
                    }
                    polled
                }))
            }
        });
        runtime.block_on(async {
            waits.put(());
            started.await.expect("it is sent");
            leave.send(()).expect("the task waits");
        });
        assert_eq!(second.join().expect("no panic"), 5);
    });
}

/// Goal: a thread whose main future panics lets the next one drive.
#[test]
fn a_waiting_thread_takes_over_from_a_panic() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let task = runtime.spawn(async {
            settle().await;
            5
        });
        let (start, started) = oneshot::<()>();
        let waits = Slot::new();
        let second = thread({
            let (runtime, waits) = (Arc::clone(&runtime), waits.clone());
            move || {
                waits.take();
                let (mut start, mut task) = (Some(start), pin!(task));
                runtime.block_on(poll_fn(|cx| {
                    if let Some(start) = start.take() {
                        start.send(()).expect("the first waits");
                    }
                    task.as_mut().poll(cx)
                }))
            }
        });
        let message = panic_of(|| {
            runtime.block_on(async {
                waits.put(());
                started.await.expect("it is sent");
                panic!("main");
            });
        });
        assert_eq!(message, "main");
        assert_eq!(second.join().expect("no panic"), 5);
    });
}

/// Goal: many threads in `block_on` of one runtime all get their output, in whatever order they leave.
#[test]
fn many_threads_share_one_runtime() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 30;
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let meeting = Meeting::new(THREADS);
        let threads: Vec<_> = (0..THREADS)
            .map(|number| {
                let (runtime, meeting) = (Arc::clone(&runtime), Arc::clone(&meeting));
                thread(move || {
                    for round in 0..ROUNDS {
                        meeting.meet();
                        let output = runtime.block_on(async {
                            let task = spawn(async move {
                                yield_now().await;
                                number * ROUNDS + round
                            });
                            task.await.expect("no panic")
                        });
                        assert_eq!(output, number * ROUNDS + round);
                    }
                })
            })
            .collect();
        for thread in threads {
            thread.join();
        }
        assert_eq!(runtime.metrics().alive_tasks, 0);
    });
}

/// Goal: the hooks are called in order, once for each thing that happens.
#[test]
fn the_hooks_are_called_in_order() {
    both(|builder| {
        let log = Log::new();
        let say = |text| {
            let log = log.clone();
            move || log.add(text)
        };
        let runtime = build(
            builder
                .virtual_clock()
                .on_thread_start(say("start"))
                .on_thread_stop(say("stop"))
                .on_thread_park(say("park"))
                .on_thread_unpark(say("unpark")),
        );
        assert_eq!(log.take(), [""; 0]);
        for _ in 0..2 {
            runtime.block_on(async {
                log.add("main");
                tenter::time::sleep(Duration::from_secs(1)).await;
                log.add("woken");
            });
            let expected = ["start", "main", "park", "unpark", "woken", "stop"];
            assert_eq!(log.take(), expected);
        }
        assert_eq!(runtime.metrics().parks, 2);
    });
}

/// Goal: `run` makes a runtime, returns what main returns, and cancels and reaps the rest first.
#[test]
fn run_reaps_what_is_left() {
    ends("run", || {
        let (dropped, shared) = (Count::new(), Slot::new());
        let guard = dropped.on_drop();
        let output = tenter::run(async {
            shared.put(spawn(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
            yield_now().await;
            "output"
        });
        assert_eq!((output, dropped.get()), ("output", 1));
        let left = tenter_tests::support::foreign_block_on(shared.take());
        assert!(left.expect_err("it never ends").is_cancelled());
        assert!(tenter::Handle::try_current().is_err());
    });
}

/// Goal: a main future that panics, or that is dropped by a panic of the run loop, has destructors that
/// are in the runtime like those of any task.
/// Method: they spawn; the park hook panics in the second case.
#[test]
fn the_destructors_of_main_are_in_the_runtime() {
    both(|builder| {
        for main_panics in [true, false] {
            let spawned = Slot::new();
            let runtime = build(builder.clone().on_thread_park(move || {
                assert!(main_panics, "the park hook");
            }));
            let message = panic_of(|| {
                runtime.block_on(async {
                    let _spawns = OnDrop(|| spawned.put(spawn(async { 6 })));
                    assert!(!main_panics, "main");
                    pending::<()>().await;
                });
            });
            assert_says(
                &message,
                &[if main_panics {
                    "main"
                } else {
                    "on_thread_park"
                }],
            );
            if main_panics {
                let six = runtime.block_on(spawned.take());
                assert_eq!(six.expect("no panic"), 6);
            } else {
                drop(runtime);
                assert!(spawned.take().is_finished());
            }
        }
    });
}

/// Goal: a main future that ended by a panic leaves no task behind.
#[test]
fn a_main_future_that_unwinds_leaves_no_task() {
    both(|builder| {
        let armed = Count::new();
        let fuse = armed.clone();
        let runtime = build(builder.virtual_clock().on_thread_park(move || {
            assert!(fuse.add() > 0, "the first park");
        }));
        panic_of(|| runtime.block_on(pending::<()>()));
        runtime.block_on(async { tenter::time::sleep(Duration::from_secs(1)).await });
        assert_eq!(armed.get(), 2);
        assert_eq!(runtime.metrics().alive_tasks, 0);
        assert!(runtime.shutdown_timeout(Duration::ZERO).is_clean());
    });
}

/// Goal: the waker that the main future gets works after it has moved from waiting to driving.
/// Method: the second thread's future keeps its first waker; it is woken after it took over.
#[test]
fn wakers_survive_the_change_from_waiting_to_driving() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let (polls, first_waker) = (Count::new(), Slot::new());
        let (entered, leave) = (Slot::new(), Slot::<()>::new());
        let second = thread({
            let (runtime, polls, first_waker) =
                (Arc::clone(&runtime), polls.clone(), first_waker.clone());
            let entered = entered.clone();
            move || {
                entered.take();
                runtime.block_on(poll_fn(|cx| {
                    match polls.add() {
                        0 => first_waker.put(cx.waker().clone()),
                        1 => leave.put(()),
                        _ => {}
                    }
                    if leave.take_within(Duration::ZERO).is_some() || polls.get() >= 3 {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                }));
            }
        });
        let waker = runtime.block_on(async {
            entered.put(());
            first_waker.take()
        });
        // The second thread drives now, or will; the waker that it got while it waited is woken.
        waker.wake();
        second.join();
    });
}

/// Goal: a future that was polled by a thread that waits finds its timers when that thread drives.
#[test]
fn timers_survive_the_change_from_waiting_to_driving() {
    both(|builder| {
        let runtime = Arc::new(build(builder.virtual_clock()));
        let (entered, polled) = (Slot::new(), Slot::new());
        let second = thread({
            let (runtime, entered, polled) =
                (Arc::clone(&runtime), entered.clone(), polled.clone());
            move || {
                entered.take();
                runtime.block_on(async {
                    let start = tenter::time::now();
                    let mut sleep = Box::pin(tenter::time::sleep(Duration::from_secs(60)));
                    poll_fn(|cx| {
                        assert!(Pin::new(&mut sleep).poll(cx).is_pending());
                        Poll::Ready(())
                    })
                    .await;
                    polled.put(());
                    sleep.await;
                    tenter::time::now().duration_since(start)
                })
            }
        });
        runtime.block_on(async {
            entered.put(());
            polled.take();
        });
        assert_eq!(second.join(), Duration::from_secs(60));
    });
}
