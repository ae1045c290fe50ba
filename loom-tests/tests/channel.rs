//! The ends of a channel under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/channel.rs`; `sync/tests/channel.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::channel as body;
use tenter_loom_tests::check;

macro_rules! models {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            check(concat!("channel::", stringify!($name)), body::$name);
        }
    )*};
}

models! {
    the_last_sender_and_a_receiver_that_lines_up,
    a_value_and_then_the_end,
    two_senders_go,
    everybody_goes,
    the_last_receiver_and_a_send,
    the_last_receiver_and_a_sender_that_lines_up,
    a_rendezvous,
    a_rendezvous_and_a_receiver_that_leaves,
    a_rendezvous_and_a_sender_that_leaves,
    an_upgrade_and_the_last_sender,
    closed_and_the_last_receiver,
    a_stream_that_was_left,
}
