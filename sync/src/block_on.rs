//! Waits for one of the crate's own futures on the calling thread.
//!
//! What the `blocking_…` methods stand on: a parker per call, because a thread-local one could be
//! used by a wait inside a wait, whose token the outer wait would miss.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use crate::current;
use crate::parker::{Parker, Unparked};

struct Unpark(Parker);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // The owner is never asleep elsewhere.
        let _ = self.0.unpark();
    }
}

/// Parks the thread until `future` is ready.
///
/// # Panics
///
/// Inside a task of tenter, which would take a worker away from all other tasks.
#[track_caller]
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    if let Some(task) = current::task_id() {
        panic!(
            "a blocking call inside task {task} would stop every task of its thread: use the \
             async method and `.await`, or move the call into `spawn_blocking` or `block_in_place`"
        );
    }
    let mut future = pin!(future);
    let unpark = Arc::new(Unpark(Parker::new()));
    let waker = Waker::from(Arc::clone(&unpark));
    let mut cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
        let (Unparked::Notified | Unparked::TimedOut) = unpark.0.park(None);
    }
}
