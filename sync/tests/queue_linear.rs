//! Histories of real threads: there is an order of the calls, each between its begin and its end, in which a
//! plain list gives the same answers.

use std::collections::{HashSet, VecDeque};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use tenter_sync::{Queue, TryGetError};

/// What a call was, and what it returned.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    /// The put of this item, which succeeded.
    Put(u32),
    /// A put that found no room.
    Full,
    /// This item came out.
    Got(u32),
    /// A get that found nothing.
    Empty,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    call: Call,
    begin: u64,
    end: u64,
}

/// Whether a list of this capacity explains the history: a search over the orders of the calls. A call can be
/// the next one if none of the others had ended before it began.
fn is_explained(history: &[Record], capacity: usize) -> bool {
    fn search(
        history: &[Record],
        capacity: usize,
        done: u64,
        items: &mut VecDeque<u32>,
        dead: &mut HashSet<(u64, VecDeque<u32>)>,
    ) -> bool {
        if done.count_ones() as usize == history.len() {
            return true;
        }
        if !dead.insert((done, items.clone())) {
            return false;
        }
        let open = |index: &usize| done & (1 << index) == 0;
        let first_end = (0..history.len())
            .filter(open)
            .map(|index| history[index].end)
            .min();
        for index in (0..history.len()).filter(open) {
            if Some(history[index].begin) > first_end {
                continue;
            }
            let before = items.clone();
            let fits = match history[index].call {
                Call::Put(item) => {
                    items.push_back(item);
                    items.len() <= capacity
                }
                Call::Full => items.len() >= capacity,
                Call::Got(item) => items.pop_front() == Some(item),
                Call::Empty => items.is_empty(),
            };
            if fits && search(history, capacity, done | (1 << index), items, dead) {
                return true;
            }
            *items = before;
        }
        false
    }
    search(history, capacity, 0, &mut VecDeque::new(), &mut HashSet::new())
}

struct Unpark(thread::Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

static CLOCK: AtomicU64 = AtomicU64::new(0);

fn record(history: &mut Vec<Record>, call: impl FnOnce() -> Call) {
    let begin = CLOCK.fetch_add(1, Ordering::SeqCst);
    let call = call();
    let end = CLOCK.fetch_add(1, Ordering::SeqCst);
    history.push(Record { call, begin, end });
}

fn put(queue: &Queue<u32>, item: u32) -> Call {
    block_on(queue.put(item)).expect("nobody shuts down");
    Call::Put(item)
}

fn get(queue: &Queue<u32>) -> Call {
    Call::Got(block_on(queue.get()).expect("nobody shuts down"))
}

fn try_put(queue: &Queue<u32>, item: u32) -> Call {
    queue.try_put(item).map_or(Call::Full, |()| Call::Put(item))
}

fn try_get(queue: &Queue<u32>) -> Call {
    match queue.try_get() {
        Ok(item) => Call::Got(item),
        Err(TryGetError::Empty) => Call::Empty,
        Err(TryGetError::ShutDown) => unreachable!("nobody shuts down"),
    }
}

/// Two who put, one who gets, and one who tries both. As many are put as are waited for, whoever wins.
fn history(queue: &Queue<u32>) -> Vec<Record> {
    let run = |script: fn(&Queue<u32>, &mut Vec<Record>)| {
        let mut history = Vec::new();
        script(queue, &mut history);
        history
    };
    thread::scope(|scope| {
        let putters = [
            scope.spawn(move || {
                run(|queue, history| {
                    record(history, || put(queue, 1));
                    record(history, || try_put(queue, 2));
                    record(history, || put(queue, 3));
                })
            }),
            scope.spawn(move || {
                run(|queue, history| {
                    record(history, || put(queue, 11));
                    record(history, || put(queue, 12));
                })
            }),
        ];
        let getters = [
            scope.spawn(move || {
                run(|queue, history| {
                    record(history, || get(queue));
                    record(history, || get(queue));
                })
            }),
            scope.spawn(move || {
                run(|queue, history| {
                    record(history, || try_get(queue));
                    record(history, || try_put(queue, 21));
                    record(history, || try_get(queue));
                })
            }),
        ];
        let mut whole = Vec::new();
        for getter in getters {
            whole.extend(getter.join().unwrap());
        }
        // Room for those who still put.
        while !putters.iter().all(|putter| putter.is_finished()) {
            record(&mut whole, || try_get(queue));
            if whole.last().is_some_and(|last| last.call == Call::Empty) {
                whole.pop();
                thread::yield_now();
            }
        }
        for putter in putters {
            whole.extend(putter.join().unwrap());
        }
        while !queue.is_empty() {
            record(&mut whole, || try_get(queue));
        }
        whole
    })
}

#[test]
fn histories_of_threads_are_explained_by_a_list() {
    for round in 0..400 {
        let (queue, capacity) = match round % 4 {
            0 | 1 => (Queue::bounded(1), 1),
            2 => (Queue::bounded(2), 2),
            _ => (Queue::unbounded(), usize::MAX),
        };
        let whole = history(&queue);
        assert!(is_explained(&whole, capacity), "round {round}: {whole:#?}");
        assert_eq!((queue.stats().getters, queue.stats().putters), (0, 0));
    }
}

/// The checker is awake.
#[test]
fn wrong_histories_are_not_explained() {
    let records = |calls: &[(Call, u64, u64)]| {
        let records = calls.iter();
        records
            .map(|&(call, begin, end)| Record { call, begin, end })
            .collect::<Vec<_>>()
    };
    let explained = |calls: &[(Call, u64, u64)]| is_explained(&records(calls), 2);
    let [one, two] = [Call::Put(1), Call::Put(2)];
    // Two puts at the same time may come in either order; one after the other may not.
    assert!(explained(&[(one, 0, 3), (two, 1, 2), (Call::Got(2), 4, 5)]));
    assert!(!explained(&[(one, 0, 1), (two, 2, 3), (Call::Got(2), 4, 5)]));
    // What comes out twice, from nowhere, or too early.
    assert!(!explained(&[(one, 0, 1), (Call::Got(1), 2, 3), (Call::Got(1), 4, 5)]));
    assert!(!explained(&[(one, 0, 1), (Call::Got(9), 2, 3)]));
    assert!(!explained(&[(Call::Got(1), 0, 1), (one, 2, 3)]));
    // Empty while an item is certainly there, and full while there is certainly room.
    assert!(!explained(&[(one, 0, 1), (Call::Empty, 2, 3), (Call::Got(1), 4, 5)]));
    assert!(explained(&[(one, 0, 3), (Call::Empty, 1, 2), (Call::Got(1), 4, 5)]));
    assert!(!explained(&[(one, 0, 1), (Call::Full, 2, 3)]));
    assert!(!explained(&[(one, 0, 1), (two, 2, 3), (Call::Put(3), 4, 5)]), "no room");
}
