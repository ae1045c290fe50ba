//! Channels: drops and wakers that panic or come back, and futures that are dropped or leaked.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;

use support::{Count, Hooks, hostile, leak, poll, poll_with};
use tenter_sync::channel::{self, SendError, Sender, TryRecvError};

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
fn what_is_left_is_dropped_with_the_last_receiver() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel::unbounded();
    for _ in 0..3 {
        // In the drop everything can be used, so no lock is held.
        let weak = sender.downgrade();
        let body = Box::new(move || {
            let sender = weak.upgrade().expect("the test has one");
            assert!(sender.is_closed());
            assert_eq!((sender.len(), sender.stats().receivers), (0, 0));
        });
        let value = Dropped(Arc::clone(&drops), Some(body));
        sender.try_send(value).unwrap();
    }
    let mut closed = pin!(sender.closed());
    assert!(poll(closed.as_mut()).is_pending());
    drop(receiver);
    assert_eq!(drops.load(Ordering::Relaxed), 3);
    assert!(poll(closed).is_ready());
}

#[test]
fn a_value_that_panics_in_its_drop_takes_no_other_with_it() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = channel::bounded(3);
    let bodies: [Option<Box<dyn FnOnce() + Send>>; 3] =
        [None, Some(Box::new(|| panic!("in a drop"))), None];
    for body in bodies {
        sender.try_send(Dropped(Arc::clone(&drops), body)).unwrap();
    }
    let mut closed = pin!(sender.closed());
    assert!(poll(closed.as_mut()).is_pending());
    catch_unwind(AssertUnwindSafe(|| drop(receiver))).unwrap_err();
    assert_eq!(drops.load(Ordering::Relaxed), 3);
    assert!(poll(closed).is_ready() && sender.is_closed());
}

/// The channel would keep itself alive; the last receiver from outside ends it.
#[test]
fn a_channel_that_holds_its_own_sender() {
    struct Message(#[expect(dead_code, reason = "it is only kept")] Sender<Message>);
    let (sender, receiver) = channel::unbounded();
    sender.try_send(Message(sender.clone())).unwrap();
    let weak = sender.downgrade();
    drop(sender);
    assert_eq!(weak.sender_count(), 1);
    drop(receiver);
    assert_eq!(weak.sender_count(), 0);
}

/// The waker has the last receiver: waking and dropping it closes the channel from within.
#[test]
fn the_last_end_goes_in_a_wake() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let kept = Mutex::new(Some(receiver.clone()));
    let hooks = Arc::new(Hooks {
        on_wake: Some(Box::new(move || drop(kept.lock().unwrap().take()))),
        ..Hooks::default()
    });
    {
        let mut recv = Box::pin(receiver.recv());
        assert!(poll_with(recv.as_mut(), &hostile(&hooks)).is_pending());
        sender.try_send(1).unwrap();
        assert_eq!(sender.receiver_count(), 1);
        assert_eq!(poll(recv.as_mut()), Poll::Ready(Ok(1)));
    }
    drop(receiver);
    assert!(sender.is_closed());
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_the_news() {
    let (sender, receiver) = channel::bounded(1);
    sender.try_send(1).unwrap();
    let hooks = Arc::new(Hooks {
        on_wake: Some(Box::new(|| panic!("in a wake"))),
        ..Hooks::default()
    });
    let second = sender.clone();
    let (waker, wakes) = Count::new();
    let mut hit = pin!(sender.send(2));
    assert!(poll_with(hit.as_mut(), &hostile(&hooks)).is_pending());
    let mut behind = pin!(second.send(3));
    assert!(poll_with(behind.as_mut(), &waker).is_pending());
    let mut closed = pin!(second.closed());
    assert!(poll_with(closed.as_mut(), &waker).is_pending());
    catch_unwind(AssertUnwindSafe(|| drop(receiver))).unwrap_err();
    assert_eq!(wakes.get(), 2);
    assert!(poll(closed).is_ready());
    assert_eq!(poll(hit), Poll::Ready(Err(SendError(2))));
    assert_eq!(poll(behind), Poll::Ready(Err(SendError(3))));
    assert!(second.is_empty(), "and what was in it is gone");
}

#[test]
fn a_leaked_receive_takes_one_value_along_and_no_more() {
    let (sender, receiver) = channel::bounded(2);
    let mut leaked = Box::pin(receiver.recv());
    assert!(poll(leaked.as_mut()).is_pending());
    leak(leaked);
    sender.try_send(1).unwrap();
    sender.try_send(2).unwrap();
    assert_eq!(receiver.try_recv(), Ok(2));
    drop(sender);
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Ended));
}

#[test]
fn dropped_sends_at_every_poll() {
    for polls in 0..3 {
        for granted in [false, true] {
            let drops = Arc::new(AtomicUsize::new(0));
            let (sender, receiver) = channel::bounded(1);
            sender.try_send(Dropped(Arc::clone(&drops), None)).unwrap();
            let mut send = Box::pin(sender.send(Dropped(Arc::clone(&drops), None)));
            for _ in 0..polls {
                assert!(poll(send.as_mut()).is_pending());
            }
            if granted {
                drop(receiver.try_recv());
            }
            drop(send);
            let sent = polls > 0 && granted;
            let gone = usize::from(granted) + usize::from(!sent);
            assert_eq!(
                drops.load(Ordering::Relaxed),
                gone,
                "{polls} polls, {granted}"
            );
            drop(receiver);
            assert_eq!(drops.load(Ordering::Relaxed), 2);
        }
    }
}
