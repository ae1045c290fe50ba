//! The queues: each item has one fate, and the count of the unfinished is right.
//!
//! A [`Shop`] is a queue with a ledger. The items know it, and write down what becomes of them; so at
//! the end of each run the ledger is checked, whatever happened.

mod getters;
mod joiners;
mod putters;

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use futures_core::Stream;
use tenter_sync::{LifoQueue, PriorityQueue, Queue, QueueStats, ShutDown, TooMany};

use crate::items::{Fate, Item, Ledger};
use crate::support::drops::{Boxed, Scenario, Seen, then, touch};
use crate::support::yield_now;

/// A slot: called with an item it puts it, and dropped it gives its place back.
type AnySlot<'a> = Box<dyn FnOnce(Item) -> Result<(), ShutDown<Item>> + 'a>;

/// What all queues can do.
trait Kind: Send + Sync + Sized + 'static {
    const NAME: &'static str;
    /// Items that were put in the order of their numbers come out the other way.
    const IS_TURNED: bool;

    fn bounded(capacity: usize) -> Self;
    fn unbounded() -> Self;
    fn get(&self) -> impl Future<Output = Result<Item, ShutDown>>;
    fn get_many(&self, into: &mut Vec<Item>, max: usize) -> impl Future<Output = ()>;
    /// The item of the next job, which is done.
    fn next_job(&self) -> impl Future<Output = Option<Item>>;
    fn next_of_stream(&self) -> impl Future<Output = Option<Item>>;
    fn try_get(&self) -> Option<Item>;
    fn put(&self, item: Item) -> impl Future<Output = Result<(), ShutDown<Item>>>;
    fn put_many(&self, items: Vec<Item>) -> impl Future<Output = Result<(), ShutDown<Vec<Item>>>>;
    fn try_put(&self, item: Item) -> Result<(), Item>;
    /// Waits for a slot and uses it at once.
    fn reserve(&self, item: Item) -> impl Future<Output = Result<(), ShutDown<Item>>>;
    fn try_reserve(&self) -> Option<AnySlot<'_>>;
    fn join(&self) -> impl Future<Output = ()>;
    fn task_done(&self) -> Result<(), TooMany>;
    fn shutdown(&self);
    fn shutdown_now(&self) -> Vec<Item>;
    fn stats(&self) -> QueueStats;
    fn describe(&self) -> String;
}

macro_rules! kind {
    ($kind:ident, $is_turned:expr) => {
        impl Kind for $kind<Item> {
            const NAME: &'static str = stringify!($kind);
            const IS_TURNED: bool = $is_turned;

            fn bounded(capacity: usize) -> Self {
                Self::bounded(capacity)
            }
            fn unbounded() -> Self {
                Self::unbounded()
            }
            fn get(&self) -> impl Future<Output = Result<Item, ShutDown>> {
                self.get()
            }
            async fn get_many(&self, into: &mut Vec<Item>, max: usize) {
                let _ = self.get_many(into, max).await;
            }
            async fn next_job(&self) -> Option<Item> {
                Some(self.next_job().await?.into_inner())
            }
            async fn next_of_stream(&self) -> Option<Item> {
                let mut stream = std::pin::pin!(self.stream());
                std::future::poll_fn(|cx| stream.as_mut().poll_next(cx)).await
            }
            fn try_get(&self) -> Option<Item> {
                self.try_get().ok()
            }
            fn put(&self, item: Item) -> impl Future<Output = Result<(), ShutDown<Item>>> {
                self.put(item)
            }
            fn put_many(
                &self,
                items: Vec<Item>,
            ) -> impl Future<Output = Result<(), ShutDown<Vec<Item>>>> {
                self.put_many(items)
            }
            fn try_put(&self, item: Item) -> Result<(), Item> {
                self.try_put(item).map_err(|refused| refused.into_inner())
            }
            async fn reserve(&self, item: Item) -> Result<(), ShutDown<Item>> {
                match self.reserve().await {
                    Ok(slot) => slot.put(item),
                    Err(ShutDown(())) => Err(ShutDown(item)),
                }
            }
            fn try_reserve(&self) -> Option<AnySlot<'_>> {
                let slot = self.try_reserve().ok()?;
                Some(Box::new(|item| slot.put(item)))
            }
            fn join(&self) -> impl Future<Output = ()> {
                self.join()
            }
            fn task_done(&self) -> Result<(), TooMany> {
                self.task_done()
            }
            fn shutdown(&self) {
                self.shutdown();
            }
            fn shutdown_now(&self) -> Vec<Item> {
                self.shutdown_now()
            }
            fn stats(&self) -> QueueStats {
                self.stats()
            }
            fn describe(&self) -> String {
                format!("{self:?}")
            }
        }
    };
}

kind!(Queue, false);
kind!(LifoQueue, true);
kind!(PriorityQueue, false);

/// A queue, and what became of its items.
struct Shop<Q> {
    queue: Q,
    ledger: Arc<Ledger>,
    /// How often `task_done` was called, but by jobs.
    done: Mutex<usize>,
    /// The items of jobs.
    jobs: Mutex<usize>,
    /// A `shutdown_now` is on its way, or was ended by the waker of a joiner, with the items in hand.
    is_stopping: AtomicBool,
}

impl<Q: Kind> Shop<Q> {
    fn new(queue: Q) -> Self {
        Self {
            queue,
            ledger: Arc::default(),
            done: Mutex::new(0),
            jobs: Mutex::new(0),
            is_stopping: AtomicBool::new(false),
        }
    }

    /// A queue of one place, which is taken by item 0.
    fn full() -> Self {
        let shop = Self::new(Q::bounded(1));
        shop.put_in(0);
        shop
    }

    fn item(&self, number: usize) -> Item {
        self.ledger.item(number)
    }

    fn put_in(&self, number: usize) {
        if let Err(item) = self.queue.try_put(self.item(number)) {
            item.meets(Fate::Returned);
        }
    }

    fn take_one(&self) {
        if let Some(item) = self.queue.try_get() {
            item.meets(Fate::Got);
        }
    }

    /// Takes an item out and says at once that it is done.
    fn work_one(&self) {
        if let Some(item) = self.queue.try_get() {
            item.meets(Fate::Got);
            self.say_done();
        }
    }

    fn say_done(&self) {
        *self.done.lock().unwrap() += 1;
        self.queue.task_done().expect("it was not done yet");
    }

    fn stop_now(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        let items = self.queue.shutdown_now();
        self.is_stopping.store(false, Ordering::Relaxed);
        for item in items {
            item.meets(Fate::TakenOut);
        }
    }

    /// Shuts it, and finishes all, so that joiners go.
    fn close(&self) {
        self.queue.shutdown();
        while let Some(item) = self.queue.try_get() {
            item.meets(Fate::Got);
        }
        let jobs = *self.jobs.lock().unwrap();
        while *self.done.lock().unwrap() + jobs < self.count(Fate::Got) {
            self.say_done();
        }
    }

    /// What wakers do that come back. All of it leaves the queue as it was, but that an item may be got.
    fn come_back(&self) {
        assert!(!self.queue.describe().is_empty());
        let _ = self.queue.stats();
        drop(self.queue.try_reserve());
        touch(self.queue.join());
        touch(then(self.queue.get(), |item| {
            if let Ok(item) = item {
                item.meets(Fate::Got);
                self.say_done();
            }
        }));
    }

    fn count(&self, fate: Fate) -> usize {
        self.ledger.count(fate)
    }

    fn assert_unfinished(&self) {
        let stats = self.queue.stats();
        let (done, jobs) = (*self.done.lock().unwrap(), *self.jobs.lock().unwrap());
        let in_work = self.count(Fate::Got) - done - jobs;
        assert_eq!(stats.unfinished, stats.len + in_work, "{stats:?}");
    }

    /// Nobody waits, the count is right, and every item has met one fate; those that the subject wanted
    /// to put may be dropped, if it did not complete.
    fn assert_whole(&self, seen: &Seen, of_subject: &[usize]) {
        let is_given_up = |number| of_subject.contains(&number) && !seen.subject;
        self.assert_whole_but(seen, is_given_up);
    }

    /// The same, with a word on what may be dropped.
    fn assert_whole_but(&self, seen: &Seen, may_be_dropped: impl Fn(usize) -> bool) {
        let stats = self.queue.stats();
        let waiting = (stats.getters, stats.putters, stats.joiners, stats.reserved);
        assert_eq!(waiting, (0, 0, 0, 0));
        self.assert_unfinished();
        let kept: Vec<_> = std::iter::from_fn(|| self.queue.try_get()).collect();
        assert_eq!(kept.len(), stats.len);
        kept.into_iter().for_each(|item| item.meets(Fate::Kept));
        self.ledger
            .assert_each_has_one(|number| may_be_dropped(number) || seen.broken > 0);
    }

    /// What is in the queue stands in its order, if it was put in the order of the numbers.
    fn assert_order(&self) {
        let mut kept: Vec<_> = std::iter::from_fn(|| self.queue.try_get()).collect();
        if Q::IS_TURNED {
            kept.reverse();
        }
        assert!(kept.is_sorted(), "out of order");
        kept.into_iter().for_each(|item| item.meets(Fate::Got));
    }

    /// A leaked future may keep so many items, and a place, and nothing else.
    fn assert_others_whole(&self, of_subject: usize) {
        let stats = self.queue.stats();
        assert!(stats.reserved <= 1, "{stats:?}");
        while let Some(item) = self.queue.try_get() {
            item.meets(Fate::Kept);
        }
        let missing = self.ledger.missing();
        assert!(missing <= of_subject, "{missing} are missing");
    }
}

// The futures.
impl<Q: Kind> Shop<Q> {
    fn get(&self) -> Boxed<'_> {
        then(self.queue.get(), |item| {
            item.into_iter().for_each(|item| item.meets(Fate::Got));
        })
    }

    fn get_many(&self) -> Boxed<'_> {
        Box::pin(async {
            let mut items = Vec::new();
            self.queue.get_many(&mut items, 2).await;
            items.into_iter().for_each(|item| item.meets(Fate::Got));
        })
    }

    fn next_job(&self) -> Boxed<'_> {
        then(self.queue.next_job(), |job| {
            if let Some(item) = job {
                *self.jobs.lock().unwrap() += 1;
                item.meets(Fate::Got);
            }
        })
    }

    fn stream(&self) -> Boxed<'_> {
        then(self.queue.next_of_stream(), |item| {
            item.into_iter().for_each(|item| item.meets(Fate::Got));
        })
    }

    fn put(&self, number: usize) -> Boxed<'_> {
        then(self.queue.put(self.item(number)), Self::give_back)
    }

    fn reserve(&self, number: usize) -> Boxed<'_> {
        then(self.queue.reserve(self.item(number)), Self::give_back)
    }

    fn put_many(&self, numbers: [usize; 2]) -> Boxed<'_> {
        let items = numbers.map(|number| self.item(number)).into();
        then(self.queue.put_many(items), |put| {
            if let Err(ShutDown(items)) = put {
                items
                    .into_iter()
                    .for_each(|item| item.meets(Fate::Returned));
            }
        })
    }

    fn give_back(put: Result<(), ShutDown<Item>>) {
        if let Err(ShutDown(item)) = put {
            item.meets(Fate::Returned);
        }
    }

    /// Has a slot, if there is one, and then uses it or not.
    fn with_slot(&self, number: Option<usize>) -> Boxed<'_> {
        Box::pin(async move {
            let Some(slot) = self.queue.try_reserve() else {
                return;
            };
            yield_now().await;
            match number {
                Some(number) => Self::give_back(slot(self.item(number))),
                None => drop(slot),
            }
        })
    }

    fn join(&self) -> Boxed<'_> {
        then(self.queue.join(), |()| ())
    }
}

/// All subjects for `Queue`; for the others, which differ in the order alone, the first ones.
fn some<Q: Kind, S, const N: usize>(subjects: [S; N], count: usize) -> impl Iterator<Item = S> {
    let count = if Q::NAME == "Queue" { N } else { count };
    subjects.into_iter().take(count)
}

type Make<Q> = for<'a> fn(&'a Shop<Q>) -> Boxed<'a>;

fn scenario<Q: Kind>(
    name: &str,
    build: fn() -> Shop<Q>,
    subject: impl for<'a> Fn(&'a Shop<Q>) -> Boxed<'a> + 'static,
) -> Scenario<Shop<Q>> {
    Scenario::new(format!("{} {name}", Q::NAME), build, subject).reenter(Shop::come_back)
}

/// Runs a function for each kind.
macro_rules! for_all_kinds {
    ($run:ident) => {
        $run::<tenter_sync::Queue<_>>();
        $run::<tenter_sync::LifoQueue<_>>();
        $run::<tenter_sync::PriorityQueue<_>>();
    };
}
use for_all_kinds;
