//! What a primitive takes, and one that waits for it.

use std::io;

use super::{Figure, How, NOBODY, Rounds, Row, Unit};
use crate::check;
use crate::peer::PeerId;
use crate::primitive;

/// The bytes of the primitive, of a future that waits for it, and what such a one allocates.
const BYTES: &[Figure] = &[
    Figure::of("primitive", Unit::Bytes),
    Figure::of("waiter", Unit::Bytes),
    Figure::of("heap", Unit::Bytes),
];

macro_rules! bytes {
    ($name:literal, $question:literal, $kind:literal, $peers:ident, $barging:ident) => {
        Row {
            name: $name,
            question: $question,
            figures: BYTES,
            rounds: Rounds::Once,
            peers: primitive::$peers,
            brief: NOBODY,
            barging: primitive::$barging,
            how: How::Here(|peer| Ok(Box::new(move || counted($kind, peer)))),
        }
    };
}

pub(in crate::row) const ROWS: &[Row] = &[
    bytes!(
        "sync_bytes_lock",
        "memory of a lock, and of a future that waits for it",
        "lock",
        LOCKS,
        BARGING_LOCKS
    ),
    bytes!(
        "sync_bytes_read",
        "memory of a lock for readers, and of a future that reads it",
        "read",
        READ_LOCKS,
        BARGING_READ_LOCKS
    ),
    bytes!(
        "sync_bytes_permit",
        "memory of a semaphore, and of a future that waits for a permit",
        "permit",
        SEMAPHORES,
        BARGING_SEMAPHORES
    ),
    bytes!(
        "sync_bytes_event",
        "memory of an event, and of a future that waits for it",
        "event",
        EVENTS,
        BARGING_EVENTS
    ),
    bytes!(
        "sync_bytes_queue",
        "memory of a sender of a queue, and of a future that waits to put into it",
        "queue",
        WAITING_BOUNDED,
        BARGING_WAITING_BOUNDED
    ),
];

/// A process with the counting allocator.
fn counted(kind: &str, peer: PeerId) -> io::Result<Vec<f64>> {
    let output = check::counted(&["waiting", kind, peer.name()])?;
    let figures = output.split_whitespace().map(str::parse);
    figures
        .map(|figure| figure.map_err(io::Error::other))
        .collect()
}
