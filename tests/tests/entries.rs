//! What a thread is in: entries and their guards, runtimes inside runtimes, and what is forgotten.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tenter::sync::oneshot;
use tenter::task::yield_now;
use tenter::{Builder, Handle, Runtime, spawn};
use tenter_tests::support::{Count, OnDrop, Slot, both, build, every, forget, one_thread, settle};

/// The runtime that `spawn` would use, by the name that its Debug shows.
fn current() -> Option<String> {
    Some(format!("{:?}", Handle::try_current().ok()?))
}

fn named(builder: &Builder, name: &str) -> Runtime {
    build(builder.clone().name(name))
}

/// Goal: entries nest, and end in whatever order their guards are dropped.
#[test]
fn entries_end_in_any_order() {
    every(|builder| {
        let (a, b, c) = (
            named(&builder, "a"),
            named(&builder, "b"),
            named(&builder, "c"),
        );
        let is = |name: &str| current().is_some_and(|text| text.contains(&format!("\"{name}\"")));
        assert_eq!(current(), None);
        let (in_a, in_b, in_c) = (a.enter(), b.enter(), c.enter());
        assert!(is("c"));
        drop(in_b);
        assert!(is("c"));
        drop(in_c);
        assert!(is("a"));
        let again = b.enter();
        assert!(is("b"));
        drop(in_a);
        assert!(is("b"));
        drop(again);
        assert_eq!(current(), None);
    });
}

/// Goal: the clock follows the entries, in whatever order they end.
/// Method: two virtual clocks that were moved apart, and the real one outside.
#[test]
fn the_clock_follows_the_entries() {
    both(|builder| {
        let at = |hours: u64| {
            let runtime = build(builder.clone().virtual_clock());
            runtime
                .block_on(async { tenter::time::sleep(Duration::from_secs(3_600 * hours)).await });
            runtime
        };
        let (a, b) = (at(1), at(2));
        let now = tenter::time::now;
        let outside = now();
        let a_now = a.block_on(async { now() });
        let b_now = b.block_on(async { now() });
        assert_eq!(b_now.duration_since(a_now), Duration::from_secs(3_600));
        let (in_a, in_b) = (a.enter(), b.enter());
        assert_eq!(now(), b_now);
        drop(in_a);
        assert_eq!(now(), b_now, "the guard of `b` is still there");
        drop(in_b);
        let after = now();
        assert!(
            after >= outside && after != a_now && after != b_now,
            "nothing is entered"
        );
    });
}

/// Goal: forgetting any guard, handle or future leaks, and does no other harm.
#[test]
fn what_is_forgotten_is_leaked_and_no_more() {
    every(|builder| {
        let runtime = named(&builder, "first");
        let dropped = Count::new();
        forget(runtime.handle().clone().enter_leaked());
        runtime.block_on(async {
            let task = |number: u32| {
                let guard = dropped.on_drop();
                spawn(async move {
                    let _guard = guard;
                    yield_now().await;
                    number
                })
            };
            forget(task(1));
            forget(task(2).cancel_on_drop());
            forget(task(3).canceller());
            let mut polled = task(4);
            let pending = tenter_tests::support::poll_once(&mut polled).is_pending();
            assert!(pending || !one_thread());
            forget(polled);
            forget(yield_now());
            let mut half = Box::pin(tenter::shield(yield_now()));
            poll_fn(|cx| {
                assert!(half.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
            forget(half);
            for _ in 0..3 {
                settle().await;
            }
            assert_eq!(dropped.get(), 4);
        });
        let second = named(&builder, "second");
        assert_eq!(
            second.block_on(async { spawn(async { 8 }).await }).ok(),
            Some(8)
        );
        assert!(current().is_some_and(|text| text.contains("first")));
        drop(runtime);
        forget(second);
    });
}

trait EnterLeaked {
    fn enter_leaked(self) -> tenter::EnterGuard<'static>;
}

impl EnterLeaked for Handle {
    fn enter_leaked(self) -> tenter::EnterGuard<'static> {
        let kept: &'static Handle = Box::leak(Box::new(self));
        forget(kept);
        kept.enter()
    }
}

/// Goal: a runtime that is dropped in a task of another one ends its tasks then and there, and what
/// they wake and spawn in the outer one goes on.
#[test]
fn a_runtime_may_be_dropped_in_a_task_of_another() {
    every(|builder| {
        let (outer, inner) = (build(builder.clone()), build(builder));
        let dropped = Count::new();
        outer.block_on(async {
            let (give, value) = oneshot();
            let (mut give, handle) = (Some(give), Handle::current());
            let counts = dropped.on_drop();
            let last_words = OnDrop(move || {
                let give = give.take().expect("dropped once");
                drop(handle.spawn(async move { give.send(4).expect("main waits") }));
            });
            drop(inner.spawn(async move {
                let (_last_words, _counts) = (last_words, counts);
                pending::<()>().await;
            }));
            spawn(async move {
                let inside = Handle::current();
                drop(inner);
                assert_eq!(format!("{:?}", Handle::current()), format!("{inside:?}"));
                yield_now().await;
            })
            .await
            .expect("no panic");
            assert_eq!(dropped.get(), 1);
            assert_eq!(value.await, Ok(4));
        });
    });
}

/// Goal: a runtime is made, entered and spawned on inside a task of another; only `block_on` is refused.
#[test]
fn a_runtime_may_be_made_in_a_task_of_another() {
    every(|builder| {
        let (outer, taken) = (build(builder.clone()), Slot::new());
        outer.block_on(async {
            let inner = build(builder.clone());
            let there = {
                let _inner = inner.enter();
                spawn(async { 1 })
            };
            let here = spawn(async { 2 });
            assert_eq!(here.await.expect("no panic"), 2);
            assert!(!there.is_finished() || !one_thread());
            taken.put((inner, there));
        });
        let (inner, there) = taken.take();
        assert_eq!(inner.block_on(there).expect("no panic"), 1);
    });
}

/// Goal: a task may hold its own runtime, as long as it lets go of it before it ends.
#[test]
fn a_task_may_hold_its_own_runtime() {
    every(|builder| {
        let runtime = Arc::new(build(builder));
        let held = Arc::clone(&runtime);
        let task = runtime.spawn(async move {
            settle().await;
            held.metrics().alive_tasks
        });
        let main = u64::from(one_thread());
        assert_eq!(runtime.block_on(task).expect("no panic"), 1 + main);
        assert_eq!(Arc::strong_count(&runtime), 1);
    });
}
