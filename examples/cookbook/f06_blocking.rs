//! Run: `cargo run --release --example cookbook -- f06`
//!
//! A function that blocks runs on a thread for such functions.
//!
//! Prints one line, from that thread.

fn blocking_operation() {
    println!("Blocking operation");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    // The task that awaits it gives its own thread to others meanwhile.
    tenter::spawn_blocking(blocking_operation).await
}
