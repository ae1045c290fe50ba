//! Those of crossfire, in the form that is made for the number of ends. Who waits is woken to try again,
//! and a newcomer may pass. It spins, and is told what machine it spins on.

use crossfire::{AsyncRx, MAsyncRx, MAsyncTx, MTx, detect_backoff_cfg, mpmc, mpsc, oneshot};

/// One consumer.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = MAsyncTx<mpsc::Array<u64>>;
    type Receiver = AsyncRx<mpsc::Array<u64>>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Bounded for Bounded {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        detect_backoff_cfg();
        mpsc::bounded_async(capacity)
    }
}

/// Many consumers.
#[derive(Debug)]
pub struct Many;

impl super::Channel for Many {
    type Sender = MAsyncTx<mpmc::Array<u64>>;
    type Receiver = MAsyncRx<mpmc::Array<u64>>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Bounded for Many {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        detect_backoff_cfg();
        mpmc::bounded_async(capacity)
    }
}

/// One consumer.
#[derive(Debug)]
pub struct Unbounded;

impl super::Channel for Unbounded {
    type Sender = MTx<mpsc::List<u64>>;
    type Receiver = AsyncRx<mpsc::List<u64>>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        detect_backoff_cfg();
        mpsc::unbounded_async()
    }
}

/// One allocation for both ends.
#[derive(Debug)]
pub struct Oneshot;

impl super::Oneshot for Oneshot {
    type Sender = oneshot::TxOneshot<u64>;
    type Receiver = oneshot::RxOneshot<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        oneshot::oneshot()
    }

    fn send(sender: Self::Sender, value: u64) {
        sender.send(value);
    }

    async fn receive(receiver: Self::Receiver) -> u64 {
        receiver.await.expect("the sender sends")
    }
}
