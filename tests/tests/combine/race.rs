//! `race` and `race_ok`.

use std::future::pending;

use tenter::time::now;
use tenter::{race, race_ok};

use crate::support::{after, ms};

#[tenter::test]
async fn a22_the_first_to_end_wins_and_the_others_are_dropped() {
    let start = now();
    assert_eq!(
        race([30, 10, 20].map(|wait| after(wait, wait))).await,
        (1, 10)
    );
    assert_eq!(race([5, 5].map(|wait| after(wait, wait))).await, (0, 5));
    assert_eq!(now() - start, ms(15));
}

#[test]
#[should_panic(expected = "without a future")]
fn a_race_of_nobody_is_a_mistake() {
    drop(race(Vec::<std::future::Pending<()>>::new()));
}

#[tenter::test]
async fn failures_are_out_of_a_race_for_success() {
    let work = |wait: u64| async move {
        after(wait, ()).await;
        if wait % 2 == 1 { Err(wait) } else { Ok(wait) }
    };
    let start = now();
    assert_eq!(race_ok([1, 8, 3, 4].map(work)).await, Ok((3, 4)));
    assert_eq!(now() - start, ms(4));
    assert_eq!(race_ok([9, 1, 5].map(work)).await, Err(vec![9, 1, 5]));
    assert_eq!(
        race_ok(Vec::<std::future::Ready<Result<(), u8>>>::new()).await,
        Err(vec![])
    );
}

#[tenter::test]
async fn handles_by_reference_survive_a_race() {
    let mut task = tenter::spawn(after(20, 'a'));
    let (index, _) = race([
        Box::pin(async { (&mut task).await.map(drop).unwrap() })
            as std::pin::Pin<Box<dyn Future<Output = ()>>>,
        Box::pin(after(10, ())),
        Box::pin(pending()),
    ])
    .await;
    assert_eq!((index, task.await.unwrap()), (1, 'a'));
}
