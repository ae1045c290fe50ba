//! The ends of a channel under every schedule. The bodies, with what they show, are in
//! `sync/tests/models/channel.rs`; `sync/tests/channel.rs` runs the same ones on system threads.
#![cfg(tenter_loom)]

#[path = "../../sync/tests/models/mod.rs"]
mod models;

use models::channel as body;
use tenter_loom_tests::check;

macro_rules! models {
    ($(fn $name:ident;)*) => {$(
        #[test]
        fn $name() {
            check(concat!("channel::", stringify!($name)), body::$name);
        }
    )*};
}

models! {
    fn the_last_sender_and_a_receiver_that_lines_up;
    fn a_value_and_then_the_end;
    fn two_senders_go;
    fn everybody_goes;
    fn the_last_receiver_and_a_send;
    fn the_last_receiver_and_a_sender_that_lines_up;
    fn a_rendezvous;
    fn a_rendezvous_and_a_receiver_that_leaves;
    fn a_rendezvous_and_a_sender_that_leaves;
    fn an_upgrade_and_the_last_sender;
    fn closed_and_the_last_receiver;
    fn a_stream_that_was_left;
}
