//! Run: `cargo run --release --example cookbook -- f14`
//!
//! Several at the same time, and how many you have to say.
//!
//! Prints how many more may come in.

use tenter::sync::{Closed, Semaphore};

pub async fn main() -> Result<(), Closed> {
    let semaphore = Semaphore::new(3);
    let first = semaphore.acquire().await?;
    // Two places at once: either both or none.
    let others = semaphore.acquire_many(2).await?;
    println!("{} left, {} refused", semaphore.available(), semaphore.try_acquire().is_err());
    drop((first, others));
    println!("{} left", semaphore.available());
    Ok(())
}
