//! `curl` and `wrk` against the HTTP server.

use std::net::SocketAddr;
use std::process::Command;

use axum::Router;
use axum::body::Bytes;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use tenter::net::TcpListener;
use tenter::sync::oneshot;
use tenter_http::ServeReport;

use crate::support::{File, LARGE, bytes, has, run, runtime};

/// Serves while `talk` talks.
fn served(talk: impl FnOnce(SocketAddr)) -> ServeReport {
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/echo", post(|body: Bytes| async { body }))
        .layer(DefaultBodyLimit::disable());
    let runtime = runtime();
    let (stop, stopped) = oneshot::<()>();
    let (tell, address) = oneshot();
    let server = runtime.spawn(async move {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        tell.send(listener.local_addr().expect("bound"))
            .expect("somebody waits");
        let signal = async {
            let _ = stopped.await;
        };
        tenter_http::serve(listener, app)
            .with_graceful_shutdown(signal)
            .await
    });
    talk(runtime.block_on(address).expect("the server begins"));
    drop(stop);
    let report = runtime.block_on(server).expect("no panic");
    report.expect("closed on request")
}

fn curl(arguments: &[&str]) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--show-error", "--fail", "--max-time", "100"]);
    curl.args(arguments);
    curl
}

/// Goal: uploads and downloads of 64 MiB are exact, connections are used again, and HTTP/1.0 works.
#[test]
fn curl_gets_exactly_what_it_asks_for() {
    if !has("curl", "--version") {
        return;
    }
    let report = served(|address| {
        let url = format!("http://{address}/");
        assert_eq!(run(&mut curl(&[&url]), b"").stdout, b"hello");
        assert_eq!(run(&mut curl(&["--http1.0", &url]), b"").stdout, b"hello");
        let thrice = run(&mut curl(&[&url, &url, &url]), b"");
        assert_eq!(thrice.stdout, b"hellohellohello");
        let head = run(&mut curl(&["--head", &url]), b"");
        assert!(String::from_utf8_lossy(&head.stdout).contains("content-length: 5"));

        let data = bytes(LARGE);
        let file = File::new("curl", &data);
        let from = format!("@{}", file.0.display());
        let echo = format!("http://{address}/echo");
        for chunked in [&["--header", "Transfer-Encoding: chunked"][..], &[]] {
            let output = run(curl(chunked).args(["--data-binary", &from, &echo]), b"");
            assert!(
                output.stdout == data,
                "{} of {LARGE} bytes",
                output.stdout.len()
            );
        }
    });
    assert_eq!((report.accepted, report.dropped), (6, 0), "{report}");
}

/// Goal: under load every answer is right and no connection fails.
#[test]
fn wrk_finds_no_error() {
    if !has("wrk", "--version") {
        return;
    }
    let report = served(|address| {
        let url = format!("http://{address}/");
        let output = run(Command::new("wrk").args(["-t1", "-c32", "-d1s", &url]), b"");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(text.contains("requests in"), "{text}");
        assert!(
            !text.contains("Socket errors") && !text.contains("Non-2xx"),
            "{text}"
        );
    });
    // It opens one to try, and then its thirty-two.
    assert!(report.accepted >= 32, "{report}");
}
