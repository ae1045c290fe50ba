//! Run: `cargo run --release --example cookbook -- p27`
//!
//! A loop without an end is cancelled.
//!
//! Five items are produced, one a second, and consumed. Then there is nothing more to do, and the
//! consumer, which would wait for ever, is cancelled.

use std::convert::Infallible;
use std::error::Error;
use std::sync::Arc;

use tenter::sync::{Queue, ShutDown};
use tenter::time::{Duration, sleep};

async fn producer(queue: Arc<Queue<u32>>) -> Result<(), ShutDown<u32>> {
    for item in 0..5 {
        sleep(Duration::from_secs(1)).await;
        queue.put(item).await?;
        println!("Produced: {item}");
    }
    Ok(())
}

async fn consumer(queue: Arc<Queue<u32>>) -> Result<Infallible, Box<dyn Error + Send + Sync>> {
    loop {
        let item = queue.get().await?;
        println!("Consumed: {item}");
        queue.task_done()?;
    }
}

pub async fn main() -> Result<(), Box<dyn Error>> {
    let queue = Arc::new(Queue::unbounded());
    let producer = tenter::spawn(producer(Arc::clone(&queue)));
    let consumer = tenter::spawn(consumer(Arc::clone(&queue)));
    // Everything is in the queue then, and after `join` everything is done. The first `?` is for a task
    // that did not end by itself, the second one for what it returned.
    producer.await??;
    queue.join().await;
    // It ends where it waits. To be cancelled is no failure: nobody has to look at how it ended.
    consumer.cancel();
    Ok(())
}
