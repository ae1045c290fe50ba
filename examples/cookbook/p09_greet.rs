//! Run: `cargo run --release --example cookbook -- p09`
//!
//! A function with an argument.
//!
//! Prints a greeting after one second.

use tenter::time::{Duration, sleep};

// The name is borrowed for as long as the future lives; it is not copied.
async fn greet(name: &str) {
    sleep(Duration::from_secs(1)).await;
    println!("Hello, {name}! 👋");
}

pub async fn main() {
    greet("Hashim").await;
}
