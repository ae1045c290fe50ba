//! Run and try it: `cargo run --release --example hello`
//!
//! Four tasks share two permits, and a sleep that takes too long is given up.

use std::sync::Arc;
use std::time::Duration;

use tenter::sync::Semaphore;
use tenter::time::{sleep, timeout};

#[tenter::main]
async fn main() -> Result<(), tenter::JoinError> {
    let permits = Arc::new(Semaphore::new(2));
    let tasks = (1..=4).map(|number| {
        let permits = Arc::clone(&permits);
        tenter::spawn(async move {
            let _permit = permits.acquire().await;
            sleep(Duration::from_millis(100)).await;
            println!("task {number} is done");
        })
    });
    // Collected first, so that all of them run while the first is awaited.
    for task in tasks.collect::<Vec<_>>() {
        task.await?;
    }
    match timeout(Duration::from_millis(50), sleep(Duration::from_secs(60))).await {
        Ok(()) => println!("a minute has passed"),
        Err(elapsed) => println!("the sleep {elapsed}"),
    }
    Ok(())
}
