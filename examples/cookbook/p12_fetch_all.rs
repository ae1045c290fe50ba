//! Run: `cargo run --release --example cookbook -- p12`
//!
//! Five pages at a time, and an error is one page's own.
//!
//! Prints how long each page is, in the order in which they come; together they take as long as the
//! slowest. The pages are those of a small site that is started with the program.

use tenter::gather;
use tenter_http::{Client, Error};

const PAGES: [&str; 5] = ["python", "openai", "github", "stackoverflow", "reddit"];

async fn fetch(client: &Client, url: String) {
    match length(client, &url).await {
        Ok(length) => println!("Fetched {url} with {length} characters. 📄"),
        // What is wrong with one page is said here, and the others go on.
        Err(error) => println!("Error fetching {url}: {error} ❌"),
    }
}

async fn length(client: &Client, url: &str) -> Result<usize, Error> {
    // Ready when the head of the answer is there. A status such as 404 is an answer, too.
    let response = client.get(url).await?;
    // Ready when all of it is there; the connection is kept for the next request then.
    Ok(response.text().await?.chars().count())
}

pub async fn main(site: &str) {
    // One client for all: it keeps connections, which are closed when it is dropped.
    let client = Client::new();
    // All of them borrow the client, as they run in this task.
    gather(PAGES.map(|page| fetch(&client, format!("{site}/{page}")))).await;
}
