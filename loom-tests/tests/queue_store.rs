//! The stores of a queue under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/queue_store.rs`; `sync/tests/queue_store.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::queue_store as body;
use tenter_loom_tests::check;

#[test]
fn ring_of_one_pushers_and_popper() {
    check(
        "queue_store::ring_of_one_pushers_and_popper",
        body::ring_of_one_pushers_and_popper,
    );
}

#[test]
fn ring_of_two_pushers_and_popper() {
    check(
        "queue_store::ring_of_two_pushers_and_popper",
        body::ring_of_two_pushers_and_popper,
    );
}

#[test]
fn blocks_pushers_and_popper() {
    check(
        "queue_store::blocks_pushers_and_popper",
        body::blocks_pushers_and_popper,
    );
}

#[test]
fn blocks_pushers_and_popper_at_the_end() {
    check(
        "queue_store::blocks_pushers_and_popper_at_the_end",
        body::blocks_pushers_and_popper_at_the_end,
    );
}

#[test]
fn ring_poppers() {
    check("queue_store::ring_poppers", body::ring_poppers);
}

#[test]
fn blocks_poppers_at_the_end() {
    check(
        "queue_store::blocks_poppers_at_the_end",
        body::blocks_poppers_at_the_end,
    );
}

#[test]
fn blocks_a_block_is_used_again() {
    check(
        "queue_store::blocks_a_block_is_used_again",
        body::blocks_a_block_is_used_again,
    );
}

#[test]
fn ring_hold_and_push() {
    check("queue_store::ring_hold_and_push", body::ring_hold_and_push);
}

#[test]
fn blocks_hold_and_push() {
    check(
        "queue_store::blocks_hold_and_push",
        body::blocks_hold_and_push,
    );
}

#[test]
fn blocks_hold_and_push_at_the_end() {
    check(
        "queue_store::blocks_hold_and_push_at_the_end",
        body::blocks_hold_and_push_at_the_end,
    );
}

#[test]
fn ring_hold_and_pop() {
    check("queue_store::ring_hold_and_pop", body::ring_hold_and_pop);
}

#[test]
fn blocks_hold_and_pop() {
    check(
        "queue_store::blocks_hold_and_pop",
        body::blocks_hold_and_pop,
    );
}

#[test]
fn ring_batches() {
    check("queue_store::ring_batches", body::ring_batches);
}

#[test]
fn blocks_batches() {
    check("queue_store::blocks_batches", body::blocks_batches);
}

#[test]
fn ring_length() {
    check("queue_store::ring_length", body::ring_length);
}

#[test]
fn ring_length_held() {
    check("queue_store::ring_length_held", body::ring_length_held);
}

#[test]
fn blocks_length() {
    check("queue_store::blocks_length", body::blocks_length);
}

#[test]
fn what_comes_back_is_first() {
    check(
        "queue_store::what_comes_back_is_first",
        body::what_comes_back_is_first,
    );
}

#[test]
fn ring_drop_of_the_rest() {
    check(
        "queue_store::ring_drop_of_the_rest",
        body::ring_drop_of_the_rest,
    );
}

#[test]
fn blocks_drop_of_the_rest() {
    check(
        "queue_store::blocks_drop_of_the_rest",
        body::blocks_drop_of_the_rest,
    );
}
