//! Run: `cargo run --release --example cookbook -- f11`
//!
//! Three tasks, in the order of their ends.
//!
//! Task 3 is done after one second, 1 after two and 2 after three.

use tenter::time::{Duration, sleep};

async fn fetch_data(id: u32, seconds: u64) {
    println!("Fetching data {id}");
    sleep(Duration::from_secs(seconds)).await;
    println!("Data {id} is there");
}

pub async fn main() -> Result<(), tenter::JoinError> {
    let task1 = tenter::spawn(fetch_data(1, 2));
    let task2 = tenter::spawn(fetch_data(2, 3));
    let task3 = tenter::spawn(fetch_data(3, 1));
    // Without being awaited they would be cancelled at the end of main, before any of them is done.
    task1.await?;
    task2.await?;
    task3.await
}
