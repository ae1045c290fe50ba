//! The queues of all three orders against a list that does the same, one step at a time.

mod support;

use std::cmp::Ordering as Cmp;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::{Count, poll_with};
use tenter_sync::{
    LifoQueue, PriorityQueue, Queue, QueueStats, ShutDown, Slot, TooMany, TryGetError, TryPutError,
};

/// An item: compared by its key, told apart by its name.
#[derive(Clone, Copy, Debug)]
struct Item {
    key: u64,
    name: u64,
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
        self.key.cmp(&other.key)
    }
}

/// How a wait ended.
enum End<'a> {
    Got(Result<Item, ShutDown>),
    GotMany(Result<Vec<Item>, ShutDown>),
    Put(Result<(), ShutDown<Item>>),
    Reserved(Option<Box<dyn SlotOf + 'a>>),
    Joined,
}

type Wait<'a> = Pin<Box<dyn Future<Output = End<'a>> + 'a>>;

trait SlotOf {
    fn put(self: Box<Self>, item: Item) -> Result<(), ShutDown<Item>>;
}

/// A queue of any order.
trait Subject {
    fn get(&self) -> Wait<'_>;
    fn get_many(&self, max: usize) -> Wait<'_>;
    fn put(&self, item: Item) -> Wait<'_>;
    fn reserve(&self) -> Wait<'_>;
    fn join(&self) -> Wait<'_>;
    fn try_get(&self) -> Result<Item, TryGetError>;
    fn try_put(&self, item: Item) -> Result<(), TryPutError<Item>>;
    fn task_done(&self) -> Result<(), TooMany>;
    fn shutdown(&self);
    fn shutdown_now(&self) -> Vec<Item>;
    fn stats(&self) -> QueueStats;
    fn is_full(&self) -> bool;
}

macro_rules! subject {
    ($queue:ident) => {
        impl SlotOf for Slot<'_, Item, $queue<Item>> {
            fn put(self: Box<Self>, item: Item) -> Result<(), ShutDown<Item>> {
                Slot::put(*self, item)
            }
        }

        impl Subject for $queue<Item> {
            fn get(&self) -> Wait<'_> {
                Box::pin(async { End::Got($queue::get(self).await) })
            }
            fn get_many(&self, max: usize) -> Wait<'_> {
                Box::pin(async move {
                    let mut items = Vec::new();
                    let end = $queue::get_many(self, &mut items, max).await;
                    assert!(end.is_err() || end == Ok(items.len()));
                    End::GotMany(end.map(|_| items))
                })
            }
            fn put(&self, item: Item) -> Wait<'_> {
                Box::pin(async move { End::Put($queue::put(self, item).await) })
            }
            fn reserve(&self) -> Wait<'_> {
                Box::pin(async {
                    let slot = $queue::reserve(self).await.ok();
                    End::Reserved(slot.map(|slot| Box::new(slot) as _))
                })
            }
            fn join(&self) -> Wait<'_> {
                Box::pin(async {
                    $queue::join(self).await;
                    End::Joined
                })
            }
            fn try_get(&self) -> Result<Item, TryGetError> {
                $queue::try_get(self)
            }
            fn try_put(&self, item: Item) -> Result<(), TryPutError<Item>> {
                $queue::try_put(self, item)
            }
            fn task_done(&self) -> Result<(), TooMany> {
                $queue::task_done(self)
            }
            fn shutdown(&self) {
                $queue::shutdown(self)
            }
            fn shutdown_now(&self) -> Vec<Item> {
                $queue::shutdown_now(self)
            }
            fn stats(&self) -> QueueStats {
                $queue::stats(self)
            }
            fn is_full(&self) -> bool {
                $queue::is_full(self)
            }
        }
    };
}

subject!(Queue);
subject!(LifoQueue);
subject!(PriorityQueue);

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Fifo,
    Lifo,
    Smallest,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Wish {
    Get,
    GetMany(usize),
    Put(Item),
    Reserve,
    Join,
}

/// Where a wait stands, in the oracle.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stand {
    Fresh,
    Waiting,
    Has(u64, Item),
    /// Put, or a slot kept for it, or joined.
    Served,
    /// Told to look again.
    Told,
}

/// The oracle: lists and loops.
struct Oracle {
    order: Order,
    capacity: Option<usize>,
    items: Vec<(u64, Item)>,
    pushed: u64,
    done: u64,
    reserved: usize,
    shut: bool,
    waits: Vec<(Wish, Stand)>,
    /// Numbers of waits, in order.
    getters: Vec<usize>,
    putters: Vec<usize>,
    joiners: Vec<usize>,
}

impl Oracle {
    fn pop(&mut self) -> Option<(u64, Item)> {
        let index = match self.order {
            Order::Fifo => 0,
            Order::Lifo => self.items.len().checked_sub(1)?,
            Order::Smallest => {
                let keys = self.items.iter().enumerate();
                keys.min_by_key(|(_, (number, item))| (item.key, *number))?.0
            }
        };
        (index < self.items.len()).then(|| self.items.remove(index))
    }

    fn push(&mut self, item: Item) {
        self.items.push((self.pushed, item));
        self.pushed += 1;
    }

    fn put_back(&mut self, number: u64, item: Item) {
        self.items.push((number, item));
        self.items.sort_by_key(|(number, _)| *number);
    }

    fn has_room(&self) -> bool {
        self.capacity
            .is_none_or(|capacity| self.items.len() + self.reserved < capacity)
    }

    fn settle(&mut self) {
        loop {
            if !self.getters.is_empty() && !self.items.is_empty() {
                let (number, item) = self.pop().unwrap();
                let getter = self.getters.remove(0);
                self.waits[getter].1 = Stand::Has(number, item);
            } else if !self.putters.is_empty() && !self.shut && self.has_room() {
                let putter = self.putters.remove(0);
                match self.waits[putter].0 {
                    Wish::Put(item) => self.push(item),
                    _ => self.reserved += 1,
                }
                self.waits[putter].1 = Stand::Served;
            } else {
                break;
            }
        }
        if self.shut {
            for wait in self.getters.drain(..).chain(self.putters.drain(..)) {
                self.waits[wait].1 = Stand::Told;
            }
        }
    }

    fn count_done(&mut self) -> Result<(), TooMany> {
        if self.done == self.pushed {
            return Err(TooMany);
        }
        self.done += 1;
        if self.done == self.pushed {
            for joiner in self.joiners.drain(..) {
                self.waits[joiner].1 = Stand::Served;
            }
        }
        Ok(())
    }

    fn leave(&mut self, wait: usize) {
        for line in [&mut self.getters, &mut self.putters, &mut self.joiners] {
            line.retain(|other| *other != wait);
        }
        match self.waits[wait] {
            (_, Stand::Has(number, item)) => self.put_back(number, item),
            (Wish::Reserve, Stand::Served) => self.reserved -= 1,
            _ => {}
        }
        self.settle();
    }

    /// What a poll comes to: the items that come out, or how it ends.
    fn poll(&mut self, wait: usize) -> Option<Result<Vec<Item>, ()>> {
        let (wish, stand) = self.waits[wait];
        match (wish, stand) {
            (_, Stand::Waiting) => None,
            (Wish::GetMany(max), Stand::Has(_, item)) => {
                Some(Ok(self.take_more(item, max)))
            }
            (_, Stand::Has(_, item)) => Some(Ok(vec![item])),
            (_, Stand::Served) => Some(Ok(vec![])),
            (_, Stand::Fresh | Stand::Told) => {
                self.waits[wait].1 = Stand::Waiting;
                self.begin(wait, wish)
            }
        }
    }

    fn take_more(&mut self, first: Item, max: usize) -> Vec<Item> {
        let mut items = vec![first];
        while items.len() < max && self.getters.is_empty() {
            let Some((_, item)) = self.pop() else { break };
            items.push(item);
        }
        self.settle();
        items
    }

    fn begin(&mut self, wait: usize, wish: Wish) -> Option<Result<Vec<Item>, ()>> {
        match wish {
            Wish::GetMany(0) => Some(Ok(vec![])),
            Wish::Get | Wish::GetMany(_) => {
                if !self.getters.is_empty() || self.items.is_empty() {
                    if self.shut {
                        return Some(Err(()));
                    }
                    self.getters.push(wait);
                    return None;
                }
                let max = if let Wish::GetMany(max) = wish { max } else { 1 };
                let (_, item) = self.pop().expect("there is one");
                self.settle(); // who comes in for the first may be taken by the same call
                Some(Ok(self.take_more(item, max)))
            }
            Wish::Put(_) | Wish::Reserve if self.shut => Some(Err(())),
            Wish::Put(item) if self.putters.is_empty() && self.has_room() => {
                self.push(item);
                self.settle();
                Some(Ok(vec![]))
            }
            Wish::Reserve if self.putters.is_empty() && self.has_room() => {
                self.reserved += 1;
                Some(Ok(vec![]))
            }
            Wish::Put(_) | Wish::Reserve => {
                self.putters.push(wait);
                None
            }
            Wish::Join if self.done == self.pushed => Some(Ok(vec![])),
            Wish::Join => {
                self.joiners.push(wait);
                None
            }
        }
    }
}

struct Live<'a> {
    future: Wait<'a>,
    waker: Waker,
    count: Arc<Count>,
}

struct Trial<'a> {
    random: u64,
    queue: &'a dyn Subject,
    oracle: Oracle,
    lives: Vec<Option<Live<'a>>>,
    slots: Vec<Box<dyn SlotOf + 'a>>,
    names: u64,
}

impl<'a> Trial<'a> {
    fn pick(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    fn item(&mut self) -> Item {
        self.names += 1;
        let key = self.pick(4) as u64;
        Item {
            key,
            name: self.names,
        }
    }

    fn begin(&mut self) {
        let wish = match self.pick(12) {
            0..4 => Wish::Get,
            4 => Wish::GetMany(self.pick(4)),
            5..10 => Wish::Put(self.item()),
            10 => Wish::Reserve,
            _ => Wish::Join,
        };
        let future = match wish {
            Wish::Get => self.queue.get(),
            Wish::GetMany(max) => self.queue.get_many(max),
            Wish::Put(item) => self.queue.put(item),
            Wish::Reserve => self.queue.reserve(),
            Wish::Join => self.queue.join(),
        };
        let (waker, count) = Count::new();
        self.lives.push(Some(Live {
            future,
            waker,
            count,
        }));
        self.oracle.waits.push((wish, Stand::Fresh));
        self.poll(self.lives.len() - 1);
    }

    /// Polls, compares, and returns whether the wait is over.
    fn poll(&mut self, wait: usize) -> bool {
        let want = self.oracle.poll(wait);
        let Some(live) = &mut self.lives[wait] else {
            return true;
        };
        let Poll::Ready(end) = poll_with(live.future.as_mut(), &live.waker) else {
            assert_eq!(want.map(|end| end.is_ok()), None, "the oracle is served");
            return false;
        };
        let want = want.expect("the oracle waits");
        let names = |items: &[Item]| items.iter().map(|item| item.name).collect::<Vec<_>>();
        match end {
            End::Got(got) => {
                let got = got.map(|item| vec![item.name]);
                assert_eq!(got.ok(), want.ok().map(|items| names(&items)));
            }
            End::GotMany(got) => {
                let got = got.map(|items| names(&items));
                assert_eq!(got.ok(), want.ok().map(|items| names(&items)));
            }
            End::Put(put) => match (put, self.oracle.waits[wait].0) {
                (Ok(()), _) => assert!(want.is_ok()),
                (Err(back), Wish::Put(item)) => {
                    assert!(want.is_err());
                    assert_eq!(back.into_inner().name, item.name);
                }
                _ => unreachable!(),
            },
            End::Reserved(slot) => {
                assert_eq!(slot.is_some(), want.is_ok());
                self.slots.extend(slot);
            }
            End::Joined => assert!(want.is_ok()),
        }
        self.oracle.waits[wait].1 = Stand::Fresh; // whatever: it is over
        self.lives[wait] = None;
        true
    }

    fn cancel(&mut self, wait: usize) {
        if self.lives[wait].take().is_some() {
            self.oracle.leave(wait);
            self.oracle.waits[wait].1 = Stand::Fresh;
        }
    }

    fn step(&mut self) {
        let waits = self.lives.len();
        match self.pick(40) {
            0..16 => self.begin(),
            16..22 if waits > 0 => {
                let wait = self.pick(waits);
                if self.lives[wait].is_some() {
                    self.poll(wait);
                }
            }
            22..26 if waits > 0 => {
                let wait = self.pick(waits);
                self.cancel(wait);
            }
            26..29 => {
                let got = self.queue.try_get();
                let free = self.oracle.getters.is_empty();
                let want = free.then(|| self.oracle.pop()).flatten();
                self.oracle.settle();
                match (got, want) {
                    (Ok(item), Some((_, other))) => assert_eq!(item.name, other.name),
                    (Err(why), None) => {
                        assert_eq!(why == TryGetError::ShutDown, self.oracle.shut);
                    }
                    (got, want) => panic!("{got:?}, and the oracle {want:?}"),
                }
            }
            29..32 => {
                let item = self.item();
                let put = self.queue.try_put(item);
                let oracle = &mut self.oracle;
                let room = !oracle.shut && oracle.putters.is_empty() && oracle.has_room();
                assert_eq!(put.is_ok(), room);
                if room {
                    oracle.push(item);
                    oracle.settle();
                }
            }
            32..35 => assert_eq!(self.queue.task_done(), self.oracle.count_done()),
            35..38 => {
                if let Some(slot) = self.slots.pop() {
                    self.oracle.reserved -= 1;
                    if self.pick(2) == 0 {
                        drop(slot);
                    } else {
                        let item = self.item();
                        let put = slot.put(item);
                        assert_eq!(put.is_err(), self.oracle.shut);
                        if put.is_ok() {
                            self.oracle.push(item);
                        }
                    }
                    self.oracle.settle();
                }
            }
            38 if self.pick(12) == 0 => {
                self.queue.shutdown();
                self.oracle.shut = true;
                self.oracle.settle();
            }
            39 if self.pick(24) == 0 => {
                let items = self.queue.shutdown_now();
                self.oracle.shut = true;
                for item in items {
                    let (_, other) = self.oracle.pop().expect("the oracle is empty");
                    assert_eq!(item.name, other.name);
                    let _ = self.oracle.count_done();
                }
                assert!(self.oracle.items.is_empty());
                self.oracle.settle();
            }
            _ => {}
        }
    }

    fn compare(&self) {
        let (stats, oracle) = (self.queue.stats(), &self.oracle);
        assert_eq!(stats.len, oracle.items.len(), "len");
        assert_eq!(stats.getters, oracle.getters.len(), "getters");
        assert_eq!(stats.putters, oracle.putters.len(), "putters");
        assert_eq!(stats.joiners, oracle.joiners.len(), "joiners");
        assert_eq!(stats.reserved, oracle.reserved, "reserved");
        assert_eq!(stats.unfinished as u64, oracle.pushed - oracle.done, "unfinished");
        assert_eq!(stats.is_shut_down, oracle.shut);
        let full = oracle
            .capacity
            .is_some_and(|capacity| oracle.items.len() + oracle.reserved >= capacity);
        assert_eq!(self.queue.is_full(), full);
        for (live, (_, stand)) in self.lives.iter().zip(&oracle.waits) {
            if let Some(live) = live {
                let woken = *stand != Stand::Waiting;
                assert_eq!(live.count.get(), usize::from(woken), "woken once, when served");
            }
        }
    }

    fn run(&mut self, steps: usize) {
        for _ in 0..steps {
            self.step();
            self.compare();
        }
        // Only what was woken is polled; then nobody is left who could be served.
        while let Some(wait) = (0..self.lives.len()).find(|wait| {
            self.lives[*wait]
                .as_ref()
                .is_some_and(|live| live.count.get() > 0)
        }) {
            assert!(self.poll(wait), "woken for nothing");
            self.compare();
        }
        for wait in 0..self.lives.len() {
            self.cancel(wait);
            self.compare();
        }
    }
}

fn trial(queue: &dyn Subject, order: Order, capacity: Option<usize>, seed: u64) {
    let mut trial = Trial {
        random: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
        queue,
        oracle: Oracle {
            order,
            capacity,
            items: Vec::new(),
            pushed: 0,
            done: 0,
            reserved: 0,
            shut: false,
            waits: Vec::new(),
            getters: Vec::new(),
            putters: Vec::new(),
            joiners: Vec::new(),
        },
        lives: Vec::new(),
        slots: Vec::new(),
        names: 0,
    };
    trial.run(120);
}

/// Goal: any sequence of calls, polls, cancels and shutdowns does what the lists do, hands items out in the
/// order of the kind, and wakes exactly those who are served, once.
#[test]
fn any_sequence_agrees_with_the_lists() {
    for seed in 0..300 {
        for capacity in [1, 2, 5] {
            trial(&Queue::bounded(capacity), Order::Fifo, Some(capacity), seed);
            trial(&LifoQueue::bounded(capacity), Order::Lifo, Some(capacity), seed);
            let heap = PriorityQueue::bounded(capacity);
            trial(&heap, Order::Smallest, Some(capacity), seed);
        }
        trial(&Queue::unbounded(), Order::Fifo, None, seed);
        trial(&LifoQueue::unbounded(), Order::Lifo, None, seed);
        trial(&PriorityQueue::unbounded(), Order::Smallest, None, seed);
    }
}
