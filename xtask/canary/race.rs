//! A data race on purpose. `cargo xtask tsan` fails unless ThreadSanitizer reports it.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

struct Shared {
    value: UnsafeCell<u64>,
    written: AtomicBool,
}

// SAFETY: a lie, so that two threads write without order; that is what must be reported.
unsafe impl Sync for Shared {}

fn main() {
    let shared = Arc::new(Shared {
        value: UnsafeCell::new(0),
        written: AtomicBool::new(false),
    });
    let other = Arc::clone(&shared);
    let thread = std::thread::spawn(move || {
        write(&other);
        // Relaxed: says that it is time, and orders nothing.
        other.written.store(true, Ordering::Relaxed);
    });
    // One after the other by the clock, so that the sanitizer cannot miss one while it records the
    // other; but nothing says that one happens before the other.
    while !shared.written.load(Ordering::Relaxed) {
        std::thread::yield_now();
    }
    write(&shared);
    thread.join().expect("the writer does not panic");
}

#[inline(never)]
fn write(shared: &Shared) {
    // SAFETY: none; the other thread writes too.
    unsafe { *shared.value.get() += 1 };
}
