//! `broadcast` under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/broadcast.rs`; `sync/tests/broadcast.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::broadcast as body;
use tenter_loom_tests::check;

#[test]
fn one_for_one() {
    check("broadcast::one_for_one", body::one_for_one);
}

#[test]
fn two_receivers() {
    check("broadcast::two_receivers", body::two_receivers);
}

#[test]
fn overwritten_while_read() {
    check(
        "broadcast::overwritten_while_read",
        body::overwritten_while_read,
    );
}

#[test]
fn cells_come_back() {
    check("broadcast::cells_come_back", body::cells_come_back);
}

#[test]
fn the_last_value_before_the_end() {
    check(
        "broadcast::the_last_value_before_the_end",
        body::the_last_value_before_the_end,
    );
}

#[test]
fn a_look_at_the_end() {
    check("broadcast::a_look_at_the_end", body::a_look_at_the_end);
}

#[test]
fn the_end_wakes_those_who_wait() {
    check(
        "broadcast::the_end_wakes_those_who_wait",
        body::the_end_wakes_those_who_wait,
    );
}

#[test]
fn one_goes_and_one_receives() {
    check(
        "broadcast::one_goes_and_one_receives",
        body::one_goes_and_one_receives,
    );
}

#[test]
fn the_last_receiver_goes() {
    check(
        "broadcast::the_last_receiver_goes",
        body::the_last_receiver_goes,
    );
}

#[test]
fn a_stamp_comes_back() {
    check("broadcast::a_stamp_comes_back", body::a_stamp_comes_back);
}

#[test]
fn a_stamp_comes_back_and_goes() {
    check(
        "broadcast::a_stamp_comes_back_and_goes",
        body::a_stamp_comes_back_and_goes,
    );
}

#[test]
fn two_senders() {
    check("broadcast::two_senders", body::two_senders);
}
