//! Members that count what happens to them, and a task that is polled by hand.

use std::future::Future;
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use tenter::time::{self, Duration};
use tenter_sync::current::{self, TaskSlot};

/// What a member does and has been through.
#[derive(Default)]
pub struct Gate {
    pub index: usize,
    /// How often it has to be polled before it is ready.
    pub steps: usize,
    pub polls: AtomicUsize,
    pub drops: AtomicUsize,
    /// The waker of its last poll.
    pub waker: Mutex<Option<Waker>>,
    /// The indexes of the dropped ones, in order.
    pub log: Arc<Mutex<Vec<usize>>>,
    /// Whether it wakes itself in its poll.
    pub eager: bool,
}

impl Gate {
    /// So many, the one with index `i` ready at its poll number `steps(i)`.
    pub fn row(count: usize, eager: bool, steps: impl Fn(usize) -> usize) -> Vec<Arc<Gate>> {
        let log = Arc::new(Mutex::new(Vec::with_capacity(count)));
        let gate = |index| Gate {
            index,
            eager,
            steps: steps(index),
            log: Arc::clone(&log),
            ..Gate::default()
        };
        (0..count).map(|index| Arc::new(gate(index))).collect()
    }

    pub fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    pub fn drops(&self) -> usize {
        self.drops.load(Ordering::Relaxed)
    }

    /// Wakes it, if it waits.
    pub fn wake(&self) {
        let waker = self.waker.lock().unwrap().clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub fn member(self: &Arc<Self>) -> Member {
        Member(Arc::clone(self))
    }
}

/// The future of a gate: its output is the index.
pub struct Member(Arc<Gate>);

impl Future for Member {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let gate = &self.0;
        if gate.polls.fetch_add(1, Ordering::Relaxed) + 1 >= gate.steps {
            return Poll::Ready(gate.index);
        }
        if gate.eager {
            cx.waker().wake_by_ref();
        }
        let old = gate.waker.lock().unwrap().replace(cx.waker().clone());
        drop(old);
        Poll::Pending
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.0.drops.fetch_add(1, Ordering::Relaxed);
        self.0.log.lock().unwrap().push(self.0.index);
    }
}

/// A task that is polled by hand.
pub struct Task {
    pub wakes: Arc<Wakes>,
    slot: Option<TaskSlot>,
}

/// How often it was woken.
#[derive(Default)]
pub struct Wakes(pub AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Task {
    /// On an executor that nobody knows.
    pub fn foreign() -> Self {
        Self {
            wakes: Arc::default(),
            slot: None,
        }
    }

    /// One of tenter's, as far as a future can tell.
    pub fn own() -> Self {
        Self {
            slot: NonZeroU64::new(77).map(TaskSlot::new),
            ..Self::foreign()
        }
    }

    pub fn poll<F: Future + ?Sized>(&self, future: Pin<&mut F>) -> Poll<F::Output> {
        self.poll_with(128, future)
    }

    /// Polls with so much of a budget.
    pub fn poll_with<F: Future + ?Sized>(
        &self,
        budget: u8,
        future: Pin<&mut F>,
    ) -> Poll<F::Output> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        let mut cx = Context::from_waker(&waker);
        match &self.slot {
            Some(slot) => current::with_task(slot, budget, || future.poll(&mut cx)),
            None => future.poll(&mut cx),
        }
    }

    pub fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}

pub fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Takes so long, and returns `value`.
pub async fn after<T>(wait: u64, value: T) -> T {
    time::sleep(ms(wait)).await;
    value
}
