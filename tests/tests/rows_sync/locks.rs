//! Locks and what waits with them: A50, A52.

use std::time::Duration;

use tenter::spawn;
use tenter::sync::{Condition, Lock};
use tenter::task::{JoinHandle, yield_now};
use tenter::time::timeout;
use tenter_tests::support::Log;

use super::{is_ready_at_once, settle};

/// Goal: in the order of arrival; who frees it does not take it again before those who wait; a wait that
/// is cancelled, also one whose turn it is, passes it on; an error inside does not poison it. Only the
/// guard frees it. A wait of the same task may take the turn of one that the task does not poll.
#[tenter::test]
async fn a50_a_lock_goes_to_those_who_wait_in_their_order() {
    static LOCK: Lock<u32> = Lock::new(0).named("till");
    let log = Log::new();
    let guard = LOCK.lock().await;
    let waits: Vec<JoinHandle<()>> = (0..3)
        .map(|number| {
            let log = log.clone();
            spawn(async move {
                let mut count = LOCK.lock().await;
                yield_now().await; // it may be held while others run
                *count += 1;
                log.add(number);
            })
        })
        .collect();
    settle().await;
    assert!(LOCK.is_locked() && LOCK.try_lock().is_err());
    drop(guard);
    assert!(
        LOCK.try_lock().is_err(),
        "it is free, but the turn is another's"
    );
    assert_eq!(*LOCK.lock().await, 3, "last in line");
    assert_eq!(log.take(), [0, 1, 2]);
    for wait in waits {
        wait.await.unwrap();
    }

    let guard = LOCK.lock().await;
    let [woken, next] = [(); 2].map(|()| spawn(async { *LOCK.lock().await += 10 }));
    settle().await;
    drop(guard); // the turn of `woken`, which has not run
    assert!(woken.cancel());
    woken
        .await
        .expect("what it was woken for it does: readiness goes before a request");
    next.await.unwrap();
    assert_eq!(*LOCK.lock().await, 23);
    assert_eq!(LOCK.stats().waiting, 0);

    let failed = spawn(async {
        let _guard = LOCK.lock().await;
        panic!("with the lock in hand");
    });
    failed.await.expect_err("it panics");
    assert!(LOCK.try_lock().is_ok(), "free, and not poisoned");

    let second = timeout(Duration::from_secs(5), async {
        let _held = LOCK.lock().await;
        drop(LOCK.lock().await); // a lock is not taken twice by one task: this waits for itself
    });
    assert!(second.await.is_err() && !LOCK.is_locked());

    let guard = LOCK.lock().await;
    let mut kept = Box::pin(LOCK.lock());
    assert!(!is_ready_at_once(kept.as_mut()));
    drop(guard); // the turn of `kept`, which nobody polls any more
    assert!(
        timeout(Duration::from_secs(5), LOCK.lock()).await.is_ok(),
        "the same task's"
    );
}

/// Goal: a wait frees the lock and comes back with it; at most so many are notified, in their order, and
/// none goes on before the lock is free; what is too many is not kept; a notification of one that is
/// cancelled goes on; a wait that is cancelled does not take the lock again, as asyncio's must.
#[tenter::test]
async fn a52_a_condition_lets_waits_go_in_order_and_loses_no_notification() {
    static STOCK: Lock<u32> = Lock::new(0);
    static CHANGED: Condition = Condition::new();
    let log = Log::new();
    let wait = |number: u32| {
        let log = log.clone();
        spawn(async move {
            let guard = CHANGED.wait(STOCK.lock().await).await;
            log.add((number, *guard));
        })
    };
    let waits: Vec<_> = (0..4).map(wait).collect();
    settle().await;
    let mut guard = STOCK.try_lock().expect("all four have given it away");
    assert_eq!(CHANGED.stats().waiting, 4);
    CHANGED.notify(&guard, 1);
    *guard = 1;
    settle().await;
    assert_eq!(log.take(), [], "the lock is not free yet");
    assert_eq!(
        (CHANGED.stats().waiting, STOCK.stats().waiting),
        (3, 1),
        "it lines up for the lock"
    );
    drop(guard);
    settle().await;
    assert_eq!(log.take(), [(0, 1)]);

    let guard = STOCK.lock().await;
    CHANGED.notify(&guard, 1);
    let mut waits = waits.into_iter().skip(1);
    let notified = waits.next().expect("there are four");
    notified
        .cancel_and_wait()
        .await
        .expect_err("it waited for the lock, and needs it not");
    drop(guard);
    settle().await;
    assert_eq!(log.take(), [(2, 1)], "the notification went on to the next");

    let guard = STOCK.lock().await;
    CHANGED.notify(&guard, 2048); // one waits; the rest is not kept
    drop(guard);
    settle().await;
    assert_eq!(log.take(), [(3, 1)]);
    let late = wait(4);
    settle().await;
    assert!(!late.is_finished());
    late.cancel_and_wait().await.expect_err("it waited");
    assert!(CHANGED.stats().waiting == 0 && STOCK.try_lock().is_ok());

    let buyer = spawn(async {
        let look = |stock: &mut u32| stock.checked_sub(5).inspect(|left| *stock = *left);
        CHANGED.wait_for(STOCK.lock().await, look).await.1
    });
    for stock in [3, 8] {
        settle().await;
        let mut guard = STOCK.lock().await;
        *guard = stock;
        CHANGED.notify_all(&guard);
    }
    assert_eq!(
        buyer.await.unwrap(),
        3,
        "3 was not enough; of 8 five were taken"
    );
    let (guard, at_once) = CHANGED
        .wait_for(STOCK.lock().await, |stock| Some(*stock))
        .await;
    assert_eq!((at_once, *guard), (3, 3), "it looks before it waits");
}
