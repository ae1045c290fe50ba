//! Run: `cargo run --release --example serve -- 8080`; try: `curl http://127.0.0.1:8080/json`
//!
//! An HTTP server with axum. The first line of its output is its address. Ctrl-c and SIGTERM end
//! it gracefully: requests in hand are answered, then it says what it did.
//!
//! | path | answer |
//! |---|---|
//! | `/` | a greeting |
//! | `/json` | the same in JSON, with the peer's address |
//! | `/sleep/{ms}` | after so many milliseconds, 60 000 at most |
//! | `/sse` | one event a second, until the client leaves or the server ends (`curl -N`) |
//! | `/metrics` | the runtime's counters for Prometheus |

use std::convert::Infallible;
use std::fmt::Write as _;
use std::future::Future;
use std::io::Write as _;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Json, Router};
use futures_core::Stream;
use tenter::signal::{SignalKind, signals};
use tenter::sync::Semaphore;
use tenter::time::{Interval, interval, sleep};
use tenter_http::Peer;

/// The longest that `/sleep` sleeps: a client must not hold a connection for as long as it likes.
const SLEEP_MAX: Duration = Duration::from_secs(60);

#[tenter::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("serve: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let listener = tenter_examples::listen().await?;
    let mut end = signals([SignalKind::interrupt(), SignalKind::terminate()])?;
    // Whoever started this may have closed the other end; that is no reason not to serve.
    let _ = writeln!(std::io::stdout(), "http://{}", listener.local_addr()?);

    let closing = Closing::default();
    let app = app(closing.clone());
    let stop = async move {
        end.recv().await;
        closing.close();
    };
    let report = tenter_http::serve(listener, app)
        .with_graceful_shutdown(stop)
        .await?;
    let _ = writeln!(std::io::stdout(), "{report}");
    Ok(())
}

fn app(closing: Closing) -> Router {
    Router::new()
        .route("/", get(|| async { "hello from tenter\n" }))
        .route("/json", get(json))
        .route("/sleep/{ms}", get(sleep_for))
        .route("/sse", get(events))
        .route("/metrics", get(metrics))
        .with_state(closing)
}

async fn json(Extension(peer): Extension<Peer>) -> Json<serde_json::Value> {
    Json(serde_json::json!({ "message": "hello from tenter", "peer": peer.to_string() }))
}

async fn sleep_for(Path(ms): Path<u64>) -> Response {
    let duration = Duration::from_millis(ms);
    if duration > SLEEP_MAX {
        let text = format!(
            "{ms} ms is too long: ask for {} at most\n",
            SLEEP_MAX.as_millis()
        );
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    sleep(duration).await;
    format!("slept {ms} ms\n").into_response()
}

async fn events(State(closing): State<Closing>) -> Sse<Ticks> {
    Sse::new(Ticks {
        interval: interval(Duration::from_secs(1)),
        count: 0,
        closed: Box::pin(async move { closing.closed().await }),
    })
}

/// One event a second, until the server closes: a graceful end would otherwise wait for it.
struct Ticks {
    interval: Interval,
    count: u64,
    closed: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stream for Ticks {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.closed.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        self.interval.poll_tick(cx).map(|_| {
            self.count += 1;
            Some(Ok(Event::default()
                .event("tick")
                .data(self.count.to_string())))
        })
    }
}

/// Tells the endless answers that the server is about to end. A semaphore that nobody can acquire
/// is exactly that: waiting for it ends when it is closed, also if it was closed before.
#[derive(Clone)]
struct Closing(Arc<Semaphore>);

impl Default for Closing {
    fn default() -> Self {
        Closing(Arc::new(Semaphore::new(0)))
    }
}

impl Closing {
    fn close(&self) {
        self.0.close();
    }

    async fn closed(&self) {
        drop(self.0.acquire().await);
    }
}

async fn metrics() -> Response {
    let metrics = tenter::Handle::current().metrics();
    let mut text = String::new();
    for (name, kind, help, value) in [
        (
            "alive_tasks",
            "gauge",
            "Tasks that have not ended.",
            metrics.alive_tasks,
        ),
        (
            "armed_timers",
            "gauge",
            "Timers that are armed.",
            metrics.armed_timers as u64,
        ),
        (
            "waiting_io",
            "gauge",
            "Waits for sockets in progress.",
            metrics.waiting_io as u64,
        ),
        (
            "spawned_tasks_total",
            "counter",
            "Tasks ever spawned.",
            metrics.spawned_tasks,
        ),
        (
            "completed_tasks_total",
            "counter",
            "Tasks that have ended.",
            metrics.completed_tasks,
        ),
        ("polls_total", "counter", "Polls of tasks.", metrics.polls),
        (
            "parks_total",
            "counter",
            "Times the thread slept.",
            metrics.parks,
        ),
        (
            "poller_failures_total",
            "counter",
            "Failed polls of the system.",
            metrics.poller_failures,
        ),
    ] {
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "# HELP tenter_{name} {help}\n# TYPE tenter_{name} {kind}"
        );
        let _ = writeln!(text, "tenter_{name} {value}");
    }
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}
