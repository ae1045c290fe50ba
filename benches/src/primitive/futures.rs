//! The mutex of futures-util, where whoever comes when it is free has it, and the channels of
//! futures-channel, where each sender has a place of its own beside the common ones.

use std::future::Future;

use futures_channel::{mpsc, oneshot};
use futures_util::lock::{Mutex, MutexGuard};
use futures_util::{SinkExt, StreamExt};

/// A mutex.
pub type Lock = Mutex<u64>;

impl super::Lock for Lock {
    type Guard<'a> = MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

/// One consumer.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        // As `send`, without a flush that waits until all was taken.
        sender.feed(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.next().await.expect("a sender is there")
    }
}

impl super::Bounded for Bounded {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        // The first sender's own place is one of them.
        mpsc::channel(capacity - 1)
    }
}

/// One consumer.
#[derive(Debug)]
pub struct Unbounded;

impl super::Channel for Unbounded {
    type Sender = mpsc::UnboundedSender<u64>;
    type Receiver = mpsc::UnboundedReceiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.unbounded_send(value).expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.next().await.expect("a sender is there")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        mpsc::unbounded()
    }
}

/// One allocation for both ends.
#[derive(Debug)]
pub struct Oneshot;

impl super::Oneshot for Oneshot {
    type Sender = oneshot::Sender<u64>;
    type Receiver = oneshot::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        oneshot::channel()
    }

    fn send(sender: Self::Sender, value: u64) {
        // A receiver that is gone is the receiver's affair.
        let _ = sender.send(value);
    }

    async fn receive(receiver: Self::Receiver) -> u64 {
        receiver.await.expect("the sender sends")
    }
}
