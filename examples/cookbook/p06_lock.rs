//! Run: `cargo run --release --example cookbook -- p06`
//!
//! One at a time: three functions share a lock, and each keeps it for a second.
//!
//! Prints one line a second, in the order in which they asked for the lock.

use tenter::gather;
use tenter::sync::Lock;
use tenter::time::{Duration, sleep};

// A lock can stand in a static: it is made by the compiler and needs no runtime. What it guards is in it;
// here it is nothing.
static LOCK: Lock<()> = Lock::new(());

async fn task(number: u32) {
    // Waits in line. The guard may be kept over an `.await`: nobody's thread is blocked by it.
    let _guard = LOCK.lock().await;
    println!("Task {number} executing");
    sleep(Duration::from_secs(1)).await;
    // The guard is dropped here, and the next one in the line goes on.
}

pub async fn main() {
    gather!(task(1), task(2), task(3)).await;
}
