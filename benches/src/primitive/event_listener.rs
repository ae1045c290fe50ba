//! An event of event-listener around a flag, as its documentation shows it, and one around a lock of
//! async-lock. Listeners are on the stack, so none is allocated.

use std::sync::atomic::{AtomicBool, Ordering};

use event_listener::listener;

/// A flag, and an event for those who found it down.
#[derive(Debug)]
pub struct Event {
    flag: AtomicBool,
    raised: event_listener::Event,
}

impl super::Event for Event {
    fn new() -> Self {
        Self {
            flag: AtomicBool::new(false),
            raised: event_listener::Event::new(),
        }
    }

    fn set(&self) {
        // ORDERING: Release, with the Acquire of those who wait; `notify` has the fence that keeps a
        // listener from being missed.
        self.flag.store(true, Ordering::Release);
        self.raised.notify(usize::MAX);
    }

    async fn wait(&self) {
        loop {
            // ORDERING: Acquire, with the Release of `set`.
            if self.flag.load(Ordering::Acquire) {
                return;
            }
            listener!(self.raised => listener);
            // ORDERING: as above; `listen` has the fence that the one of `notify` meets.
            if self.flag.load(Ordering::Acquire) {
                return;
            }
            listener.await;
        }
    }

    fn signal(&self) {
        // ORDERING: as in `set`.
        self.flag.store(true, Ordering::Release);
        self.raised.notify(1);
    }

    async fn signalled(&self) {
        loop {
            // ORDERING: Acquire, with the Release of `signal`.
            if self.flag.swap(false, Ordering::Acquire) {
                return;
            }
            listener!(self.raised => listener);
            // ORDERING: as above.
            if self.flag.swap(false, Ordering::Acquire) {
                return;
            }
            listener.await;
        }
    }
}

/// Who waits registers under the lock and lets go of it before it sleeps.
#[derive(Debug)]
pub struct Turns {
    turn: async_lock::Mutex<bool>,
    given: event_listener::Event,
}

impl super::Turns for Turns {
    fn new() -> Self {
        Self {
            turn: async_lock::Mutex::new(false),
            given: event_listener::Event::new(),
        }
    }

    async fn turn(&self, mine: bool) {
        loop {
            let mut turn = self.turn.lock().await;
            if *turn == mine {
                *turn = !mine;
                self.given.notify(1);
                return;
            }
            listener!(self.given => listener);
            drop(turn);
            listener.await;
        }
    }
}
