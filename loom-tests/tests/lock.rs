//! The lock under every schedule. The bodies, with what they show, are in `sync/tests/models/lock.rs`;
//! `sync/tests/lock.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::lock as body;
use tenter_loom_tests::check;

#[test]
fn two_users() {
    check("lock::two_users", body::two_users);
}

#[test]
fn three_users() {
    check("lock::three_users", body::three_users);
}

#[test]
fn two_bargers() {
    check("lock::two_bargers", body::two_bargers);
}

#[test]
fn three_bargers() {
    check("lock::three_bargers", body::three_bargers);
}

#[test]
fn a_loser_gets_the_next_turn() {
    check(
        "lock::a_loser_gets_the_next_turn",
        body::a_loser_gets_the_next_turn,
    );
}

#[test]
fn a_cancelled_waiter_passes_it_on() {
    check(
        "lock::a_cancelled_waiter_passes_it_on",
        body::a_cancelled_waiter_passes_it_on,
    );
}

#[test]
fn a_cancelled_waiter_of_bargers() {
    check(
        "lock::a_cancelled_waiter_of_bargers",
        body::a_cancelled_waiter_of_bargers,
    );
}

#[test]
fn a_forsaken_wait_is_overtaken() {
    check(
        "lock::a_forsaken_wait_is_overtaken",
        body::a_forsaken_wait_is_overtaken,
    );
}

#[test]
fn a_forsaken_wait_among_bargers() {
    check(
        "lock::a_forsaken_wait_among_bargers",
        body::a_forsaken_wait_among_bargers,
    );
}

#[test]
fn a_spent_budget_keeps_the_place() {
    check(
        "lock::a_spent_budget_keeps_the_place",
        body::a_spent_budget_keeps_the_place,
    );
}

#[test]
fn a_spent_budget_among_bargers() {
    check(
        "lock::a_spent_budget_among_bargers",
        body::a_spent_budget_among_bargers,
    );
}
