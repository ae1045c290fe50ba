//! tokio's. It has no event and no condition: `Notify` stands for the one, with a lock for the other.

use std::future::Future;
use std::pin::pin;

use tokio::sync::{self, broadcast, mpsc, oneshot, watch};

/// In line.
pub type Lock = sync::Mutex<u64>;

impl super::Lock for Lock {
    type Guard<'a> = sync::MutexGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

/// In line, readers together.
pub type ReadLock = sync::RwLock<u64>;

impl super::ReadLock for ReadLock {
    type Guard<'a> = sync::RwLockReadGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn read(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.read()
    }
}

/// In line.
pub type Semaphore = sync::Semaphore;

impl super::Semaphore for Semaphore {
    type Permit<'a> = sync::SemaphorePermit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    async fn acquire(&self) -> Self::Permit<'_> {
        self.acquire().await.expect("nobody closes it")
    }
}

/// Has no state that stays set: whoever comes later waits for the next.
pub type Event = sync::Notify;

impl super::Event for Event {
    fn new() -> Self {
        Self::new()
    }

    fn set(&self) {
        self.notify_waiters();
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.notified()
    }

    fn signal(&self) {
        self.notify_one();
    }

    fn signalled(&self) -> impl Future<Output = ()> + Send {
        self.notified()
    }
}

/// Who waits registers under the lock and lets go of it before it sleeps.
#[derive(Debug)]
pub struct Turns {
    turn: sync::Mutex<bool>,
    given: sync::Notify,
}

impl super::Turns for Turns {
    fn new() -> Self {
        Self {
            turn: sync::Mutex::new(false),
            given: sync::Notify::new(),
        }
    }

    async fn turn(&self, mine: bool) {
        loop {
            let mut turn = self.turn.lock().await;
            if *turn == mine {
                *turn = !mine;
                self.given.notify_waiters();
                return;
            }
            let mut given = pin!(self.given.notified());
            given.as_mut().enable();
            drop(turn);
            given.await;
        }
    }
}

/// One consumer.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = mpsc::Sender<u64>;
    type Receiver = mpsc::Receiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).await.expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Bounded for Bounded {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        mpsc::channel(capacity)
    }
}

/// One consumer.
#[derive(Debug)]
pub struct Unbounded;

impl super::Channel for Unbounded {
    type Sender = mpsc::UnboundedSender<u64>;
    type Receiver = mpsc::UnboundedReceiver<u64>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.send(value).expect("the receiver is there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("a sender is there")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        mpsc::unbounded_channel()
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

/// A ring that overwrites.
#[derive(Debug)]
pub struct Broadcast;

impl super::Broadcast for Broadcast {
    type Sender = broadcast::Sender<u64>;
    type Receiver = broadcast::Receiver<u64>;

    fn new(capacity: usize) -> Self::Sender {
        broadcast::Sender::new(capacity)
    }

    fn subscribe(sender: &Self::Sender) -> Self::Receiver {
        sender.subscribe()
    }

    fn send(sender: &Self::Sender, value: u64) {
        sender.send(value).expect("receivers are there");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.recv().await.expect("nobody is late")
    }
}

/// The newest number.
#[derive(Debug)]
pub struct Watch;

impl super::Watch for Watch {
    type Sender = watch::Sender<u64>;
    type Receiver = watch::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        watch::channel(0)
    }

    fn send(sender: &Self::Sender, value: u64) {
        sender.send(value).expect("a receiver is there");
    }

    async fn changed(receiver: &mut Self::Receiver) -> u64 {
        receiver.changed().await.expect("the sender is there");
        *receiver.borrow_and_update()
    }
}
