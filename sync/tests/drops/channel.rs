//! Channels with many senders and many receivers.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Mutex;

use futures_core::Stream;
use tenter_sync::channel::{self, Receiver, Sender};

use crate::support::drops::{Boxed, Pocket, Scenario, Seen, touch};

/// A channel, what was sent into it for certain, and what came out.
struct Pipe {
    senders: Pocket<Sender<usize>>,
    receivers: Pocket<Receiver<usize>>,
    sent: Mutex<Vec<usize>>,
    got: Mutex<Vec<usize>>,
}

impl Pipe {
    fn new((sender, receiver): (Sender<usize>, Receiver<usize>)) -> Self {
        Self {
            senders: Pocket::new([sender.clone(), sender.clone(), sender]),
            receivers: Pocket::new([receiver.clone(), receiver.clone(), receiver]),
            sent: Mutex::default(),
            got: Mutex::default(),
        }
    }

    /// Room for one, which is taken.
    fn full() -> Self {
        let (sender, receiver) = channel::bounded(1);
        sender.try_send(0).unwrap();
        let pipe = Self::new((sender, receiver));
        pipe.sent.lock().unwrap().push(0);
        pipe
    }

    fn send(&self, value: usize) -> Boxed<'_> {
        Box::pin(async move {
            let sender = self.senders.lend();
            if sender.send(value).await.is_ok() {
                self.sent.lock().unwrap().push(value);
            }
        })
    }

    fn reserve(&self, value: usize) -> Boxed<'_> {
        Box::pin(async move {
            let sender = self.senders.lend();
            if let Ok(slot) = sender.reserve().await {
                slot.send(value).expect("the receivers stay until the end");
                self.sent.lock().unwrap().push(value);
            }
        })
    }

    fn recv(&self) -> Boxed<'_> {
        Box::pin(async move {
            let receiver = self.receivers.lend();
            if let Ok(value) = receiver.recv().await {
                self.got.lock().unwrap().push(value);
            }
        })
    }

    /// Takes one value as a stream, with an end of its own.
    fn stream(&self) -> Boxed<'_> {
        Box::pin(async move {
            let Some(mut receiver) = self.receivers.take() else {
                return;
            };
            let next = poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx)).await;
            self.got.lock().unwrap().extend(next);
        })
    }

    fn try_send(&self, value: usize) {
        let sender = self.senders.take();
        if let Some(sender) = sender {
            // With room the value is in at once, whoever panics then.
            self.sent.lock().unwrap().push(value);
            let sent = sender.try_send(value);
            self.senders.put([sender]);
            sent.expect("there is room");
        }
    }

    fn try_recv(&self) {
        let receiver = self.receivers.take();
        if let Some(receiver) = receiver {
            let value = receiver.try_recv();
            self.receivers.put([receiver]);
            self.got.lock().unwrap().extend(value);
        }
    }

    /// What went in came out, or is still there.
    fn assert_whole(&self, seen: &Seen) {
        let mut got = std::mem::take(&mut *self.got.lock().unwrap());
        if let Some(receiver) = self.receivers.take() {
            got.extend(std::iter::from_fn(|| receiver.try_recv().ok()));
            let stats = receiver.stats();
            assert_eq!((stats.sending, stats.receiving, stats.reserved), (0, 0, 0));
        }
        got.sort_unstable();
        let before = got.len();
        got.dedup();
        assert_eq!(got.len(), before, "nothing is there twice: {got:?}");
        for value in &*self.sent.lock().unwrap() {
            assert!(got.contains(value), "{value} is lost: {got:?} {seen:?}");
        }
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

fn receiving(name: &str, subject: impl for<'a> Fn(&'a Pipe) -> Boxed<'a> + 'static) {
    Scenario::new(name, || Pipe::new(channel::bounded(2)), subject)
        .other(Pipe::recv)
        .event(|pipe| pipe.try_send(1))
        .followed_by(|pipe| pipe.try_send(2))
        .finish(|pipe| pipe.senders.clear())
        .reenter(reenter)
        .whole(Pipe::assert_whole)
        .run();
}

#[test]
fn channel_recv() {
    receiving("channel::Receiver::recv", Pipe::recv);
}

#[test]
fn channel_stream() {
    receiving("channel::Receiver as a stream", Pipe::stream);
}

fn sending(name: &str, subject: impl for<'a> Fn(&'a Pipe) -> Boxed<'a> + 'static) {
    Scenario::new(name, Pipe::full, subject)
        .other(|pipe| pipe.send(2))
        .event(Pipe::try_recv)
        .followed_by(Pipe::try_recv)
        .finish(|pipe| {
            let receiver = pipe.receivers.take().expect("nobody keeps them");
            receiver.close();
            pipe.receivers.put([receiver]);
        })
        .reenter(reenter)
        .whole(Pipe::assert_whole)
        .run();
}

#[test]
fn channel_send() {
    sending("channel::Sender::send", |pipe| pipe.send(1));
}

#[test]
fn channel_reserve() {
    sending("channel::Sender::reserve", |pipe| pipe.reserve(1));
}

#[test]
fn rendezvous_recv() {
    Scenario::new(
        "channel::rendezvous, recv",
        || Pipe::new(channel::rendezvous()),
        Pipe::recv,
    )
    .other(|pipe| pipe.send(1))
    .event(Pipe::try_recv)
    .finish(|pipe| {
        let receiver = pipe.receivers.take().expect("nobody keeps them");
        receiver.close();
        pipe.receivers.put([receiver]);
    })
    .reenter(reenter)
    .whole(Pipe::assert_whole)
    .run();
}

#[test]
fn rendezvous_send() {
    Scenario::new(
        "channel::rendezvous, send",
        || Pipe::new(channel::rendezvous()),
        |pipe| pipe.send(1),
    )
    .other(Pipe::recv)
    .event(Pipe::try_recv)
    .finish(|pipe| {
        let receiver = pipe.receivers.take().expect("nobody keeps them");
        receiver.close();
        pipe.receivers.put([receiver]);
    })
    .reenter(reenter)
    .whole(Pipe::assert_whole)
    .run();
}

#[test]
fn channel_closed() {
    Scenario::new(
        "channel::Sender::closed",
        || Pipe::new(channel::bounded(1)),
        |pipe| {
            Box::pin(async {
                let sender = pipe.senders.lend();
                sender.closed().await;
            })
        },
    )
    .other(|pipe| {
        Box::pin(async {
            let sender = pipe.senders.lend();
            sender.closed().await;
        })
    })
    .event(|pipe| drop(pipe.receivers.take()))
    .followed_by(|pipe| pipe.receivers.clear())
    .whole(|pipe, _| {
        let sender = pipe.senders.lend();
        assert!(sender.is_closed() && sender.try_send(1).is_err());
    })
    .run();
}
