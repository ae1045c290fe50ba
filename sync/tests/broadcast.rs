//! `broadcast`: who gets what, what is lost, and when a value is dropped.

mod models;
mod support;

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use models::broadcast as body;
use support::{Count, Hooks, hostile, leak, poll, poll_with};
use tenter_sync::broadcast::{Lagged, Receiver, RecvError, SendError, Sender, TryRecvError};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::{broadcast, shim};

fn next<T: Clone>(receiver: &mut Receiver<T>, waker: &Waker) -> Poll<Option<Result<T, Lagged>>> {
    Pin::new(receiver).poll_next(&mut Context::from_waker(waker))
}

#[test]
fn every_receiver_gets_every_value_in_order() {
    let (sender, mut one) = broadcast(4);
    assert_eq!(sender.send(0), Ok(1));
    let mut two = sender.subscribe();
    for number in 1..4 {
        assert_eq!(sender.send(number), Ok(2));
    }
    assert_eq!((one.len(), two.len(), sender.len()), (4, 3, 4));
    let mut three = one.resubscribe();
    assert_eq!(three.try_recv(), Err(TryRecvError::Empty));
    let all = |receiver: &mut Receiver<i32>| -> Vec<i32> {
        std::iter::from_fn(|| receiver.try_recv().ok()).collect()
    };
    assert_eq!(all(&mut one), [0, 1, 2, 3]);
    assert_eq!(sender.len(), 3);
    assert_eq!(all(&mut two), [1, 2, 3]);
    assert!(sender.is_empty() && one.is_empty());
    assert!(one.same_channel(&three) && !one.same_channel(&broadcast(1).1));
    assert!(sender.same_channel(&sender.clone()));
}

#[test]
fn a_slow_receiver_is_told_once_and_goes_on_with_the_oldest_kept() {
    for capacity in [1, 2, 3, 5, 8] {
        let (sender, mut receiver) = broadcast(capacity);
        for number in 0..20 {
            sender.send(number).unwrap();
        }
        assert_eq!(receiver.missed(), 20 - capacity as u64);
        assert_eq!((receiver.len(), sender.len()), (capacity, capacity));
        assert_eq!(
            receiver.try_recv(),
            Err(TryRecvError::Lagged(20 - capacity as u64))
        );
        assert_eq!(receiver.missed(), 0);
        for number in 20 - capacity..20 {
            assert_eq!(receiver.try_recv(), Ok(number));
        }
        assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    }
}

#[test]
fn values_sent_before_the_end_are_received_and_then_it_is_closed() {
    let (sender, mut receiver) = broadcast(4);
    let another = sender.clone();
    assert_eq!(receiver.sender_count(), 2);
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    another.send(2).unwrap();
    drop(another);
    assert!(receiver.is_closed());
    assert_eq!(receiver.blocking_recv(), Ok(2));
    for _ in 0..2 {
        assert_eq!(receiver.blocking_recv(), Err(RecvError::Closed));
        assert_eq!(
            poll(pin!(receiver.recv())),
            Poll::Ready(Err(RecvError::Closed))
        );
    }
    let mut late = receiver.resubscribe();
    assert_eq!(late.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn without_a_receiver_the_value_comes_back_and_a_new_one_opens_the_channel_again() {
    let (sender, receiver) = broadcast(2);
    sender.send("lost").unwrap();
    drop(receiver);
    assert_eq!(sender.send("back"), Err(SendError("back")));
    assert!(poll(pin!(sender.closed())).is_ready());
    let mut again = sender.subscribe();
    let (waker, count) = Count::new();
    let mut wait = Box::pin(again.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(poll(pin!(sender.closed())).is_pending());
    assert_eq!(sender.send("new"), Ok(1));
    assert_eq!(count.get(), 1);
    assert_eq!(poll(wait.as_mut()), Poll::Ready(Ok("new")));
    drop(wait);
    let mut wait = Box::pin(again.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    drop(sender);
    assert_eq!(count.get(), 2);
    assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (sender, receiver) = broadcast::<u8>(1);
    let weak = sender.downgrade();
    let strong = weak.upgrade().expect("open");
    drop(sender);
    assert_eq!((weak.sender_count(), receiver.is_closed()), (1, false));
    drop(strong);
    assert!(receiver.is_closed() && weak.clone().upgrade().is_none());
}

#[test]
fn waiting_receivers_are_woken_in_order_and_all_of_them() {
    let order = Arc::new(Mutex::new(Vec::new()));
    let (sender, first) = broadcast(1);
    let mut receivers: Vec<_> = (0..99).map(|_| first.resubscribe()).collect();
    receivers.push(first);
    let mut waits: Vec<_> = receivers
        .iter_mut()
        .map(|one| Box::pin(one.recv()))
        .collect();
    for (index, wait) in waits.iter_mut().enumerate() {
        let order = Arc::clone(&order);
        let waker = hostile(&Arc::new(Hooks {
            on_wake: Some(Box::new(move || order.lock().unwrap().push(index))),
            ..Hooks::default()
        }));
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    assert_eq!(sender.stats().waiting, 100);
    assert_eq!(sender.send(7), Ok(100));
    assert_eq!(*order.lock().unwrap(), (0..100).collect::<Vec<_>>());
    for wait in &mut waits {
        assert_eq!(poll(wait.as_mut()), Poll::Ready(Ok(7)));
    }
    drop(waits);
    let stats = sender.stats();
    assert_eq!((stats.waiting, stats.waiting_max, stats.len), (0, 100, 0));
    assert_eq!((stats.receivers, stats.senders, stats.sent), (100, 1, 1));
}

#[test]
fn a_dropped_receive_loses_nothing_at_any_point() {
    let (sender, mut receiver) = broadcast(4);
    let (waker, count) = Count::new();
    drop(receiver.recv()); // not polled
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    drop(wait); // waiting
    assert_eq!(sender.stats().waiting, 0);
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    sender.send(1).unwrap();
    drop(wait); // told
    assert_eq!(count.get(), 1);
    assert_eq!(receiver.try_recv(), Ok(1));
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    drop(sender);
    drop(wait); // closed
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1, "the wakers are gone");
}

#[test]
fn the_stream_yields_values_and_losses_and_ends() {
    let (sender, mut receiver) = broadcast(1);
    let (waker, count) = Count::new();
    for number in 0..3 {
        assert!(next(&mut receiver, &waker).is_pending());
        assert!(next(&mut receiver, Waker::noop()).is_pending());
        assert!(next(&mut receiver, &waker).is_pending());
        sender.send(number).unwrap();
        assert_eq!(count.get(), number + 1);
        if number == 1 {
            assert_eq!(receiver.try_recv(), Ok(1)); // past the stream, which waits again
        } else {
            assert_eq!(next(&mut receiver, &waker), Poll::Ready(Some(Ok(number))));
        }
    }
    sender.send(3).unwrap();
    sender.send(4).unwrap();
    drop(sender);
    assert_eq!(
        next(&mut receiver, &waker),
        Poll::Ready(Some(Err(Lagged(1))))
    );
    assert_eq!(next(&mut receiver, &waker), Poll::Ready(Some(Ok(4))));
    assert_eq!(next(&mut receiver, &waker), Poll::Ready(None));
    assert_eq!(next(&mut receiver, &waker), Poll::Ready(None));
}

#[test]
fn a_receiver_whose_stream_waits_can_be_dropped() {
    let (sender, mut receiver) = broadcast(1);
    let (waker, count) = Count::new();
    assert!(next(&mut receiver, &waker).is_pending());
    drop(receiver);
    assert_eq!((sender.stats().waiting, sender.send(1).is_err()), (0, true));
    drop(waker);
    assert_eq!(Arc::strong_count(&count), 1);
}

/// Counts clones and drops, and does what it is told to when it is cloned or dropped.
#[derive(Default)]
struct Acts {
    clones: AtomicUsize,
    alive: AtomicUsize,
    on_clone: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    on_drop: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

struct Value(Arc<Acts>, u32);

impl Value {
    fn new(acts: &Arc<Acts>, number: u32) -> Self {
        acts.alive.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(acts), number)
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.0.clones.fetch_add(1, Ordering::Relaxed);
        let act = self.0.on_clone.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
        Self::new(&self.0, self.1)
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.alive.fetch_sub(1, Ordering::Relaxed);
        let act = self.0.on_drop.lock().unwrap().take();
        act.into_iter().for_each(|act| act());
    }
}

fn alive(acts: &Acts) -> usize {
    acts.alive.load(Ordering::Relaxed)
}

#[test]
fn the_last_receiver_gets_the_value_without_a_clone() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(2);
    let mut two = sender.subscribe();
    assert!(sender.send(Value::new(&acts, 1)).is_ok());
    drop(one.try_recv());
    assert_eq!((acts.clones.load(Ordering::Relaxed), alive(&acts)), (1, 1));
    drop(two.try_recv());
    assert_eq!((acts.clones.load(Ordering::Relaxed), alive(&acts)), (1, 0));
}

#[test]
fn a_value_is_dropped_with_the_last_interest_in_it() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(3); // not a power of two: a value goes before its cell is needed
    let two = sender.subscribe();
    for number in 0..5 {
        assert!(sender.send(Value::new(&acts, number)).is_ok());
    }
    assert_eq!(alive(&acts), 3, "overwritten");
    assert_eq!(one.try_recv().err(), Some(TryRecvError::Lagged(2)));
    drop(one.try_recv());
    assert_eq!(alive(&acts), 3, "the other one wants it");
    drop(two);
    assert_eq!(
        alive(&acts),
        2,
        "a receiver that goes gives up what it has not had"
    );
    drop(one);
    assert_eq!(alive(&acts), 0);
    assert!(sender.is_empty());
}

#[test]
fn a_leaked_receiver_keeps_values_until_they_are_overwritten() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(2);
    let mut leaked = sender.subscribe();
    leak(Box::pin(sender.subscribe()));
    let _ = next(&mut leaked, Waker::noop());
    leak(leaked);
    for number in 0..9 {
        assert!(sender.send(Value::new(&acts, number)).is_ok());
        assert_eq!(one.try_recv().map(|value| value.1), Ok(number));
    }
    assert_eq!(alive(&acts), 2);
}

#[test]
fn a_clone_may_send_receive_and_drop_ends_of_its_channel() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(1);
    let mut two = sender.subscribe();
    assert!(sender.send(Value::new(&acts, 1)).is_ok());
    let inner = Arc::clone(&acts);
    *acts.on_clone.lock().unwrap() = Some(Box::new(move || {
        for number in 2..5 {
            assert!(sender.send(Value::new(&inner, number)).is_ok());
        }
        assert_eq!(two.try_recv().err(), Some(TryRecvError::Lagged(3)));
        assert_eq!(two.try_recv().map(|value| value.1), Ok(4));
        assert_eq!(sender.stats().cells_added, 1);
        drop((sender, two));
    }));
    assert_eq!(one.try_recv().map(|value| value.1), Ok(1));
    assert_eq!(one.try_recv().err(), Some(TryRecvError::Lagged(2)));
    assert_eq!(one.try_recv().map(|value| value.1), Ok(4));
    assert_eq!(one.try_recv().err(), Some(TryRecvError::Closed));
    assert_eq!(alive(&acts), 0);
}

#[test]
fn a_clone_that_panics_counts_as_received_and_harms_nobody() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(2);
    let mut two = sender.subscribe();
    for number in 1..3 {
        assert!(sender.send(Value::new(&acts, number)).is_ok());
    }
    *acts.on_clone.lock().unwrap() = Some(Box::new(|| panic!("hostile clone")));
    assert!(catch_unwind(AssertUnwindSafe(|| one.try_recv().is_ok())).is_err());
    assert_eq!(one.try_recv().map(|value| value.1), Ok(2));
    assert_eq!(two.try_recv().map(|value| value.1), Ok(1));
    assert_eq!(two.try_recv().map(|value| value.1), Ok(2));
    assert_eq!(alive(&acts), 0);
}

#[test]
fn a_drop_that_panics_leaves_the_channel_whole() {
    let acts = Arc::new(Acts::default());
    fn explode() {
        panic!("hostile drop");
    }
    let bomb = || Some(Box::new(explode) as Box<dyn FnOnce() + Send>);
    let (sender, mut one) = broadcast(2);
    for number in 0..2 {
        assert!(sender.send(Value::new(&acts, number)).is_ok());
    }
    *acts.on_drop.lock().unwrap() = bomb(); // overwritten
    assert!(catch_unwind(|| sender.send(Value::new(&acts, 2)).is_ok()).is_err());
    assert_eq!(one.try_recv().err(), Some(TryRecvError::Lagged(1)));
    assert_eq!(one.try_recv().map(|value| value.1), Ok(1));
    assert!(sender.send(Value::new(&acts, 3)).is_ok());
    let (waker, count) = Count::new();
    let mut closed = pin!(sender.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    *acts.on_drop.lock().unwrap() = bomb(); // given up by the receiver that goes
    assert!(catch_unwind(AssertUnwindSafe(|| drop(one))).is_err());
    assert_eq!(alive(&acts), 0, "the value behind it too");
    assert_eq!(count.get(), 1);
    assert!(poll(closed).is_ready());
}

#[test]
fn a_drop_of_a_value_may_come_back_to_the_channel() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(1);
    let (inner, again) = (Arc::clone(&acts), sender.clone());
    assert!(sender.send(Value::new(&acts, 1)).is_ok());
    *acts.on_drop.lock().unwrap() = Some(Box::new(move || {
        assert!(again.send(Value::new(&inner, 3)).is_ok());
        assert_eq!(again.receiver_count(), 1);
    }));
    assert!(sender.send(Value::new(&acts, 2)).is_ok());
    assert_eq!(one.try_recv().err(), Some(TryRecvError::Lagged(2)));
    assert_eq!(one.try_recv().map(|value| value.1), Ok(3));
}

/// Goal: nobody waits for a clone. Method: one receiver stands still inside its clone while the
/// channel goes round; then its cell comes back.
#[test]
fn a_clone_that_blocks_holds_nobody_up() {
    let acts = Arc::new(Acts::default());
    let (sender, mut one) = broadcast(1);
    let mut two = sender.subscribe();
    assert!(sender.send(Value::new(&acts, 1)).is_ok());
    let (inside, go_on) = (Arc::new(Barrier::new(2)), mpsc::channel::<()>());
    let (entered, release) = (Arc::clone(&inside), go_on.1);
    *acts.on_clone.lock().unwrap() = Some(Box::new(move || {
        entered.wait();
        let _ = release.recv();
    }));
    let blocked = std::thread::spawn(move || one.try_recv().map(|value| value.1));
    inside.wait();
    assert_eq!(two.try_recv().map(|value| value.1), Ok(1));
    for number in 2..50 {
        assert!(sender.send(Value::new(&acts, number)).is_ok());
        assert_eq!(two.try_recv().map(|value| value.1), Ok(number));
    }
    assert_eq!(sender.stats().cells_added, 1);
    drop(go_on.0);
    assert_eq!(blocked.join().unwrap(), Ok(1));
    assert_eq!(alive(&acts), 0);
}

#[test]
fn closed_ends_with_the_last_receiver_even_if_a_new_one_comes() {
    let (sender, receiver) = broadcast::<u8>(1);
    let (waker, count) = Count::new();
    let mut waits: Vec<_> = (0..40).map(|_| Box::pin(sender.closed())).collect();
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    drop(waits.pop());
    drop(receiver);
    let again = sender.subscribe();
    assert_eq!(count.get(), 39);
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_ready() && poll(wait.as_mut()).is_ready());
    }
    assert!(poll(pin!(sender.closed())).is_pending());
    drop(again);
}

#[test]
fn a_wake_that_panics_wakes_the_others() {
    let (sender, mut one) = broadcast(1);
    let mut two = sender.subscribe();
    let waker = hostile(&Arc::new(Hooks {
        on_wake: Some(Box::new(|| panic!("hostile wake"))),
        ..Hooks::default()
    }));
    let (calm, count) = Count::new();
    let (mut first, mut second) = (Box::pin(one.recv()), Box::pin(two.recv()));
    assert!(poll_with(first.as_mut(), &waker).is_pending());
    assert!(poll_with(second.as_mut(), &calm).is_pending());
    assert!(catch_unwind(|| sender.send(7)).is_err());
    assert_eq!(count.get(), 1);
    assert_eq!(poll(first.as_mut()), Poll::Ready(Ok(7)));
    assert_eq!(poll(second.as_mut()), Poll::Ready(Ok(7)));
}

/// Goal: no waker runs under the lock. Method: wakers that look at the channel at each occasion,
/// and one of which takes the last sender along.
#[test]
fn wakers_may_come_back_to_the_channel() {
    let (sender, mut receiver) = broadcast(2);
    let sender = Arc::new(Mutex::new(Some(sender)));
    let weak = sender.lock().unwrap().as_ref().unwrap().downgrade();
    let look = |weak: &tenter_sync::broadcast::WeakSender<i32>| {
        let weak = weak.clone();
        Some(Box::new(move || {
            if let Some(sender) = weak.upgrade() {
                assert!(sender.stats().receivers > 0);
            }
        }) as Box<dyn Fn() + Send + Sync>)
    };
    let owner = Arc::clone(&sender);
    let hooks = Arc::new(Hooks {
        on_clone: look(&weak),
        on_drop: look(&weak),
        on_wake: Some(Box::new(move || drop(owner.lock().unwrap().take()))),
        ..Hooks::default()
    });
    let waker = hostile(&hooks);
    let mut wait = Box::pin(receiver.recv());
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    assert!(poll(wait.as_mut()).is_pending()); // drops the first waker
    assert!(poll_with(wait.as_mut(), &waker).is_pending());
    weak.upgrade().unwrap().send(7).unwrap();
    assert_eq!(poll(wait.as_mut()), Poll::Ready(Ok(7)));
    assert_eq!(poll(wait.as_mut()), Poll::Ready(Err(RecvError::Closed)));
}

#[test]
fn a_spent_budget_loses_nothing() {
    let (sender, mut receiver) = broadcast(2);
    sender.send(7).unwrap();
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (waker, count) = Count::new();
    current::with_task(&slot, 0, || {
        assert!(poll_with(pin!(receiver.recv()), &waker).is_pending());
        assert!(next(&mut receiver, &waker).is_pending());
    });
    assert_eq!((count.get(), slot.waiting_on()), (2, None));
    current::with_task(&slot, 1, || {
        assert_eq!(poll(pin!(receiver.recv())), Poll::Ready(Ok(7)));
        assert!(poll(pin!(receiver.recv())).is_pending(), "waiting is free");
    });
    assert_eq!(
        slot.waiting_on().map(|note| note.kind),
        Some(WaitKind::Queue)
    );
}

#[test]
fn bad_capacities_say_what_to_do() {
    for capacity in [0, usize::MAX] {
        let panic = catch_unwind(|| broadcast::<u8>(capacity)).unwrap_err();
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref().map(|text: &&str| (*text).to_owned()));
        assert!(text.unwrap().starts_with("a broadcast channel "));
    }
}

#[test]
fn debug_never_blocks_and_errors_speak() {
    let sender = Sender::<u8>::new(1).named("news");
    assert_eq!(sender.stats().name.as_deref(), Some("news"));
    let receiver = sender.subscribe();
    for text in [format!("{sender:?}"), format!("{receiver:?}")] {
        assert!(
            text.contains("\"news\"") && text.contains("receivers: 1"),
            "{text}"
        );
    }
    assert_eq!(SendError(7).into_inner(), 7);
    assert_eq!(
        RecvError::Lagged(3).to_string(),
        TryRecvError::Lagged(3).to_string()
    );
    assert_eq!(TryRecvError::Empty.to_string(), "broadcast empty");
}

#[test]
fn the_models_hold_on_system_threads() {
    shim::explore(body::one_for_one);
    shim::explore(body::two_receivers);
    shim::explore(body::overwritten_while_read);
    shim::explore(body::cells_come_back);
    shim::explore(body::the_last_value_before_the_end);
    shim::explore(body::a_look_at_the_end);
    shim::explore(body::the_end_wakes_those_who_wait);
    shim::explore(body::one_goes_and_one_receives);
    shim::explore(body::the_last_receiver_goes);
    shim::explore(body::a_stamp_comes_back);
    shim::explore(body::a_stamp_comes_back_and_goes);
    shim::explore(body::two_senders);
}
