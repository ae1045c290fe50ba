//! Run: `cargo run --release --example cookbook -- p16`
//!
//! Long work in steps, so that others have their turn in between.
//!
//! Two times five steps of a second each take five seconds: a line of each every second.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn long_task() {
    for _ in 0..5 {
        // Stands for a step of the work. Between two steps that compute, `tenter::task::yield_now` lets
        // the others go first.
        sleep(Duration::from_secs(1)).await;
        println!("Step completed");
    }
}

pub async fn main() {
    // Called twice: two futures that know nothing of each other.
    gather!(long_task(), long_task()).await;
}
