//! A hundred thousand futures that wait for one thing are made, polled once and dropped.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Instant;

use super::{Figure, How, NOBODY, Rounds, Row, row};
use crate::machine;
use crate::measure::{Sample, each, in_a_task};
use crate::peer::Peer;
use crate::pinned::Pinned;
use crate::primitive::{Bounded, Event, Lock, Semaphore};

/// To make one and poll it, to drop it, and the processor time of both.
const STORM: &[Figure] = &[
    Figure::nanoseconds("wait"),
    Figure::nanoseconds("drop"),
    Figure::nanoseconds("cpu"),
];

/// How many wait.
const WAITERS: usize = 100_000;

pub(in crate::row) const ROWS: &[Row] = &[
    row!("sync_storm_lock", "100 000 that wait for a lock are dropped; each", STORM, NOBODY,
        with_lock LOCKS BARGING_LOCKS, P, L, _size => locks::<P, L>()),
    row!("sync_storm_permit", "100 000 that wait for a permit are dropped; each", STORM, NOBODY,
        with_semaphore SEMAPHORES BARGING_SEMAPHORES, P, S, _size => permits::<P, S>()),
    row!("sync_storm_event", "100 000 that wait for an event are dropped; each", STORM, NOBODY,
        with_event EVENTS BARGING_EVENTS, P, E, _size => events::<P, E>()),
    row!("sync_storm_queue", "100 000 that wait to put into a full queue are dropped; each",
        STORM, NOBODY, with_waiting_bounded WAITING_BOUNDED BARGING_WAITING_BOUNDED, P, C, _size =>
            queues::<P, C>()),
];

fn locks<P: Peer, L: Lock>() -> Sample {
    in_a_task::<P, _>(async {
        let lock = L::new();
        let _guard = lock.lock().await;
        storm((0..WAITERS).map(|_| lock.lock())).await
    })
}

fn permits<P: Peer, S: Semaphore>() -> Sample {
    in_a_task::<P, _>(async {
        let semaphore = S::new(1);
        let _permit = semaphore.acquire().await;
        storm((0..WAITERS).map(|_| semaphore.acquire())).await
    })
}

fn events<P: Peer, E: Event>() -> Sample {
    in_a_task::<P, _>(async {
        let event = E::new();
        storm((0..WAITERS).map(|_| event.wait())).await
    })
}

fn queues<P: Peer, C: Bounded>() -> Sample {
    in_a_task::<P, _>(async {
        let (mut sender, receiver) = C::new(1);
        C::send(&mut sender, 0).await;
        let mut senders = vec![sender; WAITERS];
        let sample = storm(senders.iter_mut().map(|sender| C::send(sender, 1))).await;
        drop(receiver);
        sample
    })
}

async fn storm<F: Future>(futures: impl ExactSizeIterator<Item = F>) -> Sample {
    let n = futures.len() as u64;
    let cpu = machine::process_cpu();
    let start = Instant::now();
    let mut waiters = Pinned::new(futures);
    let ready = poll_fn(|cx| Poll::Ready(waiters.poll_each(cx))).await;
    let waiting = Instant::now();
    assert_eq!(ready, 0, "all of them have to wait");
    drop(waiters);
    let gone = Instant::now();
    vec![
        each(waiting - start, n),
        each(gone - waiting, n),
        each(machine::process_cpu() - cpu, n),
    ]
}
