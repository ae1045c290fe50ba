//! Run: `cargo run --release --example cookbook -- p15`
//!
//! One page.
//!
//! Prints the text of a page. The page is one of a small site that is started with the program.

use tenter_http::{Client, Error};

async fn fetch(url: &str) -> Result<String, Error> {
    let client = Client::new();
    let response = client.get(url).await?;
    // The bytes as text. What is no UTF-8 is an error.
    response.text().await
}

pub async fn main(site: &str) -> Result<(), Error> {
    // An error leaves main, and is what the program ends with.
    let body = fetch(&format!("{site}/example")).await?;
    println!("{body}");
    Ok(())
}
