//! Bodies for `once_cell`.

use std::future::ready;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tenter_sync::OnceCell;
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;

use crate::models::{block_on, poll_once};

/// Two want the value; one makes it, and both see all of it.
pub fn one_makes_it_for_both() {
    let shared = Arc::new((OnceCell::new(), AtomicUsize::new(0)));
    let get = |shared: &(OnceCell<usize>, AtomicUsize), mine: usize| {
        *block_on(shared.0.get_or_init(|| {
            shared.1.fetch_add(1, Ordering::Relaxed);
            ready(mine)
        }))
    };
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || get(&other, 1));
    let mine = get(&shared, 2);
    assert_eq!(thread.join().unwrap(), mine);
    assert_eq!(shared.1.load(Ordering::Relaxed), 1);
    assert_eq!(shared.0.stats().waiting, 0);
}

/// A first initialiser that fails, and others that succeed: all of those get the value.
pub fn a_failure_lets_the_next_one_try() {
    let cell = Arc::new(OnceCell::new());
    let other = Arc::clone(&cell);
    let fails = thread::spawn(move || block_on(other.get_or_try_init(|| ready(Err(())))).copied());
    let other = Arc::clone(&cell);
    let succeeds = thread::spawn(move || *block_on(other.get_or_init(|| ready(7))));
    assert_eq!(*block_on(cell.get_or_init(|| ready(7))), 7);
    assert_eq!(succeeds.join().unwrap(), 7);
    assert!(matches!(fails.join().unwrap(), Ok(7) | Err(())));
    assert_eq!(cell.stats().waiting, 0);
}

/// An initialiser that never ends.
struct Never;

impl Future for Never {
    type Output = u8;
    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<u8> {
        Poll::Pending
    }
}

/// An initialiser that is dropped before it is done lets the next one try.
pub fn a_dropped_initialiser_lets_the_next_one_try() {
    let cell = Arc::new(OnceCell::new());
    let mut dropped = Box::pin(cell.get_or_init(|| Never));
    assert!(poll_once(dropped.as_mut()).is_pending());
    let other = Arc::clone(&cell);
    let waits = thread::spawn(move || *block_on(other.get_or_init(|| ready(7))));
    drop(dropped);
    assert_eq!(waits.join().unwrap(), 7);
}

/// One that was told to try and is dropped tells the next.
pub fn one_who_was_told_and_leaves_tells_the_next() {
    let cell = Arc::new(OnceCell::new());
    let mut runs = Box::pin(cell.get_or_init(|| Never));
    assert!(poll_once(runs.as_mut()).is_pending());
    let mut told = Box::pin(cell.get_or_init(|| Never));
    assert!(poll_once(told.as_mut()).is_pending());
    let other = Arc::clone(&cell);
    let waits = thread::spawn(move || *block_on(other.get_or_init(|| ready(7))));
    drop(runs);
    drop(told);
    assert_eq!(waits.join().unwrap(), 7);
    assert_eq!(cell.stats().waiting, 0);
}

/// `set` meets an initialiser: one of the two values stays, and everybody sees that one.
pub fn a_set_meets_an_initialiser() {
    let cell = Arc::new(OnceCell::new());
    let other = Arc::clone(&cell);
    let sets = thread::spawn(move || other.set(1_u8).is_ok());
    let seen = *block_on(cell.get_or_init(|| ready(2)));
    let set = sets.join().unwrap();
    assert_eq!(seen, if set { 1 } else { 2 });
    assert_eq!(cell.get(), Some(&seen));
}
