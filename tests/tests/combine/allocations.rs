//! What the combinators allocate: counted on the thread of the test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::future::ready;
use std::pin::pin;

use tenter::gather;

use crate::support::{Gate, Task};

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
pub fn count<R>(body: impl FnOnce() -> R) -> (R, usize) {
    let before = ALLOCATIONS.get();
    let result = body();
    (result, ALLOCATIONS.get() - before)
}

#[test]
fn a20_a_gather_of_ready_futures_allocates_no_list() {
    let task = Task::own();
    let (polled, allocations) = count(|| {
        let all = pin!(tenter::gather!(ready(1), async { 2 }));
        task.poll(all).is_ready()
    });
    assert_eq!((polled, allocations), (true, 0));
    let (polled, allocations) = count(|| task.poll(pin!(gather((0..1_000).map(ready)))).is_ready());
    assert_eq!(
        (polled, allocations),
        (true, 2),
        "the members and the outputs"
    );
}

#[test]
fn a20_waiting_allocates_one_list_for_all() {
    let task = Task::own();
    let gates = Gate::row(1_000, false, |_| 2);
    let members: Vec<_> = gates.iter().map(Gate::member).collect();
    let (all, allocations) = count(|| Box::pin(gather(members)));
    assert_eq!(allocations, 2, "the members, and the box of the test");
    let mut all = all;
    let (pending, allocations) = count(|| task.poll(all.as_mut()).is_pending());
    assert_eq!((pending, allocations), (true, 1), "the list");
    let ((), allocations) = count(|| gates.iter().for_each(|gate| gate.wake()));
    assert_eq!(allocations, 0, "wakes");
    let (ready, allocations) = count(|| task.poll(all.as_mut()).is_ready());
    assert_eq!((ready, allocations), (true, 1), "the outputs");

    let gates = Gate::row(3, false, |_| 2);
    let members = tenter::gather!(gates[0].member(), gates[1].member(), gates[2].member());
    let mut all = pin!(members);
    let (pending, allocations) = count(|| task.poll(all.as_mut()).is_pending());
    assert_eq!((pending, allocations), (true, 1), "the list");
    let (ready, allocations) = count(|| {
        gates.iter().for_each(|gate| gate.wake());
        task.poll(all.as_mut()).is_ready()
    });
    assert_eq!((ready, allocations), (true, 0));
}

#[test]
fn a_select_allocates_when_it_waits_and_once() {
    let task = Task::own();
    let (chosen, allocations) = count(|| {
        let select = pin!(async {
            tenter::select! { value = ready(1) => value, _ = std::future::pending::<()>() => 2 }
        });
        task.poll(select)
    });
    assert_eq!((chosen, allocations), (std::task::Poll::Ready(1), 0));
    let gates = Gate::row(2, false, |_| 3);
    let [a, b] = [0, 1].map(|index: usize| gates[index].member());
    let mut select = pin!(async {
        tenter::select! { index = a => index, index = b => index }
    });
    let ((), allocations) = count(|| {
        for _ in 0..2 {
            assert!(task.poll(select.as_mut()).is_pending());
            gates[1].wake();
        }
        assert!(task.poll(select.as_mut()).is_ready());
    });
    assert_eq!(allocations, 1, "the list");
}
