//! Generators: when the body runs, how it ends, and what a `send` is.

use std::future::pending;
use std::pin::pin;
use std::task::Poll;

use tenter::stream::{FusedStream, Stream, next, stream_fn, try_stream_fn};
use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{CancelScope, defer_async, spawn};
use tenter_tests::support::{Count, Log, every, panic_of, poll_once};

use crate::support::{SECOND, all, seconds};

#[tenter::test]
async fn a100_the_body_runs_when_an_item_is_asked_for_and_is_never_ahead() {
    let log = Log::new();
    let mut numbers = pin!(stream_fn(async |y| {
        log.add("begins");
        y.send(1).await;
        log.add("goes on");
        y.send(2).await;
        log.add("ends");
    }));
    yield_now().await;
    assert!(log.take().is_empty(), "nobody has asked");
    assert_eq!(next(&mut numbers).await, Some(1));
    sleep(SECOND).await;
    assert_eq!(log.take(), ["begins"]);
    assert_eq!(next(&mut numbers).await, Some(2));
    assert_eq!(log.take(), ["goes on"]);
    assert_eq!(next(&mut numbers).await, None);
    assert_eq!(log.take(), ["ends"]);
}

#[tenter::test]
async fn a100_the_end_is_said_again_and_again() {
    let mut none = pin!(stream_fn(async |y| drop::<tenter::stream::Yielder<u8>>(y)));
    assert_eq!((none.size_hint(), none.is_terminated()), ((0, None), false));
    for _ in 0..3 {
        assert_eq!(next(&mut none).await, None);
        assert_eq!(
            (none.size_hint(), none.is_terminated()),
            ((0, Some(0)), true)
        );
    }
}

#[tenter::test]
async fn a100_a_generator_reads_another_one() {
    let numbers = stream_fn(async |y| {
        for number in 1..=4 {
            sleep(SECOND).await;
            y.send(number).await;
        }
    });
    let squares = stream_fn(async |y| {
        let mut numbers = pin!(numbers);
        while let Some(number) = next(&mut numbers).await {
            y.send(number * number).await;
        }
    });
    let start = now();
    assert_eq!(all(&mut pin!(squares)).await, [1, 4, 9, 16]);
    assert_eq!(now() - start, seconds(4));
}

/// Goal: the body's future says whether the stream is `Send`, also if it waits at a `send`.
#[test]
fn a100_a_generator_moves_between_tasks_and_threads() {
    every(|builder| {
        let runtime = builder.build().expect("no limit is reached");
        runtime.block_on(async {
            let mut numbers = Box::pin(stream_fn(async |y| {
                for number in 0..40 {
                    if number % 3 == 0 {
                        yield_now().await;
                    }
                    y.send(number).await;
                }
            }));
            for task in 0..4 {
                numbers = spawn(async move {
                    for number in 0..10 {
                        assert_eq!(next(&mut numbers).await, Some(task * 10 + number));
                    }
                    numbers
                })
                .await
                .expect("no panic");
            }
            assert_eq!(next(&mut numbers).await, None);
        });
    });
}

/// Goal: a body that always has an item does not keep its reader from letting the others run.
#[tenter::test]
async fn a100_a_generator_that_never_waits_lets_the_others_run() {
    let reader = spawn(async {
        let mut ones = pin!(stream_fn(async |y| {
            loop {
                y.send(1_u64).await;
            }
        }));
        let mut sum = 0;
        loop {
            sum += next(&mut ones).await.unwrap_or(0);
            if sum == u64::MAX {
                return;
            }
        }
    });
    for _ in 0..10 {
        yield_now().await;
    }
    reader.cancel_and_wait().await.unwrap_err();
}

#[tenter::test]
async fn a100_what_is_deferred_is_done_before_the_end_is_said() {
    let start = now();
    let log = Log::new();
    let mut numbers = pin!(stream_fn({
        let log = log.clone();
        async move |y| {
            let _clean_up = defer_async(async move {
                sleep(SECOND).await;
                log.add("cleaned up");
            });
            y.send(1).await;
        }
    }));
    assert_eq!(all(&mut numbers).await, [1]);
    assert_eq!((now() - start, log.take()), (SECOND, vec!["cleaned up"]));
}

/// Goal: `aclosing`: who leaves a generator early has it cleaned up there and then.
#[tenter::test]
async fn a100_close_ends_the_body_where_it_stands_and_cleans_up() {
    let start = now();
    let log = Log::new();
    let mut numbers = pin!(stream_fn({
        let log = log.clone();
        async move |y| {
            let inner = log.clone();
            let _outer = defer_async(async move { log.add("outer") });
            let _inner = defer_async(async move {
                sleep(SECOND).await;
                inner.add("inner");
            });
            for number in 0.. {
                y.send(number).await;
            }
        }
    }));
    assert_eq!(next(&mut numbers).await, Some(0));
    numbers.as_mut().close().await;
    assert_eq!(log.take(), ["inner", "outer"]);
    assert_eq!(now() - start, SECOND);
    assert_eq!(next(&mut numbers).await, None);
    numbers.as_mut().close().await;
}

#[tenter::test]
async fn a100_close_before_the_first_item_and_after_the_last() {
    let body = Count::new();
    let mut numbers = pin!(stream_fn(async |y| {
        body.add();
        y.send(1).await;
    }));
    numbers.as_mut().close().await;
    assert_eq!((next(&mut numbers).await, body.get()), (None, 0));
    let mut numbers = pin!(stream_fn(async |y| y.send(1).await));
    assert_eq!(all(&mut numbers).await, [1]);
    numbers.as_mut().close().await;
}

/// Goal: whatever the close has done when it is dropped is done once, and the rest is done by whoever
/// drops the stream.
#[tenter::test]
async fn a100_a_close_that_is_dropped_is_finished_by_the_scope() {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope.run({
        let log = log.clone();
        async move {
            let mut numbers = Box::pin(stream_fn(async move |y| {
                let second = log.clone();
                let _second = defer_async(async move { second.add("second") });
                let _first = defer_async(async move {
                    log.add("begun");
                    yield_now().await;
                    log.add("first");
                });
                y.send(1).await;
            }));
            assert_eq!(next(&mut numbers).await, Some(1));
            assert_eq!(poll_once(&mut numbers.as_mut().close()), Poll::Pending);
            handle.cancel("enough");
            pending::<()>().await;
        }
    });
    assert!(ended.await.is_cancelled());
    assert_eq!(log.take(), ["begun", "first", "second"]);
}

/// Goal: no finalizer: a generator whose reader is cancelled is cleaned up by the reader's scope, in its
/// task, before that scope returns.
#[tenter::test]
async fn a100_a_cancelled_reader_has_its_generator_cleaned_up_in_its_own_task() {
    let log = Log::new();
    let own = tenter::task::current().map(|task| task.id());
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope.run({
        let log = log.clone();
        async move {
            let mut numbers = pin!(stream_fn(async move |y| {
                let _clean_up = defer_async(async move {
                    sleep(SECOND).await;
                    log.add(tenter::task::current().map(|task| task.id()));
                });
                y.send(1).await;
                pending::<()>().await;
            }));
            assert_eq!(next(&mut numbers).await, Some(1));
            handle.cancel("enough");
            next(&mut numbers).await;
        }
    });
    assert!(ended.await.is_cancelled());
    assert_eq!(log.take(), [own]);
}

/// Goal: a generator that is left by a reader that goes on is cleaned up by the runtime, at once.
#[tenter::test]
async fn a100_a_generator_that_is_left_is_cleaned_up_by_the_runtime() {
    let log = Log::new();
    {
        let mut numbers = pin!(stream_fn({
            let log = log.clone();
            async move |y| {
                let _clean_up = defer_async(async move { log.add("cleaned up") });
                y.send(1).await;
            }
        }));
        assert_eq!(next(&mut numbers).await, Some(1));
    }
    assert!(log.take().is_empty());
    sleep(SECOND).await;
    assert_eq!(log.take(), ["cleaned up"]);
}

#[test]
fn a100_a_generator_works_on_any_executor() {
    let sum = tenter_tests::support::foreign_block_on(async {
        let mut numbers = pin!(stream_fn(async |y| {
            for number in 1..=3 {
                y.send(number).await;
            }
        }));
        all(&mut numbers).await.iter().sum::<i32>()
    });
    assert_eq!(sum, 6);
}

#[test]
fn a100_a_panic_of_the_body_is_the_readers() {
    let drops = Count::new();
    let text = panic_of(|| {
        tenter::run(async {
            let mut numbers = pin!(stream_fn(async |y| {
                let _alive = drops.on_drop();
                y.send(1).await;
                panic!("on purpose");
            }));
            next(&mut numbers).await;
            next(&mut numbers).await;
        });
    });
    assert_eq!((text.as_str(), drops.get()), ("on purpose", 1));
}

#[tenter::test]
async fn a100_an_error_is_the_last_item_and_comes_after_the_clean_ups() {
    let log = Log::new();
    let mut numbers = pin!(try_stream_fn({
        let log = log.clone();
        async move |y| {
            let _clean_up = defer_async(async move { log.add("cleaned up") });
            y.send(1).await;
            Err("broken")?;
            y.send(2).await;
            Ok(())
        }
    }));
    assert_eq!(next(&mut numbers).await, Some(Ok(1)));
    assert!(log.take().is_empty());
    assert_eq!(next(&mut numbers).await, Some(Err("broken")));
    assert_eq!(log.take(), ["cleaned up"]);
    assert!(numbers.is_terminated());
    assert_eq!(next(&mut numbers).await, None);
    assert_eq!(numbers.as_mut().close().await, Ok(()));
}

/// Goal: an error that was on its way when the stream was closed is not lost.
#[tenter::test]
async fn a100_close_returns_the_error_that_nobody_has_read() {
    let mut numbers = pin!(try_stream_fn(async |y| {
        let _clean_up = defer_async(yield_now());
        y.send(1).await;
        Err("broken")
    }));
    assert_eq!(next(&mut numbers).await, Some(Ok(1)));
    assert_eq!(poll_once(&mut next(&mut numbers)), Poll::Pending);
    assert_eq!(numbers.as_mut().close().await, Err("broken"));
    assert_eq!(next(&mut numbers).await, None);
}
