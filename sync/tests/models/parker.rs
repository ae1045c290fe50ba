//! Bodies for `parker.rs`.

use std::sync::Arc;
use std::task::Wake;
use std::time::Duration;

use tenter_sync::parker::{Kick, Parker, Unparked};
use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;

use super::Signal;

/// A token is not lost, and brings what was written before it.
pub fn one_unparker() {
    let shared = Arc::new((Parker::new(), AtomicUsize::new(0)));
    let other = Arc::clone(&shared);
    let unparker = thread::spawn(move || {
        other.1.store(1, Ordering::Relaxed);
        let _ = other.0.unpark();
    });
    assert_eq!(shared.0.park(None), Unparked::Notified);
    assert_eq!(
        shared.1.load(Ordering::Relaxed),
        1,
        "the token brings the write"
    );
    unparker.join().unwrap();
}

/// Two tokens may become one, but each brings its write, and the owner is woken for both.
pub fn two_unparkers() {
    let parker = Arc::new(Parker::new());
    let work: Arc<[AtomicUsize; 2]> = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let unparkers = [0, 1].map(|index| {
        let (parker, work) = (Arc::clone(&parker), Arc::clone(&work));
        thread::spawn(move || {
            work[index].store(1, Ordering::Relaxed);
            let _ = parker.unpark();
        })
    });
    while work.iter().any(|done| done.load(Ordering::Relaxed) == 0) {
        assert_eq!(parker.park(None), Unparked::Notified);
    }
    for unparker in unparkers {
        unparker.join().unwrap();
    }
}

/// A token that meets the end of a timed park is consumed by it or kept, never lost or doubled.
pub fn timeout() {
    let shared = Arc::new((Parker::new(), AtomicUsize::new(0)));
    let other = Arc::clone(&shared);
    let unparker = thread::spawn(move || {
        other.1.store(1, Ordering::Relaxed);
        let _ = other.0.unpark();
    });
    let other = Arc::clone(&shared);
    let clock = thread::spawn(move || end_of_time(&other.0));
    if shared.0.park(Some(Duration::from_micros(50))) == Unparked::TimedOut {
        assert_eq!(
            shared.0.park(None),
            Unparked::Notified,
            "the token is still to come"
        );
    }
    assert_eq!(
        shared.1.load(Ordering::Relaxed),
        1,
        "the token brings the write"
    );
    assert!(shared.0.prepare_park(), "there is no second token");
    assert!(!shared.0.cancel_park(), "there is no second token");
    unparker.join().unwrap();
    clock.join().unwrap();
}

/// An owner that sleeps elsewhere is interrupted there, finds the work, and gets the token once.
pub fn elsewhere() {
    let shared = Arc::new((Parker::new(), AtomicUsize::new(0)));
    let poller = Signal::new();
    let (other, interrupt) = (Arc::clone(&shared), Arc::clone(&poller));
    let producer = thread::spawn(move || {
        other.1.store(1, Ordering::Relaxed);
        if other.0.unpark() == Kick::Elsewhere {
            interrupt.wake();
        }
    });
    let has_work = || shared.1.load(Ordering::Relaxed) == 1;
    let mut tokens = 0;
    while !has_work() {
        if shared.0.begin_elsewhere() {
            // Announced: look once more, and only then sleep.
            if !has_work() {
                poller.wait();
            }
            if shared.0.end_elsewhere() {
                tokens += 1;
                assert!(has_work(), "the token brings the write");
            }
        } else {
            tokens += 1;
            assert!(has_work(), "the token brings the write");
        }
    }
    producer.join().unwrap();
    if shared.0.begin_elsewhere() {
        assert!(!shared.0.end_elsewhere());
    } else {
        tokens += 1;
    }
    assert_eq!(tokens, 1, "one token, given once");
}

/// Announce, look again, and either sleep or cancel: work that comes at any moment is found.
pub fn announce_and_look_again() {
    let shared = Arc::new((Parker::new(), AtomicUsize::new(0)));
    let producers = [1, 2].map(|amount| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            shared.1.fetch_add(amount, Ordering::Relaxed);
            let _ = shared.0.unpark();
        })
    });
    let mut found = 0;
    while found < 3 {
        if shared.0.prepare_park() {
            if shared.1.load(Ordering::Relaxed) > found {
                let _ = shared.0.cancel_park();
            } else {
                assert_eq!(shared.0.commit_park(None), Unparked::Notified);
            }
        }
        found = shared.1.load(Ordering::Relaxed);
    }
    for producer in producers {
        producer.join().unwrap();
    }
}

/// Ends a timed park: in the model the clock says so.
#[cfg(tenter_loom)]
fn end_of_time(parker: &Parker) {
    parker.futex().expire();
}

/// Ends a timed park: the clock will, and the system may before it, for no reason.
#[cfg(not(tenter_loom))]
fn end_of_time(parker: &Parker) {
    parker.futex().wake_one();
}
