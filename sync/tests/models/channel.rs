//! Bodies for `channel`: the ends that go, and the hand-over without room.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;

use futures_core::Stream;
use tenter_sync::channel::{self, Receiver, RecvError, Sender, TryRecvError, TrySendError};
use tenter_sync::shim::thread;

use super::{block_on, poll_once};

/// A send that owns its sender.
fn sending<T: 'static>(
    sender: Sender<T>,
    value: T,
) -> Pin<Box<impl Future<Output = Result<(), channel::SendError<T>>>>> {
    Box::pin(async move { sender.send(value).await })
}

/// A receive that owns its receiver.
fn receiving<T: 'static>(
    receiver: Receiver<T>,
) -> Pin<Box<impl Future<Output = Result<T, RecvError>>>> {
    Box::pin(async move { receiver.recv().await })
}

/// The last sender goes as a receiver lines up: it sees the end, or is told.
pub fn the_last_sender_and_a_receiver_that_lines_up() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let other = thread::spawn(move || drop(sender));
    assert_eq!(block_on(receiver.recv()), Err(RecvError));
    other.join().unwrap();
}

/// What was sent before the last sender went is received before the end.
pub fn a_value_and_then_the_end() {
    let (sender, receiver) = channel::bounded(1);
    let other = thread::spawn(move || sender.try_send(7).expect("there is room"));
    assert_eq!(block_on(receiver.recv()), Ok(7));
    assert_eq!(block_on(receiver.recv()), Err(RecvError));
    other.join().unwrap();
}

/// Two senders go after the receiver: one of them frees the memory, after the other has left it.
pub fn two_senders_go() {
    let (sender, receiver) = channel::bounded::<u8>(1);
    let second = sender.clone();
    drop(receiver);
    let other = thread::spawn(move || {
        assert_eq!(second.try_send(7), Err(TrySendError::Closed(7)));
    });
    drop(sender);
    other.join().unwrap();
}

/// Both sides go at once, with a value between them.
pub fn everybody_goes() {
    let value = Arc::new(());
    let (sender, receiver) = channel::bounded(1);
    sender.try_send(Arc::clone(&value)).expect("there is room");
    let other = thread::spawn(move || drop(sender));
    drop(receiver);
    other.join().unwrap();
    assert_eq!(Arc::strong_count(&value), 1, "the value was dropped once");
}

/// The last receiver goes as a value is sent: it is dropped then, or comes back.
pub fn the_last_receiver_and_a_send() {
    let value = Arc::new(());
    let (sender, receiver) = channel::bounded(1);
    let (theirs, second) = (Arc::clone(&value), sender.clone());
    let other = thread::spawn(move || drop(second.try_send(theirs)));
    drop(receiver);
    other.join().unwrap();
    assert_eq!(Arc::strong_count(&value), 1, "nobody keeps the value");
    assert!(sender.is_closed());
}

/// The last receiver goes as a sender lines up: its value comes back.
pub fn the_last_receiver_and_a_sender_that_lines_up() {
    let (sender, receiver) = channel::bounded(1);
    sender.try_send(0).expect("there is room");
    let other = thread::spawn(move || drop(receiver));
    let back = block_on(sender.send(7)).map_err(channel::SendError::into_inner);
    assert_eq!(back, Err(7));
    other.join().unwrap();
}

/// Without room two meet, whoever comes first.
pub fn a_rendezvous() {
    let (sender, receiver) = channel::rendezvous();
    let other = thread::spawn(move || block_on(sender.send(7)).expect("there is a receiver"));
    assert_eq!(block_on(receiver.recv()), Ok(7));
    other.join().unwrap();
    assert_eq!(block_on(receiver.recv()), Err(RecvError));
}

/// A receiver that leaves as it is handed a value loses nothing.
pub fn a_rendezvous_and_a_receiver_that_leaves() {
    let (sender, receiver) = channel::rendezvous();
    let mut cancelled = receiving(receiver.clone());
    assert!(poll_once(cancelled.as_mut()).is_pending());
    let other = thread::spawn(move || block_on(sender.send(7)).expect("there is a receiver"));
    drop(cancelled);
    assert_eq!(block_on(receiver.recv()), Ok(7));
    other.join().unwrap();
}

/// A sender that leaves as it is met takes its value along, or has sent it.
pub fn a_rendezvous_and_a_sender_that_leaves() {
    let value = Arc::new(());
    let (sender, receiver) = channel::rendezvous();
    let mut cancelled = sending(sender.clone(), Arc::clone(&value));
    assert!(
        poll_once(cancelled.as_mut()).is_pending(),
        "nobody is there"
    );
    let other = thread::spawn(move || {
        let got = receiver.try_recv();
        (got, receiver)
    });
    drop(cancelled);
    let (got, receiver) = other.join().unwrap();
    assert_eq!(Arc::strong_count(&value), 1 + usize::from(got.is_ok()));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
}

/// A weak sender comes back before the last one is gone, or not at all.
pub fn an_upgrade_and_the_last_sender() {
    let (sender, receiver) = channel::bounded(1);
    let weak = sender.downgrade();
    let other = thread::spawn(move || match weak.upgrade() {
        Some(sender) => sender.try_send(7).is_ok(),
        None => false,
    });
    drop(sender);
    let got = block_on(receiver.recv());
    assert_eq!(got.is_ok(), other.join().unwrap());
}

/// Who waits for the end of all receivers sees it, or is told.
pub fn closed_and_the_last_receiver() {
    let (sender, receiver) = channel::bounded(1);
    let other = thread::spawn(move || drop(receiver));
    block_on(sender.closed());
    assert_eq!(sender.try_send(7), Err(TrySendError::Closed(7)));
    other.join().unwrap();
}

/// A stream that was left while it waited keeps nothing from its own receiver.
pub fn a_stream_that_was_left() {
    let (sender, mut receiver) = channel::bounded(1);
    let mut polled = pin!(std::future::poll_fn(
        |cx| Pin::new(&mut receiver).poll_next(cx)
    ));
    assert!(poll_once(polled.as_mut()).is_pending());
    let other = thread::spawn(move || {
        sender.try_send(7).expect("there is room");
        sender
    });
    assert_eq!(block_on(receiver.recv()), Ok(7));
    drop(other.join().unwrap());
}
