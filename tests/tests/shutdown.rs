//! The end of a runtime: what is dropped, what is reported, and what its handles do afterwards.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order. Ends that race with other threads:
//! `stress_runtime.rs`; the names in reports of `!Send` tasks: `owners.rs`.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::future::{pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use parking_lot::Mutex;
use tenter::sync::oneshot;
use tenter::task::{self, yield_now};
use tenter::{CancelKind, CancelReason, Canceller, Handle, JoinHandle, spawn, spawn_local};
use tenter_tests::support::hostile::{Act, waker_that, waker_that_panics_at};
use tenter_tests::support::{
    Count, Log, OnDrop, Slot, assert_says, both, build, every, foreign_block_on, forget,
    one_thread, poll_once, poll_with, settle, thread,
};

fn shutdown<T: std::fmt::Debug>(handle: JoinHandle<T>) -> bool {
    let ended = foreign_block_on(handle).expect_err("the runtime is gone");
    ended.reason().map(CancelReason::kind) == Some(CancelKind::Shutdown)
}

/// Goal: every future is dropped, once, wherever its task is: never polled, asleep, ready, or still on
/// its way from another thread. Joiners are told.
#[test]
fn every_future_is_dropped_once() {
    every(|builder| {
        let runtime = build(builder);
        let (dropped, polled) = (Count::new(), Count::new());
        let task = || {
            let (guard, polled) = (dropped.on_drop(), polled.clone());
            async move {
                let _guard = guard;
                polled.add();
                pending::<()>().await;
            }
        };
        let (asleep, woken, fresh) = runtime.block_on(async {
            let asleep = spawn(task());
            let given = Slot::new();
            let woken = spawn({
                let (given, rest) = (given.clone(), task());
                async move {
                    tenter_tests::support::GiveWaker::new(given).await;
                    rest.await;
                }
            });
            settle().await;
            given.take().wake();
            (asleep, woken, spawn(task()))
        });
        let remote = runtime.spawn(task());
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert_eq!((report.cancelled, report.leaked), (4, 0));
        assert_eq!(dropped.get(), 4);
        // The one that was woken is polled once more before it is dropped.
        assert!(!one_thread() || polled.get() == 2);
        for handle in [asleep, woken, fresh, remote] {
            assert!(handle.is_finished());
            assert!(shutdown(handle));
        }
    });
}

/// Goal: the report names what was left, up to a bound, and counts the rest; it is empty after a clean
/// run.
#[test]
fn the_report_names_what_was_left() {
    every(|builder| {
        let runtime = build(builder.clone());
        runtime.block_on(async { spawn(async {}).await.expect("no panic") });
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert!(report.is_clean());
        assert_eq!(report.to_string(), "0 tasks cancelled, 0 leaked");

        let runtime = build(builder.clone());
        let line = line!() + 2;
        let named = task::Builder::new().name("left behind");
        let id = runtime.block_on(async { named.spawn(pending::<()>()).id() });
        let report = runtime.shutdown_timeout(Duration::MAX);
        let left = &report.cancelled_tasks[..];
        assert_eq!(
            (left.len(), left[0].id, left[0].spawned_at.line()),
            (1, id, line)
        );
        assert_eq!(left[0].name.as_deref(), Some("left behind"));
        assert_says(
            &report.to_string(),
            &[
                "1 task cancelled",
                &format!("cancelled: task {id} \"left behind\" spawned at "),
            ],
        );

        let runtime = build(builder);
        (0..1_000).for_each(|_| drop(runtime.spawn(pending::<()>())));
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert_eq!(
            (report.cancelled, report.cancelled_tasks.len()),
            (1_000, 64)
        );
    });
}

/// Goal: a task that fails while it is ended is reported once, and the others are ended all the same.
#[test]
fn a_failure_at_the_end_is_reported_once() {
    every(|builder| {
        let (reports, dropped) = (Log::new(), Count::new());
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |failure| reports.add(failure.message().to_owned())
        }));
        runtime.block_on(async {
            for number in 0..3 {
                let counts = dropped.on_drop();
                let guard = OnDrop(move || assert!(number != 1, "number {number}"));
                drop(spawn(async move {
                    let (_counts, _guard) = (counts, guard);
                    pending::<()>().await;
                }));
            }
            settle().await;
        });
        drop(runtime);
        assert_eq!(
            (reports.take(), dropped.get()),
            (vec!["number 1".to_owned()], 3)
        );
    });
}

/// Goal: a destructor that spawns while the runtime ends gets a handle that is cancelled, and the
/// task's future is dropped unpolled.
#[test]
fn a_task_spawned_at_the_end_is_cancelled() {
    both(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let (late, ran, dropped) = (Slot::new(), Count::new(), Count::new());
        let (spawns, polled, guard) = (late.clone(), ran.clone(), dropped.on_drop());
        let mut guard = Some(guard);
        let last_words = OnDrop(move || {
            let (polled, guard) = (polled.clone(), guard.take());
            let sent = spawn(async move {
                let _guard = guard;
                polled.add();
            });
            let not_send = std::rc::Rc::new(());
            let local = spawn_local(async move { drop(not_send) });
            assert!(sent.is_finished() && local.is_finished());
            spawns.put((sent, local.canceller()));
        });
        runtime.block_on(async {
            drop(spawn(async move {
                let _last_words = last_words;
                pending::<()>().await;
            }));
            yield_now().await;
        });
        let report = runtime.shutdown_timeout(Duration::ZERO);
        assert_eq!(report.cancelled, 1);
        let (sent, local) = late.take();
        assert!(shutdown(sent) && local.is_finished());
        assert_eq!((ran.get(), dropped.get()), (0, 1));
        assert_eq!(handle.metrics().alive_tasks, 0);
    });
}

/// Spawns itself again when it is dropped, on whichever runtime its handle is of.
struct Phoenix {
    runtime: Handle,
    deaths: Count,
    /// All of them, for a leak checker to find.
    brood: &'static Mutex<Vec<Canceller>>,
}

impl Phoenix {
    fn spawn(self) {
        let (runtime, brood) = (self.runtime.clone(), self.brood);
        let task = runtime.spawn(async move {
            let _self = self;
            pending::<()>().await;
        });
        brood.lock().push(task.canceller());
    }
}

impl Drop for Phoenix {
    fn drop(&mut self) {
        self.deaths.add();
        Phoenix {
            runtime: self.runtime.clone(),
            deaths: self.deaths.clone(),
            brood: self.brood,
        }
        .spawn();
    }
}

/// Goal: a task that spawns itself again when it is dropped keeps no runtime from ending, and exhausts
/// no stack: after many rounds it is leaked, counted and reported. So it is after the end.
#[test]
fn a_task_that_respawns_itself_does_not_stop_the_end() {
    every(|builder| {
        let phoenix = |runtime: &Handle| {
            let brood = Box::leak(Box::default());
            forget(&raw const *brood);
            let (runtime, deaths) = (runtime.clone(), Count::new());
            (
                deaths.clone(),
                Phoenix {
                    runtime,
                    deaths,
                    brood,
                },
            )
        };
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let (deaths, first) = phoenix(&handle);
        runtime.block_on(async {
            first.spawn();
            settle().await;
        });
        assert_eq!(deaths.get(), 0);
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert_eq!((report.cancelled, report.leaked), (1, 1));
        assert!(deaths.get() > 1_000);

        let (deaths, late) = phoenix(&handle);
        late.spawn();
        assert!(deaths.get() > 1_000);
        assert_eq!(handle.metrics().leaked_tasks, 2);
    });
}

/// Goal: destructors at the end may wake, cancel, and let go of one another.
#[test]
fn destructors_at_the_end_may_use_each_other() {
    every(|builder| {
        let runtime = build(builder);
        let shared: Arc<Mutex<Vec<JoinHandle<()>>>> = Arc::default();
        let ended = Count::new();
        runtime.block_on(async {
            for _ in 0..100 {
                let others = Arc::clone(&shared);
                let counts = ended.clone();
                let meddles = OnDrop(move || {
                    counts.add();
                    for other in others.lock().iter() {
                        other.cancel();
                    }
                    let taken = others.lock().pop();
                    drop(taken);
                });
                let task = spawn(async move {
                    let _meddles = meddles;
                    let mut polls = 0;
                    poll_fn(|cx| {
                        polls += 1;
                        cx.waker().wake_by_ref();
                        Poll::<()>::Pending
                    })
                    .await;
                });
                shared.lock().push(task);
            }
            yield_now().await;
        });
        let report = runtime.shutdown_timeout(Duration::MAX);
        // Another worker may end one whom a destructor has cancelled, before it sees the end.
        assert!(report.cancelled == 100 || (report.cancelled < 100 && !one_thread()));
        assert_eq!(ended.get(), 100);
        assert!(shared.lock().is_empty());
    });
}

/// Goal: blocking in a destructor at the end is refused, not a hang.
#[test]
fn a_destructor_at_the_end_cannot_block() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let refused = Count::new();
        let counts = refused.clone();
        let blocks = OnDrop(move || {
            if handle.try_block_on(pending::<()>()).is_err() {
                counts.add();
            }
        });
        runtime.block_on(async {
            drop(spawn(async move {
                let _blocks = blocks;
                pending::<()>().await;
            }));
            settle().await;
        });
        drop(runtime);
        assert_eq!(refused.get(), 1);
    });
}

/// Goal: a joiner in another runtime, and on a foreign executor, is woken by the end.
#[test]
fn joiners_elsewhere_are_told() {
    every(|builder| {
        let (ends, goes_on) = (build(builder.clone()), build(builder));
        let (here, there) = (ends.spawn(pending::<()>()), ends.spawn(pending::<()>()));
        let foreign = thread(move || shutdown(there));
        goes_on.block_on(async {
            let waits = spawn(here);
            settle().await;
            drop(ends);
            let ended = waits.await.expect("the joiner itself goes on");
            assert!(ended.expect_err("the runtime is gone").is_cancelled());
        });
        assert!(foreign.join());
    });
}

/// Goal: a hostile waker does not unwind out of the end of a runtime, nor keep it from ending.
/// Method: registered with a task and with a timer.
#[test]
fn a_hostile_waker_does_not_disturb_the_end() {
    every(|builder| {
        let runtime = build(builder);
        let (joiner, joined) = waker_that_panics_at(Act::Wake);
        let (timer, fired) = waker_that_panics_at(Act::Wake);
        let (mut task, mut sleep) = runtime.block_on(async {
            let sleep = Box::pin(tenter::time::sleep(Duration::from_secs(3_600)));
            (spawn(pending::<()>()), sleep)
        });
        assert!(poll_with(&joiner, &mut task).is_pending());
        assert!(poll_with(&timer, &mut sleep).is_pending());
        let dropped = Count::new();
        let guard = dropped.on_drop();
        drop(runtime.spawn(async move { drop(guard) }));
        drop(runtime);
        assert_eq!((joined.wakes(), fired.wakes(), dropped.get()), (1, 1, 1));
        assert!(Handle::try_current().is_err());
    });
}

/// Goal: a waker that comes back into the runtime while it ends finds it ended, not locked.
#[test]
fn a_waker_may_come_back_into_a_runtime_that_ends() {
    every(|builder| {
        let runtime = build(builder);
        let (handle, late) = (runtime.handle().clone(), Slot::new());
        let (waker, seen) = waker_that(Act::Wake, {
            let (handle, late) = (handle.clone(), late.clone());
            move || {
                let _entered = handle.enter();
                late.put(spawn(async {}));
                assert!(handle.metrics().workers > 0);
            }
        });
        let mut task = runtime.spawn(pending::<()>());
        assert!(poll_with(&waker, &mut task).is_pending());
        drop(runtime);
        assert_eq!(seen.wakes(), 1);
        assert!(shutdown(late.take()));
    });
}

/// Goal: after the end every handle still answers, and what it spawns is cancelled.
#[test]
fn handles_answer_after_the_end() {
    every(|builder| {
        let runtime = build(builder.name("gone"));
        let handle = runtime.handle().clone();
        let id = runtime.block_on(async { spawn(async { task::id() }).await.expect("no panic") });
        runtime.shutdown_timeout(Duration::MAX);

        let dropped = Count::new();
        let guard = dropped.on_drop();
        let late = handle.spawn(async move { drop(guard) });
        assert!(late.is_finished() && late.id() != id);
        assert_eq!(dropped.get(), 1);
        assert!(shutdown(late));
        {
            let _entered = handle.enter();
            assert!(shutdown(spawn(async {})));
            assert!(format!("{:?}", Handle::current()).contains("gone"));
        }
        assert_eq!(handle.block_on(async { 3 }), 3);
        let inside = handle.block_on(async { spawn(async {}).await });
        assert!(inside.expect_err("the runtime is gone").is_cancelled());
        thread({
            let handle = handle.clone();
            move || assert!(shutdown(handle.spawn(async {})))
        })
        .join();
        let metrics = handle.metrics();
        assert_eq!(
            (
                metrics.alive_tasks,
                metrics.armed_timers,
                metrics.waiting_io
            ),
            (0, 0, 0)
        );
    });
}

/// Goal: an end that nobody waits for comes all the same, and what is spawned meanwhile is cancelled.
#[test]
fn the_end_comes_in_the_background() {
    every(|builder| {
        let runtime = build(builder);
        let handle = runtime.handle().clone();
        let (ran, dropped) = (Count::new(), Count::new());
        let left = runtime.spawn({
            let guard = dropped.on_drop();
            async move {
                let _guard = guard;
                pending::<()>().await;
            }
        });
        runtime.shutdown_background();
        let (runs, guard) = (ran.clone(), dropped.on_drop());
        let late = handle.spawn(async move {
            let _guard = guard;
            runs.add();
        });
        assert!(shutdown(left) && shutdown(late));
        assert_eq!((ran.get(), dropped.get()), (0, 2));
    });
}

/// Goal: the outputs that nobody took are dropped with their handles, after the end too.
#[test]
fn outputs_outlive_the_runtime() {
    every(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        let (taken, left) = runtime.block_on(async {
            let task = || {
                let output = dropped.on_drop();
                spawn(async move { output })
            };
            let both = (task(), task());
            settle().await;
            both
        });
        drop(runtime);
        assert_eq!(dropped.get(), 0);
        let output = foreign_block_on(taken).expect("it was ready before");
        drop(output);
        assert_eq!(dropped.get(), 1);
        drop(left);
        assert_eq!(dropped.get(), 2);
    });
}

/// Goal: a runtime that never ran anything ends, with what was spawned on it.
#[test]
fn a_runtime_that_never_ran_ends() {
    both(|builder| {
        drop(build(builder.clone()));
        let runtime = build(builder);
        let task = runtime.spawn(async { 1 });
        drop(runtime);
        assert!(shutdown(task));
    });
}

/// Goal: a timer that outlives its runtime says so instead of waiting for ever.
#[test]
fn a_timer_that_outlives_its_runtime_says_so() {
    every(|builder| {
        let runtime = build(builder);
        let (waker, seen) = waker_that(Act::Clone, || ());
        let (mut armed, fresh) = runtime.block_on(async {
            let sleep = || Box::pin(tenter::time::sleep(Duration::from_secs(3_600)));
            (sleep(), sleep())
        });
        assert!(poll_with(&waker, &mut armed).is_pending());
        drop(runtime);
        assert_eq!(seen.wakes(), 1, "whoever waits is woken to hear it");
        for mut sleep in [armed, fresh] {
            let message = tenter_tests::support::panic_of(|| poll_once(&mut sleep));
            assert_says(&message, &["shutdown.rs", "shut down", "keep the runtime"]);
        }
    });
}

/// Goal: the end of a runtime is not in the way of a future that waits for nothing of it.
#[test]
fn a_handle_waits_across_the_end() {
    every(|builder| {
        let runtime = build(builder);
        let (give, value) = oneshot();
        let handle = runtime.handle().clone();
        let started = Slot::new();
        let waits = thread({
            let started = started.clone();
            move || {
                let mut value = pin!(value);
                handle.block_on(poll_fn(|cx| {
                    let polled = value.as_mut().poll(cx);
                    started.put(());
                    polled
                }))
            }
        });
        started.take();
        drop(runtime);
        give.send(6).expect("it waits");
        assert_eq!(waits.join(), Ok(6));
    });
}
