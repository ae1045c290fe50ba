//! `block_on_nested`: on workers, on threads that wait, on threads that drive, and anywhere else.

use std::sync::Arc;
use std::time::Duration;

use tenter::sync::{Notify, oneshot};
use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{Builder, block_on_nested, spawn};
use tenter_tests::support::{
    Count, assert_says, both, build, ends, foreign_block_on, panic_of, thread,
};

fn many(test: impl Fn(tenter::Runtime) + Send + Copy + 'static) {
    for workers in [1, 2] {
        ends("many threads", move || {
            test(Builder::multi_thread().workers(workers).build().unwrap());
        });
    }
}

/// Goal: on a worker, what the future waits for is done by others, even if there is one worker only, and
/// even if it was queued behind the task that blocks.
#[test]
fn a04_on_a_worker_its_queues_are_handed_over() {
    many(|runtime| {
        let sum = runtime.block_on(async {
            spawn(async {
                let behind: Vec<_> = (0..100)
                    .map(|number| spawn(async move { number }))
                    .collect();
                let nested = async {
                    let mut sum = 0;
                    for task in behind {
                        sum += task.await.unwrap();
                    }
                    sleep(Duration::from_millis(1)).await;
                    sum
                };
                block_on_nested(nested).unwrap()
            })
            .await
            .unwrap()
        });
        assert_eq!(sum, 4_950);
        assert_eq!(
            runtime
                .metrics()
                .per_worker
                .iter()
                .map(|w| w.blocks)
                .sum::<u64>(),
            1
        );
    });
}

/// Goal: it nests in itself, and may hold up every worker at a time.
#[test]
fn a04_nested_waits_nest() {
    fn depth(left: u32) -> u32 {
        if left == 0 {
            return 0;
        }
        let deeper = async move { spawn(async move { depth(left - 1) }).await.unwrap() + 1 };
        block_on_nested(async { block_on_nested(deeper).unwrap() }).unwrap()
    }
    many(|runtime| {
        let tasks: Vec<_> = (0..4).map(|_| runtime.spawn(async { depth(5) })).collect();
        for task in tasks {
            assert_eq!(foreign_block_on(task).unwrap(), 5);
        }
    });
}

/// Goal: the main future of a multi-threaded runtime, which is on a thread without tasks, may nest too, and
/// hears all wakes that came meanwhile.
#[test]
fn a04_a_thread_that_waits_may_nest() {
    many(|runtime| {
        let (bell, rung) = (Arc::new(Notify::new()), Count::new());
        runtime.block_on(async {
            let mut heard = Box::pin(bell.notified());
            let first = tenter_tests::support::poll_with(
                &std::future::poll_fn(|cx| std::task::Poll::Ready(cx.waker().clone())).await,
                &mut heard,
            );
            assert!(first.is_pending());
            block_on_nested(async {
                let bell = Arc::clone(&bell);
                spawn(async move { bell.notify_one() }).await.unwrap();
                // The token of this wait and that of the one around it are two.
                yield_now().await;
            })
            .unwrap();
            heard.await;
            rung.add();
        });
        assert_eq!(rung.get(), 1);
    });
}

/// Goal: where tasks need the thread, it is refused with an error that says so; the future is dropped.
#[test]
fn a04_a_single_threaded_runtime_refuses() {
    both(|builder| {
        build(builder).block_on(async {
            let dropped = Count::new();
            let guard = dropped.on_drop();
            let error = block_on_nested(async move { drop(guard) }).unwrap_err();
            assert_eq!(dropped.get(), 1);
            let parts = [
                "tenter::block_on_nested",
                "nested.rs",
                "runs the tasks",
                ".await",
            ];
            assert_says(&error.to_string(), &parts);
            let task = spawn(async { block_on_nested(async {}).is_err() });
            assert!(task.await.unwrap());
        });
    });
}

/// Goal: a thread that waits for its turn to drive is needed as well.
#[test]
fn a04_a_thread_in_line_to_drive_refuses() {
    both(|builder| {
        let runtime = Arc::new(build(builder));
        let (end, ended) = oneshot::<()>();
        let (begun, begins) = oneshot::<()>();
        let other = thread({
            let runtime = Arc::clone(&runtime);
            move || {
                runtime.block_on(async {
                    begun.send(()).unwrap();
                    ended.await.unwrap();
                });
            }
        });
        foreign_block_on(begins).unwrap();
        runtime.block_on(async {
            assert!(block_on_nested(async {}).is_err());
            end.send(()).unwrap();
        });
        other.join();
    });
}

/// Goal: outside of every runtime, and on a thread of the blocking pool, it just waits.
#[test]
fn a04_elsewhere_it_just_waits() {
    assert_eq!(block_on_nested(async { 7 }).unwrap(), 7);
    assert_eq!(
        panic_of(|| block_on_nested(async { panic!("so be it") }).map(|(): ()| ())),
        "so be it"
    );
    both(|builder| {
        build(builder).block_on(async {
            let job = tenter::spawn_blocking(|| {
                block_on_nested(async { spawn(async { 7 }).await.unwrap() })
            });
            assert_eq!(job.await.unwrap().unwrap(), 7);
        });
    });
}

/// Goal: whoever blocks where they must not is told of it.
#[test]
fn a04b_a_nested_run_names_the_escape() {
    many(|runtime| {
        let task = runtime.spawn(async {
            let message = panic_of(|| tenter::run(async {}));
            assert_says(&message, &["tenter::run", "block_on_nested", ".await"]);
            let refused = tenter::Handle::current()
                .try_block_on(async {})
                .unwrap_err();
            assert_says(
                &refused.to_string(),
                &["Handle::block_on", "block_on_nested"],
            );
        });
        foreign_block_on(task).unwrap();
    });
}
