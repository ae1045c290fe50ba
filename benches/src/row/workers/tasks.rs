//! What tasks cost: to spawn, to wake, to yield, to be shared out, to be cancelled.

use super::{ALL, How, RUNTIMES, Rounds, Row, SPAWN, TIME, row};
use crate::measure::{Sample, Stopwatch, from_a_task, in_a_task};
use crate::operation::workers::{Doomed, skynet_of_a_million};
use crate::operation::{self, workers};
use crate::peer::{Peer, Workers};

/// A row that times `n` operations, called from a task of a fresh runtime.
macro_rules! timed {
    ($name:literal, $question:literal, $peers:expr, $n:literal, $module:ident::$operation:ident) => {
        row!(Child $name, $question, TIME, $peers, P, size =>
            from_a_task::<P, _>(size.of($n), $module::$operation::<P>))
    };
}

pub(in crate::row) const ROWS: &[Row] = &[
    timed!(
        "mt_spawn_from_task",
        "a task spawns 10 000 detached tasks and waits until all have run; each",
        ALL,
        200_000,
        operation::spawn_detached
    ),
    row!(Child "mt_spawn_from_outside",
        "the same from the thread in block_on, which is no worker; each",
        TIME, SPAWN, P, size => spawn_from_outside::<P>(size.of(200_000))),
    timed!(
        "mt_spawn_and_join",
        "a task spawns a task and awaits it, one at a time",
        ALL,
        200_000,
        operation::spawn_and_join
    ),
    timed!(
        "mt_chained_spawn",
        "1 000 tasks, each of which spawns the next; a hop",
        ALL,
        200_000,
        workers::chained
    ),
    timed!(
        "mt_ping_pong",
        "1 000 tasks, each of which spawns another and exchanges two oneshots with it; a pair",
        ALL,
        100_000,
        workers::ping_pong_pairs
    ),
    timed!(
        "mt_spawn_100_and_await",
        "a task spawns 100 tasks and awaits them; the hundred",
        ALL,
        4_000,
        operation::spawn_100_and_await
    ),
    timed!(
        "mt_yield_200x1000",
        "200 tasks yield 1 000 times each; a yield",
        ALL,
        800_000,
        operation::yields_of_200
    ),
    timed!(
        "mt_yield_alone",
        "one task yields and no other is there",
        ALL,
        200_000,
        operation::yields
    ),
    timed!(
        "mt_imbalance",
        "20 000 tasks that compute for 2 µs, spawned by one task; each, 1 000 ns were perfect",
        ALL,
        80_000,
        workers::imbalance
    ),
    row!(Child "mt_skynet",
        "a million tasks as the leaves of a ten-ary tree; the tree",
        TIME, ALL, P, _size => skynet::<P>()),
    row!(Child "mt_cancel_storm",
        "100 000 waiting tasks are cancelled, until the future of each is gone; each",
        TIME, RUNTIMES, P, _size => cancel_storm::<P>()),
];

fn spawn_from_outside<P: Peer>(n: u64) -> Sample {
    let peer = P::new();
    peer.block_on(operation::spawn_detached::<P>(n / 4 + 1));
    let watch = Stopwatch::start();
    peer.block_on(operation::spawn_detached::<P>(n));
    watch.stop(n)
}

fn skynet<P: Peer>() -> Sample {
    in_a_task::<P, _>(async {
        let watch = Stopwatch::start();
        skynet_of_a_million::<P>().await;
        watch.stop(1)
    })
}

/// Neither the spawning nor the end of the runtime is timed.
fn cancel_storm<P: Workers>() -> Sample {
    const TASKS: u64 = 100_000;
    in_a_task::<P, _>(async {
        let doomed = Doomed::spawn::<P>(TASKS).await;
        let watch = Stopwatch::start();
        doomed.cancel::<P>().await;
        watch.stop(TASKS)
    })
}
