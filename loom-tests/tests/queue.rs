//! The queue's waiting machine under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/queue.rs`; `sync/tests/queue_stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::queue as body;
use tenter_loom_tests::check;

#[test]
fn put_and_a_getter_that_lines_up() {
    check(
        "queue::put_and_a_getter_that_lines_up",
        body::put_and_a_getter_that_lines_up,
    );
}

#[test]
fn one_place_for_two() {
    check("queue::one_place_for_two", body::one_place_for_two);
}

#[test]
fn mpmc_1() {
    check("queue::mpmc_1", body::mpmc_1);
}

#[test]
fn unbounded_put_and_get() {
    check("queue::unbounded_put_and_get", body::unbounded_put_and_get);
}

#[test]
fn a_put_publishes() {
    check("queue::a_put_publishes", body::a_put_publishes);
}

#[test]
fn shutdown_tells_all() {
    check("queue::shutdown_tells_all", body::shutdown_tells_all);
}

#[test]
fn put_and_shutdown() {
    check("queue::put_and_shutdown", body::put_and_shutdown);
}

#[test]
fn a_cancelled_getter_loses_nothing() {
    check(
        "queue::a_cancelled_getter_loses_nothing",
        body::a_cancelled_getter_loses_nothing,
    );
}

#[test]
fn a_cancelled_putter_loses_no_place() {
    check(
        "queue::a_cancelled_putter_loses_no_place",
        body::a_cancelled_putter_loses_no_place,
    );
}

#[test]
fn reserve_and_cancel() {
    check("queue::reserve_and_cancel", body::reserve_and_cancel);
}

#[test]
fn a_slot_keeps_its_place() {
    check(
        "queue::a_slot_keeps_its_place",
        body::a_slot_keeps_its_place,
    );
}

#[test]
fn join_and_task_done() {
    check("queue::join_and_task_done", body::join_and_task_done);
}

#[test]
fn join_and_two_who_are_done() {
    check(
        "queue::join_and_two_who_are_done",
        body::join_and_two_who_are_done,
    );
}

#[test]
fn join_and_shutdown_now() {
    check("queue::join_and_shutdown_now", body::join_and_shutdown_now);
}

#[test]
fn join_and_task_done_and_put() {
    check(
        "queue::join_and_task_done_and_put",
        body::join_and_task_done_and_put,
    );
}
