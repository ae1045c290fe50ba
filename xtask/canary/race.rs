//! A data race on purpose. `cargo xtask tsan` fails unless ThreadSanitizer reports it.

use std::cell::UnsafeCell;
use std::sync::Arc;

struct Shared(UnsafeCell<u64>);

// SAFETY: a lie, so that two threads write without order; that is what must be reported.
unsafe impl Sync for Shared {}

fn main() {
    let shared = Arc::new(Shared(UnsafeCell::new(0)));
    let other = Arc::clone(&shared);
    let thread = std::thread::spawn(move || write_many(&other));
    write_many(&shared);
    thread.join().expect("the writer does not panic");
}

#[inline(never)]
fn write_many(shared: &Shared) {
    for _ in 0..100_000 {
        // SAFETY: none; the other thread writes too.
        unsafe { *shared.0.get() += 1 };
    }
}
