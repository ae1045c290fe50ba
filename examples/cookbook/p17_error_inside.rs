//! Run: `cargo run --release --example cookbook -- p17`
//!
//! An error that is dealt with where it happens.
//!
//! Prints after one second what went wrong; who waits for it notices nothing.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn risky_operation() {
    // What another language raises is a value here, and `?` would pass it on.
    match attempt().await {
        Ok(()) => println!("It went well"),
        Err(error) => println!("Caught an exception: {error} ❌"),
    }
}

async fn attempt() -> Result<(), String> {
    sleep(Duration::from_secs(1)).await;
    Err("An error occurred!".to_owned())
}

pub async fn main() {
    // Nothing that could fail is left for `gather`; with errors as outputs it would be `try_gather`.
    gather!(risky_operation()).await;
}
