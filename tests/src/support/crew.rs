//! Tests that run on every flavour: on many threads too, where "let the others run" needs more than a
//! yield.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tenter::task::yield_now;
use tenter::{Builder, Runtime};

use super::{Meeting, both, ends};

/// The workers of the runtimes of a test: how many there are, above how many sleep.
#[derive(Debug, Default)]
struct Crew(AtomicU64);

const WORKER: u64 = 1 << 32;
const ASLEEP: u64 = 1;

thread_local! {
    static CREW: RefCell<Option<Arc<Crew>>> = const { RefCell::new(None) };
}

impl Crew {
    fn add(self: &Arc<Self>, what: u64) -> impl Fn() + Send + Sync + 'static {
        let crew = Arc::clone(self);
        move || {
            // Not the threads of blocking jobs, which do not tell when they sleep.
            let is_worker = |name: &str| name.contains("-worker-");
            if std::thread::current().name().is_some_and(is_worker) {
                crew.0.fetch_add(what, Ordering::AcqRel);
            }
        }
    }

    fn sleeps(&self) -> bool {
        let word = self.0.load(Ordering::Acquire);
        word / WORKER == word % WORKER
    }

    /// A builder whose workers tell when they come, go, sleep and wake.
    fn watch(self: &Arc<Self>, builder: Builder) -> Builder {
        builder
            .on_thread_start(self.add(WORKER))
            .on_thread_stop(self.add(WORKER.wrapping_neg()))
            .on_thread_park(self.add(ASLEEP))
            .on_thread_unpark(self.add(ASLEEP.wrapping_neg()))
    }
}

/// Runs a test on each flavour: like [`both`], and then on many threads with one worker and with two.
pub fn every(test: impl Fn(Builder) + Send + Sync + 'static) {
    let test = Arc::new(test);
    let single = Arc::clone(&test);
    both(move |builder| single(builder));
    for (flavour, workers) in [("one worker", 1), ("two workers", 2)] {
        let test = Arc::clone(&test);
        ends(flavour, move || {
            let crew = Arc::new(Crew::default());
            let builder = crew.watch(Builder::multi_thread().workers(workers));
            CREW.with(|place| *place.borrow_mut() = Some(crew));
            test(builder);
        });
    }
}

/// Starts all workers, if this is a test of every flavour.
pub(super) fn start_all(runtime: &Runtime) {
    if one_thread() {
        return;
    }
    let workers = runtime.metrics().workers;
    let all = Meeting::new(workers);
    for _ in 0..workers {
        let all = Arc::clone(&all);
        drop(runtime.spawn(async move { all.meet() }));
    }
    while runtime.metrics().completed_tasks < workers as u64 {
        std::thread::yield_now();
    }
}

/// Whether the tasks of this test run on the very thread that calls: then nothing happens at once.
pub fn one_thread() -> bool {
    CREW.with(|place| place.borrow().is_none())
}

/// Lets every other task run: on one thread to its next suspension; on many until none is ready any
/// more. For the main future of a test.
///
/// What this thread spawned and woke lies in one inbox, before the task that is awaited here (which one,
/// changes when a worker is started, so [`build`](super::build) starts them all); and no worker goes to
/// sleep before it has run what it has.
pub async fn settle() {
    let crew = CREW.with(|place| place.borrow().clone());
    let Some(crew) = crew else {
        return yield_now().await;
    };
    tenter::spawn(async {}).await.expect("no panic");
    while !crew.sleeps() {
        yield_now().await;
    }
}
