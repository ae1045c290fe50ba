//! Bodies for `oneshot`. The values are counted pointers, so that the model sees one that leaks.

use std::pin::{Pin, pin};
use std::sync::Arc as StdArc;
use std::task::{Context, Waker};

use tenter_sync::oneshot;
use tenter_sync::oneshot::{RecvError, TryRecvError};
use tenter_sync::shim::{Arc, thread};

use super::{Signal, block_on, poll_once};

/// The value comes over, whoever is first.
pub fn send_and_receive() {
    let (sender, receiver) = oneshot();
    let sending = thread::spawn(move || sender.send(Arc::new(7)).is_ok());
    let value = block_on(receiver).expect("nobody closes");
    assert_eq!(*value, 7);
    assert!(sending.join().unwrap());
}

/// RUSTSEC-2021-0124: a value that races with `close` has exactly one owner in the end.
pub fn send_and_close() {
    let (sender, mut receiver) = oneshot();
    let sending = thread::spawn(move || sender.send(Arc::new(7)).is_ok());
    receiver.close();
    let received = match receiver.try_recv() {
        Ok(value) => *value == 7,
        Err(TryRecvError::Closed) => false,
        Err(TryRecvError::Empty) => panic!("nothing can come after close"),
    };
    assert_eq!(
        received,
        sending.join().unwrap(),
        "it is sent, or it is refused"
    );
    assert_eq!(
        receiver.try_recv().err(),
        Some(TryRecvError::Closed),
        "it is taken once"
    );
}

/// RUSTSEC-2026-0005: a receiver that has been polled is dropped while the value is sent.
pub fn send_and_drop_of_a_polled_receiver() {
    let (sender, mut receiver) = oneshot();
    assert!(poll_once(Pin::new(&mut receiver)).is_pending());
    let sending = thread::spawn(move || {
        // Sent and dropped with the receiver, or refused: the value is freed either way.
        let _ = sender.send(Arc::new(7));
    });
    drop(receiver);
    sending.join().unwrap();
}

/// The receiver comes back with another waker while the value is sent.
pub fn send_and_change_of_waker() {
    let (sender, mut receiver) = oneshot();
    let first = Signal::new();
    let waker = Waker::from(StdArc::clone(&first));
    let pending =
        std::future::Future::poll(Pin::new(&mut receiver), &mut Context::from_waker(&waker));
    assert!(pending.is_pending());
    drop(waker);
    let sending = thread::spawn(move || sender.send(Arc::new(7)).is_ok());
    assert_eq!(block_on(receiver).map(|value| *value), Ok(7));
    assert!(sending.join().unwrap());
    assert_eq!(StdArc::strong_count(&first), 1, "the first waker is gone");
}

/// A sender that is dropped tells the receiver.
pub fn drop_of_the_sender() {
    let (sender, receiver) = oneshot::<Arc<u8>>();
    let dropping = thread::spawn(move || drop(sender));
    assert_eq!(block_on(receiver).err(), Some(RecvError));
    dropping.join().unwrap();
}

/// A sender that waits for the receiver's end hears of it.
pub fn drop_of_the_receiver() {
    let (mut sender, receiver) = oneshot::<Arc<u8>>();
    let dropping = thread::spawn(move || drop(receiver));
    block_on(sender.closed());
    assert!(sender.is_closed());
    assert!(sender.send(Arc::new(7)).is_err());
    dropping.join().unwrap();
}

/// Both sides wait for the other, and both go at once.
pub fn both_wait_and_leave() {
    let (mut sender, mut receiver) = oneshot();
    assert!(poll_once(pin!(sender.closed())).is_pending());
    assert!(poll_once(Pin::new(&mut receiver)).is_pending());
    let sending = thread::spawn(move || {
        let _ = sender.send(Arc::new(7));
    });
    drop(receiver);
    sending.join().unwrap();
}
