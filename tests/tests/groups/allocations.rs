//! What a group allocates: counted on the thread of the test.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tenter::{Builder, spawn, task_group};
use tenter_tests::support::build;

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

const CHILDREN: usize = 1_000;

async fn by_hand() {
    let handles: Vec<_> = (0..CHILDREN)
        .map(|child| spawn(async move { child }))
        .collect();
    for handle in handles {
        handle.await.expect("it does not fail");
    }
}

async fn in_a_group() {
    let ended = task_group(async |group| {
        for child in 0..CHILDREN {
            group.spawn(async move { Ok::<_, ()>(child) });
        }
        Ok(())
    });
    ended.await.expect("nothing fails");
}

/// How many allocations `body` makes, when it is not the first.
fn count<F: Future<Output = ()>>(body: impl Fn() -> F) -> usize {
    build(Builder::deterministic(1)).block_on(async {
        body().await;
        let before = ALLOCATIONS.get();
        body().await;
        ALLOCATIONS.get() - before
    })
}

/// Goal: a child costs at most one allocation more than a task that is spawned and joined by hand.
#[test]
fn a26_a_child_costs_at_most_one_allocation_more() {
    let (by_hand, in_a_group) = (count(by_hand), count(in_a_group));
    assert!(
        in_a_group <= by_hand + CHILDREN,
        "{in_a_group} in a group, {by_hand} by hand"
    );
}
