//! A parked task: its bytes, and the time to make it and park it.

use super::{Figure, How, RUNTIMES, Rounds, Row, Unit, row};
use crate::machine;
use crate::measure::{Sample, Stopwatch, in_a_task};
use crate::operation::workers::park;
use crate::peer::Peer;

pub(in crate::row) const ROWS: &[Row] = &[row!(FreshChild "mt_parked_task",
    "100 000 tasks that keep 16 bytes and wait for ever: memory of one, time to spawn and park one",
    &[
        Figure::of("resident", Unit::Bytes),
        Figure::nanoseconds("time"),
        Figure::nanoseconds("cpu"),
    ],
    RUNTIMES, P, _size => parked::<P>())];

/// The end of the runtime, with all its tasks, is not timed.
fn parked<P: Peer>() -> Sample {
    const TASKS: u64 = 100_000;
    let resident = || machine::resident_bytes().unwrap_or(0) as f64;
    in_a_task::<P, _>(async move {
        // The first tasks make whatever a runtime makes only once.
        park::<P>(100).await;
        let before = resident();
        let watch = Stopwatch::start();
        park::<P>(TASKS).await;
        let time = watch.stop(TASKS);
        vec![(resident() - before) / TASKS as f64, time[0], time[1]]
    })
}
