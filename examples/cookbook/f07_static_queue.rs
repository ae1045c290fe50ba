//! Run: `cargo run --release --example cookbook -- f07`
//!
//! A queue that is a static, which every function may use.
//!
//! Prints the item that was put into it.

use std::error::Error;

use tenter::sync::Queue;
use tenter::try_gather;

// Made by the compiler; it needs no runtime and no first call.
static QUEUE: Queue<&str> = Queue::unbounded();

async fn producer() -> Result<(), Box<dyn Error>> {
    QUEUE.put("Produced item").await?;
    Ok(())
}

async fn consumer() -> Result<(), Box<dyn Error>> {
    // Waits if there is nothing yet.
    let item = QUEUE.get().await?;
    println!("{item}");
    Ok(())
}

pub async fn main() -> Result<(), Box<dyn Error>> {
    // The first error would end both.
    try_gather!(producer(), consumer()).await?;
    Ok(())
}
