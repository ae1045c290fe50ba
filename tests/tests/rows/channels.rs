//! X09, X10, X21: handing values over, and parking.

use std::sync::Arc;

use tenter::sync::channel::{self, RecvError, TryRecvError, TrySendError};
use tenter::sync::{Condition, Lock, Notify};
use tenter::task::yield_now;
use tenter_tests::support::{Log, poll_once};

use crate::next;

/// Goal: without room a value goes from hand to hand: the sender waits until somebody takes it.
#[tenter::test]
async fn x09_without_room_a_value_goes_from_hand_to_hand() {
    let (sender, receiver) = channel::rendezvous();
    assert!(matches!(sender.try_send(1), Err(TrySendError::Full(1))));
    let mut sending = Box::pin(sender.send(2));
    assert!(poll_once(&mut sending).is_pending());
    assert_eq!(receiver.recv().await, Ok(2));
    assert_eq!(sending.await, Ok(()));
}

/// Goal: a channel is open as long as a clone of each end lives, and says which end has gone.
#[tenter::test]
async fn x09_clones_keep_it_open_and_each_end_says_when_the_other_has_gone() {
    let (sender, receiver) = channel::bounded(4);
    let second = sender.clone();
    drop(sender);
    second.send("kept").await.expect("there is a reader");
    drop(second);
    // What was sent is still there; then it is the end.
    assert_eq!(receiver.recv().await, Ok("kept"));
    assert_eq!(receiver.recv().await, Err(RecvError));

    let (sender, receiver) = channel::bounded(4);
    let second = receiver.clone();
    drop(receiver);
    sender.send(1).await.expect("one reader is left");
    drop(second);
    // The value comes back.
    assert_eq!(sender.send(2).await.expect_err("none is left").0, 2);
}

/// Goal: who waits owns the next value; nobody who does not wait can take it away.
#[tenter::test]
async fn x09_who_waits_owns_the_next_value() {
    let (sender, receiver) = channel::bounded(1);
    let mut first = Box::pin(receiver.recv());
    let mut second = Box::pin(receiver.recv());
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut second).is_pending());
    for value in [1, 2] {
        sender.try_send(value).expect("somebody waits for it");
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
    assert_eq!((first.await, second.await), (Ok(1), Ok(2)));
}

/// Goal: it says how full it is, how full it was, and who holds it.
#[tenter::test]
async fn x09_it_tells_how_full_it_was() {
    let (sender, receiver) = channel::bounded(8);
    for value in 0..5 {
        sender.send(value).await.expect("there is a reader");
    }
    for value in 0..3 {
        assert_eq!(receiver.recv().await, Ok(value));
    }
    let stats = sender.stats();
    assert_eq!((stats.len, stats.peak, stats.capacity), (2, 5, Some(8)));
    assert_eq!((stats.senders, stats.receivers), (1, 1));
}

/// Goal: parked tasks go on in the order in which they parked, one or all at a time.
#[tenter::test]
async fn x10_parked_tasks_go_on_in_order() {
    let lot = Arc::new(Notify::new());
    let log = Log::new();
    let park = |number: u32| {
        let (lot, log) = (Arc::clone(&lot), log.clone());
        tenter::spawn(async move {
            lot.notified().await;
            log.add(number);
        })
    };
    let parked: Vec<_> = (0..5).map(park).collect();
    yield_now().await;
    lot.notify_one();
    lot.notify_one();
    yield_now().await;
    assert_eq!(log.take(), [0, 1]);
    lot.notify_waiters();
    tenter::try_gather(parked).await.expect("no panic");
    assert_eq!(log.take(), [2, 3, 4]);
}

/// Goal: a parked task that is cancelled after its turn has come passes it on.
#[tenter::test]
async fn x10_a_turn_is_never_lost() {
    let lot = Notify::new();
    let mut first = Box::pin(lot.notified());
    let mut second = Box::pin(lot.notified());
    assert!(poll_once(&mut first).is_pending());
    assert!(poll_once(&mut second).is_pending());
    lot.notify_one();
    drop(first);
    assert!(poll_once(&mut second).is_ready());
}

/// Goal: all who wait for a condition go over into the line of its lock, and come out of it one by one.
#[tenter::test]
async fn x10_a_condition_moves_all_into_the_line_of_its_lock() {
    let shared = Arc::new((Lock::new(Vec::new()), Condition::new()));
    let wait = |number: u32| {
        let shared = Arc::clone(&shared);
        tenter::spawn(async move {
            let (lock, condition) = &*shared;
            let mut order = condition.wait(lock.lock().await).await;
            order.push(number);
            // Kept over a turn of the others: it is really one at a time.
            let length = order.len();
            yield_now().await;
            assert_eq!(order.len(), length);
        })
    };
    let waiting: Vec<_> = (0..4).map(wait).collect();
    yield_now().await;
    let (lock, condition) = &*shared;
    condition.notify_all(&lock.lock().await);
    tenter::try_gather(waiting).await.expect("no panic");
    assert_eq!(*lock.lock().await, [0, 1, 2, 3]);
}

/// Goal: a generator in a group of its own: it is never ahead, its failure is the group's, and it does not
/// outlive the group.
#[tenter::test]
async fn x21_a_generator_lives_in_its_readers_group() {
    let produced = Log::new();
    let taken = tenter::task_group(async |group| {
        let (items, mut reader) = channel::rendezvous();
        let log = produced.clone();
        group.spawn(async move {
            for number in 0_u32.. {
                log.add(number);
                if items.send(number).await.is_err() {
                    break;
                }
            }
            Ok::<_, String>(())
        });
        let mut sum = 0;
        for _ in 0..3 {
            sum += next(&mut reader).await.expect("it has no end");
        }
        Ok(sum)
    })
    .await;
    assert_eq!(taken.expect("nothing failed"), 3);
    // One item was ready when the reader went.
    assert_eq!(produced.take(), [0, 1, 2, 3]);

    let failed = tenter::task_group(async |group| {
        let (items, mut reader) = channel::rendezvous::<u32>();
        group.spawn(async move {
            items.send(1).await.map_err(|_| "nobody reads".to_owned())?;
            Err::<(), _>("the source is gone".to_owned())
        });
        while next(&mut reader).await.is_some() {}
        // The end of the items is not the end of the group: the failure is.
        Ok(())
    })
    .await;
    let error = failed.expect_err("the generator failed");
    assert_eq!(error.only().expect("it alone"), "the source is gone");
}
