//! PEP 789: scopes of a generator that are open while the reader has an item.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::{Context, Waker};

use tenter::stream::{next, stream_fn};
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{GroupError, defer_async, fail_after, scope_deadline, shield, spawn, task_group};
use tenter_tests::support::{Count, Log, assert_says, every, panic_of};

use crate::support::{SECOND, all, seconds};

/// Goal: a timeout that is open at a `send` ends what is in the body, and never the reader's code.
#[tenter::test]
async fn x21_pep_789_a_timeout_open_at_a_send_does_not_end_the_reader() {
    let start = now();
    let mut items = pin!(stream_fn(async |y| {
        let bounded = fail_after(SECOND, async |_| {
            y.send("first").await;
            y.send("second").await;
        });
        let outcome = bounded.await;
        y.send(if outcome.is_err() { "late" } else { "in time" })
            .await;
    }));
    assert_eq!(next(&mut items).await, Some("first"));
    assert_eq!(
        scope_deadline(),
        None,
        "the reader is in no scope of the body"
    );
    sleep(seconds(5)).await;
    assert_eq!(now() - start, seconds(5), "nobody has ended it");
    // The first send is ready all the same; the second one is dropped, and was never sent.
    assert_eq!(all(&mut items).await, ["late"]);
    assert_eq!(now() - start, seconds(5));
}

/// Goal: a bound around the work alone knows nothing of the reader's time.
#[tenter::test]
async fn x21_pep_789_a_bound_around_the_work_does_not_count_the_readers_time() {
    let mut items = pin!(stream_fn(async |y| {
        for number in 0..3 {
            timeout(2 * SECOND, sleep(SECOND)).await.expect("in time");
            y.send(number).await;
        }
    }));
    while next(&mut items).await.is_some() {
        sleep(seconds(60)).await;
    }
}

/// Goal: a child that fails while the reader has the item ends the group, and not the reader.
#[tenter::test]
async fn x21_pep_789_a_group_open_at_a_send_fails_in_the_body() {
    let start = now();
    let mut items = pin!(stream_fn(async |y| {
        let group: Result<(), GroupError<&str>> = task_group(async |group| {
            group.spawn(async {
                sleep(SECOND).await;
                Err::<(), _>("the child failed")
            });
            y.send("first".to_owned()).await;
            y.send("second".to_owned()).await;
            Ok(())
        })
        .await;
        y.send(group.unwrap_err().only().unwrap().to_owned()).await;
    }));
    assert_eq!(next(&mut items).await.as_deref(), Some("first"));
    sleep(seconds(5)).await;
    assert_eq!(now() - start, seconds(5));
    assert_eq!(all(&mut items).await, ["the child failed"]);
}

/// Goal: a reader can be cancelled while a group or a shield is open at a send: it does not wait for
/// something that nobody polls, and everything in the generator has ended when it has.
#[test]
fn x21_pep_789_a_reader_is_cancelled_while_scopes_are_open_at_a_send() {
    every(|builder| {
        let runtime = builder.build().expect("no limit is reached");
        runtime.block_on(async {
            for kind in 0..3 {
                let log = Log::new();
                let alive = Count::new();
                let begun = std::sync::Arc::new(tenter::sync::Event::new());
                let reader = spawn({
                    let (log, alive, begun) = (log.clone(), alive.clone(), begun.clone());
                    async move {
                        let mut items = pin!(stream_fn(async move |y| {
                            let _alive = alive.on_drop();
                            let _clean_up = defer_async(async move {
                                yield_now().await;
                                log.add("cleaned up");
                            });
                            match kind {
                                0 => shield(y.send(1)).await,
                                1 => drop(
                                    fail_after(seconds(3_600), async |_| y.send(1).await).await,
                                ),
                                _ => {
                                    let child = alive.on_drop();
                                    let group = task_group(async |group| {
                                        group.spawn(async move {
                                            let _alive = child;
                                            pending::<Result<(), ()>>().await
                                        });
                                        y.send(1).await;
                                        Ok(())
                                    });
                                    drop(group.await);
                                }
                            }
                        }));
                        assert_eq!(next(&mut items).await, Some(1));
                        begun.set();
                        pending::<()>().await;
                    }
                });
                begun.wait().await;
                reader.cancel_and_wait().await.unwrap_err();
                assert_eq!(log.take(), ["cleaned up"]);
                // A child of a group that was dropped ends by itself.
                while alive.get() < if kind == 2 { 2 } else { 1 } {
                    yield_now().await;
                }
            }
        });
    });
}

/// Goal: while an item is waited for, the body is in the reader's scopes: it sees their deadlines, and is
/// told of their end.
#[tenter::test]
async fn x21_while_an_item_is_waited_for_the_body_is_in_the_readers_scopes() {
    let start = now();
    let told = Log::new();
    let mut items = pin!(stream_fn({
        let told = told.clone();
        async move |y| {
            // From here on there is something that hangs in the reader's scopes, or does not.
            shield(yield_now()).await;
            let deadline = scope_deadline().map(|deadline| deadline - start);
            y.send(deadline).await;
            y.send(scope_deadline().map(|deadline| deadline - start))
                .await;
            let _group: Result<(), GroupError<()>> = task_group(async |group| {
                group.spawn(async move {
                    let reason = tenter::task::cancelled().await;
                    told.add(reason.to_string());
                    Ok(())
                });
                pending().await
            })
            .await;
            y.send(None).await;
        }
    }));
    let within = timeout(seconds(7), next(&mut items)).await;
    assert_eq!(within, Ok(Some(Some(seconds(7)))));
    assert_eq!(
        next(&mut items).await,
        Some(None),
        "the next one is not waited for there"
    );
    let late = timeout(seconds(2), next(&mut items)).await;
    // The group is in progress in the bound: it is ended, and what follows it is there in time.
    assert!(late.is_err() || late == Ok(Some(None)), "{late:?}");
    assert_eq!(now() - start, seconds(2));
    assert_eq!(told.take().len(), 1);
}

/// Goal: what is deferred in a block of the body is done while the body goes on.
#[tenter::test]
async fn x21_what_is_left_in_a_block_is_done_while_the_reader_has_the_item() {
    let log = Log::new();
    let mut items = pin!(stream_fn({
        let log = log.clone();
        async move |y| {
            {
                let _clean_up = defer_async(async move { log.add("cleaned up") });
            }
            y.send(1).await;
        }
    }));
    assert_eq!(next(&mut items).await, Some(1));
    sleep(SECOND).await;
    assert_eq!(log.take(), ["cleaned up"]);
    assert_eq!(next(&mut items).await, None);
}

/// Goal: what a panic leaves of a body, here a group in another branch, keeps the reader from nothing: it
/// hangs nowhere, as after an item.
#[tenter::test]
async fn x21_what_a_panic_leaves_of_a_body_does_not_hold_the_reader() {
    let panicked = Count::new();
    let reader = spawn({
        let panicked = panicked.clone();
        async move {
            let mut items = pin!(stream_fn(|y| {
                let mut branch = Box::pin(async move {
                    let group: Result<(), GroupError<()>> = task_group(async |group| {
                        group.spawn(pending::<Result<(), ()>>());
                        y.send(()).await;
                        pending().await
                    })
                    .await;
                    drop(group);
                });
                let mut polls = 0;
                poll_fn(move |cx| {
                    polls += 1;
                    let polled = branch.as_mut().poll(cx);
                    assert!(polls < 2, "the other branch fell");
                    polled
                })
            }));
            assert_eq!(next(&mut items).await, Some(()));
            let ask = || pin!(next(&mut items)).poll(&mut Context::from_waker(Waker::noop()));
            assert_says(&panic_of(ask), &["the other branch fell"]);
            panicked.add();
            pending::<()>().await;
        }
    });
    while panicked.get() == 0 {
        yield_now().await;
    }
    let ended = timeout(SECOND, reader.cancel_and_wait()).await;
    assert!(ended.is_ok(), "held by a group that nobody polls");
}
