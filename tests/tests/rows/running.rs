//! A01, A100, A101: a program from its begin to its end, and what it holds on the way.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tenter::sync::channel;
use tenter::sync::{Lock, Queue};
use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{CancelScope, Outcome, defer_async};
use tenter_tests::support::{Count, Log, assert_says, panic_of, thread};

use crate::next;

/// Goal: `run` returns what main returns. What is left is cancelled, and is gone by then.
#[test]
fn a01_run_returns_mains_value_and_ends_what_is_left() {
    let gone = Count::new();
    let guard = gone.on_drop();
    let value = tenter::run(async move {
        let started = Arc::new(tenter::sync::Event::new());
        let ready = Arc::clone(&started);
        drop(tenter::spawn(async move {
            let _guard = guard;
            ready.set();
            pending::<()>().await;
        }));
        started.wait().await;
        42
    });
    assert_eq!((value, gone.get()), (42, 1));
}

/// Goal: `run` in `run` is refused at once, and the message names what to do instead.
#[test]
fn a01_run_in_run_is_refused() {
    let text = thread(|| panic_of(|| tenter::run(async { tenter::run(async {}) }))).join();
    assert_says(&text, &["tenter::run", "would block", ".await"]);
}

/// Goal: a panic of main is that of `run`, and the next `run` is unharmed.
#[test]
fn a01_a_panic_of_main_is_the_callers() {
    let text = panic_of(|| tenter::run(async { panic!("main failed") }));
    assert_eq!(text, "main failed");
    assert_eq!(tenter::run(async { 1 }), 1);
}

/// Goal: a generator is a task that fills a channel. It is never ahead by more than one item, and when
/// its reader goes, it ends there and then, clean-up included: not some time later, elsewhere.
#[tenter::test]
async fn a100_a_generator_ends_when_its_reader_goes() {
    let log = Log::new();
    let (items, mut reader) = channel::rendezvous();
    let generator = tenter::spawn({
        let log = log.clone();
        async move {
            for number in 0.. {
                if items.send(number).await.is_err() {
                    break;
                }
                log.add(format!("took {number}"));
            }
            log.add("cleaned up".to_owned());
        }
    });
    for expected in 0..2 {
        assert_eq!(next(&mut reader).await, Some(expected));
    }
    drop(reader);
    generator.await.expect("it ends by itself");
    assert_eq!(log.take(), ["took 0", "took 1", "cleaned up"]);
}

/// Goal: what stands in a `with` block elsewhere is a guard here, and what has to be awaited at its end
/// is deferred: it is done when the scope returns, although that was cancelled.
#[tenter::test]
async fn a101_what_is_deferred_is_awaited_before_the_scope_returns() {
    let log = Log::new();
    let lock = Arc::new(Lock::new(()));
    let scope = CancelScope::new();
    let handle = scope.handle();
    let began = now();
    let body = {
        let (log, lock) = (log.clone(), Arc::clone(&lock));
        async move {
            let guard = lock.lock_owned().await;
            let closing = log.clone();
            let _close = defer_async(async move {
                sleep(Duration::from_secs(1)).await;
                closing.add("closed");
                drop(guard);
            });
            log.add("open");
            pending::<()>().await;
        }
    };
    let cancel = tenter::spawn(async move {
        yield_now().await;
        handle.cancel("enough");
    });
    let outcome = scope.run(body).await;
    assert!(matches!(outcome, Outcome::Cancelled(_)));
    assert_eq!(log.take(), ["open", "closed"]);
    assert_eq!(now() - began, Duration::from_secs(1));
    assert!(!lock.is_locked());
    cancel.await.expect("no panic");
}

/// Goal: an async resource is lent to a closure, and released after it whatever it returns.
#[tenter::test]
async fn a101_an_async_closure_is_the_body_of_a_with_block() {
    async fn with<R>(log: &Log<&'static str>, body: impl AsyncFnOnce() -> R) -> R {
        yield_now().await;
        log.add("acquired");
        let output = body().await;
        yield_now().await;
        log.add("released");
        output
    }
    let log = Log::new();
    let failed = with(&log, async || {
        log.add("used");
        Err::<(), _>("it broke")
    });
    assert_eq!(failed.await, Err("it broke"));
    assert_eq!(log.take(), ["acquired", "used", "released"]);
}

/// Goal: a queue is iterated over, and ends with its shutdown, after the items that are in it.
#[tenter::test]
async fn a102_a_queue_is_a_stream() {
    let queue = Arc::new(Queue::bounded(2));
    let producer = tenter::spawn({
        let queue = Arc::clone(&queue);
        async move {
            for number in 0..5 {
                queue.put(number).await.expect("open");
            }
            queue.shutdown();
        }
    });
    let mut items = queue.stream();
    let mut seen = Vec::new();
    while let Some(item) = next(&mut items).await {
        seen.push(item);
    }
    assert_eq!(seen, [0, 1, 2, 3, 4]);
    assert_eq!(next(&mut items).await, None);
    producer.await.expect("no panic");
}

/// Goal: what completes is a stream too, and the receiving end of a channel.
#[tenter::test]
async fn a102_what_completes_and_what_is_received_are_streams() {
    let after = |seconds: u64| async move {
        sleep(Duration::from_secs(seconds)).await;
        seconds
    };
    let mut completed = std::pin::pin!(tenter::as_completed([2, 1].map(after)));
    assert_eq!(next(&mut completed).await, Some((1, 1)));
    assert_eq!(next(&mut completed).await, Some((0, 2)));
    assert_eq!(next(&mut completed).await, None);

    let (sender, mut receiver) = channel::unbounded();
    sender.send("one").await.expect("there is a reader");
    drop(sender);
    assert_eq!(next(&mut receiver).await, Some("one"));
    assert_eq!(next(&mut receiver).await, None);
}
