//! Many workers: tasks spread, steal, sleep and end.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::{Builder, Runtime};

fn runtime(workers: usize) -> Runtime {
    Builder::multi_thread()
        .workers(workers)
        .build()
        .expect("the system grants the first thread")
}

#[test]
fn tasks_from_outside_run_and_their_outputs_come_back() {
    let runtime = runtime(2);
    let handles: Vec<_> = (0..1_000)
        .map(|n| runtime.spawn(async move { n }))
        .collect();
    let sum = runtime.block_on(async {
        let mut sum = 0;
        for handle in handles {
            sum += handle.await.expect("no panic");
        }
        sum
    });
    assert_eq!(sum, 499_500);
}

#[test]
fn tasks_from_a_task_run_on_more_than_one_worker() {
    let runtime = runtime(2);
    let both = Arc::new(Barrier::new(2));
    let threads = runtime.block_on(async {
        tenter::spawn(async move {
            let tasks: Vec<_> = (0..2)
                .map(|_| {
                    let both = Arc::clone(&both);
                    tenter::spawn(async move {
                        both.wait();
                        thread::current().id()
                    })
                })
                .collect();
            let mut threads = HashSet::new();
            for task in tasks {
                threads.insert(task.await.expect("no panic"));
            }
            threads
        })
        .await
        .expect("no panic")
    });
    assert_eq!(threads.len(), 2);
}

#[test]
fn ten_thousand_detached_tasks_all_run() {
    let runtime = runtime(2);
    let left = Arc::new(AtomicUsize::new(10_000));
    let (done, wait) = oneshot();
    let done = Arc::new(std::sync::Mutex::new(Some(done)));
    runtime.block_on(async {
        drop(tenter::spawn(async move {
            for _ in 0..10_000 {
                let (left, done) = (Arc::clone(&left), Arc::clone(&done));
                drop(tenter::spawn(async move {
                    if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                        let done = done.lock().expect("not poisoned").take();
                        let _ = done.expect("only the last one").send(());
                    }
                }));
            }
        }));
        wait.await.expect("sent");
    });
    let metrics = runtime.metrics();
    assert_eq!(metrics.spawned_tasks, 10_001);
}

#[test]
fn a_wake_from_a_thread_reaches_sleeping_workers() {
    let runtime = runtime(2);
    for round in 0..200 {
        let (sender, receiver) = oneshot();
        let task = runtime.spawn(async move { receiver.await.expect("sent") });
        let other = thread::spawn(move || sender.send(round).expect("somebody waits"));
        assert_eq!(runtime.block_on(task).expect("no panic"), round);
        other.join().expect("no panic");
    }
}

#[test]
fn timers_fire_on_workers_and_in_block_on() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let tasks: Vec<_> = (1..20)
            .map(|n| {
                tenter::spawn(async move {
                    tenter::time::sleep(Duration::from_micros(n * 100)).await;
                    n
                })
            })
            .collect();
        for (task, n) in tasks.into_iter().zip(1..) {
            assert_eq!(task.await.expect("no panic"), n);
        }
        tenter::time::sleep(Duration::from_millis(1)).await;
    });
}

#[test]
fn sockets_work_between_tasks() {
    use tenter::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tenter::net::{TcpListener, TcpStream};
    let runtime = runtime(2);
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bound");
        let address = listener.local_addr().expect("bound");
        let server = tenter::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("accepted");
            let mut buffer = [0; 4];
            for _ in 0..100 {
                stream.read_exact(&mut buffer).await.expect("read");
                stream.write_all(&buffer).await.expect("written");
            }
        });
        let mut stream = TcpStream::connect(address).await.expect("connected");
        for n in 0..100_u32 {
            stream.write_all(&n.to_le_bytes()).await.expect("written");
            let mut buffer = [0; 4];
            stream.read_exact(&mut buffer).await.expect("read");
            assert_eq!(u32::from_le_bytes(buffer), n);
        }
        server.await.expect("no panic");
    });
}

#[test]
fn yielding_tasks_all_get_their_turn() {
    let runtime = runtime(2);
    runtime.block_on(async {
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                tenter::spawn(async {
                    for _ in 0..100 {
                        tenter::task::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}

#[test]
fn the_end_cancels_what_sleeps_what_is_queued_and_what_yields() {
    let runtime = runtime(2);
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    for n in 0..300 {
        let count = Count(Arc::clone(&dropped));
        drop(runtime.spawn(async move {
            let _count = count;
            match n % 3 {
                0 => std::future::pending().await,
                1 => loop {
                    tenter::task::yield_now().await;
                },
                _ => tenter::time::sleep(Duration::from_secs(3_600)).await,
            }
        }));
    }
    let report = runtime.shutdown_timeout(Duration::from_secs(60));
    assert_eq!(dropped.load(Ordering::Relaxed), 300);
    assert_eq!(report.cancelled, 300);
    assert!(report.stuck_tasks.is_empty());
}

#[test]
fn the_end_names_a_poll_that_is_stuck_and_ends_the_rest() {
    let runtime = runtime(2);
    let (entered, wait) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let stuck = runtime.block_on(async {
        tenter::task::Builder::new()
            .name("the stuck one")
            .spawn(async move {
                entered.send(()).expect("somebody waits");
                let _ = released.recv();
            })
    });
    wait.recv().expect("it runs");
    let other = runtime.spawn(async { std::future::pending::<()>().await });
    let report = runtime.shutdown_timeout(Duration::from_millis(20));
    assert_eq!(report.stuck_tasks.len(), 1);
    assert_eq!(report.stuck_tasks[0].name.as_deref(), Some("the stuck one"));
    assert_eq!(report.stuck_tasks[0].id, stuck.id());
    assert!(
        other.is_finished(),
        "a sleeping task ends although another poll is stuck"
    );
    release.send(()).expect("it waits");
}

#[test]
fn a_runtime_may_be_dropped_inside_its_own_task() {
    let runtime = runtime(2);
    let handle = runtime.handle().clone();
    let task = handle.spawn(async move { drop(runtime) });
    let (done, wait) = mpsc::channel();
    thread::spawn(move || {
        let outside = Builder::current_thread().build().expect("built");
        done.send(outside.block_on(task)).expect("somebody waits");
    });
    let _ended = wait.recv_timeout(Duration::from_secs(20)).expect("it ends");
}

#[test]
fn a_task_that_blocks_in_place_keeps_nobody_even_on_the_only_worker() {
    let runtime = runtime(1);
    let sum = runtime.block_on(async {
        tenter::spawn(async {
            let mut sum = 0;
            for n in 0..50 {
                let (sender, receiver) = mpsc::channel();
                let task = tenter::spawn(async move { sender.send(n).expect("somebody waits") });
                // The value comes from a task that was queued on this very worker.
                sum += tenter::block_in_place(|| receiver.recv()).expect("sent");
                task.await.expect("no panic");
            }
            sum
        })
        .await
        .expect("no panic")
    });
    assert_eq!(sum, 1_225);
}

#[test]
fn block_on_is_allowed_where_a_task_blocks_in_place() {
    let runtime = runtime(1);
    let handle = runtime.handle().clone();
    let output = runtime.block_on(async {
        tenter::spawn(async move {
            tenter::block_in_place(|| handle.block_on(async { tenter::spawn(async { 7 }).await }))
        })
        .await
    });
    assert_eq!(output.expect("no panic").expect("no panic"), 7);
}

#[test]
fn many_tasks_may_block_in_place_at_once() {
    let runtime = runtime(2);
    let all = Arc::new(Barrier::new(20));
    runtime.block_on(async {
        let tasks: Vec<_> = (0..20)
            .map(|_| {
                let all = Arc::clone(&all);
                tenter::spawn(async move {
                    tenter::block_in_place(|| all.wait());
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    assert_eq!(runtime.metrics().workers, 2);
}

#[test]
fn a_panic_in_a_blocking_section_is_the_tasks() {
    let runtime = runtime(1);
    let task = runtime.spawn(async { tenter::block_in_place(|| panic!("in place")) });
    let error = runtime.block_on(task).expect_err("it panicked");
    assert!(error.is_panic());
    assert_eq!(
        runtime
            .block_on(runtime.spawn(async { 1 }))
            .expect("no panic"),
        1
    );
}

#[test]
fn a_task_with_a_name_is_listed_once() {
    let runtime = runtime(2);
    let named = |name| tenter::task::Builder::new().name(name);
    let dropped = Arc::new(AtomicUsize::new(0));
    struct Count(Arc<AtomicUsize>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
    let asleep = || {
        let count = Count(Arc::clone(&dropped));
        async move {
            let _count = count;
            std::future::pending::<()>().await;
        }
    };
    let inner = (asleep(), asleep());
    let from_outside = asleep();
    runtime.block_on(async {
        drop(named("from outside").spawn(from_outside));
        let both = tenter::spawn(async move {
            drop(named("one").spawn(inner.0));
            drop(named("two").spawn(inner.1));
            tenter::task::yield_now().await;
        });
        both.await.expect("no panic");
    });
    let report = runtime.shutdown_timeout(Duration::from_secs(60));
    assert_eq!((report.cancelled, dropped.load(Ordering::Relaxed)), (3, 3));
    let mut names: Vec<_> = report
        .cancelled_tasks
        .iter()
        .filter_map(|task| task.name.clone())
        .collect();
    names.sort();
    assert_eq!(names.join(", "), "from outside, one, two");
}
