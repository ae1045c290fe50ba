//! Run: `cargo run --release --example cookbook -- p07`
//!
//! The smallest program: an async function, and something that runs it.
//!
//! Prints one line.

async fn example() {
    println!("Asyncio Run Example");
}

// Without the attribute it is `fn main() { tenter::run(example()) }`. `run` returns what `example`
// returns, after all that `example` has started has ended.
pub async fn main() {
    example().await;
}
