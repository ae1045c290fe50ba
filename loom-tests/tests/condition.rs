//! The condition under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/condition.rs`; `sync/tests/condition.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::condition as body;
use tenter_loom_tests::check;

#[test]
fn wait_and_notify() {
    check("condition::wait_and_notify", body::wait_and_notify);
}

#[test]
fn two_waiters() {
    check("condition::two_waiters", body::two_waiters);
}

#[test]
fn a_cancelled_wait_passes_it_on() {
    check(
        "condition::a_cancelled_wait_passes_it_on",
        body::a_cancelled_wait_passes_it_on,
    );
}

#[test]
fn moved_while_it_looks() {
    check(
        "condition::moved_while_it_looks",
        body::moved_while_it_looks,
    );
}
