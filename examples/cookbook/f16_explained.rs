//! Run: `cargo run --release --example cookbook -- f16`
//!
//! A program, explained line by line.
//!
//! Every program of the cookbook is explained where it stands; this one is about the words that all of
//! them are made of. It prints three lines.

// `use` names what the program takes from tenter. There is nothing to install beside that one crate.
use tenter::time::{Duration, sleep};

// `async fn`: calling it runs nothing. It returns a future, which is what the call would do, still to be
// done. A future that is never awaited is a warning of the compiler.
async fn brew(cup: &str) -> String {
    // `println!` does not wait, and so it is an ordinary call.
    println!("brewing {cup}");
    // `sleep(..)` makes a future that is ready after a second. `.await` hands the thread back until it is;
    // meanwhile it runs other tasks.
    sleep(Duration::from_secs(1)).await;
    // The last expression is what `.await` on this function gives.
    format!("a cup of {cup}")
}

// The entry: `#[tenter::main]` makes a runtime of one worker for each core and runs this in it.
pub async fn main() {
    // A future can be kept, and passed around. Nothing is printed by this line.
    let tea = brew("tea");
    println!("the water is hot");
    // Only here it runs, and this function waits for it.
    let cup = tea.await;
    println!("{cup}");
    // Main returns: tasks that are left would be cancelled, and then the process ends.
}
