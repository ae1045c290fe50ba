//! Dropped after every poll: nothing is alive, every clean-up was done once, and no item is lost.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use tenter::stream::{Stream, StreamExt as _, merge, next, stream_fn};
use tenter::sync::channel;
use tenter::task::yield_now;
use tenter::time::{now, sleep};
use tenter::{CancelScope, GroupError, defer_async, fail_after, shield, spawn, task_group};
use tenter_tests::support::Count;

use crate::support::{SECOND, ms, seconds};

type Subject = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What is counted of one run.
#[derive(Clone, Default)]
struct Counts {
    made: Count,
    dropped: Count,
    deferred: Count,
    cleaned_up: Count,
}

impl Counts {
    fn guard(&self) -> impl Drop + Send + use<> {
        self.made.add();
        self.dropped.on_drop()
    }

    /// A generator with a clean-up, a shield, a timeout and a group that are open at its items.
    fn generator(self) -> impl Stream<Item = u8> + Send {
        stream_fn(async move |y| {
            let _alive = self.guard();
            self.deferred.add();
            let (alive, cleaned_up) = (self.guard(), self.cleaned_up.clone());
            let _clean_up = defer_async(async move {
                let _alive = alive;
                yield_now().await;
                cleaned_up.add();
            });
            y.send(0).await;
            shield(async {
                yield_now().await;
                y.send(1).await;
            })
            .await;
            fail_after(seconds(60), async |_| y.send(2).await)
                .await
                .unwrap_or(());
            let _group: Result<(), GroupError<()>> = task_group(async |group| {
                let alive = self.guard();
                group.spawn(async move {
                    let _alive = alive;
                    sleep(ms(5)).await;
                    Ok(())
                });
                y.send(3).await;
                yield_now().await;
                Ok(())
            })
            .await;
            y.send(4).await;
        })
    }
}

/// Drops what `subject` makes after its poll number `k`, for each `k` until it is ready before that.
async fn at_every_poll(subject: impl Fn(Counts) -> Subject) {
    for polls in 0.. {
        assert!(polls < 1_000, "it is ready some time");
        let counts = Counts::default();
        let mut future = subject(counts.clone());
        let scope = CancelScope::new();
        let handle = scope.handle();
        let task = spawn(scope.run(async move {
            let mut ready = false;
            for _ in 0..polls {
                ready = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await;
                if ready {
                    break;
                }
                sleep(ms(1)).await;
            }
            drop(future);
            if ready {
                return true;
            }
            pending().await
        }));
        let limit = now() + 60 * SECOND;
        sleep(ms(200)).await;
        while counts.made.get() != counts.dropped.get() {
            assert!(now() < limit, "after {polls} polls: something is alive");
            sleep(ms(100)).await;
        }
        assert_eq!(
            counts.deferred.get(),
            counts.cleaned_up.get(),
            "after {polls} polls"
        );
        // Nothing is in progress in the scope any more: it ends at once.
        sleep(seconds(2)).await;
        let start = now();
        handle.cancel("the end");
        let ended = task.await.expect("no panic");
        assert_eq!(now(), start, "after {polls} polls");
        if ended.done() == Some(true) {
            return;
        }
    }
}

#[tenter::test]
async fn a100_a_generator_dropped_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            let mut items = pin!(counts.generator());
            let mut seen = 0;
            while let Some(item) = next(&mut items).await {
                assert_eq!(item, seen);
                seen += 1;
                yield_now().await;
            }
            assert_eq!(seen, 5);
        })
    })
    .await;
}

#[tenter::test]
async fn a100_a_close_dropped_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            for close_after in 0..5 {
                let counts = counts.clone();
                let mut items = pin!(stream_fn(async move |y| {
                    let mut inner = pin!(counts.clone().generator());
                    let cleaned_up = counts.cleaned_up.clone();
                    counts.deferred.add();
                    let _clean_up = defer_async(async move {
                        yield_now().await;
                        cleaned_up.add();
                    });
                    while let Some(item) = next(&mut inner).await {
                        y.send(item).await;
                    }
                }));
                for item in 0..close_after {
                    assert_eq!(next(&mut items).await, Some(item));
                }
                items.as_mut().close().await;
                assert_eq!(next(&mut items).await, None);
            }
        })
    })
    .await;
}

#[tenter::test]
async fn a102_every_helper_dropped_at_every_poll() {
    at_every_poll(|counts| {
        Box::pin(async move {
            let mut items = pin!(counts.clone().generator().timeout(ms(10)));
            while next(&mut items).await.is_some() {}
            let mut items = pin!(counts.clone().generator().throttle(ms(10)));
            while next(&mut items).await.is_some() {}
            let mut items = pin!(counts.clone().generator().chunks_timeout(2, ms(10)));
            while next(&mut items).await.is_some() {}
            let mut items = pin!(counts.clone().generator().debounce(ms(10)));
            while next(&mut items).await.is_some() {}
            let both = [counts.clone().generator(), counts.generator()];
            let mut items = merge(both);
            while next(&mut items).await.is_some() {}
        })
    })
    .await;
}

/// Goal: a wait for the next item may be dropped after any poll, and what comes is what would have come.
#[tenter::test]
async fn a102_no_item_is_lost_when_the_wait_is_dropped_at_every_poll() {
    for helper in 0..5 {
        let (sender, receiver) = channel::bounded(2);
        let producer = spawn(async move {
            for item in 0..20_u64 {
                if item % 3 == 0 {
                    sleep(ms(7)).await;
                }
                sender.send(item).await.expect("there is a reader");
            }
        });
        let mut items: Pin<Box<dyn Stream<Item = Vec<u64>> + Send>> = match helper {
            0 => Box::pin(Each(receiver.timeout(ms(5)), |it: Result<_, _>| {
                it.into_iter().collect()
            })),
            1 => Box::pin(Each(receiver.throttle(ms(3)), |it: u64| vec![it])),
            2 => Box::pin(Each(receiver.chunks_timeout(3, ms(5)), |it| it)),
            3 => Box::pin(Each(merge([receiver]), |(_, it)| vec![it])),
            _ => Box::pin(Each(
                receiver.timeout_repeating(ms(2)),
                |it: Result<_, _>| it.into_iter().collect(),
            )),
        };
        let mut seen = Vec::new();
        loop {
            // One poll for each wait.
            match poll_fn(|cx| Poll::Ready(pin!(next(&mut items)).poll(cx))).await {
                Poll::Ready(Some(some)) => seen.extend(some),
                Poll::Ready(None) => break,
                Poll::Pending => sleep(ms(1)).await,
            }
        }
        assert!(seen.into_iter().eq(0..20), "helper {helper}");
        producer.await.expect("no panic");
    }
}

/// A stream with a function on its items: what `futures::StreamExt::map` is.
struct Each<S, F>(S, F);

impl<S: Stream, F: Fn(S::Item) -> Vec<u64>> Stream for Each<S, F> {
    type Item = Vec<u64>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut std::task::Context<'_>) -> Poll<Option<Vec<u64>>> {
        // SAFETY: the stream is not moved; the function is not pinned.
        let (stream, map) = unsafe {
            let this = self.get_unchecked_mut();
            (Pin::new_unchecked(&mut this.0), &this.1)
        };
        stream.poll_next(cx).map(|next| next.map(map))
    }
}
