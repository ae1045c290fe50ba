//! Channels against a plain list with two lines of waiters, one step at a time.
//!
//! The steps are drawn from a seed: ends are cloned and dropped, values sent and received with and
//! without waiting, waits polled and cancelled, streams polled and left. After each step lengths, counts
//! and waiters agree, and whoever has something to see was woken.

mod support;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Count, poll, poll_with};
use tenter_sync::channel::{
    self, Receiver, RecvError, SendError, Sender, TryRecvError, TrySendError, WeakSender,
};

const RUNS: u64 = if cfg!(miri) { 6 } else { 1500 };
const STEPS: usize = 150;

/// A generator of numbers that look random (xorshift).
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % bound
    }
}

/// Whoever waits, or has waited, by the model's number.
type Id = usize;

/// What a channel has to do, written down plainly. A value is its number, too: they are numbered as
/// they go in.
#[derive(Default)]
struct Model {
    capacity: Option<usize>,
    /// With the number in order of which they went in.
    items: VecDeque<(usize, u32)>,
    numbers: usize,
    sending: VecDeque<(Id, u32)>,
    receiving: VecDeque<Id>,
    /// Who has a value that it has not looked at.
    handed: Vec<(Id, (usize, u32))>,
    /// Whose value has gone in, who has not looked.
    sent: Vec<Id>,
    is_closed: bool,
}

impl Model {
    fn has_room(&self) -> bool {
        match self.capacity {
            None => true,
            Some(0) => self.receiving.len() > self.items.len(),
            Some(capacity) => self.items.len() < capacity,
        }
    }

    fn push(&mut self, value: u32) {
        self.items.push_back((self.numbers, value));
        self.numbers += 1;
    }

    /// Hands over what can be.
    fn settle(&mut self) {
        loop {
            if !self.receiving.is_empty() && !self.items.is_empty() {
                let who = self.receiving.pop_front().unwrap();
                let item = self.items.pop_front().unwrap();
                self.handed.push((who, item));
            } else if !self.is_closed && self.has_room() && !self.sending.is_empty() {
                let (who, value) = self.sending.pop_front().unwrap();
                self.push(value);
                self.sent.push(who);
            } else {
                break;
            }
        }
        if self.is_closed {
            self.sending.clear();
            self.receiving.clear();
        }
    }

    fn try_send(&mut self, value: u32) -> Result<(), TrySendError<u32>> {
        if self.is_closed {
            return Err(TrySendError::Closed(value));
        }
        if !self.sending.is_empty() || !self.has_room() {
            return Err(TrySendError::Full(value));
        }
        self.push(value);
        self.settle();
        Ok(())
    }

    fn try_recv(&mut self) -> Result<u32, TryRecvError> {
        if self.receiving.is_empty() {
            if self.items.is_empty() && self.capacity == Some(0) {
                if let Some((who, value)) = self.sending.pop_front() {
                    self.push(value);
                    self.sent.push(who);
                }
            }
            if let Some((_, value)) = self.items.pop_front() {
                self.settle();
                return Ok(value);
            }
        }
        Err(if self.is_closed {
            TryRecvError::Ended
        } else {
            TryRecvError::Empty
        })
    }

    fn poll_send(&mut self, id: Id, value: u32) -> Poll<Result<(), SendError<u32>>> {
        if let Some(at) = self.sent.iter().position(|who| *who == id) {
            self.sent.remove(at);
            return Poll::Ready(Ok(()));
        }
        if self.is_closed {
            return Poll::Ready(Err(SendError(value)));
        }
        Poll::Pending
    }

    fn poll_recv(&mut self, id: Id) -> Poll<Result<u32, RecvError>> {
        if let Some(at) = self.handed.iter().position(|(who, _)| *who == id) {
            return Poll::Ready(Ok(self.handed.remove(at).1.1));
        }
        if self.receiving.contains(&id) {
            return Poll::Pending;
        }
        match self.try_recv() {
            Ok(value) => Poll::Ready(Ok(value)),
            Err(TryRecvError::Ended) => Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) => {
                self.receiving.push_back(id);
                Poll::Pending
            }
        }
    }

    fn leave(&mut self, id: Id) {
        self.sending.retain(|(who, _)| *who != id);
        self.sent.retain(|who| *who != id);
        self.receiving.retain(|who| *who != id);
        if let Some(at) = self.handed.iter().position(|(who, _)| *who == id) {
            let item = self.handed.remove(at).1;
            let stood = self.items.partition_point(|(number, _)| *number < item.0);
            self.items.insert(stood, item);
        }
        self.settle();
    }

    fn close(&mut self) {
        self.is_closed = true;
        self.settle();
    }

    /// Whether this one has nothing to see.
    fn waits(&self, id: Id) -> bool {
        self.receiving.contains(&id) || self.sending.iter().any(|(who, _)| *who == id)
    }
}

/// A wait that owns the end that it waits at.
struct Wait<R> {
    id: Id,
    value: u32,
    future: Pin<Box<dyn Future<Output = R>>>,
    waker: Waker,
    wakes: Arc<Count>,
}

/// A receiver that may wait as a stream.
struct Streaming {
    receiver: Receiver<u32>,
    id: Option<Id>,
    waker: Waker,
    wakes: Arc<Count>,
    seen: usize,
}

impl Streaming {
    fn new(receiver: Receiver<u32>) -> Self {
        let (waker, wakes) = Count::new();
        Self {
            receiver,
            id: None,
            waker,
            wakes,
            seen: 0,
        }
    }
}

/// The channel, and the model of it.
struct World {
    model: Model,
    senders: Vec<Sender<u32>>,
    receivers: Vec<Streaming>,
    sending: Vec<Wait<Result<(), SendError<u32>>>>,
    receiving: Vec<Wait<Result<u32, RecvError>>>,
    weak: WeakSender<u32>,
    next: u32,
}

impl World {
    fn new(capacity: Option<usize>) -> Self {
        let (sender, receiver) = match capacity {
            None => channel::unbounded(),
            Some(0) => channel::rendezvous(),
            Some(capacity) => channel::bounded(capacity),
        };
        let model = Model {
            capacity,
            ..Model::default()
        };
        Self {
            model,
            weak: sender.downgrade(),
            senders: vec![sender],
            receivers: vec![Streaming::new(receiver)],
            sending: Vec::new(),
            receiving: Vec::new(),
            next: 0,
        }
    }

    fn fresh(&mut self) -> u32 {
        self.next += 1;
        self.next
    }

    fn step(&mut self, draw: &mut Draw) {
        match draw.below(30) {
            0..4 => self.try_send(draw),
            4..8 => self.try_recv(draw),
            8..11 => self.begin_send(draw),
            11..14 => self.begin_recv(draw),
            14..18 => self.poll_or_drop_send(draw),
            18..22 => self.poll_or_drop_recv(draw),
            22..25 => self.poll_stream(draw),
            25 => self.recv_once(draw),
            26 => self.clone_or_upgrade(draw),
            27 => self.drop_sender(draw),
            28 => self.drop_receiver(draw),
            _ => self.close(draw),
        }
        self.tell_of_ends();
        self.agree();
    }

    fn try_send(&mut self, draw: &mut Draw) {
        let value = self.fresh();
        if !self.senders.is_empty() {
            let sender = &self.senders[draw.below(self.senders.len())];
            assert_eq!(sender.try_send(value), self.model.try_send(value));
        }
    }

    fn try_recv(&mut self, draw: &mut Draw) {
        if self.receivers.is_empty() {
            return;
        }
        let at = draw.below(self.receivers.len());
        let from = &mut self.receivers[at];
        if let Some(id) = from.id.filter(|id| !self.model.waits(*id)) {
            self.model.leave(id); // the stream gives way with what it was handed
            from.id = None;
        }
        assert_eq!(from.receiver.try_recv(), self.model.try_recv());
    }

    /// A `recv` that is polled once, on a receiver that may wait as a stream.
    fn recv_once(&mut self, draw: &mut Draw) {
        if self.receivers.is_empty() {
            return;
        }
        let fresh = self.fresh() as Id;
        let at = draw.below(self.receivers.len());
        let from = &mut self.receivers[at];
        if let Some(id) = from.id.take() {
            self.model.leave(id);
        }
        let expected = self.model.poll_recv(fresh);
        let mut future = Box::pin(from.receiver.recv());
        assert_eq!(poll(future.as_mut()), expected);
        self.model.leave(fresh);
    }

    fn begin_send(&mut self, draw: &mut Draw) {
        if self.senders.is_empty() {
            return;
        }
        let sender = self.senders[draw.below(self.senders.len())].clone();
        let value = self.fresh();
        let id = value as Id;
        let (waker, wakes) = Count::new();
        let mut future: Pin<Box<dyn Future<Output = _>>> =
            Box::pin(async move { sender.send(value).await });
        let expected = match self.model.try_send(value) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(TrySendError::Closed(value)) => Poll::Ready(Err(SendError(value))),
            Err(TrySendError::Full(value)) => {
                self.model.sending.push_back((id, value));
                Poll::Pending
            }
        };
        assert_eq!(poll_with(future.as_mut(), &waker), expected);
        if expected.is_pending() {
            self.sending.push(Wait {
                id,
                value,
                future,
                waker,
                wakes,
            });
        }
    }

    fn begin_recv(&mut self, draw: &mut Draw) {
        if self.receivers.is_empty() {
            return;
        }
        let at = draw.below(self.receivers.len());
        let receiver = self.receivers[at].receiver.clone();
        let value = self.fresh();
        let id = value as Id;
        let (waker, wakes) = Count::new();
        let mut future: Pin<Box<dyn Future<Output = _>>> =
            Box::pin(async move { receiver.recv().await });
        let expected = self.model.poll_recv(id);
        assert_eq!(poll_with(future.as_mut(), &waker), expected);
        if expected.is_pending() {
            self.receiving.push(Wait {
                id,
                value,
                future,
                waker,
                wakes,
            });
        }
    }

    fn poll_or_drop_send(&mut self, draw: &mut Draw) {
        if self.sending.is_empty() {
            return;
        }
        let at = draw.below(self.sending.len());
        let wait = &mut self.sending[at];
        let (id, value) = (wait.id, wait.value);
        if draw.below(3) == 0 {
            self.model.leave(id);
            drop(self.sending.swap_remove(at));
            return;
        }
        let polled = poll_with(wait.future.as_mut(), &wait.waker);
        assert_eq!(polled, self.model.poll_send(id, value));
        if polled.is_ready() {
            drop(self.sending.swap_remove(at));
        }
    }

    fn poll_or_drop_recv(&mut self, draw: &mut Draw) {
        if self.receiving.is_empty() {
            return;
        }
        let at = draw.below(self.receiving.len());
        let wait = &mut self.receiving[at];
        let id = wait.id;
        if draw.below(3) == 0 {
            self.model.leave(id);
            drop(self.receiving.swap_remove(at));
            return;
        }
        let polled = poll_with(wait.future.as_mut(), &wait.waker);
        assert_eq!(polled, self.model.poll_recv(id));
        if polled.is_ready() {
            drop(self.receiving.swap_remove(at));
        }
    }

    fn poll_stream(&mut self, draw: &mut Draw) {
        if self.receivers.is_empty() {
            return;
        }
        let fresh = self.fresh() as Id;
        let at = draw.below(self.receivers.len());
        let from = &mut self.receivers[at];
        let id = *from.id.get_or_insert(fresh);
        let mut cx = Context::from_waker(&from.waker);
        let polled = Pin::new(&mut from.receiver).poll_next(&mut cx);
        assert_eq!(polled, self.model.poll_recv(id).map(Result::ok));
        if polled.is_ready() {
            from.id = None;
        }
        from.seen = from.wakes.get();
    }

    fn clone_or_upgrade(&mut self, draw: &mut Draw) {
        if draw.below(2) == 0 {
            let there_is_one = !self.senders.is_empty() || !self.sending.is_empty();
            let upgraded = self.weak.upgrade();
            assert_eq!(upgraded.is_some(), there_is_one);
            self.senders.extend(upgraded);
        } else if let Some(from) = self.receivers.first() {
            self.receivers.push(Streaming::new(from.receiver.clone()));
        }
    }

    fn drop_sender(&mut self, draw: &mut Draw) {
        if !self.senders.is_empty() {
            let at = draw.below(self.senders.len());
            drop(self.senders.swap_remove(at));
        }
    }

    fn drop_receiver(&mut self, draw: &mut Draw) {
        if !self.receivers.is_empty() {
            let at = draw.below(self.receivers.len());
            let gone = self.receivers.swap_remove(at);
            if let Some(id) = gone.id {
                self.model.leave(id);
            }
        }
    }

    fn close(&mut self, draw: &mut Draw) {
        if draw.below(8) != 0 {
            return;
        }
        if let Some(sender) = self.senders.first() {
            sender.close();
            self.model.close();
        }
    }

    /// The model learns that a side is gone.
    fn tell_of_ends(&mut self) {
        if self.senders.is_empty() && self.sending.is_empty() {
            self.model.close();
        }
        if self.receivers.is_empty() && self.receiving.is_empty() {
            self.model.items.clear();
            self.model.close();
        }
    }

    fn agree(&self) {
        let model = &self.model;
        let counts = (
            self.senders.len() + self.sending.len(),
            self.receivers.len() + self.receiving.len(),
        );
        assert_eq!(
            (self.weak.sender_count(), self.weak.receiver_count()),
            counts
        );
        let stats = match (self.senders.first(), self.receivers.first()) {
            (Some(sender), _) => sender.stats(),
            (None, Some(from)) => from.receiver.stats(),
            (None, None) => return,
        };
        let seen = (stats.len, stats.sending, stats.receiving, stats.is_closed);
        let expected = (
            model.items.len(),
            model.sending.len(),
            model.receiving.len(),
            model.is_closed,
        );
        assert_eq!(seen, expected, "len, sending, receiving, closed");
        let of_sends = self.sending.iter().map(|wait| (wait.id, &wait.wakes));
        let of_recvs = self.receiving.iter().map(|wait| (wait.id, &wait.wakes));
        for (id, wakes) in of_sends.chain(of_recvs) {
            assert_eq!(
                wakes.get() == 0,
                model.waits(id),
                "woken when there is news"
            );
        }
        for from in &self.receivers {
            if from.id.is_some_and(|id| !model.waits(id)) {
                assert!(from.wakes.get() > from.seen, "woken when there is news");
            }
        }
    }
}

fn against_the_model(capacity: Option<usize>) {
    for seed in 1..=RUNS {
        let mut draw = Draw(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut world = World::new(capacity);
        for _ in 0..STEPS {
            world.step(&mut draw);
        }
    }
}

#[test]
fn unbounded() {
    against_the_model(None);
}

#[test]
fn rendezvous() {
    against_the_model(Some(0));
}

#[test]
fn one_place() {
    against_the_model(Some(1));
}

#[test]
fn three_places() {
    against_the_model(Some(3));
}
