//! Rows of nanoseconds: what a task, a channel, a permit and a timeout cost inside one runtime.

use super::{How, Rounds, Row, TIME};
use crate::measure::from_a_task;
use crate::peer::PeerId;
use crate::{operation, with_peer};

/// A row that times `n` operations, called from a task of a fresh runtime.
macro_rules! timed {
    ($name:literal, $question:literal, $n:literal, $operation:ident) => {
        Row {
            name: $name,
            question: $question,
            figures: TIME,
            rounds: Rounds::Each,
            peers: PeerId::ON_ONE_THREAD,
            brief: PeerId::ON_ONE_THREAD,
            barging: &[],
        how: How::Here(|peer| {
                with_peer!(peer, P => Ok(Box::new(|| {
                    Ok(from_a_task::<P, _>($n, operation::$operation::<P>))
                })))
            }),
        }
    };
}

pub(super) const ROWS: &[Row] = &[
    timed!(
        "spawn_and_complete",
        "a task spawns 10 000 detached tasks and waits until all have run; each",
        100_000,
        spawn_detached
    ),
    timed!(
        "spawn_and_join",
        "a task spawns a task and awaits it, one at a time",
        100_000,
        spawn_and_join
    ),
    timed!(
        "spawn_100_and_await",
        "a task spawns 100 tasks and awaits them; the hundred",
        1_000,
        spawn_100_and_await
    ),
    timed!("ping_pong", "a spawn and two oneshots", 50_000, ping_pong),
    timed!(
        "ping_pong_long",
        "two long-lived tasks exchange a notification; round trip",
        100_000,
        ping_pong_long
    ),
    timed!(
        "yield_200x1000",
        "200 tasks yield 1 000 times each; a yield",
        200_000,
        yields_of_200
    ),
    timed!(
        "yield_alone",
        "one task yields and no other is there",
        50_000,
        yields
    ),
    timed!(
        "timeout_arm_cancel",
        "a timeout around a future that yields once (the runtime's yield), one task",
        50_000,
        timeouts
    ),
    timed!(
        "timeout_arm_cancel_plain",
        "the same around a future that wakes itself once",
        50_000,
        timeouts_plain
    ),
    timed!(
        "timeout_arm_cancel_10k",
        "a timeout around a future that yields once, 10 000 tasks",
        500_000,
        timeouts_of_10k
    ),
    timed!(
        "timeout_ready",
        "a timeout around a future that is ready at once",
        500_000,
        timeouts_ready
    ),
    timed!(
        "group_of_1000",
        "a group of 1 000 children that do nothing (tokio: JoinSet; others: one by one); a child",
        100_000,
        children
    ),
    timed!(
        "gather_10k",
        "10 000 futures that wake themselves once, in one task (others: join_all); a future",
        200_000,
        gather_of_10k
    ),
    timed!(
        "semaphore_uncontended",
        "take a free permit and give it back",
        500_000,
        semaphore
    ),
    timed!(
        "oneshot_in_task",
        "make a oneshot, send and receive in one task",
        200_000,
        oneshot_in_task
    ),
    timed!(
        "oneshot_across_tasks",
        "make a oneshot, receive what a fresh task sends",
        50_000,
        oneshot_across_tasks
    ),
];
