//! What the models share: the runner, a `block_on` that loom can see through, and probes.
//!
//! A model is a test in `tests/<protocol>.rs` that hands a body to [`check`]. The body uses the
//! production code through `tenter_sync::shim`; under `--cfg tenter_loom` every schedule and every
//! weak-memory outcome within the preemption bound is explored. `cargo xtask loom` runs each model
//! in a process of its own and compares the number of schedules with `models.lock`.
//!
//! Tests: `loom-tests/tests/canary.rs`.

#[cfg(tenter_loom)]
pub mod toy;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tenter_sync::shim::diagnostic::{AtomicUsize, Ordering};
use tenter_sync::shim::{self, Condvar, Live, Mutex};

/// Preemptions per schedule, unless `LOOM_MAX_PREEMPTIONS` says otherwise.
const BOUND: usize = 2;

/// Explores every schedule of `body`, which is called once for each.
///
/// `name` is `file::test` of the calling test. The line printed at the end is what
/// `cargo xtask loom` compares with `models.lock`; a test without it is not a model.
///
/// # Panics
///
/// When built without `--cfg tenter_loom`, when a schedule fails, and when the search was limited.
pub fn check(name: &str, body: impl Fn() + Send + Sync + 'static) {
    if !shim::MODELLED {
        panic!("{name} was built without the model checker; run `cargo xtask loom`");
    }
    let iterations = logged(|| shim::explore(body));
    let bound = std::env::var("LOOM_MAX_PREEMPTIONS").unwrap_or_else(|_| BOUND.to_string());
    println!("\nmodel {name} iterations {iterations} bound {bound}");
}

/// Prints what loom logs, if `LOOM_LOG` asks for it.
#[cfg(tenter_loom)]
fn logged<R>(body: impl FnOnce() -> R) -> R {
    use tracing_subscriber::{EnvFilter, fmt};
    if std::env::var_os("LOOM_LOG").is_none() {
        return body();
    }
    let subscriber = fmt()
        .with_env_filter(EnvFilter::from_env("LOOM_LOG"))
        .without_time()
        .finish();
    tracing::subscriber::with_default(subscriber, body)
}

#[cfg(not(tenter_loom))]
fn logged<R>(body: impl FnOnce() -> R) -> R {
    body()
}

/// Runs a future on the calling model thread.
///
/// It waits on a lock and a condition variable that loom sees, so a lost wake is a deadlock that
/// loom reports, and a waker that is never dropped is a leak that loom reports.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let signal = Arc::new(Signal::new());
    let waker = Waker::from(Arc::clone(&signal));
    loop {
        if let Poll::Ready(output) = poll_once(future.as_mut(), &waker) {
            return output;
        }
        if signal.wait() == Woken::ByItself {
            // What it wants to look at again is in another thread's hands: let that one go on.
            shim::thread::yield_now();
        }
    }
}

/// Polls a future once with this waker.
pub fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Who has woken a future.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Woken {
    #[default]
    No,
    /// The thread that polls it: in the poll, to be polled again.
    ByItself,
    ByOthers,
}

/// What the waker of [`block_on`] sets.
struct Signal {
    owner: shim::thread::ThreadId,
    woken: Mutex<Woken>,
    changed: Condvar,
    /// loom reports the leak of this reference count, and so the leak of a waker.
    _leak: shim::Arc<()>,
}

impl Signal {
    fn new() -> Self {
        Self {
            owner: shim::thread::current_id(),
            woken: Mutex::new(Woken::No),
            changed: Condvar::new(),
            _leak: shim::Arc::new(()),
        }
    }

    fn wait(&self) -> Woken {
        let mut woken = self.woken.lock();
        while *woken == Woken::No {
            self.changed.wait(&mut woken);
        }
        std::mem::take(&mut *woken)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        let mut woken = self.woken.lock();
        if shim::thread::current_id() != self.owner {
            *woken = Woken::ByOthers;
        } else if *woken == Woken::No {
            *woken = Woken::ByItself;
        }
        drop(woken);
        self.changed.notify_one();
    }
}

/// A waker that only counts. The count adds no branch to the model.
#[derive(Debug, Default)]
pub struct WakeCount(AtomicUsize);

impl WakeCount {
    /// A waker, and the count of its wakes.
    #[must_use]
    pub fn waker() -> (Waker, Arc<Self>) {
        let count = Arc::new(Self::default());
        (Waker::from(Arc::clone(&count)), count)
    }

    /// How often it was woken.
    #[must_use]
    pub fn wakes(&self) -> usize {
        // ORDERING: Relaxed. Read after the wakers' threads were joined.
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for WakeCount {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // ORDERING: Relaxed. A count publishes nothing.
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Counts [`Tracked`] values that were made and dropped.
#[derive(Clone, Debug, Default)]
pub struct Census(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

impl Census {
    /// Nobody yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A value whose drop is counted.
    #[must_use]
    pub fn track<T>(&self, value: T) -> Tracked<T> {
        // ORDERING: Relaxed. A count publishes nothing.
        self.0.made.fetch_add(1, Ordering::Relaxed);
        Tracked {
            value,
            live: Live::new(),
            census: self.clone(),
        }
    }

    /// How many were dropped so far.
    #[must_use]
    pub fn dropped(&self) -> usize {
        // ORDERING: Relaxed. Read by the thread that dropped, or after joining it.
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// # Panics
    ///
    /// Unless every tracked value was dropped. A second drop is caught by the value itself.
    pub fn assert_all_dropped(&self) {
        // ORDERING: Relaxed. Read after every other thread was joined.
        let made = self.0.made.load(Ordering::Relaxed);
        assert_eq!(self.dropped(), made, "values dropped, of values made");
    }
}

/// A value whose use and drop loom watches: a use that races with the drop is a finding.
#[derive(Debug)]
pub struct Tracked<T> {
    value: T,
    live: Live,
    census: Census,
}

impl<T> Tracked<T> {
    /// Uses the value.
    pub fn get(&self) -> &T {
        self.live.touch();
        &self.value
    }
}

impl<T> Drop for Tracked<T> {
    fn drop(&mut self) {
        self.live.end();
        // ORDERING: Relaxed. A count publishes nothing.
        self.census.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}
