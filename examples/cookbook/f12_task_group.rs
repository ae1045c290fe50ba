//! Run: `cargo run --release --example cookbook -- f12`
//!
//! A group that waits for its tasks, and gives access to their results.
//!
//! Three tasks of two, one and three seconds are done after three.

use tenter::time::{Duration, sleep};
use tenter::{GroupError, task_group};

async fn fetch_data(id: u64, seconds: u64) -> Result<u64, String> {
    sleep(Duration::from_secs(seconds)).await;
    println!("Data {id} is there");
    Ok(id * 100)
}

pub async fn main() -> Result<(), GroupError<String>> {
    // If one of them fails, the others are cancelled, and the error has every failure.
    let tasks = task_group(async |group| {
        let tasks = (1..).zip([2, 1, 3]);
        let tasks = tasks.map(|(id, seconds)| group.spawn(fetch_data(id, seconds)));
        Ok(tasks.collect::<Vec<_>>())
    })
    .await?;
    // After the group all of them have ended, and without a failure each has its result.
    for task in tasks {
        println!("{}", task.await.expect("it has not failed"));
    }
    Ok(())
}
