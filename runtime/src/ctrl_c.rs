//! What ctrl-c does to a run.
//!
//! ```text
//!  SIGINT ─► signal/interrupt.rs ─► watcher, a thread ─► first: the main future of every run is cancelled
//!                                                    └─► all of them were told: exit(130)
//! ```
//!
//! The watcher is there while a run is in progress, and one for all runs of the process. Being a thread it
//! needs no poller, which a program without sockets would else have to start and to sleep in; and it ends
//! the program when the main future does not come back from a poll.
//!
//! Invariants:
//! - There is a watcher while the signal is taken, and then it has gone: a signal that one run did not live
//!   to see is not the next one's. `WATCHER` is locked for as long as either takes, before `RUNS`, which is
//!   all that the watcher itself locks.
//! - No user code, and no exit, under a lock.
//!
//! Tests: `tests/tests/ctrl_c.rs`.

#[cfg(not(feature = "signal"))]
use std::sync::Arc as StdArc;

#[cfg(feature = "signal")]
pub use self::watched::Watched;
#[cfg(not(feature = "signal"))]
use crate::builder::Config;
#[cfg(not(feature = "signal"))]
use crate::scope::node::Node;

/// What ctrl-c, that is SIGINT, does while a [`Runner`](crate::Runner) runs, or a `#[tenter::main]`.
///
/// [`Builder::ctrl_c`](crate::Builder::ctrl_c) sets it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CtrlC {
    /// The runtime has nothing to do with it: the system, or a handler of the program, decides.
    #[default]
    Leave,
    /// The first one cancels the main future, the next one ends the process at once with status 130.
    ///
    /// Only where SIGINT has its default effect when the run begins: a handler of the program, or SIGINT
    /// being ignored, stays. And as long as a stream or future of [`signal`](crate::signal) listens for
    /// SIGINT, it is for that one alone.
    CancelMain,
}

/// The stand-in where there are no signals: nothing interrupts a run.
#[cfg(not(feature = "signal"))]
#[derive(Debug)]
pub struct Watched;

#[cfg(not(feature = "signal"))]
impl Watched {
    pub fn begin(config: &Config, _main: &StdArc<Node>) -> Self {
        debug_assert_eq!(config.ctrl_c, CtrlC::Leave, "nothing sets it");
        Self
    }

    pub fn main_is_over(&self) {}
}

#[cfg(feature = "signal")]
mod watched {
    use std::io;
    use std::sync::Arc as StdArc;

    use tenter_sync::shim::diagnostic::{AtomicBool, Ordering};
    use tenter_sync::shim::{Mutex, global, thread};

    use super::CtrlC;
    use crate::builder::Config;
    use crate::scope::node::Node;
    use crate::signal::interrupt;
    use crate::task::{CancelKind, CancelReason};

    /// The status of a process that ctrl-c has ended.
    const STATUS: i32 = 130;

    /// What the watcher knows of a run.
    #[derive(Debug)]
    struct Run {
        /// The main future.
        main: StdArc<Node>,
        told: AtomicBool,
    }

    global! {
        /// The runs of this process that ctrl-c interrupts. 3
        static RUNS: Mutex<Vec<StdArc<Run>>> = Mutex::new(Vec::new());
    }

    global! {
        /// The thread that watches, and the right to start and to end it. 2
        static WATCHER: Mutex<Option<thread::JoinHandle<()>>> = Mutex::new(None);
    }

    /// A run that is in progress.
    #[derive(Debug)]
    pub struct Watched(Option<StdArc<Run>>);

    impl Watched {
        /// A run begins.
        pub fn begin(config: &Config, main: &StdArc<Node>) -> Self {
            if config.ctrl_c != CtrlC::CancelMain {
                return Self(None);
            }
            let mut watcher = WATCHER.lock();
            if watcher.is_none() {
                match start_watcher() {
                    Ok(Some(thread)) => *watcher = Some(thread),
                    Ok(None) => return Self(None),
                    Err(error) => {
                        drop(watcher);
                        config.report_line(&format!(
                            "tenter: the system refused what it takes to watch for ctrl-c: {error}. It \
                             ends the process at once, without cancelling the main future"
                        ));
                        return Self(None);
                    }
                }
            }
            let run = StdArc::new(Run {
                main: StdArc::clone(main),
                told: AtomicBool::new(false),
            });
            RUNS.lock().push(StdArc::clone(&run));
            Self(Some(run))
        }

        /// What comes now is no longer for the main future: the next ctrl-c ends the process.
        pub fn main_is_over(&self) {
            if let Some(run) = &self.0 {
                let _ = run.tell();
            }
        }
    }

    impl Drop for Watched {
        fn drop(&mut self) {
            let Some(run) = self.0.take() else { return };
            let mut watcher = WATCHER.lock();
            let mut runs = RUNS.lock();
            runs.retain(|other| !StdArc::ptr_eq(other, &run));
            let is_last = runs.is_empty();
            drop(runs);
            if !is_last || !interrupt::is_of_this_process() {
                return;
            }
            interrupt::give_back();
            interrupt::dismiss();
            if let Some(thread) = watcher.take() {
                // It has no result; had it panicked, it would have said so.
                let _ = thread.join();
            }
        }
    }

    impl Run {
        /// Ctrl-c has come. False: it had come before.
        fn tell(&self) -> bool {
            // ORDERING: Relaxed. It orders nothing: the scope has a lock of its own.
            !self.told.swap(true, Ordering::Relaxed)
        }
    }

    /// `None`: ctrl-c is not ours.
    fn start_watcher() -> io::Result<Option<thread::JoinHandle<()>>> {
        if !interrupt::take()? {
            return Ok(None);
        }
        let started = thread::spawn_named("tenter-ctrl-c", || {
            while let Some(count) = interrupt::wait() {
                (0..count).for_each(|_| ctrl_c());
            }
        });
        if started.is_err() {
            interrupt::give_back();
        }
        started.map(Some)
    }

    /// Tells the runs; ends the process if all of them were told before.
    fn ctrl_c() {
        let runs = RUNS.lock().clone();
        let told: Vec<_> = runs.iter().filter(|run| run.tell()).collect();
        if told.is_empty() && !runs.is_empty() {
            std::process::exit(STATUS);
        }
        for run in told {
            run.main.cancel(&CancelReason::of(CancelKind::CtrlC));
        }
    }
}
