//! Tasks: the order in which they run, what a handle tells, and how often they are polled.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order. Wakes: `wakes.rs`; threads: `owners.rs`.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use tenter::task::{self, unconstrained, yield_now};
use tenter::{JoinHandle, spawn, spawn_local};
use tenter_tests::support::{
    Count, Log, assert_says, both, build, every, never, panic_of, poll_once, settle, text_of,
};

/// Goal: ready tasks run first in, first out.
/// Method: each of a hundred logs its number.
#[test]
fn tasks_run_in_the_order_in_which_they_were_spawned() {
    both(|builder| {
        let log = Log::new();
        build(builder).block_on(async {
            for number in 0..100 {
                let log = log.clone();
                drop(spawn(async move { log.add(number) }));
            }
            yield_now().await;
        });
        assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    });
}

/// Goal: the main future has its place in the line like any task.
/// Method: it yields between spawns, and everybody logs.
#[test]
fn the_main_future_waits_for_its_turn() {
    both(|builder| {
        let log = Log::new();
        let say = |text| {
            let log = log.clone();
            async move { log.add(text) }
        };
        build(builder).block_on(async {
            drop(spawn(say("a")));
            drop(spawn(say("b")));
            log.add("main");
            yield_now().await;
            log.add("main again");
            drop(spawn(say("c")));
            yield_now().await;
            log.add("main at last");
        });
        let expected = ["main", "a", "b", "main again", "c", "main at last"];
        assert_eq!(log.take(), expected);
    });
}

/// Goal: a task that yields lets every other ready task run first.
/// Method: tasks that yield in turns never run twice in a row, over more rounds than a burst has.
#[test]
fn tasks_that_yield_take_turns() {
    const TASKS: usize = 7;
    const ROUNDS: usize = 100;
    both(|builder| {
        let log = Log::new();
        build(builder).block_on(async {
            let tasks: Vec<_> = (0..TASKS)
                .map(|number| {
                    let log = log.clone();
                    spawn(async move {
                        for _ in 0..ROUNDS {
                            log.add(number);
                            yield_now().await;
                        }
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        let expected: Vec<_> = (0..TASKS).cycle().take(TASKS * ROUNDS).collect();
        assert_eq!(log.take(), expected);
    });
}

/// Goal: a task that is woken goes behind those that are ready.
/// Method: a task wakes a sleeper after it has spawned another task.
#[test]
fn a_woken_task_goes_to_the_end_of_the_line() {
    both(|builder| {
        let log = Log::new();
        build(builder).block_on(async {
            let (give, take) = tenter::sync::oneshot::<()>();
            let sleeper = spawn({
                let log = log.clone();
                async move {
                    take.await.expect("the value is sent");
                    log.add("woken");
                }
            });
            yield_now().await;
            let ready = spawn({
                let log = log.clone();
                async move { log.add("ready") }
            });
            give.send(()).expect("the receiver waits");
            ready.await.expect("no panic");
            sleeper.await.expect("no panic");
        });
        assert_eq!(log.take(), ["ready", "woken"]);
    });
}

/// Goal: a handle yields the output, whether the task ends before or after it is awaited.
#[test]
fn a_handle_yields_the_output() {
    every(|builder| {
        build(builder).block_on(async {
            let early = spawn(async { 1 });
            settle().await;
            assert!(early.is_finished());
            assert_eq!(early.await.expect("no panic"), 1);

            let (go, gate) = tenter::sync::oneshot();
            let late = spawn(async {
                gate.await.expect("it is sent");
                "late".to_owned()
            });
            assert!(!late.is_finished());
            go.send(()).expect("the task waits");
            assert_eq!(late.await.expect("no panic"), "late");
        });
    });
}

/// Goal: a handle that is dropped detaches its task, which runs on and drops its own output.
#[test]
fn a_dropped_handle_detaches_the_task() {
    every(|builder| {
        let (ran, outputs) = (Count::new(), Count::new());
        build(builder).block_on(async {
            let task = |rounds| {
                let (ran, output) = (ran.clone(), outputs.on_drop());
                async move {
                    for _ in 0..rounds {
                        yield_now().await;
                    }
                    ran.add();
                    output
                }
            };
            drop(spawn(task(0)));
            let polled = spawn(task(2));
            settle().await;
            drop(polled);
            let ended = spawn(task(0));
            for _ in 0..4 {
                settle().await;
            }
            assert_eq!((ran.get(), outputs.get()), (3, 2));
            drop(ended);
        });
        assert_eq!(outputs.get(), 3);
    });
}

/// Goal: a handle knows the task's number and name, and so does the task itself.
#[test]
fn a_task_knows_who_it_is() {
    both(|builder| {
        assert_eq!(task::try_id(), None);
        build(builder).block_on(async {
            let named = task::Builder::new().name("reader").spawn(async {
                let before = task::id();
                yield_now().await;
                (before, task::id())
            });
            let (id, name) = (named.id(), named.name());
            assert_eq!(name.as_deref(), Some("reader"));
            assert_eq!(named.await.expect("no panic"), (id, id));
            assert_ne!(task::id(), id);

            let plain = spawn(async {});
            assert_eq!(plain.name(), None);
            plain.await.expect("no panic");
        });
        assert_eq!(task::try_id(), None);
    });
}

/// Goal: outside a task, `task::id` says where it was called and what to do.
#[test]
fn the_number_of_no_task_is_asked_for_in_vain() {
    let message = panic_of(|| {
        let _number = task::id();
    });
    assert_says(
        &message,
        &["task::id", "tasks.rs", "outside a task", "try_id"],
    );
}

/// Goal: polling a handle after it was ready is a mistake that is named.
#[test]
fn a_handle_polled_after_it_was_ready_panics() {
    every(|builder| {
        build(builder).block_on(async {
            let mut handle = task::Builder::new().name("once").spawn(async {});
            (&mut handle).await.expect("no panic");
            let message = panic_of(|| poll_once(&mut handle));
            assert_says(&message, &["JoinHandle", "\"once\"", "after it was ready"]);
        });
    });
}

/// Goal: a task is polled once for each time that it asks for it, no more.
/// Method: count the polls of a sleeper while others come and go.
#[test]
fn a_task_that_was_not_woken_is_not_polled() {
    every(|builder| {
        let polls = Count::new();
        build(builder).block_on(async {
            drop(spawn({
                let polls = polls.clone();
                poll_fn(move |_| {
                    polls.add();
                    Poll::<()>::Pending
                })
            }));
            for _ in 0..200 {
                spawn(yield_now()).await.expect("no panic");
            }
            settle().await;
        });
        assert_eq!(polls.get(), 1);
    });
}

/// Goal: a task that begins to yield and then ends leaves nothing behind for the next one.
/// Method: a combinator polls a yield once and is ready; the sleeper that runs next is not requeued.
#[test]
fn a_yield_that_is_not_waited_for_ends_with_its_task() {
    every(|builder| {
        let polls = Count::new();
        build(builder).block_on(async {
            drop(spawn(poll_fn(|cx| {
                let mut begun = yield_now();
                assert!(Pin::new(&mut begun).poll(cx).is_pending());
                Poll::Ready(())
            })));
            drop(spawn({
                let polls = polls.clone();
                poll_fn(move |_| {
                    polls.add();
                    Poll::<()>::Pending
                })
            }));
            for _ in 0..3 {
                settle().await;
            }
        });
        assert_eq!(polls.get(), 1);
    });
}

/// Goal: a yield under a waker that is not the task's own wakes that waker.
/// Method: a combinator that polls a member only when the member's waker was woken.
#[test]
fn a_yield_inside_a_combinator_wakes_the_combinators_waker() {
    every(|builder| {
        build(builder).block_on(async {
            let (waker, wakes) = tenter_tests::support::CountWakes::waker();
            let mut member = yield_now();
            let mut cx = Context::from_waker(&waker);
            assert!(Pin::new(&mut member).poll(&mut cx).is_pending());
            assert_eq!(wakes.get(), 1);
            assert!(Pin::new(&mut member).poll(&mut cx).is_ready());
        });
    });
}

/// Awaits finished tasks without end, and counts.
async fn never_waits(handles: Vec<JoinHandle<()>>, done: Count) {
    for handle in handles {
        handle.await.expect("no panic");
        done.add();
    }
}

async fn finished_tasks(count: usize) -> Vec<JoinHandle<()>> {
    let handles: Vec<_> = (0..count).map(|_| spawn(async {})).collect();
    yield_now().await;
    assert!(handles.iter().all(JoinHandle::is_finished));
    handles
}

/// Goal: a task whose every wait is over at once lets others run all the same, and loses nothing.
/// Method: count what it gets done between two turns of another task: the budget, 128.
#[test]
fn a_task_that_never_waits_is_made_to_yield() {
    both(|builder| {
        build(builder).block_on(async {
            let done = Count::new();
            let handles = finished_tasks(1_000).await;
            let busy = spawn(never_waits(handles, done.clone()));
            let mut turns = Vec::new();
            while !busy.is_finished() {
                yield_now().await;
                turns.push(done.get());
            }
            busy.await.expect("no panic");
            let steps: Vec<_> = turns.windows(2).map(|pair| pair[1] - pair[0]).collect();
            assert_eq!(done.get(), 1_000);
            assert_eq!(turns[0], 128);
            assert!(steps.iter().all(|&step| step <= 128), "{steps:?}");
        });
    });
}

/// Goal: `unconstrained` lifts the budget, for its future only.
#[test]
fn an_unconstrained_task_is_not_made_to_yield() {
    both(|builder| {
        build(builder).block_on(async {
            let done = Count::new();
            let handles = finished_tasks(1_000).await;
            let busy = spawn(unconstrained(never_waits(handles, done.clone())));
            yield_now().await;
            assert_eq!(done.get(), 1_000);
            busy.await.expect("no panic");
        });
    });
}

/// Goal: what is not `Send` can be spawned on the thread that drives, and shared by its tasks.
#[test]
fn local_tasks_share_what_is_not_send() {
    both(|builder| {
        build(builder).block_on(async {
            let sum = Rc::new(std::cell::Cell::new(0));
            let tasks: Vec<_> = (1..=10)
                .map(|number| {
                    let sum = Rc::clone(&sum);
                    spawn_local(async move {
                        yield_now().await;
                        sum.set(sum.get() + number);
                        sum
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
            assert_eq!(sum.get(), 55);
            assert_eq!(Rc::strong_count(&sum), 1);
        });
    });
}

/// Goal: a panic ends its task alone, and the joiner gets it with the names of task and place.
#[test]
fn a_panic_reaches_the_joiner_and_nobody_else() {
    every(|builder| {
        build(builder).block_on(async {
            let other = spawn(async {
                yield_now().await;
                7
            });
            let line = line!() + 1;
            let bad = task::Builder::new().name("bad").spawn(async {
                panic!("on {}", "purpose");
            });
            let error: tenter::JoinError = bad.await.expect_err("it panicked");
            assert!(error.is_panic() && !error.is_cancelled() && error.reason().is_none());
            let place = format!("tests/tasks.rs:{line}");
            assert_says(
                &error.to_string(),
                &["\"bad\"", &place, "panicked: on purpose"],
            );
            assert_eq!(text_of(&*error.into_panic()), "on purpose");
            assert_eq!(other.await.expect("no panic"), 7);
        });
    });
}

/// Goal: numbers of tasks are never used twice, whichever thread spawns.
/// Method: three threads and the driving one spawn more than a block of numbers each.
#[test]
fn numbers_are_unique_across_threads() {
    every(|builder| {
        let runtime = build(builder);
        let threads: Vec<_> = (0..3)
            .map(|_| {
                let handle = runtime.handle().clone();
                tenter_tests::support::thread(move || {
                    (0..1_500)
                        .map(|_| handle.spawn(async {}).id())
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        let mut ids = runtime
            .block_on(async { (0..1_500).map(|_| spawn(async {}).id()).collect::<Vec<_>>() });
        ids.extend(threads.into_iter().flat_map(|thread| thread.join()));
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), count), (6_000, 6_000));
    });
}

/// Goal: the counts of a runtime are exact when it is quiet.
#[test]
fn the_metrics_count_tasks_and_polls() {
    both(|builder| {
        let runtime = build(builder);
        let before = runtime.metrics();
        assert_eq!(
            (before.workers, before.spawned_tasks, before.polls),
            (1, 0, 0)
        );
        runtime.block_on(async {
            let ended: Vec<_> = (0..3).map(|_| spawn(yield_now())).collect();
            for task in ended {
                task.await.expect("no panic");
            }
            drop(spawn(never()));
            yield_now().await;
        });
        let after = runtime.metrics();
        assert_eq!(after.spawned_tasks, 1 + 3 + 1);
        assert_eq!(after.completed_tasks, 1 + 3);
        assert_eq!(after.alive_tasks, 1);
        assert_eq!(after.unobserved_failures, 0);
        let (handle, _) = (runtime.handle().clone(), drop(runtime));
        assert_eq!(handle.metrics().alive_tasks, 0);
    });
}

/// Goal: a future larger than a page is spawned, moved and dropped whole.
#[test]
fn a_large_future_is_a_task_like_any_other() {
    every(|builder| {
        let dropped = Count::new();
        build(builder).block_on(async {
            let (bytes, guard) = ([7_u8; 64 * 1024], dropped.on_drop());
            let task = spawn(async move {
                yield_now().await;
                let _guard = guard;
                bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>()
            });
            assert_eq!(task.await.expect("no panic"), 7 * 64 * 1024);
        });
        assert_eq!(dropped.get(), 1);
    });
}

/// Goal: a future that asks for an unusual alignment gets it.
#[test]
fn a_future_is_aligned_as_it_asks() {
    #[repr(align(512))]
    struct Aligned(u8);
    every(|builder| {
        build(builder).block_on(async {
            let aligned = Aligned(3);
            let task = spawn(async move {
                let aligned = &aligned;
                yield_now().await;
                (core::ptr::from_ref(aligned).addr() % 512, aligned.0)
            });
            assert_eq!(task.await.expect("no panic"), (0, 3));
        });
    });
}

/// Goal: the waker that a poll lends can be compared, as combinators do to spare a clone.
#[test]
fn the_waker_of_a_task_is_the_same_at_every_poll() {
    every(|builder| {
        build(builder).block_on(async {
            let mut seen: Option<Waker> = None;
            poll_fn(|cx| match &seen {
                None => {
                    seen = Some(cx.waker().clone());
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
                Some(first) => {
                    assert!(first.will_wake(cx.waker()));
                    Poll::Ready(())
                }
            })
            .await;
        });
    });
}
