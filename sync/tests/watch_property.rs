//! `watch` against a sequential model.

mod support;

use std::cell::UnsafeCell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

use support::{Count, poll_with};
use tenter_sync::watch;
use tenter_sync::watch::{Changed, Receiver, RecvError, Ref};

/// A generator of numbers that a seed determines (splitmix).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }
}

/// One receiver, and the wait that borrows it.
struct End {
    wait: Option<Pin<Box<Changed<'static, Rc<usize>>>>>,
    /// Outlives `wait`, which is dropped first.
    receiver: Box<UnsafeCell<Receiver<Rc<usize>>>>,
    seen: usize,
    waker: Waker,
    count: Arc<Count>,
    /// Wakes that it is owed, all in all.
    wakes: usize,
    is_in_line: bool,
}

impl End {
    fn new(receiver: Receiver<Rc<usize>>, seen: usize) -> Self {
        let (waker, count) = Count::new();
        let receiver = Box::new(UnsafeCell::new(receiver));
        Self {
            wait: None,
            receiver,
            seen,
            waker,
            count,
            wakes: 0,
            is_in_line: false,
        }
    }

    /// Gives up the wait, and lends the receiver.
    fn receiver(&mut self) -> &mut Receiver<Rc<usize>> {
        self.wait = None;
        self.is_in_line = false;
        self.receiver.get_mut()
    }

    fn wait(&mut self) -> Pin<&mut Changed<'static, Rc<usize>>> {
        let receiver = self.receiver.get();
        // SAFETY: the box stays where it is, and the wait is dropped before anybody else uses what is
        // in it: `receiver` drops the wait, and so does the order of the fields.
        let receiver: &'static mut _ = unsafe { &mut *receiver };
        self.wait
            .get_or_insert_with(|| Box::pin(receiver.changed()))
            .as_mut()
    }
}

/// Goal: the channel behaves as one value with a number, receivers that remember a number, and those
/// who wait.
/// Method: random sends, changes, borrows, waits, polls and drops, all by one thread; after each step the
/// value, what each receiver has seen, the wakes of each, the number of those in line and the lifetime
/// of every value are those of the model.
#[test]
fn it_agrees_with_a_number_and_those_who_remember_one() {
    let (mut largest, mut held_back, mut ended) = (0, 0, 0);
    for seed in 0..150 {
        let mut random = Random(seed);
        let (sender, receiver) = watch(Rc::new(0_usize));
        let mut sender = Some(sender);
        let reader = receiver.clone(); // keeps the channel, and lends
        let mut version = 0_usize;
        let mut value = 0_usize;
        let mut held: Vec<(Ref<'_, Rc<usize>>, usize)> = Vec::new();
        let mut ends = vec![End::new(receiver, 0)];
        for step in 1..300_usize {
            let at = format!("seed {seed}, step {step}");
            match (random.below(16), &sender) {
                (0 | 1, Some(sender)) => {
                    held_back += usize::from(held.iter().any(|(_, number)| *number == value));
                    assert!(sender.send(Rc::new(step)).is_ok(), "{at}");
                    value = step;
                    version += 1;
                    announce(&mut ends);
                }
                (2, Some(sender)) if held.iter().all(|(_, number)| *number != value) => {
                    let tells = random.below(2) == 0;
                    assert_eq!(
                        sender.send_if_modified(|place| {
                            *place = Rc::new(step);
                            tells
                        }),
                        tells
                    );
                    value = step;
                    if tells {
                        version += 1;
                        announce(&mut ends);
                    }
                }
                (3, Some(_)) if held.len() < 8 => held.push((reader.borrow(), value)),
                (4, _) if !held.is_empty() => {
                    let (old, number) = held.swap_remove(random.below(held.len()));
                    assert_eq!(**old, number, "{at}: it stays what it is");
                    let weak = Rc::downgrade(&old);
                    let is_last = number != value && held.iter().all(|(_, other)| *other != number);
                    drop(old);
                    assert_eq!(weak.upgrade().is_none(), is_last, "{at}");
                }
                (5, Some(sender)) if ends.len() < 60 => {
                    ends.push(End::new(sender.subscribe(), version));
                }
                (6, _) if ends.len() < 60 => {
                    let index = random.below(ends.len());
                    let seen = ends[index].seen;
                    let clone = ends[index].receiver().clone();
                    ends.push(End::new(clone, seen));
                }
                (7, _) if ends.len() > 1 => drop(ends.swap_remove(random.below(ends.len()))),
                (8, _) => {
                    let index = random.below(ends.len());
                    let end = &mut ends[index];
                    let seen = std::mem::replace(&mut end.seen, version);
                    let lent = end.receiver().borrow_and_update();
                    assert_eq!(
                        (**lent, lent.has_changed()),
                        (value, seen != version),
                        "{at}"
                    );
                }
                (9, _) => {
                    let index = random.below(ends.len());
                    ends[index].receiver().mark_changed();
                    ends[index].seen = version.wrapping_sub(1);
                }
                (10, _) if step > 250 && random.below(8) == 0 => {
                    if sender.take().is_some() {
                        announce(&mut ends);
                        ended += 1;
                    }
                }
                _ => {
                    let index = random.below(ends.len());
                    let end = &mut ends[index];
                    let waker = end.waker.clone();
                    let polled = poll_with(end.wait(), &waker);
                    let expected = match (end.seen != version, &sender) {
                        (true, _) => Poll::Ready(Ok(())),
                        (false, None) => Poll::Ready(Err(RecvError)),
                        (false, Some(_)) => Poll::Pending,
                    };
                    assert_eq!(polled, expected, "{at}");
                    end.is_in_line = polled.is_pending();
                    if polled == Poll::Ready(Ok(())) {
                        end.seen = version;
                    }
                }
            }
            let in_line = ends.iter().filter(|end| end.is_in_line).count();
            if let Some(sender) = &sender {
                assert_eq!(sender.stats().waiting, in_line, "{at}");
                assert_eq!(sender.receiver_count(), ends.len() + 1, "{at}");
                largest = largest.max(sender.stats().waiting_max);
            }
            assert_eq!(**reader.borrow(), value, "{at}");
            for end in &ends {
                assert_eq!(end.count.get(), end.wakes, "{at}");
            }
        }
    }
    assert!(
        largest > 8 && held_back > 50 && ended > 30,
        "{largest} {held_back} {ended}"
    );
}

/// All in line are told.
fn announce(ends: &mut [End]) {
    for end in ends {
        end.wakes += usize::from(std::mem::take(&mut end.is_in_line));
    }
}
