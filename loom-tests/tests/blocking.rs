//! The blocking pool (`runtime/src/blocking/`), from the first job to the last thread.
#![cfg(tenter_loom)]

use std::io;
use std::panic::Location;
use std::sync::Arc as StdArc;

use tenter::model::{Home, Pool, Settings, Unobserved};
use tenter::{CancelKind, JoinHandle};
use tenter_loom_tests::{Census, block_on, check};
use tenter_sync::shim::diagnostic::{AtomicUsize, Ordering};
use tenter_sync::shim::{Arc, Condvar, Mutex, thread};

/// A home without a runtime.
#[derive(Clone)]
struct Nowhere;

impl Home for Nowhere {
    fn run<R>(&self, body: impl FnOnce() -> R) -> R {
        body()
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails in these models: {failure}");
    }
}

fn pool(max_threads: usize) -> Arc<Pool> {
    Arc::new(Pool::new(Settings {
        max_threads,
        ..Settings::default()
    }))
}

fn spawn<R: Send + 'static>(
    pool: &Pool,
    function: impl FnOnce() -> R + Send + 'static,
) -> JoinHandle<R> {
    pool.spawn(function, Nowhere, None, Location::caller())
}

fn shut_down(pool: &Pool) {
    assert!(pool.shut_down(None).is_empty());
    let metrics = pool.metrics();
    assert_eq!(
        (metrics.threads, metrics.queued, metrics.running),
        (0, 0, 0)
    );
}

/// Threads that wait for each other.
struct Meeting {
    missing: Mutex<usize>,
    changed: Condvar,
}

impl Meeting {
    fn of(count: usize) -> Arc<Self> {
        Arc::new(Self {
            missing: Mutex::new(count),
            changed: Condvar::new(),
        })
    }

    fn meet(&self) {
        let mut missing = self.missing.lock();
        *missing -= 1;
        self.changed.notify_all();
        while *missing > 0 {
            self.changed.wait(&mut missing);
        }
    }
}

/// Goal: a job that is handed in while the only thread goes to sleep gets run.
#[test]
fn idle_vs_notify() {
    check("blocking::idle_vs_notify", || {
        let pool = pool(1);
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || block_on(spawn(&pool, || 1)).expect("open"))
        };
        let here = block_on(spawn(&pool, || 2)).expect("open");
        assert_eq!(other.join().unwrap() + here, 3);
        assert_eq!(pool.metrics().peak_threads, 1);
        shut_down(&pool);
    });
}

fn meet(pool: &Pool, count: usize) {
    let meeting = Meeting::of(count);
    let jobs: Vec<_> = (0..count)
        .map(|_| {
            let meeting = Arc::clone(&meeting);
            spawn(pool, move || meeting.meet())
        })
        .collect();
    for job in jobs {
        block_on(job).expect("open");
    }
    shut_down(pool);
}

/// Goal: two jobs that wait for each other both get a thread, whoever wakes or starts it.
#[test]
fn two_that_meet() {
    check("blocking::two_that_meet", || meet(&pool(2), 2));
}

/// Goal: the same beside a queue that is long, which a thread naps beside before it takes from it.
#[test]
fn a_scout_sees_that_nothing_moves() {
    check("blocking::a_scout_sees_that_nothing_moves", || {
        let pool = Pool::new(Settings {
            max_threads: 2,
            eager_threads: 1,
            ..Settings::default()
        });
        meet(&pool, 2);
    });
}

/// Goal: a job that is handed in while the pool is closed runs or is cancelled, is dropped once either
/// way, and whoever joins it is told. No thread sleeps on.
#[test]
fn close_vs_spawn() {
    check("blocking::close_vs_spawn", || {
        let pool = pool(1);
        let census = Census::new();
        let captured = census.track(7);
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(
                move || match block_on(spawn(&pool, move || *captured.get())) {
                    Ok(output) => assert_eq!(output, 7),
                    Err(error) => assert!(error.is_cancelled()),
                },
            )
        };
        shut_down(&pool);
        other.join().unwrap();
        census.assert_all_dropped();
        let late = block_on(spawn(&pool, || ()));
        assert!(late.expect_err("closed is final").is_cancelled());
    });
}

/// Goal: an idle thread is called when the pool is closed.
#[test]
fn close_vs_idle() {
    check("blocking::close_vs_idle", || {
        let pool = pool(1);
        block_on(spawn(&pool, || ())).expect("open");
        shut_down(&pool);
    });
}

/// Goal: where the system refuses the first thread, each of two jobs runs on another one or is told that
/// there is none; none is left in the queue.
#[test]
fn thread_refused() {
    check("blocking::thread_refused", || {
        let asked = StdArc::new(AtomicUsize::new(0));
        let refuse = move || {
            // ORDERING: Relaxed. A count publishes nothing.
            let first = asked.fetch_add(1, Ordering::Relaxed) == 0;
            first.then(|| io::Error::from(io::ErrorKind::WouldBlock))
        };
        let pool = Arc::new(Pool::new(Settings {
            max_threads: 1,
            refuse: Some(StdArc::new(refuse)),
            ..Settings::default()
        }));
        let spawn_and_join = |pool: &Pool| match block_on(spawn(pool, || ())) {
            Ok(()) => 1,
            Err(error) => {
                let reason = error.reason().expect("it is no panic");
                assert_eq!(reason.kind(), CancelKind::NoThread);
                0
            }
        };
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || spawn_and_join(&pool))
        };
        let ran = spawn_and_join(&pool) + other.join().unwrap();
        assert!(
            ran < 2,
            "the first thread was refused, and there was no other"
        );
        shut_down(&pool);
    });
}

/// Goal: whoever waits for the end of the pool is told when a thread that was about to be started never
/// comes.
#[test]
fn refused_vs_close() {
    check("blocking::refused_vs_close", || {
        let refuse = || Some(io::Error::from(io::ErrorKind::WouldBlock));
        let pool = Arc::new(Pool::new(Settings {
            refuse: Some(StdArc::new(refuse)),
            ..Settings::default()
        }));
        let other = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || block_on(spawn(&pool, || ())).expect_err("no thread"))
        };
        shut_down(&pool);
        assert!(other.join().unwrap().is_cancelled());
    });
}

/// Goal: a job that calls a thread at the moment when its keep-alive ends is run, by that thread or by a
/// new one.
#[test]
fn expire_vs_submit() {
    check("blocking::expire_vs_submit", || {
        let pool = pool(1);
        block_on(spawn(&pool, || ())).expect("open");
        let clock = {
            let pool = Arc::clone(&pool);
            thread::spawn(move || {
                for sleeper in pool.sleepers() {
                    sleeper.futex().expire();
                }
            })
        };
        block_on(spawn(&pool, || ())).expect("open");
        clock.join().unwrap();
        shut_down(&pool);
    });
}

/// Goal: a job that waits for a job on the only thread there may be is stood in for.
#[test]
fn wait_for_a_job() {
    check("blocking::wait_for_a_job", || {
        let pool = pool(1);
        let inner = Arc::clone(&pool);
        let outer = spawn(&pool, move || {
            let job = spawn(&inner, || 7);
            tenter::model::while_waiting(|| block_on(job)).expect("open")
        });
        assert_eq!(block_on(outer).expect("open"), 7);
        shut_down(&pool);
    });
}
