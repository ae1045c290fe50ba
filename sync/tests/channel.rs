//! Channels: the ends that come and go, closing, hand-over, and streams. Hostile users are in
//! `sync/tests/channel_hostile.rs`.

mod models;
mod support;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures_core::Stream;
use support::{Count, Tasks, poll, poll_with};
use tenter_sync::channel::{
    self, Receiver, RecvError, SendError, TryRecvError, TryReserveError, TrySendError,
};

macro_rules! stress {
    ($($name:ident),* $(,)?) => {$(
        #[test]
        fn $name() {
            tenter_sync::shim::explore(models::channel::$name);
        }
    )*};
}

stress! {
    the_last_sender_and_a_receiver_that_lines_up,
    a_value_and_then_the_end,
    two_senders_go,
    everybody_goes,
    the_last_receiver_and_a_send,
    the_last_receiver_and_a_sender_that_lines_up,
    a_rendezvous,
    a_rendezvous_and_a_receiver_that_leaves,
    a_rendezvous_and_a_sender_that_leaves,
    an_upgrade_and_the_last_sender,
    closed_and_the_last_receiver,
    a_stream_that_was_left,
}

fn next<T>(receiver: &mut Receiver<T>, waker: &Waker) -> Poll<Option<T>> {
    Pin::new(receiver).poll_next(&mut Context::from_waker(waker))
}

/// Polls once; it has to be ready.
fn now<F: Future>(future: F) -> F::Output {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it is not ready"),
    }
}

/// Counts its drops, and runs user code there.
struct Dropped(Arc<AtomicUsize>, Option<Box<dyn FnOnce() + Send>>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
        if let Some(body) = self.1.take() {
            body();
        }
    }
}

#[test]
fn m01_full_closed_and_ended() {
    let (sender, receiver) = channel::bounded(2);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
    assert!(sender.is_full() && receiver.is_full());
    sender.close();
    assert_eq!(sender.try_send(3), Err(TrySendError::Closed(3)));
    assert_eq!(now(sender.send(3)), Err(SendError(3)));
    assert_eq!((receiver.try_recv(), now(receiver.recv())), (Ok(1), Ok(2)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
    assert_eq!(now(receiver.recv()), Err(RecvError));
    assert_eq!(receiver.blocking_recv(), Err(RecvError));
}

/// A send borrows its handle, so a handle goes with the send that waits on it.
#[test]
fn m02_one_of_two_senders_goes_and_the_other_delivers() {
    let (first, receiver) = channel::rendezvous();
    let second = first.clone();
    let mut tasks = Tasks::new();
    let gone = tasks.spawn(async move { first.send(1).await.unwrap() });
    let stays = tasks.spawn(async move { second.send(2).await.unwrap() });
    tasks.run();
    assert_eq!((receiver.sender_count(), receiver.stats().sending), (2, 2));
    tasks.cancel(gone);
    assert_eq!((receiver.sender_count(), receiver.stats().sending), (1, 1));
    assert_eq!(receiver.try_recv(), Ok(2));
    tasks.run();
    assert!(tasks.is_done(stays));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
}

#[test]
fn m03_without_receivers_sending_fails_for_good() {
    let (sender, receiver) = channel::bounded(1);
    let second = receiver.clone();
    sender.try_send(0).unwrap();
    let (waker, wakes) = Count::new();
    let mut blocked = pin!(sender.send(1));
    assert!(poll_with(blocked.as_mut(), &waker).is_pending());
    drop(receiver);
    assert_eq!((wakes.get(), sender.is_closed()), (0, false));
    drop(second);
    assert_eq!((wakes.get(), sender.is_closed()), (1, true));
    assert_eq!(poll(blocked), Poll::Ready(Err(SendError(1))));
    for _ in 0..2 {
        assert_eq!(sender.try_send(2), Err(TrySendError::Closed(2)));
        assert_eq!(now(sender.send(2)), Err(SendError(2)));
        assert_eq!(now(sender.send_many([2, 3])), Err(SendError(vec![2, 3])));
        assert_eq!(sender.blocking_send(2), Err(SendError(2)));
        assert!(matches!(now(sender.reserve()), Err(SendError(()))));
        assert_eq!(sender.try_reserve().unwrap_err(), TryReserveError::Closed);
    }
    assert!(sender.is_empty(), "what was in it is gone");
}

#[test]
fn m04_without_room_two_have_to_meet() {
    let (sender, receiver) = channel::rendezvous();
    assert_eq!((sender.capacity(), sender.is_full()), (Some(0), true));
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let (waker, wakes) = Count::new();
    let mut send = pin!(sender.send(2));
    assert!(poll_with(send.as_mut(), &waker).is_pending());
    assert_eq!((sender.len(), wakes.get()), (0, 0));
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(wakes.get(), 1);
    assert_eq!(poll(send), Poll::Ready(Ok(())));

    let mut recv = pin!(receiver.recv());
    assert!(poll(recv.as_mut()).is_pending());
    sender.try_send(3).unwrap();
    assert_eq!(
        sender.try_send(4),
        Err(TrySendError::Full(4)),
        "it has its value"
    );
    assert_eq!(poll(recv), Poll::Ready(Ok(3)));
}

#[test]
fn m05_ten_producers_and_the_end() {
    let (sender, mut receiver) = channel::bounded(3);
    let got = Mutex::new(Vec::new());
    let mut tasks = Tasks::new();
    for producer in 0..10 {
        let sender = sender.clone();
        tasks.spawn(async move {
            for item in 0..3 {
                sender.send(producer * 3 + item).await.unwrap();
            }
        });
    }
    drop(sender);
    tasks.spawn(async {
        while let Some(item) =
            std::future::poll_fn(|cx| Pin::new(&mut receiver).poll_next(cx)).await
        {
            got.lock().unwrap().push(item);
        }
    });
    tasks.run();
    drop(tasks);
    let mut got = got.into_inner().unwrap();
    got.sort_unstable();
    assert_eq!(got, (0..30).collect::<Vec<_>>());
}

#[test]
fn m06_a_freed_place_is_the_parked_senders() {
    let (sender, receiver) = channel::bounded(1);
    sender.try_send(1).unwrap();
    let mut parked = pin!(sender.send(2));
    assert!(poll(parked.as_mut()).is_pending());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(sender.try_send(3), Err(TrySendError::Full(3)));
    assert_eq!(sender.try_reserve().unwrap_err(), TryReserveError::Full);
    assert_eq!(poll(parked), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
}

#[test]
fn m10_statistics() {
    let (sender, receiver) = channel::named("jobs").bounded(2);
    let senders = [sender.clone(), sender.clone()];
    let second = receiver.clone();
    for item in 0..2 {
        sender.try_send(item).unwrap();
    }
    let mut waits = [pin!(senders[0].send(2)), pin!(senders[1].send(3))];
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    let stats = receiver.stats();
    assert_eq!(stats.name.as_deref(), Some("jobs"));
    assert_eq!((stats.len, stats.peak, stats.capacity), (2, 2, Some(2)));
    assert_eq!((stats.senders, stats.receivers), (3, 2));
    assert_eq!(
        (stats.sending, stats.sending_max, stats.receiving),
        (2, 2, 0)
    );
    assert_eq!(now(receiver.recv_many(&mut Vec::new(), 2)), Ok(2));
    assert_eq!(now(second.recv_many(&mut Vec::new(), 2)), Ok(2));
    let mut recv = pin!(second.recv());
    assert!(poll(recv.as_mut()).is_pending());
    let stats = sender.stats();
    assert_eq!(
        (stats.len, stats.peak),
        (0, 2),
        "draining does not reset the peak"
    );
    assert_eq!((stats.receiving, stats.receiving_max), (1, 1));
    assert_eq!(
        (stats.sending, stats.sending_max, stats.is_closed),
        (0, 2, false)
    );
    let shown = format!("{sender:?} {receiver:?} {:?}", sender.downgrade());
    assert_eq!(
        shown
            .matches("name: \"jobs\", len: 0, capacity: Some(2)")
            .count(),
        3,
        "{shown}"
    );
    let (sender, _receiver) = channel::named_dyn(String::from("x")).rendezvous::<u8>();
    assert_eq!(sender.stats().name.as_deref(), Some("x"));
    assert_eq!((sender.stats().peak, sender.stats().capacity), (0, Some(0)));
}

#[test]
#[should_panic(expected = "use a capacity of at least 1, or channel::rendezvous")]
fn a_capacity_of_zero_is_refused() {
    drop(channel::bounded::<u8>(0));
}

#[test]
fn counts_and_identity() {
    let (sender, receiver) = channel::unbounded::<u8>();
    let (other, _other_receiver) = channel::unbounded::<u8>();
    let second = sender.clone();
    assert!(sender.same_channel(&second) && !sender.same_channel(&other));
    assert!(receiver.same_channel(&receiver.clone()));
    assert_eq!((receiver.sender_count(), sender.receiver_count()), (2, 1));
    drop(second);
    assert_eq!((receiver.sender_count(), sender.capacity()), (1, None));
}

#[test]
fn a_weak_sender_keeps_nothing_open() {
    let (sender, receiver) = channel::bounded(1);
    let weak = sender.downgrade();
    let again = weak.upgrade().expect("there is a sender");
    assert!(again.same_channel(&sender) && weak.same_channel(&again.downgrade()));
    assert_eq!((weak.sender_count(), weak.receiver_count()), (2, 1));
    again.try_send(1).unwrap();
    drop((sender, again));
    assert!(weak.upgrade().is_none() && receiver.is_closed());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
    drop(receiver);
    assert!(
        weak.clone().upgrade().is_none(),
        "the memory is still there"
    );
}

#[test]
fn receivers_drain_and_then_end() {
    let (sender, receiver) = channel::bounded(2);
    let mut waits = [pin!(receiver.recv()), pin!(receiver.recv())];
    let (waker, wakes) = Count::new();
    for wait in &mut waits {
        assert!(poll_with(wait.as_mut(), &waker).is_pending());
    }
    sender.try_send(1).unwrap();
    drop(sender);
    assert_eq!(wakes.get(), 2);
    let got = waits.map(poll);
    assert_eq!(got, [Poll::Ready(Ok(1)), Poll::Ready(Err(RecvError))]);
}

#[test]
fn a_receiver_that_was_handed_a_value_and_goes_passes_it_on() {
    for behind in [false, true] {
        let (sender, receiver) = channel::bounded(4);
        let second = receiver.clone();
        let (waker, wakes) = Count::new();
        let mut first = Box::pin(receiver.recv());
        assert!(poll(first.as_mut()).is_pending());
        let mut next_in_line = Box::pin(second.recv());
        if behind {
            assert!(poll_with(next_in_line.as_mut(), &waker).is_pending());
        }
        sender.try_send(1).unwrap();
        if !behind {
            sender.try_send(2).unwrap();
        }
        drop(first);
        drop(receiver);
        assert_eq!(wakes.get(), usize::from(behind));
        assert_eq!(
            poll(next_in_line.as_mut()),
            Poll::Ready(Ok(1)),
            "in its order"
        );
    }
}

#[test]
fn a_granted_value_that_goes_with_the_last_receiver_is_dropped() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel::rendezvous();
    let mut recv = Box::pin(receiver.recv());
    assert!(poll(recv.as_mut()).is_pending());
    sender.try_send(Dropped(Arc::clone(&drops), None)).unwrap();
    drop(recv);
    assert_eq!(
        (sender.len(), drops.load(Ordering::Relaxed)),
        (1, 0),
        "it stands in the channel"
    );
    drop(receiver);
    assert_eq!((sender.len(), drops.load(Ordering::Relaxed)), (0, 1));
}

#[test]
fn slots_hold_a_place_until_the_receivers_go() {
    let (sender, receiver) = channel::bounded(1);
    let slot = now(sender.reserve()).unwrap();
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    let mut send = pin!(sender.send(2));
    assert!(poll(send.as_mut()).is_pending());
    drop(slot);
    assert_eq!(poll(send), Poll::Ready(Ok(())));
    assert_eq!(receiver.try_recv(), Ok(2));
    sender.try_reserve().unwrap().send(3).unwrap();
    assert_eq!(receiver.try_recv(), Ok(3));
    let slot = sender.try_reserve().unwrap();
    drop(receiver);
    assert_eq!(slot.send(4), Err(SendError(4)));
    assert_eq!(sender.stats().reserved, 0);
}

#[test]
fn a_slot_without_room_keeps_a_receiver() {
    let (sender, receiver) = channel::rendezvous();
    let mut reserve = pin!(sender.reserve());
    assert!(poll(reserve.as_mut()).is_pending());
    assert_eq!(
        receiver.try_recv(),
        Err(TryRecvError::Empty),
        "it has no value yet"
    );
    assert!(
        poll(reserve.as_mut()).is_pending(),
        "and nobody waits for one"
    );
    let mut recv = Box::pin(receiver.recv());
    assert!(poll(recv.as_mut()).is_pending());
    let Poll::Ready(Ok(slot)) = poll(reserve) else {
        panic!("a receiver waits");
    };
    assert_eq!(
        sender.try_send(1),
        Err(TrySendError::Full(1)),
        "it is kept for the slot"
    );
    slot.send(2).unwrap();
    assert_eq!(poll(recv.as_mut()), Poll::Ready(Ok(2)));
}

#[test]
fn closing_gives_values_back_and_lets_receivers_drain() {
    let (sender, receiver) = channel::bounded(1);
    sender.try_send(1).unwrap();
    let mut send = pin!(sender.send(2));
    let mut many = pin!(sender.send_many([3, 4]));
    assert!(poll(send.as_mut()).is_pending() && poll(many.as_mut()).is_pending());
    let mut closed = pin!(sender.closed());
    assert!(poll(closed.as_mut()).is_pending());
    receiver.close();
    receiver.close();
    assert!(poll(closed).is_ready());
    assert_eq!(poll(send), Poll::Ready(Err(SendError(2))));
    assert_eq!(poll(many), Poll::Ready(Err(SendError(vec![3, 4]))));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
}

#[test]
fn a_stream_gives_all_and_ends() {
    let (sender, mut receiver) = channel::bounded(2);
    let (waker, wakes) = Count::new();
    assert!(next(&mut receiver, &waker).is_pending());
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(wakes.get(), 1);
    let mut moved = receiver; // between polls
    assert_eq!(next(&mut moved, &waker), Poll::Ready(Some(1)));
    assert_eq!(next(&mut moved, &waker), Poll::Ready(Some(2)));
    assert!(next(&mut moved, &waker).is_pending());
    drop(sender);
    assert_eq!(wakes.get(), 2);
    assert_eq!(next(&mut moved, &waker), Poll::Ready(None));
    assert_eq!(
        next(&mut moved, &waker),
        Poll::Ready(None),
        "it stays ended"
    );
}

#[test]
fn a_stream_that_goes_passes_its_value_on() {
    let (sender, mut receiver) = channel::bounded(2);
    let second = receiver.clone();
    assert!(next(&mut receiver, Waker::noop()).is_pending());
    let mut recv = pin!(second.recv());
    assert!(poll(recv.as_mut()).is_pending());
    sender.try_send(1).unwrap();
    drop(receiver);
    assert_eq!(poll(recv), Poll::Ready(Ok(1)));
}

#[test]
fn a_stream_steps_back_for_the_calls_of_its_receiver() {
    let (sender, mut receiver) = channel::bounded(4);
    let (waker, wakes) = Count::new();
    // It was handed a value.
    assert!(next(&mut receiver, &waker).is_pending());
    sender.try_send(1).unwrap();
    assert_eq!(receiver.try_recv(), Ok(1));
    // It still waits: a call that does not wait leaves it in the line, one that does wakes it.
    assert!(next(&mut receiver, &waker).is_pending());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    assert_eq!((receiver.stats().receiving, wakes.get()), (1, 1));
    let mut recv = Box::pin(receiver.recv());
    assert_eq!((receiver.stats().receiving, wakes.get()), (0, 2));
    assert!(poll(recv.as_mut()).is_pending());
    sender.try_send(2).unwrap();
    assert_eq!(poll(recv.as_mut()), Poll::Ready(Ok(2)));
    drop(recv);
    // And it goes on.
    assert!(next(&mut receiver, &waker).is_pending());
    sender.try_send(3).unwrap();
    let mut got = Vec::new();
    assert_eq!(now(receiver.recv_many(&mut got, 9)), Ok(1));
    sender.try_send(4).unwrap();
    assert_eq!(
        (got, next(&mut receiver, &waker)),
        (vec![3], Poll::Ready(Some(4)))
    );
}

#[test]
fn served_in_the_order_of_their_waits() {
    let (sender, receiver) = channel::bounded(2);
    let second = receiver.clone();
    let mut waits = [&receiver, &second, &receiver].map(|receiver| Box::pin(receiver.recv()));
    for wait in &mut waits {
        assert!(poll(wait.as_mut()).is_pending());
    }
    // More than there is room for: three are handed over, two go in, one waits.
    let mut many = pin!(sender.send_many(0..6));
    assert!(poll(many.as_mut()).is_pending());
    for (value, wait) in waits.iter_mut().enumerate().rev() {
        assert_eq!(
            poll(wait.as_mut()),
            Poll::Ready(Ok(value)),
            "whoever is polled first"
        );
    }
    assert_eq!([(); 3].map(|()| receiver.try_recv()), [Ok(3), Ok(4), Ok(5)]);
    assert_eq!(poll(many), Poll::Ready(Ok(())));
}

#[test]
fn blocking_ends_meet() {
    let (sender, receiver) = channel::rendezvous();
    let thread = std::thread::spawn(move || {
        (0..100).for_each(|item| sender.blocking_send(item).unwrap());
    });
    for item in 0..100 {
        assert_eq!(receiver.blocking_recv(), Ok(item));
    }
    assert_eq!(receiver.blocking_recv(), Err(RecvError));
    thread.join().unwrap();
}

#[test]
fn errors_say_what_and_keep_the_value() {
    let texts = [
        SendError(1).to_string(),
        TrySendError::Full(1).to_string(),
        TrySendError::Closed(1).to_string(),
        RecvError.to_string(),
        TryRecvError::Empty.to_string(),
        TryReserveError::Full.to_string(),
    ];
    let expected = [
        "sending on a closed channel",
        "the channel is full",
        "sending on a closed channel",
        "the channel has ended",
        "the channel is empty",
        "the channel is full",
    ];
    assert_eq!(texts, expected);
    assert_eq!(TrySendError::from(SendError(7)).into_inner(), 7);
    assert_eq!(SendError(7).into_inner(), 7);
    assert_eq!(TryRecvError::from(RecvError), TryRecvError::Ended);
}
