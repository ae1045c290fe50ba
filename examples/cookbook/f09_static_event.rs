//! Run: `cargo run --release --example cookbook -- f09`
//!
//! One waits for what the other says.
//!
//! Prints that the waiter waits, that the event is set, and that the waiter goes on.

use tenter::gather;
use tenter::sync::Event;

static EVENT: Event = Event::new();

async fn waiter() {
    println!("Waiting");
    // Returns at once if the event is set already; so nothing depends on who comes first.
    EVENT.wait().await;
    println!("Going on");
}

async fn setter() {
    println!("Setting");
    // Wakes everybody who waits. It is no `async fn`, as it never has to wait.
    EVENT.set();
}

pub async fn main() {
    gather!(waiter(), setter()).await;
    // It stays set. A static outlives this function, so the next call would find it so.
    EVENT.clear();
}
