//! What there is a number of, and what is sent: A53, A54, X08, X09.

use std::pin::pin;

use tenter::spawn;
use tenter::sync::channel::{self, RecvError, SendError, TryRecvError, TrySendError};
use tenter::sync::{Borrower, CapacityLimiter, OverRelease, Semaphore, TryBorrowError};
use tenter::task::{self, yield_now};
use tenter_tests::support::Log;

use super::{is_ready_at_once, settle};

/// Goal: no more than there are permits; in order, and nobody barges in while somebody waits, not even
/// for one permit past a request for many; what was reserved for one that is cancelled goes on. A permit
/// is given back by its drop; more may be added than there were.
#[tenter::test]
async fn a53_a_semaphore_serves_in_order_and_nobody_barges() {
    static DESKS: Semaphore = Semaphore::new(1);
    let log = Log::new();
    let tasks: Vec<_> = (0..3)
        .map(|number| {
            let log = log.clone();
            spawn(async move {
                for _ in 0..2 {
                    let _desk = DESKS.acquire().await.expect("it is open");
                    log.add(number);
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(
        log.take(),
        [0, 1, 2, 0, 1, 2],
        "who gives one back comes last"
    );

    let held = DESKS.try_acquire().unwrap();
    assert!(DESKS.is_locked() && DESKS.try_acquire().is_err());
    let [first, second] = [(); 2].map(|()| spawn(DESKS.acquire()));
    settle().await;
    drop(held);
    assert!(
        DESKS.is_locked() && DESKS.try_acquire().is_err(),
        "the permit is the first one's"
    );
    let desk = first.await.unwrap().unwrap();
    settle().await;
    assert!(!second.is_finished());
    second.cancel_and_wait().await.expect_err("it waited");
    drop(desk);
    assert_eq!((DESKS.available(), DESKS.stats().waiting), (1, 0));

    let mut ahead = Box::pin(DESKS.acquire_many(2));
    assert!(!is_ready_at_once(ahead.as_mut()));
    let behind = spawn(DESKS.acquire());
    settle().await;
    assert!(
        !behind.is_finished() && DESKS.is_locked(),
        "one is free, but the turn is another's"
    );
    DESKS.add_permits(1).unwrap(); // above what it began with
    drop(ahead); // both were reserved for it
    drop(behind.await.unwrap().unwrap());
    assert_eq!(DESKS.available(), 2);
    assert!(Semaphore::new(0).is_locked());
}

/// Goal: what is bounded never has more permits than at its beginning, counting those that are taken;
/// the error says so, and nothing is added. What was forgotten may be added again.
#[tenter::test]
async fn a54_a_bounded_semaphore_refuses_more_than_it_had() {
    static DESKS: Semaphore = Semaphore::bounded(2);
    assert_eq!(DESKS.add_permits(1), Err(OverRelease));
    let desk = DESKS.acquire().await.unwrap();
    assert_eq!(
        DESKS.add_permits(1),
        Err(OverRelease),
        "the one that is taken comes back by itself"
    );
    drop(desk);
    assert_eq!((DESKS.available(), DESKS.stats().bound), (2, Some(2)));
    DESKS.acquire().await.unwrap().forget();
    assert_eq!(DESKS.available(), 1);
    assert_eq!(
        (DESKS.add_permits(2), DESKS.add_permits(1)),
        (Err(OverRelease), Ok(()))
    );
    assert_eq!(DESKS.available(), 2);
    assert!(OverRelease.to_string().contains("comes back by itself"));
}

/// Goal: tokens have borrowers: who has one gets an error for the second, not a deadlock, but may borrow for
/// somebody else; who borrows and who waits is known; the total changes while it is in use, to none and to
/// any number, and evicts nobody.
#[tenter::test]
async fn x08_a_limiter_knows_its_borrowers_and_changes_its_total() {
    static LIMITER: CapacityLimiter = CapacityLimiter::new(2);
    let token = LIMITER.acquire().await.unwrap();
    let again = LIMITER.acquire().await.expect_err("this task has one");
    assert!(again.to_string().contains("already borrows"), "{again}");
    assert_eq!(again.borrower(), token.borrower());
    assert!(
        token
            .borrower()
            .to_string()
            .contains(&task::id().to_string())
    );
    let other = LIMITER.acquire_for("db").await.unwrap();
    assert_eq!((LIMITER.borrowed(), LIMITER.available()), (2, 0));
    assert_eq!(
        LIMITER.try_acquire_for("ui").err(),
        Some(TryBorrowError::NoneAvailable)
    );

    let waits = ["x", "y", "z"].map(|key| spawn(LIMITER.acquire_for(key)));
    settle().await;
    assert_eq!(LIMITER.stats().waiting, ["x", "y", "z"].map(Borrower::from));
    let [x, y, z] = waits;
    x.cancel_and_wait().await.expect_err("it waited");
    drop(other);
    let y = y.await.unwrap().expect("first in line now");
    assert_eq!(y.borrower(), &Borrower::from("y"));
    assert!(LIMITER.stats().borrowers.contains(y.borrower()));

    LIMITER.set_total(0);
    drop((token, y));
    settle().await;
    assert!(
        !z.is_finished() && LIMITER.borrowed() == 0,
        "nothing is lent"
    );
    LIMITER.set_total(1);
    let z = z.await.unwrap().unwrap();
    LIMITER.set_total(0);
    assert_eq!(
        (LIMITER.borrowed(), LIMITER.total()),
        (1, 0),
        "nobody is evicted"
    );
    LIMITER.set_total(usize::MAX);
    let many: Vec<_> = (0_u64..100)
        .map(|key| LIMITER.try_acquire_for(key).unwrap())
        .collect();
    assert_eq!(LIMITER.borrowed(), 101);
    drop((many, z));
    assert!(LIMITER.stats().borrowers.is_empty() && LIMITER.try_acquire_for("x").is_ok());
}

/// Goal: two ends that are cloned and counted: it ends when the last of a side is gone, and what was sent
/// comes out first; a waiting receiver owns the next item; no room at all is a meeting of both; the
/// statistics have the peak.
#[tenter::test]
async fn x09_a_channel_ends_with_its_last_end_and_meets_without_room() {
    let (sender, receiver) = channel::bounded(2);
    assert!(is_ready_at_once(pin!(sender.send(1))) && sender.try_send(2).is_ok());
    assert!(matches!(sender.try_send(3), Err(TrySendError::Full(3))));
    let parked = spawn({
        let sender = sender.clone();
        async move { sender.send(3).await }
    });
    settle().await;
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(
        sender.try_send(4).is_err_and(|error| error.is_full()),
        "the room is who waited's"
    );
    parked.await.unwrap().unwrap();
    drop(sender);
    assert_eq!(
        [receiver.recv().await, receiver.recv().await],
        [Ok(2), Ok(3)]
    );
    assert_eq!(
        receiver.recv().await,
        Err(RecvError),
        "both senders are gone"
    );
    let stats = receiver.stats();
    assert_eq!((stats.len, stats.peak, stats.senders), (0, 2, 0));

    let (sender, receiver) = channel::rendezvous();
    assert!(
        matches!(sender.try_send(5), Err(TrySendError::Full(5))),
        "nobody is there to take it"
    );
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let waiting = spawn({
        let receiver = receiver.clone();
        async move { receiver.recv().await }
    });
    settle().await;
    sender.try_send(6).expect("somebody waits");
    assert_eq!(
        receiver.try_recv(),
        Err(TryRecvError::Empty),
        "it is the waiting one's already"
    );
    assert_eq!(waiting.await.unwrap(), Ok(6));

    let blocked = spawn({
        let sender = sender.clone();
        async move { sender.send(7).await }
    });
    settle().await;
    assert!(!blocked.is_finished());
    drop(receiver);
    assert_eq!(
        blocked.await.unwrap(),
        Err(SendError(7)),
        "the item comes back"
    );
    assert_eq!(sender.send(8).await, Err(SendError(8)));
}
