//! Bodies that are explored by the model checker and run as stress tests on system threads.
//!
//! Each function is one small program for two to four threads with assertions in it. The model
//! checker (`loom-tests/tests/*.rs`) runs it under every schedule; `stress.rs` runs it again and
//! again on real threads. So the same lines prove the protocol and exercise the production back end.
#![allow(dead_code, reason = "each of the two users takes what it needs")]

pub mod broadcast;
pub mod channel;
pub mod condition;
pub mod limiter;
pub mod lock;
pub mod notify;
pub mod oneshot;
pub mod parker;
pub mod queue;
pub mod queue_store;
pub mod rwlock;
pub mod semaphore;
pub mod wait_list;
pub mod waker_cell;

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tenter_sync::shim::{Condvar, Mutex, UnsafeCell};

/// Something that a thread can sleep on, as simple as can be: models that check a protocol should
/// spend their branches on the protocol.
pub struct Signal {
    raised: Mutex<bool>,
    changed: Condvar,
}

impl Signal {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            raised: Mutex::new(false),
            changed: Condvar::new(),
        })
    }

    /// Sleeps until it is raised, and lowers it.
    pub fn wait(&self) {
        let mut raised = self.raised.lock();
        while !*raised {
            self.changed.wait(&mut raised);
        }
        *raised = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.raised.lock() = true;
        self.changed.notify_one();
    }
}

/// Runs a future to its end on this thread.
pub fn block_on<F: Future>(future: F) -> F::Output {
    block_on_pinned(pin!(future))
}

/// Runs a pinned future to its end on this thread, with a waker of its own.
pub fn block_on_pinned<F: Future>(mut future: Pin<&mut F>) -> F::Output {
    let signal = Signal::new();
    let waker = Waker::from(Arc::clone(&signal));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => signal.wait(),
        }
    }
}

/// Polls once with a waker that does nothing.
pub fn poll_once<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Data that a protocol has to guard: the model reports every unguarded access.
pub struct Guarded(UnsafeCell<usize>);

// SAFETY: none by itself: whether accesses exclude one another is what the models check.
unsafe impl Sync for Guarded {}

impl Guarded {
    pub fn new() -> Self {
        Self(UnsafeCell::new(0))
    }

    pub fn add_one(&self) {
        self.0.with_mut(|value| {
            // SAFETY: the protocol under test excludes others; see above.
            unsafe { *value += 1 }
        });
    }

    pub fn get(&self) -> usize {
        self.0.with(|value| {
            // SAFETY: as in `add_one`.
            unsafe { *value }
        })
    }
}
