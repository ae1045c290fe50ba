//! Run: `cargo run --release --example cookbook -- f15`
//!
//! Set, and clear again: who waits goes on when the event is set.
//!
//! One who waits goes on after a second, when it is set; who comes after it was cleared waits for the
//! next time.

use tenter::gather;
use tenter::sync::Event;
use tenter::time::{Duration, sleep, timeout};

pub async fn main() {
    let event = Event::new();
    // Both borrow the event, as they run in this task.
    let waiter = async {
        event.wait().await;
        println!("The event was set");
    };
    let setter = async {
        sleep(Duration::from_secs(1)).await;
        event.set();
        // Who waited before it is cleared goes on nevertheless.
        event.clear();
    };
    gather!(waiter, setter).await;
    let waited = timeout(Duration::from_secs(1), event.wait()).await;
    println!("set: {}, waited in vain: {}", event.is_set(), waited.is_err());
}
