//! The harness: one future, dropped after each number of polls, in every way in which futures are dropped.
//!
//! ```text
//!  round:  world ──► future ──► poll ──► Pending ──► push the world on ──► woken? ─┐
//!                                 ▲                          │                    │
//!                                 └──────────────────────────┼────────────────────┘
//!                                           poll number n:   ▼
//!                                    dropped, in one of the ways ──► the case looks at its world
//!                                                                ──► the harness counts what is left
//! ```
//!
//! 1. A future is polled only after it was woken, so its polls are its suspension points, and a wake that is
//!    lost is a hang.
//! 2. n begins at 0, before the first poll, and ends with the first round whose future is ready. For each n
//!    there is a round whose future waits when it is dropped, and one in which it has been woken.
//! 3. A case says how many suspensions it has at least: it cannot pass because it never waits.
//! 4. After a round there are as many descriptors as before, no task, timer, wait, blocking job or child, and nobody has a waker of the dropped future.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tenter::task::yield_now;
use tenter::time::{now, timeout};
use tenter::{Builder, CancelHandle, CancelScope, Canceller, Deadline, Handle, fail_after, shield};
use tenter_sync::budget;
use tenter_tests::support::{build, ends, foreign_block_on};

/// Real time after which what is left counts as left for good.
const LEFT: Duration = Duration::from_secs(20);
/// On a virtual clock, any other time passes while a thread or the system is awaited.
const EVER: Duration = Duration::MAX;
/// No case has so many suspension points.
const ENDLESS: usize = 100;

/// How often a case may be quicker than it has to be.
const TRIES: usize = 1_000;

/// How a future is dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By the one who polls it.
    Drop,
    /// With a shield around it.
    Shield,
    /// With a timeout around it that has not passed.
    Timeout,
    /// By the deadline of a scope.
    Deadline,
    /// By the cancellation of a scope.
    Scope,
    /// Not at all: a shield keeps it in a scope that is cancelled.
    Held,
    /// With its whole task, which is cancelled.
    Task,
}

const WAYS: [Way; 7] = [
    Way::Drop,
    Way::Shield,
    Way::Timeout,
    Way::Deadline,
    Way::Scope,
    Way::Held,
    Way::Task,
];

type Body = Box<dyn Fn(Cut) -> Pin<Box<dyn Future<Output = ()>>> + Send>;

/// All of these keep their wakers.
pub fn of_streams(cases: Vec<Case>) -> Vec<Case> {
    cases.into_iter().map(Case::keeps_waker).collect()
}

/// A world with a future in it.
pub struct Case {
    /// The waiting functions that it shows, as `listed.rs` writes them.
    pub covers: &'static str,
    /// So often each of its futures has to suspend, at least.
    suspends: usize,
    /// A thread may still hold its waker for a moment after the drop.
    other_threads: bool,
    /// Its waker stays in its world, until that is dropped.
    keeps_waker: bool,
    /// Its first poll finds no budget.
    spent: bool,
    body: Body,
}

/// A case for the functions `covers`, divided by spaces.
pub fn case<F: Future<Output = ()> + 'static>(
    covers: &'static str,
    suspends: usize,
    body: impl Fn(Cut) -> F + Send + 'static,
) -> Case {
    Case {
        covers,
        suspends,
        other_threads: false,
        keeps_waker: false,
        spent: false,
        body: Box::new(move |cut| Box::pin(body(cut))),
    }
}

impl Case {
    /// The future waits for a thread that may be waking it while it is dropped.
    pub fn with_threads(mut self) -> Self {
        self.other_threads = true;
        self
    }

    /// The future calls a poll function of a stream: it is the stream that has the waker, until it wakes it or
    /// gets another.
    pub fn keeps_waker(mut self) -> Self {
        self.keeps_waker = true;
        self
    }

    /// The future never waits but for its budget, and gets none at first.
    pub fn out_of_budget(mut self) -> Self {
        self.spent = true;
        self
    }
}

/// What a round does to the future of its case, and what was seen of it. Clones are one.
#[derive(Clone)]
pub struct Cut(Rc<Round>);

struct Round {
    way: Way,
    limit: usize,
    /// Whether what it waits for is done before it is dropped: then it was woken, or will be.
    pushed: bool,
    keeps_waker: bool,
    spent: bool,
    /// Whether a future was dropped.
    cut: Cell<bool>,
    /// How often each future of the case was pending.
    suspensions: RefCell<Vec<usize>>,
    wakers: RefCell<Vec<Arc<Watch>>>,
    /// The right to cancel this round's task.
    task: RefCell<Option<Canceller>>,
}

impl Cut {
    fn new(case: &Case, place: Place, way: Way, limit: usize, pushed: bool) -> Self {
        // Elsewhere the driver may be waking it just now.
        let alone = ONE_THREAD.contains(&place) && !case.other_threads;
        Self(Rc::new(Round {
            way,
            limit,
            pushed,
            keeps_waker: case.keeps_waker || !alone,
            spent: case.spent,
            cut: Cell::new(false),
            suspensions: RefCell::default(),
            wakers: RefCell::default(),
            task: RefCell::default(),
        }))
    }

    /// Drives `future` to its end, or drops it: then this is `None`.
    pub async fn of<F: Future>(&self, future: F) -> Option<F::Output> {
        self.pushed(future, |_| {}).await
    }

    /// The same. After poll number `n` that was pending, `push(n)` does what the future waits for.
    pub async fn pushed<F: Future>(&self, future: F, push: impl FnMut(usize)) -> Option<F::Output> {
        let end = |act| Driven {
            cut: self,
            act,
            polls: 0,
        };
        let output = match self.0.way {
            Way::Drop => end(Act::Stop).run(future, push).await,
            Way::Shield => end(Act::Stop).run(shield(future), push).await,
            Way::Timeout => {
                let output = end(Act::Stop).run(timeout(EVER, future), push).await;
                output.map(|ended| ended.expect("there is no end"))
            }
            Way::Deadline => {
                let body = async |deadline: &Deadline| {
                    let act = Act::Expire(deadline.clone());
                    end(act).run(future, push).await.expect("it goes on")
                };
                fail_after(EVER, body).await.ok()
            }
            Way::Scope => {
                let scope = CancelScope::new();
                let act = Act::Cancel(scope.handle());
                let ended = scope.run(end(act).run(future, push)).await;
                ended.done().map(|output| output.expect("it goes on"))
            }
            Way::Held => {
                let scope = CancelScope::new();
                let driven = end(Act::Cancel(scope.handle())).run(future, push);
                // The scope ends with the shield: what is behind it does not run.
                let mut kept = None;
                let _ = scope.run(shield(async { kept = driven.await })).await;
                kept
            }
            Way::Task => {
                let task = self.0.task.borrow_mut().take();
                let driven = end(task.map_or(Act::Nothing, Act::CancelTask));
                driven.run(future, push).await
            }
        };
        if output.is_none() {
            assert_ne!(self.0.way, Way::Held, "a shield holds");
            self.0.cut.set(true);
        }
        if !self.0.keeps_waker {
            self.check_wakers();
        }
        output
    }

    fn check_wakers(&self) {
        for waker in &*self.0.wakers.borrow() {
            assert_eq!(Arc::strong_count(waker), 1, "{self:?}: a waker is kept");
        }
    }

    /// Whether nobody has a waker any more.
    fn forgotten(&self) -> bool {
        let wakers = self.0.wakers.borrow();
        wakers.iter().all(|waker| Arc::strong_count(waker) == 1)
    }
}

impl fmt::Debug for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Round {
            way, limit, pushed, ..
        } = &*self.0;
        let when = if *pushed { "and a push" } else { "alone" };
        write!(f, "{way:?} after {limit} polls {when}")
    }
}

/// What is done after the last poll.
enum Act {
    /// The future is dropped here.
    Stop,
    Expire(Deadline),
    Cancel(CancelHandle),
    CancelTask(Canceller),
    Nothing,
}

struct Driven<'a> {
    cut: &'a Cut,
    act: Act,
    polls: usize,
}

impl Driven<'_> {
    async fn run<F: Future>(mut self, future: F, mut push: impl FnMut(usize)) -> Option<F::Output> {
        let watch = Arc::new(Watch::default());
        let round = &*self.cut.0;
        round.wakers.borrow_mut().push(Arc::clone(&watch));
        let place = round.suspensions.borrow().len();
        round.suspensions.borrow_mut().push(0);
        let waker = Waker::from(Arc::clone(&watch));
        let mut future = pin!(future);
        // The waker is dropped before those that are left are counted.
        poll_fn(move |cx| {
            watch.forward(cx.waker());
            if watch.woken.swap(false, Ordering::AcqRel) {
                if self.polls == 0 && round.spent {
                    spend_all();
                }
                if round.limit == 0 && self.act() {
                    return Poll::Ready(None);
                }
                let polled = future.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(output) = polled {
                    return Poll::Ready(Some(output));
                }
                self.polls += 1;
                round.suspensions.borrow_mut()[place] = self.polls;
                let last = self.polls == round.limit;
                if last && !round.pushed && self.act() {
                    return Poll::Ready(None);
                }
                push(self.polls);
                if last && round.pushed && self.act() {
                    return Poll::Ready(None);
                }
            }
            Poll::Pending
        })
        .await
    }

    /// Returns whether the future is to be dropped here.
    fn act(&mut self) -> bool {
        match std::mem::replace(&mut self.act, Act::Nothing) {
            Act::Stop => return true,
            Act::Expire(deadline) => deadline.reschedule(now()).expect("it has not passed"),
            Act::Cancel(scope) => assert!(scope.cancel("cut")),
            Act::CancelTask(task) => assert!(task.cancel()),
            Act::Nothing => {}
        }
        false
    }
}

/// Leaves nothing of the budget of this task, so that whoever spends some has to come back.
fn spend_all() {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..=u8::MAX {
        if budget::poll_spend(&mut cx).is_pending() {
            return;
        }
    }
    unreachable!("a task of tenter has a budget");
}

/// The waker that the future gets. Woken from the beginning, as a task is.
struct Watch {
    woken: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl Default for Watch {
    fn default() -> Self {
        Self {
            woken: AtomicBool::new(true),
            outer: Mutex::new(None),
        }
    }
}

impl Watch {
    fn forward(&self, to: &Waker) {
        let old = self.outer.lock().replace(to.clone());
        drop(old);
    }
}

impl Wake for Watch {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        let outer = self.outer.lock().clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

/// What a round must not leave behind.
#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    descriptors: usize,
    children: bool,
    waits: usize,
    tasks: u64,
    timers: usize,
    jobs: usize,
}

impl Left {
    fn now() -> Self {
        let metrics = Handle::try_current().map(|handle| handle.metrics());
        let metrics = metrics.unwrap_or_default();
        let descriptors = std::fs::read_dir("/proc/self/fd").expect("this is Linux");
        Self {
            descriptors: descriptors.count(),
            children: has_children(),
            waits: metrics.waiting_io,
            tasks: metrics.alive_tasks,
            timers: metrics.armed_timers,
            jobs: metrics.queued_blocking_jobs + metrics.blocking_threads
                - metrics.idle_blocking_threads,
        }
    }
}

/// Whether this process has a child, ended or not. None is reaped.
fn has_children() -> bool {
    let look = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: a zeroed record is a valid one, and is ours.
    unsafe {
        let mut record: libc::siginfo_t = std::mem::zeroed();
        libc::waitid(libc::P_ALL, 0, &raw mut record, look) == 0
    }
}

/// Where a case runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    CurrentThread,
    Deterministic,
    /// Two workers; the future is that of `block_on`.
    Workers,
    /// An executor that knows nothing of tenter.
    Foreign,
}

impl Place {
    fn runtime(self) -> Option<tenter::Runtime> {
        let builder = match self {
            Place::CurrentThread => Builder::current_thread(),
            Place::Deterministic => Builder::deterministic(1),
            Place::Workers => Builder::multi_thread().workers(2),
            Place::Foreign => return None,
        };
        Some(build(builder))
    }

    /// Scopes need tasks of tenter, and a task that is not `Send` a single thread.
    fn ways(self) -> &'static [Way] {
        match self {
            Place::CurrentThread => &WAYS,
            Place::Deterministic => &[Way::Drop, Way::Held, Way::Task],
            Place::Workers => &WAYS[..6],
            Place::Foreign => &WAYS[..1],
        }
    }
}

/// Where the main future is a task with a budget.
pub const ONE_THREAD: &[Place] = &[Place::CurrentThread, Place::Deterministic];

/// One test at a time: what is left behind is counted in the whole process.
static TURN: Mutex<()> = Mutex::new(());

/// Runs the cases at these places, in every way that there is.
pub fn run(cases: fn() -> Vec<Case>, places: &'static [Place]) {
    let _turn = TURN.lock();
    ends("drops", move || {
        for case in cases() {
            let has_budget = |place: &&Place| !case.spent || ONE_THREAD.contains(place);
            for place in places.iter().filter(has_budget) {
                println!("{} at {place:?}", case.covers);
                case.run(*place);
            }
        }
    });
}

impl Case {
    fn run(&self, place: Place) {
        let runtime = place.runtime();
        let new = Before {
            descriptors: None,
            tasks: on(runtime.as_ref(), async { Left::now().tasks }),
        };
        // Whatever is made once is made here. A thread may be so quick that nobody has to wait for it.
        let tries = if self.other_threads { TRIES } else { 1 };
        let mut suspensions = Vec::new();
        let mut whole = self.cut(place, Way::Drop, usize::MAX, false);
        for _ in 0..tries {
            whole = self.cut(place, Way::Drop, usize::MAX, false);
            self.round(runtime.as_ref(), &whole);
            assert!(!whole.0.cut.get());
            let seen = &*whole.0.suspensions.borrow();
            suspensions.resize(seen.len(), 0);
            suspensions = suspensions
                .iter()
                .zip(seen)
                .map(|(a, b)| *a.max(b))
                .collect();
            if suspensions.iter().all(|count| *count >= self.suspends) {
                break;
            }
        }
        let most = suspensions
            .iter()
            .copied()
            .max()
            .expect("a case has a future");
        let enough = suspensions.iter().all(|count| *count >= self.suspends);
        assert!(enough, "its futures suspended only {suspensions:?} times");
        let mut before = on(runtime.as_ref(), settled(&whole, new));
        for way in place.ways() {
            for pushed in [false, true] {
                for limit in usize::from(pushed).. {
                    let cut = self.cut(place, *way, limit, pushed);
                    self.round(runtime.as_ref(), &cut);
                    before = on(runtime.as_ref(), settled(&cut, before));
                    let done = !cut.0.cut.get();
                    if done && (*way != Way::Held || limit > most) {
                        break;
                    }
                    assert!(limit < ENDLESS, "{cut:?}: it does not end");
                }
            }
        }
    }

    fn cut(&self, place: Place, way: Way, limit: usize, pushed: bool) -> Cut {
        Cut::new(self, place, way, limit, pushed)
    }

    fn round(&self, runtime: Option<&tenter::Runtime>, cut: &Cut) {
        let body = (self.body)(cut.clone());
        on(runtime, async {
            if cut.0.way != Way::Task {
                return body.await;
            }
            let task = tenter::spawn_local(body);
            *cut.0.task.borrow_mut() = Some(task.canceller());
            match task.await {
                Ok(()) => {}
                Err(error) if error.is_cancelled() => cut.0.cut.set(true),
                Err(error) => panic!("{cut:?}: {error}"),
            }
        });
    }
}

fn on<T>(runtime: Option<&tenter::Runtime>, future: impl Future<Output = T>) -> T {
    match runtime {
        Some(runtime) => runtime.block_on(future),
        None => foreign_block_on(future),
    }
}

/// Of what a new runtime has, and the first round has made.
#[derive(Clone, Copy, Debug)]
struct Before {
    /// `None`: those that there are when nothing else is left.
    descriptors: Option<usize>,
    /// The main future may be one.
    tasks: u64,
}

/// Waits until nothing is left but what there was `before`.
async fn settled(cut: &Cut, before: Before) -> Before {
    let since = Instant::now();
    loop {
        let left = Left::now();
        let goal = Left {
            // What another test has left may be closed now.
            descriptors: before
                .descriptors
                .map_or(left.descriptors, |count| count.min(left.descriptors)),
            tasks: before.tasks,
            ..Left::default()
        };
        if left == goal && cut.forgotten() {
            let descriptors = Some(left.descriptors);
            return Before {
                descriptors,
                ..before
            };
        }
        if since.elapsed() > LEFT {
            let forgotten = cut.forgotten();
            panic!("{cut:?}: left are {left:?}, and not {goal:?}; forgotten: {forgotten}");
        }
        std::thread::yield_now();
        yield_now().await;
    }
}
