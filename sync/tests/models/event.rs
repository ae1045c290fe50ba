//! Bodies for `event`.

use std::sync::Arc;

use tenter_sync::Event;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;

use crate::models::{block_on, block_on_pinned, poll_once};

/// One set, one waiter, in either order; what was done before it is visible.
pub fn one_for_one() {
    let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
    let other = Arc::clone(&shared);
    let setter = thread::spawn(move || {
        other.1.store(1, Ordering::Relaxed);
        other.0.set();
    });
    block_on(shared.0.wait());
    assert_eq!(shared.1.load(Ordering::Relaxed), 1);
    setter.join().unwrap();
    assert!(shared.0.is_set() && shared.0.stats().waiting == 0);
}

/// One who waits goes on, although the event is cleared as it is set, or is cleared before.
pub fn a_clear_takes_nothing_from_those_who_wait() {
    let event = Arc::new(Event::new());
    let mut waiting = Box::pin(event.wait());
    assert!(poll_once(waiting.as_mut()).is_pending());
    let other = Arc::clone(&event);
    let setter = thread::spawn(move || other.set());
    let other = Arc::clone(&event);
    let clearer = thread::spawn(move || other.clear());
    block_on_pinned(waiting.as_mut());
    setter.join().unwrap();
    clearer.join().unwrap();
    assert_eq!(event.stats().waiting, 0);
}

/// The loop "clear, look, wait": two producers, one of whom finds the event set already, and no item
/// is missed.
pub fn clear_look_wait() {
    let event = Arc::new(Event::new());
    let made: Arc<[AtomicUsize; 2]> = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let producers = [0, 1].map(|index| {
        let (event, made) = (Arc::clone(&event), Arc::clone(&made));
        thread::spawn(move || {
            made[index].store(1, Ordering::Relaxed);
            event.set();
        })
    });
    loop {
        event.clear();
        if made.iter().all(|made| made.load(Ordering::Relaxed) == 1) {
            break;
        }
        block_on(event.wait());
    }
    for producer in producers {
        producer.join().unwrap();
    }
}

/// One producer, and a consumer that clears without waiting: what a cleared `set` published is seen.
pub fn a_clear_acquires() {
    let shared = Arc::new((Event::new(), AtomicUsize::new(0)));
    let other = Arc::clone(&shared);
    let producer = thread::spawn(move || {
        other.1.store(1, Ordering::Relaxed);
        other.0.set();
    });
    shared.0.clear();
    if shared.1.load(Ordering::Relaxed) == 0 {
        // The `clear` came first, so the event is going to be set.
        block_on(shared.0.wait());
    }
    producer.join().unwrap();
}

/// One leaves as the event is set; the other goes on.
pub fn one_leaves_and_one_goes_on() {
    let event = Arc::new(Event::new());
    let mut leaves = Box::pin(event.wait());
    let mut stays = Box::pin(event.wait());
    assert!(poll_once(leaves.as_mut()).is_pending() && poll_once(stays.as_mut()).is_pending());
    let other = Arc::clone(&event);
    let setter = thread::spawn(move || other.set());
    drop(leaves);
    block_on_pinned(stays.as_mut());
    setter.join().unwrap();
    drop(stays);
    assert_eq!(event.stats().waiting, 0);
}
