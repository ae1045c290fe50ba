//! Broadcast, watch and `Shared`.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tenter_sync::{Shared, broadcast, watch};

use crate::support::drops::{Boxed, Pocket, Scenario, then, touch};
use crate::support::yield_now;

/// A broadcast of two messages to two receivers.
struct Radio {
    sender: Pocket<broadcast::Sender<Message>>,
    receivers: [Pocket<broadcast::Receiver<Message>>; 2],
    heard: [Mutex<Vec<usize>>; 2],
    /// Counts the messages that are somewhere.
    alive: Arc<()>,
}

type Message = (usize, Arc<()>);

impl Radio {
    fn new() -> Self {
        let (sender, receiver) = broadcast(4);
        Self {
            receivers: [Pocket::new([sender.subscribe()]), Pocket::new([receiver])],
            sender: Pocket::new([sender]),
            heard: Default::default(),
            alive: Arc::default(),
        }
    }

    /// Listens until the sender is gone.
    fn listen(&self, who: usize) -> Boxed<'_> {
        Box::pin(async move {
            let mut receiver = self.receivers[who].lend();
            while let Ok((message, _)) = receiver.recv().await {
                self.heard[who].lock().unwrap().push(message);
            }
        })
    }

    fn send(&self, message: usize) {
        let sender = self.sender.lend();
        let _ = sender.send((message, Arc::clone(&self.alive)));
    }

    /// What a dropped wait has not taken is still there, and in order; and all is dropped in the end.
    fn assert_whole(&self) {
        for who in 0..2 {
            let mut heard = self.heard[who].lock().unwrap().clone();
            let mut receiver = self.receivers[who].lend();
            while let Ok((message, _)) = receiver.try_recv() {
                heard.push(message);
            }
            assert_eq!(heard, [1, 2], "receiver {who}");
        }
        self.sender.clear();
        self.receivers.iter().for_each(Pocket::clear);
        assert_eq!(Arc::strong_count(&self.alive), 1, "a message is left");
    }
}

#[test]
fn broadcast_recv() {
    Scenario::new("broadcast::Receiver::recv", Radio::new, |radio| {
        radio.listen(0)
    })
    .other(|radio| radio.listen(1))
    .polled_again()
    .event(|radio| radio.send(1))
    .followed_by(|radio| radio.send(2))
    .finish(|radio| radio.sender.clear())
    .reenter(|radio| {
        let sender = radio.sender.take();
        if let Some(sender) = sender {
            touch(async {
                let mut late = sender.subscribe();
                let _ = late.recv().await;
            });
            assert!(!format!("{:?}", sender.stats()).is_empty());
            radio.sender.put([sender]);
        }
    })
    .whole(|radio, _| radio.assert_whole())
    .run();
}

#[test]
fn broadcast_closed() {
    Scenario::new("broadcast::Sender::closed", Radio::new, |radio| {
        Box::pin(async {
            let sender = radio.sender.lend();
            sender.closed().await;
        })
    })
    .event(|radio| radio.receivers[0].clear())
    .event(|radio| radio.receivers[1].clear())
    .whole(|radio, _| assert_eq!(radio.sender.lend().receiver_count(), 0))
    .run();
}

/// A value that changes twice, and two who watch it.
struct Dial {
    sender: Pocket<watch::Sender<usize>>,
    receivers: [Pocket<watch::Receiver<usize>>; 2],
    seen: [AtomicUsize; 2],
}

impl Dial {
    fn new() -> Self {
        let (sender, receiver) = watch(0);
        Self {
            receivers: [Pocket::new([receiver.clone()]), Pocket::new([receiver])],
            sender: Pocket::new([sender]),
            seen: Default::default(),
        }
    }

    fn watch(&self, who: usize) -> Boxed<'_> {
        Box::pin(async move {
            let mut receiver = self.receivers[who].lend();
            while receiver.changed().await.is_ok() {
                let seen = *receiver.borrow_and_update();
                let before = self.seen[who].swap(seen, Ordering::Relaxed);
                assert!(before < seen, "{before} to {seen}");
            }
        })
    }

    fn turn(&self, value: usize) {
        let sender = self.sender.lend();
        let _ = sender.send(value);
    }

    fn assert_whole(&self) {
        for who in 0..2 {
            let receiver = self.receivers[who].lend();
            assert_eq!(*receiver.borrow(), 2);
        }
    }
}

#[test]
fn watch_changed() {
    Scenario::new("watch::Receiver::changed", Dial::new, |dial| dial.watch(0))
        .other(|dial| dial.watch(1))
        .polled_again()
        .event(|dial| dial.turn(1))
        .followed_by(|dial| dial.turn(2))
        .finish(|dial| dial.sender.clear())
        .settled(|dial, _| {
            assert_eq!(
                dial.seen[1].load(Ordering::Relaxed),
                2,
                "the last value reaches who waits"
            );
        })
        .whole(|dial, _| dial.assert_whole())
        .run();
}

#[test]
fn watch_wait_for() {
    Scenario::new("watch::Receiver::wait_for", Dial::new, |dial| {
        Box::pin(async {
            let mut receiver = dial.receivers[0].lend();
            assert!(receiver.wait_for(|value| *value == 2).await.is_ok());
        })
    })
    .other(|dial| dial.watch(1))
    .event(|dial| dial.turn(1))
    .followed_by(|dial| dial.turn(2))
    .finish(|dial| dial.sender.clear())
    .whole(|dial, _| dial.assert_whole())
    .run();
}

#[test]
fn watch_closed() {
    Scenario::new("watch::Sender::closed", Dial::new, |dial| {
        Box::pin(async {
            let sender = dial.sender.lend();
            sender.closed().await;
        })
    })
    .event(|dial| dial.receivers[0].clear())
    .event(|dial| dial.receivers[1].clear())
    .whole(|dial, _| assert_eq!(dial.sender.lend().receiver_count(), 0))
    .run();
}

type Once = Pin<Box<dyn Future<Output = usize> + Send + Sync>>;

/// One computation that several wait for.
struct Work {
    shared: Shared<Once>,
}

impl Work {
    fn new() -> Self {
        let work = async {
            yield_now().await;
            yield_now().await;
            7
        };
        Self {
            shared: Shared::new(Box::pin(work)),
        }
    }

    fn wait(&self) -> Boxed<'_> {
        then(self.shared.wait(), |output| assert_eq!(output, 7))
    }
}

#[test]
fn shared_wait() {
    Scenario::new("Shared::wait", Work::new, Work::wait)
        .other(Work::wait)
        .polled_again()
        .other(Work::wait)
        .whole(|work, _| {
            assert_eq!(work.shared.peek(), Some(&7));
            assert_eq!(work.shared.stats().waiting, 0);
        })
        .run();
}
