//! Run: `cargo run --release --example cookbook -- p03`
//!
//! A task goes on while main does something else.
//!
//! Main is done after a second, and waits for the task, which takes two.

use tenter::time::{Duration, sleep};

async fn background_task() {
    sleep(Duration::from_secs(2)).await;
    println!("Background task done");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    // The task runs from here on, whether or not its handle is awaited.
    let task = tenter::spawn(background_task());
    println!("Main function continues");
    sleep(Duration::from_secs(1)).await;
    println!("Main function done");
    // Waits for its end. An error would say that it panicked or was cancelled.
    task.await
}
