//! Wakers that panic where a scope wakes them: nothing is lost.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll};

use tenter::task::yield_now;
use tenter::{CancelScope, shield, spawn};
use tenter_tests::support::hostile::{Act, HOSTILE, waker_that_panics_at};
use tenter_tests::support::{both, build, panic_of};

/// Polls a future with a waker of the test's own, again whenever the task is polled.
fn with_waker<F: Future + Unpin>(
    waker: std::task::Waker,
    mut future: F,
) -> impl Future<Output = F::Output> {
    poll_fn(move |cx| {
        let polled = Pin::new(&mut future).poll(&mut Context::from_waker(&waker));
        if polled.is_pending() {
            // Wakes by this waker alone would not come.
            let _ = cx;
        }
        polled
    })
}

/// Goal: a waker that panics in a scope of a task does not keep the task from being cancelled.
#[test]
fn a_waker_that_panics_does_not_keep_a_task_alive() {
    both(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let (waker, seen) = waker_that_panics_at(Act::Wake);
            let task = spawn(with_waker(
                waker,
                Box::pin(CancelScope::new().run(shield(pending::<()>()))),
            ));
            // A shield without an end keeps the task: this one has none.
            let other = {
                let (waker, _) = waker_that_panics_at(Act::Wake);
                let scope = Box::pin(CancelScope::new().run(pending::<()>()));
                spawn(with_waker(waker, scope))
            };
            yield_now().await;
            assert_eq!(panic_of(|| other.cancel()), HOSTILE);
            other.await.unwrap_err();
            assert_eq!(panic_of(|| task.cancel()), HOSTILE);
            assert_eq!(seen.wakes(), 1);
        });
    });
}

/// Goal: of those who wait to be told of a request, one with a bad waker does not cost the others theirs.
#[test]
fn a_waker_that_panics_does_not_cost_the_others_theirs() {
    both(|builder| {
        let runtime = build(builder);
        runtime.block_on(async {
            let scope = CancelScope::new();
            let outer = scope.handle();
            let inner = CancelScope::new();
            let handle = inner.handle();
            let task = spawn(scope.run(async move { inner.run(pending::<()>()).await }));
            yield_now().await;
            let waiter = spawn({
                let (handle, outer) = (handle.clone(), outer.clone());
                async move {
                    outer.cancelled().await;
                    handle.cancelled().await
                }
            });
            let inner_waiter = spawn({
                let handle = handle.clone();
                async move { handle.cancelled().await }
            });
            let mut first = Box::pin(outer.cancelled());
            let mut second = Box::pin(handle.cancelled());
            for waiting in [
                &mut first as &mut (dyn Future<Output = _> + Unpin),
                &mut second,
            ] {
                let (waker, _) = waker_that_panics_at(Act::Wake);
                let polled = Pin::new(waiting).poll(&mut Context::from_waker(&waker));
                assert!(polled.is_pending());
            }
            yield_now().await;
            assert_eq!(panic_of(|| outer.cancel("enough")), HOSTILE);
            assert_eq!(waiter.await.unwrap().message(), Some("enough"));
            assert_eq!(inner_waiter.await.unwrap().message(), Some("enough"));
            assert!(task.await.unwrap().is_cancelled());
            assert!(matches!(
                first
                    .as_mut()
                    .poll(&mut Context::from_waker(std::task::Waker::noop())),
                Poll::Ready(_)
            ));
        });
    });
}
