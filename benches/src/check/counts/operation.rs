//! The operations that are counted: which runtime each runs on, and what it allocates.

use crate::measure::in_a_task_of;
use crate::peer::{Peer, PeerId};
use crate::{allocator, operation, with_one_worker, with_peer};

/// How many operations the long run does, and the warm-up before any.
pub(super) const LONG: u64 = 3_000;

/// An operation whose allocations and instructions are counted.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    name: &'static str,
    /// Whether it repeats: one thread on a clock that stands.
    repeats: bool,
    allocations: fn(PeerId, u64) -> u64,
}

macro_rules! counted_operation {
    ($name:literal, $runtime:ident, $operation:ident) => {
        Operation {
            name: $name,
            repeats: true,
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
            allocations: |peer, n| {
                with_one_worker!(peer, P => allocations(P::new(), n, operation::$operation::<P>))
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
        counted_operation!("semaphore", on_standing_clock, semaphore),
        counted_operation!("oneshot", on_standing_clock, oneshot_in_task),
        // Sockets keep real time on any clock.
        counted_operation!("socket", new, socket_echo),
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
