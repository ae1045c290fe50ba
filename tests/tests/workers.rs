//! Faults around the threads of a runtime: ends in odd places, hooks and wakers that panic on workers, too
//! few workers and too many. Threads that the system refuses: `refused.rs`.
//!
//! Ends that every flavour shares: `shutdown.rs`; the process as a whole: `faults.rs`.

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;

use parking_lot::Mutex;
use tenter::net::TcpListener;
use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{Builder, Handle, Runtime, spawn};
use tenter_tests::support::hostile::{Act, waker_that_panics_at};
use tenter_tests::support::{
    Count, Meeting, OnDrop, Slot, build, ends, foreign_block_on, poll_with,
};

fn workers(count: usize) -> Builder {
    Builder::multi_thread().workers(count)
}

/// Ends `runtime` as `drop_it` does, and sees to it that its tasks end.
fn dropped_by(drop_it: impl FnOnce(Runtime)) {
    let runtime = build(workers(2));
    let (dropped, left) = (Count::new(), Count::new());
    for _ in 0..10 {
        let guard = dropped.on_drop();
        drop(runtime.spawn(async move {
            let _guard = guard;
            pending::<()>().await;
        }));
    }
    let (told, tells) = oneshot::<()>();
    let last = runtime.spawn(async move {
        let _tells = tells;
        pending::<()>().await;
    });
    left.add();
    drop_it(runtime);
    let ended = foreign_block_on(last).expect_err("the runtime is gone");
    assert!(ended.is_cancelled());
    drop(told);
    while dropped.get() < 10 {
        thread::yield_now();
    }
}

/// Goal: a runtime may be dropped by a blocking job of its own: it does not wait for itself.
#[test]
fn a_runtime_may_be_dropped_by_its_own_blocking_job() {
    ends("own job", || {
        dropped_by(|runtime| {
            let handle = runtime.handle().clone();
            let (done, waits) = (Slot::new(), Slot::<Runtime>::new());
            let (ends, taken) = (done.clone(), waits.clone());
            drop(handle.spawn_blocking(move || {
                drop(taken.take());
                ends.put(());
            }));
            waits.put(runtime);
            done.take();
        });
    });
}

/// Goal: the same on another runtime's worker, its blocking thread, its main future, and its hook.
#[test]
fn a_runtime_may_be_dropped_anywhere_in_another() {
    ends("another", || {
        let other = build(workers(1));
        dropped_by(|runtime| {
            let task = other.spawn(async move { drop(runtime) });
            other.block_on(task).expect("no panic");
        });
        dropped_by(|runtime| {
            let job = other.spawn_blocking(move || drop(runtime));
            other.block_on(job).expect("no panic");
        });
        dropped_by(|runtime| other.block_on(async move { drop(runtime) }));
        dropped_by(|runtime| {
            let place = Slot::new();
            place.put(runtime);
            let done = Slot::new();
            let ends = done.clone();
            let other = build(workers(1).on_thread_park(move || {
                if let Some(runtime) = place.take_within(Duration::ZERO) {
                    drop(runtime);
                    ends.put(());
                }
            }));
            other.block_on(other.spawn(yield_now())).expect("no panic");
            done.take();
        });
    });
}

/// Goal: a runtime may be dropped on its own worker by a destructor, a hook and a waker.
#[test]
fn a_runtime_may_be_dropped_by_its_own_worker() {
    ends("own worker", || {
        // A destructor of a task that ends.
        dropped_by(|runtime| {
            let (place, handle) = (Slot::new(), runtime.handle().clone());
            let taken: Slot<Runtime> = place.clone();
            let drops = OnDrop(move || drop(taken.take()));
            drop(handle.spawn(async move { drop(drops) }));
            place.put(runtime);
        });
        // The waker of a foreign executor that waits for a task.
        dropped_by(|runtime| {
            struct Drops(Slot<Runtime>, Slot<()>);
            impl std::task::Wake for Drops {
                fn wake(self: Arc<Self>) {
                    drop(self.0.take());
                    self.1.put(());
                }
            }
            let (place, done) = (Slot::new(), Slot::new());
            let waker = Waker::from(Arc::new(Drops(place.clone(), done.clone())));
            let (go, gate) = oneshot::<()>();
            let mut task = runtime.spawn(gate);
            assert!(poll_with(&waker, &mut task).is_pending());
            place.put(runtime);
            go.send(()).expect("the task waits");
            done.take();
        });
        // A hook.
        let place: Slot<Runtime> = Slot::new();
        let (taken, done) = (place.clone(), Slot::new());
        let ended = done.clone();
        let runtime = build(workers(2).on_thread_unpark(move || {
            if let Some(runtime) = taken.take_within(Duration::ZERO) {
                drop(runtime);
                ended.put(());
            }
        }));
        let handle = runtime.handle().clone();
        place.put(runtime);
        while !done.is_full() {
            // One at a time, so that workers go to sleep in between.
            let _cancelled_at_last = foreign_block_on(handle.spawn(async {}));
        }
    });
}

/// Goal: a runtime in a thread-local of a worker of its own, or of a thread that it spawned on, ends.
#[test]
fn a_runtime_in_a_thread_local_of_its_own_worker_ends() {
    thread_local! {
        static KEPT: RefCell<Option<Runtime>> = const { RefCell::new(None) };
    }
    ends("thread-local", || {
        let runtime = build(workers(1));
        let (handle, place) = (runtime.handle().clone(), Slot::new());
        let taken = place.clone();
        let dropped = Count::new();
        let guard = dropped.on_drop();
        let task = handle.spawn(async move {
            let _guard = guard;
            KEPT.with(|kept| *kept.borrow_mut() = Some(taken.take()));
            pending::<()>().await;
        });
        place.put(runtime);
        // Nobody ends it: the worker lives as long as its runtime. That is a leak, and no more.
        assert!(!task.is_finished());
        assert!(task.cancel());
        foreign_block_on(task).expect_err("it is never ready");
        assert_eq!(dropped.get(), 1);
        let taken = handle.spawn(async { KEPT.with(|kept| kept.borrow_mut().take()) });
        drop(foreign_block_on(taken).expect("no panic"));
    });
}

/// Goal: hooks that panic on workers, every time, are printed and disturb nothing.
#[test]
fn hooks_that_panic_on_workers_disturb_nothing() {
    ends("hooks", || {
        let calls = Count::new();
        let hook = |name: &'static str| {
            let calls = calls.clone();
            move || {
                calls.add();
                std::panic::panic_any(name);
            }
        };
        let runtime = build(
            workers(2)
                .on_thread_start(hook("start"))
                .on_thread_stop(hook("stop"))
                .on_thread_park(hook("park"))
                .on_thread_unpark(hook("unpark")),
        );
        for round in 0..20 {
            let task = runtime.spawn(async move {
                tenter::time::sleep(Duration::from_micros(100)).await;
                let both: Vec<_> = (0..2).map(|_| spawn(yield_now())).collect();
                for task in both {
                    task.await.expect("no panic");
                }
                round
            });
            assert_eq!(runtime.block_on(task).ok(), Some(round));
        }
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert!(report.is_clean());
        assert!(calls.get() > 3, "each was called: {}", calls.get());
    });
}

/// Goal: a foreign waker that panics in a batch of timers, or of sockets, keeps no other one of the batch
/// from being woken, and is counted.
#[test]
fn a_waker_that_panics_in_a_batch_keeps_no_other_from_being_woken() {
    const SLEEPERS: usize = 50;
    ends("batches", || {
        let runtime = build(workers(1));
        let (left, done) = (Count::new(), Slot::new());
        let deadline = tenter::time::Instant::now() + Duration::from_millis(5);
        let entered = runtime.enter();
        let mut hostile: Vec<_> = (0..3)
            .map(|_| Box::pin(tenter::time::sleep_until(deadline)))
            .collect();
        drop(entered);
        let seen: Vec<_> = hostile
            .iter_mut()
            .map(|sleep| {
                let (waker, seen) = waker_that_panics_at(Act::Wake);
                assert!(poll_with(&waker, sleep).is_pending());
                seen
            })
            .collect();
        for _ in 0..SLEEPERS {
            let (left, done) = (left.clone(), done.clone());
            drop(runtime.spawn(async move {
                tenter::time::sleep_until(deadline).await;
                if left.add() + 1 == SLEEPERS {
                    done.put(());
                }
            }));
        }
        done.take();
        while seen.iter().any(|seen| seen.wakes() == 0) {
            thread::yield_now();
        }
        assert!(runtime.metrics().unobserved_failures > 0);

        // Sockets: the hostile waker waits for the listener, and a task for another one.
        let (quiet, loud) = runtime.block_on(async {
            let bind = || TcpListener::bind("127.0.0.1:0");
            let bound = (bind().await, bind().await);
            (bound.0.expect("a free port"), bound.1.expect("a free port"))
        });
        let (waker, seen) = waker_that_panics_at(Act::Wake);
        let addresses = [&quiet, &loud].map(|listener| listener.local_addr().expect("bound"));
        let mut accepts = Box::pin(quiet.accept());
        assert!(
            Pin::new(&mut accepts)
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        let task = runtime.spawn(async move { loud.accept().await.is_ok() });
        let clients = addresses.map(std::net::TcpStream::connect);
        assert_eq!(runtime.block_on(task).ok(), Some(true));
        while seen.wakes() == 0 {
            thread::yield_now();
        }
        drop(clients);
        assert_eq!(runtime.block_on(runtime.spawn(async { 3 })).ok(), Some(3));
    });
}

/// Goal: one worker does everything that many do; sixty-four on few cores are not in each other's way.
#[test]
fn one_worker_is_enough_and_sixty_four_are_not_too_many() {
    for count in [1, 64] {
        ends("workers", move || {
            let runtime = build(workers(count));
            assert_eq!(runtime.metrics().workers, count);
            let sum = runtime.block_on(async {
                let tasks: Vec<_> = (0..500_u64)
                    .map(|number| {
                        spawn(async move {
                            tenter::time::sleep(Duration::from_micros(number % 50)).await;
                            let inner = spawn(async move {
                                yield_now().await;
                                number
                            });
                            let job = tenter::spawn_blocking(move || 1_u64);
                            inner.await.expect("no panic") + job.await.expect("no panic")
                        })
                    })
                    .collect();
                let mut sum = 0;
                for task in tasks {
                    sum += task.await.expect("no panic");
                }
                sum
            });
            assert_eq!(sum, 500 * 499 / 2 + 500);
            assert!(runtime.shutdown_timeout(Duration::MAX).is_clean());
        });
    }
}

/// Goal: sixty-four workers really are sixty-four threads, when there is work for them.
/// Method: as many tasks block until all have come.
#[test]
fn every_worker_is_started_when_all_others_are_stuck() {
    const WORKERS: usize = 64;
    ends("64 workers", || {
        let runtime = build(workers(WORKERS));
        let all = Meeting::new(WORKERS);
        let tasks: Vec<_> = (0..WORKERS)
            .map(|_| {
                let all = Arc::clone(&all);
                runtime.spawn(async move { all.meet() })
            })
            .collect();
        runtime.block_on(async {
            for task in tasks {
                task.await.expect("no panic");
            }
        });
    });
}

/// Goal: threads that spawn without end do not keep a runtime from ending, and every task is ended once.
#[test]
fn storms_of_spawns_do_not_keep_the_end_from_coming() {
    const THREADS: usize = 8;
    for round in 0..5 {
        ends("storm", move || {
            let runtime = build(workers(2));
            let (made, dropped) = (Count::new(), Count::new());
            let (begun, stop) = (Meeting::new(THREADS + 1), Arc::new(AtomicBool::new(false)));
            let storms: Vec<_> = (0..THREADS)
                .map(|_| {
                    let (handle, begun, stop) = (
                        runtime.handle().clone(),
                        Arc::clone(&begun),
                        Arc::clone(&stop),
                    );
                    let (made, dropped) = (made.clone(), dropped.clone());
                    thread::spawn(move || {
                        begun.meet();
                        while !stop.load(Ordering::Acquire) {
                            made.add();
                            let guard = dropped.on_drop();
                            let task = handle.spawn(async move {
                                let _guard = guard;
                                yield_now().await;
                                spawn(pending::<()>()).await.expect_err("the runtime ends");
                            });
                            drop(task);
                        }
                    })
                })
                .collect();
            begun.meet();
            while made.get() < 500 * round {
                thread::yield_now();
            }
            runtime.shutdown_timeout(Duration::MAX);
            stop.store(true, Ordering::Release);
            for storm in storms {
                storm.join().expect("no panic");
            }
            assert_eq!(dropped.get(), made.get());
        });
    }
}

/// tokio's scheduler called the hook before parking after its last look at the queues, and slept over
/// what the hook had spawned or woken (#8222, #7835).
///
/// Method: on one worker and on two, the hook wakes or spawns what the test waits for.
#[test]
fn tokio_7835_work_from_the_park_hook_of_a_worker_is_slept_over() {
    for count in [1, 2] {
        for wakes in [false, true] {
            ends("park hook", move || {
                let armed: Slot<Box<dyn FnOnce() + Send>> = Slot::new();
                let hook = armed.clone();
                let runtime = build(workers(count).on_thread_park(move || {
                    if let Some(act) = hook.take_within(Duration::ZERO) {
                        act();
                    }
                }));
                for round in 0..50 {
                    let (give, value) = oneshot();
                    if wakes {
                        armed.put(Box::new(move || give.send(round).expect("a task waits")));
                        // Somebody goes to sleep after this, as below.
                        let task = runtime.spawn(value);
                        assert_eq!(runtime.block_on(task).ok(), Some(Ok(round)));
                    } else {
                        armed.put(Box::new(move || {
                            let task = async move { give.send(round).expect("the test waits") };
                            drop(Handle::current().spawn(task));
                        }));
                        // Somebody goes to sleep after this.
                        drop(runtime.spawn(async {}));
                        assert_eq!(foreign_block_on(value), Ok(round));
                    }
                }
            });
        }
    }
}

/// Goal: a task whose waker is woken in its own poll from another thread, again and again, is neither
/// lost nor run on two threads at once.
#[test]
fn a_task_is_never_polled_on_two_threads_at_once() {
    const POLLS: usize = 2_000;
    ends("two threads", || {
        let runtime = build(workers(2));
        let (inside, polls) = (Arc::new(AtomicBool::new(false)), Count::new());
        let given: Arc<Mutex<Option<Waker>>> = Arc::default();
        let (stop, wakes) = (Arc::new(AtomicBool::new(false)), Arc::clone(&given));
        let stopped = Arc::clone(&stop);
        let waking = thread::spawn(move || {
            while !stopped.load(Ordering::Acquire) {
                let waker = wakes.lock().clone();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        });
        let task = runtime.spawn(poll_fn(move |cx| {
            assert!(
                !inside.swap(true, Ordering::AcqRel),
                "polled on two threads"
            );
            *given.lock() = Some(cx.waker().clone());
            let ready = polls.add() == POLLS;
            inside.store(false, Ordering::Release);
            if ready {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        runtime.block_on(task).expect("no panic");
        stop.store(true, Ordering::Release);
        waking.join().expect("no panic");
    });
}
