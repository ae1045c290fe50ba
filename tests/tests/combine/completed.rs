//! `as_completed`.

use std::future::{pending, ready};

use tenter::as_completed;
use tenter::time::now;

use crate::support::{after, ms};

#[tenter::test]
async fn ac1_the_fast_ones_come_first() {
    let start = now();
    let mut outputs = as_completed([150, 10, 10].map(|wait| after(wait, wait)));
    assert_eq!(outputs.remaining(), 3);
    assert_eq!(outputs.next().await, Some((1, 10)));
    assert_eq!(outputs.next().await, Some((2, 10)));
    assert_eq!(now() - start, ms(10));
    assert_eq!(outputs.next().await, Some((0, 150)));
    assert_eq!(now() - start, ms(150));
    assert_eq!(outputs.next().await, None);
    assert_eq!(outputs.next().await, None);
}

#[tenter::test]
async fn ac2_when_the_time_is_up_there_is_one_error_and_then_the_end() {
    let start = now();
    let mut outputs = as_completed([150, 100].map(|wait| after(wait, wait))).timeout(ms(120));
    assert_eq!(outputs.next().await, Some(Ok((1, 100))));
    let late = outputs.next().await.unwrap().unwrap_err();
    assert_eq!((late.limit(), now() - start), (ms(120), ms(120)));
    assert_eq!(outputs.next().await, None);
    let mut rest = outputs.into_inner();
    assert_eq!(
        (rest.next().await, now() - start),
        (Some((0, 150)), ms(150))
    );
}

#[tenter::test]
async fn ac2_what_ends_in_time_has_no_error() {
    let mut outputs = as_completed([after(1, 'a')]).timeout(ms(2));
    assert_eq!(outputs.next().await, Some(Ok((0, 'a'))));
    assert_eq!(outputs.next().await, None);
}

#[tenter::test]
async fn ac3_a_stream_that_was_left_goes_on() {
    let mut outputs = as_completed([4, 1, 3, 2].map(|wait| after(wait, wait)));
    let mut seen = Vec::new();
    for _ in 0..2 {
        seen.push(outputs.next().await.unwrap());
    }
    // Asked for, and not awaited.
    assert!(tenter::time::timeout(ms(0), outputs.next()).await.is_err());
    after(10, ()).await;
    while let Some(next) = outputs.next().await {
        seen.push(next);
    }
    assert_eq!(seen, [(1, 1), (3, 2), (2, 3), (0, 4)]);
}

#[tenter::test]
async fn ac4_who_leaves_early_drops_the_rest() {
    let alive = std::rc::Rc::new(());
    {
        let members = [true, false].map(|ends| {
            let alive = std::rc::Rc::clone(&alive);
            async move {
                let _alive = alive;
                if !ends {
                    pending::<()>().await;
                }
            }
        });
        let mut outputs = as_completed(members);
        assert_eq!(outputs.next().await, Some((0, ())));
        assert_eq!(std::rc::Rc::strong_count(&alive), 2);
    }
    assert_eq!(std::rc::Rc::strong_count(&alive), 1);
}

#[tenter::test]
async fn a25_all_begin_with_the_first_output() {
    let begun = std::cell::Cell::new(0);
    let mut outputs = as_completed([0, 1, 2].map(|wait| {
        let begun = &begun;
        async move {
            begun.set(begun.get() + 1);
            if wait > 0 {
                after(wait, ()).await;
            }
            wait
        }
    }));
    assert_eq!(begun.get(), 0);
    assert_eq!(outputs.next().await, Some((0, 0)));
    assert_eq!(begun.get(), 3);
    let start = now();
    after(5, ()).await;
    assert_eq!(outputs.next().await, Some((1, 1)));
    assert_eq!(outputs.next().await, Some((2, 2)));
    assert_eq!(now() - start, ms(5));
}

#[tenter::test]
async fn a25_nothing_to_complete_is_the_end() {
    assert_eq!(
        as_completed(Vec::<std::future::Ready<u8>>::new())
            .next()
            .await,
        None
    );
}

/// Outputs that are all there let other tasks run.
#[tenter::test]
async fn a25_ready_outputs_do_not_starve_the_others() {
    let mut outputs = as_completed((0..1_000).map(ready));
    let other = tenter::spawn(async {});
    let mut seen = 0;
    while !other.is_finished() {
        assert_eq!(outputs.next().await, Some((seen, seen)));
        seen += 1;
    }
    assert!((1..=200).contains(&seen), "{seen}");
}
