//! `PriorityQueue` and an `Ord` that misbehaves: it panics, it comes back, it contradicts itself.

mod support;

use std::cell::Cell;
use std::cmp::Ordering as Cmp;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use support::{Count, poll, poll_with};
use tenter_sync::{PriorityQueue, TryPutError};

/// Something that happens in a comparison.
type Hook = fn(&Item, &Item);

thread_local! {
    /// What `cmp` does besides comparing.
    static HOOK: Cell<Option<Hook>> = const { Cell::new(None) };
}

struct Item {
    key: u32,
    alive: Arc<()>,
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}
impl Eq for Item {}
impl PartialOrd for Item {
    fn partial_cmp(&self, other: &Self) -> Option<Cmp> {
        Some(self.cmp(other))
    }
}
impl Ord for Item {
    fn cmp(&self, other: &Self) -> Cmp {
        if let Some(hook) = HOOK.get() {
            hook(self, other);
        }
        self.key.cmp(&other.key)
    }
}

/// What an item's drop does: the queue must be free then.
static QUEUE: PriorityQueue<u32> = PriorityQueue::unbounded();

fn message(panic: Box<dyn std::any::Any + Send>) -> String {
    panic
        .downcast_ref::<String>()
        .cloned()
        .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
        .unwrap_or_default()
}

fn poison(one: &Item, other: &Item) {
    assert!(one.key != 13 && other.key != 13, "poison");
}

struct Test {
    queue: PriorityQueue<Item>,
    alive: Arc<()>,
}

impl Test {
    fn new(capacity: usize) -> Self {
        HOOK.set(None);
        Self {
            queue: PriorityQueue::bounded(capacity),
            alive: Arc::new(()),
        }
    }

    fn item(&self, key: u32) -> Item {
        let alive = Arc::clone(&self.alive);
        Item { key, alive }
    }

    fn keys(&self) -> Vec<u32> {
        let mut keys = Vec::new();
        while let Ok(item) = self.queue.try_get() {
            assert!(Arc::ptr_eq(&item.alive, &self.alive));
            keys.push(item.key);
        }
        keys
    }

    /// How many items there are in the world.
    fn items(&self) -> usize {
        Arc::strong_count(&self.alive) - 1
    }
}

#[test]
fn a_comparison_that_panics_loses_the_item_being_put_and_nothing_else() {
    let test = Test::new(8);
    for key in [5, 3, 4] {
        assert!(test.queue.try_put(test.item(key)).is_ok());
    }
    HOOK.set(Some(poison));
    for _ in 0..2 {
        let item = test.item(13);
        let put = catch_unwind(AssertUnwindSafe(|| test.queue.try_put(item).is_ok()));
        assert_eq!(message(put.unwrap_err()), "poison");
        let item = test.item(13);
        let put = catch_unwind(AssertUnwindSafe(|| {
            poll(pin!(test.queue.put(item))).is_ready()
        }));
        assert!(put.is_err());
        let items = [test.item(13), test.item(1)];
        let put = catch_unwind(AssertUnwindSafe(|| {
            poll(pin!(test.queue.put_many(items))).is_ready()
        }));
        assert!(put.is_err());
        let slot = test.queue.try_reserve().unwrap();
        let item = test.item(13);
        assert!(catch_unwind(AssertUnwindSafe(|| slot.put(item).is_ok())).is_err());
        let stats = test.queue.stats();
        let counts = (stats.len, stats.unfinished, stats.reserved, test.items());
        assert_eq!(counts, (3, 3, 0, 3));
    }
    HOOK.set(None);
    assert_eq!(test.keys(), [3, 4, 5]);
    assert_eq!(test.items(), 0);
}

/// Goal: a waiting putter whose item cannot be compared meets its panic itself; the getter that made room
/// gets its item, and those behind come in.
#[test]
fn a_comparison_for_a_waiter_is_the_waiters_affair() {
    let test = Test::new(2);
    for key in [5, 3] {
        assert!(test.queue.try_put(test.item(key)).is_ok());
    }
    let ((waker, count), (behind_waker, behind_count)) = (Count::new(), Count::new());
    let mut poisoned = Box::pin(test.queue.put(test.item(13)));
    let mut behind = Box::pin(test.queue.put(test.item(4)));
    assert!(poll_with(poisoned.as_mut(), &waker).is_pending());
    assert!(poll_with(behind.as_mut(), &behind_waker).is_pending());
    HOOK.set(Some(poison));
    let mut get = Box::pin(test.queue.get());
    let got = catch_unwind(AssertUnwindSafe(|| poll(get.as_mut())));
    assert!(got.is_err(), "it compared for somebody else");
    let Poll::Ready(Ok(item)) = poll(get.as_mut()) else {
        panic!("its own item is safe");
    };
    assert_eq!((item.key, count.get()), (3, 1));
    assert_eq!(behind_count.get(), 1, "the panic kept nobody out");
    assert!(poll(behind.as_mut()).ready_ok());
    drop(test.queue.try_get()); // makes room
    let put = catch_unwind(AssertUnwindSafe(|| poll(poisoned.as_mut()).is_ready()));
    assert!(put.is_err(), "and here it meets it");
    drop((poisoned, get, behind, item));
    HOOK.set(None);
    assert_eq!(test.keys(), [5]);
    assert_eq!((test.items(), test.queue.stats().putters), (0, 0));
}

trait ReadyOk {
    fn ready_ok(self) -> bool;
}

impl<T, E> ReadyOk for Poll<Result<T, E>> {
    fn ready_ok(self) -> bool {
        matches!(self, Poll::Ready(Ok(_)))
    }
}

#[test]
fn a_comparison_that_panics_in_a_get_takes_nothing_out() {
    let test = Test::new(8);
    for key in [13, 1, 14, 15] {
        assert!(test.queue.try_put(test.item(key)).is_ok());
    }
    HOOK.set(Some(poison));
    for _ in 0..2 {
        let got = catch_unwind(AssertUnwindSafe(|| test.queue.try_get().is_ok()));
        assert!(got.is_err());
        let got = catch_unwind(AssertUnwindSafe(|| poll(pin!(test.queue.get())).is_ready()));
        assert!(got.is_err());
        assert_eq!((test.queue.len(), test.items()), (4, 4));
    }
    HOOK.set(None);
    assert_eq!(test.keys(), [1, 13, 14, 15]);
}

#[test]
fn an_ord_that_uses_its_own_queue_panics_and_says_so() {
    #[derive(PartialEq, Eq)]
    struct Back(u32);
    impl PartialOrd for Back {
        fn partial_cmp(&self, other: &Self) -> Option<Cmp> {
            Some(self.cmp(other))
        }
    }
    static OWN: PriorityQueue<Back> = PriorityQueue::unbounded();
    impl Ord for Back {
        fn cmp(&self, other: &Self) -> Cmp {
            QUEUE.try_put(7).unwrap(); // another queue is fine
            QUEUE.try_get().unwrap();
            assert!(format!("{OWN:?}").contains("locked") && OWN.len() == 1);
            if self.0 == 2 {
                let _ = OWN.try_get();
            }
            self.0.cmp(&other.0)
        }
    }
    OWN.try_put(Back(1)).unwrap();
    let put = catch_unwind(|| OWN.try_put(Back(2)).is_ok());
    let text = message(put.unwrap_err());
    assert!(
        text.contains("used the PriorityQueue that compares it"),
        "{text}"
    );
    assert_eq!((OWN.len(), OWN.stats().unfinished), (1, 1));
    assert_eq!(OWN.try_get().map(|item| item.0).ok(), Some(1));
}

#[test]
fn values_are_dropped_when_the_queue_is_free() {
    struct Looks(u32, &'static PriorityQueue<Looks>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let _ = self.1.len() + self.1.stats().len;
        }
    }
    impl PartialEq for Looks {
        fn eq(&self, other: &Self) -> bool {
            self.0 == other.0
        }
    }
    impl Eq for Looks {}
    impl PartialOrd for Looks {
        fn partial_cmp(&self, other: &Self) -> Option<Cmp> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Looks {
        fn cmp(&self, other: &Self) -> Cmp {
            assert_ne!(self.0, 13);
            self.0.cmp(&other.0)
        }
    }
    static ALL: PriorityQueue<Looks> = PriorityQueue::bounded(2);
    let item = |key| Looks(key, &ALL);
    ALL.try_put(item(1)).ok().unwrap();
    assert!(catch_unwind(|| drop(ALL.try_put(item(13)))).is_err());
    ALL.try_put(item(2)).ok().unwrap();
    assert!(matches!(ALL.try_put(item(3)), Err(TryPutError::Full(_))));
    {
        let mut put = pin!(ALL.put(item(4)));
        assert!(poll(put.as_mut()).is_pending());
    }
    drop(ALL.shutdown_now());
    assert!(ALL.try_put(item(5)).is_err());
}

#[test]
fn an_order_that_contradicts_itself_loses_nothing() {
    thread_local!(static FLIP: Cell<u32> = const { Cell::new(1) });
    #[derive(PartialEq, Eq)]
    struct Mad(u32);
    impl PartialOrd for Mad {
        fn partial_cmp(&self, other: &Self) -> Option<Cmp> {
            Some(self.cmp(other))
        }
    }
    impl Ord for Mad {
        fn cmp(&self, _: &Self) -> Cmp {
            FLIP.set(FLIP.get().wrapping_mul(1_103_515_245).wrapping_add(12_345));
            [Cmp::Less, Cmp::Equal, Cmp::Greater][(FLIP.get() >> 16) as usize % 3]
        }
    }
    let queue = PriorityQueue::unbounded();
    for number in 0..200 {
        queue.try_put(Mad(number)).ok().unwrap();
    }
    let mut seen: Vec<_> = std::iter::from_fn(|| queue.try_get().ok().map(|item| item.0)).collect();
    seen.sort_unstable();
    assert!(seen.into_iter().eq(0..200));
}
