//! Bodies for `barrier`.

use std::sync::Arc;

use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;
use tenter_sync::{Barrier, Broken};

use crate::models::{block_on, block_on_pinned, poll_once};

/// Two meet: each sees what the other did before, and one of them leads.
pub fn two_meet() {
    let shared = Arc::new((Barrier::new(2), [AtomicUsize::new(0), AtomicUsize::new(0)]));
    let meet = |index: usize, shared: &(Barrier, [AtomicUsize; 2])| {
        shared.1[index].store(1, Ordering::Relaxed);
        let turn = block_on(shared.0.wait()).unwrap();
        assert_eq!(shared.1[1 - index].load(Ordering::Relaxed), 1);
        assert_eq!(turn.is_leader, turn.index == 0);
        turn.index
    };
    let other = Arc::clone(&shared);
    let thread = thread::spawn(move || meet(1, &other));
    let mine = meet(0, &shared);
    assert_eq!(mine + thread.join().unwrap(), 1, "0 and 1");
}

/// Two meet twice: the second round begins when the first is over.
pub fn two_rounds() {
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    let twice = |barrier: &Barrier| [(), ()].map(|()| block_on(barrier.wait()).unwrap().index);
    let thread = thread::spawn(move || twice(&other));
    let (mine, theirs) = (twice(&barrier), thread.join().unwrap());
    assert_eq!([mine[0] + theirs[0], mine[1] + theirs[1]], [1, 1]);
    let stats = barrier.stats();
    assert_eq!((stats.waiting, stats.going), (0, 0));
}

/// One leaves as another comes: either both met, or the one who left does not count.
pub fn one_leaves_as_another_comes() {
    let barrier = Arc::new(Barrier::new(2));
    let mut leaves = Box::pin(barrier.wait());
    assert!(poll_once(leaves.as_mut()).is_pending());
    let other = Arc::clone(&barrier);
    let comes = thread::spawn(move || {
        let mut wait = Box::pin(other.wait());
        let met = poll_once(wait.as_mut()).is_ready();
        if !met {
            assert_eq!(other.waiting(), 1, "alone");
        }
        met
    });
    drop(leaves);
    comes.join().unwrap();
    let stats = barrier.stats();
    assert_eq!((stats.waiting, stats.going), (0, 0));
}

/// A round whose released ones are dropped without going on is over all the same, and those who came
/// late make up the next one.
pub fn dropped_turns_let_late_comers_in() {
    let barrier = Arc::new(Barrier::new(2));
    let mut released = Box::pin(barrier.wait());
    assert!(poll_once(released.as_mut()).is_pending());
    assert!(poll_once(Box::pin(barrier.wait()).as_mut()).is_ready());
    // The round is not over until `released` is gone.
    let late = [(), ()].map(|()| {
        let barrier = Arc::clone(&barrier);
        thread::spawn(move || block_on(barrier.wait()).unwrap().index)
    });
    drop(released);
    let [one, two] = late.map(|thread| thread.join().unwrap());
    assert_eq!(one + two, 1);
}

/// Somebody who has been released meets a reset: goes on or is let down, and the barrier is whole.
pub fn a_reset_meets_a_departure() {
    let barrier = Arc::new(Barrier::new(2));
    let mut released = Box::pin(barrier.wait());
    assert!(poll_once(released.as_mut()).is_pending());
    let other = Arc::clone(&barrier);
    let last = thread::spawn(move || block_on(other.wait()));
    let other = Arc::clone(&barrier);
    let resets = thread::spawn(move || {
        other.reset();
        other.abort();
    });
    let first = block_on_pinned(released.as_mut());
    let last = last.join().unwrap();
    resets.join().unwrap();
    if let (Ok(first), Ok(last)) = (first, last) {
        assert_eq!(first.index + last.index, 1);
    }
    assert_eq!(block_on(barrier.wait()), Err(Broken));
    barrier.reset();
    let stats = barrier.stats();
    assert_eq!((stats.waiting, stats.going, stats.is_broken), (0, 0, false));
}
