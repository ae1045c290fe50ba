//! The thread that waits for a guest while nothing is ready, so that the host's loop need not.
//!
//! ```text
//!   take ──► tasks sleep: wait for events, timers, wakes ─┐
//!    ▲  └──► tasks have ended: wait for blocking jobs ────┤
//!    └──────────── post ◄──── arrive ◄────────────────────┘
//! ```
//!
//! It runs no task and wakes none: what it has waited for it leaves to the next turn. It is not joined, for
//! it may be inside the poster, which may wait for the very turn that ends the guest.
//!
//! Tests: `tests/tests/guest/main.rs`; `loom-tests/tests/guest.rs`.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc as StdArc;

use tenter_sync::planted;
use tenter_sync::shim::thread;

use super::relay::Arrived;
use super::turn::{Baton, Shared};
use crate::task::error::payload_message;
use crate::task::payload::drop_payload;

/// The body of the helper.
pub fn run(shared: &StdArc<Shared>) {
    thread::sleep_precisely();
    while let Some(baton) = shared.relay.take() {
        let baton = errand(shared, baton);
        if shared.relay.arrive(baton) == Arrived::Post {
            post(shared);
        }
    }
}

fn errand(shared: &Shared, baton: Baton) -> Baton {
    match baton {
        Baton::Core(core) => {
            let is_recalled =
                || !planted!("guest.sleep_when_recalled") && shared.relay.is_recalled();
            shared.one_thread().wait_for_news(&core, is_recalled);
            Baton::Core(core)
        }
        Baton::Jobs(left) => {
            let mut report = crate::ShutdownReport::default();
            for job in shared.scheduler.blocking.shut_down(Some(left)) {
                report.stuck_job(&job);
            }
            Baton::Ended(report)
        }
        Baton::Ended(report) => Baton::Ended(report),
    }
}

/// Posts a turn. Nobody is there to be told of a panic of the poster, so it is only reported.
fn post(shared: &StdArc<Shared>) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| shared.post())) {
        let message = format!(
            "tenter: the poster of the guest started at {} panicked: {}. Unless the turn is run all the \
             same, the guest stands still until Guest::resume",
            shared.at,
            payload_message(&*payload)
        );
        drop_payload(payload);
        shared.scheduler.config().report_line(&message);
    }
}
