//! Rows about parked tasks: their bytes, and the time to make one and park it.

use std::io;

use super::{Figure, How, Rounds, Row, TIME, Unit};
use crate::measure::{Sample, Stopwatch, in_a_task};
use crate::peer::{Peer, PeerId};
use crate::{check, operation, with_peer};

pub(super) const ROWS: &[Row] = &[
    Row {
        name: "bytes_per_parked_task",
        question: "memory of one of 100 000 tasks that keep 16 bytes and wait for ever",
        figures: &[
            Figure::of("resident", Unit::Bytes),
            Figure::of("usable", Unit::Bytes),
        ],
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        brief: PeerId::ON_ONE_THREAD,
        barging: &[],
        how: How::Here(|peer| Ok(Box::new(move || parked_bytes(peer)))),
    },
    Row {
        name: "time_per_parked_task",
        question: "spawn such a task and poll it once, 100 000 of them",
        figures: TIME,
        rounds: Rounds::Each,
        peers: PeerId::ON_ONE_THREAD,
        brief: PeerId::ON_ONE_THREAD,
        barging: &[],
        how: How::Here(|peer| with_peer!(peer, P => Ok(Box::new(|| Ok(parked_time::<P>()))))),
    },
];

/// A process of its own, because memory that another row gave back would be used again.
fn parked_bytes(peer: PeerId) -> io::Result<Sample> {
    let output = check::counted(&["parked", peer.name(), "100000"])?;
    output
        .split_whitespace()
        .map(|figure| figure.parse().map_err(io::Error::other))
        .collect()
}

/// The end of the runtime, with all its tasks, is not timed.
fn parked_time<P: Peer>() -> Sample {
    const TASKS: u64 = 100_000;
    in_a_task::<P, _>(async {
        let watch = Stopwatch::start();
        operation::park::<P>(TASKS).await;
        watch.stop(TASKS)
    })
}
