//! Bodies for `waker_cell.rs`.

use std::sync::Arc;
use std::task::Waker;

use tenter_sync::shim::atomic::{AtomicUsize, Ordering};
use tenter_sync::shim::thread;
use tenter_sync::waker_cell::WakerCell;

use super::Signal;

struct Shared {
    cell: WakerCell,
    flags: [AtomicUsize; 2],
}

impl Shared {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            cell: WakerCell::new(),
            flags: [AtomicUsize::new(0), AtomicUsize::new(0)],
        })
    }

    fn raise(&self, flag: usize) {
        self.flags[flag].store(1, Ordering::Relaxed);
        self.cell.wake();
    }

    /// Registers and looks, until both sides' flags in `which` are up.
    fn wait_for(&self, which: &[usize], wakers: &[Arc<Signal>]) {
        loop {
            let signal = wakers.last().unwrap();
            for signal in wakers {
                self.cell.register(&Waker::from(Arc::clone(signal)));
            }
            if which
                .iter()
                .all(|flag| self.flags[*flag].load(Ordering::Relaxed) == 1)
            {
                return;
            }
            signal.wait();
        }
    }
}

/// A wake after the condition is seen by the registrant's check, or wakes it.
pub fn register_and_wake() {
    let shared = Shared::new();
    let other = Arc::clone(&shared);
    let waker = thread::spawn(move || other.raise(0));
    shared.wait_for(&[0], &[Signal::new()]);
    waker.join().unwrap();
}

/// Two wakers at once: the one that finds the other at work is not lost.
pub fn two_wakers() {
    let shared = Shared::new();
    let wakers = [0, 1].map(|flag| {
        let shared = Arc::clone(&shared);
        thread::spawn(move || shared.raise(flag))
    });
    shared.wait_for(&[0, 1], &[Signal::new()]);
    for waker in wakers {
        waker.join().unwrap();
    }
}

/// The last waker registered is the one that counts.
pub fn change_of_waker() {
    let shared = Shared::new();
    let other = Arc::clone(&shared);
    let waker = thread::spawn(move || other.raise(0));
    shared.wait_for(&[0], &[Signal::new(), Signal::new()]);
    waker.join().unwrap();
}
