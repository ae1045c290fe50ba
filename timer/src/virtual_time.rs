//! The smallest executor there is, on a virtual clock: for examples and tests of this crate, which
//! sits below the runtime.

use core::future::Future;
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use std::sync::Arc;
use std::task::Wake;

use tenter_sync::shim::atomic::{AtomicBool, Ordering};

use crate::{Clock, Timers};

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // ORDERING: Release pairs with the Acquire of the swap below: what was done before the
        // wake-up is seen by the poll that it causes.
        self.0.store(true, Ordering::Release);
    }
}

/// Runs `future` on a virtual clock that jumps to the next deadline whenever all is blocked.
///
/// # Panics
///
/// If the future waits for something that is not a timer.
pub fn on_virtual_time<F: Future>(future: F) -> F::Output {
    let timers = Timers::new(Clock::virtual_from_zero(), Waker::noop().clone());
    let _guard = timers.enter();
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        // ORDERING: Acquire pairs with the Release of the store above.
        while !woken.0.swap(false, Ordering::Acquire) {
            let next = timers.next_deadline();
            let next = next.expect("the future waits for something that is not a timer");
            timers.clock().advance_to(next);
            timers.fire_due(next);
        }
    }
}
