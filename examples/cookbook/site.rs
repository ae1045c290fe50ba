//! Run: nothing by itself; `cargo run --release --example cookbook -- p12` fetches pages from it
//!
//! A small site on this machine, for the programs that fetch pages.

use std::io;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tenter::JoinHandle;
use tenter::net::TcpListener;
use tenter::sync::oneshot;
use tenter::time::sleep;
use tenter_http::ServeReport;

/// The pages: name, characters, and after how many milliseconds the answer comes.
pub const PAGES: [(&str, usize, u64); 5] = [
    ("python", 48_885, 300),
    ("openai", 12_567, 100),
    ("github", 35_000, 500),
    ("stackoverflow", 42_000, 200),
    ("reddit", 30_000, 400),
];

/// The page `example`.
pub const EXAMPLE: &str = "<!doctype html>\n<html>\n<head><title>Example Domain</title></head>\n<body>\n\
    <h1>Example Domain</h1>\n<p>This page is an example, for programs that want to fetch one.</p>\n\
    </body>\n</html>";

/// A server that runs.
#[derive(Debug)]
pub struct Site {
    url: String,
    stop: oneshot::Sender<()>,
    server: JoinHandle<io::Result<ServeReport>>,
}

impl Site {
    /// Opens it, on a free port.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn open() -> io::Result<Site> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (stop, stopped) = oneshot::<()>();
        let server = tenter_http::serve(listener, pages())
            .with_graceful_shutdown(async { stopped.await.unwrap_or_default() });
        let server = tenter::spawn(server.into_future());
        Ok(Site { url, stop, server })
    }

    /// `http://127.0.0.1:4711`.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Answers what it was asked, and closes.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub async fn close(self) -> io::Result<()> {
        let _ = self.stop.send(());
        self.server.await.map_err(io::Error::other)??;
        Ok(())
    }
}

fn pages() -> Router {
    let pages = PAGES.iter().fold(Router::new(), |pages, page| {
        let &(name, length, millis) = page;
        let answer = move || async move {
            sleep(Duration::from_millis(millis)).await;
            "x".repeat(length)
        };
        pages.route(&format!("/{name}"), get(answer))
    });
    pages
        .route("/example", get(EXAMPLE))
        .route("/gone", get(StatusCode::NOT_FOUND))
}
