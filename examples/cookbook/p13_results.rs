//! Run: `cargo run --release --example cookbook -- p13`
//!
//! Results in the order of the arguments, however long each takes.
//!
//! Five numbers are doubled, all at once, in two seconds; then the results are printed.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn process_data(data: u32) -> u32 {
    println!("Processing {data}... 🔄");
    sleep(Duration::from_secs(2)).await;
    let result = data * 2;
    println!("Finished processing {data}: Result is {result} ✅");
    result
}

pub async fn main() {
    // The output is a `Vec`, where each result has the place of its argument.
    let results = gather([1, 2, 3, 4, 5].map(process_data)).await;
    println!("All results: {results:?} 🎉");
}
