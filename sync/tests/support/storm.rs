//! A storm: ten thousand wait, and are dropped in any order while what they wait for comes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Wake, Waker};

use super::generator::Random;
use super::poll_with;

pub const WAITERS: usize = 10_000;

/// What waits.
pub type Boxed<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Futures that wait, each with a waker that knows its number.
pub struct Storm<'a> {
    pub waits: Vec<Option<Boxed<'a>>>,
    wakers: Vec<(Waker, Arc<Woken>)>,
    random: Random,
    /// Whom to drop next; the last one first.
    pub order: Vec<usize>,
    polls: usize,
}

#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a> Storm<'a> {
    /// Lines up ten thousand.
    pub fn new(seed: u64, mut wait: impl FnMut(usize) -> Boxed<'a>) -> Self {
        let mut storm = Self {
            waits: Vec::new(),
            wakers: Vec::new(),
            random: Random::new(seed),
            order: (0..WAITERS).collect(),
            polls: 0,
        };
        storm.random.shuffle(&mut storm.order);
        for number in 0..WAITERS {
            let woken = Arc::new(Woken::default());
            storm.wakers.push((Waker::from(Arc::clone(&woken)), woken));
            storm.waits.push(Some(wait(number)));
            assert!(!storm.poll(number), "all of them wait");
        }
        storm
    }

    /// Whether it went on now.
    pub fn poll(&mut self, number: usize) -> bool {
        let Some(wait) = &mut self.waits[number] else {
            return false;
        };
        self.polls += 1;
        let is_ready = poll_with(wait.as_mut(), &self.wakers[number].0) == Poll::Ready(());
        if is_ready {
            self.waits[number] = None;
        }
        is_ready
    }

    /// Drops them all in a random order; before each `every`-th drop there is a grant. Some of those
    /// that were woken are polled first, as they would be. Returns how many went on.
    pub fn rage(&mut self, every: usize, mut grant: impl FnMut()) -> usize {
        let mut done = 0;
        for step in 0..WAITERS {
            if step % every == 0 {
                grant();
            }
            let victim = self.order.pop().expect("as many as wait");
            let (_, woken) = &self.wakers[victim];
            if woken.0.load(Ordering::Relaxed) > 0 && step % 3 == 0 && self.poll(victim) {
                done += 1;
            }
            self.waits[victim] = None;
        }
        done
    }

    /// As many wakes as `limit` for each waiter, and two polls.
    pub fn assert_linear(&self, limit: usize) {
        let wakes = self
            .wakers
            .iter()
            .map(|(_, woken)| woken.0.load(Ordering::Relaxed));
        let wakes: usize = wakes.sum();
        assert!(wakes <= limit * WAITERS, "{wakes} wakes");
        assert!(self.polls <= 2 * WAITERS, "{} polls", self.polls);
    }
}
