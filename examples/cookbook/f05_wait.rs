//! Run: `cargo run --release --example cookbook -- f05`
//!
//! Who is done, and who is not yet.
//!
//! Waits for two tasks, at most two seconds: one is done then, and the other is waited for again.

use tenter::time::{Duration, sleep};
use tenter::{JoinError, Until, wait};

async fn task(seconds: u64) -> u64 {
    sleep(Duration::from_secs(seconds)).await;
    seconds
}

pub async fn main() -> Result<(), JoinError> {
    // `wait` takes handles, as it gives back those which are not done. It fails and cancels nothing.
    let tasks = [1, 3].map(|seconds| tenter::spawn(task(seconds)));
    let until = Until::all().timeout(Duration::from_secs(2));
    let waited = wait(tasks, until).await;
    println!("{} done, {} pending", waited.done.len(), waited.pending.len());
    // Awaiting what is done takes no time.
    for task in waited.done {
        println!("done after {} s", task.await?);
    }
    // Without a limit, until all are done.
    for task in wait(waited.pending, Until::all()).await.done {
        println!("done after {} s", task.await?);
    }
    Ok(())
}
