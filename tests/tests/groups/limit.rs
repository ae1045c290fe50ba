//! Groups in which a few children run at a time.

use std::future::pending;
use std::time::Duration;

use tenter::task::yield_now;
use tenter::time::sleep;
use tenter::{Ended, task_group};
use tenter_tests::support::{Count, Log, panic_of};

use crate::support::turns;

const SECOND: Duration = Duration::from_secs(1);

#[tenter::test]
async fn x01_children_wait_for_their_turn_in_order() {
    let log = Log::new();
    task_group(async |group| {
        group.limit(2);
        for child in 0..6 {
            let log = log.clone();
            group.spawn(async move {
                log.add((child, "begins"));
                sleep(SECOND).await;
                log.add((child, "ends"));
                Ok::<_, ()>(())
            });
        }
        Ok(())
    })
    .await
    .expect("nothing fails");
    let expected: Vec<_> = (0..3)
        .flat_map(|pair| {
            let (one, two) = (2 * pair, 2 * pair + 1);
            [
                (one, "begins"),
                (two, "begins"),
                (one, "ends"),
                (two, "ends"),
            ]
        })
        .collect();
    let mut seen = log.take();
    for turn in seen.chunks_mut(4) {
        turn.sort_by_key(|(child, what)| (*what, *child));
    }
    assert_eq!(seen, expected);
}

/// Goal: a future that was never polled is dropped unpolled, also if its turn comes as it is cancelled.
#[tenter::test]
async fn x01_children_that_wait_for_their_turn_are_cancelled_unpolled() {
    let begun = Count::new();
    let dropped = Count::new();
    let error = task_group(async |group| {
        group.limit(1);
        group.spawn(async {
            turns(3).await;
            Err::<(), _>("disk full")
        });
        for _ in 0..10 {
            let (begun, dropped) = (begun.clone(), dropped.on_drop());
            group.spawn(async move {
                let _dropped = dropped;
                begun.add();
                pending::<Result<(), _>>().await
            });
        }
        pending::<Result<(), _>>().await
    })
    .await
    .unwrap_err();
    assert_eq!(error.only().unwrap(), "disk full");
    assert_eq!((begun.get(), dropped.get()), (0, 10));
}

#[tenter::test]
async fn x01_who_is_cancelled_in_the_line_lets_the_next_one_pass() {
    let order = task_group(async |group| {
        let log = Log::new();
        group.limit(1);
        let children: Vec<_> = (0..4)
            .map(|child| {
                let log = log.clone();
                group.spawn(async move {
                    log.add(child);
                    sleep(SECOND).await;
                    Ok::<_, ()>(())
                })
            })
            .collect();
        yield_now().await;
        children[1].cancel();
        children[2].cancel();
        for child in children {
            drop(child.await);
        }
        Ok(log.take())
    })
    .await
    .expect("nothing fails");
    assert_eq!(order, [0, 3]);
}

#[tenter::test]
async fn x01_a_limit_holds_for_those_that_come_after_it() {
    let running = Count::new();
    task_group(async |group| {
        for limit in [None, Some(1), Some(2)] {
            if let Some(limit) = limit {
                group.limit(limit);
            }
            for _ in 0..3 {
                let running = running.clone();
                group.spawn(async move {
                    running.add();
                    pending::<Result<(), ()>>().await
                });
            }
        }
        turns(5).await;
        assert_eq!((running.get(), group.len()), (3 + 1 + 2, 9));
        group.cancel_children("seen");
        while let Some(outcome) = group.join_next().await {
            assert_eq!(outcome.ended, Ended::Cancelled);
        }
        Ok(())
    })
    .await
    .expect("a cancelled child is no failure");
    assert_eq!(running.get(), 6);
}

#[test]
fn x01_a_limit_of_zero_is_refused() {
    let says = panic_of(|| {
        tenter::run(task_group(async |group| {
            group.limit(0);
            Ok::<_, ()>(())
        }))
    });
    assert!(says.contains("limit of zero"), "{says}");
}
