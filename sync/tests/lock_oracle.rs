//! `Lock` against a queue that does the same.

mod support;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::generator::Random;
use support::{Count, poll_with, slot};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::{Lock, Locking};

/// Polls as the task `slot` does.
fn poll_in<F: Future + ?Sized>(
    slot: &TaskSlot,
    future: Pin<&mut F>,
    waker: &Waker,
) -> Poll<F::Output> {
    current::with_task(slot, 128, || poll_with(future, waker))
}

/// Goal: any sequence of operations does what a queue would do, and nobody who waits is forgotten.
/// Method: 400 random sequences of three tasks, compared with that queue after every operation; in the
/// end only what was woken is polled, and all are served.
#[test]
fn any_sequence_agrees_with_a_queue() {
    for seed in 1..=400 {
        Trial::new(seed).run();
    }
}

struct Trial {
    random: Random,
    unfair: bool,
    held: bool,
    /// The front was woken and has not looked.
    woken: bool,
    /// The front was woken and lost (unfair).
    lost: bool,
    /// Number and task of each who waits, in order.
    line: Vec<(usize, usize)>,
}

struct Wait<'a> {
    future: Pin<Box<Locking<'a, usize>>>,
    task: usize,
    waker: Waker,
    count: Arc<Count>,
    seen: usize,
}

impl Trial {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            unfair: seed % 2 == 0,
            held: false,
            woken: false,
            lost: false,
            line: Vec::new(),
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random.below(below)
    }

    /// Whether the lock is kept for the front.
    fn kept(&self) -> bool {
        !self.line.is_empty() && (!self.unfair || self.lost)
    }

    /// What a poll of wait `number` comes to: true if it gets the lock.
    fn poll(&mut self, number: usize, task: usize) -> bool {
        let place = self.line.iter().position(|wait| wait.0 == number);
        let same_task = self.line.first().is_some_and(|front| front.1 == task);
        let gets = match place {
            Some(0) => !self.held,
            Some(_) => !self.held && same_task,
            None => !self.held && (!self.kept() || same_task),
        };
        if place == Some(0) {
            self.lost = !gets && (self.lost || self.woken && self.unfair);
            self.woken = false;
        } else if same_task && (place.is_some() || self.kept() || !gets) {
            self.woken = false;
        }
        match (gets, place) {
            (true, Some(index)) => drop(self.line.remove(index)),
            (false, None) => self.line.push((number, task)),
            _ => {}
        }
        self.held |= gets;
        gets
    }

    fn free(&mut self) {
        self.held = false;
        self.woken = !self.line.is_empty();
    }

    fn leave(&mut self, number: usize) {
        if self.line.first().is_some_and(|front| front.0 == number) {
            self.lost = false;
            self.woken = !self.held && self.line.len() > 1;
        }
        self.line.retain(|wait| wait.0 != number);
    }

    fn run(mut self) {
        let lock = if self.unfair {
            Lock::unfair(0)
        } else {
            Lock::new(0)
        };
        let slots = [slot(1), slot(2), slot(3)];
        let mut waits: Vec<Option<Wait<'_>>> = Vec::new();
        let mut guard = None;
        let mut turns = 0;
        for _ in 0..80 {
            let number = match self.pick(6) {
                0 => {
                    let (waker, count) = Count::new();
                    let task = self.pick(3);
                    let future = Box::pin(lock.lock());
                    waits.push(Some(Wait {
                        future,
                        task,
                        waker,
                        count,
                        seen: 0,
                    }));
                    waits.len() - 1
                }
                1 => {
                    if guard.take().is_some() {
                        self.free();
                    }
                    continue;
                }
                2 if !waits.is_empty() => {
                    let number = self.pick(waits.len());
                    if waits[number].take().is_some() {
                        self.leave(number);
                    }
                    continue;
                }
                3 => {
                    let free = !self.held && !self.kept();
                    let taken = lock.try_lock();
                    assert_eq!(taken.is_ok(), free);
                    if let Ok(taken) = taken {
                        self.held = true;
                        guard = Some(taken);
                    }
                    continue;
                }
                _ if waits.is_empty() => continue,
                _ => self.pick(waits.len()),
            };
            let Some(wait) = &mut waits[number] else {
                continue;
            };
            let gets = self.poll(number, wait.task);
            wait.seen = wait.count.get();
            match poll_in(&slots[wait.task], wait.future.as_mut(), &wait.waker) {
                Poll::Ready(mut taken) => {
                    assert!(gets, "the oracle waits");
                    *taken += 1;
                    turns += 1;
                    guard = Some(taken);
                    waits[number] = None;
                }
                Poll::Pending => assert!(!gets, "the oracle has it"),
            }
            let stats = lock.stats();
            assert_eq!(stats.waiting, self.line.len());
            assert_eq!(stats.is_locked, self.held || self.kept());
        }
        drop(guard);
        // Those that were never polled did not begin.
        let mut left: Vec<_> = waits.into_iter().flatten().collect();
        while !left.is_empty() {
            let woken = left.iter().position(|wait| wait.count.get() > wait.seen);
            let index = woken.expect("somebody who waits was woken");
            let wait = &mut left[index];
            wait.seen = wait.count.get();
            if let Poll::Ready(mut taken) =
                poll_in(&slots[wait.task], wait.future.as_mut(), &wait.waker)
            {
                *taken += 1;
                turns += 1;
                drop(left.swap_remove(index));
            }
        }
        assert!(!lock.is_locked());
        assert_eq!(lock.try_lock().map(|count| *count), Ok(turns));
    }
}
