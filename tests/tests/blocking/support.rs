//! A pool with a runtime around it.

use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use tenter::__private::blocking::{Pool, Settings};
use tenter::{Handle, JoinError, JoinHandle, Runtime};

/// Long enough for any machine; only a failure waits for so long.
pub const FOR_EVER: Duration = Duration::from_secs(60);

/// A pool, and a runtime for its jobs to be at home in.
pub struct Bench {
    pub pool: Arc<Pool>,
    pub runtime: Runtime,
}

impl Bench {
    pub fn new(settings: Settings) -> Self {
        Self {
            pool: Arc::new(Pool::new(settings)),
            runtime: Runtime::new().expect("a runtime"),
        }
    }

    pub fn with_threads(max_threads: usize) -> Self {
        Self::new(Settings {
            max_threads,
            ..Settings::default()
        })
    }

    pub fn home(&self) -> Handle {
        self.runtime.handle().clone()
    }

    #[track_caller]
    pub fn spawn<R: Send + 'static>(
        &self,
        function: impl FnOnce() -> R + Send + 'static,
    ) -> JoinHandle<R> {
        self.pool
            .spawn(function, self.home(), None, Location::caller())
    }

    pub fn join<R>(&self, job: JoinHandle<R>) -> Result<R, JoinError> {
        self.runtime.handle().block_on(job)
    }

    /// Waits until the pool says so. It is asked again and again: what it counts, nobody is woken for.
    pub fn until(
        &self,
        what: &str,
        condition: impl Fn(&tenter::__private::blocking::Metrics) -> bool,
    ) {
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
pub fn gate() -> (mpsc::Sender<()>, impl FnOnce() + Send + 'static) {
    let (open, opened) = mpsc::channel::<()>();
    (open, move || {
        let _ = opened.recv();
    })
}

/// A job that holds a thread until the gate is opened; returns when it runs.
#[track_caller]
pub fn occupy(bench: &Bench) -> (mpsc::Sender<()>, JoinHandle<()>) {
    let (open, wait) = gate();
    let (running, runs) = mpsc::channel();
    let job = bench.spawn(move || {
        running.send(()).expect("the test waits");
        wait();
    });
    runs.recv_timeout(FOR_EVER).expect("it runs");
    (open, job)
}

pub struct SetOnDrop(pub Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}
