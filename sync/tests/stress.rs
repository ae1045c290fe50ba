//! The bodies of the models, again and again on system threads.

mod models;

macro_rules! stress {
    ($($module:ident: $($name:ident),* $(,)?;)*) => {
        $(mod $module {
            $(#[test]
            fn $name() {
                tenter_sync::shim::explore(super::models::$module::$name);
            })*
        })*
    };
}

stress! {
    parker: one_unparker, two_unparkers, timeout, elsewhere, announce_and_look_again;
    waker_cell: register_and_wake, two_wakers, change_of_waker;
    wait_list: granted_and_freed, leaving_meets_granting, the_middle_leaves;
    oneshot: send_and_receive, send_and_close, send_and_drop_of_a_polled_receiver, send_and_change_of_waker, drop_of_the_sender, drop_of_the_receiver, both_wait_and_leave;
    notify: one_for_one, two_notifiers, a_cancelled_waiter_passes_it_on, all_reaches_the_unpolled, all_and_one;
    rwlock: two_writers, three_writers, readers_and_a_writer, a_dropped_writer_lets_the_readers_in, a_called_writer_that_is_dropped_passes_it_on, the_only_waiter_leaves, a_downgrade_lets_readers_in, only_one_of_two_is_polled, kin_that_was_woken_is_woken_again, a_spent_budget_keeps_the_place;
    semaphore: two_users, three_users, a_cancelled_waiter_passes_it_on, a_large_request_leaves, many_and_singles, close_and_release, close_batch, a_forsaken_wait_is_overtaken, a_forsaken_large_request_is_overtaken;
}
