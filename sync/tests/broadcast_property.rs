//! `broadcast` against a list that everybody reads.

mod support;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Count, poll_with};
use tenter_sync::broadcast;
use tenter_sync::broadcast::{Lagged, Receiver, RecvError, Sender, TryRecvError};

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

/// A number, counted while it is alive.
struct Value(usize, Arc<AtomicUsize>);

impl Value {
    fn new(number: usize, alive: &Arc<AtomicUsize>) -> Self {
        alive.fetch_add(1, Ordering::Relaxed);
        Self(number, Arc::clone(alive))
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self::new(self.0, &self.1)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One receiver, and what the model knows of it.
struct Reader {
    receiver: Receiver<Value>,
    /// How many values it has had or lost, counted from the first that was sent.
    next: usize,
    /// Its stream is in line.
    waits: bool,
    wakes: usize,
    waker: Waker,
    count: Arc<Count>,
}

impl Reader {
    fn new(receiver: Receiver<Value>, next: usize) -> Self {
        let (waker, count) = Count::new();
        Self {
            receiver,
            next,
            waits: false,
            wakes: 0,
            waker,
            count,
        }
    }

    /// What a receive gives, by the model.
    fn expect(
        &mut self,
        sent: usize,
        capacity: usize,
        closed: bool,
    ) -> Result<usize, TryRecvError> {
        let lost = (sent - self.next).saturating_sub(capacity);
        self.next += lost;
        match sent - self.next {
            _ if lost > 0 => Err(TryRecvError::Lagged(lost as u64)),
            0 if closed => Err(TryRecvError::Closed),
            0 => Err(TryRecvError::Empty),
            _ => {
                self.next += 1;
                Ok(self.next - 1)
            }
        }
    }

    /// A receive by the one or the other way. What it gave; a wait that is given up is Empty.
    fn receive(&mut self, way: usize) -> Result<usize, TryRecvError> {
        match way {
            0 => self.receiver.try_recv().map(|value| value.0),
            1 => {
                let mut wait = Box::pin(self.receiver.recv());
                match poll_with(wait.as_mut(), &self.waker) {
                    Poll::Ready(received) => Ok(received?.0),
                    Poll::Pending => Err(TryRecvError::Empty),
                }
            }
            _ => {
                let mut cx = Context::from_waker(&self.waker);
                match Pin::new(&mut self.receiver).poll_next(&mut cx) {
                    Poll::Ready(Some(Ok(value))) => Ok(value.0),
                    Poll::Ready(Some(Err(Lagged(lost)))) => Err(TryRecvError::Lagged(lost)),
                    Poll::Ready(None) => Err(TryRecvError::Closed),
                    Poll::Pending => {
                        self.waits = true;
                        Err(TryRecvError::Empty)
                    }
                }
            }
        }
    }
}

struct Trial {
    random: Random,
    capacity: usize,
    senders: Vec<Sender<Value>>,
    readers: Vec<Reader>,
    sent: usize,
    alive: Arc<AtomicUsize>,
}

impl Trial {
    fn new(seed: u64) -> Self {
        let capacity = 1 + seed as usize % 7;
        let (sender, receiver) = broadcast(capacity);
        Self {
            random: Random(seed),
            capacity,
            senders: vec![sender],
            readers: vec![Reader::new(receiver, 0)],
            sent: 0,
            alive: Arc::default(),
        }
    }

    fn tell(&mut self) {
        for reader in &mut self.readers {
            reader.wakes += usize::from(std::mem::take(&mut reader.waits));
        }
    }

    fn step(&mut self, at: &str) {
        let choice = self.random.below(20);
        let sender = self.random.below(self.senders.len().max(1));
        match choice {
            0..=6 if !self.senders.is_empty() => {
                let outcome = self.senders[sender].send(Value::new(self.sent, &self.alive));
                if self.readers.is_empty() {
                    assert_eq!(outcome.err().map(|back| back.0.0), Some(self.sent), "{at}");
                } else {
                    assert_eq!(outcome.ok(), Some(self.readers.len()), "{at}");
                    self.sent += 1;
                    self.tell();
                }
            }
            7 if !self.senders.is_empty() && self.readers.len() < 50 => {
                let receiver = self.senders[sender].subscribe();
                self.readers.push(Reader::new(receiver, self.sent));
            }
            8 if !self.readers.is_empty() => {
                let reader = self.random.below(self.readers.len());
                drop(self.readers.swap_remove(reader));
            }
            9 if !self.senders.is_empty() && self.senders.len() < 4 => {
                self.senders.push(self.senders[sender].clone());
            }
            10 if !self.senders.is_empty() && self.random.below(8) == 0 => {
                drop(self.senders.swap_remove(sender));
                if self.senders.is_empty() {
                    self.tell();
                }
            }
            _ if !self.readers.is_empty() => {
                let reader = self.random.below(self.readers.len());
                let way = self.random.below(3);
                let reader = &mut self.readers[reader];
                let received = reader.receive(way);
                let expected = reader.expect(self.sent, self.capacity, self.senders.is_empty());
                assert_eq!(received, expected, "{at}, way {way}");
            }
            _ => {}
        }
    }

    fn check(&self, at: &str) {
        let oldest = self.readers.iter().map(|reader| reader.next).min();
        let kept = oldest.map_or(0, |oldest| (self.sent - oldest).min(self.capacity));
        assert_eq!(
            self.alive.load(Ordering::Relaxed),
            kept,
            "{at}: values alive"
        );
        for reader in &self.readers {
            let behind = self.sent - reader.next;
            assert_eq!(reader.receiver.len(), behind.min(self.capacity), "{at}");
            assert_eq!(
                reader.receiver.missed() as usize,
                behind.saturating_sub(self.capacity),
                "{at}"
            );
            assert_eq!(reader.count.get(), reader.wakes, "{at}: wakes");
            assert_eq!(reader.receiver.is_closed(), self.senders.is_empty(), "{at}");
        }
        if let Some(sender) = self.senders.first() {
            let stats = sender.stats();
            let waiting = self.readers.iter().filter(|reader| reader.waits).count();
            assert_eq!((stats.len, stats.waiting), (kept, waiting), "{at}");
            assert_eq!(stats.receivers, self.readers.len(), "{at}");
            assert_eq!(stats.senders, self.senders.len(), "{at}");
            assert_eq!(
                (stats.sent, stats.cells_added),
                (self.sent as u64, 0),
                "{at}"
            );
        }
    }
}

/// Goal: any sequence of calls gives what a list would, at which everybody has a place of his own;
/// and exactly those values live that somebody still can have.
/// Method: 300 random sequences of sends, receives by three ways, new and dropped ends, compared
/// after every step with the model: results, lengths, wakes, values alive.
#[test]
fn any_sequence_agrees_with_a_list() {
    for seed in 0..300 {
        let mut trial = Trial::new(seed);
        for step in 0..500 {
            let at = format!("seed {seed}, step {step}");
            trial.step(&at);
            trial.check(&at);
        }
    }
}

/// Goal: on real threads every receiver sees increasing numbers of each sender, and the numbers
/// that it saw and those that it was told it lost are all that were sent.
#[test]
fn nothing_is_lost_that_is_not_reported() {
    const EACH: usize = 3000;
    for capacity in [1, 3, 64] {
        let (sender, first) = broadcast::<(usize, Box<usize>)>(capacity);
        let mut receivers: VecDeque<_> = (0..2).map(|_| first.resubscribe()).collect();
        receivers.push_back(first);
        std::thread::scope(|threads| {
            for (index, mut receiver) in receivers.drain(..).enumerate() {
                threads.spawn(move || {
                    let (mut last, mut seen) = ([None; 2], 0);
                    loop {
                        let received = match index {
                            0 => receiver.try_recv(),
                            _ => receiver.blocking_recv().map_err(TryRecvError::from),
                        };
                        match received {
                            Ok((from, number)) => {
                                assert!(last[from] < Some(*number), "in order");
                                last[from] = Some(*number);
                                seen += 1;
                            }
                            Err(TryRecvError::Lagged(lost)) => seen += lost as usize,
                            Err(TryRecvError::Empty) => std::thread::yield_now(),
                            Err(TryRecvError::Closed) => break,
                        }
                    }
                    assert_eq!(seen, 2 * EACH, "capacity {capacity}");
                });
            }
            let another = sender.clone();
            for (from, sender) in [sender, another].into_iter().enumerate() {
                threads.spawn(move || {
                    for number in 0..EACH {
                        assert_eq!(sender.send((from, Box::new(number))).ok(), Some(3));
                    }
                });
            }
        });
    }
}

/// The futures are what they say: a receive can be moved to another thread while it waits.
#[test]
fn a_waiting_receive_may_change_threads() {
    fn sent<F: Future + Send>(_: &F) {}
    let (sender, mut receiver) = broadcast(1);
    let mut wait = Box::pin(receiver.recv());
    sent(&wait);
    let (waker, count) = Count::new();
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    std::thread::scope(|threads| {
        threads.spawn(move || {
            sender.send(7).unwrap();
            assert_eq!(poll_with(wait.as_mut(), Waker::noop()), Poll::Ready(Ok(7)));
            assert_eq!(
                poll_with(wait.as_mut(), Waker::noop()),
                Poll::Pending,
                "the next one"
            );
            drop(sender);
            assert_eq!(
                poll_with(wait.as_mut(), Waker::noop()),
                Poll::Ready(Err(RecvError::Closed))
            );
        });
    });
    assert_eq!(count.get(), 1);
}
