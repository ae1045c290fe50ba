//! The shared future under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/shared.rs`; `sync/tests/shared.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/shared.rs"]
mod body;
#[path = "../../sync/tests/models/mod.rs"]
mod models;

use tenter_loom_tests::check;

#[test]
fn a_wake_while_it_is_polled() {
    check("shared::a_wake_while_it_is_polled", body::a_wake_while_it_is_polled);
}

#[test]
fn the_one_who_polled_is_dropped() {
    check("shared::the_one_who_polled_is_dropped", body::the_one_who_polled_is_dropped);
}

#[test]
fn the_one_who_polled_is_forgotten() {
    check("shared::the_one_who_polled_is_forgotten", body::the_one_who_polled_is_forgotten);
}

#[test]
fn two_come_at_once() {
    check("shared::two_come_at_once", body::two_come_at_once);
}

#[test]
fn it_wakes_itself() {
    check("shared::it_wakes_itself", body::it_wakes_itself);
}

#[test]
fn a_oneshot_for_two() {
    check("shared::a_oneshot_for_two", body::a_oneshot_for_two);
}
