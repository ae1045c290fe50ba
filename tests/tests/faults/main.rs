//! Faults that a process meets: what the system takes away, and what ends in the middle.
//!
//! `docs/faults.md` lists all of them, with the tests in this program and in others. Each test that
//! looks at, or changes, its whole process runs in one of its own.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

mod descriptors;
mod fork;
mod listed;
mod memory;
mod peers;
mod poller;
mod signals;
mod system;
mod threads;

use std::future::pending;
use std::io::{BufRead, Read, Write};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use memory::in_use;
use system::{every_flavour, flavours, own};
use tenter::task::yield_now;
use tenter::{Builder, Runtime, spawn};
use tenter_tests::support::{Slot, alone, alone_with, build, forget, poll_once, thread};

/// Goal: making and using a runtime without sockets starts no thread and opens no descriptor, so the
/// system has nothing to refuse; ending it leaves nothing behind.
#[test]
fn building_starts_no_thread_and_opens_nothing() {
    if !alone("building_starts_no_thread_and_opens_nothing") {
        return;
    }
    let before = (own("task"), own("fd"));
    for builder in flavours() {
        let runtime = build(builder.virtual_clock());
        assert_eq!((own("task"), own("fd")), before);
        runtime.block_on(async {
            spawn(yield_now()).await.expect("no panic");
            tenter::time::sleep(Duration::from_secs(1)).await;
        });
        assert_eq!((own("task"), own("fd")), before);
        drop(runtime);
        assert_eq!((own("task"), own("fd")), before);
    }
}

/// Goal: a runtime that had a socket closes what it opened for it.
#[test]
fn a_runtime_closes_its_descriptors() {
    if !alone("a_runtime_closes_its_descriptors") {
        return;
    }
    for builder in every_flavour() {
        let before = own("fd");
        for _ in 0..3 {
            let runtime = build(builder.clone());
            runtime.block_on(async {
                let listener = tenter::net::TcpListener::bind("127.0.0.1:0").await;
                let listener = listener.expect("loopback has a free port");
                let accepting = spawn(async move { listener.accept().await.is_ok() });
                yield_now().await;
                assert!(!accepting.is_finished());
            });
            assert!(own("fd") > before);
            drop(runtime);
            assert_eq!(own("fd"), before);
        }
    }
}

/// Goal: runtimes that come and go leave no memory behind, not even with tasks that were left, wakers
/// that outlived them, panics, and local tasks.
/// Method: bytes in use before and after each of four stretches of many rounds.
#[test]
fn runtimes_that_come_and_go_leave_no_memory() {
    if !alone("runtimes_that_come_and_go_leave_no_memory") {
        return;
    }
    std::panic::set_hook(Box::new(|_| ()));
    let round = || {
        for builder in every_flavour() {
            let given = Slot::new();
            let one_thread = !format!("{builder:?}").contains("MultiThread");
            let runtime = build(builder.on_unobserved(|_| ()));
            let left = runtime.block_on(async {
                drop(spawn(tenter_tests::support::GiveWaker::new(given.clone())));
                drop(spawn(async { panic!("on purpose") }));
                if one_thread {
                    drop(tenter::spawn_local(pending::<()>()));
                }
                let named = tenter::task::Builder::new()
                    .name("named")
                    .spawn(pending::<()>());
                assert!(named.cancel_with("a reason".to_owned()));
                let left = spawn(async {
                    tenter::time::sleep(Duration::from_secs(3_600)).await;
                });
                yield_now().await;
                left
            });
            let waker = given.take();
            drop(runtime);
            waker.wake();
            drop(left);
        }
    };
    (0..20).for_each(|_| round());
    let grown = [(); 4].map(|()| {
        let before = in_use();
        (0..200).for_each(|_| round());
        in_use().saturating_sub(before)
    });
    let _default = std::panic::take_hook();
    // What is allocated once, as by the test harness's own thread or by parking_lot's table when more threads
    // than ever were alive, grows one stretch or two. A leak is at least a word a round, in each of them.
    let least = grown.iter().min().expect("there are four");
    assert!(*least < 200 * 8, "{grown:?} bytes more");
}

/// Goal: a failure that is reported to a standard error that nobody reads any more ends nothing.
/// Method: the reader is gone before a detached task panics, and a hook.
#[test]
fn a_report_that_cannot_be_printed_is_lost_and_no_more() {
    let name = "a_report_that_cannot_be_printed_is_lost_and_no_more";
    let pipes = |command: &mut std::process::Command| {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
    };
    let is_child = alone_with(name, pipes, |mut child| {
        drop(child.stderr.take());
        let mut stdin = child.stdin.take().expect("it is a pipe");
        stdin
            .write_all(b"the reader is gone\n")
            .expect("it is read");
        let status = child.wait().expect("it ends");
        assert!(status.success(), "{status}");
    });
    if !is_child {
        return;
    }
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    assert!(read.is_ok_and(|bytes| bytes > 0));
    assert!(
        std::io::stderr().write_all(b"x").is_err(),
        "the pipe is broken"
    );
    for builder in every_flavour() {
        let runtime = build(builder.on_thread_stop(|| panic!("the hook")));
        let seven = runtime.block_on(async {
            drop(spawn(async { panic!("unobserved") }));
            while runtime.metrics().unobserved_failures == 0 {
                yield_now().await;
            }
            spawn(async { 7 }).await
        });
        assert_eq!(seven.ok(), Some(7));
        assert_eq!(runtime.metrics().unobserved_failures, 1);
    }
}

/// Goal: a process may exit in the middle of everything, from inside a task.
/// Method: other threads are parked in, and waiting for, the same runtime.
#[test]
fn a_process_may_exit_from_inside_a_task() {
    exits("a_process_may_exit_from_inside_a_task");
}

/// Goal: the same with many workers, of which one runs the task, one sleeps, and jobs are in progress.
#[test]
fn a_process_with_many_workers_may_exit_from_inside_a_task() {
    exits("a_process_with_many_workers_may_exit_from_inside_a_task");
}

fn exits(name: &str) {
    let quiet = |command: &mut std::process::Command| {
        command.stdout(Stdio::null()).stderr(Stdio::piped());
    };
    let is_child = alone_with(name, quiet, |mut child| {
        let mut text = String::new();
        let stderr = child.stderr.take().expect("it is a pipe");
        let read = std::io::BufReader::new(stderr).read_to_string(&mut text);
        assert!(read.is_ok());
        let status = child.wait().expect("it ends");
        assert_eq!(status.code(), Some(3), "{text}");
    });
    if !is_child {
        return;
    }
    let builder = if name.contains("many_workers") {
        Builder::multi_thread().workers(2)
    } else {
        Builder::current_thread()
    };
    let runtime = Arc::new(build(builder));
    let (other, handle) = (Arc::clone(&runtime), runtime.handle().clone());
    runtime
        .block_on(async {
            drop(thread(move || other.block_on(pending::<()>())));
            drop(thread(move || handle.block_on(pending::<()>())));
            drop(spawn(pending::<()>()));
            spawn(async {
                yield_now().await;
                std::process::exit(3);
            })
            .await
        })
        .expect("not reached");
}

/// Goal: a static runtime, which is never dropped, works to the end of the process.
#[test]
fn a_static_runtime_works() {
    static RUNTIME: std::sync::LazyLock<Runtime> =
        std::sync::LazyLock::new(|| build(Builder::current_thread().name("static")));
    for round in 0..3 {
        assert_eq!(
            RUNTIME.block_on(async { spawn(async { 1 }).await }).ok(),
            Some(1)
        );
        thread(move || {
            let task = RUNTIME.spawn(async move { round });
            assert_eq!(RUNTIME.block_on(task).ok(), Some(round));
        })
        .join();
    }
}

/// Goal: a runtime that is forgotten is leaked with its tasks, and disturbs no other.
#[test]
fn a_forgotten_runtime_is_leaked() {
    for builder in flavours() {
        let runtime = build(builder.clone());
        let mut task = runtime.block_on(async {
            let task = spawn(pending::<()>());
            yield_now().await;
            task
        });
        forget(runtime);
        assert!(poll_once(&mut task).is_pending());
        assert!(task.cancel());
        assert!(poll_once(&mut task).is_pending(), "nobody drives it");
        let runtime = build(builder);
        assert_eq!(
            runtime.block_on(async { spawn(async { 2 }).await }).ok(),
            Some(2)
        );
        forget(task);
    }
}
