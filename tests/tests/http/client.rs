//! The client of `tenter-http`, against servers in threads of their own.

use std::future::{Future, IntoFuture};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Redirect;
use axum::routing::{any, get, post};
use tenter::sync::Semaphore;
use tenter_http::{Client, ErrorKind};

use crate::harness::{HANG, Scripted, Server};
use crate::{hello, spin_until, spin_until_async, waiting};

/// On a runtime with a real clock.
fn run<T>(test: impl Future<Output = T>) -> T {
    tenter::run(async { tenter::time::timeout(HANG, test).await.expect("it hangs") })
}

fn url(address: impl std::fmt::Display, path: &str) -> String {
    format!("http://{address}{path}")
}

fn count_up(counter: &Arc<AtomicUsize>) -> usize {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

/// Goal: a hundred requests one after the other use one connection, also those with a body, and
/// those of other clones.
#[test]
fn one_connection_is_used_again_and_again() {
    let echo = |body: Bytes| async move { body };
    let app = hello().route("/echo", post(echo));
    let mut server = Server::start(app.route("/empty", get(|| async {})));
    let address = server.address;
    run(async move {
        let client = Client::new();
        for number in 0..100 {
            let response = client.clone().get(url(address, "/")).await.unwrap();
            assert!(response.ok());
            assert_eq!(response.peer(), address);
            assert_eq!(response.text().await.unwrap(), "hello");
            let body = "x".repeat(number * 100);
            let sent = client.post(url(address, "/echo")).body(body.clone()).await;
            assert_eq!(sent.unwrap().bytes().await.unwrap(), body);
            // What has no body gives its connection back without being read.
            let response = client.get(url(address, "/empty")).await.unwrap();
            assert_eq!(response.status(), 200);
        }
    });
    assert_eq!(server.finish().accepted, 1);
}

/// Goal: with two places, two requests are under way and no more, over two connections in all.
#[test]
fn places_per_host_are_kept_to() {
    let (latch, seen) = (Arc::new(Semaphore::new(0)), Arc::new(AtomicUsize::new(0)));
    let (wait_for, count) = (Arc::clone(&latch), Arc::clone(&seen));
    let wait = get(move || async move {
        count_up(&count);
        wait_for.acquire().await.unwrap().forget();
        "waited"
    });
    let mut server = Server::start(Router::new().route("/wait", wait));
    let address = server.address;
    run(async move {
        let client = Client::builder().max_per_host(2).build();
        let ask = |_| {
            let client = client.clone();
            tenter::spawn(async move {
                let response = client.get(url(address, "/wait")).await.unwrap();
                response.text().await.unwrap()
            })
        };
        let tasks: Vec<_> = (0..20).map(ask).collect();
        for number in 0..20 {
            let expected = 20.min(number + 2);
            spin_until_async(|| seen.load(Ordering::SeqCst) >= expected).await;
            assert_eq!(seen.load(Ordering::SeqCst), expected, "two at a time");
            latch.add_permits(1).unwrap();
        }
        for task in tasks {
            assert_eq!(task.await.unwrap(), "waited");
        }
    });
    assert_eq!(server.finish().accepted, 2);
}

/// Goal: the place of a request that was dropped, or has failed, is free again; the time spent
/// waiting for one counts.
#[test]
fn a_place_comes_back_from_whatever_end() {
    let (app, _latch, waiters) = waiting();
    let server = Server::start(app);
    let address = server.address;
    run(async move {
        let client = Client::builder().max_per_host(1).build();
        let held = client.clone();
        let first = tenter::spawn(async move { held.get(url(address, "/wait")).await.map(drop) });
        spin_until_async(|| waiters.load(Ordering::SeqCst) == 1).await;
        let limit = Duration::from_millis(20);
        let late = client
            .get(url(address, "/"))
            .timeout(limit)
            .await
            .unwrap_err();
        assert!(late.is_timeout());
        assert_eq!(
            late.to_string(),
            format!(
                "GET http://{address}/: timed out after 20ms, waiting for one of the 1 places at \
                 {address}"
            )
        );
        first.cancel_and_wait().await.unwrap_err();
        for _ in 0..3 {
            let unread = client.get(url(address, "/")).await.unwrap();
            drop(unread);
        }
        assert!(client.get(url(address, "/")).await.is_ok());
    });
}

/// Goal: what a redirect does to the method, the body and the secrets.
#[test]
fn redirects_are_followed() {
    let told = |headers: HeaderMap, body: Bytes| async move {
        let secret = headers.contains_key(header::AUTHORIZATION);
        format!("{} bytes, secret: {secret}", body.len())
    };
    let mut other = Server::start(Router::new().route("/told", any(told)));
    let away = url(other.address, "/told");
    let app = Router::new()
        .route("/a/told", any(told))
        .route("/a/b", any(|| async { Redirect::to("told?x") }))
        .route(
            "/a/keep",
            any(|| async { Redirect::temporary("../a/told") }),
        )
        .route("/away", any(|| async move { Redirect::permanent(&away) }))
        .route("/tls", any(|| async { Redirect::to("https://x/") }))
        .route("/loop", any(|| async { Redirect::to("/loop") }));
    let mut server = Server::start(app);
    let (address, other_address) = (server.address, other.address);
    run(async move {
        let client = Client::new();
        let send = |path| {
            let request = client.post(url(address, path)).body("12345");
            request.header("authorization", "secret")
        };
        let response = send("/a/b").await.unwrap();
        assert_eq!(response.url(), url(address, "/a/told?x"));
        assert_eq!(response.text().await.unwrap(), "0 bytes, secret: true");
        let response = send("/a/keep").await.unwrap();
        assert_eq!(response.text().await.unwrap(), "5 bytes, secret: true");
        let response = send("/away").await.unwrap();
        assert_eq!(response.peer(), other_address);
        assert_eq!(response.text().await.unwrap(), "5 bytes, secret: false");

        let error = send("/loop").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Redirects);
        let target = url(address, "/loop");
        assert_eq!(
            error.to_string(),
            format!("GET {target}: more than 10 redirects, the last to {target}")
        );
        let error = send("/tls").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls);
        assert!(
            error
                .to_string()
                .contains("redirects to `https://x/`: https needs TLS")
        );

        let stays = Client::builder().max_redirects(0).build();
        let response = stays.get(url(address, "/loop")).await.unwrap();
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
    });
    // The client that follows nothing is a second one.
    assert_eq!((server.finish().accepted, other.finish().accepted), (2, 1));
}

/// Goal: bodies of a known length, in chunks, and up to the end of the connection; whole, in parts,
/// as text of two encodings.
#[test]
fn bodies_of_every_kind_are_read() {
    let address = Scripted::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.split(' ').nth(1).unwrap() {
                "/length" => connection.text("h\u{e4}llo"),
                "/chunks" => connection.answer(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                     3\r\nabc\r\n2;x=y\r\nde\r\n0\r\ntrailer: x\r\n\r\n",
                ),
                "/latin" => {
                    connection.answer(
                        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\
                         content-type: text/plain; charset=ISO-8859-1\r\n\r\n\u{44}\u{4e}",
                    );
                }
                _ => return connection.answer("HTTP/1.1 200 OK\r\n\r\nto the end"),
            }
        }
    });
    run(async move {
        let client = Client::new();
        let get = |path| client.get(url(address, path)).into_future();
        assert_eq!(
            get("/length").await.unwrap().text().await.unwrap(),
            "h\u{e4}llo"
        );
        assert_eq!(get("/chunks").await.unwrap().text().await.unwrap(), "abcde");
        assert_eq!(get("/latin").await.unwrap().text().await.unwrap(), "DN");
        assert_eq!(get("/").await.unwrap().text().await.unwrap(), "to the end");
        let mut response = get("/chunks").await.unwrap();
        let mut whole = Vec::new();
        while let Some(chunk) = response.chunk().await.unwrap() {
            whole.extend_from_slice(&chunk);
        }
        assert_eq!(whole, b"abcde");
        assert!(
            response.chunk().await.unwrap().is_none(),
            "the end stays the end"
        );
    });
}

/// Goal: a server that does not answer costs 300 s by default, which the error says, and whom it
/// waited for. Method: the virtual clock jumps when nothing else is left to do.
#[tenter::test]
async fn the_time_for_the_whole_is_bounded() {
    let address = Scripted::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            if request.starts_with("GET /part ") {
                connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
            }
        }
    });
    let start = tenter::time::now();
    let silent = url(address, "/silent");
    let error = Client::new().get(&silent).await.unwrap_err();
    assert!(error.is_timeout() && !error.is_connect());
    assert_eq!(error.url(), silent);
    assert_eq!(
        error.to_string(),
        format!("GET {silent}: timed out after 300s, waiting for the answer of {address}")
    );
    assert_eq!(start.elapsed(), Duration::from_secs(300));
}

/// Goal: the time for the whole is up while the body is read.
#[test]
fn a_body_that_stops_is_bounded() {
    let address = Scripted::start(|_, mut connection| {
        while connection.request().is_some() {
            connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
        }
    });
    run(async move {
        let asked = url(address, "/");
        let limit = Duration::from_millis(300);
        let response = Client::new().get(&asked).timeout(limit).await.unwrap();
        let error = response.text().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "GET {asked}: timed out after 300ms, reading the body from {address}, 4 bytes so \
                 far"
            )
        );
    });
}

#[test]
fn a_status_is_an_error_only_if_asked_for() {
    let server = Server::start(hello());
    let address = server.address;
    run(async move {
        let client = Client::new();
        let asked = url(address, "/nothing?q");
        let response = client.get(&asked).await.unwrap();
        assert!(!response.ok());
        assert_eq!(response.status(), 404);
        let error = response.error_for_status().unwrap_err();
        assert_eq!(error.status(), Some(StatusCode::NOT_FOUND));
        assert_eq!(
            error.to_string(),
            format!("GET {asked}: {address} answered 404 Not Found")
        );
        let response = client.get(url(address, "/")).await.unwrap();
        assert!(response.error_for_status().is_ok());
    });
}

/// Goal: nobody listens; the error says where, and why.
#[test]
fn a_refused_connection_names_its_address() {
    let holder = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap();
    drop(holder);
    run(async move {
        let error = Client::new().get(url(address, "/x")).await.unwrap_err();
        assert!(error.is_connect() && !error.is_timeout());
        let text = format!(
            "cannot connect to http://{address}/x: {address}: Connection refused (os error 111)"
        );
        assert_eq!(
            (error.to_string(), format!("{error:?}")),
            (text.clone(), format!("{text:?}"))
        );
        let cause = std::error::Error::source(&error).unwrap();
        let cause = cause.downcast_ref::<tenter_http::ConnectError>().unwrap();
        assert_eq!(cause.attempts()[0].0, address);

        let error = Client::new()
            .get("http://nobody.invalid/")
            .await
            .unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("cannot connect to http://nobody.invalid/: cannot look up host"),
            "{text}"
        );
    });
}

/// Goal: addresses and headers that cannot be sent are refused before anything is sent.
#[tenter::test]
async fn what_cannot_be_asked_for_is_refused() {
    let client = Client::new();
    let error = client.get("https://localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls);
    let text = error.to_string();
    assert!(
        text.starts_with(
            "GET https://localhost/: the address cannot be asked for: https needs TLS"
        ),
        "{text}"
    );
    let error = client.get("http://me:secret@localhost/").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Request);
    assert!(!format!("{error} {error:?} {}", error.url()).contains("secret"));
    let request = client.get("http://localhost/").header("a b", "c");
    assert!(
        request
            .await
            .unwrap_err()
            .to_string()
            .contains("the header `a b`")
    );
    let request = client.get("http://localhost/").header("a", "b\nc");
    assert!(
        request
            .await
            .unwrap_err()
            .to_string()
            .contains("the value of `a`")
    );
}

/// Goal: a body that is too large is an error, announced or not; what is allowed is read.
#[test]
fn bodies_have_a_limit() {
    let address = Scripted::start(|_, mut connection| {
        while let Some(request) = connection.request() {
            match request.starts_with("GET /chunks ") {
                true => connection.answer(
                    "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabcde\r\n1\r\nf\r\n0\r\n\r\n",
                ),
                false => connection.text("abcdef"),
            }
        }
    });
    run(async move {
        for path in ["/length", "/chunks"] {
            let asked = url(address, path);
            let exact = Client::builder().max_body(6).build();
            let response = exact.get(&asked).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "abcdef");
            let short = Client::builder().max_body(5).build();
            let error = short.get(&asked).await.unwrap().text().await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::BodyLimit);
            assert_eq!(
                error.to_string(),
                format!(
                    "GET {asked}: the body from {address} is larger than 5 bytes, which is the \
                     most that `ClientBuilder::max_body` allows"
                )
            );
        }
    });
}

/// Goal: a request that is dropped before its answer, or before the end of its body, takes its
/// connection with it, and the next one gets its own answer.
#[test]
fn a_dropped_request_closes_its_connection() {
    let (told, closed) = mpsc::channel();
    let arrived = Arc::new(AtomicUsize::new(0));
    let arrive = Arc::clone(&arrived);
    let address = Scripted::start(move |number, mut connection| {
        while let Some(request) = connection.request() {
            count_up(&arrive);
            match request.split(' ').nth(1).unwrap() {
                "/silent" => {}
                "/part" => connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart"),
                _ => connection.text("its own"),
            }
        }
        let _ = told.send(number);
    });
    run(async move {
        let client = Client::new();
        let own = async || {
            let response = client.get(url(address, "/own")).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "its own");
        };
        own().await;
        // Before its answer, by the cancellation of its task.
        let asking = client.clone();
        let task =
            tenter::spawn(async move { asking.get(url(address, "/silent")).await.map(drop) });
        spin_until_async(|| arrived.load(Ordering::SeqCst) == 2).await;
        task.cancel_and_wait().await.unwrap_err();
        own().await;
        // Before its answer, by a timeout around it.
        let silent = client.get(url(address, "/silent"));
        tenter::time::timeout(Duration::from_millis(20), silent)
            .await
            .unwrap_err();
        own().await;
        // Before the end of its body.
        let mut part = client.get(url(address, "/part")).await.unwrap();
        assert_eq!(part.chunk().await.unwrap().unwrap(), "part");
        drop(part);
        own().await;
        let ended = move || closed.recv_timeout(HANG).unwrap();
        let ended = tenter::spawn_blocking(move || [ended(), ended(), ended()])
            .await
            .unwrap();
        assert_eq!(ended, [0, 1, 2], "each closed, and none used again");
    });
}

/// Goal: a server that closes a connection instead of answering again is asked once more, if that
/// changes nothing there. An exchange that breaks otherwise is an error that says so.
#[test]
fn a_connection_that_was_closed_meanwhile_is_replaced() {
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let address = Scripted::start(move |_, mut connection| {
        count_up(&count);
        let Some(_) = connection.request() else {
            return;
        };
        connection.text("first");
        // Closed with the second request in hand.
        connection.request();
    });
    run(async move {
        let client = Client::new();
        for opened in 1..4 {
            let response = client.get(url(address, "/")).await.unwrap();
            assert_eq!(response.text().await.unwrap(), "first");
            assert_eq!(connections.load(Ordering::SeqCst), opened);
        }
        let error = client.post(url(address, "/")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exchange);
        let text = error.to_string();
        let start = format!("POST http://{address}/: the exchange with {address} failed: ");
        assert!(
            text.len() > start.len() && text.starts_with(&start),
            "{text}"
        );
        assert_eq!(
            connections.load(Ordering::SeqCst),
            3,
            "a POST is not sent twice"
        );
    });
}

/// Goal: what is no HTTP, and a body that breaks off, are errors that say so.
#[test]
fn what_breaks_is_told() {
    let address = Scripted::start(move |_, mut connection| match connection.request() {
        Some(request) if request.starts_with("GET /cut ") => {
            connection.answer("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\npart");
        }
        Some(_) => connection.answer("nothing that is known\r\n\r\n"),
        None => {}
    });
    run(async move {
        let client = Client::new();
        let error = client.get(url(address, "/")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exchange);
        assert!(error.to_string().contains(": invalid HTTP"), "{error}");
        let response = client.get(url(address, "/cut")).await.unwrap();
        let error = response.bytes().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Exchange);
        let text = error.to_string();
        assert!(
            text.contains(&format!("from {address} broke off after 4 bytes: ")),
            "{text}"
        );
    });
}

/// Goal: idle connections are closed when their time is up, and all with the client.
#[test]
fn idle_connections_are_closed() {
    let (told, closed) = mpsc::channel();
    let address = Scripted::start(move |number, mut connection| {
        while connection.request().is_some() {
            connection.text("hello");
        }
        let _ = told.send(number);
    });
    run(async move {
        let closed = move || {
            closed
                .recv_timeout(HANG)
                .map(|number| (number, closed))
                .unwrap()
        };
        let short = Client::builder()
            .pool_idle_timeout(Duration::from_millis(20))
            .build();
        let response = short.get(url(address, "/")).await.unwrap();
        response.text().await.unwrap();
        let (number, closed) = tenter::spawn_blocking(closed).await.unwrap();
        assert_eq!(number, 0, "after its time");
        let long = Client::new();
        let response = long.get(url(address, "/")).await.unwrap();
        response.text().await.unwrap();
        drop(long);
        let closed = move || closed.recv_timeout(HANG).unwrap();
        let number = tenter::spawn_blocking(closed).await.unwrap();
        assert_eq!(number, 1, "with its client");
        drop(short);
    });
}

/// Goal: many tasks on many workers share a client, and every one gets its own answer.
#[test]
fn many_workers_share_a_client() {
    let echo = |body: Bytes| async move { body };
    let mut server = Server::start(Router::new().route("/", post(echo)));
    let address = server.address;
    let runtime = tenter::Builder::multi_thread().workers(4).build().unwrap();
    runtime.block_on(async move {
        let client = Client::builder().max_per_host(8).build();
        let ask = |number: usize| {
            let client = client.clone();
            tenter::spawn(async move {
                for round in 0..20 {
                    let body = format!("{number}/{round}");
                    let request = client.post(url(address, "/")).body(body.clone());
                    assert_eq!(request.await.unwrap().text().await.unwrap(), body);
                }
            })
        };
        for task in (0..50).map(ask).collect::<Vec<_>>() {
            task.await.unwrap();
        }
    });
    drop(runtime);
    spin_until("the connections are closed", || {
        server.report.try_recv().is_err()
    });
    assert_eq!(server.finish().accepted, 8);
}
