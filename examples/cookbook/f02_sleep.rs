//! Run: `cargo run --release --example cookbook -- f02`
//!
//! A pause of two seconds.
//!
//! Prints nothing.

use tenter::time::{Duration, sleep};

pub async fn main() {
    // The type of the argument says the unit: `from_millis`, `from_secs`, `from_secs_f64`.
    sleep(Duration::from_secs(2)).await;
}
