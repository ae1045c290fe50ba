//! Merged streams: order, fairness, and who is polled.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use tenter::spawn;
use tenter::stream::{FusedStream, Stream, merge, next, ticks};
use tenter::sync::channel;
use tenter::task::yield_now;
use tenter::time::{interval, now, timeout};
use tenter_tests::support::{CountWakes, poll_with};

use crate::support::{Random, SECOND, Script, all, ms, seconds, timed};

/// A stream that is filled from outside, and counts its polls.
#[derive(Clone, Default)]
struct Source(Arc<SourceInner>);

#[derive(Default)]
struct SourceInner {
    items: Mutex<VecDeque<u64>>,
    waker: Mutex<Option<Waker>>,
    polls: AtomicUsize,
    ended: AtomicUsize,
}

impl Source {
    fn give(&self, item: u64) {
        self.0.items.lock().unwrap().push_back(item);
        self.wake();
    }

    fn end(&self) {
        self.0.ended.store(1, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        let waker = self.0.waker.lock().unwrap().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn polls(&self) -> usize {
        self.0.polls.load(Ordering::Relaxed)
    }
}

impl Stream for Source {
    type Item = u64;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<u64>> {
        self.0.polls.fetch_add(1, Ordering::Relaxed);
        if let Some(item) = self.0.items.lock().unwrap().pop_front() {
            return Poll::Ready(Some(item));
        }
        if self.0.ended.load(Ordering::Relaxed) == 1 {
            return Poll::Ready(None);
        }
        *self.0.waker.lock().unwrap() = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[tenter::test]
async fn a102_merged_streams_come_as_they_come() {
    let start = now();
    let scripts = [vec![(10, 'a'), (30, 'b')], vec![(20, 'c')], vec![]];
    let mut merged = merge(scripts.map(Script::new));
    assert_eq!(merged.size_hint(), (3, Some(3)));
    let items = timed(start, &mut merged).await;
    assert_eq!(items, [(10, (0, 'a')), (20, (1, 'c')), (30, (0, 'b'))]);
    assert!(merged.is_terminated());
    assert_eq!((next(&mut merged).await, merged.remaining()), (None, 0));
    assert_eq!(next(&mut merge(Vec::<Script<u8>>::new())).await, None);
}

#[tenter::test]
async fn a102_of_streams_that_are_always_ready_each_has_its_turn() {
    let sources: Vec<_> = (0..3).map(|_| Source::default()).collect();
    for source in &sources {
        (0..4).for_each(|item| source.give(item));
        source.end();
    }
    let mut merged = merge(sources);
    let items = all(&mut merged).await;
    let expected: Vec<_> = (0..4)
        .flat_map(|item| (0..3).map(move |index| (index, item)))
        .collect();
    assert_eq!(items, expected);
}

/// Goal: one that is filled faster than it is read does not keep the others from being read.
#[tenter::test]
async fn a102_a_stream_that_never_waits_starves_none() {
    let (busy, quiet) = (Source::default(), Source::default());
    let mut merged = merge([busy.clone(), quiet.clone()]);
    (0..10).for_each(|item| busy.give(item));
    for round in 0..5 {
        assert_eq!(next(&mut merged).await.map(|it| it.0), Some(0));
        quiet.give(round);
        let two = [next(&mut merged).await, next(&mut merged).await];
        assert!(two.contains(&Some((1, round))), "{two:?}");
        (0..3).for_each(|item| busy.give(item));
    }
}

#[test]
fn a102_ten_thousand_merged_streams_are_polled_when_they_are_woken() {
    const MANY: usize = 10_000;
    let sources: Vec<_> = (0..MANY).map(|_| Source::default()).collect();
    let (waker, wakes) = CountWakes::waker();
    let mut merged = merge(sources.clone());
    assert!(poll_with(&waker, &mut next(&mut merged)).is_pending());
    assert!(poll_with(&waker, &mut next(&mut merged)).is_pending());
    assert!(sources.iter().all(|source| source.polls() == 1));
    for index in (0..MANY).rev() {
        sources[index].give(index as u64);
    }
    assert_eq!(wakes.get(), 1);
    for index in (0..MANY).rev() {
        let item = poll_with(&waker, &mut next(&mut merged));
        assert_eq!(item, Poll::Ready(Some((index, index as u64))));
    }
    assert!(sources.iter().all(|source| source.polls() <= 3));
    while poll_with(&waker, &mut next(&mut merged)).is_pending() {
        let most = sources.iter().map(Source::polls).max();
        assert!(most <= Some(4), "{most:?}");
        sources.iter().for_each(Source::end);
    }
    assert_eq!(merged.remaining(), 0);
}

/// Goal: no wake is lost whatever happens between two polls: a random program against what was given.
#[test]
fn a102_merged_streams_lose_nothing() {
    for seed in 0..300 {
        let mut random = Random(seed);
        let count = 1 + random.below(5) as usize;
        let sources: Vec<_> = (0..count).map(|_| Source::default()).collect();
        let mut merged = merge(sources.clone());
        let (waker, wakes) = CountWakes::waker();
        let (mut given, mut seen) = (vec![Vec::new(); count], vec![Vec::new(); count]);
        let mut woken = 0;
        let mut fresh = true;
        for step in 0..200 {
            let index = random.below(count as u64) as usize;
            match random.below(3) {
                0 => {
                    given[index].push(step);
                    sources[index].give(step);
                }
                1 => sources[index].wake(),
                _ => {
                    // A task that was not woken is not polled.
                    if !fresh && wakes.get() == woken {
                        continue;
                    }
                    woken = wakes.get();
                    let polled = poll_with(&waker, &mut next(&mut merged));
                    fresh = polled.is_ready();
                    if let Poll::Ready(Some((index, item))) = polled {
                        seen[index].push(item);
                    }
                }
            }
        }
        sources.iter().for_each(Source::end);
        while fresh || wakes.get() != woken {
            woken = wakes.get();
            match poll_with(&waker, &mut next(&mut merged)) {
                Poll::Ready(Some((index, item))) => {
                    fresh = true;
                    seen[index].push(item);
                }
                Poll::Ready(None) => break,
                Poll::Pending => fresh = false,
            }
        }
        assert_eq!((merged.remaining(), seen), (0, given), "seed {seed}");
    }
}

/// Goal: an item that was taken from a stream is returned: who drops the merged one loses none.
#[tenter::test]
async fn a102_a_merged_stream_that_is_dropped_leaves_the_items_where_they_are() {
    let (sender, mut receiver) = channel::unbounded();
    let (other, mut others) = channel::unbounded();
    for item in 0..10 {
        sender.send(item).await.expect("open");
        other.send(item + 100).await.expect("open");
    }
    drop((sender, other));
    let mut seen = Vec::new();
    loop {
        let mut merged = merge([&mut receiver, &mut others]);
        let Some((_, item)) = next(&mut merged).await else {
            break;
        };
        seen.push(item);
    }
    seen.sort_unstable();
    assert!(seen.into_iter().eq((0..10).chain(100..110)));
}

#[tenter::test]
async fn a102_a_merged_stream_that_is_always_ready_can_be_cancelled() {
    let reader = spawn(async {
        let sources = [Source::default(), Source::default()];
        let mut merged = merge(sources.clone());
        loop {
            sources.iter().for_each(|source| source.give(1));
            next(&mut merged).await;
        }
    });
    for _ in 0..10 {
        yield_now().await;
    }
    reader.cancel_and_wait().await.unwrap_err();
}

#[tenter::test]
async fn a102_ticks_are_a_stream() {
    let start = now();
    let mut ticks = ticks(interval(SECOND));
    for expected in 0..3 {
        assert_eq!(next(&mut ticks).await, Some(start + seconds(expected)));
    }
    // A wait that is dropped loses no tick.
    assert!(timeout(ms(500), next(&mut ticks)).await.is_err());
    assert_eq!(next(&mut ticks).await, Some(start + seconds(3)));
    assert_eq!(ticks.into_inner().period(), SECOND);
}
