//! The task cell (`runtime/src/task`): every right to a task exercised against every other.
//!
//! The scheduler here is the smallest that keeps the contract: a locked list and a parker. The cell, its
//! word, its waker and its join handle are the production source.
#![cfg(tenter_loom)]

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tenter::JoinHandle;
use tenter::model::{Ran, Runnable, Schedule, Unobserved, YieldFlag, on_done, shut_down, spawn_on};
use tenter_loom_tests::{Census, Tracked, WakeCount, block_on, check, poll_once};
use tenter_sync::parker::Parker;
use tenter_sync::shim::atomic::{AtomicBool, Ordering};
use tenter_sync::shim::{Arc, Mutex, UnsafeCell, thread};

/// A scheduler: a list of runnable tasks and the parker of the thread that runs them.
struct Toy {
    ready: Mutex<Vec<Runnable>>,
    parker: Parker,
}

/// What the tasks keep of it.
struct ToyRef(Arc<Toy>);

impl Schedule for ToyRef {
    fn schedule(&self, task: Runnable) {
        self.0.ready.lock().push(task);
        let _ = self.0.parker.unpark();
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails in these models: {failure}");
    }
}

fn toy() -> Arc<Toy> {
    Arc::new(Toy {
        ready: Mutex::new(Vec::new()),
        parker: Parker::new(),
    })
}

fn spawn<F: Future>(toy: &Arc<Toy>, future: F) -> JoinHandle<F::Output> {
    let (task, handle) = spawn_on(future, ToyRef(Arc::clone(toy)));
    toy.ready.lock().push(task);
    handle
}

/// Runs what is ready. True: a task has ended.
fn run_ready(toy: &Toy) -> bool {
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
fn run_one_to_its_end(toy: &Toy) {
    while !run_ready(toy) {
        let _ = toy.parker.park(None);
    }
}

/// A flag that a future waits for and another thread sets, with a waker that is given away once.
struct Gate {
    open: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

fn gate() -> Arc<Gate> {
    Arc::new(Gate {
        open: AtomicBool::new(false),
        waker: Mutex::new(None),
    })
}

impl Gate {
    fn open(&self) {
        self.open.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Waits for a gate: registers first, then looks. What the opener wrote is seen through the wake alone.
struct Pass(Arc<Gate>);

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

/// Goal: a wake is never lost, and the output reaches the joiner with everything written before it.
#[test]
fn wake_run_join() {
    check("task::wake_run_join", || {
        let toy = toy();
        let gate = gate();
        let payload = Arc::new(UnsafeCell::new(0));
        let joined = spawn(&toy, {
            let (gate, payload) = (Arc::clone(&gate), Arc::clone(&payload));
            async move {
                Pass(gate).await;
                // SAFETY: the other thread reads only after it has seen the output of this task; were
                // it to read earlier, the model would say so.
                payload.with_mut(|payload| unsafe { *payload = 7 });
            }
        });
        let opener = thread::spawn(move || gate.open());
        let runner = thread::spawn({
            let toy = Arc::clone(&toy);
            move || run_one_to_its_end(&toy)
        });
        block_on(joined).expect("neither cancelled nor panicked");
        // SAFETY: the task that writes has ended, and its output has been seen.
        let seen = payload.with(|payload| unsafe { *payload });
        assert_eq!(seen, 7);
        opener.join().unwrap();
        runner.join().unwrap();
    });
}

/// Goal: what a waker wrote before its wake is seen by the poll that follows, also when the task was
/// scheduled already.
#[test]
fn wake_publishes() {
    check("task::wake_publishes", || {
        let toy = toy();
        let flags = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
        let wakers: Arc<Mutex<Vec<Waker>>> = Arc::new(Mutex::new(Vec::new()));
        let joined = spawn(&toy, {
            let (flags, wakers) = (Arc::clone(&flags), Arc::clone(&wakers));
            poll_fn(move |cx| {
                if wakers.lock().is_empty() {
                    let (one, two) = (cx.waker().clone(), cx.waker().clone());
                    wakers.lock().extend([one, two]);
                }
                let both = flags.0.load(Ordering::Relaxed) && flags.1.load(Ordering::Relaxed);
                if both { Poll::Ready(()) } else { Poll::Pending }
            })
        });
        run_ready(&toy);
        let (one, two) = {
            let mut wakers = wakers.lock();
            (wakers.pop().unwrap(), wakers.pop().unwrap())
        };
        wakers.lock().push(Waker::noop().clone());
        let first = thread::spawn({
            let flags = Arc::clone(&flags);
            move || {
                flags.0.store(true, Ordering::Relaxed);
                one.wake();
            }
        });
        let second = thread::spawn({
            let flags = Arc::clone(&flags);
            move || {
                flags.1.store(true, Ordering::Relaxed);
                two.wake_by_ref();
            }
        });
        run_one_to_its_end(&toy);
        first.join().unwrap();
        second.join().unwrap();
        assert!(joined.is_finished());
    });
}

/// Goal: cancelled while it is woken and run, the future is dropped once, by the runner, and the
/// joiner learns which of the two came first.
#[test]
fn wake_run_cancel() {
    check("task::wake_run_cancel", || {
        let toy = toy();
        let gate = gate();
        let census = Census::new();
        let guard = census.track(());
        let joined = spawn(&toy, {
            let gate = Arc::clone(&gate);
            async move {
                let _guard = guard;
                Pass(gate).await;
            }
        });
        let opener = thread::spawn({
            let gate = Arc::clone(&gate);
            move || gate.open()
        });
        let canceller = joined.canceller();
        let cancelling = thread::spawn(move || canceller.cancel());
        run_one_to_its_end(&toy);
        census.assert_all_dropped();
        let first = cancelling.join().unwrap();
        opener.join().unwrap();
        match block_on(joined) {
            Ok(()) => {}
            Err(error) => assert!(error.is_cancelled() && first),
        }
        gate.waker.lock().take();
    });
}

/// Goal: a task that sleeps when it is cancelled ends without any wake.
#[test]
fn cancel_of_a_sleeping_task() {
    check("task::cancel_of_a_sleeping_task", || {
        let toy = toy();
        let joined = spawn(&toy, std::future::pending::<()>());
        let canceller = joined.canceller();
        let cancelling = thread::spawn(move || assert!(canceller.cancel_with("enough")));
        run_one_to_its_end(&toy);
        cancelling.join().unwrap();
        let error = block_on(joined).expect_err("cancelled");
        assert_eq!(
            error.reason().and_then(|reason| reason.message()),
            Some("enough")
        );
    });
}

/// Goal: two cancellers: one is first, and its reason is the one that is kept.
#[test]
fn two_cancellers() {
    check("task::two_cancellers", || {
        let toy = toy();
        let joined = spawn(&toy, std::future::pending::<()>());
        let canceller = joined.canceller();
        let other = thread::spawn(move || canceller.cancel_with("other"));
        let this = joined.cancel_with("this");
        let other = other.join().unwrap();
        assert!(this ^ other, "exactly one was first");
        run_one_to_its_end(&toy);
        let error = block_on(joined).expect_err("cancelled");
        let said = error
            .reason()
            .and_then(|reason| reason.message())
            .map(str::to_owned);
        assert_eq!(said.as_deref(), Some(if this { "this" } else { "other" }));
    });
}

/// Goal: a handle dropped while the task finishes: the output is dropped once, by one of the two.
#[test]
fn detach_vs_complete() {
    check("task::detach_vs_complete", || {
        let toy = toy();
        let census = Census::new();
        let joined = spawn(&toy, {
            let output = census.track(());
            async move { output }
        });
        let runner = thread::spawn({
            let toy = Arc::clone(&toy);
            move || run_one_to_its_end(&toy)
        });
        drop(joined);
        runner.join().unwrap();
        census.assert_all_dropped();
    });
}

/// Goal: the same with a waker registered: it is dropped, and nobody wakes the dead.
#[test]
fn detach_after_register_vs_complete() {
    check("task::detach_after_register_vs_complete", || {
        let toy = toy();
        let census = Census::new();
        let mut joined = spawn(&toy, {
            let output = census.track(());
            async move { output }
        });
        let runner = thread::spawn({
            let toy = Arc::clone(&toy);
            move || run_one_to_its_end(&toy)
        });
        let (waker, _count) = WakeCount::waker();
        let polled: Poll<Result<Tracked<()>, _>> = poll_once(Pin::new(&mut joined), &waker);
        drop(polled);
        drop(joined);
        runner.join().unwrap();
        census.assert_all_dropped();
    });
}

/// Goal: a handle that moves between wakers: the last one registered is woken.
#[test]
fn join_waker_replaced_vs_complete() {
    check("task::join_waker_replaced_vs_complete", || {
        let toy = toy();
        let joined = spawn(&toy, async {});
        let runner = thread::spawn({
            let toy = Arc::clone(&toy);
            move || run_one_to_its_end(&toy)
        });
        let mut joined = pin!(joined);
        let (first, _count) = WakeCount::waker();
        if poll_once(joined.as_mut(), &first).is_pending() {
            block_on(joined).expect("neither cancelled nor panicked");
        }
        runner.join().unwrap();
    });
}

/// Goal: a waker that outlives everything frees the cell, once, after the last use.
#[test]
fn waker_outlives_the_task() {
    check("task::waker_outlives_the_task", || {
        let toy = toy();
        let kept: Arc<Mutex<Option<Waker>>> = Arc::new(Mutex::new(None));
        let joined = spawn(&toy, {
            let kept = Arc::clone(&kept);
            poll_fn(move |cx| {
                let old = kept.lock().replace(cx.waker().clone());
                drop(old);
                Poll::<()>::Pending
            })
        });
        run_ready(&toy);
        let waker = kept.lock().take().unwrap();
        let waking = thread::spawn(move || waker.wake());
        joined.cancel();
        drop(joined);
        run_one_to_its_end(&toy);
        waking.join().unwrap();
    });
}

/// Goal: the runtime ends a task while another thread wakes it: the place in the queue that the waker
/// may still be filling is never run.
#[test]
fn shutdown_vs_wake() {
    check("task::shutdown_vs_wake", || {
        let toy = toy();
        let gate = gate();
        let census = Census::new();
        let guard = census.track(());
        let (task, joined) = spawn_on(
            {
                let gate = Arc::clone(&gate);
                async move {
                    let _guard = guard;
                    Pass(gate).await;
                }
            },
            ToyRef(Arc::clone(&toy)),
        );
        let header = task.pointer();
        toy.ready.lock().push(task);
        run_ready(&toy);
        let opener = thread::spawn(move || gate.open());
        // SAFETY: the scheduler's reference is ours; nothing runs the queue any more.
        unsafe { shut_down(header, |_| ()) };
        census.assert_all_dropped();
        let error = block_on(joined).expect_err("the runtime ended");
        assert!(error.is_cancelled());
        opener.join().unwrap();
        // What was pushed after the end is forgotten, as a closed queue refuses it.
        toy.ready.lock().drain(..).for_each(std::mem::forget);
    });
}

/// A callback that is registered while the task ends is called once.
fn callback(name: &str, keep_handle: bool) {
    check(name, move || {
        let toy = toy();
        let handle = spawn(&toy, async {});
        let called = Arc::new(Mutex::new(0));
        let runner = thread::spawn(move || run_one_to_its_end(&toy));
        let count = {
            let called = Arc::clone(&called);
            move || *called.lock() += 1
        };
        on_done(&handle, count, |call| call());
        let kept = keep_handle.then_some(handle);
        runner.join().unwrap();
        assert_eq!(*called.lock(), 1);
        drop(kept);
    });
}

/// Goal: whoever comes second, the end of the task or the registration, has the callback called.
#[test]
fn callback_vs_complete() {
    callback("task::callback_vs_complete", true);
}

/// Goal: also if the handle goes right after, and the task ends without one.
#[test]
fn callback_and_detach_vs_complete() {
    callback("task::callback_and_detach_vs_complete", false);
}
