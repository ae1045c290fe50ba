//! Run: `cargo run --release --example cookbook -- p11`
//!
//! Five tables, and one waiter who stands still at each.
//!
//! The same lines as in `p10`, table by table, in fifteen seconds instead of three. Nothing in here is
//! async: it is for comparison.

use std::time::Duration;

use super::stage::thread; // in a program of your own: std::thread

fn handle_table(table: u32) {
    println!("Attending to table {table} 🍽️");
    // Keeps the thread, and with it everybody who would need it.
    thread::sleep(Duration::from_secs(2));
    println!("Taking order from table {table} 📝");
    thread::sleep(Duration::from_secs(1));
    println!("Serving food to table {table} 🍲");
}

pub fn main() {
    (1..=5).for_each(handle_table);
}
