//! How many threads there are: bursts, refusals, jobs that wait for jobs.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;
use std::{io, thread};

use tenter::__private::blocking::Settings;
use tenter::{CancelKind, Handle};

use crate::support::{Bench, occupy};

#[test]
fn a_burst_of_ten_thousand_runs_on_few_threads() {
    let bench = Bench::with_threads(512);
    let done = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..10_000)
        .map(|_| {
            let done = Arc::clone(&done);
            bench.spawn(move || done.fetch_add(1, Ordering::Relaxed))
        })
        .collect();
    let mut order = HashSet::new();
    for job in jobs {
        assert!(order.insert(bench.join(job).expect("it runs")));
    }
    assert_eq!(order.len(), 10_000);
    let metrics = bench.pool.metrics();
    assert!(metrics.peak_threads <= 128, "{metrics:?}");
}

#[test]
fn jobs_that_all_wait_for_each_other_all_get_a_thread() {
    for count in [2, 5, 64] {
        let bench = Bench::with_threads(count);
        let barrier = Arc::new(Barrier::new(count));
        let jobs: Vec<_> = (0..count)
            .map(|_| {
                let barrier = Arc::clone(&barrier);
                bench.spawn(move || barrier.wait().is_leader())
            })
            .collect();
        let leaders = jobs
            .into_iter()
            .filter_map(|job| bench.join(job).expect("it runs").then_some(()))
            .count();
        assert_eq!(leaders, 1);
        assert_eq!(bench.pool.metrics().peak_threads, count);
    }
}

#[test]
fn no_more_jobs_run_at_a_time_than_there_may_be_threads() {
    let bench = Bench::with_threads(2);
    let now = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let jobs: Vec<_> = (0..200)
        .map(|_| {
            let (now, most) = (Arc::clone(&now), Arc::clone(&most));
            bench.spawn(move || {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
            })
        })
        .collect();
    for job in jobs {
        bench.join(job).expect("it runs");
    }
    assert!(most.load(Ordering::SeqCst) <= 2);
    assert!(bench.pool.metrics().peak_threads <= 2);
}

#[test]
fn threads_end_when_nothing_comes() {
    let bench = Bench::new(Settings {
        keep_alive: Duration::from_millis(1),
        ..Settings::default()
    });
    for round in 1..=3 {
        assert_eq!(bench.join(bench.spawn(|| 1)).expect("it runs"), 1);
        bench.until("the thread expires", |metrics| metrics.threads == 0);
        assert_eq!(bench.pool.metrics().started_threads, round);
    }
}

/// The system refuses threads while this is set.
fn refusing() -> (Arc<AtomicBool>, Settings) {
    let refuse = Arc::new(AtomicBool::new(true));
    let switch = Arc::clone(&refuse);
    let settings = Settings {
        max_threads: 4,
        refuse: Some(Arc::new(move || {
            refuse
                .load(Ordering::SeqCst)
                .then(|| io::Error::from_raw_os_error(11))
        })),
        ..Settings::default()
    };
    (switch, settings)
}

#[test]
fn a_thread_that_is_refused_where_there_is_none_is_an_error_of_the_job() {
    let (switch, settings) = refusing();
    let bench = Bench::new(settings);
    let error = bench
        .join(bench.spawn(|| unreachable!("no thread")))
        .expect_err("there is no thread");
    assert_eq!(
        error.reason().map(|reason| reason.kind()),
        Some(CancelKind::NoThread)
    );
    let message = error.to_string();
    for part in ["limits.rs", "refused", "os error 11", "ulimit -u"] {
        assert!(message.contains(part), "{part} is not in {message}");
    }
    assert_eq!(bench.pool.metrics().refused_threads, 1);
    // It is not for ever.
    switch.store(false, Ordering::SeqCst);
    assert_eq!(bench.join(bench.spawn(|| 1)).expect("it runs"), 1);
}

#[test]
fn a_thread_that_is_refused_where_there_is_another_leaves_the_job_queued() {
    let (switch, settings) = refusing();
    switch.store(false, Ordering::SeqCst);
    let bench = Bench::new(settings);
    let (open, first) = occupy(&bench);
    switch.store(true, Ordering::SeqCst);
    let second = bench.spawn(|| 2);
    let metrics = bench.pool.metrics();
    assert_eq!((metrics.queued, metrics.refused_threads), (1, 1));
    open.send(()).expect("the job waits");
    bench.join(first).expect("it ran");
    assert_eq!(bench.join(second).expect("it runs"), 2);
}

#[test]
fn jobs_that_wait_for_jobs_are_stood_in_for() {
    fn nested(bench: Arc<Bench>, depth: u32) -> u32 {
        if depth == 0 {
            return 0;
        }
        let inner = Arc::clone(&bench);
        let job = bench.spawn(move || nested(inner, depth - 1));
        bench.home().block_on(job).expect("it runs") + 1
    }
    let bench = Arc::new(Bench::with_threads(1));
    assert_eq!(nested(Arc::clone(&bench), 20), 20);
    let metrics = bench.pool.metrics();
    assert_eq!(metrics.waiting, 0);
    assert!(metrics.peak_threads <= 21, "{metrics:?}");
    // The limit holds again.
    let (open, first) = occupy(&bench);
    let second = bench.spawn(|| ());
    assert_eq!(bench.pool.metrics().queued, 1);
    open.send(()).expect("the job waits");
    bench.join(first).expect("it ran");
    bench.join(second).expect("it ran");
}

#[test]
fn a_full_pool_of_jobs_that_wait_for_jobs_ends() {
    let bench = Arc::new(Bench::with_threads(4));
    let barrier = Arc::new(Barrier::new(4));
    let outer: Vec<_> = (0..4)
        .map(|number| {
            let (barrier, inner) = (Arc::clone(&barrier), Arc::clone(&bench));
            bench.spawn(move || {
                // Every thread is taken before any inner job is queued.
                barrier.wait();
                let job = inner.spawn(move || number);
                inner.home().block_on(job).expect("it runs")
            })
        })
        .collect();
    let sum: usize = outer
        .into_iter()
        .map(|job| bench.join(job).expect("it runs"))
        .sum();
    assert_eq!(sum, 6);
}

#[test]
fn no_job_is_lost_while_threads_come_go_and_are_refused() {
    const SPAWNERS: usize = 4;
    const JOBS: usize = 500;
    let asked = AtomicUsize::new(0);
    let bench = Arc::new(Bench::new(Settings {
        max_threads: 3,
        keep_alive: Duration::from_nanos(1),
        refuse: Some(Arc::new(move || {
            let refused = asked.fetch_add(1, Ordering::Relaxed) % 3 == 0;
            refused.then(|| io::Error::from_raw_os_error(11))
        })),
        ..Settings::default()
    }));
    let spawners: Vec<_> = (0..SPAWNERS)
        .map(|_| {
            let bench = Arc::clone(&bench);
            thread::spawn(move || {
                let mut ended = 0;
                for number in 0..JOBS {
                    let inner = Arc::clone(&bench);
                    let job = bench.spawn(move || {
                        if number % 5 == 0 {
                            let job = inner.spawn(|| ());
                            let _ = inner.home().block_on(job);
                        }
                    });
                    match bench.join(job) {
                        Ok(()) => {}
                        Err(error) => assert_eq!(
                            error.reason().map(|reason| reason.kind()),
                            Some(CancelKind::NoThread)
                        ),
                    }
                    ended += 1;
                }
                ended
            })
        })
        .collect();
    let ended: usize = spawners
        .into_iter()
        .map(|spawner| spawner.join().expect("no panic"))
        .sum();
    assert_eq!(ended, SPAWNERS * JOBS);
    bench.until("the threads expire", |metrics| metrics.threads == 0);
}

/// The threads of a runtime call its hooks, and have the stack and the name that it sets.
#[test]
fn the_settings_of_a_runtime_are_those_of_its_pool() {
    let started = Arc::new(AtomicUsize::new(0));
    let stopped = Arc::new(AtomicUsize::new(0));
    let (start, stop) = (Arc::clone(&started), Arc::clone(&stopped));
    let count = |counter: Arc<AtomicUsize>| {
        move || {
            let this = thread::current();
            if this
                .name()
                .is_some_and(|name| name.starts_with("deep-blocking-"))
            {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    };
    let runtime = tenter::Builder::current_thread()
        .thread_name("deep")
        .thread_stack_size(32 * 1024 * 1024)
        .on_thread_start(count(start))
        .on_thread_stop(count(stop))
        .build()
        .expect("a runtime");
    /// More than the system's default stack would hold.
    fn deep(levels: usize) -> usize {
        let frame = std::hint::black_box([1_u8; 16 * 1024]);
        if levels == 0 {
            return 0;
        }
        deep(levels - 1) + usize::from(frame[levels % frame.len()])
    }
    let job = runtime.spawn_blocking(|| deep(1_000));
    assert_eq!(runtime.block_on(job).expect("it runs"), 1_000);
    assert_eq!(started.load(Ordering::SeqCst), 1);
    drop(runtime);
    assert_eq!(stopped.load(Ordering::SeqCst), 1, "the end waits for them");
}

#[test]
fn jobs_that_wait_for_jobs_end_in_every_flavour() {
    for builder in [
        tenter::Builder::multi_thread().workers(2),
        tenter::Builder::current_thread(),
    ] {
        let runtime = builder.max_blocking_threads(1).build().expect("a runtime");
        let output = runtime.block_on(async {
            let outer = tenter::spawn_blocking(|| {
                let inner = tenter::spawn_blocking(|| 6);
                Handle::current().block_on(inner).expect("it runs") + 1
            });
            outer.await.expect("it runs")
        });
        assert_eq!(output, 7);
    }
}
