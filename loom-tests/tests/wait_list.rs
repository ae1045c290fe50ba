//! The wait list under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/wait_list.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::wait_list as body;
use tenter_loom_tests::check;

#[test]
fn granted_and_freed() {
    check("wait_list::granted_and_freed", body::granted_and_freed);
}

#[test]
fn leaving_meets_granting() {
    check(
        "wait_list::leaving_meets_granting",
        body::leaving_meets_granting,
    );
}

#[test]
fn the_middle_leaves() {
    check("wait_list::the_middle_leaves", body::the_middle_leaves);
}
