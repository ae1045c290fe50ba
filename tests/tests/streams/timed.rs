//! What the clock adds to a stream, to the millisecond.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tenter::spawn;
use tenter::stream::{FusedStream, Stream, StreamExt as _, next, stream_fn};
use tenter::sync::channel;
use tenter::task::yield_now;
use tenter::time::{Duration, now, sleep, timeout};
use tenter_tests::support::{Count, ends, panic_of};

use crate::support::{Random, SECOND, Script, all, ms, seconds, timed};

#[tenter::test]
async fn a102_a_late_item_is_announced_once_and_then_comes() {
    let start = now();
    let mut items = pin!(Script::new([(500, 'a'), (3_000, 'b'), (3_100, 'c')]).timeout(SECOND));
    let items = timed(start, &mut items).await;
    let items: Vec<_> = items
        .into_iter()
        .map(|(at, item)| (at, item.ok()))
        .collect();
    assert_eq!(
        items,
        [
            (500, Some('a')),
            (1_500, None),
            (3_000, Some('b')),
            (3_100, Some('c'))
        ]
    );
}

/// Goal: the time of the reader does not count: an item that comes while nobody waits is in time, and the
/// wait for the next one begins with the question.
#[tenter::test]
async fn a102_the_readers_time_does_not_count_for_a_timeout() {
    let start = now();
    let script = Script::new([(0, 'a'), (4_000, 'b'), (10_500, 'c')]);
    let mut items = pin!(script.timeout(SECOND));
    assert!(next(&mut items).await.unwrap().is_ok());
    sleep(seconds(5)).await;
    assert!(next(&mut items).await.unwrap().is_ok(), "it is there");
    sleep(seconds(5)).await;
    assert!(next(&mut items).await.unwrap().is_ok(), "in half a second");
    assert_eq!(now() - start, ms(10_500));
    assert!(next(&mut items).await.is_none());
    assert!(items.is_terminated());
    assert!(next(&mut items).await.is_none());
}

/// Goal: a wait that is dropped loses neither the item nor the time that has passed.
#[tenter::test]
async fn a102_the_time_of_a_timeout_goes_on_when_the_wait_is_dropped() {
    let start = now();
    let mut items = pin!(Script::new([(5_000, 'a')]).timeout(seconds(2)));
    assert!(timeout(SECOND, next(&mut items)).await.is_err());
    assert!(next(&mut items).await.unwrap().is_err());
    assert_eq!(now() - start, seconds(2));
    assert_eq!(next(&mut items).await.unwrap().ok(), Some('a'));
    assert_eq!(now() - start, seconds(5));
}

#[tenter::test]
async fn a102_a_bound_without_end_is_none() {
    let mut items = pin!(Script::new([(90_000_000, 'a')]).timeout(Duration::MAX));
    assert_eq!(all(&mut items).await, [Ok('a')]);
}

#[tenter::test]
async fn a102_a_repeated_timeout_beats_until_the_item_comes() {
    let start = now();
    let script = Script::new([(3_500, 'a'), (5_000, 'b')]);
    let mut items = pin!(script.timeout_repeating(SECOND));
    let beats = timed(start, &mut items).await;
    let beats: Vec<_> = beats
        .into_iter()
        .map(|(at, item)| (at, item.ok()))
        .collect();
    let expected = [
        (1_000, None),
        (2_000, None),
        (3_000, None),
        (3_500, Some('a')),
        (4_500, None),
        (5_000, Some('b')),
    ];
    assert_eq!(beats, expected);
}

#[tenter::test]
async fn a102_beats_that_nobody_asked_for_are_left_out() {
    let start = now();
    let script = Script::new([(20_000, 'a')]);
    let mut items = pin!(script.timeout_repeating(SECOND));
    assert!(next(&mut items).await.unwrap().is_err());
    sleep(ms(5_500)).await;
    assert!(next(&mut items).await.unwrap().is_err(), "one that is due");
    assert_eq!(now() - start, ms(6_500));
    assert!(next(&mut items).await.unwrap().is_err());
    assert_eq!(now() - start, ms(7_500));
}

#[tenter::test]
async fn a102_a_throttle_keeps_the_distance_and_holds_the_producer_back() {
    let start = now();
    let made = Count::new();
    let numbers = stream_fn(async |y| {
        for number in 0..3 {
            made.add();
            y.send(number).await;
        }
    });
    let mut numbers = pin!(numbers.throttle(SECOND));
    assert_eq!(next(&mut numbers).await, Some(0));
    assert!(timeout(ms(300), next(&mut numbers)).await.is_err());
    assert_eq!(made.get(), 1, "it was not asked");
    assert_eq!(next(&mut numbers).await, Some(1));
    assert_eq!(now() - start, SECOND);
    sleep(seconds(5)).await;
    assert_eq!(next(&mut numbers).await, Some(2), "at once");
    assert_eq!(now() - start, seconds(6));
    assert_eq!(next(&mut numbers).await, None, "after a distance");
    assert_eq!(now() - start, seconds(7));
    assert!(numbers.is_terminated());
}

#[tenter::test]
async fn a102_a_throttle_of_nothing_is_none() {
    let start = now();
    let mut items = pin!(Script::new((0..10).map(|item| (0, item))).throttle(Duration::ZERO));
    assert_eq!(items.size_hint(), (10, Some(10)));
    assert!(all(&mut items).await.into_iter().eq(0..10));
    assert_eq!(now(), start);
}

#[tenter::test]
async fn a102_a_chunk_is_full_or_its_time_is_up() {
    let start = now();
    let script = [0, 100, 200, 300, 1_500, 1_600, 9_000].map(|at| (at, at));
    let mut chunks = pin!(Script::new(script).chunks_timeout(3, SECOND));
    assert_eq!(chunks.size_hint(), (3, Some(7)));
    let chunks = timed(start, &mut chunks).await;
    let expected = [
        (200, vec![0, 100, 200]),
        (1_300, vec![300]),
        (2_500, vec![1_500, 1_600]),
        (9_000, vec![9_000]),
    ];
    assert_eq!(chunks, expected);
}

/// Goal: a chunk of a stream that always has more, and pays for nothing, ends neither the turns of other
/// tasks nor the time of the chunk.
#[test]
fn a102_a_chunk_of_a_stream_that_never_waits_is_bounded_all_the_same() {
    struct Endless(Count);
    impl Stream for Endless {
        type Item = ();

        fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<()>> {
            assert!(self.0.add() < 50_000_000, "the reader never lets go");
            Poll::Ready(Some(()))
        }
    }

    ends("chunks", || {
        let runtime = tenter::Builder::current_thread().build().unwrap();
        runtime.block_on(async {
            let turns = Count::new();
            let other = spawn({
                let turns = turns.clone();
                async move {
                    loop {
                        turns.add();
                        yield_now().await;
                    }
                }
            });
            let mut chunks = pin!(Endless(Count::new()).chunks_timeout(usize::MAX, ms(2)));
            let chunk = next(&mut chunks).await.unwrap();
            assert!(!chunk.is_empty());
            assert!(turns.get() > 0);
            other.cancel();
        });
    });
}

#[tenter::test]
async fn a102_an_empty_stream_has_no_chunks() {
    let mut chunks = pin!(Script::<u8>::new([]).chunks_timeout(3, SECOND));
    assert_eq!(all(&mut chunks).await, Vec::<Vec<u8>>::new());
    assert!(chunks.is_terminated());
}

#[tenter::test]
async fn a102_the_last_of_those_that_come_close_together() {
    let start = now();
    let script = [
        (0, 'a'),
        (50, 'b'),
        (100, 'c'),
        (1_000, 'd'),
        (1_150, 'e'),
        (1_200, 'f'),
    ];
    let mut items = pin!(Script::new(script).debounce(ms(150)));
    let items = timed(start, &mut items).await;
    // The fifth comes at the very moment when the fourth would be returned: what is there is seen first.
    assert_eq!(items, [(250, 'c'), (1_200, 'f')]);
}

#[tenter::test]
async fn a102_what_may_be_the_last_is_kept_when_the_wait_is_dropped() {
    let (sender, receiver) = channel::unbounded();
    let mut items = pin!(receiver.debounce(seconds(2)));
    sender.send(1).await.expect("open");
    assert!(timeout(SECOND, next(&mut items)).await.is_err());
    let start = now();
    assert_eq!(next(&mut items).await, Some(1));
    assert_eq!(now() - start, SECOND);
    sender.send(2).await.expect("open");
    drop(sender);
    assert_eq!(all(&mut items).await, [2], "at the end, at once");
}

#[test]
fn a102_bad_bounds_are_refused_where_they_are_given() {
    let script = || Script::<u8>::new([]);
    let text = panic_of(|| drop(script().chunks_timeout(0, SECOND)));
    assert!(
        text.contains("chunks_timeout") && text.contains("timed.rs"),
        "{text}"
    );
    let text = panic_of(|| drop(script().timeout_repeating(Duration::ZERO)));
    assert!(
        text.contains("timeout_repeating") && text.contains("timed.rs"),
        "{text}"
    );
}

/// Goal: chunks, throttled and timed, of random scripts, against what a loop over their times says.
#[test]
fn a102_random_scripts_come_as_a_loop_over_their_times_says() {
    let runtime = tenter::Builder::deterministic(0).build().expect("no limit");
    runtime.block_on(async {
        for seed in 0..200 {
            let mut random = Random(seed);
            let mut at = 0;
            let script: Vec<(u64, u64)> = (0..random.below(20))
                .map(|item| {
                    at += random.below(4) * 100 + 1;
                    (at, item)
                })
                .collect();
            let limit = 150 + random.below(4) * 100;
            let size = 1 + random.below(4) as usize;

            let start = now();
            let mut chunks = pin!(Script::new(script.clone()).chunks_timeout(size, ms(limit)));
            assert_eq!(
                timed(start, &mut chunks).await,
                chunked(&script, size, limit),
                "seed {seed}"
            );

            let start = now();
            let mut slow = pin!(Script::new(script.clone()).throttle(ms(limit)));
            let mut free = 0;
            let paced = script.iter().map(|(at, item)| {
                let at = free.max(*at);
                free = at + limit;
                (at, *item)
            });
            assert_eq!(
                timed(start, &mut slow).await,
                paced.collect::<Vec<_>>(),
                "seed {seed}"
            );

            let start = now();
            let mut last = pin!(Script::new(script.clone()).debounce(ms(limit)));
            let kept = script.iter().enumerate().filter_map(|(index, (at, item))| {
                match script.get(index + 1) {
                    Some((next, _)) if *next <= at + limit => None,
                    Some(_) => Some((at + limit, *item)),
                    None => Some((*at, *item)),
                }
            });
            assert_eq!(
                timed(start, &mut last).await,
                kept.collect::<Vec<_>>(),
                "seed {seed}"
            );
        }
    });
}

/// What `chunks_timeout` is meant to do.
fn chunked(script: &[(u64, u64)], size: usize, limit: u64) -> Vec<(u64, Vec<u64>)> {
    let mut chunks = Vec::new();
    let mut rest = script;
    while let Some((first, _)) = rest.first() {
        let due = first + limit;
        let count = rest
            .iter()
            .take(size)
            .take_while(|(at, _)| *at <= due)
            .count();
        let (chunk, left) = rest.split_at(count);
        let last = chunk.last().map_or(0, |(at, _)| *at);
        let full = count == size || left.is_empty();
        let items = chunk.iter().map(|(_, item)| *item).collect();
        chunks.push((if full { last } else { due }, items));
        rest = left;
    }
    chunks
}
