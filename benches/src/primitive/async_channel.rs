//! Those of async-channel. Who waits is woken to try again, and a newcomer may pass.

use async_channel::{Receiver, Sender, bounded, unbounded};

/// As many consumers as are wanted.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Bounded for Bounded {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        bounded(capacity)
    }
}

/// As many consumers as are wanted.
#[derive(Debug)]
pub struct Unbounded;

impl super::Channel for Unbounded {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        unbounded()
    }
}
