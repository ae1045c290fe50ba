//! The oneshot channel under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/oneshot.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::oneshot as body;
use tenter_loom_tests::check;

#[test]
fn send_and_receive() {
    check("oneshot::send_and_receive", body::send_and_receive);
}

#[test]
fn send_and_close() {
    check("oneshot::send_and_close", body::send_and_close);
}

#[test]
fn send_and_drop_of_a_polled_receiver() {
    check(
        "oneshot::send_and_drop_of_a_polled_receiver",
        body::send_and_drop_of_a_polled_receiver,
    );
}

#[test]
fn send_and_change_of_waker() {
    check(
        "oneshot::send_and_change_of_waker",
        body::send_and_change_of_waker,
    );
}

#[test]
fn drop_of_the_sender() {
    check("oneshot::drop_of_the_sender", body::drop_of_the_sender);
}

#[test]
fn drop_of_the_receiver() {
    check("oneshot::drop_of_the_receiver", body::drop_of_the_receiver);
}

#[test]
fn both_wait_and_leave() {
    check("oneshot::both_wait_and_leave", body::both_wait_and_leave);
}
