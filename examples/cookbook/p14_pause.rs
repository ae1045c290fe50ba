//! Run: `cargo run --release --example cookbook -- p14`
//!
//! A pause that blocks nobody.
//!
//! Prints nothing, for one second.

use tenter::time::{Duration, sleep};

pub async fn main() {
    // `std::thread::sleep` here would stop the thread, and with it every task that it runs.
    sleep(Duration::from_secs(1)).await;
}
