//! The stores of a queue: against plain models, with hostile items, and the bodies of the models on
//! system threads.

mod models;

use std::cell::Cell;
use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tenter_sync::queue::blocks::{Blocks, CELLS};
use tenter_sync::queue::heap::{Heap, Sorted};
use tenter_sync::queue::ring::Ring;
use tenter_sync::queue::stack::Stack;
use tenter_sync::queue::store::{Full, Returned, Store};

macro_rules! stress {
    ($($name:ident),* $(,)?) => {
        mod stress {
            $(#[test]
            fn $name() {
                tenter_sync::shim::explore(super::models::queue_store::$name);
            })*
        }
    };
}

stress!(
    ring_of_one_pushers_and_popper,
    ring_of_two_pushers_and_popper,
    blocks_pushers_and_popper,
    blocks_pushers_and_popper_at_the_end,
    ring_poppers,
    blocks_poppers_at_the_end,
    blocks_a_block_is_used_again,
    ring_hold_and_push,
    blocks_hold_and_push,
    blocks_hold_and_push_at_the_end,
    ring_hold_and_pop,
    blocks_hold_and_pop,
    ring_batches,
    blocks_batches,
    ring_length,
    ring_length_held,
    blocks_length,
    what_comes_back_is_first,
    ring_drop_of_the_rest,
    blocks_drop_of_the_rest,
);

/// A generator of choices; the seed is all there is to repeat a run.
struct Choices(u64);

impl Choices {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) % bound
    }
}

/// What a store should be: a list of items with their numbers, and which goes first.
struct Plain {
    items: Vec<(u64, u64)>,
    first: fn(&[(u64, u64)]) -> Option<usize>,
    capacity: usize,
    pushed: u64,
    peak: usize,
}

impl Plain {
    fn push(&mut self, item: u64) -> bool {
        if self.items.len() >= self.capacity {
            return false;
        }
        self.items.push((self.pushed, item));
        self.pushed += 1;
        self.peak = self.peak.max(self.items.len());
        true
    }

    fn pop(&mut self) -> Option<(u64, u64)> {
        (self.first)(&self.items).map(|at| self.items.remove(at))
    }
}

fn oldest(items: &[(u64, u64)]) -> Option<usize> {
    (0..items.len()).min_by_key(|&at| items[at].0)
}

fn newest(items: &[(u64, u64)]) -> Option<usize> {
    (0..items.len()).max_by_key(|&at| items[at].0)
}

fn smallest(items: &[(u64, u64)]) -> Option<usize> {
    (0..items.len()).min_by_key(|&at| (items[at].1, items[at].0))
}

/// A thousand choices: fast and held, singles and batches, and items that come back.
fn like_plain<S: Store<u64>>(
    store: &S,
    mut inner: S::Inner,
    first: fn(&[(u64, u64)]) -> Option<usize>,
    seed: u64,
) {
    let mut choices = Choices(seed * 2 + 1);
    let mut plain = Plain {
        items: Vec::new(),
        first,
        capacity: store.capacity().unwrap_or(usize::MAX),
        pushed: 0,
        peak: 0,
    };
    let mut out: Vec<(u64, u64)> = Vec::new();
    for step in 0..1_000 {
        let item = choices.below(8);
        match choices.below(8) {
            0 | 1 => {
                if store.push(item).is_ok() {
                    assert!(
                        plain.push(item),
                        "{seed}/{step}: a fast push into a full store"
                    );
                }
            }
            2 => {
                if let Some(item) = store.pop() {
                    assert_eq!(
                        plain.pop().map(|(_, item)| item),
                        Some(item),
                        "{seed}/{step}"
                    );
                }
            }
            3 => {
                store.hold();
                let pushed = store.push_held(&mut inner, &mut Some(item));
                assert_eq!(pushed.is_ok(), plain.push(item), "{seed}/{step}: held push");
            }
            4 => {
                store.hold();
                let popped = store.pop_held(&mut inner);
                assert_eq!(popped, plain.pop(), "{seed}/{step}: held pop");
                out.extend(popped.filter(|_| item < 4));
            }
            5 if !out.is_empty() => {
                let (number, item) = out.swap_remove(choices.below(out.len() as u64) as usize);
                store.hold();
                store.put_back(&mut inner, number, item);
                plain.items.push((number, item));
            }
            6 => {
                let mut items: VecDeque<u64> = (0..item).collect();
                let count = store.push_many(&mut items);
                assert_eq!(items.len() + count, item as usize);
                assert!(
                    (0..count as u64).all(|item| plain.push(item)),
                    "{seed}/{step}"
                );
            }
            _ => {
                let mut items = Vec::new();
                let count = store.pop_many(&mut items, item as usize);
                assert!(count == items.len() && count <= item as usize);
                for item in items {
                    assert_eq!(
                        plain.pop().map(|(_, item)| item),
                        Some(item),
                        "{seed}/{step}"
                    );
                }
            }
        }
        // An item that is out may come back out of order with those that went by fast ways.
        if choices.below(2) == 0 && !store.must_stay_held(&inner) {
            store.release();
        }
        assert_eq!(store.len_held(&inner), plain.items.len(), "{seed}/{step}");
        assert_eq!(store.len(), plain.items.len(), "{seed}/{step}");
        assert_eq!(store.pushed(), plain.pushed, "{seed}/{step}");
        assert!(store.peak() >= plain.peak.min(1), "{seed}/{step}");
    }
}

#[test]
fn the_ring_is_a_plain_fifo() {
    for seed in 0..60 {
        let capacity = [1, 2, 3, 5, 8, 100][seed as usize % 6];
        like_plain(&Ring::new(capacity), Returned::new(), oldest, seed);
    }
}

#[test]
fn the_blocks_are_a_plain_fifo() {
    for seed in 0..60 {
        like_plain(&Blocks::new(), Returned::new(), oldest, seed);
    }
}

#[test]
fn the_stack_is_a_plain_lifo() {
    for seed in 0..60 {
        let capacity = [None, Some(1), Some(7)][seed as usize % 3];
        like_plain(&Stack::new(capacity), Vec::new(), newest, seed);
    }
}

#[test]
fn the_heap_is_plain_and_stable() {
    for seed in 0..60 {
        let capacity = [None, Some(1), Some(7)][seed as usize % 3];
        like_plain(&Heap::new(capacity), Sorted::new(), smallest, seed);
    }
}

#[test]
fn a_heap_of_many_is_like_the_standard_one() {
    let (heap, mut inner, mut choices) = (Heap::new(None), Sorted::new(), Choices(7));
    let mut plain = BinaryHeap::new();
    for number in 0..2_000_u64 {
        let item = choices.below(500);
        heap.push_held(&mut inner, &mut Some(item)).unwrap();
        plain.push(Reverse((item, number)));
        if choices.below(3) == 0 {
            let expected = plain.pop().map(|Reverse((item, number))| (number, item));
            assert_eq!(heap.pop_held(&mut inner), expected);
        }
    }
    while let Some(popped) = heap.pop_held(&mut inner) {
        let Reverse((item, number)) = plain.pop().unwrap();
        assert_eq!(popped, (number, item));
    }
    assert!(plain.is_empty());
}

/// An item whose comparing panics when the fuse has burnt down.
#[derive(Debug)]
struct Fused {
    key: u64,
    fuse: Rc<Cell<usize>>,
}

impl Ord for Fused {
    fn cmp(&self, other: &Self) -> Ordering {
        match self.fuse.get() {
            0 => panic!("compared once too often"),
            left => self.fuse.set(left - 1),
        }
        self.key.cmp(&other.key)
    }
}

impl PartialOrd for Fused {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Fused {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Fused {}

#[test]
fn an_ord_that_panics_loses_nothing() {
    for burning in 0..12 {
        let fuse = Rc::new(Cell::new(usize::MAX));
        let item = |key| Fused {
            key,
            fuse: Rc::clone(&fuse),
        };
        let (heap, mut inner) = (Heap::new(None), Sorted::new());
        for key in [5, 3, 8, 1, 9, 2, 7, 3] {
            heap.push_held(&mut inner, &mut Some(item(key))).unwrap();
        }
        let (number, first) = heap.pop_held(&mut inner).unwrap();
        heap.put_back(&mut inner, number, first);
        let mut new = Some(item(0));
        fuse.set(burning);
        let pushed = catch_unwind(AssertUnwindSafe(|| heap.push_held(&mut inner, &mut new)));
        assert_eq!(
            new.is_none(),
            pushed.is_ok(),
            "the value is in the heap or with the caller"
        );
        fuse.set(burning);
        let popped = catch_unwind(AssertUnwindSafe(|| heap.pop_held(&mut inner)));
        fuse.set(usize::MAX);
        let mut keys = Vec::new();
        keys.extend(new.map(|item| item.key));
        keys.extend(popped.ok().flatten().map(|(_, item)| item.key));
        let rest: Vec<_> = std::iter::from_fn(|| heap.pop_held(&mut inner)).collect();
        let threes: Vec<_> = rest
            .iter()
            .filter(|(_, item)| item.key == 3)
            .map(|(at, _)| at)
            .collect();
        assert!(threes.is_sorted(), "stable");
        let rest: Vec<_> = rest.into_iter().map(|(_, item)| item.key).collect();
        assert!(rest.is_sorted(), "whole: {rest:?}");
        keys.extend(rest);
        keys.sort_unstable();
        assert_eq!(keys, [0, 1, 2, 3, 3, 5, 7, 8, 9], "fuse {burning}");
    }
}

#[test]
fn an_item_that_comes_back_is_before_its_equals() {
    let (heap, mut inner) = (Heap::new(None), Sorted::new());
    for item in [(1, 'a'), (1, 'b'), (0, 'c')] {
        let item = KeyOnly(item.0, item.1);
        heap.push_held(&mut inner, &mut Some(item)).unwrap();
    }
    let taken: Vec<_> = (0..2).map(|_| heap.pop_held(&mut inner).unwrap()).collect();
    for (number, item) in taken {
        heap.put_back(&mut inner, number, item);
    }
    let names: String = std::iter::from_fn(|| heap.pop_held(&mut inner))
        .map(|(_, item)| item.1)
        .collect();
    assert_eq!(names, "cab");
}

/// Compared by the first field alone.
struct KeyOnly(u8, char);

impl Ord for KeyOnly {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for KeyOnly {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for KeyOnly {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for KeyOnly {}

/// Panics when it is dropped, if it is the one.
struct Bomb {
    armed: bool,
    drops: Rc<Cell<usize>>,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.drops.set(self.drops.get() + 1);
        assert!(!self.armed, "dropped");
    }
}

fn the_rest_is_dropped(store: impl Store<Bomb>) {
    let drops = Rc::new(Cell::new(0));
    for at in 0..70 {
        let drops = Rc::clone(&drops);
        let pushed = store.push(Bomb {
            armed: at == 20,
            drops,
        });
        assert!(pushed.is_ok());
    }
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(store)));
    assert!(dropped.is_err(), "the panic comes out");
    assert_eq!(
        (drops.get(), Rc::strong_count(&drops)),
        (70, 1),
        "each once"
    );
}

#[test]
fn an_item_that_panics_in_drop_takes_none_with_it() {
    the_rest_is_dropped(Ring::new(100));
    the_rest_is_dropped(Blocks::new());
}

#[test]
fn the_peak_is_exact_for_one_thread() {
    fn check(store: &impl Store<u32>) {
        for (push, pop, peak) in [(3, 2, 3), (4, 1, 5), (1, 5, 5), (40, 40, 40), (2, 2, 40)] {
            (0..push).for_each(|item| store.push(item).unwrap());
            (0..pop).for_each(|_| assert!(store.pop().is_some()));
            assert_eq!(store.peak(), peak);
        }
        assert!(store.is_empty());
    }
    check(&Ring::new(50));
    check(&Blocks::new());
}

#[test]
fn a_full_ring_refuses_and_says_so_when_held() {
    let (ring, mut inner) = (Ring::new(2), Returned::new());
    assert!(ring.push(1).is_ok() && ring.push(2).is_ok());
    assert_eq!(ring.push(3), Err(3));
    ring.hold();
    let mut value = Some(3);
    assert_eq!(ring.push_held(&mut inner, &mut value), Err(Full));
    assert_eq!(value, Some(3), "the value stays with the caller");
    let (number, item) = ring.pop_held(&mut inner).unwrap();
    assert_eq!(ring.push_held(&mut inner, &mut value), Ok(()));
    ring.put_back(&mut inner, number, item);
    assert_eq!(ring.len_held(&inner), 3, "one too many, for a while");
    assert_eq!(ring.push_held(&mut inner, &mut Some(4)), Err(Full));
}

#[test]
#[should_panic(expected = "a queue of capacity 0 can hold nothing")]
fn a_ring_of_nothing_is_refused() {
    let _ = Ring::<u8>::new(0);
}

#[test]
fn items_of_no_size_and_of_great_alignment() {
    #[derive(Debug, PartialEq)]
    #[repr(align(64))]
    struct Wide(u8);
    let ring = Ring::new(3);
    let blocks = Blocks::new();
    for round in 0..CELLS as u8 * 3 {
        assert!(ring.push(()).is_ok() && blocks.push(()).is_ok());
        assert!(ring.pop().is_some() && blocks.pop().is_some());
        let (ring, blocks) = (Ring::new(1), Blocks::new());
        assert!(ring.push(Wide(round)).is_ok() && blocks.push(Wide(round)).is_ok());
        assert_eq!(
            (ring.pop(), blocks.pop()),
            (Some(Wide(round)), Some(Wide(round)))
        );
    }
}

/// They can stand in a static.
static RING: Ring<u8> = Ring::new(4);
static BLOCKS: Blocks<u8> = Blocks::new();

#[test]
fn stores_in_statics() {
    assert!(RING.push(1).is_ok() && BLOCKS.push(2).is_ok());
    assert_eq!((RING.pop(), BLOCKS.pop()), (Some(1), Some(2)));
}
