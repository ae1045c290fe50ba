//! What scopes allocate: counted on the thread of the test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::{Future, ready};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use tenter::task::yield_now;
use tenter::time::timeout;

use crate::support::SECOND;

struct Counting;

std::thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: hands everything to the system's allocator, whose contract it keeps unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promise, passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise, passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// How many allocations `body` makes.
fn count<R>(body: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.get();
    let result = body();
    (result, ALLOCATIONS.get() - before)
}

/// Goal: a bound costs no allocation, around what is ready, what yields, and what is late.
#[tenter::test]
async fn a22_a_timeout_allocates_nothing() {
    // What the runtime makes at its first timer is not counted.
    timeout(SECOND, yield_now()).await.unwrap();
    let before = ALLOCATIONS.get();
    let ready = timeout(SECOND, ready(1)).await;
    let yields = timeout(SECOND, yield_now()).await;
    let nested = timeout(SECOND, timeout(2 * SECOND, async { yield_now().await })).await;
    let late = timeout(SECOND, std::future::pending::<()>()).await;
    assert_eq!(ALLOCATIONS.get() - before, 0);
    assert!(ready.is_ok() && yields.is_ok() && nested.is_ok() && late.is_err());
}

#[test]
fn a22_a_timeout_outside_a_runtime_allocates_nothing_around_a_ready_future() {
    drop(Box::pin(timeout(SECOND, ready(0)))); // The fallback driver.
    let (polled, allocations) = count(|| {
        let bounded = pin!(timeout(SECOND, ready(1)));
        bounded.poll(&mut Context::from_waker(Waker::noop()))
    });
    assert_eq!((polled, allocations), (Poll::Ready(Ok(1)), 0));
}
