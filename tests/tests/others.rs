//! The bugs of others that concern tasks, the scheduler and the end of a runtime: each test is named
//! after the bug, tells its story, and fails if we make the same mistake.
//!
//! The table of all of them is docs/BUGS_OF_OTHERS.md; those that need every interleaving are models.
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order.

use std::future::{pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Poll, Waker};
use std::time::Duration;

use parking_lot::Mutex;
use tenter::sync::oneshot;
use tenter::task::{self, yield_now};
use tenter::{JoinHandle, spawn, spawn_local};
use tenter_tests::support::hostile::{Act, waker_that};
use tenter_tests::support::{
    Count, GiveWaker, Meeting, OnDrop, Slot, both, build, every, one_thread, poll_with, settle,
    thread,
};

/// compio kept "scheduled" and "is being scheduled" in two bits. Of two threads that woke one task at
/// the same time, one could see the stale bit of the other and return early, after which nobody
/// queued the task ever again.
///
/// Method: two threads meet, and each sets its own flag and wakes; the task goes on when both are set.
#[test]
fn compio_948_two_remote_wakes_at_once_lose_the_task() {
    const ROUNDS: usize = 300;
    every(|builder| {
        let meeting = Meeting::new(2);
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let waker: Arc<[Slot<Waker>; 2]> = Arc::new([Slot::new(), Slot::new()]);
        let threads: Vec<_> = (0..2)
            .map(|me| {
                let (meeting, flags, waker) = (meeting.clone(), flags.clone(), waker.clone());
                thread(move || {
                    for _ in 0..ROUNDS {
                        let waker = waker[me].take();
                        meeting.meet();
                        flags[me].store(true, Ordering::Release);
                        waker.wake();
                    }
                })
            })
            .collect();
        build(builder).block_on(async {
            for _ in 0..ROUNDS {
                let (flags, waker) = (Arc::clone(&flags), Arc::clone(&waker));
                let mut begun = false;
                let both_came = poll_fn(move |cx| {
                    if !core::mem::replace(&mut begun, true) {
                        flags
                            .iter()
                            .for_each(|flag| flag.store(false, Ordering::Release));
                        waker.iter().for_each(|slot| slot.put(cx.waker().clone()));
                    }
                    if flags.iter().all(|flag| flag.load(Ordering::Acquire)) {
                        Poll::Ready(())
                    } else {
                        Poll::Pending
                    }
                });
                spawn(both_came).await.expect("no panic");
            }
        });
        for thread in threads {
            thread.join();
        }
    });
}

/// async-executor's waker published the task and then looked at the executor once more, by reference,
/// to notify a sleeper. The executor could run the task, and be dropped, in between.
///
/// Method: a waker fires while the runtime is dropped; AddressSanitizer sees a use after free.
#[test]
fn async_executor_163_a_wake_during_the_drop_uses_what_is_freed() {
    const ROUNDS: usize = 200;
    every(|builder| {
        let meeting = Meeting::new(2);
        let wakers: Slot<Waker> = Slot::new();
        let other = thread({
            let (meeting, wakers) = (Arc::clone(&meeting), wakers.clone());
            move || {
                for _ in 0..ROUNDS {
                    let waker = wakers.take();
                    meeting.meet();
                    waker.wake();
                    meeting.meet();
                }
            }
        });
        for _ in 0..ROUNDS {
            let runtime = build(builder.clone());
            runtime.block_on(async {
                drop(spawn(GiveWaker::new(wakers.clone())));
                yield_now().await;
            });
            meeting.meet();
            drop(runtime);
            meeting.meet();
        }
        other.join();
    });
}

/// async-task let a wake by value hand its reference over to the queue before it had called the
/// schedule function, which lay in the task: the task could be run and freed while that still ran.
///
/// Method: the waker is the last reference but the scheduler's, and the task ends at its next poll,
/// while the wake is still on its way out.
#[test]
fn async_rs_11_a_wake_by_value_frees_the_task_that_schedules_it() {
    const ROUNDS: usize = 300;
    every(|builder| {
        let wakers: Slot<Option<Waker>> = Slot::new();
        let other = thread({
            let wakers = wakers.clone();
            move || {
                while let Some(waker) = wakers.take() {
                    waker.wake();
                }
            }
        });
        build(builder).block_on(async {
            for _ in 0..ROUNDS {
                let (ended, end) = oneshot();
                let mut ended = Some(ended);
                let (mut begun, wakers) = (false, wakers.clone());
                drop(spawn(poll_fn(move |cx| {
                    if !core::mem::replace(&mut begun, true) {
                        wakers.put(Some(cx.waker().clone()));
                        return Poll::Pending;
                    }
                    let ended = ended.take().expect("ready once");
                    ended.send(()).expect("main waits");
                    Poll::Ready(())
                })));
                end.await.expect("it is sent");
            }
        });
        wakers.put(None);
        other.join();
    });
}

/// tokio's `abort` dropped the future of a `LocalSet`'s task on the thread that called it, though the
/// future was not `Send` (RUSTSEC-2021-0072).
///
/// Method: the handle is sent to another thread, which cancels and drops it; the future notes where it
/// is dropped.
#[test]
fn tokio_3929_abort_drops_a_local_future_on_the_wrong_thread() {
    both(|builder| {
        let home = std::thread::current().id();
        let dropped_at = Arc::new(Mutex::new(Vec::new()));
        build(builder).block_on(async {
            for waits in [false, true] {
                let (not_send, places) = (Rc::new(()), Arc::clone(&dropped_at));
                let notes = OnDrop(move || {
                    let _same_thread = Rc::clone(&not_send);
                    places.lock().push(std::thread::current().id());
                });
                let task = spawn_local(async move {
                    let _notes = notes;
                    pending::<()>().await;
                });
                yield_now().await;
                let canceller = task.canceller();
                thread(move || {
                    assert!(task.cancel());
                    if waits {
                        let ended = tenter_tests::support::poll_once(&mut { task });
                        assert!(ended.is_pending(), "it is dropped at home");
                    }
                })
                .join();
                while !canceller.is_finished() {
                    yield_now().await;
                }
            }
        });
        assert_eq!(*dropped_at.lock(), [home, home]);
    });
}

/// tokio cloned and dropped wakers while it held its own locks, so that a waker that came back into the
/// primitive found it locked by its own thread.
///
/// Method: wakers that use the very task, its handle and its runtime when they are cloned, woken and
/// dropped.
#[test]
fn tokio_5429_a_waker_that_comes_back_to_the_task_deadlocks() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        runtime.block_on(async {
            for act in [Act::Clone, Act::Wake, Act::Drop] {
                let mut task = spawn(pending::<()>());
                let (canceller, handle) = (task.canceller(), handle.clone());
                let calls = Count::new();
                let called = calls.clone();
                let (waker, _) = waker_that(act, move || {
                    called.add();
                    let _ended = canceller.is_finished();
                    let again = canceller.clone();
                    again.cancel();
                    drop(handle.spawn(async {}));
                    assert!(handle.metrics().workers > 0);
                });
                let pending = poll_with(&waker, &mut task).is_pending();
                assert!(pending || !one_thread());
                if !pending {
                    // Cloning it has cancelled the task, which has ended meanwhile.
                    continue;
                }
                let (other, _) = waker_that(Act::Clone, || ());
                if act == Act::Drop {
                    // Replaces the waker, which cancels the task then.
                    let pending = poll_with(&other, &mut task).is_pending();
                    assert!(pending || !one_thread());
                    if !pending {
                        continue;
                    }
                }
                task.cancel();
                while !task.is_finished() {
                    yield_now().await;
                }
                assert!(poll_with(&other, &mut task).is_ready());
                // The joiner is woken after the task has ended.
                settle().await;
                assert!(calls.get() > 0, "{act:?}");
            }
        });
    });
}

/// In tokio a panic out of a joiner's waker left the state of the task half changed: it was never
/// released, or its output never dropped.
///
/// Method: the waker panics; everything that was to come after it is looked for.
#[test]
fn tokio_3689_a_waker_that_panics_leaves_the_task_half_ended() {
    every(|builder| {
        let runtime = build(builder.on_unobserved(|_| ()));
        let (futures, outputs) = (Count::new(), Count::new());
        runtime.block_on(async {
            let (waker, seen) = waker_that(Act::Wake, || panic!("in wake"));
            let (future, output) = (futures.on_drop(), outputs.on_drop());
            let (go, gate) = oneshot::<()>();
            let mut task = spawn(async move {
                let _future = future;
                gate.await.expect("it is sent");
                output
            });
            let canceller = task.canceller();
            assert!(poll_with(&waker, &mut task).is_pending());
            drop(waker);
            go.send(()).expect("the task waits");
            while !canceller.is_finished() {
                yield_now().await;
            }
            settle().await;
            assert_eq!(
                (futures.get(), outputs.get(), seen.wakes(), seen.alive()),
                (1, 0, 1, 0)
            );
            drop(task.await.expect("the task did not panic"));
            assert_eq!(outputs.get(), 1);
        });
        assert_eq!(runtime.metrics().unobserved_failures, 1);
    });
}

/// tokio's join handle dropped the output without a guard: a destructor that panicked unwound out of
/// the handle, which ends the process if the handle itself is being dropped by unwinding.
///
/// Method: exactly that.
#[test]
fn tokio_4430_an_output_that_panics_in_drop_unwinds_out_of_the_handle() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("in the drop of the output");
        }
    }
    every(|builder| {
        let reports = Count::new();
        let counts = reports.clone();
        let runtime = build(builder.on_unobserved(move |_| {
            counts.add();
        }));
        runtime.block_on(async {
            let task = spawn(async { Bomb });
            settle().await;
            let outer = catch_unwind(AssertUnwindSafe(|| {
                let _dropped_by_unwinding = task;
                panic!("outer");
            }));
            assert!(outer.is_err());
            drop(spawn(async { Bomb }));
            settle().await;
        });
        assert_eq!(reports.get(), 2);
    });
}

/// In tokio's slot for the last woken task two tasks that woke each other passed a worker to and fro
/// for ever, and the queue behind them starved, because the slot never counted against a budget.
///
/// Method: two tasks wake each other at every poll; a third has its turns in between.
#[test]
fn tokio_5686_two_tasks_that_wake_each_other_starve_the_rest() {
    both(|builder| {
        build(builder).block_on(async {
            let wakers: Arc<[Mutex<Option<Waker>>; 2]> = Arc::default();
            let rallies = Count::new();
            for me in 0..2 {
                let (wakers, rallies) = (Arc::clone(&wakers), rallies.clone());
                drop(spawn(poll_fn(move |cx| {
                    rallies.add();
                    *wakers[me].lock() = Some(cx.waker().clone());
                    let other = wakers[1 - me].lock().take();
                    if let Some(other) = other {
                        other.wake();
                    }
                    Poll::<()>::Pending
                })));
            }
            for turns in 1..200 {
                yield_now().await;
                assert!(
                    rallies.get() <= 2 * turns,
                    "{} polls in {turns} turns",
                    rallies.get()
                );
            }
            assert!(rallies.get() > 100, "they do wake each other");
        });
    });
}

/// tokio called the hook before parking after it had looked for work for the last time. What the hook
/// spawned or woke stayed in the queue while the thread slept.
///
/// Method: main waits for what the hook spawns, and for what it wakes; the clock must not move.
#[test]
fn tokio_8222_work_from_the_park_hook_is_slept_over() {
    both(|builder| {
        let parks = Count::new();
        let (give, value) = oneshot();
        let give = Mutex::new(Some(give));
        let woken: Slot<Waker> = Slot::new();
        let runtime = build(builder.virtual_clock().on_thread_park({
            let (parks, woken) = (parks.clone(), woken.clone());
            move || match parks.add() {
                0 => {
                    let give = give.lock().take().expect("the first time");
                    drop(spawn(async move { give.send(9).expect("main waits") }));
                }
                1 => woken.take().wake(),
                more => panic!("parked {more} times more"),
            }
        }));
        runtime.block_on(async {
            let alarm = spawn(tenter::time::sleep(Duration::from_secs(1)));
            let start = tenter::time::now();
            assert_eq!(value.await, Ok(9));
            GiveWaker::new(woken).await;
            assert_eq!(tenter::time::now(), start);
            assert!(!alarm.is_finished());
        });
        assert_eq!(parks.get(), 2);
    });
}

/// Tasks of tokio could leak when a panic in the destructor of a future, or of its output, met the
/// cancellation of the task.
///
/// Method: the future panics in drop on cancellation, and holds the handle of the next one, which does
/// likewise.
#[test]
fn tokio_3967_destructors_that_panic_on_abort_leak_the_rest() {
    every(|builder| {
        let runtime = build(builder.on_unobserved(|_| ()));
        let dropped = Count::new();
        runtime.block_on(async {
            let mut next: Option<JoinHandle<()>> = None;
            for number in 0..50 {
                let (held, counts) = (next.take(), dropped.on_drop());
                let bomb = OnDrop(move || assert!(number % 2 == 0, "in drop"));
                let task = task::Builder::new().spawn(async move {
                    let _held = held.map(JoinHandle::cancel_on_drop);
                    let (_bomb, _counts) = (bomb, counts);
                    pending::<()>().await;
                });
                next = Some(task);
            }
            settle().await;
            let last = next.take().expect("there are fifty");
            assert!(
                last.cancel_and_wait()
                    .await
                    .expect_err("never ready")
                    .is_panic()
            );
            for _ in 0..60 {
                settle().await;
            }
        });
        assert_eq!(dropped.get(), 50);
        let metrics = runtime.metrics();
        assert_eq!((metrics.alive_tasks, metrics.unobserved_failures), (0, 24));
    });
}
