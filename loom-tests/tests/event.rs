//! The event under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/event.rs`; `sync/tests/event.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/event.rs"]
mod body;
#[path = "../../sync/tests/models/mod.rs"]
mod models;

use tenter_loom_tests::check;

#[test]
fn one_for_one() {
    check("event::one_for_one", body::one_for_one);
}

#[test]
fn a_clear_takes_nothing_from_those_who_wait() {
    check(
        "event::a_clear_takes_nothing_from_those_who_wait",
        body::a_clear_takes_nothing_from_those_who_wait,
    );
}

#[test]
fn clear_look_wait() {
    check("event::clear_look_wait", body::clear_look_wait);
}

#[test]
fn a_clear_acquires() {
    check("event::a_clear_acquires", body::a_clear_acquires);
}

#[test]
fn one_leaves_and_one_goes_on() {
    check(
        "event::one_leaves_and_one_goes_on",
        body::one_leaves_and_one_goes_on,
    );
}
