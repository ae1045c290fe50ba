//! The rows with two workers. Each is measured in a process of its own for each peer, which may use
//! both processors; servers have theirs on both, and so has their load.

mod io;
mod memory;
mod remote;
mod servers;
mod tasks;
mod timers;
mod waiting;

use super::{DELAY, Figure, How, Measure, Rounds, Row, Size, TIME, Unit};
use crate::peer::PeerId;

pub(super) const ROWS: [&[Row]; 7] = [
    tasks::ROWS,
    remote::ROWS,
    waiting::ROWS,
    timers::ROWS,
    memory::ROWS,
    servers::ROWS,
    io::ROWS,
];

/// Where nothing but tasks and channels is asked for, everybody takes part.
const ALL: &[PeerId] = PeerId::WITH_TASKS;
/// Without Go.
const SPAWN: &[PeerId] = &[
    PeerId::Tenter,
    PeerId::Tokio,
    PeerId::Smol,
    PeerId::AsyncExecutor,
];
/// Where timers and sockets matter: async-executor has those of smol.
const RUNTIMES: &[PeerId] = &[PeerId::Tenter, PeerId::Tokio, PeerId::Smol];
/// The same where a translation to Go makes sense.
const RUNTIMES_AND_GO: &[PeerId] = &[PeerId::Tenter, PeerId::Tokio, PeerId::Smol, PeerId::Go];

/// A row whose rounds are a function of peer and size, in a child for each peer (`Child`) or for each
/// round (`FreshChild`).
macro_rules! row {
    ($how:ident $name:literal, $question:literal, $figures:expr, $peers:expr,
     $P:ident, $size:ident => $sample:expr) => {
        Row {
            name: $name,
            question: $question,
            figures: $figures,
            rounds: Rounds::Each,
            peers: $peers,
            brief: $peers,
            barging: &[],
            how: How::$how(|peer, $size| $crate::with_workers!(peer, $P => $sample)),
        }
    };
}

use row;
