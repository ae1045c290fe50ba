//! What streams allocate: counted on the thread of the test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::Future;
use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

use tenter::stream::{Stream, StreamExt as _, merge, next, stream_fn};
use tenter::time::sleep;
use tenter_sync::current::{self, TaskSlot};

use crate::support::{SECOND, Script};

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

/// Polls as a task does.
fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    let slot = TaskSlot::new(NonZeroU64::new(7).expect("not zero"));
    let mut cx = Context::from_waker(Waker::noop());
    current::with_task(&slot, 128, || future.poll(&mut cx))
}

fn ask<S: Stream + Unpin>(stream: &mut S) -> Poll<Option<S::Item>> {
    poll(pin!(next(stream)))
}

#[test]
fn a100_a_generator_is_one_allocation_and_an_item_none() {
    let ((), allocations) = count(|| {
        let mut numbers = pin!(stream_fn(async |y| {
            for number in 0..100 {
                y.send(number).await;
            }
        }));
        for number in 0..100 {
            assert_eq!(ask(&mut numbers), Poll::Ready(Some(number)));
        }
        assert_eq!(ask(&mut numbers), Poll::Ready(None));
    });
    assert_eq!(allocations, 1);
}

#[test]
fn a102_what_waits_for_a_time_allocates_nothing() {
    let runtime = tenter::Builder::deterministic(0).build().expect("no limit");
    let _entered = runtime.enter();
    let script = || Script::new([(0, 1), (0, 2), (60_000, 3)]);
    assert!(
        poll(pin!(sleep(SECOND))).is_pending(),
        "what the clock needs once"
    );
    let plain = count(|| drop(script())).1;
    let ((), allocations) = count(|| {
        let mut items = pin!(script().timeout(SECOND));
        assert!(matches!(ask(&mut items), Poll::Ready(Some(Ok(1)))));
        assert!(matches!(ask(&mut items), Poll::Ready(Some(Ok(2)))));
        assert!(ask(&mut items).is_pending());
    });
    assert_eq!(allocations, plain + 1, "the timer of the script");
    let ((), allocations) = count(|| {
        let mut items = pin!(script().throttle(SECOND));
        assert_eq!(ask(&mut items), Poll::Ready(Some(1)));
        assert_eq!(ask(&mut items), Poll::Pending);
    });
    assert_eq!(allocations, plain + 1);
}

#[test]
fn a102_merged_streams_are_two_allocations() {
    let streams: Vec<_> = (0..100)
        .map(|from| {
            Box::pin(stream_fn(async move |y| {
                for number in 0..10 {
                    y.send(from + number).await;
                }
            }))
        })
        .collect();
    let ((), allocations) = count(|| {
        let mut all = merge(streams);
        let mut seen = 0;
        while let Poll::Ready(Some(_)) = ask(&mut all) {
            seen += 1;
        }
        assert_eq!(seen, 1_000);
    });
    assert!(
        allocations <= 3,
        "the row and the list, and a waker's: {allocations}"
    );
}
