//! Run: `cargo run --release --example cookbook -- p22`
//!
//! Hello, once more, to compare with other languages line by line.
//!
//! Prints `Hello`, waits for a second, and prints `World`.

use tenter::time::{Duration, sleep};

async fn say_hello() {
    println!("Hello");
    sleep(Duration::from_secs(1)).await; // only this function waits, not the thread
    println!("World");
}

pub async fn main() {
    say_hello().await;
}
