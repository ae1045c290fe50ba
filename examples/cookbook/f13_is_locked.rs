//! Run: `cargo run --release --example cookbook -- f13`
//!
//! Is it in use? A lock says so without being taken.
//!
//! Prints that it is locked while the guard lives, and free after.

use tenter::sync::Lock;

pub async fn main() {
    // What it guards is in it, and only who has the guard gets at it.
    let lock = Lock::new(0);
    let mut number = lock.lock().await;
    *number += 1;
    println!("locked: {}, and cannot be had: {}", lock.is_locked(), lock.try_lock().is_err());
    drop(number);
    // The answer may be out of date when it is read; to use what is free, `try_lock` asks and takes it.
    println!("locked: {}", lock.is_locked());
}
