//! Bodies for `watch`.

use std::sync::Arc;

use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;
use tenter_sync::watch;
use tenter_sync::watch::RecvError;

use crate::models::{Guarded, block_on, block_on_pinned, poll_once};

/// A value whose use and drop are watched: nobody reads it while, or after, it goes.
struct Value {
    number: usize,
    guarded: Guarded,
    drops: Arc<AtomicUsize>,
}

impl Value {
    fn new(number: usize, drops: &Arc<AtomicUsize>) -> Self {
        let drops = Arc::clone(drops);
        Self { number, guarded: Guarded::new(), drops }
    }

    fn read(&self) -> usize {
        assert_eq!(self.guarded.get(), 0);
        self.number
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.guarded.add_one();
        self.drops.fetch_add(1, Ordering::Relaxed);
    }
}

/// One value, one who waits, and then the end; what was done before the send is visible.
pub fn a_value_and_the_end() {
    let (sender, mut receiver) = watch(0);
    let note = Arc::new(AtomicUsize::new(0));
    let other = Arc::clone(&note);
    let thread = thread::spawn(move || {
        other.store(1, Ordering::Relaxed);
        sender.send(1).unwrap();
    });
    assert_eq!(block_on(receiver.changed()), Ok(()));
    assert_eq!(note.load(Ordering::Relaxed), 1);
    assert_eq!(*receiver.borrow(), 1);
    assert_eq!(block_on(receiver.changed()), Err(RecvError));
    thread.join().unwrap();
}

/// The last sender leaves; the one who waits learns of it.
pub fn the_last_sender_leaves() {
    let (sender, mut receiver) = watch(0);
    let other = sender.clone();
    let thread = thread::spawn(move || drop(other));
    drop(sender);
    assert_eq!(block_on(receiver.changed()), Err(RecvError));
    thread.join().unwrap();
}

/// Values that are replaced while they are read: a reader's stays whole until it has left, and each is
/// dropped once, at the latest by the end of the readers.
pub fn replaced_while_read() {
    let drops = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = watch(Value::new(0, &drops));
    let reader = thread::spawn(move || {
        for _ in 0..2 {
            let value = receiver.borrow();
            assert_eq!(value.read(), value.read());
        }
        receiver
    });
    for number in 1..=2 {
        let _ = sender.send(Value::new(number, &drops));
    }
    let receiver = reader.join().unwrap();
    assert_eq!(drops.load(Ordering::Relaxed), 2, "the last one is still there");
    assert_eq!(receiver.borrow().read(), 2);
    drop((sender, receiver));
    assert_eq!(drops.load(Ordering::Relaxed), 3);
}

/// A change in place and a reader: one waits for the other, and no reader sees half of it.
pub fn a_change_waits_for_readers() {
    let (sender, receiver) = watch((0, 0, Guarded::new()));
    let reader = thread::spawn(move || {
        let value = receiver.borrow();
        assert_eq!(value.0, value.1);
        value.2.get()
    });
    sender.send_modify(|value| {
        value.0 += 1;
        value.2.add_one();
        value.1 += 1;
    });
    let seen = reader.join().unwrap();
    assert!(seen <= 1);
    assert_eq!((sender.borrow().0, sender.borrow().2.get()), (1, 1));
}

/// A change in place waits for a reader who never leaves; it goes on when another value is sent.
pub fn a_change_goes_on_when_its_value_is_replaced() {
    let (sender, receiver) = watch(0);
    let held = receiver.borrow();
    let other = sender.clone();
    let changer = thread::spawn(move || other.send_modify(|value| *value += 10));
    sender.send(1).unwrap();
    changer.join().unwrap();
    assert_eq!((*held, *sender.borrow()), (0, 11));
}

/// A thread that reads already reads again while a change waits for it.
pub fn who_reads_is_let_in_again() {
    let (sender, receiver) = watch(0);
    let reader = thread::spawn(move || {
        let first = receiver.borrow();
        let second = receiver.borrow();
        assert_eq!(*first, *second);
    });
    sender.send_modify(|value| *value += 1);
    reader.join().unwrap();
    assert_eq!(*sender.borrow(), 1);
}

/// One who waits leaves as a value comes; the other one goes on.
pub fn one_leaves_and_one_goes_on() {
    let (sender, mut leaves) = watch(0);
    let mut stays = leaves.clone();
    let mut gone = Box::pin(leaves.changed());
    let mut waiting = Box::pin(stays.changed());
    assert!(poll_once(gone.as_mut()).is_pending() && poll_once(waiting.as_mut()).is_pending());
    let thread = thread::spawn(move || {
        sender.send(1).unwrap();
        sender
    });
    drop(gone);
    assert_eq!(block_on_pinned(waiting.as_mut()), Ok(()));
    drop(waiting);
    let sender = thread.join().unwrap();
    assert_eq!(sender.stats().waiting, 0);
    assert_eq!((*stays.borrow(), leaves.has_changed()), (1, Ok(true)));
}

/// The last receiver leaves; the sender that waits for that learns of it.
pub fn the_last_receiver_leaves() {
    let (sender, receiver) = watch(0);
    let other = receiver.clone();
    let thread = thread::spawn(move || drop(other));
    drop(receiver);
    block_on(sender.closed());
    assert!(sender.is_closed() && sender.send(1).is_err());
    thread.join().unwrap();
}

/// A wait that is polled again with another waker, as a value comes.
pub fn another_waker() {
    let (sender, mut receiver) = watch(0);
    let mut changed = Box::pin(receiver.changed());
    assert!(poll_once(changed.as_mut()).is_pending());
    let thread = thread::spawn(move || sender.send(1).unwrap());
    assert_eq!(block_on_pinned(changed.as_mut()), Ok(()));
    thread.join().unwrap();
}
