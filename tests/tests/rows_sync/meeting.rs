//! Where tasks meet or tell each other: A51, A55, X10.

use std::pin::pin;
use std::sync::Arc;

use tenter::spawn;
use tenter::sync::{Barrier, Event, Notify};
use tenter_tests::support::{Log, panic_of};

use super::{is_ready_at_once, settle};

/// Goal: `set` wakes all who wait, in their order, also if it is cleared at once; who comes after `set`
/// does not suspend, and who comes after `clear` waits.
#[tenter::test]
async fn a51_an_event_wakes_all_also_if_it_is_cleared_at_once() {
    static OPEN: Event = Event::new();
    let log = Log::new();
    let wait = |number: u32| {
        let log = log.clone();
        spawn(async move {
            OPEN.wait().await;
            log.add(number);
        })
    };
    let waits: Vec<_> = (0..3).map(wait).collect();
    settle().await;
    assert_eq!(OPEN.stats().waiting, 3);
    let mut waits = waits.into_iter();
    let cancelled = waits.nth(1).expect("there are three");
    cancelled.cancel_and_wait().await.expect_err("it waited");
    assert_eq!(OPEN.stats().waiting, 2, "nothing is left of it");
    OPEN.set();
    OPEN.clear();
    assert!(!OPEN.is_set());
    let late = wait(9);
    settle().await;
    assert_eq!(
        log.take(),
        [0, 2],
        "those who were there, and not who came after"
    );

    OPEN.set();
    OPEN.set(); // no more than once
    assert!(
        is_ready_at_once(pin!(OPEN.wait())),
        "it is set: nothing to wait for"
    );
    late.await.unwrap();
    assert!(OPEN.is_set(), "it stays until it is cleared");
    OPEN.clear();
    assert!(!is_ready_at_once(pin!(OPEN.wait())));
}

/// Goal: each round hands out each index once, and one leads; who comes while a round goes on waits for
/// the next; a wait that is cancelled leaves quietly; a reset lets down those who wait, and an abort all
/// until a reset.
#[tenter::test]
async fn a55_a_barrier_lets_all_go_when_all_have_come() {
    let barrier = Arc::new(Barrier::new(3));
    let come = |barrier: &Arc<Barrier>| {
        let barrier = Arc::clone(barrier);
        spawn(async move { barrier.wait().await })
    };
    for _round in 0..2 {
        let mut indices = Vec::new();
        for task in [(); 3].map(|()| come(&barrier)) {
            let turn = task.await.unwrap().expect("nobody resets it");
            assert_eq!(turn.is_leader, turn.index == 0);
            indices.push(turn.index);
        }
        indices.sort_unstable();
        assert_eq!(indices, [0, 1, 2]);
    }

    let [leaves, stays] = [(); 2].map(|()| come(&barrier));
    settle().await;
    leaves.cancel_and_wait().await.expect_err("it waited");
    assert_eq!(
        (barrier.waiting(), barrier.is_broken()),
        (1, false),
        "it is one less, and whole"
    );
    let [first, second] = [(); 2].map(|()| come(&barrier));
    for task in [stays, first, second] {
        task.await.unwrap().expect("three have come");
    }

    let waits = [(); 3].map(|()| Box::pin(barrier.wait()));
    let [mut one, mut two, mut three] = waits;
    assert!(!is_ready_at_once(one.as_mut()) && !is_ready_at_once(two.as_mut()));
    assert!(
        is_ready_at_once(three.as_mut()),
        "the last one does not suspend"
    );
    let late = come(&barrier);
    settle().await;
    assert!(
        !late.is_finished() && barrier.stats().going == 2,
        "the round is still going on"
    );
    barrier.reset(); // in the middle of it: the two that have not gone on are let down, and not who came late
    assert_eq!(
        (one.await.is_err(), two.await.is_err(), barrier.waiting()),
        (true, true, 1)
    );
    barrier.reset();
    late.await
        .unwrap()
        .expect_err("a reset lets down those who wait");

    let waiting = come(&barrier);
    settle().await;
    barrier.abort();
    waiting.await.unwrap().expect_err("aborted");
    assert!(
        barrier.is_broken() && barrier.wait().await.is_err(),
        "who comes now as well"
    );
    barrier.reset();
    for task in [(); 3].map(|()| come(&barrier)) {
        task.await.unwrap().expect("it is of use again");
    }
    assert!(panic_of(|| Barrier::new(0)).contains("at least one party"));
}

/// Goal: what lies beneath all of these, in public: parked in order, let go one by one or all at once; one
/// that is let go and cancelled lets the next one go. One notification that nobody waits for is kept.
#[tenter::test]
async fn x10_those_who_are_parked_are_let_go_in_order() {
    static LOT: Notify = Notify::new();
    let log = Log::new();
    let park = |number: u32| {
        let log = log.clone();
        spawn(async move {
            LOT.notified().await;
            log.add(number);
        })
    };
    let parked: Vec<_> = (0..5).map(park).collect();
    settle().await;
    assert_eq!(LOT.stats().waiting, 5);
    LOT.notify_one();
    LOT.notify_one();
    settle().await;
    assert_eq!((log.take(), LOT.stats().waiting), (vec![0, 1], 3));

    let mut let_go = Box::pin(LOT.notified());
    drop(parked); // the tasks are the runtime's: nobody is cancelled by it
    assert!(!is_ready_at_once(let_go.as_mut()));
    LOT.notify_waiters();
    let late = park(9);
    settle().await;
    assert_eq!(
        log.take(),
        [2, 3, 4],
        "all who were there, and not who came after"
    );
    assert!(is_ready_at_once(let_go.as_mut()) && !late.is_finished());

    let mut ahead = Box::pin(LOT.notified());
    late.cancel_and_wait().await.expect_err("it was parked");
    assert!(!is_ready_at_once(ahead.as_mut()));
    let behind = park(10);
    settle().await;
    LOT.notify_one(); // for `ahead`
    drop(ahead);
    behind.await.unwrap();
    LOT.notify_one();
    LOT.notify_one(); // at most one is kept
    assert!(is_ready_at_once(pin!(LOT.notified())) && !is_ready_at_once(pin!(LOT.notified())));
}
