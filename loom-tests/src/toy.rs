//! The smallest scheduler that keeps the contract of tasks: a locked list, and the parker of the thread
//! that runs them.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tenter::JoinHandle;
use tenter::model::{Ran, Runnable, Schedule, Unobserved, Work, YieldFlag, spawn_on};
use tenter_sync::parker::Parker;
use tenter_sync::shim::atomic::{AtomicBool, Ordering};
use tenter_sync::shim::{Arc, Mutex};

/// A scheduler: a list of runnable tasks and the parker of the thread that runs them.
#[expect(missing_debug_implementations, reason = "for models")]
pub struct Toy {
    /// Runnable tasks.
    pub ready: Mutex<Vec<Runnable>>,
    parker: Parker,
}

/// What the tasks keep of it.
#[expect(missing_debug_implementations, reason = "for models")]
pub struct ToyRef(pub Arc<Toy>);

impl Schedule for ToyRef {
    fn schedule(&self, task: Runnable) {
        self.0.ready.lock().push(task);
        let _ = self.0.parker.unpark();
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails in these models: {failure}");
    }
}

/// An empty one.
pub fn toy() -> Arc<Toy> {
    Arc::new(Toy {
        ready: Mutex::new(Vec::new()),
        parker: Parker::new(),
    })
}

/// Puts a task on the list.
pub fn spawn<F: Work>(toy: &Arc<Toy>, future: F) -> JoinHandle<F::Output> {
    let (task, handle) = spawn_on(future, ToyRef(Arc::clone(toy)));
    toy.ready.lock().push(task);
    handle
}

/// Runs what is ready. True: a task has ended.
pub fn run_ready(toy: &Toy) -> bool {
    let mut finished = false;
    loop {
        let next = toy.ready.lock().pop();
        let Some(task) = next else { return finished };
        // SAFETY: these tasks have no owner.
        match unsafe { task.run(&YieldFlag::new(false), |_| None, |_| ()) } {
            Ran::Requeue(task) => toy.ready.lock().push(task),
            Ran::Parked => {}
            Ran::Finished => finished = true,
        }
    }
}

/// Runs tasks until one has ended.
pub fn run_one_to_its_end(toy: &Toy) {
    while !run_ready(toy) {
        let _ = toy.parker.park(None);
    }
}

/// A flag that a future waits for and another thread sets, with a waker that is given away once.
#[expect(missing_debug_implementations, reason = "for models")]
pub struct Gate {
    open: AtomicBool,
    /// Whoever waits.
    pub waker: Mutex<Option<Waker>>,
}

/// A closed one.
pub fn gate() -> Arc<Gate> {
    Arc::new(Gate {
        open: AtomicBool::new(false),
        waker: Mutex::new(None),
    })
}

impl Gate {
    /// Opens it.
    pub fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Waits for a gate: registers first, then looks. What the opener wrote is seen through the wake alone.
#[expect(missing_debug_implementations, reason = "for models")]
pub struct Pass(pub Arc<Gate>);

impl Future for Pass {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let old = self.0.waker.lock().replace(cx.waker().clone());
        drop(old);
        if self.0.open.load(Ordering::Relaxed) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
