//! The whole runtime of many threads (`runtime/src/scheduler/multi_thread`): its workers are model
//! threads, while others spawn, wake and end it.
#![cfg(tenter_loom)]

use tenter::{Builder, Runtime};
use tenter_loom_tests::{Census, block_on, check};
use tenter_sync::oneshot;
use tenter_sync::shim::thread;

fn runtime(workers: usize) -> Runtime {
    Builder::multi_thread()
        .workers(workers)
        .build()
        .expect("no setting is wrong")
}

/// Goal: a task that a thread spawns which is no worker is run, and its output comes back to it.
#[test]
fn remote_spawn() {
    check("multi_thread::remote_spawn", || {
        let runtime = runtime(1);
        let task = runtime.spawn(async { 7 });
        assert_eq!(block_on(task).expect("no panic"), 7);
        drop(runtime);
    });
}

/// Goal: a wake by another thread reaches a worker that is going to sleep.
#[test]
fn remote_wake() {
    check("multi_thread::remote_wake", || {
        let runtime = runtime(1);
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
        let runtime = runtime(1);
        let handle = runtime.handle().clone();
        let census = Census::new();
        let guard = census.track(());
        let other = thread::spawn(move || {
            let task = handle.spawn(async move { drop(guard) });
            if let Err(error) = block_on(task) {
                assert!(error.is_cancelled());
            }
        });
        drop(runtime);
        other.join().unwrap();
        census.assert_all_dropped();
    });
}
