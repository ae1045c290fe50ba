//! `gather`, `try_gather`, `gather_settled` and the macros.

use std::cell::Cell;
use std::future::{pending, ready};

use tenter::time::now;
use tenter::{gather, gather_settled, spawn, try_gather};
use tenter_sync::{Lock, Shared};

use crate::support::{after, ms};

#[tenter::test]
async fn g01_results_come_in_the_order_of_the_arguments() {
    let start = now();
    let outputs = gather([30, 20, 10].map(|wait| after(wait, wait))).await;
    assert_eq!((outputs, now() - start), (vec![30, 20, 10], ms(30)));
    let (a, b, c) = gather!(after(3, 'a'), ready("b"), after(1, 3.0)).await;
    assert_eq!((a, b, c, now() - start), ('a', "b", 3.0, ms(33)));
}

#[tenter::test]
async fn g02_nothing_to_gather_is_ready_at_once() {
    assert!(
        gather(Vec::<std::future::Ready<u8>>::new())
            .await
            .is_empty()
    );
    assert_eq!(
        try_gather(Vec::<std::future::Ready<Result<u8, ()>>>::new()).await,
        Ok(vec![])
    );
    let () = gather!().await;
}

#[tenter::test]
async fn g03_one_failing_member_drops_the_rest_at_that_instant() {
    let dropped = Cell::new(0);
    struct Dropped<'a>(&'a Cell<u32>);
    impl Drop for Dropped<'_> {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let work = |wait, fails: bool| {
        let dropped = &dropped;
        async move {
            let _dropped = Dropped(dropped);
            after(wait, ()).await;
            if fails { Err(wait) } else { Ok(wait) }
        }
    };
    let start = now();
    let all = [
        work(30, false),
        work(20, true),
        work(10, false),
        work(25, true),
    ];
    assert_eq!(try_gather(all).await, Err(20));
    assert_eq!((dropped.get(), now() - start), (4, ms(20)));
    let all = try_gather!(
        work(30, false),
        work(20, true),
        pending::<Result<char, _>>()
    );
    assert_eq!(all.await, Err(20));
    assert_eq!((dropped.get(), now() - start), (6, ms(40)));
}

#[tenter::test]
async fn g04_settled_keeps_every_outcome_in_place_until_the_last() {
    let tasks: Vec<_> = (0..6_u64)
        .map(|index| {
            spawn(async move {
                after(10 - index, ()).await;
                assert!(index % 4 != 1, "number {index}");
                index
            })
        })
        .collect();
    tasks[2].cancel();
    tasks[4].cancel();
    let start = now();
    let outcomes = gather_settled(tasks).await;
    let outcomes: Vec<_> = outcomes
        .iter()
        .map(|outcome| match outcome {
            Ok(value) => format!("{value}"),
            Err(error) if error.is_panic() => "panicked".to_owned(),
            Err(_) => "cancelled".to_owned(),
        })
        .collect();
    assert_eq!(
        outcomes,
        ["0", "panicked", "cancelled", "3", "cancelled", "panicked"]
    );
    assert_eq!(now() - start, ms(10));
}

#[tenter::test]
async fn g07_a_cancelled_outer_task_drops_every_unfinished_member() {
    let count = std::sync::Arc::new(());
    let member = std::sync::Arc::clone(&count);
    let outer = spawn(async move {
        let members = (0..5).map(|_| {
            let member = std::sync::Arc::clone(&member);
            async move {
                let _member = member;
                pending::<Result<(), ()>>().await
            }
        });
        let _ = gather_settled(members).await;
        unreachable!("no code after it runs");
    });
    tenter::task::yield_now().await;
    assert_eq!(std::sync::Arc::strong_count(&count), 7);
    outer.cancel();
    assert!(outer.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(std::sync::Arc::strong_count(&count), 1);
}

#[tenter::test]
async fn g08_a_member_that_is_cancelled_fails_the_gather_but_not_the_task() {
    let tasks = [0, 1, 2].map(|_| spawn(pending::<()>()));
    let canceller = tasks[1].canceller();
    let gathering = spawn(async move {
        let error = try_gather(tasks).await.unwrap_err();
        (error.is_cancelled(), "and the task goes on")
    });
    tenter::task::yield_now().await;
    canceller.cancel();
    assert_eq!(gathering.await.unwrap(), (true, "and the task goes on"));
}

#[tenter::test]
async fn g09_a_shared_future_runs_once_and_its_value_comes_thrice() {
    let runs = Cell::new(0);
    let shared = Shared::new(async {
        runs.set(runs.get() + 1);
        after(5, 7).await
    });
    let waits = [&shared, &shared, &shared].map(|shared| shared.clone());
    assert_eq!(gather(waits).await, [7, 7, 7]);
    assert_eq!(runs.get(), 1);
}

#[tenter::test]
async fn a20_members_borrow_and_run_in_argument_order() {
    let order = std::cell::RefCell::new(Vec::new());
    let note = |name: &'static str| {
        let order = &order;
        async move {
            order.borrow_mut().push(name);
            tenter::task::yield_now().await;
            order.borrow_mut().push(name);
        }
    };
    gather!(note("a"), note("b"), note("c")).await;
    assert_eq!(
        order.borrow_mut().split_off(0),
        ["a", "b", "c", "a", "b", "c"]
    );
    gather(["d", "e"].map(note)).await;
    assert_eq!(*order.borrow(), ["d", "e", "d", "e"]);
}

/// One task is in line for one lock twice, and holds it in between: futurelock, if the one that is not
/// polled were handed the lock.
#[tenter::test]
async fn a20_two_members_wait_for_one_lock() {
    for lock in [Lock::new(0), Lock::unfair(0)] {
        let add = || async {
            let mut value = lock.lock().await;
            after(1, ()).await;
            *value += 1;
        };
        gather!(add(), add(), add()).await;
        gather([add(), add()]).await;
        let first = lock.lock().await;
        let (_, mut second) = gather!(async { drop(after(1, first).await) }, lock.lock()).await;
        *second += 1;
        drop(second);
        assert_eq!(*lock.lock().await, 6);
    }
}
