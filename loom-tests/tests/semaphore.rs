//! The semaphore under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/semaphore.rs`; `sync/tests/stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::semaphore as body;
use tenter_loom_tests::check;

#[test]
fn two_users() {
    check("semaphore::two_users", body::two_users);
}

#[test]
fn three_users() {
    check("semaphore::three_users", body::three_users);
}

#[test]
fn a_cancelled_waiter_passes_it_on() {
    check(
        "semaphore::a_cancelled_waiter_passes_it_on",
        body::a_cancelled_waiter_passes_it_on,
    );
}

#[test]
fn a_large_request_leaves() {
    check(
        "semaphore::a_large_request_leaves",
        body::a_large_request_leaves,
    );
}

#[test]
fn many_and_singles() {
    check("semaphore::many_and_singles", body::many_and_singles);
}

#[test]
fn close_and_release() {
    check("semaphore::close_and_release", body::close_and_release);
}

#[test]
fn close_batch() {
    check("semaphore::close_batch", body::close_batch);
}

#[test]
fn a_forsaken_wait_is_overtaken() {
    check(
        "semaphore::a_forsaken_wait_is_overtaken",
        body::a_forsaken_wait_is_overtaken,
    );
}

#[test]
fn a_forsaken_large_request_is_overtaken() {
    check(
        "semaphore::a_forsaken_large_request_is_overtaken",
        body::a_forsaken_large_request_is_overtaken,
    );
}
