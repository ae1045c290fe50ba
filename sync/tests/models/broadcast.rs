//! Bodies for `broadcast`.

use std::pin::pin;
use std::sync::Arc;

use tenter_sync::broadcast::{RecvError, TryRecvError};
use tenter_sync::shim::{UnsafeCell, thread};
use tenter_sync::{broadcast, shim};

use crate::models::{block_on, poll_once};

/// A value whose clone and drop the model watches: a read of one that has been dropped, or is being
/// overwritten, is a finding, and so is one that is never dropped.
struct Value(UnsafeCell<usize>, shim::Arc<()>);

// SAFETY: none by itself: whether accesses exclude one another is what the models check.
unsafe impl Sync for Value {}

impl Value {
    fn new(number: usize) -> Self {
        Self(UnsafeCell::new(number), shim::Arc::new(()))
    }

    fn get(&self) -> usize {
        self.0.with(|number| {
            // SAFETY: the protocol under test excludes writers; see above.
            unsafe { *number }
        })
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        Self(UnsafeCell::new(self.get()), shim::Arc::clone(&self.1))
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.0.with_mut(|number| {
            // SAFETY: as in `get`.
            unsafe { *number = 0 }
        });
    }
}

/// One value, one receiver that waits for it, or finds it.
pub fn one_for_one() {
    let (sender, mut receiver) = broadcast(1);
    let other = thread::spawn(move || {
        assert!(sender.send(Value::new(7)).is_ok());
        sender // stays until the value has been received
    });
    assert_eq!(block_on(receiver.recv()).map(|value| value.get()), Ok(7));
    other.join().unwrap();
}

/// One value for two receivers on two threads: each has it, and it is dropped once.
pub fn two_receivers() {
    let (sender, mut one) = broadcast(1);
    let mut two = sender.subscribe();
    assert!(sender.send(Value::new(7)).is_ok());
    let other = thread::spawn(move || {
        assert_eq!(two.try_recv().map(|value| value.get()), Ok(7));
    });
    assert_eq!(one.try_recv().map(|value| value.get()), Ok(7));
    other.join().unwrap();
    assert!(sender.is_empty());
}

/// The sender comes round to a value that is being read, and to the cell that this has cost it.
pub fn overwritten_while_read() {
    let (sender, mut one) = broadcast(1);
    let mut two = sender.subscribe();
    assert!(sender.send(Value::new(1)).is_ok());
    let other = thread::spawn(move || match two.try_recv() {
        Ok(value) => assert!((1..=2).contains(&value.get())),
        Err(error) => assert_eq!(error, TryRecvError::Lagged(1)),
    });
    assert!(sender.send(Value::new(2)).is_ok());
    assert_eq!(one.try_recv().err(), Some(TryRecvError::Lagged(1)));
    assert_eq!(one.try_recv().map(|value| value.get()), Ok(2));
    other.join().unwrap();
    for number in 3..5 {
        assert!(sender.send(Value::new(number)).is_ok());
        assert_eq!(one.try_recv().map(|value| value.get()), Ok(number));
    }
    assert!(sender.stats().cells_added <= 1 && sender.is_empty());
}

/// A cell that was left to its reader comes back and is used again.
pub fn cells_come_back() {
    let (sender, mut one) = broadcast(1);
    for number in 1..3 {
        assert!(sender.send(Value::new(number)).is_ok());
        let mut two = one.resubscribe();
        assert_eq!(one.try_recv().map(|value| value.get()), Ok(number));
        assert!(sender.send(Value::new(8)).is_ok());
        let other = thread::spawn(move || drop(two.try_recv()));
        assert!(sender.send(Value::new(9)).is_ok());
        other.join().unwrap();
        assert_eq!(one.try_recv().err(), Some(TryRecvError::Lagged(1)));
        assert_eq!(one.try_recv().map(|value| value.get()), Ok(9));
    }
    assert!(sender.stats().cells_added <= 1);
}

/// The last sender sends and goes; the receiver has the value before it hears of the end.
pub fn the_last_value_before_the_end() {
    let (sender, mut receiver) = broadcast(1);
    let other = thread::spawn(move || {
        assert!(sender.send(7).is_ok());
    });
    let mut received = receiver.try_recv();
    if received == Err(TryRecvError::Empty) {
        received = block_on(receiver.recv()).map_err(TryRecvError::from);
    }
    assert_eq!(received, Ok(7));
    assert_eq!(block_on(receiver.recv()), Err(RecvError::Closed));
    other.join().unwrap();
}

/// A receiver that only looks never hears of the end before the last value.
pub fn a_look_at_the_end() {
    let (sender, mut receiver) = broadcast(1);
    let other = thread::spawn(move || {
        assert!(sender.send(7).is_ok());
    });
    let received = receiver.try_recv();
    assert!(received == Ok(7) || received == Err(TryRecvError::Empty));
    other.join().unwrap();
}

/// One waits as the last sender goes, another has left the line.
pub fn the_end_wakes_those_who_wait() {
    let (sender, mut stays) = broadcast::<u8>(1);
    let mut leaves = sender.subscribe();
    let mut leaving = Box::pin(leaves.recv());
    assert!(poll_once(leaving.as_mut()).is_pending());
    let other = thread::spawn(move || drop(sender));
    drop(leaving);
    assert_eq!(block_on(stays.recv()), Err(RecvError::Closed));
    other.join().unwrap();
}

/// A receiver goes with a value that it has not had, as the other receives it: it is dropped once, at
/// once.
pub fn one_goes_and_one_receives() {
    let (sender, mut one) = broadcast(1);
    let two = sender.subscribe();
    assert!(sender.send(Value::new(7)).is_ok());
    let other = thread::spawn(move || drop(two));
    assert_eq!(one.try_recv().map(|value| value.get()), Ok(7));
    other.join().unwrap();
    assert!(sender.is_empty());
}

/// The last receiver goes as a sender waits for that, and a new one comes.
pub fn the_last_receiver_goes() {
    let (sender, receiver) = broadcast::<u8>(1);
    let sender = Arc::new(sender);
    let mut waiting = pin!(sender.closed());
    assert!(poll_once(waiting.as_mut()).is_pending());
    let subscriber = Arc::clone(&sender);
    let other = thread::spawn(move || subscriber.subscribe());
    drop(receiver);
    let mut again = other.join().unwrap();
    // Closed in between, unless the new one came first; then it is open all the time.
    if poll_once(waiting.as_mut()).is_pending() {
        assert_eq!(sender.send(7), Ok(1));
        assert_eq!(again.try_recv(), Ok(7));
        drop(again);
        block_on(waiting);
        return;
    }
    assert_eq!(sender.send(7), Ok(1));
    assert_eq!(block_on(again.recv()), Ok(7));
}

/// A receiver so far behind that its stamp is back, beside one that is right. Stamps are four in the
/// model.
pub fn a_stamp_comes_back() {
    let (sender, mut late) = broadcast(1);
    for number in 0..4 {
        assert!(sender.send(number).is_ok());
    }
    let mut right = sender.subscribe();
    assert!(sender.send(4).is_ok());
    let other = thread::spawn(move || assert_eq!(late.try_recv(), Err(TryRecvError::Lagged(4))));
    assert_eq!(right.try_recv(), Ok(4));
    other.join().unwrap();
}

/// The same, as the sender takes the cell back.
pub fn a_stamp_comes_back_and_goes() {
    let (sender, mut late) = broadcast(1);
    for number in 0..5 {
        assert!(sender.send(Value::new(number)).is_ok());
    }
    let other = thread::spawn(move || {
        let lost = late.try_recv().err();
        assert!(lost == Some(TryRecvError::Lagged(4)) || lost == Some(TryRecvError::Lagged(5)));
        late
    });
    assert!(sender.send(Value::new(5)).is_ok());
    let mut late = other.join().unwrap();
    let received = late.try_recv().map(|value| value.get());
    assert!(received == Ok(5) || received == Err(TryRecvError::Lagged(1)));
}

/// Two senders, one receiver: both values come, unless the receiver is too slow for the first.
pub fn two_senders() {
    let (sender, mut receiver) = broadcast(2);
    let another = sender.clone();
    let other = thread::spawn(move || assert!(another.send(1).is_ok()));
    assert!(sender.send(2).is_ok());
    let sum = block_on(receiver.recv()).unwrap() + block_on(receiver.recv()).unwrap();
    assert_eq!(sum, 3);
    other.join().unwrap();
}
