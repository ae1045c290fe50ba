//! The bugs of others that concern many workers: each test is named after the bug, tells its story, and
//! fails if we make the same mistake.
//!
//! More of them: `others.rs`, `workers.rs`, `fairness.rs`; the table of all is docs/BUGS_OF_OTHERS.md.

use std::future::pending;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{Builder, Runtime, block_in_place, spawn};
use tenter_tests::support::{Count, GiveWaker, Slot, build, ends};

fn runtime(workers: usize) -> Runtime {
    build(Builder::multi_thread().workers(workers))
}

/// In Go a processor could go to sleep while a goroutine was ready, because a look at the queues was left
/// out after it had given itself up. Everything went on, on fewer cores.
///
/// Method: two tasks that need two threads at once, again and again. A sleeper that guards the others would
/// come to help, but only after milliseconds; so those rounds are counted.
#[test]
fn go_45867_a_worker_sleeps_beside_ready_tasks() {
    const ROUNDS: usize = 400;
    ends("two workers", || {
        let runtime = runtime(2);
        let slow = Count::new();
        let (meets, counts) = (Arc::new(Barrier::new(2)), slow.clone());
        let rounds = runtime.spawn(async move {
            for _ in 0..ROUNDS {
                let start = Instant::now();
                let pair = [(); 2].map(|()| {
                    let meets = Arc::clone(&meets);
                    spawn(async move { meets.wait().is_leader() })
                });
                for task in pair {
                    task.await.expect("no panic");
                }
                if start.elapsed() > Duration::from_millis(3) {
                    counts.add();
                }
            }
        });
        runtime.block_on(rounds).expect("no panic");
        assert!(
            slow.get() < ROUNDS / 4 * 3,
            "{} rounds were slow",
            slow.get()
        );
    });
}

/// tokio ended its cores one after the other: a task that blocked in place, and waited for a task of a core
/// whose turn came later, was waited for in vain.
///
/// Method: tasks that block in place until a task elsewhere is dropped, on as many workers as there are.
#[test]
fn tokio_3228_the_end_waits_for_a_task_of_a_later_worker() {
    for workers in [1, 2, 3] {
        for _ in 0..20 {
            ends("blocked", move || {
                let runtime = runtime(workers);
                let ended = Count::new();
                let begun: Vec<_> = (0..workers)
                    .map(|_| {
                        let (held, waits) = mpsc::channel::<()>();
                        let (ended, begun) = (ended.clone(), Slot::new());
                        drop(runtime.spawn(async move {
                            let _held = held;
                            pending::<()>().await;
                        }));
                        let begins = begun.clone();
                        drop(runtime.spawn(async move {
                            block_in_place(|| {
                                begins.put(());
                                assert!(waits.recv().is_err(), "the other one is dropped");
                            });
                            ended.add();
                        }));
                        begun
                    })
                    .collect();
                begun.iter().for_each(Slot::take);
                let report = runtime.shutdown_timeout(Duration::MAX);
                assert_eq!((report.stuck_tasks.len(), ended.get()), (0, workers));
            });
        }
    }
}

/// In tokio, wakes that were deferred to the end of a poll were lost, or late, if the task blocked in place
/// before that.
///
/// Method: a task wakes one, spawns another, lets a third yield, and blocks in place until all have run.
#[test]
fn tokio_7879_wakes_before_block_in_place_are_lost() {
    for workers in [1, 2] {
        for _ in 0..20 {
            ends("deferred", move || {
                let runtime = runtime(workers);
                let task = runtime.spawn(async {
                    let (ran, runs) = mpsc::channel();
                    let sleeper = Slot::new();
                    let others = [0, 1, 2].map(|_| ran.clone());
                    let [woken, spawned, yields] = others;
                    let (give, waits) = (sleeper.clone(), Slot::new());
                    let waiting = waits.clone();
                    drop(spawn(async move {
                        waiting.put(());
                        GiveWaker::new(give).await;
                        woken.send("woken").expect("somebody waits");
                    }));
                    drop(spawn(async move {
                        for _ in 0..5 {
                            yield_now().await;
                        }
                        yields.send("yields").expect("somebody waits");
                    }));
                    while !sleeper.is_full() {
                        yield_now().await;
                    }
                    let waker: std::task::Waker = sleeper.take();
                    waker.wake();
                    drop(spawn(async move {
                        spawned.send("spawned").expect("somebody waits");
                    }));
                    let mut seen = block_in_place(|| [0, 1, 2].map(|_| runs.recv().expect("sent")));
                    seen.sort_unstable();
                    seen
                });
                let seen = runtime.block_on(task).expect("no panic");
                assert_eq!(seen, ["spawned", "woken", "yields"]);
            });
        }
    }
}

/// In tokio one task that was busy for long kept all others from their sockets and timers, because the
/// worker that it occupied had the driver.
///
/// Method: the task that is stuck was the last to use the driver: it has just been woken by a socket.
#[test]
fn tokio_4730_the_driver_is_stuck_with_a_busy_task() {
    use std::io::{Read as _, Write as _};
    use tenter::io::{AsyncReadExt as _, AsyncWriteExt as _};
    ends("busy", || {
        let runtime = runtime(2);
        let (listener, address) = runtime.block_on(async {
            let listener = tenter::net::TcpListener::bind("127.0.0.1:0").await;
            let listener = listener.expect("loopback has a free port");
            let address = listener.local_addr().expect("it is bound");
            (listener, address)
        });
        let release: Slot<()> = Slot::new();
        let (held, stuck) = (release.clone(), Slot::new());
        let blocks = stuck.clone();
        let server = runtime.spawn(async move {
            let (mut busy, _) = listener.accept().await.expect("the first client");
            let (mut echo, _) = listener.accept().await.expect("the second client");
            let serving = spawn(async move {
                let mut byte = [0];
                while echo.read_exact(&mut byte).await.is_ok() {
                    tenter::time::sleep(Duration::from_micros(100)).await;
                    echo.write_all(&byte).await.expect("the client reads");
                }
            });
            busy.read_exact(&mut [0]).await.expect("the client writes");
            blocks.put(());
            held.take();
            serving.await.expect("no panic");
        });
        let connect = || std::net::TcpStream::connect(address).expect("it listens");
        let (mut busy, mut echo) = (connect(), connect());
        busy.write_all(&[1]).expect("it is read");
        stuck.take();
        for number in 0..20 {
            echo.write_all(&[number]).expect("it is read");
            let mut back = [0];
            echo.read_exact(&mut back).expect("it is answered");
            assert_eq!(back, [number]);
        }
        release.put(());
        drop(echo);
        runtime.block_on(server).expect("no panic");
    });
}

/// tokio's pool counted an idle thread twice when it shut down, and so a job was left to a thread that was
/// not there; and sharding its queue lost a notification (#8056).
///
/// Method: jobs that come while the threads go to sleep, expire, and end. The counts are models
/// (`blocking::close_vs_idle`, `blocking::idle_vs_notify`).
#[test]
fn tokio_8056_a_job_hangs_beside_an_idle_thread() {
    ends("jobs", || {
        for round in 0..30 {
            let builder = Builder::multi_thread().workers(2);
            let runtime = build(builder.thread_keep_alive(Duration::from_nanos(1)));
            for _ in 0..30 {
                let (give, value) = oneshot();
                let job = runtime.spawn_blocking(move || give.send(round).is_ok());
                assert_eq!(runtime.block_on(value), Ok(round));
                assert_eq!(runtime.block_on(job).ok(), Some(true));
            }
            let left: Vec<_> = (0..10).map(|_| runtime.spawn_blocking(|| ())).collect();
            runtime.shutdown_timeout(Duration::MAX);
            for job in left {
                let ended = tenter_tests::support::foreign_block_on(job);
                assert!(ended.is_ok() || ended.is_err_and(|error| error.is_cancelled()));
            }
        }
    });
}
