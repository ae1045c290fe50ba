//! Run: `cargo run --release --example cookbook -- p28`
//!
//! Work that blocks, next to work that does not.
//!
//! Both begin at once; the async one is done after two seconds, the blocking one after three.

use std::time::Duration;

use tenter::gather;
use tenter::time::sleep;

use super::stage::thread; // in a program of your own: std::thread

fn blocking_task() {
    println!("Starting blocking task");
    thread::sleep(Duration::from_secs(3));
    println!("Blocking task complete");
}

async fn async_task() {
    println!("Starting async task");
    sleep(Duration::from_secs(2)).await;
    println!("Async task complete");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    // A thread of its own begins with it at once; no task is held up.
    let blocking = tenter::spawn_blocking(blocking_task);
    // Its handle is a future like any other.
    let ((), blocked) = gather!(async_task(), blocking).await;
    blocked
}
