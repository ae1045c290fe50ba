//! Run: `cargo run --release --example cookbook -- p25`
//!
//! Main waits for what it has begun.
//!
//! Main is done after one second, the task after three.

use tenter::time::{Duration, sleep};

async fn background_task() {
    sleep(Duration::from_secs(3)).await;
    println!("Background Task Complete");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    let task = tenter::spawn(background_task());
    println!("Main Task Running");
    sleep(Duration::from_secs(1)).await;
    println!("Main Task Complete");
    // Without this line the task would be cancelled when main returns.
    task.await
}
