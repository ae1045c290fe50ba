//! Blocking jobs and their runtime: what they ask it, what becomes of those that are cancelled.
//!
//! Each test runs on every flavour.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tenter::from_thread::{self, FromThreadError};
use tenter::sync::{Event, Queue, oneshot};
use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{CancelKind, Handle, Runner, spawn, spawn_blocking};
use tenter_tests::support::{
    Count, Slot, assert_says, build, every, foreign_block_on, one_thread, panic_of, text_of, thread,
};

/// Goal: a job's value, its panic and its error come back; it is in the runtime, and is a task.
#[test]
fn h01_a_job_comes_back_with_what_it_made() {
    every(|builder| {
        build(builder).block_on(async {
            assert_eq!(
                spawn_blocking(|| (1..=100).sum::<u32>()).await.unwrap(),
                5_050
            );
            let error = spawn_blocking(|| panic!("broken"))
                .await
                .map(|(): ()| ())
                .unwrap_err();
            assert!(error.is_panic());
            assert_eq!(text_of(&*error.into_panic()), "broken");
            let failed = spawn_blocking(|| "x".parse::<u32>()).await.unwrap();
            assert!(failed.is_err());
            let inside = spawn_blocking(|| {
                assert!(tenter::task::try_id().is_some());
                Handle::current().spawn(async { 7 })
            });
            assert_eq!(inside.await.unwrap().await.unwrap(), 7);
        });
    });
}

/// Goal: a job, and a task that blocks in place, may wait with the blocking methods of the primitives.
/// Method: a loop of more waits than a poll may do operations.
#[test]
fn a_job_may_wait_with_blocking_methods() {
    every(|builder| {
        build(builder).block_on(async {
            let queue = Arc::new(Queue::bounded(1));
            let takes = {
                let queue = Arc::clone(&queue);
                move || (0..1_000).map(|_| queue.blocking_get().unwrap()).sum()
            };
            let job = spawn_blocking(takes.clone());
            for number in 0..1_000 {
                queue.put(number).await.unwrap();
            }
            let sum: u32 = job.await.unwrap();
            assert_eq!(sum, 499_500);
            if one_thread() {
                return;
            }
            let in_place = spawn(async move { tenter::block_in_place(takes) });
            for number in 0..1_000 {
                queue.put(number).await.unwrap();
            }
            assert_eq!(in_place.await.unwrap(), 499_500);
        });
    });
}

/// Goal: a job begins with the call, awaited or not, and a handle that is dropped leaves it alone.
#[test]
fn a30_a31_a_job_begins_with_the_call() {
    every(|builder| {
        let runtime = build(builder);
        let ran = Slot::new();
        runtime.block_on(async {
            let ran = ran.clone();
            drop(spawn_blocking(move || ran.put(7)));
        });
        assert_eq!(ran.take(), 7);
    });
}

/// Goal: a job that is cancelled in the queue never runs; one that runs goes on to its end, and its handle
/// comes with it, not before.
#[test]
fn h02_a_cancelled_job_never_runs_or_runs_to_its_end() {
    every(|builder| {
        build(builder.max_blocking_threads(1)).block_on(async {
            let (begun, begins) = oneshot();
            let go_on = Slot::new();
            let running = spawn_blocking({
                let go_on = go_on.clone();
                move || {
                    begun.send(()).unwrap();
                    go_on.take()
                }
            });
            begins.await.unwrap();
            let ran = Arc::new(AtomicBool::new(false));
            let queued = spawn_blocking({
                let ran = Arc::clone(&ran);
                move || ran.store(true, Ordering::Release)
            });
            assert!(running.cancel() && queued.cancel());
            yield_now().await;
            assert!(!running.is_finished());
            go_on.put(7);
            assert_eq!(running.await.unwrap(), 7, "readiness beats cancellation");
            assert!(queued.await.unwrap_err().is_cancelled());
            assert!(!ran.load(Ordering::Acquire));
        });
    });
}

/// Goal: a job of a task that is cancelled already, and whose owner goes with it, never runs while its pool
/// is busy.
#[test]
fn h03_a_job_of_a_cancelled_owner_never_runs() {
    every(|builder| {
        build(builder.max_blocking_threads(1)).block_on(async {
            let go_on = Slot::new();
            let first = spawn_blocking({
                let go_on = go_on.clone();
                move || go_on.take()
            });
            let ran = Arc::new(AtomicBool::new(false));
            let scope = tenter::CancelScope::new();
            scope.handle().cancel("before the call");
            let ended = scope.run({
                let ran = Arc::clone(&ran);
                async move { spawn_blocking(move || ran.store(true, Ordering::Release)).await }
            });
            assert!(ended.await.is_cancelled());
            go_on.put(());
            first.await.unwrap();
            assert!(!ran.load(Ordering::Acquire));
        });
    });
}

/// Goal: a job learns that it was cancelled, and why, and can stop.
#[test]
fn h05_a_job_learns_that_it_was_cancelled() {
    every(|builder| {
        build(builder).block_on(async {
            let (begun, begins) = oneshot();
            let job = spawn_blocking(move || {
                from_thread::check_cancelled().unwrap();
                begun.send(()).unwrap();
                loop {
                    match from_thread::check_cancelled() {
                        Ok(()) => std::thread::yield_now(),
                        Err(error) => {
                            let again = from_thread::run(async { unreachable!() });
                            assert!(again.map(|(): ()| ()).unwrap_err().is_cancelled());
                            return error;
                        }
                    }
                }
            });
            begins.await.unwrap();
            assert!(job.cancel_with("not needed"));
            let error = job.await.unwrap();
            assert!(error.is_cancelled());
            assert_says(&error.to_string(), &["blocking job", "not needed"]);
        });
    });
}

/// Goal: a job learns that its runtime ends, which waits for it; what it does then ends it.
#[test]
fn h05_a_job_learns_that_its_runtime_ends() {
    every(|builder| {
        let mut runner = Runner::from(build(builder.shutdown_timeout(Duration::from_secs(100))));
        let told = Slot::new();
        runner
            .run(async {
                let (begun, begins) = oneshot();
                drop(spawn_blocking({
                    let told = told.clone();
                    move || {
                        begun.send(()).unwrap();
                        let error = loop {
                            match from_thread::check_cancelled() {
                                Ok(()) => std::thread::yield_now(),
                                Err(error) => break error,
                            }
                        };
                        told.put(error);
                    }
                }));
                begins.await.unwrap();
            })
            .unwrap();
        let report = runner.close();
        assert!(report.stuck_tasks.is_empty(), "{report}");
        let FromThreadError::Cancelled(reason) = told.take() else {
            panic!("it was told something else");
        };
        assert_eq!(reason.kind(), CancelKind::Shutdown);
    });
}

/// Goal: a job that is left behind and ends after its runtime has ended disturbs nobody.
#[test]
fn h06_a_job_that_outlives_its_runtime_ends_silently() {
    every(|builder| {
        let runtime = build(builder);
        let (go_on, ended) = (Slot::new(), Slot::new());
        let begun = Slot::new();
        let job = runtime.spawn_blocking({
            let (go_on, ended, begun) = (go_on.clone(), ended.clone(), begun.clone());
            move || {
                begun.put(());
                go_on.take();
                ended.put(from_thread::run(async {}).map_err(|error| error.is_cancelled()));
                7
            }
        });
        begun.take();
        let report = runtime.shutdown_timeout(Duration::ZERO);
        assert_eq!(report.stuck_tasks.len(), 1, "{report}");
        go_on.put(());
        assert_eq!(ended.take(), Err(true));
        assert_eq!(foreign_block_on(job).unwrap(), 7);
    });
}

/// Goal: a job runs futures on its runtime, on its clock and among its tasks, and gets what becomes of them.
#[test]
fn x19_a_job_runs_futures_on_its_runtime() {
    every(|builder| {
        build(builder).block_on(async {
            let job = spawn_blocking(|| {
                let here = std::thread::current().id();
                let elsewhere = from_thread::run(async move {
                    sleep(Duration::from_millis(1)).await;
                    spawn(async {}).await.unwrap();
                    std::thread::current().id() != here
                });
                assert!(elsewhere.unwrap());
                let error = from_thread::run(async { panic!("in the middle") });
                let FromThreadError::Failed(error) = error.map(|(): ()| ()).unwrap_err() else {
                    panic!("it did not fail");
                };
                assert!(error.is_panic());
                // A job may wait for a job, and that one for a future.
                from_thread::run(async {
                    spawn_blocking(|| from_thread::run(async { 7 }).unwrap())
                        .await
                        .unwrap()
                })
                .unwrap()
            });
            assert_eq!(job.await.unwrap(), 7);
        });
    });
}

/// Goal: everywhere else an error says where to call it, and what to use there.
#[test]
fn x19_outside_a_job_an_error_says_so() {
    let refused = || {
        let check = from_thread::check_cancelled().unwrap_err();
        let parts = [
            "check_cancelled",
            "from_thread.rs",
            "outside a blocking job",
            "Handle",
        ];
        assert_says(&check.to_string(), &parts);
        assert!(matches!(check, FromThreadError::NotInJob(_)));
        let dropped = Count::new();
        let guard = dropped.on_drop();
        let run = from_thread::run(async move { drop(guard) }).unwrap_err();
        assert_says(&run.to_string(), &["from_thread::run", "spawn_blocking"]);
        assert_eq!(dropped.get(), 1);
    };
    refused();
    every(move |builder| {
        build(builder).block_on(async {
            refused();
            spawn(async move { refused() }).await.unwrap();
        });
    });
}

/// Goal: a future that another thread hands over is a task there: its value, its panic, its cancellation.
#[test]
fn a17_a_thread_hands_a_future_over() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let end = Arc::new(Event::new());
        let other = thread({
            let end = Arc::clone(&end);
            move || {
                let value = handle.block_on(handle.spawn(async { 7 })).unwrap();
                let error = handle.block_on(handle.spawn(async { panic!("over there") }));
                assert!(error.map(|(): ()| ()).unwrap_err().is_panic());
                let task = handle.spawn(std::future::pending::<()>());
                assert!(task.cancel());
                assert!(handle.block_on(task).unwrap_err().is_cancelled());
                end.set();
                value
            }
        });
        runtime.block_on(async {
            end.wait().await;
            // On a thread of the runtime, waiting would be for oneself.
            let refused = Handle::current().try_block_on(async {});
            assert_says(&refused.unwrap_err().to_string(), &["block_on_nested"]);
            assert!(panic_of(|| Handle::current().block_on(async {})).contains("It would block"));
        });
        assert_eq!(other.join(), 7);
    });
}

/// Goal: jobs that wait for jobs in a pool with one thread end, for others stand in.
#[test]
fn a33_jobs_that_wait_for_jobs_do_not_block_the_pool() {
    every(|builder| {
        build(builder.max_blocking_threads(1)).block_on(async {
            fn nest(depth: u32) -> u32 {
                if depth == 0 {
                    return 0;
                }
                let deeper = spawn_blocking(move || nest(depth - 1));
                Handle::current().block_on(deeper).unwrap() + 1
            }
            assert_eq!(spawn_blocking(|| nest(20)).await.unwrap(), 20);
        });
    });
}
