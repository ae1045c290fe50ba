//! What becomes of a job.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;

use tenter::__private::blocking::{Pool, Settings};
use tenter::Handle;

use crate::support::{Bench, FOR_EVER, SetOnDrop, gate, occupy};

#[test]
fn a_job_runs_on_a_thread_of_the_pool_and_its_output_comes_back() {
    let bench = Bench::with_threads(4);
    assert_eq!(bench.pool.metrics().threads, 0, "no job, no thread");
    let home = thread::current().id();
    let job = bench.spawn(move || {
        let this = thread::current();
        assert_ne!(this.id(), home);
        (this.name().map(str::to_owned), 6 * 7)
    });
    let (name, answer) = bench.join(job).expect("it runs");
    assert_eq!(answer, 42);
    assert_eq!(name.as_deref(), Some("tenter-blocking-0"));
}

#[test]
fn a_job_is_in_the_runtime_that_it_was_spawned_on() {
    let bench = Bench::with_threads(1);
    let job = bench.spawn(|| {
        let handle = Handle::try_current().expect("a runtime");
        assert!(tenter::task::try_id().is_some(), "a job is a task");
        handle.spawn(async { 7 })
    });
    let task = bench.join(job).expect("it runs");
    assert_eq!(bench.runtime.block_on(task).expect("it runs"), 7);
}

#[test]
fn a_panic_becomes_the_jobs_error_and_the_thread_goes_on() {
    let bench = Bench::with_threads(1);
    let error = bench
        .join(bench.spawn(|| -> u32 { panic!("no such file") }))
        .expect_err("it panicked");
    assert!(error.is_panic());
    assert!(error.to_string().contains("no such file"), "{error}");
    assert_eq!(bench.join(bench.spawn(|| 1)).expect("it runs"), 1);
    assert_eq!(bench.pool.metrics().started_threads, 1);
}

#[test]
fn a_job_that_is_cancelled_while_it_is_queued_never_runs() {
    let bench = Bench::with_threads(1);
    let (open, first) = occupy(&bench);
    let ran = Arc::new(AtomicBool::new(false));
    let dropped = Arc::new(AtomicBool::new(false));
    let guard = SetOnDrop(Arc::clone(&dropped));
    let second = {
        let ran = Arc::clone(&ran);
        bench.spawn(move || {
            ran.store(true, Ordering::Relaxed);
            drop(guard);
        })
    };
    assert!(second.cancel_with("not needed"));
    open.send(()).expect("the job waits");
    let error = bench.join(second).expect_err("it was cancelled");
    assert_eq!(
        error.reason().and_then(|reason| reason.message()),
        Some("not needed")
    );
    bench.join(first).expect("it ran");
    assert!(!ran.load(Ordering::Relaxed));
    assert!(
        dropped.load(Ordering::Relaxed),
        "what it captured is dropped"
    );
}

#[test]
fn a_job_that_runs_is_not_interrupted_by_a_cancellation() {
    let bench = Bench::with_threads(1);
    let (open, wait) = gate();
    let (running, runs) = mpsc::channel();
    let job = bench.spawn(move || {
        running.send(()).expect("the test waits");
        wait();
        5
    });
    runs.recv_timeout(FOR_EVER).expect("it runs");
    assert!(job.cancel());
    open.send(()).expect("the job waits");
    assert_eq!(bench.join(job).expect("readiness beats cancellation"), 5);
}

#[test]
fn large_outputs_come_back_whole() {
    let bench = Bench::with_threads(1);
    let output = bench
        .join(bench.spawn(|| [7_u8; 64 * 1024]))
        .expect("it runs");
    assert!(output.iter().all(|byte| *byte == 7));
}

#[test]
fn a_panic_in_the_destructor_of_an_output_that_nobody_takes_is_reported() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("a bomb");
        }
    }
    let reports = Arc::new(Mutex::new(Vec::new()));
    let runtime = {
        let reports = Arc::clone(&reports);
        tenter::Builder::current_thread()
            .on_unobserved(move |failure| {
                reports.lock().unwrap().push(failure.message().to_owned());
            })
            .build()
            .expect("a runtime")
    };
    let bench = Bench {
        pool: Arc::new(Pool::new(Settings::default())),
        runtime,
    };
    drop(bench.spawn(|| Bomb));
    bench.until("the bomb is dropped", |metrics| metrics.completed == 1);
    assert_eq!(*reports.lock().unwrap(), ["a bomb"]);
    assert_eq!(bench.join(bench.spawn(|| 1)).expect("the thread lives"), 1);
}

#[test]
fn a_job_is_spawned_from_anywhere() {
    let bench = Arc::new(Bench::with_threads(2));
    let from_pool = {
        let inner = Arc::clone(&bench);
        bench.spawn(move || inner.spawn(|| 1))
    };
    let from_pool = bench.join(from_pool).expect("it runs");
    assert_eq!(bench.join(from_pool).expect("it runs"), 1);
    let foreign = {
        let bench = Arc::clone(&bench);
        thread::spawn(move || bench.spawn(|| 2))
    };
    let foreign = foreign.join().expect("no panic");
    assert_eq!(bench.join(foreign).expect("it runs"), 2);
    let in_task = {
        let bench = Arc::clone(&bench);
        bench.runtime.spawn({
            let bench = Arc::clone(&bench);
            async move { bench.spawn(|| 3).await }
        })
    };
    let output = bench.runtime.block_on(in_task).expect("the task runs");
    assert_eq!(output.expect("it runs"), 3);
}
