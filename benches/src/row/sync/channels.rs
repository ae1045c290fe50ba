//! Queues and channels.

use super::{BESIDE_TOKIO, How, Rounds, Row, TIME, row, timed};
use crate::operation::channels;
use crate::peer::{Host, Maker, PeerId};

/// Whom the check asks where the target is against the best: tokio, and on both hosts the one that was
/// best of those that keep the line and the one that was best of those that barge.
const BESIDE_BEST: &[PeerId] = &[
    PeerId::Tenter,
    PeerId::Tokio,
    PeerId::at(Maker::Kanal, Host::Tenter),
    PeerId::at(Maker::Kanal, Host::Tokio),
    PeerId::at(Maker::Tachyonix, Host::Tenter),
    PeerId::at(Maker::Tachyonix, Host::Tokio),
];
/// The same where there are many consumers.
const BESIDE_BEST_OF_MANY: &[PeerId] = &[
    PeerId::Tenter,
    PeerId::at(Maker::Kanal, Host::Tenter),
    PeerId::at(Maker::Kanal, Host::Tokio),
    PeerId::at(Maker::AsyncChannel, Host::Tenter),
    PeerId::at(Maker::Crossfire, Host::Tokio),
];
/// The same without bounds.
const BESIDE_BEST_UNBOUNDED: &[PeerId] = &[
    PeerId::Tenter,
    PeerId::Tokio,
    PeerId::at(Maker::Kanal, Host::Tenter),
    PeerId::at(Maker::Kanal, Host::Tokio),
    PeerId::at(Maker::Crossfire, Host::Tenter),
    PeerId::at(Maker::Crossfire, Host::Tokio),
];

pub(in crate::row) const ROWS: &[Row] = &[
    timed!("sync_queue_1_1", "one task puts into a queue of 100, another takes out; each",
        BESIDE_BEST, with_bounded BOUNDED BARGING_BOUNDED, 1_000_000, P, C =>
            channels::one_to_one::<P, C>),
    timed!("sync_queue_4_1", "four tasks put into a queue of 100, another takes out; each",
        BESIDE_BEST, with_bounded BOUNDED BARGING_BOUNDED, 1_000_000, P, C =>
            channels::four_to_one::<P, C>),
    timed!("sync_queue_4_4", "four tasks put into a queue of 100, four others take out; each",
        BESIDE_BEST_OF_MANY, with_many MANY BARGING_MANY, 1_000_000, P, C => channels::four_to_four::<P, C>),
    timed!("sync_queue_of_one", "one task puts into a queue of one, another takes out; each",
        BESIDE_BEST, with_bounded BOUNDED BARGING_BOUNDED, 200_000, P, C =>
            channels::one_to_one_of_one::<P, C>),
    timed!("sync_queue_round_trip", "two tasks exchange a number over two queues; round trip",
        BESIDE_BEST, with_bounded BOUNDED BARGING_BOUNDED, 200_000, P, C =>
            channels::queue_round_trip::<P, C>),
    timed!("sync_unbounded_1_1", "one task puts into a queue without bounds, another takes out; each",
        BESIDE_BEST_UNBOUNDED, with_unbounded UNBOUNDED BARGING_UNBOUNDED, 1_000_000, P, C =>
            channels::one_to_one_unbounded::<P, C>),
    timed!("sync_unbounded_4_1",
        "four tasks put into a queue without bounds, another takes out; each",
        BESIDE_BEST_UNBOUNDED, with_unbounded UNBOUNDED BARGING_UNBOUNDED, 1_000_000, P, C =>
            channels::four_to_one_unbounded::<P, C>),
    timed!("sync_oneshot", "make a oneshot, send and receive in one task", BESIDE_TOKIO,
        with_oneshot ONESHOTS BARGING_ONESHOTS, 4_000_000, P, O => channels::oneshot_in_task::<O>),
    timed!("sync_oneshot_across", "make a oneshot, receive what a fresh task sends", BESIDE_TOKIO,
        with_oneshot ONESHOTS BARGING_ONESHOTS, 200_000, P, O =>
            channels::oneshot_across_tasks::<P, O>),
    timed!("sync_broadcast", "a number is sent to 100 tasks that wait, the next when all have it; each",
        BESIDE_TOKIO, with_broadcast BROADCASTS BARGING_BROADCASTS, 400_000, P, B =>
            channels::broadcast::<P, B>),
    timed!("sync_watch", "two tasks show each other numbers over two watches; round trip",
        BESIDE_TOKIO, with_watch WATCHES BARGING_WATCHES, 200_000, P, W =>
            channels::watch_round_trip::<P, W>),
];
