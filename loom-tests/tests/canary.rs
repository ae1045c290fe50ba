//! Proves that the model checker is awake: one correct model for each thing of the shim, and for
//! each a planted bug that must be caught. If one of these passes with its bug, nothing that the
//! other models say about that thing can be believed.
#![cfg(tenter_loom)]

use std::alloc::Layout;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use tenter_loom_tests::{Census, WakeCount, block_on, check, poll_once};
use tenter_sync::planted;
use tenter_sync::shim::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering, fence};
use tenter_sync::shim::{Arc, Condvar, Futex, Live, Mutex, UnsafeCell, alloc, local, thread};

/// Goal: a release store publishes what was written before it.
/// Bug: a relaxed store, so that the flag is seen without the payload.
#[test]
fn publication() {
    check("canary::publication", || {
        let shared = Arc::new((AtomicUsize::new(0), AtomicBool::new(false)));
        let other = Arc::clone(&shared);
        let writer = thread::spawn(move || {
            other.0.store(7, Ordering::Relaxed);
            let publish = if planted!("canary.relaxed_publication") {
                Ordering::Relaxed
            } else {
                Ordering::Release
            };
            other.1.store(true, publish);
        });
        if shared.1.load(Ordering::Acquire) {
            assert_eq!(shared.0.load(Ordering::Relaxed), 7, "stale payload");
        }
        writer.join().unwrap();
    });
}

/// Goal: with a fence on both sides, one of two threads sees the other's store.
/// Bug: one fence left out.
#[test]
fn store_load_handshake() {
    check("canary::store_load_handshake", || {
        let flags = Arc::new((AtomicBool::new(false), AtomicBool::new(false)));
        let other = Arc::clone(&flags);
        let thread = thread::spawn(move || {
            other.0.store(true, Ordering::Relaxed);
            if !planted!("canary.no_fence") {
                fence(Ordering::SeqCst);
            }
            other.1.load(Ordering::Relaxed)
        });
        flags.1.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let seen = flags.0.load(Ordering::Relaxed);
        assert!(thread.join().unwrap() || seen, "neither saw the other");
    });
}

/// Goal: a cell is written by one thread at a time.
/// Bug: the lock around it left out.
#[test]
fn cell_under_lock() {
    check("canary::cell_under_lock", || {
        let shared = Arc::new((Mutex::new(()), Cell(UnsafeCell::new(0_u32))));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || shared.1.add(&shared.0));
        other.1.add(&other.0);
        thread.join().unwrap();
    });
}

struct Cell(UnsafeCell<u32>);

// SAFETY: written under a lock; the planted bug leaves it out, and loom reports that.
unsafe impl Sync for Cell {}
// SAFETY: as above.
unsafe impl Send for Cell {}

impl Cell {
    fn add(&self, lock: &Mutex<()>) {
        let _guard = if planted!("canary.cell_without_lock") {
            None
        } else {
            Some(lock.lock())
        };
        // SAFETY: the lock is held; without it loom ends the run before the access.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }
}

/// Goal: an object is not used after its end.
/// Bug: the last user says so before it is done.
#[test]
fn life_ends_after_the_last_use() {
    check("canary::life_ends_after_the_last_use", || {
        let shared = Arc::new((Live::new(), AtomicU32::new(2)));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || leave(&other.0, &other.1));
        leave(&shared.0, &shared.1);
        thread.join().unwrap();
    });
}

fn leave(live: &Live, users: &AtomicU32) {
    if planted!("canary.touch_after_release") {
        let last = users.fetch_sub(1, Ordering::AcqRel) == 1;
        if last { live.end() } else { live.touch() }
    } else {
        live.touch();
        if users.fetch_sub(1, Ordering::AcqRel) == 1 {
            live.end();
        }
    }
}

/// Goal: what is allocated is freed.
/// Bug: it is not.
#[test]
fn memory_is_freed() {
    check("canary::memory_is_freed", || {
        let layout = Layout::new::<u64>();
        // SAFETY: the layout has a size.
        let memory = unsafe { alloc::alloc(layout) };
        if !planted!("canary.leak") {
            // SAFETY: allocated above with this layout.
            unsafe { alloc::dealloc(memory, layout) };
        }
    });
}

/// Goal: references are counted down.
/// Bug: one is forgotten.
#[test]
fn references_are_dropped() {
    check("canary::references_are_dropped", || {
        let shared = Arc::new(());
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            if planted!("canary.forgotten_reference") {
                std::mem::forget(other);
            }
        });
        thread.join().unwrap();
    });
}

/// Goal: whoever waits on a condition is told.
/// Bug: the flag is set and nobody is notified.
#[test]
fn condition_is_notified() {
    check("canary::condition_is_notified", || {
        let shared = Arc::new((Mutex::new(false), Condvar::new()));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            *other.0.lock() = true;
            if !planted!("canary.no_notify") {
                other.1.notify_one();
            }
        });
        let mut ready = shared.0.lock();
        while !*ready {
            shared.1.wait(&mut ready);
        }
        drop(ready);
        thread.join().unwrap();
    });
}

/// Goal: whoever sleeps on a futex is woken.
/// Bug: the word is changed and nobody is woken.
#[test]
fn futex_is_woken() {
    check("canary::futex_is_woken", || {
        let futex = Arc::new(Futex::new(0));
        let other = Arc::clone(&futex);
        let thread = thread::spawn(move || {
            other.word().store(1, Ordering::Release);
            if !planted!("canary.no_futex_wake") {
                other.wake_one();
            }
        });
        while futex.word().load(Ordering::Acquire) == 0 {
            let _ = futex.wait(0, None);
        }
        thread.join().unwrap();
    });
}

local! {
    static LOCAL: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

/// Goal: each thread, and each schedule, has a thread-local of its own.
/// Bug: the value is handed to the other thread.
#[test]
fn locals_are_local() {
    check("canary::locals_are_local", || {
        LOCAL.with(|local| local.set(local.get() + 1));
        let handed = if planted!("canary.shared_local") {
            LOCAL.with(std::cell::Cell::get)
        } else {
            0
        };
        let thread = thread::spawn(move || LOCAL.with(|local| local.get() + handed));
        assert_eq!(thread.join().unwrap(), 0, "a new thread begins afresh");
        assert_eq!(
            LOCAL.with(std::cell::Cell::get),
            1,
            "a new schedule begins afresh"
        );
    });
}

/// Goal: `block_on` sleeps until it is woken.
/// Bug: the waker is not called.
#[test]
fn future_is_woken() {
    check("canary::future_is_woken", || {
        let shared = Arc::new((Mutex::new(None), AtomicBool::new(false)));
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            other.1.store(true, Ordering::Release);
            let waker: Option<std::task::Waker> = other.0.lock().take();
            if let Some(waker) = waker.filter(|_| !planted!("canary.no_wake")) {
                waker.wake();
            }
        });
        block_on(poll_fn(|context| {
            *shared.0.lock() = Some(context.waker().clone());
            if shared.1.load(Ordering::Acquire) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        }));
        thread.join().unwrap();
        shared.0.lock().take();
    });
}

/// Goal: the probes count.
/// Bug: a tracked value is forgotten.
#[test]
fn probes_count() {
    check("canary::probes_count", || {
        let census = Census::new();
        let value = census.track(5);
        assert_eq!(*value.get(), 5);
        if planted!("canary.forgotten_value") {
            std::mem::forget(value);
        } else {
            drop(value);
        }
        let (waker, count) = WakeCount::waker();
        let future = pin!(poll_fn(|context| {
            context.waker().wake_by_ref();
            Poll::<()>::Pending
        }));
        assert!(poll_once(future, &waker).is_pending());
        assert_eq!(count.wakes(), 1);
        census.assert_all_dropped();
    });
}
