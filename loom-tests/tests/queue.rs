//! The queue's waiting machine under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/queue.rs`; `sync/tests/queue_stress.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::queue as body;
use tenter_loom_tests::check;

macro_rules! models {
    ($(fn $name:ident;)*) => {$(
        #[test]
        fn $name() {
            check(concat!("queue::", stringify!($name)), body::$name);
        }
    )*};
}

models! {
    fn put_and_a_getter_that_lines_up;
    fn one_place_for_two;
    fn mpmc_1;
    fn unbounded_put_and_get;
    fn a_put_publishes;
    fn shutdown_tells_all;
    fn put_and_shutdown;
    fn a_cancelled_getter_loses_nothing;
    fn a_cancelled_putter_loses_no_place;
    fn reserve_and_cancel;
    fn a_slot_keeps_its_place;
    fn join_and_task_done;
    fn join_and_two_who_are_done;
    fn join_and_shutdown_now;
    fn join_and_task_done_and_put;
}
