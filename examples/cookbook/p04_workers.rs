//! Run: `cargo run --release --example cookbook -- p04`
//!
//! Two workers empty a queue.
//!
//! Five items of a second each are done by two after three seconds. The workers are not awaited: what
//! is left of them is cancelled when main returns.

use std::error::Error;
use std::sync::Arc;

use tenter::sync::Queue;
use tenter::time::{Duration, sleep};

async fn worker(queue: Arc<Queue<u32>>) {
    // Between the look and the `get`, another worker may take the last item. This one waits for one more
    // then, until it is cancelled; main does not wait for it.
    while !queue.is_empty() {
        let Ok(item) = queue.get().await else {
            return; // somebody has shut the queue down
        };
        println!("Processing {item}");
        sleep(Duration::from_secs(1)).await;
        // Says that the item is done, which is what `join` counts.
        queue.task_done().expect("once for each item");
    }
}

pub async fn main() -> Result<(), Box<dyn Error>> {
    // Shared by all: `put` and `get` take `&self`, so an `Arc` is enough.
    let queue = Arc::new(Queue::unbounded());
    for item in 0..5 {
        queue.put(item).await?;
    }
    // Collected, so that both are made. Dropping a handle leaves its task running.
    let _workers: Vec<_> = (0..2)
        .map(|_| tenter::spawn(worker(Arc::clone(&queue))))
        .collect();
    // Waits until `task_done` was called for everything that was put.
    queue.join().await;
    Ok(())
}
