//! Run: `cargo run --release --example cookbook -- p23`
//!
//! The second is done first.
//!
//! Task 2 ends after one second, task 1 after two.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn task1() {
    sleep(Duration::from_secs(2)).await;
    println!("Task 1 complete");
}

async fn task2() {
    sleep(Duration::from_secs(1)).await;
    println!("Task 2 complete");
}

pub async fn main() {
    // Two functions are two types; so the macro, which takes futures of different types.
    gather!(task1(), task2()).await;
}
