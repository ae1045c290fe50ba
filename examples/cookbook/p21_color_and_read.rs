//! Run: `cargo run --release --example cookbook -- p21`
//!
//! Two things at once, and each takes its time.
//!
//! Both begin at once; coloring ends after two seconds, reading after three.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn color() {
    println!("Starting to color...");
    sleep(Duration::from_secs(2)).await;
    println!("Finished coloring!");
}

async fn read() {
    println!("Starting to read...");
    sleep(Duration::from_secs(3)).await;
    println!("Finished reading!");
}

pub async fn main() {
    // Begins with the first: `color` runs until it waits, then `read`.
    gather!(color(), read()).await;
}
