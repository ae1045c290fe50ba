//! Rows A40 to A55 and X08 to X10 of the guide's table (`docs/guide/rows.md`): queues, what tasks meet at,
//! limiters, channels. One test for each row, which shows what the row says, and where it differs from what
//! it is compared with. The finer cases are in the tests of `tenter-sync`.
//!
//! All stand in statics: a primitive belongs to no runtime. The flavour is the deterministic one, so the
//! order of lines is exact, and `wait_all_tasks_blocked` returns when every other task waits.

mod locks;
mod meeting;
mod queues;
mod resources;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use tenter::testing::wait_all_tasks_blocked;

/// Lets all other tasks go as far as they can.
async fn settle() {
    wait_all_tasks_blocked().await;
}

/// Whether a future is ready at its first poll: it does not suspend.
fn is_ready_at_once<F: Future>(future: Pin<&mut F>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    future.poll(&mut cx).is_ready()
}
