//! Run: `cargo run --release --example cookbook -- f01`
//!
//! What every program has: a function that may wait, and a main that calls it.
//!
//! Prints nothing.

async fn function_name() {
    // Whatever the program does. It may wait, with `.await`.
}

// `fn main() { tenter::run(function_name()) }`, or `#[tenter::main]` over this:
pub async fn main() {
    function_name().await;
}
