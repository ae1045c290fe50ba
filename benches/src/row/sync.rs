//! The rows about primitives. Each is measured in a process of its own for each peer, with two workers:
//! a primitive that comes with a runtime at home and on the other's executor, any other on both.
//!
//! A check asks those alone whom a target is against; fairness, storms and memory it leaves out.

mod channels;
mod fairness;
mod locks;
mod memory;
mod storms;

use super::{Figure, How, Rounds, Row, TIME, Unit};
use crate::peer::PeerId;

pub(super) const ROWS: [&[Row]; 5] = [
    locks::ROWS,
    channels::ROWS,
    fairness::ROWS,
    storms::ROWS,
    memory::ROWS,
];

/// Whom the check asks where the target is against tokio.
const BESIDE_TOKIO: &[PeerId] = &[PeerId::Tenter, PeerId::Tokio];
/// The check leaves the row out.
const NOBODY: &[PeerId] = &[];

/// A row whose rounds are a function of host, primitive and size, in a child for each peer.
macro_rules! row {
    ($name:expr, $question:expr, $figures:expr, $brief:expr,
     $with:ident $peers:ident $barging:ident, $P:ident, $T:ident, $size:ident => $sample:expr) => {
        Row {
            name: $name,
            question: $question,
            figures: $figures,
            rounds: Rounds::Each,
            peers: $crate::primitive::$peers,
            brief: $brief,
            barging: $crate::primitive::$barging,
            how: How::Child(|peer, $size| with_host!(peer, $P => $with!(peer, $T => $sample))),
        }
    };
}

/// One that times `n` operations, called from a task of a fresh runtime.
macro_rules! timed {
    ($name:literal, $question:literal, $brief:expr, $with:ident $peers:ident $barging:ident,
     $n:literal, $P:ident, $T:ident => $operation:expr) => {
        row!($name, $question, TIME, $brief, $with $peers $barging, $P, $T, size =>
            $crate::measure::from_a_task::<$P, _>(size.of($n), $operation))
    };
}

use {row, timed};
