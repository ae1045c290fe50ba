//! A stack of clean-ups: the last one first, on every way out, in the same task.

use std::future::{Future, pending};
use std::task::Poll;

use tenter::task::yield_now;
use tenter::time::{Duration, now, sleep};
use tenter::{AsyncStack, CancelScope, UnobservedKind, spawn};
use tenter_tests::support::{Count, Log, assert_says, both, build, every, poll_once};

use crate::support::{SECOND, seconds};

/// A stack of so many clean-ups, each of which takes a few polls.
fn stack_of(count: usize, log: &Log<usize>) -> AsyncStack {
    let mut stack = AsyncStack::new();
    for number in 0..count {
        let log = log.clone();
        stack.push(async move {
            // Were they done side by side, the last one would not be the first.
            for _ in 0..2 * number + 1 {
                yield_now().await;
            }
            log.add(number);
        });
    }
    stack
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Closed,
    Returned,
    Failed,
    Panicked,
    Cancelled,
    Lent,
}

/// Goal: the clean-ups are done before the task that made them has ended, the last one first.
#[test]
fn a101_a_stack_is_left_in_reverse_order_on_every_way_out() {
    every(|builder| {
        let runtime = build(builder);
        for way in [
            Way::Closed,
            Way::Returned,
            Way::Failed,
            Way::Panicked,
            Way::Cancelled,
            Way::Lent,
        ] {
            let log = Log::new();
            let begun = std::sync::Arc::new(tenter::sync::Event::new());
            let task = runtime.spawn({
                let (log, begun) = (log.clone(), begun.clone());
                async move {
                    if let Way::Lent = way {
                        let inner = log.clone();
                        AsyncStack::with(async move |stack| {
                            *stack = stack_of(3, &inner);
                            yield_now().await;
                        })
                        .await;
                        log.add(99);
                        return Ok(());
                    }
                    let stack = stack_of(3, &log);
                    begun.set();
                    yield_now().await;
                    match way {
                        Way::Closed => {
                            stack.close().await.expect("none fails");
                            log.add(99);
                        }
                        Way::Failed => Err("early")?,
                        Way::Panicked => panic!("on purpose"),
                        Way::Cancelled => pending().await,
                        Way::Returned | Way::Lent => {}
                    }
                    Ok::<_, &str>(())
                }
            });
            runtime.block_on(async {
                if let Way::Cancelled = way {
                    begun.wait().await;
                    drop(task.cancel_and_wait().await);
                } else {
                    drop(task.await);
                }
            });
            let expected: &[usize] = match way {
                Way::Closed | Way::Lent => &[2, 1, 0, 99],
                _ => &[2, 1, 0],
            };
            assert_eq!(log.take(), expected, "{way:?}");
        }
    });
}

/// Goal: whoever drops the stack, and wherever the close was dropped, each clean-up is done once and in
/// order, also by the runtime when the scope goes on.
#[tenter::test]
async fn a101_a_close_that_is_dropped_at_every_poll_is_finished_in_order() {
    for ends in [true, false] {
        for polls in 0..20 {
            let log = Log::new();
            let mut closed = false;
            let scope = CancelScope::new();
            let handle = scope.handle();
            let body = async {
                let mut closing = stack_of(3, &log).close();
                for _ in 0..polls {
                    closed = poll_once_here(&mut closing).await;
                    if closed {
                        break;
                    }
                    yield_now().await;
                }
                drop(closing);
                if ends {
                    handle.cancel("enough");
                    pending::<()>().await;
                }
                sleep(SECOND).await;
            };
            drop(scope.run(body).await);
            assert_eq!(log.take(), [2, 1, 0], "after {polls} polls, ends: {ends}");
            if closed {
                break;
            }
            assert!(polls < 19, "it is ready some time");
        }
    }
}

async fn poll_once_here<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_ready()))
        .await
}

#[tenter::test]
async fn a101_close_tells_all_that_failed_and_does_the_rest() {
    let log = Log::new();
    let mut stack = stack_of(1, &log);
    stack.push_try(async { Err("second") });
    stack.push_try(async { Ok::<_, &str>(()) });
    stack.push_try(async {
        yield_now().await;
        Err(std::io::Error::other("first"))
    });
    assert_eq!((stack.len(), stack.is_empty()), (4, false));
    let errors = stack.close().await.expect_err("two fail");
    assert_eq!(errors.to_string(), "2 clean-ups failed: first; second");
    assert_eq!(errors.iter().count(), 2);
    assert_says(&format!("{errors:?}"), &["first", "second", "stacks.rs"]);
    let source = std::error::Error::source(&errors).map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("first"));
    assert_eq!(log.take(), [0]);
}

/// Goal: an error, a panic and a clean-up that does not end are reported where nobody closes the stack, and
/// the others are done.
#[test]
fn a101_what_fails_in_a_stack_that_is_dropped_is_reported() {
    both(|builder| {
        let reports = Log::new();
        let runtime = build(builder.virtual_clock().on_unobserved({
            let reports = reports.clone();
            move |it| reports.add((it.kind(), it.message().to_owned()))
        }));
        let log = Log::new();
        runtime.block_on(async {
            let mut stack = stack_of(1, &log);
            stack.push_try(async { Err("it broke") });
            stack.push(async { panic!("it panicked") });
            stack.grace(SECOND);
            stack.push(pending());
            let start = now();
            let task = spawn(async move { drop(stack) });
            task.await.expect("the task itself does not fail");
            assert_eq!(now() - start, SECOND);
        });
        assert_eq!(log.take(), [0]);
        let reports = reports.take();
        assert!(reports.iter().all(|it| it.0 == UnobservedKind::CleanUp));
        let says: Vec<_> = reports.iter().map(|it| it.1.as_str()).collect();
        assert_says(says[0], &["had not ended after 1s", "stacks.rs"]);
        assert_says(says[1], &["it panicked", "stacks.rs"]);
        assert_says(says[2], &["failed: it broke", "stacks.rs"]);
        assert_eq!(says.len(), 3, "{says:?}");
    });
}

/// Goal: what had failed before a close was dropped is reported, too.
#[test]
fn a101_what_had_failed_when_a_close_is_dropped_is_reported() {
    both(|builder| {
        let reports = Log::new();
        let runtime = build(builder.on_unobserved({
            let reports = reports.clone();
            move |it| reports.add(it.message().to_owned())
        }));
        runtime.block_on(async {
            let mut stack = AsyncStack::new();
            stack.push(yield_now());
            stack.push_try(async { Err("it broke") });
            let mut closing = stack.close();
            assert!(!poll_once_here(&mut closing).await);
            assert!(reports.take().is_empty(), "it may be closed yet");
            drop(closing);
        });
        let reports = reports.take();
        assert_eq!(reports.len(), 1, "{reports:?}");
        assert_says(&reports[0], &["failed: it broke"]);
    });
}

#[tenter::test]
async fn a101_resources_are_handed_on_when_all_of_them_are_there() {
    let log = Log::new();
    let mut kept = {
        let mut stack = stack_of(2, &log);
        let name = log.clone();
        let resource = stack.enter(7, async move |number| name.add(number));
        assert_eq!(resource, 7);
        let all = stack.pop_all();
        assert!(stack.is_empty());
        all
    };
    sleep(SECOND).await;
    assert!(log.take().is_empty());
    assert_eq!(kept.len(), 3);
    let rest = kept.pop_all();
    rest.close().await.expect("none fails");
    assert_eq!(log.take(), [7, 1, 0]);
}

#[tenter::test]
async fn a101_a_stack_that_is_disarmed_does_nothing() {
    let (log, drops) = (Log::new(), Count::new());
    let mut stack = stack_of(2, &log);
    let alive = drops.on_drop();
    stack.push(async move { drop(alive) });
    assert_says(&format!("{stack:?}"), &["len: 3", "stacks.rs"]);
    stack.disarm();
    assert_eq!(drops.get(), 1);
    sleep(SECOND).await;
    assert!(log.take().is_empty());
    AsyncStack::default().close().await.expect("nothing to do");
}

#[tenter::test]
async fn a101_a_clean_up_of_a_stack_is_not_cancelled() {
    let start = now();
    let task = spawn(async {
        let mut stack = AsyncStack::new();
        stack.grace(Duration::MAX);
        for _ in 0..2 {
            stack.push(async { sleep(seconds(30)).await });
        }
        stack.close().await
    });
    sleep(SECOND).await;
    drop(task.cancel_and_wait().await);
    assert_eq!(now() - start, seconds(60));
}

/// Goal: outside a runtime a stack is closed in place; of one that is dropped it is said on standard error
/// what was not done.
#[test]
fn a101_a_stack_on_another_executor() {
    let log = Log::new();
    tenter_tests::support::foreign_block_on(async {
        stack_of(2, &log).close().await.expect("none fails");
    });
    assert_eq!(log.take(), [1, 0]);
    let mut closing = stack_of(1, &log).close();
    assert!(poll_once(&mut closing).is_pending());
    drop(closing);
    assert!(log.take().is_empty(), "there is nobody to do it");
}
