//! tenter's.

use std::future::Future;
use std::sync::Arc;

use tenter::sync;

/// In line.
pub type Lock = sync::Lock<u64>;

impl super::Lock for Lock {
    type Guard<'a> = sync::LockGuard<'a, u64>;

    fn new() -> Self {
        Self::new(0)
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.lock()
    }
}

/// Whoever waits may lose once.
#[derive(Debug)]
pub struct UnfairLock(sync::Lock<u64>);

impl super::Lock for UnfairLock {
    type Guard<'a> = sync::LockGuard<'a, u64>;

    fn new() -> Self {
        Self(sync::Lock::unfair(0))
    }

    fn lock(&self) -> impl Future<Output = Self::Guard<'_>> + Send {
        self.0.lock()
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
    type Permit<'a> = sync::Permit<'a>;

    fn new(permits: usize) -> Self {
        Self::new(permits)
    }

    async fn acquire(&self) -> Self::Permit<'_> {
        self.acquire().await.expect("nobody closes it")
    }
}

/// Stays set until it is cleared.
pub type Event = sync::Event;

impl super::Event for Event {
    fn new() -> Self {
        Self::new()
    }

    fn set(&self) {
        self.set();
    }

    fn wait(&self) -> impl Future<Output = ()> + Send {
        self.wait()
    }

    fn signal(&self) {
        self.set();
    }

    async fn signalled(&self) {
        self.wait().await;
        self.clear();
    }
}

/// A condition.
#[derive(Debug)]
pub struct Turns {
    turn: sync::Lock<bool>,
    given: sync::Condition,
}

impl super::Turns for Turns {
    fn new() -> Self {
        Self {
            turn: sync::Lock::new(false),
            given: sync::Condition::new(),
        }
    }

    async fn turn(&self, mine: bool) {
        let mut turn = self.turn.lock().await;
        while *turn != mine {
            turn = self.given.wait(turn).await;
        }
        *turn = !mine;
        self.given.notify(&turn, 1);
    }
}

/// One allocation for both ends.
#[derive(Debug)]
pub struct Oneshot;

impl super::Oneshot for Oneshot {
    type Sender = sync::oneshot::Sender<u64>;
    type Receiver = sync::oneshot::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        sync::oneshot()
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
    type Sender = sync::broadcast::Sender<u64>;
    type Receiver = sync::broadcast::Receiver<u64>;

    fn new(capacity: usize) -> Self::Sender {
        sync::broadcast::Sender::new(capacity)
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
    type Sender = sync::watch::Sender<u64>;
    type Receiver = sync::watch::Receiver<u64>;

    fn new() -> (Self::Sender, Self::Receiver) {
        sync::watch(0)
    }

    fn send(sender: &Self::Sender, value: u64) {
        sender.send(value).expect("a receiver is there");
    }

    async fn changed(receiver: &mut Self::Receiver) -> u64 {
        receiver.changed().await.expect("the sender is there");
        *receiver.borrow_and_update()
    }
}

/// By reference, so both ends are the queue.
#[derive(Debug)]
pub struct Bounded;

impl super::Channel for Bounded {
    type Sender = Arc<sync::Queue<u64>>;
    type Receiver = Arc<sync::Queue<u64>>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.put(value).await.expect("nobody shuts it down");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.get().await.expect("nobody shuts it down")
    }
}

impl super::Bounded for Bounded {
    fn new(capacity: usize) -> (Self::Sender, Self::Receiver) {
        let queue = Arc::new(sync::Queue::bounded(capacity));
        (Arc::clone(&queue), queue)
    }
}

/// The same without bounds.
#[derive(Debug)]
pub struct Unbounded;

impl super::Channel for Unbounded {
    type Sender = Arc<sync::Queue<u64>>;
    type Receiver = Arc<sync::Queue<u64>>;

    async fn send(sender: &mut Self::Sender, value: u64) {
        sender.put(value).await.expect("nobody shuts it down");
    }

    async fn receive(receiver: &mut Self::Receiver) -> u64 {
        receiver.get().await.expect("nobody shuts it down")
    }
}

impl super::Unbounded for Unbounded {
    fn new() -> (Self::Sender, Self::Receiver) {
        let queue = Arc::new(sync::Queue::unbounded());
        (Arc::clone(&queue), queue)
    }
}
