//! What a `send` is: when it is ready, when it did not happen, and where it may be polled.

use std::future::{Future as _, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tenter::stream::{Sending, next, stream_fn};
use tenter::time::sleep;
use tenter::{spawn, spawn_eager};
use tenter_tests::support::{Count, Log, assert_says, panic_of, poll_once, thread};

use crate::support::{SECOND, all, seconds};

#[tenter::test]
async fn x21_sends_of_several_branches_wait_for_each_other() {
    let log = Log::new();
    let mut numbers = pin!(stream_fn(async |y| {
        let branch = |from: u64| {
            let (y, log) = (&y, &log);
            async move {
                for number in from..from + 3 {
                    y.send(number).await;
                    log.add(number);
                }
            }
        };
        tenter::gather!(branch(0), branch(10), branch(20)).await;
    }));
    let items = all(&mut numbers).await;
    assert_eq!(items, [0, 10, 20, 1, 11, 21, 2, 12, 22], "in turn");
    let mut done = log.take();
    done.sort_unstable();
    let mut items = items;
    items.sort_unstable();
    assert_eq!(done, items);
}

/// Goal: a `send` that loses against something else before the reader has its item did not happen.
#[tenter::test]
async fn x21_a_send_that_is_dropped_in_its_poll_was_never_sent() {
    let drops = Count::new();
    let mut items = pin!(stream_fn(async |y| {
        {
            let mut lost = Box::pin(y.send((1, drops.on_drop())));
            poll_fn(|cx| {
                assert!(lost.as_mut().poll(cx).is_pending());
                Poll::Ready(())
            })
            .await;
        }
        assert_eq!(drops.get(), 1);
        y.send((2, drops.on_drop())).await;
    }));
    assert_eq!(
        all(&mut items)
            .await
            .iter()
            .map(|it| it.0)
            .collect::<Vec<_>>(),
        [2]
    );
    assert_eq!(drops.get(), 2);
}

/// Goal: room that a dropped send leaves goes to the one that waits for it, polled only when woken.
#[tenter::test]
async fn x21_the_room_of_a_dropped_send_goes_to_the_next_one() {
    let mut items = pin!(stream_fn(async |y| {
        // Dropped when it is polled for the second time, and its item with it.
        let first = async {
            let mut lost = y.send(0);
            assert!(touch(&mut lost).await);
            let mut once = y.send(2);
            assert!(touch(&mut once).await);
            drop(lost);
            once.await;
        };
        tenter::gather!(first, y.send(3)).await;
    }));
    let mut seen = all(&mut items).await;
    seen.sort_unstable();
    assert_eq!(seen, [2, 3]);
}

/// Polls it once; whether it waits.
async fn touch(send: &mut Sending<'_, i32>) -> bool {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *send).poll(cx).is_pending())).await
}

/// Goal: the code behind a `send` in a losing branch is not run, and nothing is sent twice.
#[tenter::test]
async fn x21_an_item_that_the_reader_has_was_sent_though_its_send_is_dropped() {
    let mut items = pin!(stream_fn(async |y| {
        let sent = tenter::move_on_after(SECOND, async |_| {
            y.send(1).await;
            pending::<()>().await;
        });
        assert_eq!(sent.await, None);
        y.send(2).await;
    }));
    assert_eq!(next(&mut items).await, Some(1));
    sleep(seconds(5)).await;
    assert_eq!(all(&mut items).await, [2]);
}

#[test]
fn x21_a_send_outside_the_body_says_what_is_wrong() {
    let parts = ["was polled outside the body", "sends.rs", "channel"];
    // In another task.
    let text = panic_of(|| {
        tenter::run(async {
            let mut items = pin!(stream_fn(async |y| {
                let task = spawn(async move { y.send(1).await });
                if let Err(error) = task.await {
                    std::panic::resume_unwind(error.into_panic());
                }
            }));
            next(&mut items).await;
        });
    });
    assert_says(&text, &parts);
    // In a task whose first poll is inside the body's.
    let text = panic_of(|| {
        tenter::run(async {
            let mut items = pin!(stream_fn(async |y| {
                let task = spawn_eager(async move { y.send(1).await });
                if let Err(error) = task.await {
                    std::panic::resume_unwind(error.into_panic());
                }
            }));
            next(&mut items).await;
        });
    });
    assert_says(&text, &parts);
    // On another thread, which polls while the body does.
    let text = tenter::run(async {
        let mut text = String::new();
        {
            let mut items = pin!(stream_fn(async |y| {
                text = thread(move || panic_of(|| poll_once(&mut y.send(1)))).join();
            }));
            assert_eq!(next(&mut items).await, None);
        }
        text
    });
    assert_says(&text, &parts);
    // After the stream.
    let kept = Arc::new(parking_lot::Mutex::new(None));
    drop(stream_fn(|y| {
        *kept.lock() = Some(y);
        async {}
    }));
    let y = kept.lock().take().expect("it was given");
    assert_says(&panic_of(|| poll_once(&mut y.send(1))), &parts);
}

#[tenter::test]
async fn x21_a_send_that_is_forgotten_is_sent() {
    let mut items = pin!(stream_fn(async |y| {
        let mut first = y.send(1);
        poll_fn(|cx| {
            assert!(Pin::new(&mut first).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        tenter_tests::support::forget(first);
    }));
    assert_eq!(all(&mut items).await, [1]);
}

#[tenter::test]
async fn x21_debug_says_where_the_stream_was_made() {
    let mut items = pin!(stream_fn(async |y| {
        assert_says(&format!("{y:?}"), &["Yielder", "sends.rs"]);
        let send = y.send(1);
        assert_eq!(format!("{send:?}"), "Sending(Has)");
        send.await;
    }));
    assert_says(&format!("{items:?}"), &["StreamFn", "Body"]);
    assert_eq!(all(&mut items).await, [1]);
    assert_says(&format!("{items:?}"), &["Done"]);
}
