//! The end of a pool, and of a runtime with jobs.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tenter::__private::blocking::{Pool, Settings};
use tenter::{CancelKind, Handle, Runtime};

use crate::support::{Bench, FOR_EVER, SetOnDrop, gate, occupy};

#[test]
fn shutting_down_ends_queued_jobs_waits_for_running_ones_and_names_the_stuck() {
    let bench = Bench::with_threads(1);
    let (open, stuck) = occupy(&bench);
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = SetOnDrop(Arc::clone(&dropped));
    let queued = bench.spawn(move || drop(guard));
    let began = Instant::now();
    let report = bench.pool.shut_down(Some(Duration::from_millis(5)));
    assert!(began.elapsed() < FOR_EVER, "bounded");
    let [job] = &report[..] else {
        panic!("one job is stuck: {report:?}");
    };
    assert_eq!(job.id, stuck.id());
    assert_eq!(job.thread, "tenter-blocking-0");
    let line = job.to_string();
    assert!(
        line.contains("end.rs") && line.contains("tenter-blocking-0"),
        "{line}"
    );
    assert!(
        dropped.load(Ordering::Relaxed),
        "the queued one was dropped"
    );
    let error = bench.join(queued).expect_err("it never ran");
    assert_eq!(
        error.reason().map(|reason| reason.kind()),
        Some(CancelKind::Shutdown)
    );
    open.send(()).expect("the job waits");
    assert!(bench.pool.shut_down(None).is_empty(), "again, and at once");
    bench.join(stuck).expect("it ran to its end");
    assert_eq!(bench.pool.metrics().threads, 0);
}

#[test]
fn jobs_may_shut_their_pool_down() {
    let bench = Arc::new(Bench::with_threads(2));
    let barrier = Arc::new(Barrier::new(2));
    let jobs: Vec<_> = (0..2)
        .map(|_| {
            let (bench, barrier) = (Arc::clone(&bench), Arc::clone(&barrier));
            let pool = Arc::clone(&bench.pool);
            bench.spawn(move || {
                barrier.wait();
                // Neither waits for itself, nor the two for each other.
                pool.shut_down(None).len()
            })
        })
        .collect();
    for job in jobs {
        assert!(bench.join(job).expect("it ran") <= 1);
    }
}

#[test]
fn a_job_for_a_pool_that_is_closed_is_cancelled_at_once() {
    let bench = Bench::with_threads(1);
    bench.pool.close();
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = SetOnDrop(Arc::clone(&dropped));
    let job = bench.spawn(move || drop(guard));
    assert!(job.is_finished());
    assert!(dropped.load(Ordering::Relaxed));
    assert!(bench.join(job).expect_err("closed").is_cancelled());
    assert_eq!(bench.pool.metrics().started_threads, 0);
}

#[test]
fn a_destructor_may_spawn_and_one_that_never_ends_to_spawn_ends() {
    struct Again(Arc<Pool>, Handle, Arc<AtomicUsize>);
    impl Drop for Again {
        fn drop(&mut self) {
            self.2.fetch_add(1, Ordering::Relaxed);
            let next = Again(Arc::clone(&self.0), self.1.clone(), Arc::clone(&self.2));
            let job = self
                .0
                .spawn(move || drop(next), self.1.clone(), None, Location::caller());
            drop(job);
        }
    }
    let bench = Bench::with_threads(1);
    bench.pool.close();
    let count = Arc::new(AtomicUsize::new(0));
    drop(Again(
        Arc::clone(&bench.pool),
        bench.home(),
        Arc::clone(&count),
    ));
    assert!(count.load(Ordering::Relaxed) > 1_000, "one after the other");
}

#[test]
fn a_pool_that_is_dropped_lets_its_threads_go() {
    let runtime = Runtime::new().expect("a runtime");
    let pool = Pool::new(Settings::default());
    let ended = Arc::new(AtomicBool::new(false));
    let guard = SetOnDrop(Arc::clone(&ended));
    thread_local! {
        static HELD: std::cell::RefCell<Option<SetOnDrop>> = const { std::cell::RefCell::new(None) };
    }
    let job = pool.spawn(
        move || HELD.with(|held| *held.borrow_mut() = Some(guard)),
        runtime.handle().clone(),
        None,
        Location::caller(),
    );
    runtime.handle().block_on(job).expect("it runs");
    drop(pool);
    let began = Instant::now();
    while !ended.load(Ordering::Acquire) {
        assert!(began.elapsed() < FOR_EVER, "the thread sleeps on");
        thread::yield_now();
    }
}

#[test]
fn a_panic_of_a_captured_value_while_a_job_is_ended_stays_with_the_job() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bomb");
        }
    }
    let bench = Bench::with_threads(1);
    bench.pool.close();
    let bomb = Bomb;
    let spawned = catch_unwind(AssertUnwindSafe(|| bench.spawn(move || drop(bomb))));
    let error = bench
        .join(spawned.expect("spawn does not unwind"))
        .expect_err("it never ran");
    assert!(error.is_panic(), "{error}");
}

#[test]
fn a_runtime_that_ends_names_the_jobs_that_go_on() {
    let runtime = tenter::Builder::current_thread()
        .build()
        .expect("a runtime");
    let (open, wait) = gate();
    let (running, runs) = mpsc::channel();
    let job = runtime.spawn_blocking(move || {
        running.send(()).expect("the test waits");
        wait();
        7
    });
    runs.recv_timeout(FOR_EVER).expect("it runs");
    let handle = runtime.handle().clone();
    let report = runtime.shutdown_timeout(Duration::from_millis(1));
    assert_eq!(report.stuck_tasks.len(), 1, "{report}");
    assert!(!report.is_clean());
    assert!(report.to_string().contains("end.rs"), "{report}");
    open.send(()).expect("the job waits");
    assert_eq!(handle.block_on(job).expect("it runs to its end"), 7);
}
