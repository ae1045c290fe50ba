//! One measurement: wall and processor time of a stretch of work.

use std::future::Future;
use std::time::{Duration, Instant};

use crate::machine;
use crate::peer::Peer;

/// The figures of one round, in the order in which the row names them.
pub type Sample = Vec<f64>;

/// Times a stretch of work on both clocks.
#[derive(Debug)]
pub struct Stopwatch {
    wall: Instant,
    cpu: Duration,
}

impl Stopwatch {
    /// Starts both clocks.
    pub fn start() -> Self {
        let cpu = machine::process_cpu();
        Self {
            wall: Instant::now(),
            cpu,
        }
    }

    /// Processor time since it started.
    pub fn cpu(&self) -> Duration {
        machine::process_cpu().saturating_sub(self.cpu)
    }

    /// Nanoseconds of wall time and of processor time for each of `operations`.
    pub fn stop(self, operations: u64) -> Sample {
        let wall = self.wall.elapsed();
        vec![each(wall, operations), each(self.cpu(), operations)]
    }
}

/// Nanoseconds for each of `operations`.
pub fn each(total: Duration, operations: u64) -> f64 {
    total.as_nanos() as f64 / operations as f64
}

/// Runs `operation(n)` from a task of a fresh runtime, once shortened to warm up and once timed.
pub fn from_a_task<P, F>(n: u64, operation: fn(u64) -> F) -> Sample
where
    P: Peer,
    F: Future<Output = ()> + Send + 'static,
{
    in_a_task::<P, _>(async move {
        operation(n / 4 + 1).await;
        let watch = Stopwatch::start();
        operation(n).await;
        watch.stop(n)
    })
}

/// Runs `future` as a task of a fresh runtime: what `block_on` polls itself is no task, and some
/// runtimes treat it worse.
pub fn in_a_task<P, F>(future: F) -> F::Output
where
    P: Peer,
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    in_a_task_of(&P::new(), future)
}

/// Runs `future` as a task of `peer`.
pub fn in_a_task_of<P, F>(peer: &P, future: F) -> F::Output
where
    P: Peer,
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    peer.block_on(async { P::spawn(future).await })
}
