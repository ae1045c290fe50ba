//! Run: `cargo run --release --example cookbook -- p10`
//!
//! Five tables, and one waiter who never stands still.
//!
//! He attends to all of them at once, takes all orders after two seconds, and serves all of them after
//! three. `p11` is the waiter who does stand still: fifteen seconds.

use tenter::gather;
use tenter::time::{Duration, sleep};

async fn handle_table(table: u32) {
    println!("Attending to table {table} 🍽️");
    // The guests read the menu, and the waiter goes to the next table.
    sleep(Duration::from_secs(2)).await;
    println!("Taking order from table {table} 📝");
    // The kitchen cooks.
    sleep(Duration::from_secs(1)).await;
    println!("Serving food to table {table} 🍲");
}

pub async fn main() {
    // The function, for any number of futures of one kind; the macro is for a few of different kinds.
    gather((1..=5).map(handle_table)).await;
}
