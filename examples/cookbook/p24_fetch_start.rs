//! Run: `cargo run --release --example cookbook -- p24`
//!
//! The beginning of a page.
//!
//! Prints its first 100 characters. The page is one of a small site that is started with the program.

use tenter_http::{Client, Error};

async fn fetch_data(url: &str) -> Result<String, Error> {
    // A client for one request. Where there are more of them, one client for all keeps its connections.
    let client = Client::new();
    client.get(url).await?.text().await
}

pub async fn main(site: &str) -> Result<(), Error> {
    let text = fetch_data(&format!("{site}/example")).await?;
    // Characters, not bytes: a cut within one would be a panic.
    println!("{}", text.chars().take(100).collect::<String>());
    Ok(())
}
