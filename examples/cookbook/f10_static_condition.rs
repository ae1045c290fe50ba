//! Run: `cargo run --release --example cookbook -- f10`
//!
//! A change is announced to those who wait for it; if there are none, nothing happens.
//!
//! Prints one line.

use tenter::sync::{Condition, Lock};

// A condition belongs to a lock, and what it is about is in the lock.
static RESOURCE: Lock<u32> = Lock::new(0);
static CONDITION: Condition = Condition::new();

async fn writer() {
    let mut resource = RESOURCE.lock().await;
    *resource += 1;
    println!("Resource updated");
    // Needs the guard: without the lock it does not compile. Who waits goes on when the guard is dropped.
    CONDITION.notify_all(&resource);
}

pub async fn main() {
    writer().await;
}
