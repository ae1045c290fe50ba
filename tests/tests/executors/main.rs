//! The primitives on every executor: the same programs on three flavours of tenter, on tokio, on smol.
//!
//! A program is written once, over [`Executor`]. It is bounded by counts, and nobody sleeps.

mod channels;
mod futurelock;
mod programs;
mod queues;
mod signals;
mod support;

use support::{Smol, Tenter, Tokio};

macro_rules! executors {
    ($($executor:ident: $make:expr;)*) => {
        $(mod $executor {
            #[allow(unused_imports, reason = "each executor takes what it needs")]
            use super::*;

            programs! { $make }
        })*
    };
}

macro_rules! programs {
    ($make:expr) => {
        programs! { $make =>
            programs: lock, unfair_lock, owned_lock, rwlock, semaphore, large_requests,
                waits_that_are_dropped, once_cells, once_cells_that_fail;
            signals: events, notifications, queue_of_a_condition, turns, barrier, oneshots;
            queues: queue, queue_of_one, jobs, queue_that_is_shut, orders, broadcasts, watches,
                shared_work, limiter;
            channels: clones, ends, values_come_back, ping_pong, many_at_once, weak_senders,
                streams;
            futurelock: one_waker;
        }
    };
    ($make:expr => $($file:ident: $($program:ident),*;)*) => {
        $($(#[test]
        fn $program() {
            super::$file::$program(&$make);
        })*)*
    };
}

executors! {
    tenter_multi_thread: Tenter::multi_thread();
    tenter_current_thread: Tenter::current_thread();
    tenter_deterministic: Tenter::deterministic();
    tokio_multi_thread: Tokio::multi_thread();
    tokio_current_thread: Tokio::current_thread();
    smol_threads: Smol::threads(4);
    smol_alone: Smol::threads(0);
}
