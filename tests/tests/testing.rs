//! `tenter::testing`, and what a test can rely on: the clock, the order, and when nothing moves.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant as RealInstant};

use tenter::io::{AsyncReadExt, AsyncWriteExt};
use tenter::sync::{Event, Queue};
use tenter::task::yield_now;
use tenter::testing::{
    Sequencer, assert_checkpoints, assert_no_checkpoints, duplex, wait_all_tasks_blocked,
};
use tenter::time::{advance, now, sleep, timeout};
use tenter::{Builder, spawn, spawn_local};
use tenter_tests::support::{
    Count, Log, Slot, assert_says, both, build, ends, panic_of, poll_once, thread,
};

const SECOND: Duration = Duration::from_secs(1);

/// Goal: when it returns, every other task has got as far as it can.
/// Method: tasks that yield, wake each other and spawn more, and a chain of a hundred.
#[test]
fn x13_wait_all_tasks_blocked_is_ready_when_nobody_else_is() {
    both(|builder| {
        build(builder).block_on(async {
            let reached = Count::new();
            let never = Arc::new(Event::new());
            for yields in 0..10 {
                let (reached, never) = (reached.clone(), Arc::clone(&never));
                drop(spawn(async move {
                    for _ in 0..yields {
                        yield_now().await;
                    }
                    let more = reached.clone();
                    drop(spawn(async move { more.add() }));
                    never.wait().await;
                    reached.add();
                }));
            }
            let links: Vec<_> = (0..100).map(|_| Arc::new(Queue::bounded(1))).collect();
            for pair in links.windows(2) {
                let (from, to, reached) =
                    (Arc::clone(&pair[0]), Arc::clone(&pair[1]), reached.clone());
                drop(spawn(async move {
                    let item: u8 = from.get().await.expect("it is open");
                    reached.add();
                    to.put(item).await.expect("it is open");
                }));
            }
            links[0].put(1).await.expect("it is open");
            wait_all_tasks_blocked().await;
            assert_eq!(reached.get(), 10 + 99);
            never.set();
            wait_all_tasks_blocked().await;
            assert_eq!(reached.get(), 10 + 99 + 10);
        });
    });
}

/// Goal: several wait; all are told at the same moment, and each of them only when all others are blocked.
#[test]
fn x13_several_wait_and_are_told_together() {
    both(|builder| {
        let log = Log::new();
        build(builder).block_on(async {
            let tasks: Vec<_> = (0..3)
                .map(|number| {
                    let log = log.clone();
                    spawn(async move {
                        for _ in 0..number {
                            yield_now().await;
                        }
                        log.add((number, "waits"));
                        wait_all_tasks_blocked().await;
                        log.add((number, "told"));
                    })
                })
                .collect();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        let all = log.take();
        assert!(all[..3].iter().all(|(_, what)| *what == "waits"), "{all:?}");
        assert!(all[3..].iter().all(|(_, what)| *what == "told"), "{all:?}");
        assert_eq!(all.len(), 6);
    });
}

/// Goal: the shortest cushion comes first; it is real time, and what comes in meanwhile begins it anew.
#[test]
fn x13_a_cushion_is_real_time_without_a_move() {
    both(|builder| {
        let log = Log::new();
        build(builder).block_on(async {
            let millis = Duration::from_millis;
            let tasks: Vec<_> = [20, 5, 0]
                .map(|cushion| {
                    let log = log.clone();
                    spawn(async move {
                        let begun = RealInstant::now();
                        wait_all_tasks_blocked().cushion(millis(cushion)).await;
                        assert!(begun.elapsed() >= millis(cushion));
                        log.add(cushion);
                    })
                })
                .into();
            for task in tasks {
                task.await.expect("no panic");
            }
        });
        assert_eq!(log.take(), [0, 5, 20]);
    });
}

/// Goal: a cushion waits for another thread that goes on in the meantime.
#[test]
fn x13_a_cushion_sees_what_another_thread_does() {
    both(|builder| {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = build(builder.on_thread_park(move || hook.put(())));
        let handle = runtime.handle().clone();
        let done = Count::new();
        let other = thread({
            let done = done.clone();
            move || {
                parks.take(); // the run loop is idle, and waits for the cushion
                drop(handle.spawn(async move { done.add() }));
            }
        });
        runtime.block_on(wait_all_tasks_blocked().cushion(Duration::from_millis(200)));
        other.join();
        assert_eq!(done.get(), 1);
    });
}

/// Goal: a wait that is dropped leaves the line, and does not keep the clock.
#[test]
fn x13_a_wait_that_is_dropped_leaves_nothing() {
    both(|builder| {
        build(builder).block_on(async {
            let mut dropped = wait_all_tasks_blocked().cushion(3_600 * SECOND);
            assert!(poll_once(&mut dropped).is_pending());
            assert!(
                poll_once(&mut dropped).is_pending(),
                "also with another waker"
            );
            drop(dropped);
            wait_all_tasks_blocked().await;
            sleep(Duration::from_millis(1)).await;
        });
    });
}

/// Goal: what a socket has brought, and a timer that is due, come before "all are blocked".
#[test]
fn x13_due_timers_and_sockets_come_first() {
    both(|builder| {
        build(builder).block_on(async {
            let (mut here, mut there) = tenter::net::UnixStream::pair().expect("two sockets");
            let reader = spawn(async move {
                let mut byte = [0];
                there.read_exact(&mut byte).await.expect("it is written");
                byte
            });
            wait_all_tasks_blocked().await;
            assert!(!reader.is_finished());
            here.write_all(b"!").await.expect("room");
            wait_all_tasks_blocked().await;
            assert!(reader.is_finished());
        });
    });
    ends("current_thread", || {
        build(Builder::current_thread()).block_on(async {
            let timer = spawn(sleep(Duration::from_millis(1)));
            wait_all_tasks_blocked()
                .cushion(Duration::from_millis(50))
                .await;
            assert!(timer.is_finished());
        });
    });
}

/// Goal: another thread may wait for the tasks of a runtime.
#[test]
fn x13_another_thread_may_wait() {
    both(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let (give, told) = tenter::sync::oneshot();
        let other = thread(move || {
            handle.block_on(async { wait_all_tasks_blocked().await });
            give.send(()).expect("main waits");
        });
        assert_eq!(runtime.block_on(told), Ok(()));
        other.join();
    });
}

/// Goal: where it cannot be known it is refused, with what to do.
#[test]
fn x13_it_is_refused_with_many_workers_and_outside() {
    let message = panic_of(|| poll_once(&mut wait_all_tasks_blocked()));
    assert_says(&message, &["wait_all_tasks_blocked", "testing.rs:"]);
    ends("multi_thread", || {
        let runtime = build(Builder::multi_thread().workers(1));
        let message = panic_of(|| runtime.block_on(async { wait_all_tasks_blocked().await }));
        assert_says(&message, &["testing.rs:", "flavor = \"current_thread\""]);
    });
}

/// Goal: steps of several tasks come in the order of their numbers, whatever the order of the tasks.
#[tenter::test(seed = 3, schedules = 50)]
async fn x13_a_sequencer_orders_steps() {
    let order = Arc::new(Sequencer::new());
    let log = Log::new();
    let tasks: Vec<_> = [[4, 7], [0, 2], [3, 6], [1, 5]]
        .into_iter()
        .map(|steps| {
            let (order, log) = (Arc::clone(&order), log.clone());
            spawn(async move {
                for step in steps {
                    let turn = order.step(step).await;
                    log.add((step, "begins"));
                    yield_now().await;
                    sleep(SECOND).await;
                    log.add((turn.number(), "ends"));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    let expected: Vec<_> = (0..8)
        .flat_map(|step| [(step, "begins"), (step, "ends")])
        .collect();
    assert_eq!(log.take(), expected);
}

/// Goal: a step that is cancelled breaks the order, and who waits behind it is told where.
#[tenter::test]
async fn x13_a_cancelled_step_breaks_the_order() {
    let order = Arc::new(Sequencer::new());
    let behind = spawn({
        let order = Arc::clone(&order);
        async move { drop(order.step(2).await) }
    });
    wait_all_tasks_blocked().await;
    let late = timeout(SECOND, order.step(1)).await;
    assert!(late.is_err());
    let error = behind.await.expect_err("its turn cannot come");
    let text = error.into_panic();
    let text = text.downcast_ref::<String>().expect("a message");
    assert_says(text, &["step 2 of", "step 1, made at", "testing.rs:"]);
    assert!(format!("{order:?}").contains("broken: Some(1)"));
}

/// Goal: a step whose turn never comes says which one it is.
#[test]
fn x13_a_step_that_never_comes_is_named() {
    let report = ends("deterministic", || {
        let runtime = build(Builder::deterministic(0));
        panic_of(|| {
            runtime.block_on(async {
                let order = Sequencer::new();
                drop(order.step(7).await);
            });
        })
    });
    assert_says(&report, &["waits for its turn, step 7 of a Sequencer"]);
}

/// Goal: a number is one step.
#[tenter::test]
#[should_panic(expected = "step 0 of a Sequencer is made a second time")]
async fn x13_a_step_is_made_once() {
    let order = Sequencer::new();
    drop(order.step(0).await);
    drop(order.step(0).await);
}

/// Goal: a future that suspends passes the one check and fails the other; one that does not, the reverse.
#[tenter::test]
async fn x13_checkpoints_are_seen() {
    assert_checkpoints(sleep(SECOND)).await;
    assert_eq!(assert_no_checkpoints(async { 7 }).await, 7);
    let ready = spawn(async { assert_checkpoints(async { 7 }).await });
    let waits = spawn(async { assert_no_checkpoints(yield_now()).await });
    for (task, says) in [
        (ready.await.map(drop), "without a suspension"),
        (waits.await.map(drop), "was suspended"),
    ] {
        let payload = task.expect_err("it fails").into_panic();
        let text = payload.downcast_ref::<String>().expect("a message");
        assert_says(text, &[says, "testing.rs:"]);
    }
}

/// Goal: a pair of streams in memory, for a client and a server in one test.
#[tenter::test]
async fn x13_a_pair_of_streams_in_memory() {
    let (mut client, mut server) = duplex(4);
    let served = spawn(async move {
        let mut request = [0; 8];
        server.read_exact(&mut request).await.expect("it is sent");
        server.write_all(b"pong").await.expect("it is read");
        request
    });
    client.write_all(b"pingping").await.expect("it is read");
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.expect("it is sent");
    assert_eq!(&answer, b"pong");
    assert_eq!(&served.await.expect("no panic"), b"pingping");
}

/// Goal: the clock jumps exactly, and in no real time.
#[test]
fn k01_sleeps_pass_exactly_and_at_once() {
    both(|builder| {
        let began = RealInstant::now();
        build(builder.virtual_clock()).block_on(async {
            let start = now();
            for tens in 0..10 {
                sleep(10 * tens * SECOND).await;
            }
            assert_eq!(now() - start, 450 * SECOND);
        });
        assert!(began.elapsed() < SECOND, "it took {:?}", began.elapsed());
    });
}

/// Goal: who waits for all to be blocked runs before the clock jumps.
#[test]
fn k02_all_blocked_comes_before_the_jump() {
    both(|builder| {
        let log = Log::new();
        build(builder.virtual_clock()).block_on(async {
            let start = now();
            let sleeper = {
                let log = log.clone();
                async move {
                    sleep(SECOND).await;
                    log.add("slept");
                }
            };
            let sleeper = spawn(sleeper);
            for _ in 0..3 {
                wait_all_tasks_blocked().await;
                log.add("blocked");
                assert_eq!(now(), start);
            }
            sleeper.await.expect("no panic");
            assert_eq!(now() - start, SECOND);
        });
        assert_eq!(log.take(), ["blocked", "blocked", "blocked", "slept"]);
    });
}

/// Goal: while a blocking job runs, the clock does not jump.
/// Method: a job that ends when the run loop has found nothing to do, beside a timer of a minute.
#[test]
fn k03_a_blocking_job_holds_the_jump_back() {
    both(|builder| {
        let parks = Slot::new();
        let hook = parks.clone();
        let runtime = build(builder.virtual_clock().on_thread_park(move || hook.put(())));
        runtime.block_on(async move {
            let start = now();
            let job = tenter::spawn_blocking(move || parks.take());
            let done = timeout(60 * SECOND, job).await;
            assert!(matches!(done, Ok(Ok(()))), "{done:?}");
            assert_eq!(now(), start);
        });
    });
}

/// Goal: a test may move the clock itself: through every deadline on the way, in order, and what is woken runs
/// at its own time.
#[test]
fn x12_advance_goes_through_every_deadline_in_order() {
    both(|builder| {
        let log = Log::new();
        build(builder.virtual_clock()).block_on(async {
            let start = now();
            for seconds in [3, 1, 2, 9, 2] {
                let log = log.clone();
                drop(spawn(async move {
                    sleep(seconds * SECOND).await;
                    log.add((seconds, (now() - start).as_secs()));
                }));
            }
            wait_all_tasks_blocked().await;
            advance(3 * SECOND).await;
            assert_eq!(now() - start, 3 * SECOND);
            assert_eq!(log.take(), [(1, 1), (2, 2), (2, 2), (3, 3)]);
            advance(5 * SECOND).await;
            assert_eq!(log.take(), []);
            advance(SECOND).await;
            assert_eq!(log.take(), [(9, 9)]);
        });
    });
}

/// Goal: the clock jumps by itself when all are blocked, and stands still until then.
#[tenter::test]
async fn x12_the_clock_jumps_when_all_are_blocked() {
    let start = now();
    let busy = spawn(async move {
        for _ in 0..1_000 {
            yield_now().await;
        }
        now() - start
    });
    assert!(
        timeout(3_600 * SECOND, std::future::pending::<()>())
            .await
            .is_err()
    );
    assert_eq!(now() - start, 3_600 * SECOND);
    assert_eq!(busy.await.expect("no panic"), Duration::ZERO);
}

/// Goal: every test has a runtime and a clock of its own; `!Send` futures are fine; the result is the test's.
#[tenter::test(flavor = "deterministic", timeout = "5s")]
async fn a103_a_test_has_a_runtime_and_a_clock_of_its_own() -> Result<(), tenter::JoinError> {
    assert_eq!(tenter::Handle::current().metrics().spawned_tasks, 1);
    let seen = Rc::new(RefCell::new(Vec::new()));
    let writer = spawn_local({
        let seen = Rc::clone(&seen);
        async move { seen.borrow_mut().push(1) }
    });
    writer.await?;
    assert_eq!(*seen.borrow(), [1]);
    sleep(4 * SECOND).await;
    Ok(())
}

/// Goal: a test that takes too long fails, in the time of its own clock.
#[tenter::test(timeout = "5s")]
#[should_panic(expected = "did not end within 5s")]
async fn a103_a_test_that_takes_too_long_fails() {
    sleep(6 * SECOND).await;
}

/// Goal: a poll that blocks its thread keeps nobody else: what its worker had queued goes on elsewhere.
#[tenter::test(flavor = "multi_thread", workers = 2, timeout = "1m")]
async fn a90_a_poll_that_blocks_keeps_no_other_task() {
    let blocker = spawn(async {
        let (give, value) = std::sync::mpsc::channel();
        drop(spawn(async move { give.send(7) })); // on this very worker
        value.recv()
    });
    assert_eq!(blocker.await.expect("no panic"), Ok(7));
}

/// Goal: hooks tell when a thread begins and ends to run tasks, and when it sleeps.
#[test]
fn x15_hooks_are_called_around_work_and_sleep() {
    ends("current_thread", || {
        let log = Log::new();
        let says = |what: &'static str| {
            let log = log.clone();
            move || log.add(what)
        };
        let runtime = build(
            Builder::current_thread()
                .virtual_clock()
                .on_thread_start(says("start"))
                .on_thread_park(says("park"))
                .on_thread_unpark(says("unpark"))
                .on_thread_stop(says("stop")),
        );
        let inside = log.clone();
        runtime.block_on(async move {
            inside.add("runs");
            sleep(SECOND).await;
            inside.add("goes on");
        });
        let all = ["start", "runs", "park", "unpark", "goes on", "stop"];
        assert_eq!(log.take(), all);
    });
}
