//! Run: `cargo run --release --example cookbook -- p19`
//!
//! Tasks run from when they are made, and not only from when they are awaited.
//!
//! Prints `Hello` after one second and `World` after two: not after three, though one is awaited after
//! the other.

use tenter::time::{Duration, sleep};

async fn say_after(seconds: u64, text: &str) {
    sleep(Duration::from_secs(seconds)).await;
    println!("{text}");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    // A task may outlive the function that made it; so it owns what it uses, or what it uses is static.
    let hello = tenter::spawn(say_after(1, "Hello"));
    let world = tenter::spawn(say_after(2, "World"));
    println!("Tasks created");
    // Both run since they were made. Each `.await` waits only for what is left.
    hello.await?;
    world.await
}
