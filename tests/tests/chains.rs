//! Tasks in long chains, each of which holds the next: they end one after the other, not one in the other.
//!
//! Each test runs on every flavour.

use std::future::pending;
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{JoinHandle, Runtime, spawn};
use tenter_tests::support::{Count, build, every, one_thread, settle};

/// How long a chain is. Were the end recursive, each link would take a frame of at least 50 bytes, and
/// the chain the whole stack of its thread (2 MiB) many times over.
const CHAIN: usize = 1_000_000;

/// Long enough for that, and sooner done.
const SHORTER_CHAIN: usize = 100_000;

/// Ends a runtime with a chain of tasks of which each holds `link` of the next. All of them end. Returns how
/// many were cancelled by the end.
fn end_a_chain<L: Send + 'static>(
    runtime: Runtime,
    length: usize,
    link: fn(JoinHandle<()>) -> L,
) -> usize {
    let dropped = Count::new();
    runtime.block_on(async {
        let mut next = spawn(pending::<()>());
        for _ in 0..length {
            let (held, guard) = (link(next), dropped.on_drop());
            next = spawn(async move {
                let (_held, _guard) = (held, guard);
                pending::<()>().await;
            });
        }
        drop(next);
        yield_now().await;
    });
    let report = runtime.shutdown_timeout(Duration::MAX);
    assert_eq!(dropped.get(), length);
    report.cancelled
}

/// Goal: a million tasks that hold each other's handles end one after the other, not one in the other.
#[test]
fn a_million_handles_in_a_chain_end_without_recursion() {
    every(|builder| {
        let cancelled = end_a_chain(build(builder), CHAIN, |handle| handle);
        assert_eq!(cancelled, CHAIN + 1);
    });
}

/// Goal: the same of cancellers, which keep each other's memory.
#[test]
fn a_million_cancellers_in_a_chain_end_without_recursion() {
    every(|builder| {
        let cancelled = end_a_chain(build(builder), CHAIN, |handle| handle.canceller());
        assert_eq!(cancelled, CHAIN + 1);
    });
}

/// Goal: the same of handles that cancel the next task when they are dropped. What a worker runs before it has
/// heard of the end has been cancelled by its owner alone.
#[test]
fn owners_in_a_long_chain_end_without_recursion() {
    every(|builder| {
        let cancelled = end_a_chain(build(builder), SHORTER_CHAIN, JoinHandle::cancel_on_drop);
        assert!((1..=SHORTER_CHAIN + 1).contains(&cancelled), "{cancelled}");
    });
}

/// Goal: the same while the runtime goes on: a cancelled owner takes a hundred thousand tasks along.
#[test]
fn owners_in_a_long_chain_are_cancelled_without_recursion() {
    every(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let mut next = spawn(pending::<()>());
            for _ in 0..SHORTER_CHAIN {
                let held = next.cancel_on_drop();
                next = spawn(async move {
                    let _held = held;
                    pending::<()>().await;
                });
            }
            settle().await;
            next.cancel_and_wait().await.expect_err("it is never ready");
            let main = u64::from(one_thread());
            while runtime.metrics().alive_tasks > main {
                yield_now().await;
            }
        });
    });
}

/// Goal: the same of tasks that wait for each other, when the last one ends.
#[test]
fn joiners_in_a_long_chain_are_woken_without_recursion() {
    every(|builder| {
        build(builder).block_on(async {
            let (give, value) = oneshot();
            let mut next = spawn(async move { value.await.expect("it is sent") });
            for _ in 0..SHORTER_CHAIN {
                next = spawn(async move { next.await.expect("no panic") + 1 });
            }
            settle().await;
            give.send(0_usize).expect("the last one waits");
            assert_eq!(next.await.expect("no panic"), SHORTER_CHAIN);
        });
    });
}
