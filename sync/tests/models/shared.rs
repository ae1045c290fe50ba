//! Bodies for `shared`.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use tenter_sync::shim::atomic::{AtomicBool, Ordering};
use tenter_sync::shim::{Mutex, thread};
use tenter_sync::{Shared, oneshot};

use crate::models::{Guarded, block_on, block_on_pinned, poll_once};

type Boxed = Pin<Box<dyn Future<Output = usize> + Send>>;

/// A future that is ready when it has been told so. Its own polls and its drop exclude one another.
struct Told {
    place: Arc<Place>,
    polls: Guarded,
}

/// Where a [`Told`] is told.
struct Place {
    is_told: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Told {
    fn new() -> (Self, Arc<Place>) {
        let place = Arc::new(Place { is_told: AtomicBool::new(false), waker: Mutex::new(None) });
        (Self { place: Arc::clone(&place), polls: Guarded::new() }, place)
    }
}

impl Place {
    fn tell(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        let waker = self.waker.lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl Future for Told {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        self.polls.add_one();
        *self.place.waker.lock() = Some(cx.waker().clone());
        if self.place.is_told.load(Ordering::Relaxed) {
            return Poll::Ready(self.polls.get());
        }
        Poll::Pending
    }
}

/// Two who wait, and a wake that may meet either of their polls.
pub fn a_wake_while_it_is_polled() {
    let (future, place) = Told::new();
    let first = Shared::new(future);
    let second = first.clone();
    let waiter = thread::spawn(move || block_on(second));
    let teller = thread::spawn(move || place.tell());
    let polls = block_on(first.wait());
    assert_eq!(waiter.join().unwrap(), polls);
    teller.join().unwrap();
    assert_eq!(first.stats().waiting, 0);
}

/// The one who polled the future last is dropped as it is woken; the other one goes on.
pub fn the_one_who_polled_is_dropped() {
    let (future, place) = Told::new();
    let stays = Shared::new(future);
    let mut waiting = Box::pin(stays.wait());
    let mut polled = stays.clone();
    assert!(poll_once(Pin::new(&mut polled)).is_pending());
    let teller = thread::spawn(move || place.tell());
    let dropper = thread::spawn(move || drop(polled));
    block_on_pinned(waiting.as_mut());
    teller.join().unwrap();
    dropper.join().unwrap();
}

/// The one who polled the future is kept and not polled any more; the other one goes on.
pub fn the_one_who_polled_is_forgotten() {
    let (future, place) = Told::new();
    let stays = Shared::new(future);
    let mut kept = stays.clone();
    assert!(poll_once(Pin::new(&mut kept)).is_pending());
    let other = stays.clone();
    let waiter = thread::spawn(move || block_on(other));
    place.tell();
    waiter.join().unwrap();
    drop(kept);
    assert!(stays.peek().is_some());
}

/// Two who come at once: one polls, the other one waits for it; both get the output, and who looks sees
/// all of it.
pub fn two_come_at_once() {
    let future: Boxed = Box::pin(poll_fn(|_| Poll::Ready(7)));
    let first = Shared::new(future);
    let second = first.clone();
    let waiter = thread::spawn(move || block_on(second));
    if let Some(output) = first.peek() {
        assert_eq!(*output, 7);
    }
    assert_eq!(block_on(first.wait()), 7);
    assert_eq!(waiter.join().unwrap(), 7);
}

/// A future that wakes itself in its poll: all who wait are told by the one who polled.
pub fn it_wakes_itself() {
    let mut is_first = true;
    let future: Boxed = Box::pin(poll_fn(move |cx| {
        if std::mem::take(&mut is_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(1)
    }));
    let first = Shared::new(future);
    let second = first.clone();
    let waiter = thread::spawn(move || block_on(second));
    assert_eq!(block_on(first), 1);
    waiter.join().unwrap();
}

/// A real leaf: a oneshot, sent while two wait.
pub fn a_oneshot_for_two() {
    let (sender, receiver) = oneshot();
    let first = Shared::new(receiver);
    let second = first.clone();
    let waiter = thread::spawn(move || block_on(second));
    sender.send(3).unwrap();
    assert_eq!(block_on(first), Ok(3));
    assert_eq!(waiter.join().unwrap(), Ok(3));
}
