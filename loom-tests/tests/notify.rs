//! The `Notify` under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/notify.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::notify as body;
use tenter_loom_tests::check;

#[test]
fn one_for_one() {
    check("notify::one_for_one", body::one_for_one);
}

#[test]
fn two_notifiers() {
    check("notify::two_notifiers", body::two_notifiers);
}

#[test]
fn a_cancelled_waiter_passes_it_on() {
    check(
        "notify::a_cancelled_waiter_passes_it_on",
        body::a_cancelled_waiter_passes_it_on,
    );
}

#[test]
fn all_reaches_the_unpolled() {
    check(
        "notify::all_reaches_the_unpolled",
        body::all_reaches_the_unpolled,
    );
}

#[test]
fn all_and_one() {
    check("notify::all_and_one", body::all_and_one);
}
