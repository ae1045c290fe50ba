//! The blocking pool: jobs that run, fail, wait, are cancelled, and end with their pool.

use std::collections::HashSet;
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tenter::__private::blocking::{Pool, Settings};
use tenter::{CancelKind, Handle, JoinError, JoinHandle, Runtime};

/// Long enough for any machine; only a failure waits for so long.
const FOR_EVER: Duration = Duration::from_secs(60);

/// A pool, and a runtime for its jobs to be at home in.
struct Bench {
    pool: Arc<Pool>,
    runtime: Runtime,
}

impl Bench {
    fn new(settings: Settings) -> Self {
        Self {
            pool: Arc::new(Pool::new(settings)),
            runtime: Runtime::new().expect("a runtime"),
        }
    }

    fn with_threads(max_threads: usize) -> Self {
        Self::new(Settings {
            max_threads,
            ..Settings::default()
        })
    }

    fn home(&self) -> Handle {
        self.runtime.handle().clone()
    }

    #[track_caller]
    fn spawn<R: Send + 'static>(
        &self,
        function: impl FnOnce() -> R + Send + 'static,
    ) -> JoinHandle<R> {
        self.pool
            .spawn(function, self.home(), None, Location::caller())
    }

    fn join<R>(&self, job: JoinHandle<R>) -> Result<R, JoinError> {
        self.runtime.handle().block_on(job)
    }

    /// Waits until the pool says so. It is asked again and again: what it counts, nobody is woken for.
    fn until(&self, what: &str, condition: impl Fn(&tenter::__private::blocking::Metrics) -> bool) {
        let began = Instant::now();
        while !condition(&self.pool.metrics()) {
            assert!(
                began.elapsed() < FOR_EVER,
                "{what}: {:?}",
                self.pool.metrics()
            );
            thread::yield_now();
        }
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        let stuck = self.pool.shut_down(Some(FOR_EVER));
        assert!(
            stuck.is_empty() || thread::panicking(),
            "jobs still run: {stuck:?}"
        );
    }
}

/// A gate that jobs wait at until a test opens it.
fn gate() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, opened) = mpsc::channel::<()>();
    (open, move || {
        let _ = opened.recv();
    })
}

/// A job that holds a thread until the gate is opened; returns when it runs.
fn occupy(bench: &Bench) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (open, wait) = gate();
    let (running, runs) = mpsc::channel();
    let job = bench.spawn(move || {
        running.send(()).expect("the test waits");
        wait();
    });
    runs.recv_timeout(FOR_EVER).expect("it runs");
    (open, job)
}

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
    for part in ["blocking.rs", "refused", "os error 11", "ulimit -u"] {
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
        line.contains("blocking.rs") && line.contains("tenter-blocking-0"),
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
    assert!(report.to_string().contains("blocking.rs"), "{report}");
    open.send(()).expect("the job waits");
    assert_eq!(handle.block_on(job).expect("it runs to its end"), 7);
}

struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
