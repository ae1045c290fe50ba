//! Run: `cargo run --release --example cookbook -- f04`
//!
//! Two functions at a time.
//!
//! Prints their results, which come in the order of the arguments.

use tenter::gather;

async fn task1() -> &'static str {
    "one"
}

async fn task2() -> u32 {
    2
}

pub async fn main() {
    // One result of each type: a tuple.
    let (one, two) = gather!(task1(), task2()).await;
    println!("{one}, {two}");
}
