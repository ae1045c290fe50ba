//! The bodies of the queue's models, again and again on system threads.

mod models;

macro_rules! stress {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            tenter_sync::shim::explore(models::queue::$name);
        }
    )*};
}

stress! {
    put_and_a_getter_that_lines_up,
    one_place_for_two,
    mpmc_1,
    unbounded_put_and_get,
    a_put_publishes,
    shutdown_tells_all,
    put_and_shutdown,
    a_cancelled_getter_loses_nothing,
    a_cancelled_putter_loses_no_place,
    reserve_and_cancel,
    a_slot_keeps_its_place,
    join_and_task_done,
    join_and_two_who_are_done,
    join_and_shutdown_now,
    join_and_task_done_and_put,
}
