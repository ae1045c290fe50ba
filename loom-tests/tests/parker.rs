//! The parker under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/parker.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::parker as body;
use tenter_loom_tests::check;

#[test]
fn one_unparker() {
    check("parker::one_unparker", body::one_unparker);
}

#[test]
fn two_unparkers() {
    check("parker::two_unparkers", body::two_unparkers);
}

#[test]
fn timeout() {
    check("parker::timeout", body::timeout);
}

#[test]
fn elsewhere() {
    check("parker::elsewhere", body::elsewhere);
}

#[test]
fn announce_and_look_again() {
    check(
        "parker::announce_and_look_again",
        body::announce_and_look_again,
    );
}
