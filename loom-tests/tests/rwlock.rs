//! The read-write lock under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/rwlock.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::rwlock as body;
use tenter_loom_tests::check;

#[test]
fn two_writers() {
    check("rwlock::two_writers", body::two_writers);
}

#[test]
fn three_writers() {
    check("rwlock::three_writers", body::three_writers);
}

#[test]
fn readers_and_a_writer() {
    check("rwlock::readers_and_a_writer", body::readers_and_a_writer);
}

#[test]
fn a_dropped_writer_lets_the_readers_in() {
    check(
        "rwlock::a_dropped_writer_lets_the_readers_in",
        body::a_dropped_writer_lets_the_readers_in,
    );
}

#[test]
fn a_called_writer_that_is_dropped_passes_it_on() {
    check(
        "rwlock::a_called_writer_that_is_dropped_passes_it_on",
        body::a_called_writer_that_is_dropped_passes_it_on,
    );
}

#[test]
fn the_only_waiter_leaves() {
    check(
        "rwlock::the_only_waiter_leaves",
        body::the_only_waiter_leaves,
    );
}

#[test]
fn a_downgrade_lets_readers_in() {
    check(
        "rwlock::a_downgrade_lets_readers_in",
        body::a_downgrade_lets_readers_in,
    );
}

#[test]
fn only_one_of_two_is_polled() {
    check(
        "rwlock::only_one_of_two_is_polled",
        body::only_one_of_two_is_polled,
    );
}

#[test]
fn a_spent_budget_keeps_the_place() {
    check(
        "rwlock::a_spent_budget_keeps_the_place",
        body::a_spent_budget_keeps_the_place,
    );
}

#[test]
fn kin_that_was_woken_is_woken_again() {
    check(
        "rwlock::kin_that_was_woken_is_woken_again",
        body::kin_that_was_woken_is_woken_again,
    );
}
