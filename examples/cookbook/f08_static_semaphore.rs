//! Run: `cargo run --release --example cookbook -- f08`
//!
//! Never more than two at a time.
//!
//! Five tasks of a second each need three seconds: two, two and one.

use tenter::gather;
use tenter::sync::Semaphore;
use tenter::time::{Duration, sleep};

static SEMAPHORE: Semaphore = Semaphore::new(2);

async fn limited_task(number: u32) {
    // Who comes third waits here. The permit goes back when it is dropped. `None` is not possible as
    // long as nobody closes the semaphore.
    let _permit = SEMAPHORE.acquire().await;
    sleep(Duration::from_secs(1)).await;
    println!("Task {number} is done");
}

pub async fn main() {
    gather((1..=5).map(limited_task)).await;
}
