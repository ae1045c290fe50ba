//! Those of flume. Under its lock an item goes to whoever waits longest, or a waiting sender's takes the place.

use flume::{Receiver, Sender, bounded, unbounded};

/// As many consumers as are wanted.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = Sender<u64>;
    type Receiver = Receiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender
            .send_async(value)
            .await
            .expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv_async().await.expect("a sender is there")
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
        sender.send(value).expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv_async().await.expect("a sender is there")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        unbounded()
    }
}
