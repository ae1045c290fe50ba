//! Run: `cargo run --release --example cookbook -- p08`
//!
//! What takes too long is given up.
//!
//! Prints that it timed out after three seconds; the function would take five.

use tenter::time::{Duration, sleep, timeout};

async fn long_task() {
    sleep(Duration::from_secs(5)).await;
    println!("Task completed");
}

pub async fn main() {
    // When the time is up the future is dropped, where it waits. Its last line is never reached.
    match timeout(Duration::from_secs(3), long_task()).await {
        Ok(()) => println!("Done in time"),
        // The error knows how long it was waited for; printed, it says "timed out after 3s".
        Err(_elapsed) => println!("Operation timed out"),
    }
}
