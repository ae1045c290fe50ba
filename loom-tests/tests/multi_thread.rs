//! The whole runtime of many threads (`runtime/src/scheduler/multi_thread`): its workers are model
//! threads, while others spawn, wake and end it.
//!
//! One worker each: with two whole workers there are too many schedules even at one preemption. What two do
//! to each other is in pieces: `idle.rs` for sleep and search, `deque.rs` for the queues, and
//! `docs/models` for four of them.
#![cfg(tenter_loom)]

use std::time::Duration;

use tenter::{Builder, Runtime};
use tenter_loom_tests::{Census, block_on, check};
use tenter_sync::oneshot;
use tenter_sync::shim::thread;

fn runtime() -> Runtime {
    Builder::multi_thread()
        .workers(1)
        .build()
        .expect("no setting is wrong")
}

/// Goal: a task that a thread spawns which is no worker is run, and its output comes back to it.
#[test]
fn remote_spawn() {
    check("multi_thread::remote_spawn", || {
        let runtime = runtime();
        let task = runtime.spawn(async { 7 });
        assert_eq!(block_on(task).expect("no panic"), 7);
        drop(runtime);
    });
}

/// Goal: a wake by another thread reaches a worker that is going to sleep.
#[test]
fn remote_wake() {
    check("multi_thread::remote_wake", || {
        let runtime = runtime();
        let (sender, receiver) = oneshot();
        let task = runtime.spawn(receiver);
        sender.send(7).expect("somebody waits");
        assert_eq!(block_on(task).expect("no panic").expect("sent"), 7);
        drop(runtime);
    });
}

/// Goal: a task that another thread spawns while the runtime ends is run or cancelled, and dropped once
/// either way.
#[test]
fn shutdown_vs_spawn() {
    check("multi_thread::shutdown_vs_spawn", || {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let census = Census::new();
        let guard = census.track(());
        let other = thread::spawn(move || drop(handle.spawn(async move { drop(guard) })));
        drop(runtime);
        other.join().unwrap();
        census.assert_all_dropped();
    });
}

/// Goal: a wake from another thread while the runtime ends touches nothing that is gone, and the task
/// ends once.
#[test]
fn shutdown_vs_remote_wake() {
    check("multi_thread::shutdown_vs_remote_wake", || {
        let runtime = runtime();
        let (sender, receiver) = oneshot::<()>();
        let census = Census::new();
        let guard = census.track(());
        let task = runtime.spawn(async move {
            let _guard = guard;
            receiver.await.is_ok()
        });
        let other = thread::spawn(move || drop(sender));
        drop(runtime);
        other.join().unwrap();
        match block_on(task) {
            Ok(received) => assert!(!received),
            Err(error) => assert!(error.is_cancelled()),
        }
        census.assert_all_dropped();
    });
}

/// Goal: whoever has the last reference frees the scheduler, after everybody else's last use: a worker
/// that nobody waited for, or a thread with a handle.
#[test]
fn the_last_handle() {
    check("multi_thread::the_last_handle", || {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let other = thread::spawn(move || drop(handle));
        runtime.shutdown_background();
        other.join().unwrap();
    });
}

/// Goal: whoever waits for all tasks to stop is told by the worker that falls asleep last, and a task that
/// sleeps is cancelled and has stopped by then. A wake that is missed hangs: no time passes in a model.
#[test]
fn drain_vs_a_sleeping_task() {
    check("multi_thread::drain_vs_a_sleeping_task", || {
        let runtime = runtime();
        let census = Census::new();
        let guard = census.track(());
        let task = runtime.spawn(async move {
            let _guard = guard;
            core::future::pending::<()>().await;
        });
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert_eq!(report.overdue, 0);
        assert!(block_on(task).is_err());
        census.assert_all_dropped();
    });
}

/// Goal: a task that another thread spawns while the runtime drains is run or refused, and nobody waits for
/// it in vain.
#[test]
fn drain_vs_spawn() {
    check("multi_thread::drain_vs_spawn", || {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let census = Census::new();
        let guard = census.track(());
        let other = thread::spawn(move || drop(handle.spawn(async move { drop(guard) })));
        let report = runtime.shutdown_timeout(Duration::MAX);
        assert_eq!(report.overdue, 0);
        other.join().unwrap();
        census.assert_all_dropped();
    });
}
