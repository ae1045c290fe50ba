//! Run: `cargo run --release --example cookbook -- f03`
//!
//! A task: a function that runs next to the one which started it.
//!
//! Prints that it was started, and what it made.

async fn coroutine() -> u32 {
    42
}

pub async fn main() -> Result<(), tenter::JoinError> {
    // Behind the tasks that are ready already; it does not begin within this line.
    let task = tenter::spawn(coroutine());
    println!("started");
    // The output of the task comes through its handle.
    println!("it made {}", task.await?);
    Ok(())
}
