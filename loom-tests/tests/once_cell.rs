//! The once-cell under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/once_cell.rs`; `sync/tests/once_cell.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/once_cell.rs"]
mod body;
#[path = "../../sync/tests/models/mod.rs"]
mod models;

use tenter_loom_tests::check;

#[test]
fn one_makes_it_for_both() {
    check(
        "once_cell::one_makes_it_for_both",
        body::one_makes_it_for_both,
    );
}

#[test]
fn a_failure_lets_the_next_one_try() {
    check(
        "once_cell::a_failure_lets_the_next_one_try",
        body::a_failure_lets_the_next_one_try,
    );
}

#[test]
fn a_dropped_initialiser_lets_the_next_one_try() {
    check(
        "once_cell::a_dropped_initialiser_lets_the_next_one_try",
        body::a_dropped_initialiser_lets_the_next_one_try,
    );
}

#[test]
fn one_who_was_told_and_leaves_tells_the_next() {
    check(
        "once_cell::one_who_was_told_and_leaves_tells_the_next",
        body::one_who_was_told_and_leaves_tells_the_next,
    );
}

#[test]
fn a_set_meets_an_initialiser() {
    check(
        "once_cell::a_set_meets_an_initialiser",
        body::a_set_meets_an_initialiser,
    );
}
