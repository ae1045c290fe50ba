//! The queues of a worker: the deque (`runtime/src/scheduler/multi_thread/deque_model.rs`, the twin of
//! crossbeam's), the backlog behind it and the LIFO slot in front of it.
//!
//! The models of the deque alone hold numbers; those of the others, tasks.
#![cfg(tenter_loom)]

use tenter::model::deque::{Stealer, Worker};
use tenter::model::{
    Backlog, CAPACITY, Deque, LifoSlot, Ran, RunQueue, Runnable, Schedule, Unobserved, YieldFlag,
    spawn_on,
};
use tenter_loom_tests::check;
use tenter_sync::shim::{Arc, thread};

fn all(deque: &Worker<usize>) -> Vec<usize> {
    std::iter::from_fn(|| deque.pop()).collect()
}

/// A thief: what it got, after so many attempts.
fn steal(from: &Stealer<usize>, attempts: usize) -> Vec<usize> {
    let own = Worker::new_fifo();
    let mut got = Vec::new();
    for _ in 0..attempts {
        let _ = from.steal_batch_with_limit(&own, 1);
        got.extend(all(&own));
    }
    got
}

fn assert_each_once(got: &[&[usize]], pushed: usize) {
    let mut together = got.concat();
    together.sort_unstable();
    assert_eq!(together, (1..=pushed).collect::<Vec<_>>(), "taken: {got:?}");
    for part in got {
        assert!(part.is_sorted(), "first in, first out: {got:?}");
    }
}

/// Goal: what is pushed, popped and stolen at the same time is taken once, and in order.
#[test]
fn each_item_once() {
    check("deque::each_item_once", || {
        let deque = Worker::new_fifo();
        let stealer = deque.stealer();
        let thief = thread::spawn(move || steal(&stealer, 2));
        deque.push(1);
        deque.push(2);
        let mut popped: Vec<usize> = deque.pop().into_iter().collect();
        if deque.len() < CAPACITY {
            deque.push(3);
        } else {
            unreachable!("one was taken");
        }
        popped.extend(all(&deque));
        let stolen = thief.join().unwrap();
        assert_each_once(&[&popped, &stolen], 3);
        assert!(deque.is_empty());
    });
}

/// Goal: of two thieves and the owner one gets the last item, and the deque is of use afterwards.
#[test]
fn the_last_item() {
    check("deque::the_last_item", || {
        let deque = Worker::new_fifo();
        deque.push(1);
        let thieves: Vec<_> = (0..2)
            .map(|_| {
                let stealer = deque.stealer();
                thread::spawn(move || steal(&stealer, 1))
            })
            .collect();
        let mut popped: Vec<usize> = deque.pop().into_iter().collect();
        deque.push(2);
        let stolen: Vec<Vec<usize>> = thieves
            .into_iter()
            .map(|thief| thief.join().unwrap())
            .collect();
        popped.extend(all(&deque));
        assert_each_once(&[&popped, &stolen[0], &stolen[1]], 2);
    });
}

/// Goal: a thief that stands still between its look and its exchange, while the owner goes through a
/// lap of a narrow index, takes nothing that was taken.
#[test]
fn a_lap_while_a_thief_stands() {
    check("deque::a_lap_while_a_thief_stands", || {
        let deque = Worker::new_fifo();
        let stealer = deque.stealer();
        deque.push(1);
        let thief = thread::spawn(move || steal(&stealer, 1));
        let mut popped: Vec<usize> = deque.pop().into_iter().collect();
        for item in 2..=9 {
            deque.push(item);
            if item < 9 {
                popped.extend(deque.pop());
            }
        }
        let stolen = thief.join().unwrap();
        popped.extend(all(&deque));
        assert_each_once(&[&popped, &stolen], 9);
    });
}

/// These tasks are never woken.
struct Nowhere;

impl Schedule for Nowhere {
    fn schedule(&self, _task: Runnable) {
        unreachable!("nobody wakes these tasks");
    }

    fn unobserved(&self, failure: &Unobserved<'_>) {
        panic!("nothing fails in these models: {failure}");
    }
}

fn task() -> Runnable {
    let (task, handle) = spawn_on(async {}, Nowhere);
    drop(handle);
    task
}

/// Runs a task; were it in two hands, loom would see the race. Returns one.
fn run(task: Runnable) -> usize {
    // SAFETY: these tasks have no owner.
    let ran = unsafe { task.run(&YieldFlag::new(false), |_| None, |_| ()) };
    assert!(matches!(ran, Ran::Finished));
    1
}

/// Goal: what does not fit into the deque goes to the backlog, and a thief that takes from both leaves
/// every other task there: each is run once.
#[test]
fn overflow() {
    check("deque::overflow", || {
        let (deque, stealer) = Deque::new();
        let backlog = Arc::new(Backlog::default());
        let thief = {
            let backlog = Arc::clone(&backlog);
            thread::spawn(move || {
                let tasks = RunQueue::default();
                backlog.steal(1, &tasks);
                let mut ran = 0;
                while let Some(task) = tasks.pop() {
                    ran += run(task);
                }
                let (own, _) = Deque::new();
                if stealer.steal(&own) {
                    while let Some(task) = own.pop() {
                        ran += run(task);
                    }
                }
                ran
            })
        };
        for _ in 0..CAPACITY + 1 {
            if let Err(task) = deque.push(task()) {
                backlog.push(task);
            }
        }
        let mut ran = 0;
        while let Some(task) = deque.pop() {
            ran += run(task);
        }
        ran += thief.join().unwrap();
        let rest = RunQueue::default();
        backlog.take(usize::MAX, &rest);
        while let Some(task) = rest.pop() {
            ran += run(task);
        }
        assert_eq!(ran, CAPACITY + 1);
        assert!(deque.is_empty() && backlog.is_empty());
    });
}

/// Goal: a task in the LIFO slot is taken by its owner or by the thief that thinks the owner stuck, with
/// all that was written to it, and once.
#[test]
fn lifo_slot() {
    check("deque::lifo_slot", || {
        let slot = Arc::new(LifoSlot::default());
        let thief = {
            let slot = Arc::clone(&slot);
            thread::spawn(move || slot.take().map_or(0, run))
        };
        let mut ran = 0;
        ran += slot.put(task()).map_or(0, run);
        ran += slot.put(task()).map_or(0, run);
        ran += slot.take().map_or(0, run);
        ran += thief.join().unwrap();
        assert_eq!(ran, 2);
        assert!(slot.is_empty());
    });
}
