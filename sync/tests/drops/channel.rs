//! Channels with many senders and many receivers: each value has one fate, and the line is left.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;
use tenter_sync::channel::{self, Receiver, Sender};

use crate::items::{Fate, Item, Ledger};
use crate::support::drops::{Boxed, Pocket, Scenario, Seen, touch};

/// A channel, and what became of its values.
struct Pipe {
    senders: Pocket<Sender<Item>>,
    receivers: Pocket<Receiver<Item>>,
    ledger: Arc<Ledger>,
}

type Make = for<'a> fn(&'a Pipe) -> Boxed<'a>;

impl Pipe {
    fn new((sender, receiver): (Sender<Item>, Receiver<Item>)) -> Self {
        Self {
            senders: Pocket::new([sender.clone(), sender.clone(), sender]),
            receivers: Pocket::new([receiver.clone(), receiver.clone(), receiver]),
            ledger: Arc::default(),
        }
    }

    fn of_two() -> Self {
        Self::new(channel::bounded(2))
    }

    fn of_any_number() -> Self {
        Self::new(channel::unbounded())
    }

    fn without_room() -> Self {
        Self::new(channel::rendezvous())
    }

    /// Room for one, which is taken by value 0.
    fn full() -> Self {
        let pipe = Self::new(channel::bounded(1));
        pipe.try_send(0);
        pipe
    }

    fn send(&self, number: usize) -> Boxed<'_> {
        let value = self.ledger.item(number);
        Box::pin(async move {
            let sender = self.senders.lend();
            if let Err(refused) = sender.send(value).await {
                refused.0.meets(Fate::Returned);
            }
        })
    }

    fn send_many(&self, numbers: [usize; 2]) -> Boxed<'_> {
        let values = numbers.map(|number| self.ledger.item(number));
        Box::pin(async move {
            let sender = self.senders.lend();
            if let Err(refused) = sender.send_many(values).await {
                let rest = refused.0.into_iter();
                rest.for_each(|value| value.meets(Fate::Returned));
            }
        })
    }

    fn reserve(&self, number: usize) -> Boxed<'_> {
        let value = self.ledger.item(number);
        Box::pin(async move {
            let sender = self.senders.lend();
            if let Ok(slot) = sender.reserve().await {
                if let Err(refused) = slot.send(value) {
                    refused.0.meets(Fate::Returned);
                }
            } else {
                value.meets(Fate::Returned);
            }
        })
    }

    fn recv(&self) -> Boxed<'_> {
        Box::pin(async move {
            let receiver = self.receivers.lend();
            if let Ok(value) = receiver.recv().await {
                value.meets(Fate::Got);
            }
        })
    }

    fn recv_many(&self) -> Boxed<'_> {
        Box::pin(async move {
            let (receiver, mut values) = (self.receivers.lend(), Vec::new());
            if let Ok(count) = receiver.recv_many(&mut values, 2).await {
                assert_eq!(values.len(), count);
            }
            values.into_iter().for_each(|value| value.meets(Fate::Got));
        })
    }

    /// Takes one value as a stream, with an end of its own.
    fn stream(&self) -> Boxed<'_> {
        Box::pin(async move {
            let Some(mut receiver) = self.receivers.take() else {
                return;
            };
            let next = poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx)).await;
            next.into_iter().for_each(|value| value.meets(Fate::Got));
        })
    }

    fn closed(&self) -> Boxed<'_> {
        Box::pin(async {
            let sender = self.senders.lend();
            sender.closed().await;
        })
    }

    fn try_send(&self, number: usize) {
        if let Some(sender) = self.senders.take() {
            let sent = sender.try_send(self.ledger.item(number));
            self.senders.put([sender]);
            if let Err(refused) = sent {
                refused.into_inner().meets(Fate::Returned);
            }
        }
    }

    fn try_recv(&self) {
        if let Some(receiver) = self.receivers.take() {
            let value = receiver.try_recv();
            self.receivers.put([receiver]);
            if let Ok(value) = value {
                value.meets(Fate::Got);
            }
        }
    }

    fn close(&self) {
        let receiver = self.receivers.take().expect("nobody keeps them");
        receiver.close();
        self.receivers.put([receiver]);
    }

    /// Nobody waits, and every value has met one fate; what the subject wanted to send may be dropped, if
    /// it did not complete.
    fn assert_whole(&self, seen: &Seen, of_subject: &[usize]) {
        if let Some(receiver) = self.receivers.take() {
            let stats = receiver.stats();
            assert_eq!((stats.sending, stats.receiving, stats.reserved), (0, 0, 0));
            let kept: Vec<_> = std::iter::from_fn(|| receiver.try_recv().ok()).collect();
            assert_eq!(kept.len(), stats.len);
            kept.into_iter().for_each(|value| value.meets(Fate::Kept));
        }
        let is_given_up = |number| of_subject.contains(&number) && !seen.subject;
        self.ledger
            .assert_each_has_one(|number| is_given_up(number) || seen.broken > 0);
    }

    /// A leaked future may keep so many values, and a place, and nothing else.
    fn assert_others_whole(&self, of_subject: usize) {
        if let Some(receiver) = self.receivers.take() {
            assert!(receiver.stats().reserved <= 1, "{:?}", receiver.stats());
            while let Ok(value) = receiver.try_recv() {
                value.meets(Fate::Kept);
            }
        }
        let missing = self.ledger.missing();
        assert!(missing <= of_subject, "{missing} are missing");
    }
}

/// Uses the channel from within a waker.
fn reenter(pipe: &Pipe) {
    let receiver = pipe.receivers.take();
    if let Some(receiver) = receiver {
        touch(async { drop(receiver.clone()) });
        assert!(!format!("{:?} {receiver:?}", receiver.stats()).is_empty());
        pipe.receivers.put([receiver]);
    }
}

/// Values come, and then the senders go.
fn receiving(name: &str, build: fn() -> Pipe, subject: Make) {
    Scenario::new(format!("channel, {name}"), build, subject)
        .other(Pipe::recv)
        .event(|pipe| pipe.try_send(1))
        .followed_by(|pipe| pipe.try_send(2))
        .finish(|pipe| pipe.senders.clear())
        .reenter(reenter)
        .whole(|pipe, seen| pipe.assert_whole(seen, &[]))
        .after_leak(|pipe, _| pipe.assert_others_whole(2))
        .run();
}

#[test]
fn channel_recv() {
    receiving("recv of a bounded", Pipe::of_two, Pipe::recv);
    receiving("recv of an unbounded", Pipe::of_any_number, Pipe::recv);
    receiving("recv without room", Pipe::without_room, Pipe::recv);
}

#[test]
fn channel_recv_many() {
    receiving("recv_many of a bounded", Pipe::of_two, Pipe::recv_many);
    receiving(
        "recv_many without room",
        Pipe::without_room,
        Pipe::recv_many,
    );
}

#[test]
fn channel_stream() {
    receiving("stream of a bounded", Pipe::of_two, Pipe::stream);
    receiving("stream without room", Pipe::without_room, Pipe::stream);
}

fn sending_subjects() -> [(&'static str, Make); 3] {
    [
        ("send", |pipe| pipe.send(1)),
        ("reserve", |pipe| pipe.reserve(1)),
        ("send_many", |pipe| pipe.send_many([1, 3])),
    ]
}

/// Room comes twice; then it is closed, by those who may still receive.
#[test]
fn channel_senders() {
    for (name, subject) in sending_subjects() {
        Scenario::new(
            format!("channel, {name} into a full one"),
            Pipe::full,
            subject,
        )
        .other(|pipe| pipe.send(2))
        .event(Pipe::try_recv)
        .followed_by(Pipe::try_recv)
        .finish(Pipe::close)
        .reenter(reenter)
        .whole(|pipe, seen| pipe.assert_whole(seen, &[1, 3]))
        .after_leak(|pipe, _| pipe.assert_others_whole(2))
        .run();
    }
}

/// All receivers go, and what is in it goes with them.
#[test]
fn channel_senders_without_receivers() {
    for build in [Pipe::full, Pipe::of_any_number, Pipe::without_room] {
        for (name, subject) in sending_subjects() {
            Scenario::new(format!("channel, {name} to nobody"), build, subject)
                .other(|pipe| pipe.send(2))
                .event(|pipe| pipe.receivers.clear())
                .settled(|_, seen| assert_eq!(seen.others + seen.broken, 1))
                .whole(|pipe, _| {
                    assert!(pipe.senders.lend().is_closed());
                    // What was sent is dropped with the channel's last receiver.
                    pipe.ledger.assert_each_has_one(|_| true);
                })
                .after_leak(|pipe, _| pipe.assert_others_whole(2))
                .run();
        }
    }
}

/// Both meet, or somebody looks whether there is one.
#[test]
fn rendezvous() {
    let subjects: [(&str, Make, Make); 6] = [
        ("recv", Pipe::recv, |pipe| pipe.send(2)),
        ("recv_many", Pipe::recv_many, |pipe| pipe.send(2)),
        ("recv of a reserved", Pipe::recv, |pipe| pipe.reserve(2)),
        ("send", |pipe| pipe.send(1), Pipe::recv),
        ("reserve", |pipe| pipe.reserve(1), Pipe::recv),
        ("send_many", |pipe| pipe.send_many([1, 3]), Pipe::recv),
    ];
    for (name, subject, other) in subjects {
        Scenario::new(format!("rendezvous, {name}"), Pipe::without_room, subject)
            .other(other)
            .event(Pipe::try_recv)
            .finish(Pipe::close)
            .reenter(reenter)
            .whole(|pipe, seen| pipe.assert_whole(seen, &[1, 3]))
            .after_leak(|pipe, _| pipe.assert_others_whole(2))
            .run();
    }
}

#[test]
fn channel_closed() {
    let build = || Pipe::new(channel::bounded(1));
    Scenario::new("channel::Sender::closed", build, Pipe::closed)
        .other(Pipe::closed)
        .event(|pipe| drop(pipe.receivers.take()))
        .followed_by(|pipe| pipe.receivers.clear())
        .whole(|pipe, _| {
            assert!(pipe.senders.lend().is_closed());
            pipe.try_send(1);
            assert_eq!(pipe.ledger.count(Fate::Returned), 1);
        })
        .run();
}
