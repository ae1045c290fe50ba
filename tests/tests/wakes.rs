//! Wakers: from which thread, how late and how often a task may be woken, and what it costs.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order unless it says why not.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::cell::RefCell;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{Builder, Runtime, spawn};
use tenter_tests::support::hostile::{Act, waker_that};
use tenter_tests::support::{
    Count, GiveWaker, Log, OnDrop, Slot, both, build, ends, every, foreign_block_on, poll_with,
    settle, thread,
};

/// A runtime, and a slot that is filled when its thread is about to sleep.
fn tells_when_it_parks(builder: Builder) -> (Runtime, Slot<()>) {
    let parks = Slot::new();
    let hook = parks.clone();
    let runtime = builder.on_thread_park(move || hook.put(())).build();
    (runtime.expect("nothing is refused"), parks)
}

/// Goal: a wake from another thread reaches a runtime that sleeps.
/// Method: the other thread waits until the runtime is about to.
#[test]
fn another_thread_wakes_a_sleeping_runtime() {
    both(|builder| {
        let (runtime, parks) = tells_when_it_parks(builder);
        for _ in 0..20 {
            let given = Slot::<Waker>::new();
            let other = thread({
                let (given, parks) = (given.clone(), parks.clone());
                move || {
                    let waker = given.take();
                    parks.take();
                    waker.wake();
                }
            });
            runtime.block_on(GiveWaker::new(given));
            other.join();
            let _ = parks.take_within(Duration::ZERO);
        }
    });
}

/// Goal: a task that another thread spawns runs, also if the runtime sleeps, and its handle can be
/// awaited there on any executor.
#[test]
fn another_thread_spawns_on_a_sleeping_runtime() {
    every(|builder| {
        let (runtime, parks) = tells_when_it_parks(builder);
        let (stop, stopped) = oneshot::<()>();
        let handle = runtime.handle().clone();
        let other = thread(move || {
            parks.take();
            let task = handle.spawn(async {
                yield_now().await;
                42
            });
            let answer = foreign_block_on(task).expect("no panic");
            stop.send(()).expect("main waits");
            answer
        });
        runtime.block_on(stopped).expect("it is sent");
        assert_eq!(other.join(), 42);
        assert_eq!(runtime.metrics().remote_spawns, 1);
    });
}

/// Goal: tasks from other threads run in the order in which they were spawned there.
#[test]
fn tasks_from_another_thread_keep_their_order() {
    both(|builder| {
        let runtime = build(builder);
        let log = Log::new();
        thread({
            let (handle, log) = (runtime.handle().clone(), log.clone());
            move || {
                for number in 0..100 {
                    let log = log.clone();
                    drop(handle.spawn(async move { log.add(number) }));
                }
            }
        })
        .join();
        runtime.block_on(async {
            while runtime.metrics().completed_tasks < 100 {
                yield_now().await;
            }
        });
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    });
}

/// Goal: tasks that are always ready do not keep another thread's task from running.
/// Method: count the polls between its spawn and its run: a burst, and once through the line.
#[test]
fn a_busy_runtime_looks_after_other_threads() {
    both(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let polls = move || handle.metrics().polls;
        runtime.block_on(async {
            let stop = Arc::new(AtomicBool::new(false));
            for _ in 0..3 {
                let stop = Arc::clone(&stop);
                drop(spawn(async move {
                    while !stop.load(Ordering::Acquire) {
                        yield_now().await;
                    }
                }));
            }
            for _ in 0..50 {
                yield_now().await;
            }
            let (handle, now) = (runtime.handle().clone(), polls.clone());
            let task = thread(move || handle.spawn(async move { now() })).join();
            let before = polls();
            let ran = task.await.expect("no panic");
            stop.store(true, Ordering::Release);
            assert!(
                ran - before <= 64 + 4,
                "it waited for {} polls",
                ran - before
            );
        });
    });
}

/// Goal: tasks that are always ready do not keep timers from firing.
/// Only on `current_thread`: a virtual clock stands still while tasks are ready.
#[test]
fn a_busy_runtime_looks_after_its_timers() {
    ends("current_thread", || {
        let runtime = build(Builder::current_thread());
        runtime.block_on(async {
            let stop = Arc::new(AtomicBool::new(false));
            for _ in 0..3 {
                let stop = Arc::clone(&stop);
                drop(spawn(async move {
                    while !stop.load(Ordering::Acquire) {
                        yield_now().await;
                    }
                }));
            }
            tenter::time::sleep(Duration::from_micros(1)).await;
            stop.store(true, Ordering::Release);
        });
    });
}

/// Goal: an alarm of the poller that rings while the thread is busy is not taken for one that is still to
/// ring: the next sleep ends in time.
/// Method: a waiting thread sets the alarm, is woken before, looks at the poller while it is busy, and sleeps
/// again. Real time: half a second is what it takes to find out by other means.
#[test]
fn an_alarm_that_rings_in_a_busy_moment_is_set_again() {
    const NAP: Duration = Duration::from_millis(3);
    ends("current_thread", || {
        let (runtime, parks) = tells_when_it_parks(Builder::current_thread());
        let mut late = 0;
        runtime.block_on(async {
            let listener = tenter::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("loopback has a free port");
            drop(spawn(async move { listener.accept().await.is_ok() }));
            yield_now().await;
            for _ in 0..10 {
                let alarm = spawn(tenter::time::sleep(NAP));
                yield_now().await;
                let _ = parks.take_within(Duration::ZERO);
                let (give, woken) = oneshot();
                let other = thread({
                    let parks = parks.clone();
                    move || {
                        parks.take();
                        give.send(()).expect("main waits");
                    }
                });
                woken.await.expect("it is sent");
                other.join();
                while !alarm.is_finished() {
                    yield_now().await;
                }
                let start = std::time::Instant::now();
                tenter::time::sleep(NAP).await;
                late += usize::from(start.elapsed() > 50 * NAP);
            }
        });
        assert!(late <= 2, "{late} of 10 sleeps came much too late");
    });
}

/// A task that counts its polls and never ends, and its waker.
fn sleeper(polls: &Count) -> (tenter::JoinHandle<()>, Slot<Waker>) {
    let (polls, given) = (polls.clone(), Slot::new());
    let task = spawn({
        let given = given.clone();
        poll_fn(move |cx| {
            if polls.add() == 0 {
                given.put(cx.waker().clone());
            }
            Poll::Pending
        })
    });
    (task, given)
}

/// Goal: a million wakes before the next poll are one poll, from this thread and from another.
#[test]
fn a_million_wakes_are_one_poll() {
    const WAKES: usize = 1_000_000;
    both(|builder| {
        build(builder).block_on(async {
            let polls = Count::new();
            let (_task, given) = sleeper(&polls);
            yield_now().await;
            let waker = given.take();
            (0..WAKES).for_each(|_| waker.wake_by_ref());
            yield_now().await;
            assert_eq!(polls.get(), 2);

            // The thread is held here until all wakes have been made.
            thread(move || (0..WAKES).for_each(|_| waker.wake_by_ref())).join();
            while polls.get() < 3 {
                yield_now().await;
            }
            for _ in 0..200 {
                yield_now().await;
            }
            assert_eq!(polls.get(), 3);
        });
    });
}

/// Goal: a task that wakes itself at every poll lets the others run.
#[test]
fn a_task_that_wakes_itself_takes_turns() {
    both(|builder| {
        build(builder).block_on(async {
            let polls = Count::new();
            let selfish = spawn({
                let polls = polls.clone();
                poll_fn(move |cx| {
                    polls.add();
                    cx.waker().wake_by_ref();
                    Poll::<()>::Pending
                })
            });
            for turn in 1..300 {
                yield_now().await;
                assert_eq!(polls.get(), turn);
            }
            drop(selfish);
        });
    });
}

/// Goal: a waker outlives its task and does nothing then.
#[test]
fn a_wake_after_the_end_of_the_task_is_nothing() {
    every(|builder| {
        let runtime = build(builder);
        let given = Slot::new();
        runtime.block_on(async {
            let task = spawn(GiveWaker::new(given.clone()));
            settle().await;
            let waker = given.take();
            waker.wake_by_ref();
            task.await.expect("no panic");
            settle().await;
            let polls = runtime.metrics().polls;
            for _ in 0..10 {
                let clone = waker.clone();
                waker.wake_by_ref();
                clone.wake();
            }
            thread(move || waker.wake()).join();
            settle().await;
            // No more than main's own poll, or that of the task which it waits for.
            assert_eq!(runtime.metrics().polls - polls, 1);
        });
    });
}

/// Goal: wakers, handles and cancellers outlive the runtime and do nothing then.
#[test]
fn a_wake_after_the_end_of_the_runtime_is_nothing() {
    every(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        let given = Slot::new();
        let task = runtime.block_on(async {
            let (guard, give) = (dropped.on_drop(), GiveWaker::new(given.clone()));
            let task = spawn(async move {
                let _guard = guard;
                give.await;
            });
            settle().await;
            task
        });
        let waker = given.take();
        drop(runtime);
        assert_eq!(dropped.get(), 1);
        waker.wake_by_ref();
        let clone = waker.clone();
        thread(move || clone.wake()).join();
        assert!(task.is_finished());
        assert!(!task.cancel() && !task.canceller().cancel());
        let ended = foreign_block_on(task).expect_err("the runtime is gone");
        assert_eq!(
            ended.reason().map(tenter::CancelReason::kind),
            Some(tenter::CancelKind::Shutdown)
        );
        waker.wake();
    });
}

thread_local! {
    static AT_THE_END: RefCell<Vec<Box<dyn FnOnce()>>> = const { RefCell::new(Vec::new()) };
}

/// Runs `body` when the calling thread drops its thread-locals.
fn at_thread_end(body: impl FnOnce() + 'static) {
    let mut body = Some(body);
    let call = OnDrop(move || {
        if let Some(body) = body.take() {
            body();
        }
    });
    AT_THE_END.with(|list| list.borrow_mut().push(Box::new(move || drop(call))));
}

/// Goal: a thread that is going away may still wake, spawn, cancel and let go of a handle.
/// Method: do so in the destructor of a thread-local, on a thread that had used the runtime and on
/// one that had not.
#[test]
fn a_dying_thread_wakes_and_spawns() {
    every(|builder| {
        for entered_before in [false, true] {
            let runtime = build(builder.clone());
            let given = Slot::new();
            let (victim, detached) = runtime.block_on(async {
                (
                    spawn(std::future::pending::<()>()),
                    spawn(std::future::pending::<()>()),
                )
            });
            let (give, taken) = oneshot();
            let dying = std::thread::spawn({
                let (handle, given) = (runtime.handle().clone(), given.clone());
                let canceller = victim.canceller();
                move || {
                    at_thread_end(move || {
                        let waker: Waker = given.take();
                        drop(detached);
                        assert!(canceller.cancel());
                        drop(handle.spawn(async move { give.send(7).expect("main waits") }));
                        waker.wake();
                    });
                    if entered_before {
                        let handle = tenter::Handle::try_current();
                        assert!(handle.is_err());
                    }
                }
            });
            runtime.block_on(async {
                GiveWaker::new(given).await;
                assert_eq!(taken.await, Ok(7));
                victim.await.expect_err("it was cancelled");
            });
            dying.join().expect("no panic");
        }
    });
}

/// Goal: a runtime kept in a thread-local ends with its thread, quietly, and drops its tasks.
/// Method: the runtime is older than what tenter keeps in thread-locals, so it is dropped later.
#[test]
fn a_runtime_in_a_thread_local_ends_with_its_thread() {
    thread_local! {
        static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    every(|builder| {
        let dropped = Count::new();
        let guard = dropped.on_drop();
        std::thread::spawn(move || {
            RUNTIME.with(|place| {
                let runtime = build(builder);
                runtime.block_on(async {
                    drop(spawn(async move {
                        let _guard = guard;
                        std::future::pending::<()>().await;
                    }));
                    yield_now().await;
                });
                *place.borrow_mut() = Some(runtime);
            });
        })
        .join()
        .expect("no panic");
        assert_eq!(dropped.get(), 1);
    });
}

/// Goal: a handle may be polled with another waker each time: the last one is woken, once, and the
/// others are let go of.
#[test]
fn the_last_waker_of_a_joiner_is_the_one_that_is_woken() {
    every(|builder| {
        build(builder).block_on(async {
            let wakers: Vec<_> = (0..3).map(|_| waker_that(Act::Clone, || ())).collect();
            let (go, gate) = oneshot();
            let mut task = spawn(gate);
            for turn in [0, 1, 1, 2, 0, 2] {
                assert!(poll_with(&wakers[turn].0, &mut task).is_pending());
                let alive: Vec<_> = wakers.iter().map(|(_, seen)| seen.alive()).collect();
                let expected: Vec<_> = (0..3)
                    .map(|number| 1 + usize::from(number == turn))
                    .collect();
                assert_eq!(alive, expected);
            }
            go.send(()).expect("the task waits");
            settle().await;
            assert!(task.is_finished());
            let wakes: Vec<_> = wakers.iter().map(|(_, seen)| seen.wakes()).collect();
            assert_eq!(wakes, [0, 0, 1]);
            assert!(wakers.iter().all(|(_, seen)| seen.alive() == 1));
            assert_eq!(task.await.expect("no panic"), Ok(()));
        });
    });
}

/// Goal: a handle that is dropped lets go of the waker that it had registered.
#[test]
fn a_dropped_handle_lets_go_of_its_waker() {
    every(|builder| {
        build(builder).block_on(async {
            let (waker, seen) = waker_that(Act::Clone, || ());
            let mut task = spawn(std::future::pending::<()>());
            assert!(poll_with(&waker, &mut task).is_pending());
            assert_eq!(seen.alive(), 2);
            drop(task);
            assert_eq!((seen.alive(), seen.wakes()), (1, 0));
        });
    });
}

/// Goal: a task may be waited for on another thread's executor.
#[test]
fn a_foreign_executor_waits_for_a_task() {
    every(|builder| {
        build(builder).block_on(async {
            for rounds in 0..50 {
                let task = spawn(async move {
                    for _ in 0..rounds {
                        yield_now().await;
                    }
                    rounds
                });
                let (give, joined) = oneshot();
                let other = thread(move || {
                    let output = foreign_block_on(task).expect("no panic");
                    give.send(output).expect("main waits");
                });
                assert_eq!(joined.await, Ok(rounds));
                other.join();
            }
        });
    });
}

/// Goal: wakers are cloned and dropped by the hundred thousand, on several threads and while the
/// task ends, and the task is freed once. AddressSanitizer watches the second half.
#[test]
fn storms_of_clones_keep_the_count_right() {
    const CLONES: usize = 50_000;
    every(|builder| {
        build(builder).block_on(async {
            let given = Slot::new();
            let task = spawn(GiveWaker::new(given.clone()));
            settle().await;
            let waker: Waker = given.take();
            let threads: Vec<_> = (0..4)
                .map(|_| {
                    let waker = waker.clone();
                    thread(move || {
                        let clones: Vec<_> = (0..CLONES).map(|_| waker.clone()).collect();
                        for (number, clone) in clones.into_iter().enumerate() {
                            if number % 100 == 0 {
                                clone.wake();
                            }
                        }
                    })
                })
                .collect();
            drop(waker);
            task.await.expect("no panic");
            for thread in threads {
                thread.join();
            }
        });
    });
}
