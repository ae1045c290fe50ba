//! The whole single-threaded runtime (`runtime/src/scheduler/current_thread.rs`), driven by one model
//! thread while others wake, spawn, cancel, wait for their turn, or end it.
#![cfg(tenter_loom)]

use std::future::poll_fn;
use std::task::Poll;

use tenter::{Builder, Runtime};
use tenter_loom_tests::{Census, block_on, check};
use tenter_sync::oneshot;
use tenter_sync::shim::{Arc, thread};

fn runtime() -> Runtime {
    Builder::current_thread()
        .build()
        .expect("no setting is wrong")
}

/// Goal: a wake from another thread reaches a runtime that is going to sleep.
#[test]
fn remote_wake() {
    check("current_thread::remote_wake", || {
        let (sender, receiver) = oneshot();
        let other = thread::spawn(move || sender.send(7).expect("somebody waits"));
        let runtime = runtime();
        assert_eq!(runtime.block_on(receiver).expect("sent"), 7);
        drop(runtime);
        other.join().unwrap();
    });
}

/// Goal: a task that another thread spawns is run, and its output comes back to that thread.
#[test]
fn remote_spawn() {
    check("current_thread::remote_spawn", || {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let (done, wait) = oneshot();
        let other = thread::spawn(move || {
            let output = block_on(handle.spawn(async { 7 })).expect("no panic");
            done.send(output).expect("somebody waits");
        });
        assert_eq!(runtime.block_on(wait).expect("sent"), 7);
        drop(runtime);
        other.join().unwrap();
    });
}

/// Goal: a task that another thread spawns while the runtime ends is run or cancelled, and dropped once
/// either way.
#[test]
fn shutdown_vs_spawn() {
    check("current_thread::shutdown_vs_spawn", || {
        let runtime = runtime();
        let handle = runtime.handle().clone();
        let census = Census::new();
        let guard = census.track(());
        let other = thread::spawn(move || {
            let task = handle.spawn(async move { drop(guard) });
            block_on(task).is_err_and(|error| error.is_cancelled())
        });
        drop(runtime);
        assert!(other.join().unwrap(), "nobody drove the runtime");
        census.assert_all_dropped();
    });
}

/// Goal: a wake from another thread while the runtime ends touches nothing that is gone.
#[test]
fn shutdown_vs_remote_wake() {
    check("current_thread::shutdown_vs_remote_wake", || {
        let runtime = runtime();
        let (sender, receiver) = oneshot::<()>();
        let task = runtime.spawn(async move { receiver.await.is_ok() });
        runtime.block_on(tenter::task::yield_now());
        let other = thread::spawn(move || drop(sender));
        drop(runtime);
        let ended = block_on(task);
        assert!(ended.is_err_and(|error| error.is_cancelled()));
        other.join().unwrap();
    });
}

/// Goal: of two threads in `block_on` of one runtime, the one that waits takes over when the other
/// leaves, and each gets its own output.
#[test]
fn the_core_is_handed_over() {
    check("current_thread::the_core_is_handed_over", || {
        let runtime = Arc::new(runtime());
        let first = runtime.spawn(async { 7 });
        let (sender, receiver) = oneshot();
        let second = runtime.spawn(async move { receiver.await.expect("sent") });
        let other = {
            let runtime = Arc::clone(&runtime);
            thread::spawn(move || runtime.block_on(second).expect("no panic"))
        };
        assert_eq!(runtime.block_on(first).expect("no panic"), 7);
        // The second task becomes ready when this thread drives no more.
        sender.send(1).expect("somebody waits");
        assert_eq!(other.join().unwrap(), 1);
    });
}

/// Goal: a local task that another thread wakes while it drives is run by its own thread, which waits
/// in line for the core: the core is handed over.
#[test]
fn a_local_task_gets_its_thread() {
    check("current_thread::a_local_task_gets_its_thread", || {
        let runtime = Arc::new(runtime());
        let (ask, asked) = oneshot();
        let (answer, answered) = oneshot();
        let mut local = Some(async move {
            let question: u32 = asked.await.expect("sent");
            answer.send(question).expect("somebody waits");
        });
        let task = runtime.block_on(poll_fn(move |_| match local.take() {
            Some(local) => Poll::Ready(tenter::spawn_local(local)),
            None => unreachable!("ready at once"),
        }));
        let other = {
            let runtime = Arc::clone(&runtime);
            thread::spawn(move || {
                runtime.block_on(async {
                    ask.send(7).expect("the local task waits");
                    answered.await.expect("sent")
                })
            })
        };
        runtime.block_on(task).expect("no panic");
        assert_eq!(other.join().unwrap(), 7);
    });
}
