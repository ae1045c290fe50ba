//! The barrier under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/barrier.rs`; `sync/tests/barrier.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/barrier.rs"]
mod body;
#[path = "../../sync/tests/models/mod.rs"]
mod models;

use tenter_loom_tests::check;

#[test]
fn two_meet() {
    check("barrier::two_meet", body::two_meet);
}

#[test]
fn two_rounds() {
    check("barrier::two_rounds", body::two_rounds);
}

#[test]
fn one_leaves_as_another_comes() {
    check(
        "barrier::one_leaves_as_another_comes",
        body::one_leaves_as_another_comes,
    );
}

#[test]
fn dropped_turns_let_late_comers_in() {
    check(
        "barrier::dropped_turns_let_late_comers_in",
        body::dropped_turns_let_late_comers_in,
    );
}

#[test]
fn a_reset_meets_a_departure() {
    check(
        "barrier::a_reset_meets_a_departure",
        body::a_reset_meets_a_departure,
    );
}
