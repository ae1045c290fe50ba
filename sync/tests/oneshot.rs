//! `oneshot`: who gets the value, what is dropped when, and the two advisories.

mod support;

use std::num::NonZeroU64;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use support::{Count, poll, poll_with};
use tenter_sync::current::{self, TaskSlot, WaitKind};
use tenter_sync::oneshot;
use tenter_sync::oneshot::{RecvError, TryRecvError};

#[test]
fn the_value_comes_over_before_and_after_the_first_poll() {
    let (sender, mut receiver) = oneshot();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    sender.send(1).unwrap();
    assert_eq!(poll(pin!(receiver)), Poll::Ready(Ok(1)));

    let (sender, mut receiver) = oneshot();
    let (waker, count) = Count::new();
    assert_eq!(poll_with(Pin::new(&mut receiver), &waker), Poll::Pending);
    assert_eq!(poll_with(Pin::new(&mut receiver), &waker), Poll::Pending);
    sender.send(2).unwrap();
    assert_eq!(count.get(), 1);
    assert_eq!(receiver.try_recv(), Ok(2));
    assert!(receiver.is_terminated());
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn a_dropped_sender_ends_the_wait() {
    let (sender, mut receiver) = oneshot::<u8>();
    let (waker, count) = Count::new();
    assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    drop(sender);
    assert_eq!(count.get(), 1);
    assert_eq!(poll(Pin::new(&mut receiver)), Poll::Ready(Err(RecvError)));
}

#[test]
fn a_dropped_receiver_refuses_the_value_and_tells_the_sender() {
    let (mut sender, receiver) = oneshot();
    let (waker, count) = Count::new();
    assert!(poll_with(pin!(sender.closed()), &waker).is_pending());
    assert!(!sender.is_closed());
    drop(receiver);
    assert_eq!(count.get(), 1);
    assert!(poll(pin!(sender.closed())).is_ready() && sender.is_closed());
    assert_eq!(sender.send("back"), Err("back"));
}

/// RUSTSEC-2021-0124: after `close` the value cell has one owner.
#[test]
fn close_refuses_what_was_not_sent_and_keeps_what_was() {
    let (mut sender, mut receiver) = oneshot();
    receiver.close();
    receiver.close();
    assert!(poll(pin!(sender.closed())).is_ready());
    assert_eq!(poll(Pin::new(&mut receiver)), Poll::Ready(Err(RecvError)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(sender.send(1), Err(1));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));

    let (sender, mut receiver) = oneshot();
    sender.send(1).unwrap();
    receiver.close();
    assert_eq!(receiver.try_recv(), Ok(1));
}

/// RUSTSEC-2026-0005: a receiver that has registered its waker takes it along when it is dropped.
#[test]
fn dropped_ends_leave_no_waker_behind() {
    let ((rx_waker, rx_count), (tx_waker, tx_count)) = (Count::new(), Count::new());
    let (mut sender, mut receiver) = oneshot::<u8>();
    assert!(poll_with(Pin::new(&mut receiver), &rx_waker).is_pending());
    assert!(poll_with(pin!(sender.closed()), &tx_waker).is_pending());
    drop(receiver);
    drop((rx_waker, tx_waker));
    assert_eq!(
        Arc::strong_count(&rx_count),
        1,
        "dropped at once, not with the sender"
    );
    assert_eq!((rx_count.get(), tx_count.get()), (0, 1));
    drop(sender);
    assert_eq!(Arc::strong_count(&tx_count), 1);
}

#[test]
fn a_changed_waker_replaces_the_old_one() {
    let ((old, old_count), (new, new_count)) = (Count::new(), Count::new());
    let (sender, mut receiver) = oneshot();
    assert!(poll_with(Pin::new(&mut receiver), &old).is_pending());
    assert!(poll_with(Pin::new(&mut receiver), &new).is_pending());
    drop((old, new));
    assert_eq!(Arc::strong_count(&old_count), 1);
    sender.send(7).unwrap();
    assert_eq!((old_count.get(), new_count.get()), (0, 1));
    assert_eq!(Arc::strong_count(&new_count), 1);
}

#[test]
fn a_value_is_dropped_once_wherever_it_is_left() {
    let value = Arc::new(());
    let (sender, receiver) = oneshot();
    sender.send(Arc::clone(&value)).unwrap();
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1, "with the receiver");

    let (sender, receiver) = oneshot();
    drop(receiver);
    drop(sender.send(Arc::clone(&value)));
    assert_eq!(Arc::strong_count(&value), 1, "with the refusal");

    let (sender, mut receiver) = oneshot();
    sender.send(Arc::clone(&value)).unwrap();
    drop(poll(Pin::new(&mut receiver)));
    drop(receiver);
    assert_eq!(Arc::strong_count(&value), 1, "with the one who received it");
}

#[test]
fn a_value_whose_drop_panics_leaks_nothing_else() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("hostile value");
        }
    }
    let (sender, receiver) = oneshot();
    assert!(sender.send(Bomb).is_ok());
    let outcome = std::panic::catch_unwind(|| drop(receiver));
    assert!(outcome.is_err());
}

#[test]
#[should_panic(expected = "polled again after it had completed")]
fn polling_after_the_outcome_panics() {
    let (sender, mut receiver) = oneshot();
    sender.send(1).unwrap();
    let _ = poll(Pin::new(&mut receiver));
    let _ = poll(Pin::new(&mut receiver));
}

#[test]
fn a_thread_can_wait_for_it() {
    let (sender, receiver) = oneshot();
    let thread = std::thread::spawn(|| receiver.blocking_recv());
    sender.send(7).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(7));
    let (sender, receiver) = oneshot::<u8>();
    drop(sender);
    assert_eq!(receiver.blocking_recv(), Err(RecvError));
}

#[test]
fn a_spent_budget_leaves_the_value_in_the_channel() {
    let slot = TaskSlot::new(NonZeroU64::MIN);
    let (sender, mut receiver) = oneshot();
    let (waker, count) = Count::new();
    current::with_task(&slot, 0, || {
        assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
        assert_eq!(slot.waiting_on().unwrap().kind, WaitKind::Oneshot);
        sender.send(7).unwrap();
        assert!(poll_with(Pin::new(&mut receiver), &waker).is_pending());
    });
    assert_eq!(count.get(), 2, "once by the sender, once to come back");
    assert_eq!(poll(Pin::new(&mut receiver)), Poll::Ready(Ok(7)));
}

#[test]
fn values_of_any_size_and_alignment_come_over() {
    #[repr(align(128))]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Wide([u64; 40]);
    let (sender, mut receiver) = oneshot();
    sender.send(Wide([7; 40])).unwrap();
    assert_eq!(receiver.try_recv(), Ok(Wide([7; 40])));
    let (sender, mut receiver) = oneshot();
    sender.send(()).unwrap();
    assert_eq!(receiver.try_recv(), Ok(()));
}

#[test]
fn debug_tells_the_state() {
    let (sender, receiver) = oneshot();
    assert!(format!("{sender:?} {receiver:?}").contains("\"empty\""));
    sender.send(1).unwrap();
    assert!(format!("{receiver:?}").contains("\"sent\""));
}

#[test]
fn a_receiver_says_whether_a_value_is_there_and_whether_one_can_come() {
    let (sender, mut receiver) = oneshot();
    assert!(receiver.is_empty() && !receiver.is_closed());
    sender.send(1).unwrap();
    assert!(!receiver.is_empty() && receiver.is_closed());
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(receiver.is_empty() && receiver.is_closed() && receiver.is_terminated());
    let (sender, mut receiver) = oneshot::<u8>();
    receiver.close();
    assert!(receiver.is_empty() && receiver.is_closed() && sender.is_closed());
    assert!(!receiver.is_terminated());
}
