//! Run: `cargo run --release --example cookbook -- p20`
//!
//! Tasks that run already are gathered like any other futures.
//!
//! C is done after one second, A after two and B after three.

use tenter::try_gather;
use tenter::time::{Duration, sleep};

async fn task(name: &str, seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
    println!("Task {name} completed");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    // On many workers these three may run at the same moment; the parts of a `gather` take turns.
    let tasks = [("A", 2), ("B", 3), ("C", 1)].map(|(name, seconds)| {
        tenter::spawn(task(name, seconds))
    });
    // A handle is a future as well. The output of a task that panicked is an error, and the first one is
    // returned here.
    try_gather(tasks).await?;
    Ok(())
}
