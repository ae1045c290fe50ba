//! Locks, semaphores, events and conditions.

use super::{BESIDE_TOKIO, How, Rounds, Row, TIME, row, timed};
use crate::measure::{Sample, in_a_task};
use crate::operation::sync;
use crate::peer::Peer;
use crate::primitive::Event;

pub(in crate::row) const ROWS: &[Row] = &[
    timed!("sync_lock", "lock and unlock what nobody else wants", BESIDE_TOKIO,
        with_lock LOCKS BARGING_LOCKS, 8_000_000, P, L => sync::lock::<L>),
    timed!("sync_read", "lock for reading and unlock what nobody else wants", BESIDE_TOKIO,
        with_read_lock READ_LOCKS BARGING_READ_LOCKS, 8_000_000, P, L => sync::read::<L>),
    timed!("sync_permit", "take a free permit and give it back", BESIDE_TOKIO,
        with_semaphore SEMAPHORES BARGING_SEMAPHORES, 8_000_000, P, S => sync::permit::<S>),
    timed!("sync_lock_crowd", "10 tasks lock and unlock; each", BESIDE_TOKIO,
        with_lock LOCKS BARGING_LOCKS, 2_400_000, P, L => sync::lock_of_a_crowd::<P, L>),
    timed!("sync_unfair_crowd", "10 tasks lock and unlock what may be overtaken; each", BESIDE_TOKIO,
        with_unfair_lock UNFAIR_LOCKS BARGING_UNFAIR_LOCKS, 2_400_000, P, L =>
            sync::lock_of_a_crowd::<P, L>),
    timed!("sync_lock_yield", "10 tasks lock, yield and unlock; each", BESIDE_TOKIO,
        with_lock LOCKS BARGING_LOCKS, 800_000, P, L => sync::lock_across_a_yield::<P, L>),
    timed!("sync_permit_throng",
        "100 tasks take one of 10 permits, yield and give it back; each", BESIDE_TOKIO,
        with_semaphore SEMAPHORES BARGING_SEMAPHORES, 800_000, P, S =>
            sync::permits_of_a_throng::<P, S>),
    row!("sync_event_10k", "10 000 tasks that wait are told at once, until all have run; each", TIME,
        BESIDE_TOKIO, with_event EVENTS BARGING_EVENTS, P, E, size => audience::<P, E>(size.of(32))),
    timed!("sync_event_round_trip", "two tasks signal each other over two events; round trip",
        BESIDE_TOKIO, with_event EVENTS BARGING_EVENTS, 800_000, P, E =>
            sync::event_round_trip::<P, E>),
    timed!("sync_turns", "two tasks take turns over one condition; a turn", BESIDE_TOKIO,
        with_turns TURNS BARGING_TURNS, 800_000, P, T => sync::turns::<P, T>),
];

fn audience<P: Peer, E: Event>(times: u64) -> Sample {
    in_a_task::<P, _>(async move {
        sync::event_to_an_audience::<P, E>(2).await;
        sync::event_to_an_audience::<P, E>(times).await
    })
}
