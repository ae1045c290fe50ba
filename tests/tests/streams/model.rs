//! Random generators and readers, by seed, against what a plain loop says.

use std::pin::pin;

use tenter::defer_async;
use tenter::stream::{next, try_stream_fn};
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter_tests::support::{Count, Log};

use crate::support::{Random, ms};

#[derive(Clone, Copy, Debug)]
enum Step {
    Send,
    Sleep(u64),
    Yield,
    /// A `send` that is dropped before the reader has its item.
    Lose,
    Fail,
}

fn steps(random: &mut Random) -> Vec<Step> {
    let count = random.below(12);
    let mut step = |_| match random.below(20) {
        0..9 => Step::Send,
        9..13 => Step::Sleep(1 + random.below(9)),
        13..16 => Step::Yield,
        16..19 => Step::Lose,
        _ => Step::Fail,
    };
    (0..count).map(&mut step).collect()
}

/// Goal: items, their times, the error, the clean-up and the end are those of a loop over the steps, however
/// often the wait for the next item is given up, and wherever the reader closes the stream.
#[test]
fn a100_random_generators_are_what_a_loop_says() {
    let runtime = tenter::Builder::deterministic(0).build().expect("no limit");
    runtime.block_on(async {
        for seed in 0..2_000 {
            one(seed).await;
        }
    });
}

async fn one(seed: u64) {
    let mut random = Random(seed);
    let steps = steps(&mut random);
    let close_after = random.below(8) as usize;
    let patience = random.below(6);
    let (alive, log) = (Count::new(), Log::new());
    let body = steps.clone();
    let dropped = alive.clone();
    let done = log.clone();
    let mut items = pin!(try_stream_fn(async move |y| {
        let _alive = dropped.on_drop();
        let _clean_up = defer_async(async move { done.add(()) });
        for (number, step) in body.iter().enumerate() {
            match step {
                Step::Send => y.send(number).await,
                Step::Sleep(for_ms) => sleep(ms(*for_ms)).await,
                Step::Yield => yield_now().await,
                Step::Lose => {
                    let lost = timeout(ms(0), y.send(number)).await;
                    assert!(lost.is_err());
                }
                Step::Fail => Err(number)?,
            }
        }
        Ok(())
    }));
    let mut clock = now();
    let mut expected = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        match step {
            Step::Send => expected.push((clock, Ok(number))),
            Step::Sleep(for_ms) => clock += ms(*for_ms),
            Step::Yield | Step::Lose => {}
            Step::Fail => {
                expected.push((clock, Err(number)));
                break;
            }
        }
    }
    let mut seen = Vec::new();
    while seen.len() < close_after {
        let item = match patience {
            0 => next(&mut items).await,
            // Given up and taken up again.
            patience => loop {
                if let Ok(item) = timeout(ms(patience), next(&mut items)).await {
                    break item;
                }
            },
        };
        let Some(item) = item else { break };
        seen.push((now(), item));
    }
    let whole = seen.len() < close_after;
    items
        .as_mut()
        .close()
        .await
        .expect("no error is on its way");
    assert_eq!(next(&mut items).await, None);
    expected.truncate(close_after);
    assert_eq!(seen, expected, "seed {seed}: {steps:?}");
    let begun = usize::from(whole || !seen.is_empty());
    assert_eq!(
        (alive.get(), log.take().len()),
        (begun, begun),
        "seed {seed}: {steps:?}"
    );
}
