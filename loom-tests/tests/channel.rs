//! The ends of a channel under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/channel.rs`; `sync/tests/channel.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::channel as body;
use tenter_loom_tests::check;

#[test]
fn the_last_sender_and_a_receiver_that_lines_up() {
    check(
        "channel::the_last_sender_and_a_receiver_that_lines_up",
        body::the_last_sender_and_a_receiver_that_lines_up,
    );
}

#[test]
fn a_value_and_then_the_end() {
    check(
        "channel::a_value_and_then_the_end",
        body::a_value_and_then_the_end,
    );
}

#[test]
fn two_senders_go() {
    check("channel::two_senders_go", body::two_senders_go);
}

#[test]
fn everybody_goes() {
    check("channel::everybody_goes", body::everybody_goes);
}

#[test]
fn the_last_receiver_and_a_send() {
    check(
        "channel::the_last_receiver_and_a_send",
        body::the_last_receiver_and_a_send,
    );
}

#[test]
fn the_last_receiver_and_a_sender_that_lines_up() {
    check(
        "channel::the_last_receiver_and_a_sender_that_lines_up",
        body::the_last_receiver_and_a_sender_that_lines_up,
    );
}

#[test]
fn a_rendezvous() {
    check("channel::a_rendezvous", body::a_rendezvous);
}

#[test]
fn a_rendezvous_and_a_receiver_that_leaves() {
    check(
        "channel::a_rendezvous_and_a_receiver_that_leaves",
        body::a_rendezvous_and_a_receiver_that_leaves,
    );
}

#[test]
fn a_rendezvous_and_a_sender_that_leaves() {
    check(
        "channel::a_rendezvous_and_a_sender_that_leaves",
        body::a_rendezvous_and_a_sender_that_leaves,
    );
}

#[test]
fn an_upgrade_and_the_last_sender() {
    check(
        "channel::an_upgrade_and_the_last_sender",
        body::an_upgrade_and_the_last_sender,
    );
}

#[test]
fn closed_and_the_last_receiver() {
    check(
        "channel::closed_and_the_last_receiver",
        body::closed_and_the_last_receiver,
    );
}

#[test]
fn a_stream_that_was_left() {
    check(
        "channel::a_stream_that_was_left",
        body::a_stream_that_was_left,
    );
}
