//! The limiter under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/limiter.rs`; `sync/tests/limiter.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::limiter as body;
use tenter_loom_tests::check;

#[test]
fn two_borrowers() {
    check("limiter::two_borrowers", body::two_borrowers);
}

#[test]
fn a_cancelled_request_passes_it_on() {
    check(
        "limiter::a_cancelled_request_passes_it_on",
        body::a_cancelled_request_passes_it_on,
    );
}

#[test]
fn a_larger_total_lets_them_in() {
    check(
        "limiter::a_larger_total_lets_them_in",
        body::a_larger_total_lets_them_in,
    );
}
