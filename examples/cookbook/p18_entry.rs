//! Run: `cargo run --release --example cookbook -- p18`
//!
//! One place where it begins.
//!
//! Prints one line. What other languages guard against, that a file runs when it is only loaded, does
//! not happen: nothing runs before `main`.

// In a program of your own this is the one line over `main`; a library has none and starts no runtime:
//
//     #[tenter::main]
//
// A second runtime in the first, by `run` within `run`, is refused with a message that says what to do
// instead.
pub async fn main() {
    println!("Hello, Asyncio!");
}
