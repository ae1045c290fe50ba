//! The waker cell under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/waker_cell.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::waker_cell as body;
use tenter_loom_tests::check;

#[test]
fn register_and_wake() {
    check("waker_cell::register_and_wake", body::register_and_wake);
}

#[test]
fn two_wakers() {
    check("waker_cell::two_wakers", body::two_wakers);
}

#[test]
fn change_of_waker() {
    check("waker_cell::change_of_waker", body::change_of_waker);
}
