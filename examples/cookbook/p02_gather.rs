//! Run: `cargo run --release --example cookbook -- p02`
//!
//! Two things at a time take as long as the longer one.
//!
//! Prints that B is done after one second and A after two; one after the other would take three.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn task(name: &str, seconds: u64) {
    sleep(Duration::from_secs(seconds)).await;
    println!("Task {name} completed");
}

pub async fn main() {
    // Both run in this task, in turns: while A sleeps, B is polled. The outputs come as a tuple, in the
    // order of the arguments; here they are nothing.
    gather!(task("A", 2), task("B", 1)).await;
}
