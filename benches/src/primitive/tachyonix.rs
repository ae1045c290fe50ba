//! That of tachyonix. Who waits is woken to try again, and a newcomer may pass.

use tachyonix::{Receiver, Sender, channel};

/// One consumer.
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
        channel(capacity)
    }
}
