//! Run: `cargo run --release --example scraper`: prints the length of every page of a site, or why not
//!
//! Ten pages are fetched, three at a time, over connections that are kept. The site is a server that
//! the program starts itself, and it says how many requests it has ever had in hand at a time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use tenter::gather;
use tenter::net::TcpListener;
use tenter::sync::{Semaphore, oneshot};
use tenter::task::yield_now;
use tenter_http::Client;

/// Requests at a time.
const AT_ONCE: usize = 3;

#[tenter::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let site = format!("http://{}", listener.local_addr()?);
    let busiest = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = oneshot::<()>();
    let server = tenter_http::serve(listener, pages(Arc::clone(&busiest)))
        // A page that never ends would be waited for.
        .drain_timeout(Duration::ZERO)
        .with_graceful_shutdown(async { stopped.await.unwrap_or_default() });
    let server = tenter::spawn(server.into_future());

    // One client for all: it keeps its connections for the next request.
    let client = Client::new();
    let places = Semaphore::new(AT_ONCE);
    let fetch = |path: String| {
        // Borrowed: all of this runs in one task, while others wait for the server.
        let (client, places, url) = (&client, &places, format!("{site}/{path}"));
        async move {
            // The permit goes back at the end of the block, however it ends.
            let _place = places.acquire().await;
            match length(client, &url).await {
                Ok(length) => format!("{path}: {length} characters"),
                Err(error) if error.is_timeout() => format!("{path}: no answer in time"),
                Err(error) => match error.status() {
                    Some(status) => format!("{path}: {status}"),
                    None => format!("{path}: {error}"),
                },
            }
        }
    };
    let pages = (1..=8).map(|number| format!("page{number}"));
    let pages = pages.chain(["missing".into(), "endless".into()]);
    // All at once, as far as there are places; the lines come in the order of the list.
    for line in gather(pages.map(fetch)).await {
        println!("{line}");
    }

    let _ = stop.send(());
    server.await??;
    let busiest = busiest.load(Ordering::SeqCst);
    println!(
        "never more than {AT_ONCE} at a time: {}",
        busiest <= AT_ONCE
    );
    Ok(())
}

async fn length(client: &Client, url: &str) -> Result<usize, tenter_http::Error> {
    let request = client.get(url).timeout(Duration::from_secs(2));
    // A status such as 404 is an answer; here it is to be an error.
    let response = request.await?.error_for_status()?;
    Ok(response.text().await?.chars().count())
}

/// A site whose pages are as many thousand characters long as their number says.
fn pages(busiest: Arc<AtomicUsize>) -> Router {
    let in_hand = Arc::new(AtomicUsize::new(0));
    let page = move |Path(name): Path<String>| async move {
        let now = in_hand.fetch_add(1, Ordering::SeqCst) + 1;
        busiest.fetch_max(now, Ordering::SeqCst);
        for _ in 0..10 {
            yield_now().await;
        }
        let number = name.strip_prefix("page").map(str::parse::<usize>);
        let answer = match number {
            Some(Ok(number)) => Ok("x".repeat(1_000 * number)),
            _ if name == "endless" => std::future::pending().await,
            _ => Err(StatusCode::NOT_FOUND),
        };
        in_hand.fetch_sub(1, Ordering::SeqCst);
        answer
    };
    Router::new().route("/{name}", axum::routing::get(page))
}
