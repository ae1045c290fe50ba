//! The operations that are counted: which runtime each runs on, and what it allocates.

use crate::measure::in_a_task_of;
use crate::operation::{channels, sync};
use crate::peer::{Peer, PeerId};
use crate::{allocator, operation, with_one_worker, with_peer};

/// Whom an operation on primitives is asked: those that have their own.
const WITH_PRIMITIVES: &[PeerId] = &[PeerId::Tenter, PeerId::Tokio];

/// How many operations the long run does, and the warm-up before any.
pub(super) const LONG: u64 = 3_000;

/// An operation whose allocations and instructions are counted.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    name: &'static str,
    /// Whether it repeats: one thread on a clock that stands.
    repeats: bool,
    peers: &'static [PeerId],
    allocations: fn(PeerId, u64) -> u64,
}

macro_rules! counted_operation {
    ($name:literal, $runtime:ident, $operation:ident) => {
        Operation {
            name: $name,
            repeats: true,
            peers: PeerId::ON_ONE_THREAD,
            allocations: |peer, n| {
                with_peer!(peer, P => allocations(P::$runtime(), n, operation::$operation::<P>))
            },
        }
    };
}

/// On the runtime with workers, though only one, lest it depend on chance who runs what.
macro_rules! operation_of_a_worker {
    ($name:literal, $operation:ident) => {
        Operation {
            name: $name,
            repeats: false,
            peers: PeerId::ON_ONE_THREAD,
            allocations: |peer, n| {
                with_one_worker!(peer, P => allocations(P::new(), n, operation::$operation::<P>))
            },
        }
    };
}

/// On a primitive, which is on the runtime that it comes with.
macro_rules! operation_on {
    ($name:literal, $with:ident, $P:ident, $T:ident => $operation:expr) => {
        Operation {
            name: $name,
            repeats: true,
            peers: WITH_PRIMITIVES,
            allocations: |peer, n| {
                with_peer!(peer, $P => {
                    let runtime = $P::on_standing_clock();
                    $with!(peer, $T => allocations(runtime, n, $operation))
                })
            },
        }
    };
}

impl Operation {
    /// All of them, in the order of the table.
    pub const ALL: &[Self] = &[
        counted_operation!("spawn", on_standing_clock, spawn_detached),
        counted_operation!("spawn_and_join", on_standing_clock, spawn_and_join),
        counted_operation!("wake", on_standing_clock, ping_pong_long),
        counted_operation!("yield", on_standing_clock, yields_of_200),
        counted_operation!("timer", on_standing_clock, timeouts),
        counted_operation!("timeout_ready", on_standing_clock, timeouts_ready),
        counted_operation!("group_child", on_standing_clock, children),
        counted_operation!("child_by_hand", on_standing_clock, children_by_hand),
        counted_operation!("gather", on_standing_clock, gather_of_1k),
        counted_operation!("semaphore", on_standing_clock, semaphore),
        counted_operation!("oneshot", on_standing_clock, oneshot_in_task),
        // Sockets keep real time on any clock.
        counted_operation!("socket", new, socket_echo),
        operation_on!("lock", with_lock, P, L => sync::lock::<L>),
        operation_on!("unfair_lock", with_unfair_lock, P, L => sync::lock::<L>),
        operation_on!("read", with_read_lock, P, L => sync::read::<L>),
        operation_on!("lock_crowd", with_lock, P, L => sync::lock_across_a_yield::<P, L>),
        operation_on!("permit_throng", with_semaphore, P, S => sync::permits_of_a_throng::<P, S>),
        operation_on!("event", with_event, P, E => sync::event_round_trip::<P, E>),
        operation_on!("turn", with_turns, P, T => sync::turns::<P, T>),
        operation_on!("queue", with_bounded, P, C => channels::put_and_get::<C>),
        operation_on!("queue_transfer", with_bounded, P, C => channels::one_to_one::<P, C>),
        operation_on!("unbounded", with_unbounded, P, C => channels::put_and_get_unbounded::<C>),
        operation_on!("broadcast", with_broadcast, P, B => channels::broadcast::<P, B>),
        operation_on!("watch", with_watch, P, W => channels::watch_round_trip::<P, W>),
        operation_of_a_worker!("worker_spawn", spawn_detached),
        operation_of_a_worker!("worker_spawn_and_join", spawn_and_join),
        operation_of_a_worker!("worker_wake", ping_pong_long),
        operation_of_a_worker!("worker_yield", yields_of_200),
        operation_of_a_worker!("worker_timer", timeouts),
    ];

    /// The operation with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|operation| operation.name == name)
    }

    /// Its name on the command line and in `counts.toml`.
    pub fn name(self) -> &'static str {
        self.name
    }

    /// Whether a peer can be asked.
    pub fn can_be_asked(self, peer: PeerId) -> bool {
        self.peers.contains(&peer)
    }

    /// Whether two runs count the same.
    pub fn repeats(self) -> bool {
        self.repeats
    }

    /// Does it `n` times, warmed up, and returns how many allocations that took. Only a process that
    /// installed the counting allocator counts any.
    pub fn allocations(self, peer: PeerId, n: u64) -> u64 {
        (self.allocations)(peer, n)
    }
}

/// The warm-up is as long as the longest run, so that every queue has grown before.
fn allocations<P, F>(peer: P, n: u64, operation: fn(u64) -> F) -> u64
where
    P: Peer,
    F: Future<Output = ()> + Send + 'static,
{
    in_a_task_of(&peer, async move {
        operation(LONG).await;
        let before = allocator::allocations();
        operation(n).await;
        allocator::allocations() - before
    })
}
