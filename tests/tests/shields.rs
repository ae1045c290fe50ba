//! Shields: sections that a cancellation waits for, in place, in whichever task they are polled.
//!
//! Each test runs on every flavour, or on both single-threaded ones if it is about their order.

#![allow(
    clippy::async_yields_async,
    reason = "tasks are handed from one block_on to the next"
)]

use std::future::pending;
use std::pin::{Pin, pin};
use std::time::Duration;

use tenter::sync::{Notify, oneshot};
use tenter::task::{Shield, yield_now};
use tenter::{CancelKind, CancelReason, shield, spawn};
use tenter_tests::support::{
    Count, Log, both, build, every, foreign_block_on, forget, poll_once, settle, thread,
};

/// Polls a future of another task once, with the own waker, and leaves it.
async fn touch<F: Future + Unpin>(future: &mut F) {
    std::future::poll_fn(|cx| {
        assert!(Pin::new(&mut *future).poll(cx).is_pending());
        std::task::Poll::Ready(())
    })
    .await;
}

type Shielded = Pin<Box<Shield<Pin<Box<dyn Future<Output = ()> + Send>>>>>;

/// A shield around a future that ends when it is notified.
fn shielded(notify: &'static Notify) -> Shielded {
    let inner: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(notify.notified());
    Box::pin(shield(inner))
}

fn notify() -> &'static Notify {
    let notify = Box::leak(Box::new(Notify::new()));
    forget(&raw const *notify);
    notify
}

/// Goal: a shielded section is finished, and the code behind it does not run.
#[test]
fn sh1_a_shielded_section_is_finished() {
    both(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let task = spawn({
                let log = log.clone();
                async move {
                    shield(async {
                        for step in 1..4 {
                            yield_now().await;
                            log.add(step);
                        }
                    })
                    .await;
                    log.add(4);
                    yield_now().await;
                    log.add(5);
                }
            });
            yield_now().await;
            assert!(task.cancel_with("now"));
            let error = task.await.expect_err("it ends with the shield");
            assert_eq!(error.reason().and_then(CancelReason::message), Some("now"));
            assert_eq!(log.take(), [1, 2, 3]);
        });
    });
}

/// Goal: a task that sleeps behind a shield is not woken by the cancellation, but by what it waits for.
#[test]
fn a_shielded_sleep_is_slept_to_its_end() {
    both(|builder| {
        let runtime = build(builder.virtual_clock());
        runtime.block_on(async {
            let start = tenter::time::now();
            let task = spawn(async {
                shield(tenter::time::sleep(Duration::from_secs(5))).await;
                tenter::time::sleep(Duration::from_secs(5)).await;
            });
            yield_now().await;
            task.cancel_and_wait().await.expect_err("it sleeps twice");
            assert_eq!(tenter::time::now() - start, Duration::from_secs(5));
        });
    });
}

/// Goal: shields nest; the outermost decides.
#[test]
fn shields_nest() {
    both(|builder| {
        build(builder).block_on(async {
            let log = Log::new();
            let task = spawn({
                let log = log.clone();
                async move {
                    shield(async {
                        shield(yield_now()).await;
                        log.add("inner");
                        yield_now().await;
                        log.add("outer");
                    })
                    .await;
                    yield_now().await;
                    log.add("after");
                }
            });
            yield_now().await;
            task.cancel_and_wait()
                .await
                .expect_err("the last yield is not shielded");
            assert_eq!(log.take(), ["inner", "outer"]);
        });
    });
}

/// Goal: a shield that was not polled protects nothing, and neither does one that is done.
#[test]
fn a_shield_protects_while_it_is_in_progress() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(async {
                let _unpolled = shield(pending::<()>());
                let mut done = pin!(shield(async {}));
                done.as_mut().await;
                pending::<()>().await;
            });
            settle().await;
            task.cancel_and_wait()
                .await
                .expect_err("nothing protects it");
        });
    });
}

/// Goal: a shield that is dropped half-way protects no more, and the cancellation that waited for it is
/// seen to.
/// Method: dropped by the task itself, by another task, and by another thread.
#[test]
fn a_shield_that_is_dropped_lets_the_cancellation_in() {
    every(|builder| {
        build(builder).block_on(async {
            let task = spawn(async {
                let mut half = shielded(notify());
                touch(&mut half).await;
                yield_now().await;
                drop(half);
                pending::<()>().await;
            });
            settle().await;
            task.cancel_and_wait()
                .await
                .expect_err("the shield is gone");

            for on_a_thread in [false, true] {
                let (give, half) = oneshot::<Shielded>();
                let task = spawn(async move {
                    let mut half = shielded(notify());
                    touch(&mut half).await;
                    assert!(give.send(half).is_ok());
                    pending::<()>().await;
                });
                let half = half.await.expect("it is sent");
                assert!(task.cancel());
                for _ in 0..3 {
                    yield_now().await;
                }
                assert!(!task.is_finished(), "the shield is in progress");
                if on_a_thread {
                    thread(move || drop(half)).join();
                } else {
                    drop(half);
                }
                task.await.expect_err("the shield is gone");
            }
        });
    });
}

/// Goal: a shield that moves to another task protects that one from then on, and the old one no more.
#[test]
fn a_shield_moves_with_its_future() {
    every(|builder| {
        build(builder).block_on(async {
            let wakes = notify();
            let (give, half) = oneshot::<Shielded>();
            let old = spawn(async move {
                let mut half = shielded(wakes);
                touch(&mut half).await;
                assert!(give.send(half).is_ok());
                pending::<()>().await;
            });
            let ended = Count::new();
            let new = spawn({
                let ended = ended.clone();
                async move {
                    let half = half.await.expect("it is sent");
                    ended.add();
                    half.await;
                    ended.add();
                }
            });
            settle().await;
            assert!(old.cancel());
            for _ in 0..3 {
                settle().await;
            }
            assert!(old.is_finished(), "its shield moved away");
            assert!(new.cancel());
            for _ in 0..3 {
                settle().await;
            }
            assert!(!new.is_finished(), "its shield is in progress");
            wakes.notify_one();
            new.await.expect_err("it ends with the shield");
            assert_eq!(ended.get(), 1);
            old.await.expect_err("it is never ready");
        });
    });
}

/// Goal: outside tasks a shield is its future and no more.
#[test]
fn a_shield_works_outside_tasks() {
    assert_eq!(foreign_block_on(shield(async { 3 })), 3);
    let mut half = shielded(notify());
    assert!(poll_once(&mut half).is_pending());
    drop(half);
    every(|builder| {
        let runtime = build(builder);
        let output = runtime.handle().block_on(async {
            shield(yield_now()).await;
            4
        });
        assert_eq!(output, 4);
        // Begun outside, ended inside a task, which it protects from then on.
        let wakes = notify();
        let mut half = shielded(wakes);
        assert!(poll_once(&mut half).is_pending());
        runtime.block_on(async {
            let task = spawn(half);
            settle().await;
            assert!(task.cancel());
            settle().await;
            assert!(!task.is_finished());
            wakes.notify_one();
            task.await
                .expect_err("the request had to wait for the shield");
        });
    });
}

/// Goal: a panic inside a shield ends the task with the panic, and the shield with it.
#[test]
fn a_panic_inside_a_shield_ends_it() {
    both(|builder| {
        build(builder).block_on(async {
            let task = spawn(async {
                shield(async {
                    yield_now().await;
                    panic!("inside");
                })
                .await;
            });
            yield_now().await;
            assert!(task.cancel());
            let ended: Result<(), _> = task.await;
            assert!(ended.expect_err("it panicked").is_panic());
        });
    });
}

/// Goal: the end of the runtime does not wait for shields.
#[test]
fn shutdown_drops_what_is_shielded() {
    every(|builder| {
        let runtime = build(builder);
        let dropped = Count::new();
        let guard = dropped.on_drop();
        let task = runtime.block_on(async move {
            let task = spawn(shield(async move {
                let _guard = guard;
                pending::<()>().await;
            }));
            settle().await;
            assert!(task.cancel());
            settle().await;
            task
        });
        assert_eq!(dropped.get(), 0);
        drop(runtime);
        assert_eq!(dropped.get(), 1);
        let error = foreign_block_on(task).expect_err("the runtime is gone");
        // The first reason stays.
        let kind = error.reason().map(CancelReason::kind);
        assert_eq!(kind, Some(CancelKind::Requested));
    });
}
