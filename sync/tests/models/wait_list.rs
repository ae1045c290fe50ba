//! Bodies for `wait_list`: the list alone, with the least that a primitive adds.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use tenter_sync::shim::{Mutex, thread};
use tenter_sync::wait_list::{Identity, Left, WaitList, WaitState, Waiter};

use super::{Guarded, Signal};

struct Turnstile {
    list: Mutex<WaitList>,
    /// Written by whoever grants, read by whoever was granted.
    data: Guarded,
}

impl Turnstile {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            list: Mutex::new(WaitList::new()),
            data: Guarded::new(),
        })
    }

    fn enlist(&self, waiter: Pin<&mut Waiter>, signal: &Arc<Signal>) {
        let waker = Waker::from(Arc::clone(signal));
        let identity = Identity::of(&waker);
        let mut list = self.list.lock();
        // SAFETY: (a) each body ends a wait before its waiter is dropped; (b) there is one list;
        // (c) it is in an `Arc`.
        unsafe { list.enlist(waiter, 1, identity, Some(waker)) };
    }

    fn grant(&self) -> bool {
        let granted = self.list.lock().grant_front();
        match granted {
            None => false,
            Some(waker) => {
                waker.expect("enlisted with a waker").wake();
                true
            }
        }
    }

    fn leave(&self, waiter: Pin<&mut Waiter>) -> Left {
        self.list.lock().leave(waiter)
    }
}

fn wait(waiter: &Pin<Box<Waiter>>, signal: &Signal) {
    while waiter.state() == WaitState::Waiting {
        signal.wait();
    }
}

/// The owner frees its waiter as soon as it sees the grant; the list's side is through by then.
pub fn granted_and_freed() {
    let turnstile = Turnstile::new();
    let (mut waiter, signal) = (Box::pin(Waiter::new()), Signal::new());
    turnstile.enlist(waiter.as_mut(), &signal);
    let other = Arc::clone(&turnstile);
    let granter = thread::spawn(move || {
        other.data.add_one();
        assert!(other.grant());
    });
    wait(&waiter, &signal);
    assert_eq!(
        (waiter.state(), turnstile.data.get()),
        (WaitState::Granted, 1)
    );
    drop(waiter);
    granter.join().unwrap();
}

/// A waiter that leaves while it is granted either goes free or holds the grant, not both.
pub fn leaving_meets_granting() {
    let turnstile = Turnstile::new();
    let (mut waiter, signal) = (Box::pin(Waiter::new()), Signal::new());
    turnstile.enlist(waiter.as_mut(), &signal);
    let other = Arc::clone(&turnstile);
    let granter = thread::spawn(move || other.grant());
    let left = turnstile.leave(waiter.as_mut());
    match &left {
        Left::Waiting(waker) => assert!(waker.is_some()),
        Left::Gone => assert_eq!(waiter.state(), WaitState::Granted),
    }
    drop(waiter);
    let granted = granter.join().unwrap();
    assert_eq!(granted, matches!(left, Left::Gone), "one grant, one owner");
}

/// Neighbours that leave and are granted at once leave the links whole.
pub fn the_middle_leaves() {
    let turnstile = Turnstile::new();
    let signal = Signal::new();
    let mut first = Box::pin(Waiter::new());
    let mut middle = Box::pin(Waiter::new());
    let mut last = Box::pin(Waiter::new());
    turnstile.enlist(first.as_mut(), &signal);
    turnstile.enlist(middle.as_mut(), &signal);
    turnstile.enlist(last.as_mut(), &signal);
    let other = Arc::clone(&turnstile);
    let granter = thread::spawn(move || assert!(other.grant()));
    let other = Arc::clone(&turnstile);
    let leaver = thread::spawn(move || {
        let left = other.leave(middle.as_mut());
        assert!(matches!(left, Left::Waiting(_)));
    });
    assert!(matches!(turnstile.leave(last.as_mut()), Left::Waiting(_)));
    wait(&first, &signal);
    drop((first, last));
    granter.join().unwrap();
    leaver.join().unwrap();
    assert!(turnstile.list.lock().is_empty());
}
