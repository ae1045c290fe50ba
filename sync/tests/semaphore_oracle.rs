//! `Semaphore` against a counter and two queues that do the same.

mod support;

use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::{Count, poll_with};
use tenter_sync::current::{self, TaskSlot};
use tenter_sync::{Acquire, Closed, Permit, Semaphore};

/// Goal: any sequence of operations does what a counter and two queues would do.
/// Method: 600 random sequences of three tasks, compared with those after every operation: who is ready,
/// who is woken, what is free, how many wait. In the end only what was woken is polled, and all are served.
#[test]
fn any_sequence_agrees_with_a_counter_and_two_queues() {
    for seed in 1..=600 {
        Trial::new(seed).run();
    }
}

/// A request in the oracle: its number, its task, and how many permits it wants.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Request {
    number: usize,
    task: usize,
    wish: usize,
}

struct Wait<'a> {
    future: Pin<Box<Acquire<'a>>>,
    request: Request,
    waker: Waker,
    count: Arc<Count>,
    seen: usize,
}

/// What the oracle says of a poll.
#[derive(Debug, PartialEq)]
enum Says {
    Ready,
    Closed,
    Pending,
}

struct Trial {
    random: u64,
    free: usize,
    is_closed: bool,
    waiting: Vec<Request>,
    called: Vec<Request>,
    /// Told that it is closed, and not polled since.
    dismissed: Vec<Request>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        Self {
            random: seed * 0x9E37_79B9,
            free: 2,
            is_closed: false,
            waiting: Vec::new(),
            called: Vec::new(),
            dismissed: Vec::new(),
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % below as u64) as usize
    }

    /// What follows each change: the front is called as long as it can be.
    fn serve(&mut self) {
        if self.is_closed {
            self.dismissed.append(&mut self.waiting);
        }
        while let Some(&front) = self.waiting.first() {
            if front.wish > self.free {
                break;
            }
            self.free -= front.wish;
            self.called.push(self.waiting.remove(0));
        }
    }

    /// What a poll of this request comes to.
    fn poll(&mut self, request: Request) -> Says {
        if let Some(index) = self.called.iter().position(|it| *it == request) {
            self.called.remove(index);
            return Says::Ready;
        }
        if let Some(index) = self.dismissed.iter().position(|it| *it == request) {
            self.dismissed.remove(index);
            return Says::Closed;
        }
        let place = self.waiting.iter().position(|it| *it == request);
        if place.is_none() {
            if self.is_closed {
                return Says::Closed;
            }
            if self.waiting.is_empty() && request.wish <= self.free {
                self.free -= request.wish;
                return Says::Ready;
            }
        }
        let kin = |it: &Request| it.task == request.task && it.wish >= request.wish;
        if let Some(index) = self.called.iter().position(kin) {
            let forsaken = self.called.remove(index);
            match place {
                Some(place) => self.waiting[place] = forsaken,
                None => self.waiting.push(forsaken),
            }
            self.free += forsaken.wish - request.wish;
            self.serve();
            return Says::Ready;
        }
        if place.is_none() {
            self.waiting.push(request);
        }
        Says::Pending
    }

    fn drop_request(&mut self, request: Request) {
        if let Some(index) = self.called.iter().position(|it| *it == request) {
            self.free += self.called.remove(index).wish;
        }
        self.waiting.retain(|it| *it != request);
        self.dismissed.retain(|it| *it != request);
        self.serve();
    }

    fn poll_both<'a>(
        &mut self,
        slots: &[TaskSlot],
        wait: &mut Wait<'a>,
        permits: &mut Vec<Permit<'a>>,
    ) -> bool {
        let says = self.poll(wait.request);
        wait.seen = wait.count.get();
        let outcome = current::with_task(&slots[wait.request.task], 128, || {
            poll_with(wait.future.as_mut(), &wait.waker)
        });
        let got = match outcome {
            Poll::Ready(Ok(permit)) => {
                assert_eq!(permit.count(), wait.request.wish);
                permits.push(permit);
                Says::Ready
            }
            Poll::Ready(Err(Closed)) => Says::Closed,
            Poll::Pending => Says::Pending,
        };
        assert_eq!(got, says, "{:?}", wait.request);
        got != Says::Pending
    }

    fn run(mut self) {
        let slots = [1, 2, 3].map(|id| TaskSlot::new(NonZeroU64::new(id).expect("not zero")));
        let semaphore = Semaphore::new(self.free);
        let mut waits: Vec<Wait<'_>> = Vec::new();
        let mut permits: Vec<Permit<'_>> = Vec::new();
        for number in 0..80 {
            match self.pick(16) {
                0..5 if self.called.len() < 12 => {
                    let (waker, count) = Count::new();
                    let request = Request {
                        number,
                        task: self.pick(3),
                        wish: self.pick(4),
                    };
                    let mut wait = Wait {
                        future: Box::pin(semaphore.acquire_many(request.wish)),
                        request,
                        waker,
                        count,
                        seen: 0,
                    };
                    if !self.poll_both(&slots, &mut wait, &mut permits) {
                        waits.push(wait);
                    }
                }
                5..8 if !permits.is_empty() => {
                    let index = self.pick(permits.len());
                    let permit = permits.swap_remove(index);
                    self.free += permit.count();
                    drop(permit);
                    self.serve();
                }
                8 if !permits.is_empty() => {
                    let index = self.pick(permits.len());
                    permits.swap_remove(index).forget();
                }
                9 if !waits.is_empty() => {
                    let index = self.pick(waits.len());
                    let wait = waits.swap_remove(index);
                    self.drop_request(wait.request);
                    drop(wait);
                }
                10 => {
                    let more = self.pick(3);
                    semaphore.add_permits(more).unwrap();
                    self.free += more;
                    self.serve();
                }
                11 => {
                    let count = self.pick(3);
                    let forgotten = count.min(self.free);
                    assert_eq!(semaphore.forget_permits(count), forgotten);
                    self.free -= forgotten;
                }
                12 if number > 40 && self.pick(8) == 0 => {
                    semaphore.close();
                    self.is_closed = true;
                    self.serve();
                }
                _ if !waits.is_empty() => {
                    let index = self.pick(waits.len());
                    if self.poll_both(&slots, &mut waits[index], &mut permits) {
                        drop(waits.swap_remove(index));
                    }
                }
                _ => {}
            }
            self.compare(&semaphore, &waits);
        }
        self.finish(&slots, &semaphore, waits, permits);
    }

    fn compare(&self, semaphore: &Semaphore, waits: &[Wait<'_>]) {
        let stats = semaphore.stats();
        assert_eq!(
            (stats.available, stats.waiting, stats.is_closed),
            (self.free, self.waiting.len(), self.is_closed)
        );
        assert_eq!(
            semaphore.is_locked(),
            self.is_closed || self.free == 0 || !self.waiting.is_empty()
        );
        for task in 0..3 {
            let mine = |wait: &&Wait<'_>| wait.request.task == task;
            let due = |wait: &&Wait<'_>| {
                self.called.contains(&wait.request) || self.dismissed.contains(&wait.request)
            };
            let is_woken = |wait: &Wait<'_>| wait.count.get() > wait.seen;
            if waits.iter().filter(mine).any(|wait| due(&wait)) {
                assert!(
                    waits.iter().filter(mine).any(is_woken),
                    "the task hears of it"
                );
            }
        }
    }

    /// Everyone is served when permits come, though only what was woken is polled.
    fn finish<'a>(
        mut self,
        slots: &[TaskSlot],
        semaphore: &'a Semaphore,
        mut waits: Vec<Wait<'a>>,
        mut permits: Vec<Permit<'a>>,
    ) {
        semaphore.add_permits(3).unwrap();
        self.free += 3;
        self.serve();
        while !waits.is_empty() {
            for permit in permits.drain(..) {
                self.free += permit.count();
                drop(permit);
                self.serve();
            }
            let woken = waits.iter().position(|wait| wait.count.get() > wait.seen);
            let index = woken.expect("somebody is left in line, and nobody is woken");
            if self.poll_both(slots, &mut waits[index], &mut permits) {
                drop(waits.swap_remove(index));
            }
        }
        drop(permits);
        assert_eq!(semaphore.stats().waiting, 0);
    }
}
