//! What the tests of the facade share: the flavours, a watchdog, meetings of threads, and things that
//! count what is done to them.
//!
//! Threads meet with parking_lot's locks, not with those of the standard library, whose insides
//! ThreadSanitizer does not see.

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};
use tenter::Builder;

mod crew;
pub mod hostile;

pub use crew::{every, one_thread, settle};

/// Real time after which a test counts as hung. Far above what the slowest takes under a sanitizer.
const HANG: Duration = Duration::from_secs(120);

/// Runs a test on each single-threaded flavour, each on a thread of its own, so that what one leaves
/// in thread-locals does not reach the other. A test that hangs fails.
pub fn both(test: impl Fn(Builder) + Send + Sync + 'static) {
    let test = Arc::new(test);
    let flavours = [
        ("current_thread", Builder::current_thread()),
        ("deterministic", Builder::deterministic(7)),
    ];
    for (flavour, builder) in flavours {
        let test = Arc::clone(&test);
        ends(flavour, move || test(builder));
    }
}

/// Runs `body` on a thread of its own and fails if it does not end.
pub fn ends<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> T {
    let done = Slot::new();
    let thread = std::thread::Builder::new()
        .name(name.to_owned())
        .spawn({
            let done = done.clone();
            move || done.put(catch_unwind(AssertUnwindSafe(body)))
        })
        .expect("the system has a thread left");
    let Some(outcome) = done.take_within(HANG) else {
        panic!("{name}: hung for {HANG:?}")
    };
    thread.join().expect("the body's panic was caught");
    outcome.unwrap_or_else(|payload| {
        eprintln!("failed on {name}");
        resume_unwind(payload)
    })
}

/// Starts a thread. Its panic is the joiner's.
pub fn thread<T: Send + 'static>(body: impl FnOnce() -> T + Send + 'static) -> Running<T> {
    let done = Slot::new();
    let thread = std::thread::spawn({
        let done = done.clone();
        move || done.put(catch_unwind(AssertUnwindSafe(body)))
    });
    Running { done, thread }
}

/// A thread that was started by [`thread()`].
#[derive(Debug)]
pub struct Running<T> {
    done: Slot<std::thread::Result<T>>,
    thread: std::thread::JoinHandle<()>,
}

impl<T> Running<T> {
    /// What the body returned.
    pub fn join(self) -> T {
        let outcome = self.done.take();
        self.thread.join().expect("the body's panic was caught");
        outcome.unwrap_or_else(|payload| resume_unwind(payload))
    }
}

/// A place for one value, which one thread puts and another waits for.
#[derive(Debug)]
pub struct Slot<T>(Arc<(Mutex<Option<T>>, Condvar)>);

impl<T> Slot<T> {
    /// An empty place.
    pub fn new() -> Self {
        Self(Arc::new((Mutex::new(None), Condvar::new())))
    }

    /// Puts a value there.
    pub fn put(&self, value: T) {
        let (place, changed) = &*self.0;
        *place.lock() = Some(value);
        changed.notify_all();
    }

    /// Whether a value is there.
    pub fn is_full(&self) -> bool {
        self.0.0.lock().is_some()
    }

    /// Waits for a value and takes it.
    pub fn take(&self) -> T {
        self.take_within(HANG).expect("hung: nobody put a value")
    }

    /// Waits for a value, but not for ever.
    pub fn take_within(&self, limit: Duration) -> Option<T> {
        let (place, changed) = &*self.0;
        let mut place = place.lock();
        while place.is_none() {
            if changed.wait_for(&mut place, limit).timed_out() {
                break;
            }
        }
        place.take()
    }
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A place where a number of threads meet before they go on, again and again.
#[derive(Debug)]
pub struct Meeting {
    threads: usize,
    /// Those who wait, and how many meetings there have been.
    state: Mutex<(usize, usize)>,
    complete: Condvar,
}

impl Meeting {
    /// A meeting of so many.
    pub fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self {
            threads,
            state: Mutex::new((0, 0)),
            complete: Condvar::new(),
        })
    }

    /// Waits for all the others.
    pub fn meet(&self) {
        let mut state = self.state.lock();
        state.0 += 1;
        if state.0 == self.threads {
            *state = (0, state.1 + 1);
            self.complete.notify_all();
            return;
        }
        let meeting = state.1;
        while state.1 == meeting {
            let waited = self.complete.wait_for(&mut state, HANG);
            assert!(!waited.timed_out(), "hung: somebody did not come");
        }
    }
}

/// A list that anybody may add to.
#[derive(Debug)]
pub struct Log<T>(Arc<Mutex<Vec<T>>>);

impl<T> Log<T> {
    /// An empty list.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Vec::new())))
    }

    /// Adds to the end.
    pub fn add(&self, entry: T) {
        self.0.lock().push(entry);
    }

    /// Takes all that was added.
    pub fn take(&self) -> Vec<T> {
        core::mem::take(&mut self.0.lock())
    }
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Clone for Log<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// A number that anybody may count up.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    /// Zero.
    pub fn new() -> Self {
        Self::default()
    }

    /// One more. Returns the number before.
    pub fn add(&self) -> usize {
        self.0.fetch_add(1, Ordering::AcqRel)
    }

    /// The number.
    pub fn get(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Counts when it is dropped.
    pub fn on_drop(&self) -> CountOnDrop {
        CountOnDrop(self.clone())
    }
}

/// Made by [`Count::on_drop`].
#[derive(Debug)]
pub struct CountOnDrop(Count);

impl Drop for CountOnDrop {
    fn drop(&mut self) {
        self.0.add();
    }
}

/// Runs a function when it is dropped.
pub struct OnDrop<F: FnMut()>(pub F);

impl<F: FnMut()> Drop for OnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

impl<F: FnMut()> core::fmt::Debug for OnDrop<F> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("OnDrop")
    }
}

/// A waker that counts its wakes.
#[derive(Debug, Default)]
pub struct CountWakes(Count);

impl CountWakes {
    /// The waker, and its count.
    pub fn waker() -> (Waker, Count) {
        let count = Count::new();
        (Waker::from(Arc::new(Self(count.clone()))), count)
    }
}

impl Wake for CountWakes {
    fn wake(self: Arc<Self>) {
        self.0.add();
    }
}

/// Polls once with a waker.
pub fn poll_with<F: Future + Unpin>(waker: &Waker, future: &mut F) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

/// Polls once, for nobody.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_with(Waker::noop(), future)
}

/// Runs a future as a foreign executor of the simplest kind would: on this thread, without tenter.
pub fn foreign_block_on<F: Future>(future: F) -> F::Output {
    struct Signal(Slot<()>);
    impl Wake for Signal {
        fn wake(self: Arc<Self>) {
            self.0.put(());
        }
    }
    let woken = Slot::new();
    let waker = Waker::from(Arc::new(Signal(woken.clone())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        woken.take();
    }
}

/// Never ready, and wakes nobody.
pub fn never() -> std::future::Pending<()> {
    std::future::pending()
}

/// Gives the first poll's waker away, and is ready at the next poll.
#[derive(Debug)]
pub struct GiveWaker {
    to: Slot<Waker>,
    given: bool,
}

impl GiveWaker {
    /// Puts the waker into `to`.
    pub fn new(to: Slot<Waker>) -> Self {
        Self { to, given: false }
    }
}

impl Future for GiveWaker {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if core::mem::replace(&mut self.given, true) {
            return Poll::Ready(());
        }
        self.to.put(cx.waker().clone());
        Poll::Pending
    }
}

/// What `body` says when it panics. Fails if it does not.
pub fn panic_of<T>(body: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(_) => panic!("no panic, though one was expected"),
        Err(payload) => text_of(&*payload).to_owned(),
    }
}

/// What a payload says.
pub fn text_of(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("(not text)")
}

/// Fails unless `text` has every one of `parts`.
#[track_caller]
pub fn assert_says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is missing in: {text}");
    }
}

/// Makes the runtime. In a test of [`every`] flavour all its workers have a thread from the beginning.
pub fn build(builder: Builder) -> tenter::Runtime {
    let many = format!("{builder:?}").contains("MultiThread");
    let runtime = builder.build().expect("nothing is refused");
    if many {
        crew::start_all(&runtime);
    }
    runtime
}

/// Addresses of what was forgotten on purpose, so that a leak checker finds it.
static FORGOTTEN: Mutex<Vec<usize>> = Mutex::new(Vec::new());

/// `mem::forget`, but for leak checkers: the value stays reachable, and is never dropped.
pub fn forget<T>(value: T) {
    let address = Box::into_raw(Box::new(value)) as usize;
    FORGOTTEN.lock().push(address);
}

/// The name of the test that this process was started for by [`alone`].
const ALONE: &str = "TENTER_TEST_ALONE";

/// Runs the rest of a test in a process of its own, where nothing else happens. Call it first in the
/// test `name`: it returns true in that process, and false in the one that has waited for it.
///
/// `arrange` may change how the process is started, `judge` looks at how it ended.
pub fn alone_with(
    name: &str,
    arrange: impl FnOnce(&mut Command),
    judge: impl FnOnce(Child),
) -> bool {
    if std::env::var(ALONE).is_ok_and(|test| test == name) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().expect("a test knows its program"));
    command.args(["--exact", name, "--nocapture", "--test-threads=1"]);
    command.env(ALONE, name).stdin(Stdio::piped());
    arrange(&mut command);
    judge(command.spawn().expect("the system starts the program"));
    false
}

/// [`alone_with`] for a process that is to succeed.
pub fn alone(name: &str) -> bool {
    let captured = |command: &mut Command| {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    };
    alone_with(name, captured, |child| {
        let output = child.wait_with_output().expect("it ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
        assert!(out.contains("1 passed"), "it did not run:\n{out}");
    })
}
