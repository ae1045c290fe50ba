//! Those of kanal. An item goes to whoever waits longest, or a waiting sender's takes the place.

use kanal::{AsyncReceiver, AsyncSender, bounded_async, unbounded_async};

/// As many consumers as are wanted.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = AsyncSender<u64>;
    type Receiver = AsyncReceiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Bounded for Bounded {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        bounded_async(capacity)
    }
}

/// As many consumers as are wanted.
#[derive(Debug)]
pub struct Unbounded;

impl super::Channel for Unbounded {
    type Sender = AsyncSender<u64>;
    type Receiver = AsyncReceiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        unbounded_async()
    }
}
