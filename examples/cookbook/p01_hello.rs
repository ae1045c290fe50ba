//! Run: `cargo run --release --example cookbook -- p01`
//!
//! A line, a second, another line.
//!
//! Prints `Hello,` at once and `World!` after a second.

use tenter::time::{Duration, sleep};

// An `async fn` does nothing when it is called: it makes a future, which runs while it is awaited.
async fn say_hello() {
    println!("Hello,");
    // Gives the thread to others for a second. `.await` is where that may happen, and nowhere else.
    sleep(Duration::from_secs(1)).await;
    println!("World!");
}

// With `#[tenter::main]` over it, `main` starts a runtime, runs to its end in it, and ends it.
pub async fn main() {
    say_hello().await;
}
