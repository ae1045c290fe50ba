//! Locks that are lent to a closure.

use std::future::pending;
use std::sync::Arc;

use tenter::sync::{Lock, RwLock, Semaphore};
use tenter::task::yield_now;
use tenter::time::{now, sleep, timeout};
use tenter::{gather, spawn};

use crate::support::{SECOND, seconds};

#[tenter::test]
async fn a101_a_lock_is_lent_to_one_body_at_a_time() {
    let start = now();
    let lock = Lock::new(Vec::new());
    gather((0..3).map(|number| {
        lock.with(async move |numbers| {
            numbers.push(number);
            sleep(SECOND).await;
            numbers.push(number);
        })
    }))
    .await;
    assert_eq!(lock.into_inner(), [0, 0, 1, 1, 2, 2]);
    assert_eq!(now() - start, seconds(3));
}

#[tenter::test]
async fn a101_a_body_that_is_dropped_or_fails_frees_the_lock() {
    let lock = Lock::new(1);
    let late = timeout(SECOND, lock.with(async |_| pending::<()>().await));
    assert!(late.await.is_err());
    assert_eq!(
        lock.with(async |number| Err::<(), _>(*number)).await,
        Err(1)
    );
    assert!(!lock.is_locked());
}

#[tenter::test]
async fn a101_readers_share_and_a_writer_does_not() {
    let start = now();
    let lock = RwLock::new(1);
    let read = || {
        lock.with_read(async |number| {
            sleep(SECOND).await;
            *number
        })
    };
    let write = lock.with_write(async |number| {
        sleep(SECOND).await;
        *number += 1;
    });
    let (one, two, ()) = tenter::gather!(read(), read(), write).await;
    assert_eq!((one, two, now() - start), (1, 1, seconds(2)));
    assert_eq!(read().await, 2);
}

#[tenter::test]
async fn a101_a_permit_is_held_while_the_body_runs() {
    let start = now();
    let permits = Arc::new(Semaphore::new(2));
    let tasks: Vec<_> = (0..4)
        .map(|number| {
            let permits = Arc::clone(&permits);
            // The future may be spawned: the body borrows nothing.
            spawn(async move {
                let body = async || {
                    sleep(SECOND).await;
                    number
                };
                permits.with(body).await
            })
        })
        .collect();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.expect("no panic"), Ok(number));
    }
    assert_eq!((now() - start, permits.available()), (seconds(2), 2));
    permits.close();
    yield_now().await;
    assert!(
        permits
            .with(async || unreachable!("it is closed"))
            .await
            .is_err()
    );
}

#[tenter::test]
async fn a101_a_task_lends_a_lock_to_its_own_closure() {
    let lock = Arc::new(Lock::new(1));
    let shared = Arc::clone(&lock);
    let task = spawn(async move {
        shared
            .with(async |number| {
                yield_now().await;
                *number += 1;
                *number
            })
            .await
    });
    assert_eq!(task.await.expect("no panic"), 2);
}
