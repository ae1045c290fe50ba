//! `Barrier`, `OnceCell` and oneshot.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tenter_sync::oneshot::{Receiver, Sender};
use tenter_sync::{Barrier, OnceCell, oneshot};

use crate::support::drops::{Boxed, End, Pocket, Scenario, then, touch};
use crate::support::yield_now;

/// A barrier, and who went on: rounds are counted by their leaders.
struct Gate {
    barrier: Barrier,
    turns: Mutex<Vec<usize>>,
    broken: AtomicUsize,
}

impl Gate {
    fn new() -> Self {
        Self {
            barrier: Barrier::new(2),
            turns: Mutex::default(),
            broken: AtomicUsize::new(0),
        }
    }

    fn come(&self) -> Boxed<'_> {
        then(self.barrier.wait(), |turn| match turn {
            Ok(turn) => {
                assert_eq!(turn.is_leader, turn.index == 0);
                self.turns.lock().unwrap().push(turn.index);
            }
            Err(_) => drop(self.broken.fetch_add(1, Ordering::Relaxed)),
        })
    }

    fn assert_whole(&self) {
        let stats = self.barrier.stats();
        assert_eq!((stats.waiting, stats.going), (0, 0));
        let turns = self.turns.lock().unwrap();
        let leaders = turns.iter().filter(|index| **index == 0).count();
        let followers = turns.iter().filter(|index| **index == 1).count();
        assert!(followers <= leaders && leaders + followers == turns.len());
    }
}

fn gate() -> Scenario<Gate> {
    Scenario::new("Barrier::wait", Gate::new, Gate::come)
        .other(Gate::come)
        .reenter(|gate| {
            assert!(!format!("{:?} {:?}", gate.barrier, gate.barrier.stats()).is_empty());
        })
        .finish(|gate| gate.barrier.abort())
        .whole(|gate, _| gate.assert_whole())
}

#[test]
fn barrier() {
    gate()
        .settled(|gate, seen| {
            // Alone it waits on; with another it goes on, unless that one left before it came.
            let gone = gate.turns.lock().unwrap().len();
            let come = usize::from(seen.subject) + 1 - seen.broken;
            assert_eq!(gone + gate.barrier.waiting(), come);
            assert!(seen.end != End::Kept || gone == 2 || !seen.subject);
        })
        .run();
}

#[test]
fn barrier_with_late_comers() {
    gate().other(Gate::come).other(Gate::come).run();
}

#[test]
fn barrier_that_is_reset() {
    gate()
        .other(Gate::come)
        .event(|gate| gate.barrier.reset())
        .run();
    gate()
        .other(Gate::come)
        .event(|gate| gate.barrier.abort())
        .followed_by(|gate| gate.barrier.reset())
        .run();
}

/// A cell, and how often its value was made.
#[derive(Default)]
struct Made {
    cell: OnceCell<Arc<()>>,
    value: Arc<()>,
    begun: AtomicUsize,
    failures_left: AtomicUsize,
}

impl Made {
    /// An initialiser that takes its time.
    fn get(&self) -> Boxed<'_> {
        let make = || async {
            self.begun.fetch_add(1, Ordering::Relaxed);
            let value = Arc::clone(&self.value);
            yield_now().await;
            value
        };
        then(self.cell.get_or_init(make), |value| {
            assert!(Arc::ptr_eq(value, &self.value));
        })
    }

    /// An initialiser that fails the first time.
    fn try_get(&self) -> Boxed<'_> {
        let make = || async {
            self.begun.fetch_add(1, Ordering::Relaxed);
            let value = Arc::clone(&self.value);
            yield_now().await;
            match self.failures_left.load(Ordering::Relaxed) {
                0 => Ok(value),
                left => {
                    self.failures_left.store(left - 1, Ordering::Relaxed);
                    Err(())
                }
            }
        };
        then(self.cell.get_or_try_init(make), drop)
    }

    fn touch(&self) {
        // A future that comes to wait here is either behind another task, or inside, and told so.
        let stats = self.cell.stats();
        if !stats.is_initializing {
            touch(self.cell.get_or_init(std::future::pending));
        }
        assert!(!format!("{:?} {stats:?}", self.cell).is_empty());
    }

    fn assert_whole(&self) {
        let stats = self.cell.stats();
        assert_eq!((stats.is_initializing, stats.waiting), (false, 0));
        let kept = usize::from(stats.is_set);
        assert_eq!(
            Arc::strong_count(&self.value),
            1 + kept,
            "no value is left over"
        );
        assert!(self.begun.load(Ordering::Relaxed) >= 1);
    }
}

#[test]
fn once_cell_get_or_init() {
    Scenario::new("OnceCell::get_or_init", Made::default, Made::get)
        .other(Made::get)
        .polled_again()
        .other(Made::get)
        .reenter(Made::touch)
        .whole(|made, _| {
            assert!(made.cell.get().is_some(), "somebody made it");
            made.assert_whole();
        })
        .run();
}

#[test]
fn once_cell_get_or_try_init() {
    let build = || Made {
        failures_left: AtomicUsize::new(1),
        ..Made::default()
    };
    Scenario::new("OnceCell::get_or_try_init", build, Made::try_get)
        .other(Made::try_get)
        .polled_again()
        .other(Made::try_get)
        .reenter(Made::touch)
        .whole(|made, seen| {
            made.assert_whole();
            let tries = seen.others + usize::from(seen.subject);
            let failed = 1 - made.failures_left.load(Ordering::Relaxed);
            assert!(seen.broken > 0 || made.cell.get().is_some() == (tries > failed));
        })
        .run();
}

#[test]
fn once_cell_set() {
    Scenario::new("OnceCell::get_or_init beside set", Made::default, Made::get)
        .other(Made::get)
        .event(|made| drop(made.cell.set(Arc::clone(&made.value))))
        .reenter(Made::touch)
        .whole(|made, _| {
            let kept = usize::from(made.cell.get().is_some());
            assert_eq!((kept, Arc::strong_count(&made.value)), (1, 2));
            assert_eq!(made.cell.stats().waiting, 0);
        })
        .run();
}

/// A oneshot channel, and the value that goes through.
struct Letter {
    sender: Pocket<Sender<Arc<()>>>,
    receiver: Pocket<Receiver<Arc<()>>>,
    value: Arc<()>,
    received: AtomicUsize,
}

impl Letter {
    fn new() -> Self {
        let (sender, receiver) = oneshot();
        Self {
            sender: Pocket::new([sender]),
            receiver: Pocket::new([receiver]),
            value: Arc::new(()),
            received: AtomicUsize::new(0),
        }
    }

    fn receive(&self) -> Boxed<'_> {
        let receiver = self.receiver.take().expect("taken once");
        then(receiver, |value| {
            self.received
                .fetch_add(usize::from(value.is_ok()), Ordering::Relaxed);
        })
    }

    fn send(&self) {
        if let Some(sender) = self.sender.take() {
            drop(sender.send(Arc::clone(&self.value)));
        }
    }
}

#[test]
fn oneshot_receiver() {
    Scenario::new("oneshot::Receiver", Letter::new, Letter::receive)
        .event(Letter::send)
        .finish(Letter::send)
        .reenter(|letter| {
            // The waker may drop or use the other end.
            letter.send();
        })
        .whole(|letter, seen| {
            assert_eq!(
                Arc::strong_count(&letter.value),
                1,
                "dropped with the receiver"
            );
            let received = letter.received.load(Ordering::Relaxed);
            assert_eq!(received, usize::from(seen.subject));
        })
        .run();
}

#[test]
fn oneshot_receiver_whose_sender_goes() {
    Scenario::new("oneshot::Receiver, no sender", Letter::new, Letter::receive)
        .event(|letter| letter.sender.clear())
        .event(Letter::send)
        .reenter(|letter| letter.sender.clear())
        .whole(|letter, seen| {
            assert_eq!(Arc::strong_count(&letter.value), 1);
            assert!(letter.received.load(Ordering::Relaxed) <= usize::from(seen.subject));
        })
        .run();
}

#[test]
fn oneshot_closed() {
    Scenario::new("oneshot::Sender::closed", Letter::new, |letter| {
        let mut sender = letter.sender.take().expect("taken once");
        Box::pin(async move {
            sender.closed().await;
            assert!(sender.is_closed());
        })
    })
    .event(|letter| letter.receiver.clear())
    .finish(|letter| letter.receiver.clear())
    .reenter(|letter| letter.receiver.clear())
    .whole(|letter, _| assert_eq!(Arc::strong_count(&letter.value), 1))
    .run();
}
