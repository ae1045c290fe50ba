//! Run: nothing by itself; `cargo run --release --example cookbook -- p01` runs a program on it
//!
//! Where the programs of the cookbook appear: their lines go to standard output, or into a record, with
//! the time at which they came.

use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use tenter::Handle;
use tenter::time::{Instant, advance, now};

tenter::context_var! {
    /// What the program that runs here is recorded in.
    static RECORD: Option<Arc<Record>> = None;
}

/// The lines of a program, and when they came.
#[derive(Debug)]
pub struct Record {
    began: Instant,
    clock: Pace,
    lines: Mutex<Vec<Line>>,
}

/// A line, and when it came, after the begin of the program.
pub type Line = (Duration, String);

/// What a thread that blocks does to the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// It moves the virtual clock; nothing else runs on that thread meanwhile.
    Virtual,
    /// Real time passes, so many times faster than the program says.
    Real {
        /// 1: as fast as it says.
        times: u32,
    },
}

impl Record {
    /// Runs a future and keeps its lines, also those of the tasks and threads that it starts. Returns
    /// them and the time that it took.
    pub async fn of<F: Future>(clock: Pace, future: F) -> (F::Output, Vec<Line>, Duration) {
        let record = Arc::new(Record {
            began: now(),
            clock,
            lines: Mutex::default(),
        });
        let ended = RECORD.scope(Some(Arc::clone(&record)), future).await;
        let took = record.elapsed();
        let lines = std::mem::take(&mut *record.lines());
        (ended, lines, took)
    }

    fn lines(&self) -> MutexGuard<'_, Vec<Line>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn elapsed(&self) -> Duration {
        let real = now() - self.began;
        match self.clock {
            Pace::Virtual => real,
            Pace::Real { times } => real * times,
        }
    }
}

/// Shows a line. The `println!` of the programs ends here.
pub fn line(text: String) {
    match RECORD.get() {
        Some(record) => {
            let mut lines = record.lines();
            // Under the lock, so that the times rise.
            lines.push((record.elapsed(), text));
        }
        // Nobody there to read it is no reason to end.
        None => drop(writeln!(std::io::stdout(), "{text}")),
    }
}

/// Stands for `std::thread` in the programs.
pub mod thread {
    use super::{Duration, Pace, RECORD, block_virtually};

    /// Blocks the thread, as `std::thread::sleep` does. On a virtual clock no real time passes, and the
    /// thread does nothing else meanwhile all the same.
    pub fn sleep(duration: Duration) {
        match RECORD.get().map(|record| record.clock) {
            None => std::thread::sleep(duration),
            Some(Pace::Real { times }) => std::thread::sleep(duration / times),
            Some(Pace::Virtual) => block_virtually(duration),
        }
    }
}

fn block_virtually(duration: Duration) {
    // On a thread for blocking jobs: the runtime goes on meanwhile, and so does its clock.
    let slept = Handle::current().try_block_on(tenter::time::sleep(duration));
    if slept.is_ok() {
        return;
    }
    // On the thread that runs the tasks: time passes over all deadlines, and nobody gets a turn.
    let mut passing = pin!(advance(duration));
    let mut nobody = Context::from_waker(Waker::noop());
    while passing.as_mut().poll(&mut nobody).is_pending() {}
}
