//! Run: `cargo run --release --example cookbook -- p26`
//!
//! An error goes to who awaits.
//!
//! Prints after two seconds what went wrong.

use std::fmt;

use tenter::time::{Duration, sleep};

/// What can go wrong. Any type will do.
#[derive(Debug)]
struct ValueError(&'static str);

impl fmt::Display for ValueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

async fn faulty_task() -> Result<(), ValueError> {
    sleep(Duration::from_secs(2)).await;
    Err(ValueError("Something went wrong!"))
}

pub async fn main() {
    // `.await` gives what the function returns. That it may fail is in its type, and ignoring it is a
    // warning of the compiler.
    if let Err(error) = faulty_task().await {
        println!("Caught an error: {error}");
    }
}
