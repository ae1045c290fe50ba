//! `map_concurrent`.

use std::cell::Cell;

use tenter::map_concurrent;
use tenter::time::now;

use crate::support::{after, ms};

#[tenter::test]
async fn y02_outputs_come_in_the_order_of_the_arguments_and_few_run_at_once() {
    let (running, most) = (Cell::new(0), Cell::new(0));
    let start = now();
    let outputs = map_concurrent(0..20_u64, 4, |index| {
        let (running, most) = (&running, &most);
        async move {
            running.set(running.get() + 1);
            most.set(most.get().max(running.get()));
            after(5 + index % 3, ()).await;
            running.set(running.get() - 1);
            index * 2
        }
    });
    assert!(outputs.await.into_iter().eq((0..20).map(|index| index * 2)));
    assert_eq!((running.get(), most.get()), (0, 4));
    assert!(
        (25..=36).contains(&(now() - start).as_millis()),
        "{:?}",
        now() - start
    );
}

#[tenter::test]
async fn y02_nothing_gives_nothing_and_a_large_limit_is_no_limit() {
    assert!(map_concurrent(0..0, 3, |_| async {}).await.is_empty());
    let start = now();
    assert_eq!(
        map_concurrent(0..100, usize::MAX, |_| after(3, ()))
            .await
            .len(),
        100
    );
    assert_eq!(now() - start, ms(3));
}

#[test]
#[should_panic(expected = "limit of 0")]
fn a_limit_of_zero_is_a_mistake() {
    drop(map_concurrent([1], 0, |_| async {}));
}

/// Arguments are taken when there is room, and not before the first poll.
#[tenter::test]
async fn arguments_are_taken_when_there_is_room() {
    let taken = Cell::new(0);
    let args = (0..10).inspect(|_| taken.set(taken.get() + 1));
    let work = map_concurrent(args, 2, |_| after(10, ()));
    let mut work = std::pin::pin!(work);
    assert_eq!(taken.get(), 0);
    assert!(tenter::time::timeout(ms(15), work.as_mut()).await.is_err());
    assert_eq!(taken.get(), 4);
    assert_eq!(work.await.len(), 10);
}

#[tenter::test]
async fn many_ready_outputs_do_not_starve_the_others() {
    let other = tenter::spawn(async {});
    let seen = Cell::new(0);
    let outputs = map_concurrent(0..1_000, 3, |index| {
        if !other.is_finished() {
            seen.set(index);
        }
        async move { index }
    });
    assert!(outputs.await.into_iter().eq(0..1_000));
    assert!((1..=200).contains(&seen.get()), "{}", seen.get());
}

/// The futures borrow, and the whole is `Send` in a task.
#[tenter::test(flavor = "multi_thread", workers = 2)]
async fn it_is_send_where_its_futures_are() {
    let task = tenter::spawn(async {
        let words = ["a", "bb", "ccc"].map(String::from);
        map_concurrent(&words, 2, |word| async move {
            tenter::task::yield_now().await;
            word.len()
        })
        .await
    });
    assert_eq!(task.await.unwrap(), [1, 2, 3]);
}
