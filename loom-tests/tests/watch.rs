//! The watch channel under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/watch.rs`; `sync/tests/watch.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/watch.rs"]
mod body;
#[path = "../../sync/tests/models/mod.rs"]
mod models;

use tenter_loom_tests::check;

#[test]
fn a_value_and_the_end() {
    check("watch::a_value_and_the_end", body::a_value_and_the_end);
}

#[test]
fn the_last_sender_leaves() {
    check("watch::the_last_sender_leaves", body::the_last_sender_leaves);
}

#[test]
fn replaced_while_read() {
    check("watch::replaced_while_read", body::replaced_while_read);
}

#[test]
fn a_change_waits_for_readers() {
    check("watch::a_change_waits_for_readers", body::a_change_waits_for_readers);
}

#[test]
fn a_change_goes_on_when_its_value_is_replaced() {
    check("watch::a_change_goes_on_when_its_value_is_replaced", body::a_change_goes_on_when_its_value_is_replaced);
}

#[test]
fn who_reads_is_let_in_again() {
    check("watch::who_reads_is_let_in_again", body::who_reads_is_let_in_again);
}

#[test]
fn one_leaves_and_one_goes_on() {
    check("watch::one_leaves_and_one_goes_on", body::one_leaves_and_one_goes_on);
}

#[test]
fn the_last_receiver_leaves() {
    check("watch::the_last_receiver_leaves", body::the_last_receiver_leaves);
}

#[test]
fn another_waker() {
    check("watch::another_waker", body::another_waker);
}
