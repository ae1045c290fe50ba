//! Waits for one of the crate's own futures on the calling thread.
//!
//! What the `blocking_…` methods stand on: a parker per call, because a thread-local one could be
//! used by a wait inside a wait, whose token the outer wait would miss.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;

use crate::brake::Sleeper;
use crate::current;

/// Parks the thread until `future` is ready.
///
/// # Panics
///
/// Inside a task of tenter, which would take a worker away from all other tasks.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    if let Some(task) = current::must_not_block() {
        panic!(
            "a blocking call inside task {task} would stop every task of its thread: use the \
             async method and `.await`, or move the call into `spawn_blocking` or `block_in_place`"
        );
    }
    let mut future = pin!(future);
    let sleeper = Arc::new(Sleeper::here());
    let waker = Waker::from(Arc::clone(&sleeper));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        sleeper.park();
    }
}
