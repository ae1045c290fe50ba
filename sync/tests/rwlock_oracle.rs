//! `RwLock` against a plain model: a queue and two counters.

mod support;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;

use support::generator::Random;
use support::poll_alone;
use tenter_sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

fn assert_free<T: ?Sized>(lock: &RwLock<T>) {
    let stats = lock.stats();
    assert_eq!(
        (stats.readers, stats.is_write_locked, stats.waiting),
        (0, false, 0)
    );
    assert!(!lock.is_locked());
}

/// Goal: any sequence of calls, drops and polls does what a queue and two counters would do.
/// Method: 400 random sequences, compared with that model after every step.
#[test]
fn any_sequence_agrees_with_a_queue_and_two_counters() {
    for seed in 1..=400 {
        Trial::new(seed).run();
    }
}

#[derive(Clone, Copy, PartialEq)]
struct Wish {
    number: usize,
    writes: bool,
}

/// The model: who has been called and has not come, and who waits behind.
struct Trial {
    random: Random,
    readers: usize,
    writer: bool,
    called: Vec<Wish>,
    line: VecDeque<Wish>,
}

enum Held<'a> {
    Read(#[allow(dead_code, reason = "held")] RwLockReadGuard<'a, u32>),
    Write(RwLockWriteGuard<'a, u32>),
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Held<'a>> + 'a>>;

impl Trial {
    fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            readers: 0,
            writer: false,
            called: Vec::new(),
            line: VecDeque::new(),
        }
    }

    fn pick(&mut self, below: usize) -> usize {
        self.random.below(below)
    }

    /// Calls from the front: a writer when nobody is left, readers as long as no writer is.
    fn call(&mut self) {
        while let Some(&wish) = self.line.front() {
            let ready = if wish.writes {
                self.readers == 0 && !self.writer && self.called.is_empty()
            } else {
                !self.writer && self.called.iter().all(|called| !called.writes)
            };
            if !ready {
                break;
            }
            self.line.pop_front();
            self.called.push(wish);
        }
    }

    /// Lets a called one in; false if it has not been called.
    fn come(&mut self, number: usize) -> bool {
        let Some(index) = self.called.iter().position(|wish| wish.number == number) else {
            return false;
        };
        if self.called.swap_remove(index).writes {
            self.writer = true;
        } else {
            self.readers += 1;
        }
        true
    }

    fn put(&mut self, held: Held<'_>) {
        match &held {
            Held::Read(_) => self.readers -= 1,
            Held::Write(_) => self.writer = false,
        }
        drop(held);
        self.call();
    }

    fn run(mut self) {
        let lock = RwLock::new(0);
        let mut futures: Vec<Option<Waiting<'_>>> = Vec::new();
        let mut guards: Vec<Held<'_>> = Vec::new();
        for _ in 0..80 {
            match self.pick(7) {
                0 | 1 => {
                    let (number, writes) = (futures.len(), self.pick(3) == 0);
                    let lock = &lock;
                    let mut future: Waiting<'_> = if writes {
                        Box::pin(async move { Held::Write(lock.write().await) })
                    } else {
                        Box::pin(async move { Held::Read(lock.read().await) })
                    };
                    self.line.push_back(Wish { number, writes });
                    self.call();
                    let polled = poll_alone(future.as_mut());
                    assert_eq!(polled.is_ready(), self.come(number));
                    match polled {
                        Poll::Ready(held) => {
                            guards.push(held);
                            futures.push(None);
                        }
                        Poll::Pending => futures.push(Some(future)),
                    }
                }
                2 | 3 if !guards.is_empty() => {
                    let index = self.pick(guards.len());
                    let held = guards.swap_remove(index);
                    self.put(held);
                }
                4 if !futures.is_empty() => {
                    let number = self.pick(futures.len());
                    if futures[number].take().is_some() {
                        self.called.retain(|wish| wish.number != number);
                        self.line.retain(|wish| wish.number != number);
                        self.call();
                    }
                }
                5 => {
                    if let Some(index) = guards.iter().position(|it| matches!(it, Held::Write(_))) {
                        let Held::Write(mut guard) = guards.swap_remove(index) else {
                            unreachable!()
                        };
                        *guard += 1;
                        guards.push(Held::Read(RwLockWriteGuard::downgrade(guard)));
                        (self.writer, self.readers) = (false, 1);
                        self.call();
                    }
                }
                _ if !futures.is_empty() => {
                    let number = self.pick(futures.len());
                    if let Some(future) = &mut futures[number] {
                        let polled = poll_alone(future.as_mut());
                        assert_eq!(polled.is_ready(), self.come(number));
                        if let Poll::Ready(held) = polled {
                            guards.push(held);
                            futures[number] = None;
                        }
                    }
                }
                _ => {}
            }
            let stats = lock.stats();
            assert_eq!(
                (stats.readers, stats.is_write_locked, stats.waiting),
                (
                    self.readers,
                    self.writer,
                    self.called.len() + self.line.len()
                )
            );
            let free = self.readers == 0 && !self.writer && stats.waiting == 0;
            assert_eq!(lock.is_locked(), !free);
        }
        drop((futures, guards));
        assert_free(&lock);
    }
}
