//! Bodies for `queue_store`: the stores of a queue, with a lock around the held mode as the queue has.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tenter_sync::queue::blocks::{Blocks, CELLS};
use tenter_sync::queue::ring::Ring;
use tenter_sync::queue::store::{Full, Returned, Store};
use tenter_sync::shim::{Mutex, thread};

/// A store and its line.
struct Line<S> {
    store: S,
    inner: Mutex<Returned<usize>>,
}

impl<S> Line<S>
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    fn new(store: S) -> Arc<Self> {
        Arc::new(Self {
            store,
            inner: Mutex::new(Returned::new()),
        })
    }

    /// Pushes and pops so many, to begin in the middle.
    fn shifted(store: S, by: usize) -> Arc<Self> {
        let line = Self::new(store);
        for item in 0..by {
            assert!(line.store.push(item).is_ok() && line.store.pop() == Some(item));
        }
        line
    }

    /// Does something under the lock, held.
    fn held<R>(&self, body: impl FnOnce(&S, &mut Returned<usize>) -> R) -> R {
        let mut inner = self.inner.lock();
        self.store.hold();
        let result = body(&self.store, &mut inner);
        if !self.store.must_stay_held(&inner) {
            self.store.release();
        }
        result
    }

    /// Puts, exactly.
    fn put(&self, item: usize) -> Result<(), Full> {
        self.store.push(item).or_else(|item| {
            let mut item = Some(item);
            self.held(|store, inner| store.push_held(inner, &mut item))
        })
    }

    /// Takes, exactly.
    fn take(&self) -> Option<usize> {
        self.store
            .pop()
            .or_else(|| self.held(|store, inner| store.pop_held(inner).map(|(_, item)| item)))
    }

    fn drain(&self) -> Vec<usize> {
        std::iter::from_fn(|| self.take()).collect()
    }
}

fn assert_all(mut taken: Vec<usize>, expected: &[usize]) {
    taken.sort_unstable();
    assert_eq!(taken, expected, "every item comes out once");
}

/// Two push, one pops: all goes in that fits, and comes out once.
fn pushers_and_popper<S>(store: S, shift: usize)
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    let line = Line::shifted(store, shift);
    let pushers = [1, 2].map(|item| {
        let line = Arc::clone(&line);
        thread::spawn(move || line.put(item).map(|()| item))
    });
    let mut taken: Vec<usize> = line.take().into_iter().collect();
    let put = pushers.map(|pusher| pusher.join().unwrap());
    taken.extend(line.drain());
    let mut expected: Vec<usize> = put.iter().copied().flatten().collect();
    expected.sort_unstable();
    let room = line.store.capacity().unwrap_or(usize::MAX);
    assert!(
        expected.len() >= room.min(2),
        "nothing is refused that fits"
    );
    assert_all(taken, &expected);
    assert_eq!(line.store.pushed(), (shift + expected.len()) as u64);
}

pub fn ring_of_one_pushers_and_popper() {
    pushers_and_popper(Ring::new(1), 0);
}

pub fn ring_of_two_pushers_and_popper() {
    pushers_and_popper(Ring::new(2), 1);
}

pub fn blocks_pushers_and_popper() {
    pushers_and_popper(Blocks::new(), 0);
}

/// The same where one block ends and the next begins.
pub fn blocks_pushers_and_popper_at_the_end() {
    pushers_and_popper(Blocks::new(), CELLS as usize - 1);
}

/// One pushes, two pop: nobody gets what another got, nor nothing when there is one for each.
fn poppers<S>(line: Arc<Line<S>>, first: usize)
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    let other = Arc::clone(&line);
    let popper = thread::spawn(move || other.take());
    let item = line.take();
    let (one, two) = (popper.join().unwrap(), item);
    assert_all(
        [one, two].into_iter().flatten().collect(),
        &[first, first + 1],
    );
}

pub fn ring_poppers() {
    let line = Line::new(Ring::new(2));
    assert!(line.put(1).is_ok() && line.put(2).is_ok());
    poppers(line, 1);
}

/// The last two of a block, when there is a spare already: the block is freed by the last reader.
pub fn blocks_poppers_at_the_end() {
    let cells = CELLS as usize;
    let line = Line::new(Blocks::new());
    for item in 0..2 * cells {
        assert!(line.put(item).is_ok());
    }
    for item in 0..2 * cells - 2 {
        assert_eq!(line.take(), Some(item));
    }
    poppers(line, 2 * cells - 2);
}

/// As above, while a push takes the block that was read last.
pub fn blocks_a_block_is_used_again() {
    let cells = CELLS as usize;
    let line = Line::new(Blocks::new());
    for item in 0..2 * cells - 1 {
        assert!(line.put(item).is_ok());
    }
    for item in 0..cells - 2 {
        assert_eq!(line.take(), Some(item));
    }
    let other = Arc::clone(&line);
    let popper = thread::spawn(move || other.take());
    let mut taken: Vec<usize> = line.take().into_iter().collect();
    // The first ends a block and needs another.
    assert!(line.put(2 * cells - 1).is_ok() && line.put(2 * cells).is_ok());
    taken.extend(popper.join().unwrap());
    taken.extend(line.drain());
    assert_all(taken, &(cells - 2..=2 * cells).collect::<Vec<_>>());
}

/// What was claimed when the store is held is found; what was not, never comes.
fn hold_and_push<S>(store: S, shift: usize)
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    let line = Line::shifted(store, shift);
    let other = Arc::clone(&line);
    let pusher = thread::spawn(move || [1, 2].map(|item| other.store.push(item).is_ok()));
    let mut inner = line.inner.lock();
    line.store.hold();
    let there = line.store.len_held(&inner);
    let mut found = Vec::new();
    while let Some((number, item)) = line.store.pop_held(&mut inner) {
        assert_eq!(
            number,
            (shift + found.len()) as u64,
            "numbers count the items"
        );
        found.push(item);
    }
    assert_eq!(found.len(), there, "the holder sees the exact set");
    let pushed = pusher.join().unwrap();
    assert_eq!(line.store.len_held(&inner), 0, "no push after the hold");
    let expected: Vec<usize> = (1..=2).filter(|item| pushed[item - 1]).collect();
    assert_eq!(found, expected, "pushed is found, in order");
    assert_eq!(line.store.pop(), None, "no fast way");
    assert_eq!(line.store.push(9), Err(9), "no fast way");
}

pub fn ring_hold_and_push() {
    hold_and_push(Ring::new(2), 1);
}

pub fn blocks_hold_and_push() {
    hold_and_push(Blocks::new(), 0);
}

pub fn blocks_hold_and_push_at_the_end() {
    hold_and_push(Blocks::new(), CELLS as usize - 1);
}

/// A pop and a hold: the holder fills what is free, exactly, and pops nothing that another has.
fn hold_and_pop<S>(line: Arc<Line<S>>, first: usize)
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    let other = Arc::clone(&line);
    let popper = thread::spawn(move || other.store.pop());
    let mut inner = line.inner.lock();
    line.store.hold();
    let there = line.store.len_held(&inner);
    let mut put = 0;
    while put < 2
        && line
            .store
            .push_held(&mut inner, &mut Some(first + 2 + put))
            .is_ok()
    {
        put += 1;
    }
    let room = line.store.capacity().unwrap_or(there + 2) - there;
    assert_eq!(put, room.min(2), "every free place is found, and no other");
    let popped = popper.join().unwrap();
    assert_eq!(
        2 - there,
        usize::from(popped.is_some()),
        "no pop after the hold"
    );
    let mut taken: Vec<usize> = popped.into_iter().collect();
    while let Some((_, item)) = line.store.pop_held(&mut inner) {
        taken.push(item);
    }
    assert_eq!(
        taken,
        (first..first + 2 + put).collect::<Vec<_>>(),
        "each once, in order"
    );
}

pub fn ring_hold_and_pop() {
    let line = Line::new(Ring::new(2));
    assert!(line.put(0).is_ok() && line.put(1).is_ok());
    hold_and_pop(line, 0);
}

pub fn blocks_hold_and_pop() {
    let line = Line::new(Blocks::new());
    let cells = CELLS as usize;
    for item in 0..cells + 1 {
        assert!(line.put(item).is_ok());
    }
    for item in 0..cells - 1 {
        assert_eq!(line.take(), Some(item));
    }
    hold_and_pop(line, cells - 1);
}

/// A batch in, singles and a batch out.
fn batches<S>(store: S, shift: usize)
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    let line = Line::shifted(store, shift);
    let other = Arc::clone(&line);
    let pusher = thread::spawn(move || {
        let mut items = VecDeque::from([1, 2]);
        while !items.is_empty() && other.store.push_many(&mut items) > 0 {}
        items.len()
    });
    let other = Arc::clone(&line);
    let single = thread::spawn(move || other.store.pop());
    let mut batch = Vec::new();
    line.store.pop_many(&mut batch, 2);
    assert!(batch.is_sorted(), "in order");
    let left = pusher.join().unwrap();
    let mut taken = batch;
    taken.extend(single.join().unwrap());
    let rest = line.drain();
    assert!(rest.is_sorted(), "in order");
    taken.extend(rest);
    assert_all(taken, &(1..=2 - left).collect::<Vec<_>>());
}

pub fn ring_batches() {
    batches(Ring::new(2), 1);
}

pub fn blocks_batches() {
    batches(Blocks::new(), CELLS as usize - 1);
}

/// Puts and takes in turns, fast or held, while another thread asks for the length: it is one that there
/// was, although nothing but the two words orders what that thread sees of them.
fn length<S>(store: S, shift: usize, is_held: bool)
where
    S: Store<usize, Inner = Returned<usize>> + Send + Sync + 'static,
{
    let line = Line::shifted(store, shift);
    assert!(line.put(0).is_ok());
    let other = Arc::clone(&line);
    let looker = thread::spawn(move || other.store.len());
    if is_held {
        line.held(|store, inner| {
            for item in [1, 2] {
                assert!(store.push_held(inner, &mut Some(item)).is_ok());
                assert_eq!(store.pop_held(inner).map(|(_, item)| item), Some(item - 1));
            }
        });
    } else {
        for item in [1, 2] {
            assert!(line.store.push(item).is_ok());
            assert_eq!(line.store.pop(), Some(item - 1));
        }
    }
    let len = looker.join().unwrap();
    assert!((1..=2).contains(&len), "there were never {len}");
}

pub fn ring_length() {
    length(Ring::new(4), 0, false);
}

pub fn ring_length_held() {
    length(Ring::new(4), 0, true);
}

pub fn blocks_length() {
    length(Blocks::new(), 1, false);
}

/// An item that came back is the first: no fast operation that begins after passes it by.
pub fn what_comes_back_is_first() {
    let is_back = Arc::new(AtomicBool::new(false));
    let line = Line::new(Ring::new(2));
    assert!(line.put(1).is_ok() && line.put(2).is_ok());
    let (number, item) = line
        .held(|store, inner| store.pop_held(inner))
        .expect("there are two");
    let other = Arc::clone(&line);
    let seen = Arc::clone(&is_back);
    let popper = thread::spawn(move || (seen.load(Ordering::Relaxed), other.take()));
    line.held(|store, inner| store.put_back(inner, number, item));
    is_back.store(true, Ordering::Relaxed);
    let (was_back, popped) = popper.join().unwrap();
    assert!(!was_back || popped == Some(1), "passed by");
    let rest = line.drain();
    match popped {
        Some(1) => assert_eq!(rest, [2]),
        Some(2) => assert_eq!(rest, [1]),
        other => panic!("one of the two, not {other:?}"),
    }
}

/// Counts its drops.
struct Counted(Arc<AtomicUsize>);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// What is left is dropped with the store, once, and the store leaves no memory behind.
fn drop_of_the_rest(store: impl Store<Counted> + Send + Sync + 'static, shift: usize) {
    let (store, drops) = (Arc::new(store), Arc::new(AtomicUsize::new(0)));
    for _ in 0..shift {
        assert!(store.push(Counted(Arc::clone(&drops))).is_ok());
        drop(store.pop());
    }
    let (other, counted) = (Arc::clone(&store), Arc::clone(&drops));
    let pusher = thread::spawn(move || {
        for _ in 0..2 {
            assert!(other.push(Counted(Arc::clone(&counted))).is_ok());
        }
    });
    let popped = usize::from(store.pop().is_some());
    drop(store);
    pusher.join().unwrap();
    assert!(
        popped < 2 && Arc::strong_count(&drops) == 1,
        "nothing is kept"
    );
    assert_eq!(
        drops.load(Ordering::Relaxed),
        shift + 2,
        "each is dropped once"
    );
}

pub fn ring_drop_of_the_rest() {
    drop_of_the_rest(Ring::new(2), 1);
}

pub fn blocks_drop_of_the_rest() {
    drop_of_the_rest(Blocks::new(), CELLS as usize - 1);
}
